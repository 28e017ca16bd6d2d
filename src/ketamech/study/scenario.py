"""A scenario: who is given what, which pathways are off, how long to look. A YAML file or one sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ketamech.core import BadInput, UnknownName, nearest, unit
from ketamech.parameters import ParameterTable
from ketamech.study.giving import entries
from ketamech.study.reading import Path_, read_yaml
from ketamech.study.regimen import Regimen, Treatment
from ketamech.study.sentence import HOURS, read

Quantity = float | str | None
LONGEST = 2 * 365 * 24.0
BOUNDS = {
    "weight": (20.0, 300.0),
    "age": (12 * 8766.0, 110 * 8766.0),
    "baseline_madrs": (0.5, 59.5),
    "baseline_ideation": (0.1, 38.0),
    "baseline_pain": (0.0, 10.0),
}
_HORIZON = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(min|h|hours?|d|days?|weeks?)\s*$", re.I)


class Dose(BaseModel):
    """One treatment spelled out."""

    model_config = ConfigDict(extra="forbid")

    drug: str = Field(description="racemic ketamine, esketamine, memantine, midazolam, antidepressant, ECT, TMS ...")
    dose: str | None = Field(None, description="amount with unit, e.g. 0.5 mg/kg, 84 mg, 22 mg/h; none for sessions")
    route: str = Field("", description="IV, IM, SC, oral, sublingual, nasal")
    over: str | None = Field(None, description="duration of an infusion, e.g. 40 min")
    at: str | None = Field(None, description="when it starts, e.g. 3 h, day 8")
    schedule: str | None = Field(None, description="e.g. twice weekly for 4 weeks, then weekly")
    salt: str = Field("base", pattern="^(base|hydrochloride)$", description="what the mass is a mass of")

    def sentence(self) -> str:
        """The same as a regimen sentence."""
        salt = "" if self.salt == "base" else f"as {self.salt}"
        over = f"over {self.over}" if self.over else ""
        at = f"at {self.at}" if self.at else ""
        return " ".join(
            part for part in (self.drug, self.dose or "", salt, self.route, over, at, self.schedule or "") if part
        )


class ScenarioFile(BaseModel):
    """What a scenario file may hold. For research and education only: not treatment or dosing advice."""

    model_config = ConfigDict(extra="forbid", title="KetaMech scenario")

    title: Annotated[str, Field(max_length=200)] = "Untitled"
    description: Annotated[str, Field(max_length=5000)] = ""
    treatments: Annotated[list[str | Dose], Field(min_length=1, max_length=500)]
    person: dict[str, Quantity] = Field({}, description="e.g. weight: 82 kg; names are those of person.* parameters")
    pathways: dict[str, bool] = Field({}, description="e.g. habenula: off")
    perturbations: dict[str, float] = Field(
        {}, description="e.g. nbqx: 0.9; names are those of perturbation.* parameters"
    )
    parameters: dict[str, float | str] = Field({}, description="any parameter by its full name")
    horizon: str | None = Field(None, description="how long to look, e.g. 28 days")
    control: bool = Field(True, description="also simulate the same person with the same hopes and no drug")
    seed: int = Field(1, ge=0, description="kept in the provenance; one typical patient needs no chance")


@dataclass(frozen=True)
class Scenario:
    """A checked scenario. `values`: parameters that differ, canonical units. `horizon` in h."""

    title: str
    description: str
    regimen: Regimen
    values: Mapping[str, float]
    horizon: float
    control: bool
    seed: int
    source: str
    assumptions: tuple[str, ...] = ()


def schema() -> dict[str, Any]:
    """The JSON Schema of scenario files."""
    return ScenarioFile.model_json_schema()


def load_scenario(source: str | Path, parameters: ParameterTable | None = None) -> Scenario:
    """A scenario from a YAML file or from a regimen sentence.

    Raises BadInput with file, line, key, expectation, nearest valid name and what to type.
    """
    from ketamech.parameters import load_parameters

    table = load_parameters() if parameters is None else parameters
    text = str(source)
    if text.endswith((".yaml", ".yml")) or Path(text).is_file():
        return _from_file(Path(text), table)
    weight = table["person.weight"]
    notes = (f"body weight {weight.value:g} {weight.unit}, none was given",) if "/kg" in text else ()
    regimen = Regimen.parse(text)
    horizon = _horizon_of(regimen)
    entries(regimen, table, {}, horizon)
    return Scenario(text, "", regimen, {}, horizon, True, 1, text, notes)


def _horizon_of(regimen: Regimen) -> float:
    return min(regimen.horizon(), LONGEST)


def _from_file(path: Path, table: ParameterTable) -> Scenario:
    content, lines = read_yaml(path)
    try:
        parsed = ScenarioFile.model_validate(content)
    except ValidationError as problem:
        raise _complaint(problem, path, lines) from None
    regimen = Regimen(tuple(t for i, given in enumerate(parsed.treatments) for t in _treatments(given, i, path, lines)))
    reader = _Values(path, lines, table)
    values = reader.all(parsed)
    if any("/kg" in t.unit for t in regimen.treatments) and "person.weight" not in values:
        line = lines.get(("person", "weight")) or lines.get(("person",)) or lines.get(("treatments",))
        raise BadInput(
            "a dose per kilogram needs a body weight",
            file=path,
            line=line,
            key="person.weight",
            expected="the weight of this person",
            type_this="person:\n          weight: 70 kg",
        )
    horizon = _horizon(parsed.horizon, path, lines) if parsed.horizon else _horizon_of(regimen)
    _try_to_give(regimen, table, values, horizon, path, lines)
    source = path.read_text(encoding="utf-8-sig")
    return Scenario(parsed.title, parsed.description, regimen, values, horizon, parsed.control, parsed.seed, source)


def _treatments(given: str | Dose, i: int, path: Path, lines: Mapping[Path_, int]) -> tuple[Treatment, ...]:
    try:
        return read(given if isinstance(given, str) else given.sentence())
    except BadInput as problem:
        key = f"treatments[{i}]" + (f".{problem.key}" if problem.key else "")
        line = lines.get(("treatments", i, problem.key or "")) or lines.get(("treatments", i))
        raise BadInput(
            problem.what,
            file=path,
            line=line,
            key=key,
            expected=problem.expected,
            nearest=problem.nearest,
            type_this=problem.type_this,
        ) from None


def _try_to_give(
    regimen: Regimen,
    table: ParameterTable,
    values: Mapping[str, float],
    horizon: float,
    path: Path,
    lines: Mapping[Path_, int],
) -> None:
    """Refuse absurd or overlapping doses now, before anything is simulated or written."""
    try:
        entries(regimen, table, values, horizon)
    except BadInput as problem:
        raise BadInput(
            problem.what,
            file=path,
            line=lines.get(("treatments",)),
            key=problem.key,
            expected=problem.expected,
            type_this=problem.type_this,
        ) from None


def _horizon(text: str, path: Path, lines: Mapping[Path_, int]) -> float:
    match = _HORIZON.match(text)
    hours = (
        float(match[1])
        * HOURS["min" if match[2] == "min" else {"h": "h", "d": "day", "w": "week"}[match[2][0].lower()]]
        if match
        else 0
    )
    if not match or not 1.0 <= hours <= LONGEST:
        raise BadInput(
            f"'{text}' is not a usable horizon",
            file=path,
            line=lines.get(("horizon",)),
            key="horizon",
            expected="between 1 h and 2 years, e.g. 28 days",
        )
    return hours


@dataclass(frozen=True)
class _Values:
    """Turns person, pathways, perturbations and parameters of a file into canonical numbers."""

    path: Path
    lines: Mapping[Path_, int]
    table: ParameterTable

    def all(self, parsed: ScenarioFile) -> dict[str, float]:
        values: dict[str, float] = {}
        for key, text in parsed.person.items():
            if text is not None:
                values[f"person.{key}"] = self._person(key, text)
        for key, on in parsed.pathways.items():
            self._known(f"pathway.{key}", ("pathways", key))
            values[f"pathway.{key}"] = float(on)
        for key, size in parsed.perturbations.items():
            self._known(f"perturbation.{key}", ("perturbations", key))
            values[f"perturbation.{key}"] = self._number(
                f"perturbation.{key}", size, ("perturbations", key), (0.0, 1.0)
            )
        for key, value in parsed.parameters.items():
            self._known(key, ("parameters", key))
            values[key] = self._number(key, value, ("parameters", key), (-math.inf, math.inf))
        return values

    def _person(self, key: str, text: float | str) -> float:
        name = f"person.{key}"
        self._known(name, ("person", key))
        return self._number(name, text, ("person", key), BOUNDS.get(key, (0.0, 2.0)))

    def _known(self, name: str, where: Path_) -> None:
        if name not in self.table:
            prefix = name.split(".")[0] + "."
            near = nearest(name, [n for n in self.table if where[0] == "parameters" or n.startswith(prefix)])
            shown = near.removeprefix(prefix) if near and where[0] != "parameters" else near
            raise UnknownName(
                f"there is no '{where[-1]}' in {where[0]}",
                file=self.path,
                line=self.lines.get(where),
                key=".".join(str(part) for part in where),
                expected="one of: "
                + ", ".join(sorted(n.removeprefix(prefix) for n in self.table if n.startswith(prefix)))
                if where[0] != "parameters"
                else "the full name of a parameter",
                nearest=shown,
            )

    def _number(self, name: str, given: float | str, where: Path_, bounds: tuple[float, float]) -> float:
        printed = self.table[name].unit
        try:
            value = self._canonical(given, printed)
        except (BadInput, ValueError):
            raise self._bad(
                f"'{given}' is not a quantity in {printed}", where, f"a number and a unit like {printed}"
            ) from None
        low, high = bounds
        if not math.isfinite(value) or not low <= value <= high:
            size = unit(printed).factor
            raise self._bad(
                f"'{given}' is out of range", where, f"between {low / size:g} and {high / size:g} {printed}"
            )
        return value

    @staticmethod
    def _canonical(given: float | str, printed: str) -> float:
        if isinstance(given, int | float):
            return float(given) * unit(printed).factor
        number, _, text = given.strip().partition(" ")
        asked = unit(text or printed)
        if not asked.same_kind(unit(printed)):
            raise BadInput("another kind of unit")
        return float(number) * asked.factor

    def _bad(self, what: str, where: Path_, expected: str) -> BadInput:
        key = ".".join(str(part) for part in where)
        return BadInput(what, file=self.path, line=self.lines.get(where), key=key, expected=expected)


def _complaint(problem: ValidationError, path: Path, lines: Mapping[Path_, int]) -> BadInput:
    """The first complaint of pydantic, in the words of this program."""
    error = min(problem.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = tuple(part for part in error["loc"] if part not in ("str", "Dose", "float", "function-after"))
    key = ".".join(str(part) for part in where)
    line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
    if error["type"] == "extra_forbidden":
        valid = list(ScenarioFile.model_fields if len(where) == 1 else Dose.model_fields)
        near = nearest(str(where[-1]), valid)
        return UnknownName(
            f"'{where[-1]}' is not a key of a scenario",
            file=path,
            line=line,
            key=key,
            expected=", ".join(valid),
            nearest=near,
        )
    if error["type"] == "missing":
        what, expected = f"'{where[-1]}' is missing", f"{where[-1]}: ..."
        return BadInput(what, file=path, line=line, key=key, expected=expected, type_this=f"{where[-1]}:")
    given = error.get("input")
    return BadInput(f"{given!r} cannot stand here", file=path, line=line, key=key, expected=error["msg"])
