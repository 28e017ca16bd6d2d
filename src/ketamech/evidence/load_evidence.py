"""Read the evidence tables: checked, citable observations with canonical units and times in hours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ketamech.core import InputError, closest_match, convert, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.units import DAY, HOURS_PER_UNIT, WEEK, format_dimensions
from ketamech.evidence.evidence import Evidence, Reference, read_references
from ketamech.evidence.observation import Observation, Spread, parse_spread

# Counts, statistics and logarithmic scales: plain numbers, not converted.
DIMENSIONLESS_TERMS = (
    *("1", "dimensionless", "fraction", "ratio", "fold", "flag", "pH", "log units", "decibel"),
    *("patients", "participants", "studies", "cytokines of 19"),
    *("correlation", "Pearson r", "R", "p value", "odds ratio", "relative risk", "hazard ratio"),
    *("SMD", "Cohen's d", "Hedges' g", "effect size", "effect sizes"),
    *("sign of change", "sign of change in rate", "sign of effect"),
)
# Text that stands for a unit.
PUBLISHED_UNITS = {
    "percent dF/F": "percent",
    "percentage points": "percent",
    "percent (upper)": "percent",
    "mm on 100 mm VAS": "points",
    "NRS 0-10": "points",
    "per second": "1/s",
    "per molar per second": "1/(molar*s)",
    "mg/h per 70 kg": "mg/h",
    "mg morphine equivalent": "mg",
}
_YES_NO_CODE = re.compile(r"^[01] = ")  # such as "0 = abolished, 1 = intact": a yes-or-no code, not converted
_PERCENT = re.compile(r"^percent (of|change)\b")
_POINTS = re.compile(r"^\S+ points$")
_DOSE_BY_WEIGHT = re.compile(r"^([mu]?g)(/kg.*)$")


def parse_published_unit(published: str) -> str:
    """The unit of a published unit text, as text that `core.unit` can parse ("1" for plain numbers)."""
    if published in DIMENSIONLESS_TERMS or _YES_NO_CODE.match(published):
        return "1"
    if published in PUBLISHED_UNITS:
        return PUBLISHED_UNITS[published]
    if _PERCENT.match(published):
        return "percent"
    return "points" if _POINTS.match(published) else published


@cache
def canonical_unit(published: str, molar_mass: float | None = None) -> tuple[float, str]:
    """Factor and canonical unit of a published unit; with `molar_mass` (g/mol) a mass of drug becomes umol.

    Raises InputError, naming the nearest known unit, when the text is not a unit.
    """
    text = parse_published_unit(published)
    if molar_mass is not None and (match := _DOSE_BY_WEIGHT.match(text)):
        factor, rest = unit(f"1{match[2]}").factor, unit(f"1{match[2]}").dims
        return factor * convert(
            1.0, match[1], "umol", molar_mass=molar_mass
        ), f"umol{format_dimensions(rest).removeprefix('1')}"
    try:
        parsed = unit(text)
    except InputError as error:
        known_units = (*DIMENSIONLESS_TERMS, *PUBLISHED_UNITS, "ng/mL", "umol/L", "L/h", "percent", "points")
        raise InputError(error.what, expected=error.expected, nearest=closest_match(published, known_units)) from error
    dims = dict(parsed.dims)
    if molar_mass is not None and dims.get("kg") == 1 and "umol" not in dims:
        dims["umol"] = dims.pop("kg")
        target_unit = format_dimensions(tuple(sorted(dims.items())))
        return convert(1.0, text, target_unit, molar_mass=molar_mass), target_unit
    return parsed.factor, format_dimensions(parsed.dims)


_ANALYTES = (
    ("dehydronorketamine", re.compile(r"dehydronorketamine|DHNK")),
    ("hydroxynorketamine", re.compile(r"hydroxynorketamine|HNK")),
    ("norketamine", re.compile(r"nor(?:es)?ketamine|\bNK\b")),
    ("ketamine", re.compile(r"ketamine")),
)
_DRUG_QUANTITY = re.compile(r"plasma|Cmax|AUC|C50|concentration|dose|infusion rate|maintenance rate|linear range")


@cache
def analyte(quantity: str, drug: str) -> str | None:
    """The ketamine-family substance that a quantity measures, or None (a cytokine, a rating, another drug)."""
    for name, pattern in _ANALYTES:
        if pattern.search(quantity):
            return name
    if not _DRUG_QUANTITY.search(quantity):
        return None
    return next((name for name, pattern in _ANALYTES if pattern.search(drug)), None)


_WORDS = "|".join(sorted(HOURS_PER_UNIT, key=len, reverse=True))
_LABELS = "|".join(word for word, size in HOURS_PER_UNIT.items() if size in (DAY, WEEK) and len(word) > 2)
_SPAN = re.compile(rf"\d ?(?:{_WORDS})? ?(?:-|to|and) ?\d|\b(?:within|up to|first|off|any)\b")
_AMOUNT = re.compile(rf"(\d+(?:\.\d+)?) ?({_WORDS})\b")
_NAMED = re.compile(rf"\b({_LABELS}) (\d+)\b")


@cache
def time_hours(text: str) -> float | None:
    """Hours after the dose, or None when the text is empty, a span, or not a time.

    "day 1" is read as one day after the dose. Text in brackets counts only when the text outside names no time.
    """
    normalised = " ".join(text.split())  # single blanks only, for the patterns
    outside = re.sub(r"\([^()]*\)", "", normalised)
    if _SPAN.search(outside):
        return None
    inside = " ".join(re.findall(r"\(([^()]*)\)", normalised))
    return _single_time(outside) if _single_time(outside) is not None else _single_time_in_bracket(inside)


def _single_time_in_bracket(text: str) -> float | None:
    return None if _SPAN.search(text) else _single_time(text)


def _single_time(text: str) -> float | None:
    if match := _NAMED.search(text):
        return HOURS_PER_UNIT[match[1]] * float(match[2])
    if match := _AMOUNT.search(text):
        return float(match[1]) * HOURS_PER_UNIT[match[2]]
    return None


DIRECTORY = DATA / "evidence"
TABLES = ("pk", "mechanism", "clinical")
READING_SOURCES = {"3": "source", "2": "transcription", "1": "recalled"}
USES = ("calibrate", "context")
COLUMNS = (
    *("id", "stage", "quantity", "species", "population", "n", "drug", "dose", "route", "time", "value", "unit"),
    *("spread", "comparator", "reference", "locator", "source_location", "confidence", "reading_source"),
    *("duplicate_of", "derived_from", "trial", "notes", "use"),
)
OPTIONAL_COLUMNS = ("derived_from", "trial")
_ID = re.compile(r"^[a-z0-9][a-z0-9.+-]*$")


def load_evidence(directory: str | Path | None = None) -> Evidence:
    """Read pk.csv, mechanism.csv, clinical.csv and references.json of a folder (default: the shipped ones, read once).

    Raises InputError naming file, line and column of the first invalid cell.
    """
    return _shipped() if directory is None else _read(Path(directory))


def evidence_id(row: CsvRow, known: Evidence) -> str:
    """The id in the column `evidence` of another table. Raises InputError for an id that no evidence row has."""
    return row.known("evidence", known.observations, "an id of data/evidence/*.csv")


def evidence_ids(row: CsvRow, known: Evidence) -> tuple[str, ...]:
    """The ids, joined by ';', in the column `evidence` of another table. Raises InputError as `evidence_id` does."""
    expected, what = "ids of data/evidence", "no evidence row"
    return tuple(
        row.known("evidence", known.observations, expected, name=name, what=what) for name in row.listed("evidence")
    )


@cache
def _shipped() -> Evidence:
    return _read(DIRECTORY)


def _read(folder: Path) -> Evidence:
    references = read_references(folder / "references.json")
    rows = [(table, row) for table in TABLES for row in read_table(folder / f"{table}.csv", COLUMNS, OPTIONAL_COLUMNS)]
    _check_ids(row for _, row in rows)
    masses = _molar_masses(row for _, row in rows)
    observations = {row["id"]: _observation(table, row, references, masses) for table, row in rows}
    _check_relations(row for _, row in rows)
    return Evidence(observations, references)


def _check_ids(rows: Iterable[CsvRow]) -> None:
    first: dict[str, CsvRow] = {}
    for row in rows:
        name = row.required("id", "a unique id such as perez-ka")
        if not _ID.match(name):
            raise row.error("id", f"'{name}' is not an id", expected="lower-case letters, digits and hyphens")
        if name in first:
            where = f"{first[name].file.name}:{first[name].line}"
            raise row.error("id", f"'{name}' is already used in {where}", expected="each id once")
        first[name] = row


def _check_relations(rows: Iterable[CsvRow]) -> None:
    """Rows named in duplicate_of and derived_from exist, and are other rows."""
    listed = list(rows)
    ids = {row["id"] for row in listed}
    for row in listed:
        named = [("duplicate_of", row["duplicate_of"])] if row["duplicate_of"] else []
        for column, name in named + [("derived_from", name) for name in row.listed("derived_from")]:
            row.known(column, ids - {row["id"]}, "the id of another row", name=name, what="no other row")


def _molar_masses(rows: Iterable[CsvRow]) -> dict[str, float]:
    """g/mol of ketamine and its metabolites, from rows of the tables."""
    return {row["drug"]: row.number("value") for row in rows if row["unit"] == "g/mol"}


def _observation(table: str, row: CsvRow, references: dict[str, Reference], masses: dict[str, float]) -> Observation:
    for column in ("stage", "quantity", "species"):
        row.required(column, "text")
    value = row.number("value")
    factor, target = _unit(row, masses)
    computed_cells = {
        "table": table,
        "line": row.line,
        "value": value,
        "factor": factor,
        "canonical_value": value * factor,
        "canonical_unit": target,
        "spread": _spread(row, value),
        "n": int(row["n"]) if row["n"].isascii() and row["n"].isdigit() else None,
        "n_text": row["n"],
        "time_h": time_hours(row["time"]),
        "reference": row.known("reference", references, "a key of references.json", what="no reference"),
        "confidence": int(row.one_of("confidence", READING_SOURCES)),
        "reading_source": _reading_source(row),
        "derived_from": row.listed("derived_from"),
        "trial": row["trial"] or row["reference"],
        "use": row.one_of("use", USES),
    }
    return Observation(**{**row.cells, **computed_cells})  # type: ignore[arg-type]


def _spread(row: CsvRow, value: float) -> Spread:
    spread = parse_spread(row["spread"], value)
    if spread.low is not None and spread.high is not None and not spread.low <= value <= spread.high:
        what = f"'{row['spread']}' does not contain the value {value:g}"
        raise row.error("spread", what, expected="the interval of this value (put that of another number into notes)")
    return spread


def _unit(row: CsvRow, masses: dict[str, float]) -> tuple[float, str]:
    unit_text = row.required("unit", "a unit such as ng/mL, percent, points or '1 = yes'")
    substance = analyte(row["quantity"], row["drug"])
    try:
        return canonical_unit(unit_text, masses.get(substance) if substance else None)
    except InputError as error:
        raise row.error("unit", error.what, expected=error.expected or "a unit", near=error.nearest) from error


def _reading_source(row: CsvRow) -> str:
    """How the row was read; it must agree with the confidence, so that a recalled row stays marked."""
    reading_source, expected_value = (
        row.one_of("reading_source", READING_SOURCES.values()),
        READING_SOURCES[row["confidence"]],
    )
    if reading_source != expected_value or (row["source_location"] == "recalled" and reading_source != "recalled"):
        correct = "recalled" if row["source_location"] == "recalled" else expected_value
        what = f"'{reading_source}' contradicts confidence {row['confidence']}, seen at '{row['source_location']}'"
        raise row.error("reading_source", what, expected=correct, near=correct)
    return reading_source
