"""Reads the parameter tables as named values with unit, spread, status and sources."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ketamech.core import InputError, closest_match, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.paths import DATA
from ketamech.evidence import Evidence, load_evidence
from ketamech.parameters.parameter import Parameter
from ketamech.parameters.parameter_table import ParameterTable
from ketamech.parameters.spread_text import parse_spread_text

DIRECTORY = DATA / "parameters"
COLUMNS = ("name", "value", "unit", "spread", "status", "evidence", "place", "why")
STATUSES = ("measured", "derived", "calibrated", "assumed")
_PREFIXES = {
    "pathways": "pathway",
    "perturbations": "perturbation",
}  # file names that differ from the prefix of their parameters
_THING = re.compile(r"^[a-z][a-z0-9_]*$")
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
    found: dict[str, Parameter] = {}
    for row in (row for file in files for row in read_table(file, COLUMNS)):
        parameter = parameter_of(row, known, _name(row))
        if parameter.name in found:
            first = found[parameter.name]
            what = f"'{parameter.name}' is already defined in {Path(first.file).name}:{first.line}"
            raise row.error("name", what, expected="each name once")
        found[parameter.name] = parameter
    return ParameterTable(found)


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
        locator=row.required("place", "where in the source, the arithmetic, or none for an assumed value"),
        reason=row.required("why", "one line"),
        file=str(row.file),
        line=row.line,
    )


def _name(row: CsvRow) -> str:
    name = row.required("name", "stage.thing")
    stem = _PREFIXES.get(row.file.stem, row.file.stem)
    prefix, _, thing = name.partition(".")
    if prefix != stem or not _THING.match(thing):
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
    ids = _expanded(row["evidence"], known)
    for name in ids:
        if name not in known.observations:
            near = closest_match(name, known.observations)
            raise row.error("evidence", f"no evidence row '{name}'", expected="ids of data/evidence/*.csv", near=near)
    if not ids and status != "assumed":
        expected = "ids of evidence rows joined by ';' (or status assumed)"
        raise row.error("evidence", f"a {status} value without evidence", expected=expected)
    held_back = [name for name in ids if known[name].use != "calibrate"]
    if status == "calibrated" and held_back:
        what = f"'{held_back[0]}' is for comparison only and cannot be used for calibration"
        raise row.error("evidence", what, expected="rows with use = calibrate")
    if status == "measured" and all(known[name].read_as == "recalled" for name in ids):
        what = "a measured value has only recalled evidence"
        raise row.error("status", what, expected="assumed (or a row that was read)", near="assumed")
    return ids


def _expanded(text: str, known: Evidence) -> tuple[str, ...]:
    """Evidence ids of a cell; `kamp20-a-*` stands for every id with that prefix."""
    ids: list[str] = []
    for part in (piece.strip() for piece in text.split(";") if piece.strip()):
        matches = [name for name in known.observations if name.startswith(part[:-1])] if part.endswith("*") else []
        ids += matches or [part]
    return tuple(ids)
