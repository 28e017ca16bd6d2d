"""Reads NONMEM-style tables of doses and observations into subjects with occasions.

Records of one subject act in the order of their rows, also at one time. A dose implied by ADDL acts before the rows of
its time. EVID 3 and 4, and SS 1, begin a new occasion: the subject returns to the drug-free baseline (SS: to the steady
state of that schedule), and pending doses are cancelled. SS 2 adds a schedule: from its TIME on the steady state is
that of all schedules together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ketamech.core import InputError, convert
from ketamech.core.atomic_files import read_text
from ketamech.dosing.dose_records import CMT_CODES
from ketamech.dosing.drugs import NO_ROUTE
from ketamech.exchange.nonmem.csv_cells import COLUMNS, CsvTable, DoseRow, cells_of, refuse_dates
from ketamech.exchange.nonmem.occasions import Occasion, occasions_of
from ketamech.parameters import HUMAN, ParameterTable, Species, load_species
from ketamech.simulation.parameter_overrides import bounds


@dataclass(frozen=True)
class DoseTableSubject:
    """One subject of a table: name, parameters that differ (canonical units), occasions in order.

    The parameters of an animal are those of its species and its covariates.
    """

    name: str
    values: dict[str, float]
    occasions: tuple[Occasion, ...]
    species: str = HUMAN


@dataclass(frozen=True)
class DoseTable:
    """A checked table, the assumptions of the reader (`notes`), and the columns as written in the file."""

    path: Path
    subjects: tuple[DoseTableSubject, ...]
    notes: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)


def read_doses(path: Path | str, parameters: ParameterTable, *, drug: str | None = None) -> DoseTable:
    """The subjects of a dose table; `drug`: the drug of doses without a column DRUG.

    Raises InputError with file, line and column for impossible doses and unsupported records.
    """
    return doses_in(read_text(Path(path), "a dose table"), path, parameters, drug=drug)


def doses_in(text: str, path: Path | str, parameters: ParameterTable, *, drug: str | None = None) -> DoseTable:
    """The same for the text of a table; `path` only names it in errors."""
    found = cells_of(text, Path(path))
    people = person_columns(found.columns, parameters)
    subjects: list[DoseTableSubject] = []
    for name, own in groupby(found.rows, key=lambda row: row.text("ID", "1")):
        records = list(own)
        if any(name == subject.name for subject in subjects):
            raise records[0].error(f"ID {name} comes back", "ID", "all records of one person together")
        refuse_dates(records)
        species = species_of(records)
        values = {**species.canonical, **person_values(records, people, parameters, species.name)}
        subjects.append(DoseTableSubject(name, values, occasions_of(records, drug), species.name))
    if not subjects:
        raise InputError("the table holds no record", file=path, line=1, expected="ID,TIME,AMT,... and records")
    return DoseTable(Path(path), tuple(subjects), tuple(_notes(found, people, drug)), found.columns)


def _notes(found: CsvTable, people: Mapping[str, str], drug: str | None) -> Iterable[str]:
    """Assumptions that were made."""
    if any("DRUG" not in row.cells and row.number("AMT") for row in found.rows):
        yield f"every dose without a drug of its own is {drug}"
    if "UNIT" not in found.columns:
        yield "AMT is in mg, TIME in hours"
    if found.commas:
        yield "numbers have a decimal comma"
    unused = [written for name, written in found.columns.items() if name not in (*COLUMNS, *people)]
    if unused:
        yield f"columns that are not used: {', '.join(unused)}"
    if any("ROUTE" not in row.cells and row.text("CMT")[:1].isdigit() for row in found.rows):
        numbers = ", ".join(f"{i} {route or NO_ROUTE}" for i, route in enumerate(CMT_CODES, 1))
        yield f"CMT by number is {numbers}"


def person_columns(header: Iterable[str], parameters: ParameterTable) -> dict[str, str]:
    """The person.* parameter of each column that has one."""
    found = {name: f"person.{name.lower()}" for name in header if name not in COLUMNS}
    return {name: parameter for name, parameter in found.items() if parameter in parameters}


def species_of(rows: Sequence[DoseRow]) -> Species:
    """The species of column SPECIES, human without one. Raises InputError for two species or an unknown one."""
    given = [row for row in rows if "SPECIES" in row.cells]
    try:
        found = load_species(given[0].text("SPECIES") if given else HUMAN)
    except InputError as problem:
        raise given[0].with_location(problem) from None
    changed = next((row for row in given if row.text("SPECIES") != given[0].text("SPECIES")), None)
    if changed is not None:
        raise changed.error("SPECIES changes", "SPECIES", "one species an ID")
    return found


def person_values(
    rows: Sequence[DoseRow], columns: Mapping[str, str], parameters: ParameterTable, species: str
) -> dict[str, float]:
    """Covariates of one subject in canonical units, from columns in the units of the parameter tables.

    Raises InputError for a value out of bounds, and for one that changes with time.
    """
    values = {}
    for column, name in columns.items():
        given = [row for row in rows if column in row.cells]
        if not given:
            continue
        value, row = parameters[name], given[0]
        changed = next((other for other in given if other.number(column) != row.number(column)), None)
        if changed is not None:
            what = f"{column} changes from {row.number(column):g} to {changed.number(column):g}"
            raise changed.error(what, column, "one value per subject; time-varying covariates are not supported")
        values[name] = convert(row.number(column), value.unit, value.canonical_unit)
        low, high = bounds(value, species)
        if not low <= values[name] <= high:
            lowest, highest = (convert(edge, value.canonical_unit, value.unit) for edge in (low, high))
            raise row.error(f"{column} of {row.number(column):g}", column, f"{lowest:g} to {highest:g} {value.unit}")
    return values
