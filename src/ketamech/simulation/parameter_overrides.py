"""Parameter values of a scenario file (person, pathways, perturbations, parameters), checked, in canonical units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.core import InputError, UnknownNameError, closest_match, convert, unit
from ketamech.core.csv_table import read_table
from ketamech.core.deprecated_names import current_name
from ketamech.core.environment import DATA
from ketamech.core.errors import nearest_names
from ketamech.core.yaml_lines import Path_, YamlSource, spelled
from ketamech.parameters import HUMAN, Bounds, Parameter, ParameterTable, load_connectome

if TYPE_CHECKING:
    from ketamech.simulation.scenario_schema import ScenarioFile

# A number, then a unit that contains no second number: "15,5 kg" must not become 15 times 5 kg.
_QUANTITY = re.compile(r"^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*((?:1\b|[^\W\d]|%)[^,]*)?$", re.I)
ANIMAL_WEIGHT = (0.01, 1.0)
NAMED_VALUES = DATA / "people" / "named_values.csv"


def bounds(parameter: Parameter, species: str = HUMAN) -> Bounds:
    """Lowest and highest value (canonical units) that a scenario may give a parameter."""
    is_animal_weight = species != HUMAN and parameter.name == "person.weight"
    return ANIMAL_WEIGHT if is_animal_weight else parameter.bounds


@cache
def named_values() -> dict[str, dict[str, float]]:
    """Values that have a name, such as a genotype: {parameter: {name, lower case: number in the unit of the table}}."""
    values: dict[str, dict[str, float]] = {}
    for row in read_table(NAMED_VALUES, ("parameter", "names", "value", "evidence", "why")):
        words = {name.lower(): row.number("value") for name in row.listed("names")}
        values.setdefault(row["parameter"], {}).update(words)
    return values


@dataclass(frozen=True)
class OwnSettings:
    """The keys of a scenario file that set parameters, for a scenario without a file: pydantic is not needed."""

    person: Mapping[str, float | str]
    parameters: Mapping[str, float | str]
    pathways: Mapping[str, float | str] = field(default_factory=dict)
    perturbations: Sequence[str] = ()
    connectome: str | None = None
    receptors: str | None = None


@dataclass(frozen=True)
class OverrideReader:
    """Reads the parameter overrides of one file."""

    source: YamlSource
    table: ParameterTable
    species: str = HUMAN

    def all(self, parsed: ScenarioFile | OwnSettings) -> dict[str, float]:
        """Every parameter that differs from the table, canonical units. Raises InputError."""
        values = self._network(parsed)
        for section, prefix in (("person", "person."), ("pathways", "pathway."), ("perturbations", "perturbation.")):
            section_of = getattr(parsed, section)
            for key, value in section_of.items() if isinstance(section_of, dict) else ():
                if value is not None:
                    values[current_name(prefix + key)] = self._number(prefix, key, value, (section, key))
        for key, value in parsed.parameters.items():
            values[current_name(key)] = self._number("", key, value, ("parameters", key))
        return values

    def _network(self, parsed: ScenarioFile | OwnSettings) -> dict[str, float]:
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
            near = closest_match(name, [path.name for path in folder.glob("*.csv")])
            raise self.source.error((key,), f"there is no file '{name}' in the folder of the scenario", near=near)
        return folder / name

    def _number(self, prefix: str, key: str, stated: float | str, where: Path_) -> float:
        name = current_name(prefix + key)
        if name not in self.table:
            raise self._unknown(prefix, key, where)
        parameter, words = self.table[name], named_values().get(name, {})
        value = _canonical(words.get(str(stated).strip().lower(), stated), parameter)
        if value is None:
            expected = "a number" if parameter.unit == "1" else f"a number and a unit like {parameter.unit}"
            expected += f", or one of {', '.join(words)}" if words else ""
            raise self.source.error(where, f"'{stated}' is not a quantity in {parameter.unit}", expected)
        low, high = bounds(parameter, self.species)
        if not low <= value <= high:
            raise self.source.error(where, f"'{stated}' is out of range", parameter.range_text(low, high))
        return value

    def _unknown(self, prefix: str, key: str, where: Path_) -> InputError:
        names = [name.removeprefix(prefix) for name in self.table if name.startswith(prefix)]
        expected = (
            "one of: " + ", ".join(sorted(names))
            if prefix
            else "the full name of a parameter; 'ketamech equations' lists them"
        )
        line, near = self.source.line(where), nearest_names(key, names)
        what, path = f"there is no '{key}' in {where[0]}", self.source.path
        return UnknownNameError(what, file=path, line=line, key=spelled(where), expected=expected, nearest=near)


def _canonical(value: float | str, parameter: Parameter) -> float | None:
    """A quantity (a bare number is in the unit of the table) in canonical units; None if it is not one."""
    match = _QUANTITY.match(str(float(value)) if isinstance(value, int | float) else value.strip())
    if not match:
        return None
    try:
        number = convert(float(match[1]), match[2] or parameter.unit, parameter.unit)
    except InputError:
        return None
    return number * unit(parameter.unit).factor if math.isfinite(number) else None
