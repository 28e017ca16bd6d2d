"""Named values with unit, spread, status and source, read from the parameter tables.

The spread column is `lognormal 0.3`, `normal 0.1`, `uniform 0.5 2` or `fixed`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.core import InputError, UnknownNameError, closest_match, convert, unit
from ketamech.core.csv_table import CsvRow, parts, read_table
from ketamech.core.environment import DATA
from ketamech.core.units import format_dimensions
from ketamech.evidence import Evidence, load_evidence

if TYPE_CHECKING:
    import pandas as pd


_NUMBER_AND_UNIT = re.compile(r"^([-+]?[\d.]+(?:[eE][-+]?\d+)?|)(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Distribution:
    """Uncertainty or variability of a value.

    kind lognormal: `a` = SD of the logarithm. normal: `a` = SD in the row's unit. uniform: from `a` to `b` in the
    row's unit. fixed: a definition, a switch or a constant.
    """

    kind: str
    a: float | None = None
    b: float | None = None


Bounds = tuple[float, float]
SWITCHES = ("person", "pathway", "perturbation")  # 0 to 1 unless the row or a lognormal spread says otherwise
BOUND_SDS = 4.0  # a lognormal value of a person may be this many SD of the logarithm above that of the table


@dataclass(frozen=True)
class Parameter:
    """A named value in the unit of its source, with its location (`file`, `line` of the table).

    `row_bounds`: lowest and highest value in the unit of the table, where its row states them.

    status: measured (read from a source) | derived (arithmetic on published numbers) | calibrated (fitted to rows) |
    assumed | set (given by the user in place of the table's value).
    """

    name: str
    value: float
    unit: str
    spread: Distribution
    status: str
    evidence: tuple[str, ...]
    locator: str
    reason: str
    file: str
    line: int
    row_bounds: Bounds | None = None

    @property
    def canonical(self) -> float:
        """The value in canonical units (hours, litres, micromoles, kilograms)."""
        return self.value * unit(self.unit).factor

    @property
    def canonical_unit(self) -> str:
        """The canonical unit, e.g. L/h for a value published in mL/min."""
        return format_dimensions(unit(self.unit).dims)

    @property
    def bounds(self) -> Bounds:
        """Lowest and highest value (canonical units) that a user may give, in a human."""
        if self.row_bounds is not None:
            low, high = (edge * unit(self.unit).factor for edge in self.row_bounds)
            return low, high
        stage, is_ratio = self.name.split(".")[0], self.spread.kind == "lognormal"
        if stage == "person" and is_ratio:
            return 0.0, self.canonical * math.exp(BOUND_SDS * (self.spread.a or 0.0))
        if stage in SWITCHES:
            return 0.0, 1.0
        if stage == "drug":
            return math.ulp(0.0), math.inf
        return (0.0 if is_ratio else -math.inf), math.inf

    @property
    def is_fraction(self) -> bool:
        """Whether the row states that the value is a fraction: drawn values are limited to 1, fits use the logit."""
        return self.row_bounds == (0.0, 1.0)

    def range_text(self, low: float, high: float) -> str:
        """The range of two bounds (canonical units) as text in the unit of the table."""
        size, words = unit(self.unit).factor, "" if self.unit == "1" else f" {self.unit}"
        if math.isinf(high):
            return "more than 0" if low > 0 else "0 or more"
        return f"between {low / size:.4g} and {high / size:.4g}{words}"

    def with_value(self, new_value: float | str) -> Parameter:
        """This parameter with a number in the unit of its table, or with text with a unit such as "30 mL/min".

        Raises InputError when the text is not a number with a unit of the same kind, and for a value out of bounds.
        """
        value = self._from_text(new_value) if isinstance(new_value, str) else float(new_value)
        if not math.isfinite(value):
            raise InputError(f"{self.name} cannot be {new_value}", expected="a finite number")
        changed, (low, high) = replace(self, value=value, status="set"), self.bounds
        if not low <= changed.canonical <= high:
            unit_text = "" if isinstance(new_value, str) or self.unit == "1" else f" {self.unit}"
            what = f"{self.name} cannot be {new_value}{unit_text}"
            raise InputError(what, key=self.name, expected=self.range_text(low, high))
        return changed

    def with_canonical(self, value: float) -> Parameter:
        """This parameter with a number in canonical units, which is not checked."""
        return replace(self, value=float(value) / unit(self.unit).factor, status="set")

    def _from_text(self, text: str) -> float:
        number, unit_text = _NUMBER_AND_UNIT.match(text.strip()).groups()  # type: ignore[union-attr]  # always matches
        try:
            return convert(float(number), unit_text.strip() or self.unit, self.unit)
        except (ValueError, InputError) as error:
            expected = f"a number and a unit of the kind {self.unit}"
            example = f'"{self.value:g} {self.unit}"'
            raise InputError(f"{self.name} cannot be '{text}'", expected=expected, type_this=example) from error


SPREAD_FORMS = "lognormal SD-of-log | normal SD | uniform low high | fixed"
_NUMBERS = {"lognormal": 1, "normal": 1, "uniform": 2, "fixed": 0}


def parse_spread_text(row: CsvRow, value: float) -> Distribution:
    """The distribution of a row whose value is `value`; raises InputError."""
    kind, *texts = row.required("spread", SPREAD_FORMS).split()
    row.known("spread", _NUMBERS, SPREAD_FORMS, name=kind, what="no kind of spread")
    numbers = _numbers(row, texts)
    if len(numbers) != _NUMBERS[kind]:
        raise row.error("spread", f"'{row['spread']}' has {len(numbers)} numbers", expected=SPREAD_FORMS)
    if problem := _problem(kind, numbers, value):
        raise row.error("spread", f"'{row['spread']}' is invalid: {problem}", expected=SPREAD_FORMS)
    return Distribution(kind, *numbers)


def _numbers(row: CsvRow, texts: list[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError as problem:
        what = f"'{row['spread']}' contains something that is not a number"
        raise row.error("spread", what, expected=SPREAD_FORMS) from problem


def _problem(kind: str, numbers: list[float], value: float) -> str:
    if any(number - number != 0 for number in numbers):
        return "numbers must be finite"
    if kind in ("lognormal", "normal") and numbers[0] <= 0:
        return "the SD must be above 0"
    if kind == "lognormal" and value <= 0:
        return "a lognormal value must be above 0"
    if kind == "uniform" and not numbers[0] <= value <= numbers[1]:
        return f"the value {value:g} is outside"
    return "low and high are equal" if kind == "uniform" and numbers[0] == numbers[1] else ""


@dataclass(frozen=True)
class ParameterTable(Mapping[str, Parameter]):
    """A read-only mapping from name (`stage.quantity`) to Parameter; a change returns another table."""

    rows: Mapping[str, Parameter]

    def __getitem__(self, name: str) -> Parameter:
        if name not in self.rows:
            near = closest_match(name, self.rows)
            raise UnknownNameError(f"no parameter '{name}'", expected="a name of data/parameters/*.csv", nearest=near)
        return self.rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<ParameterTable: {len(self)} parameters; .table() shows them>"

    def get(self, name: str, default: Parameter | None = None) -> Parameter | None:  # type: ignore[override]
        """The parameter, or `default`."""
        return self.rows.get(name, default)

    def stage(self, name: str) -> ParameterTable:
        """The parameters of one stage (or of person, pathway, perturbation)."""
        return ParameterTable({key: row for key, row in self.rows.items() if key.split(".")[0] == name})

    def share_of(self, status: str) -> float:
        """Share of the parameters that have a status, e.g. assumed."""
        return sum(row.status == status for row in self.rows.values()) / max(1, len(self.rows))

    def with_values(self, values: Mapping[str, float | str]) -> ParameterTable:
        """A table with some values set: numbers are in the unit of the table, text has its own ("30 mL/min").

        Raises UnknownNameError for a name that does not exist and InputError for a value that does not fit.
        """
        return ParameterTable({**self.rows, **{name: self[name].with_value(value) for name, value in values.items()}})

    def with_canonical_values(self, values: Mapping[str, float]) -> ParameterTable:
        """A table with some values set, in canonical units; for values that were checked before."""
        return ParameterTable({**self.rows, **{name: self[name].with_canonical(v) for name, v in values.items()}})

    def table(self) -> pd.DataFrame:
        """One line per parameter, with its canonical value and unit and its sources joined by ';'."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows.values()]).set_index("name", drop=False)


def _flat(row: Parameter) -> dict[str, object]:
    return {
        "name": row.name,
        "value": row.value,
        "unit": row.unit,
        "canonical": row.canonical,
        "canonical_unit": row.canonical_unit,
        "spread": row.spread.kind,
        "spread_a": row.spread.a,
        "spread_b": row.spread.b,
        "status": row.status,
        "evidence": ";".join(row.evidence),
        "locator": row.locator,
        "reason": row.reason,
        "file": Path(row.file).name,
        "line": row.line,
    }


DIRECTORY = DATA / "parameters"
OPTIONAL_COLUMNS = ("bounds",)
COLUMNS = ("name", "value", "unit", "spread", "status", "evidence", "locator", "reason", *OPTIONAL_COLUMNS)
STATUSES = ("measured", "derived", "calibrated", "assumed")
_PREFIXES = {
    "pathways": "pathway",
    "perturbations": "perturbation",
}  # file names that differ from the prefix of their parameters
_NAME_PATTERN = re.compile(r"^[a-z][a-z0-9_]*$")
_COMMON_UNITS = (
    "1",
    "percent",
    "h",
    "min",
    "day",
    "1/h",
    "1/min",
    "L",
    "L/h",
    "umol/L",
    "ng/mL",
    "kg",
    "points",
    "mmHg",
)


def load_parameters(directory: str | Path | None = None, evidence: Evidence | None = None) -> ParameterTable:
    """Read every CSV table of a folder, or one CSV file (default: the shipped tables, read once); sources are checked.

    Raises InputError naming file, line and column of the first invalid cell.
    """
    if directory is None and evidence is None:
        return _shipped()
    return _read(DIRECTORY if directory is None else Path(directory), load_evidence() if evidence is None else evidence)


@cache
def _shipped() -> ParameterTable:
    return _read(DIRECTORY, load_evidence())


def _read(place: Path, known: Evidence) -> ParameterTable:
    files = [place] if place.is_file() else sorted(place.glob("*.csv"))
    if not files:
        raise InputError("no parameter tables here", file=place, expected="CSV files, one per stage")
    parameters: dict[str, Parameter] = {}
    for row in (row for file in files for row in read_table(file, COLUMNS, OPTIONAL_COLUMNS)):
        parameter = parameter_of(row, known, _name(row))
        if parameter.name in parameters:
            first = parameters[parameter.name]
            what = f"'{parameter.name}' is already defined in {Path(first.file).name}:{first.line}"
            raise row.error("name", what, expected="each name once")
        parameters[parameter.name] = parameter
    return ParameterTable(parameters)


def parameter_of(row: CsvRow, known: Evidence, name: str) -> Parameter:
    """The parameter of one row of a table, under a name that has been checked. Raises InputError."""
    value = row.number("value")
    status = row.one_of("status", STATUSES)
    return Parameter(
        name=name,
        value=value,
        unit=_unit(row),
        spread=parse_spread_text(row, value),
        status=status,
        evidence=_evidence(row, status, known),
        locator=row.required("locator", "where in the source, the arithmetic, or none for an assumed value"),
        reason=row.required("reason", "one line"),
        file=str(row.file),
        line=row.line,
        row_bounds=_bounds(row, value),
    )


def _bounds(row: CsvRow, value: float) -> Bounds | None:
    """The bounds of a row ("0 1"), which must contain its value; None for an empty cell. Raises InputError."""
    if not row["bounds"]:
        return None
    expected = "the lowest and the highest value in the unit of the row, e.g. 0 1"
    try:
        low, high = (float(text) for text in row["bounds"].split())
    except ValueError as problem:
        raise row.error("bounds", f"'{row['bounds']}' is not two numbers", expected=expected) from problem
    if not low <= value <= high or low == high:
        raise row.error("bounds", f"the value {value:g} is not within '{row['bounds']}'", expected=expected)
    return low, high


def _name(row: CsvRow) -> str:
    name = row.required("name", "stage.thing")
    stem = _PREFIXES.get(row.file.stem, row.file.stem)
    prefix, _, thing = name.partition(".")
    own_switch = name == f"pathway.{stem}"  # the table of a stage may hold the switch of its pathway
    if not own_switch and (prefix != stem or not _NAME_PATTERN.match(thing)):
        what = f"'{name}' does not belong in {row.file.name}"
        expected = f"{stem}.thing in lower-case words joined by underscores"
        near = f"{stem}.{re.sub(r'[^a-z0-9]+', '_', (thing or prefix).lower()).strip('_')}"
        raise row.error("name", what, expected=expected, near=near)
    return name


def _unit(row: CsvRow) -> str:
    text = row.required("unit", "a unit such as L/h, or 1 for a pure number")
    try:
        unit(text)
    except InputError as problem:
        near = closest_match(text, _COMMON_UNITS)
        raise row.error("unit", problem.what, expected=problem.expected or "a unit", near=near) from problem
    return text


def _evidence(row: CsvRow, status: str, known: Evidence) -> tuple[str, ...]:
    """Evidence ids of a value, checked: they exist, and their use and reading fit the status."""
    ids = expanded_ids(row["evidence"], known)
    for name in ids:
        row.known("evidence", known.observations, "ids of data/evidence/*.csv", name=name, what="no evidence row")
    if not ids and status != "assumed":
        expected = "ids of evidence rows joined by ';' (or status assumed)"
        raise row.error("evidence", f"a {status} value without evidence", expected=expected)
    held_back = [name for name in ids if known[name].use != "calibrate" and known[name].has_public_source]
    if status == "calibrated" and held_back:
        what = f"'{held_back[0]}' is for comparison only and cannot be used for calibration"
        raise row.error("evidence", what, expected="rows with use = calibrate")
    if status in ("measured", "calibrated") and not any(known[name].has_public_source for name in ids):
        what = f"a {status} value has only evidence without an address that can be opened"
        raise row.error("status", what, expected="assumed (or a row with a public address)", near="assumed")
    return ids


def expanded_ids(text: str, known: Evidence) -> tuple[str, ...]:
    """Evidence ids of a cell; `kamp20-a-*` stands for every id with that prefix."""
    ids: list[str] = []
    for part in parts(text):
        ids += (known.with_prefix(part[:-1]) if part.endswith("*") else []) or [part]
    return tuple(ids)
