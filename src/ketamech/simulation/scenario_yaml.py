"""A scenario as the YAML file that reads back as itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ketamech.core import InputError, convert
from ketamech.core.yaml_lines import YAML_SUFFIXES
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.parameters.species_tables import own_values
from ketamech.simulation.scenario import Scenario, is_weight_based
from ketamech.simulation.scenario_schema import keys_as_yaml


def refuse_target(target: Path) -> None:
    """Raise InputError for a target that is no YAML file."""
    if target.suffix.lower() not in YAML_SUFFIXES or target.is_dir():
        raise InputError(f"cannot write '{target}'", expected="a file ending in .yaml", type_this="--to scenario.yaml")


def scenario_yaml(scenario: Scenario, parameters: ParameterTable) -> str:
    """The text of a scenario file; a weight is written out where doses go by weight."""
    return keys_as_yaml(scenario_keys(scenario, parameters))


def scenario_keys(scenario: Scenario, parameters: ParameterTable) -> dict[str, Any]:
    """The keys of a scenario file; parameters with their units."""
    values = own_values(scenario.values, scenario.species)
    if scenario.species == HUMAN and is_weight_based(scenario.regimen):
        values.setdefault("person.weight", parameters["person.weight"].canonical)
    keys = {
        "title": scenario.title, "description": scenario.description, "treatments": list(scenario.regimen.sentences()),
        "perturbations": [perturbation.text for perturbation in scenario.perturbations],
        "species": "" if scenario.species == HUMAN else scenario.species,
        "parameters": {name: _quantity(value, name, parameters) for name, value in values.items()},
    }  # fmt: skip
    content: dict[str, Any] = {key: value for key, value in keys.items() if value or key in ("title", "treatments")}
    horizon = f"{scenario.horizon:.10f}".rstrip("0").rstrip(".")
    return {
        **content,
        "horizon": f"{horizon} h",
        "seed": scenario.seed,
        **({} if scenario.control else {"control": False}),
    }


def _quantity(value: float, name: str, parameters: ParameterTable) -> float | str:
    row = parameters[name]
    number = float(convert(value, row.canonical_unit, row.unit))
    return number if row.unit == "1" else f"{number!r} {row.unit}"
