"""Parameter values of a scenario file (person, pathways, perturbations, parameters), checked, in canonical units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ketamech.core import InputError, UnknownNameError, closest_match, unit
from ketamech.core.deprecated_names import current_name
from ketamech.core.yaml_lines import Path_, spelled
from ketamech.parameters import HUMAN, Parameter, ParameterTable, load_connectome
from ketamech.simulation.scenario_schema import ScenarioFile

Bounds = tuple[float, float]
YEAR = 8766.0
# A number, then a unit that contains no second number: "15,5 kg" must not become 15 times 5 kg.
_QUANTITY = re.compile(r"^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*((?:1\b|[^\W\d]|%)[^,]*)?$", re.I)
BOUNDS: Mapping[str, Bounds] = {
    "person.weight": (10.0, 300.0),
    "person.age": (1 * YEAR, 110 * YEAR),
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
    """Reads the parameter overrides of one file; `lines` holds the line of each key, for errors."""

    path: Path
    lines: Mapping[Path_, int]
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
        asked = {
            key: self._other_parameter(key, name)
            for key in ("connectome", "receptors")
            if (name := getattr(parsed, key))
        }
        if not asked:
            return {}
        return load_connectome(asked.get("connectome"), receptors=asked.get("receptors"))

    def _other_parameter(self, key: str, name: str) -> Path:
        """A file in the folder of the scenario: a scenario from another source must not read other folders."""
        if Path(name).name != name:
            raise self._error(
                f"'{name}' is in another folder", (key,), "the name of a file in the folder of the scenario"
            )
        path = self.path.parent / name
        if not path.is_file():
            near = closest_match(name, [found.name for found in self.path.parent.glob("*.csv")])
            what = f"there is no file '{name}' in the folder of the scenario"
            raise InputError(what, file=self.path, line=self.lines.get((key,)), key=key, nearest=near)
        return path

    def _number(self, prefix: str, key: str, given: float | str, where: Path_) -> float:
        name = current_name(prefix + key)
        if name not in self.table:
            raise self._unknown(prefix, key, where)
        parameter = self.table[name]
        value = _canonical(given, parameter)
        if value is None:
            expected = "a number" if parameter.unit == "1" else f"a number and a unit like {parameter.unit}"
            raise self._error(f"'{given}' is not a quantity in {parameter.unit}", where, expected)
        low, high = bounds(parameter, self.species)
        if not low <= value <= high:
            raise self._error(f"'{given}' is out of range", where, _range(low, high, parameter.unit))
        return value

    def _unknown(self, prefix: str, key: str, where: Path_) -> InputError:
        names = [name.removeprefix(prefix) for name in self.table if name.startswith(prefix)]
        return UnknownNameError(
            f"there is no '{key}' in {where[0]}",
            file=self.path,
            line=self.lines.get(where),
            key=spelled(where),
            expected="one of: " + ", ".join(sorted(names)) if prefix else "the full name of a parameter",
            nearest=closest_match(key, names),
        )

    def _error(self, what: str, where: Path_, expected: str) -> InputError:
        return InputError(what, file=self.path, line=self.lines.get(where), key=spelled(where), expected=expected)


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
