"""A scenario as the YAML file that reads back as itself."""

from __future__ import annotations

import json
from pathlib import Path

from ketamech.core import InputError, convert
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.parameters.species_tables import own_values
from ketamech.simulation.scenario import Scenario, is_weight_based

SUFFIXES = (".yaml", ".yml")


def refuse_target(target: Path) -> None:
    """Raise InputError for a target that is no YAML file."""
    if target.suffix.lower() not in SUFFIXES or target.is_dir():
        raise InputError(f"cannot write '{target}'", expected="a file ending in .yaml", type_this="--to scenario.yaml")


def scenario_yaml(scenario: Scenario, parameters: ParameterTable) -> str:
    """The text of a scenario file; a weight is written out where doses go by weight."""
    lines = [f"title: {json.dumps(scenario.title, ensure_ascii=False)}"]
    if scenario.description:
        lines.append(f"description: {json.dumps(scenario.description, ensure_ascii=False)}")
    lines.append("treatments:")
    lines += [f"  - {json.dumps(words)}" for words in scenario.regimen.sentences()]
    if scenario.perturbations:
        lines.append("perturbations:")
        lines += [f"  - {json.dumps(given.text)}" for given in scenario.perturbations]
    if scenario.species != HUMAN:
        lines.append(f"species: {scenario.species}")
    values = own_values(scenario.values, scenario.species)
    if scenario.species == HUMAN and is_weight_based(scenario.regimen):
        values.setdefault("person.weight", parameters["person.weight"].canonical)
    if values:
        lines.append("parameters:")
        lines += [f"  {name}: {_quantity(value, name, parameters)}" for name, value in values.items()]
    lines += [f"horizon: {scenario.horizon:.10f}".rstrip("0").rstrip(".") + " h", f"seed: {scenario.seed}"]
    if not scenario.control:
        lines.append("control: false")
    return "\n".join(lines) + "\n"


def _quantity(value: float, name: str, parameters: ParameterTable) -> str:
    row = parameters[name]
    number = convert(value, row.canonical_unit, row.unit)
    return f"{number!r}" if row.unit == "1" else f"{number!r} {row.unit}"
