"""Parameter values of a scenario file (person, pathways, perturbations, parameters), checked, in canonical units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.core import InputError, UnknownNameError, closest_match, unit
from ketamech.core.deprecated_names import current_name
from ketamech.core.units import YEAR
from ketamech.core.yaml_lines import Path_, YamlSource, spelled
from ketamech.parameters import HUMAN, Parameter, ParameterTable, load_connectome

if TYPE_CHECKING:
    from ketamech.simulation.scenario_schema import ScenarioFile

Bounds = tuple[float, float]
# A number, then a unit that contains no second number: "15,5 kg" must not become 15 times 5 kg.
_QUANTITY = re.compile(r"^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*((?:1\b|[^\W\d]|%)[^,]*)?$", re.I)
BOUNDS: Mapping[str, Bounds] = {
    "person.weight": (5.0, 300.0),
    "person.age": (0.25 * YEAR, 110 * YEAR),
    "person.baseline_madrs": (0.5, 59.5),
    "person.baseline_ideation": (0.1, 38.0),
    "person.baseline_pain": (0.0, 10.0),
    "person.expectancy": (0.0, 2.0),
    "perturbation.cyp3a4_induction": (0.0, 20.0),
}
ANIMAL_WEIGHT = (0.01, 1.0)
SHARES = ("person", "pathway", "perturbation")  # 0 to 1 unless BOUNDS says otherwise


def bounds(parameter: Parameter, species: str = HUMAN) -> Bounds:
    """Lowest and highest value (canonical units) that a scenario may give a parameter."""
    if species != HUMAN and parameter.name == "person.weight":
        return ANIMAL_WEIGHT
    if parameter.name in BOUNDS:
        return BOUNDS[parameter.name]
    stage = parameter.name.split(".")[0]
    if stage in SHARES:
        return 0.0, 1.0
    if stage == "drug":
        return math.ulp(0.0), math.inf
    return (0.0 if parameter.spread.kind == "lognormal" else -math.inf), math.inf


@dataclass(frozen=True)
class OverrideReader:
    """Reads the parameter overrides of one file."""

    source: YamlSource
    table: ParameterTable
    species: str = HUMAN

    def all(self, parsed: ScenarioFile) -> dict[str, float]:
        """Every parameter that differs from the table, canonical units. Raises InputError."""
        values = self._network(parsed)
        for section, prefix in (("person", "person."), ("pathways", "pathway."), ("perturbations", "perturbation.")):
            section_of = getattr(parsed, section)
            for key, given in section_of.items() if isinstance(section_of, dict) else ():
                if given is not None:
                    values[current_name(prefix + key)] = self._number(prefix, key, given, (section, key))
        for key, given in parsed.parameters.items():
            values[current_name(key)] = self._number("", key, given, ("parameters", key))
        return values

    def _network(self, parsed: ScenarioFile) -> dict[str, float]:
        """Couplings and receptor densities from the files that the scenario names; single parameters override them."""
        connectome, receptors = (
            self._file_beside(key, name) if name else None
            for key, name in (("connectome", parsed.connectome), ("receptors", parsed.receptors))
        )
        return load_connectome(connectome, receptors=receptors) if connectome or receptors else {}

    def _file_beside(self, key: str, name: str) -> Path:
        """A file in the folder of the scenario: a scenario from another source must not read other folders."""
        if Path(name).name != name:
            expected = "the name of a file in the folder of the scenario"
            raise self.source.error((key,), f"'{name}' is in another folder", expected)
        assert self.source.path is not None
        folder = self.source.path.parent
        if not (folder / name).is_file():
            near = closest_match(name, [found.name for found in folder.glob("*.csv")])
            raise self.source.error((key,), f"there is no file '{name}' in the folder of the scenario", near=near)
        return folder / name

    def _number(self, prefix: str, key: str, given: float | str, where: Path_) -> float:
        name = current_name(prefix + key)
        if name not in self.table:
            raise self._unknown(prefix, key, where)
        parameter = self.table[name]
        value = _canonical(given, parameter)
        if value is None:
            expected = "a number" if parameter.unit == "1" else f"a number and a unit like {parameter.unit}"
            raise self.source.error(where, f"'{given}' is not a quantity in {parameter.unit}", expected)
        low, high = bounds(parameter, self.species)
        if not low <= value <= high:
            raise self.source.error(where, f"'{given}' is out of range", _range(low, high, parameter.unit))
        return value

    def _unknown(self, prefix: str, key: str, where: Path_) -> InputError:
        names = [name.removeprefix(prefix) for name in self.table if name.startswith(prefix)]
        expected = "one of: " + ", ".join(sorted(names)) if prefix else "the full name of a parameter"
        line, near = self.source.line(where), closest_match(key, names)
        what, path = f"there is no '{key}' in {where[0]}", self.source.path
        return UnknownNameError(what, file=path, line=line, key=spelled(where), expected=expected, nearest=near)


def _canonical(given: float | str, parameter: Parameter) -> float | None:
    """A quantity (a bare number is in the unit of the table) in canonical units; None if it is not one."""
    match = _QUANTITY.match(str(float(given)) if isinstance(given, int | float) else given.strip())
    if not match:
        return None
    try:
        return parameter.with_value(f"{match[1]} {match[2] or parameter.unit}").canonical
    except InputError:
        return None


def _range(low: float, high: float, printed: str) -> str:
    size, words = unit(printed).factor, "" if printed == "1" else f" {printed}"
    if math.isinf(high):
        return "more than 0" if low > 0 else "0 or more"
    return f"between {low / size:g} and {high / size:g}{words}"
