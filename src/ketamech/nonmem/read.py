"""Reads NONMEM-style tables of doses and observations into subjects with occasions.

Records of one subject act in the order of their rows, also at one time. A dose implied by ADDL acts before the rows of
its time. EVID 3 and 4, and SS 1, begin a new occasion: the subject returns to the drug-free baseline (SS: to the steady
state of that schedule), and pending doses are cancelled. SS 2 adds a schedule: from its TIME on the steady state is
that of all schedules together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from pathlib import Path

from ketamech.core import InputError, UnknownNameError, convert
from ketamech.core.data_frames import DataFrame
from ketamech.core.errors import FRAME, misspelled
from ketamech.dosing.dose_records import cmt_text
from ketamech.nonmem.csv_cells import (
    COLUMNS,
    NOT_MISSPELLED,
    CsvTable,
    DoseRow,
    cells_of,
    cells_of_source,
    header_line,
    refuse_dates,
)
from ketamech.nonmem.occasions import Occasion, occasions_of
from ketamech.parameters import HUMAN, Parameter, ParameterTable, Species, load_species
from ketamech.simulation.parameter_overrides import bounds, named_values


@dataclass(frozen=True)
class DoseTableSubject:
    """One subject of a table: name, parameters that differ (canonical units), occasions in order.

    The parameters of an animal are those of its species and its covariates. Covariates of a later occasion that differ
    are in that occasion.
    """

    name: str
    values: dict[str, float]
    occasions: tuple[Occasion, ...]
    species: str = HUMAN

    def values_in(self, occasion: Occasion) -> dict[str, float]:
        """Parameters that differ from the table (canonical units) from the begin of one occasion."""
        return {**self.values, **occasion.values}


@dataclass(frozen=True)
class DoseTable:
    """A checked table, the assumptions of the reader (`notes`), and the columns as written in the file."""

    path: Path
    subjects: tuple[DoseTableSubject, ...]
    notes: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)


def read_doses(source: Path | str | DataFrame, parameters: ParameterTable, *, drug: str | None = None) -> DoseTable:
    """The subjects of a dose table, a file or a DataFrame; `drug`: the drug of doses without a column DRUG.

    Raises InputError with file, line and column for impossible doses and unsupported records.
    """
    table = cells_of_source(source, "a dose table")
    return _subjects_of(table, source if isinstance(source, str | Path) else FRAME, parameters, drug, None)


def doses_in(
    text: str, path: Path | str, parameters: ParameterTable, *, drug: str | None = None, route: str | None = None
) -> DoseTable:
    """The subjects of the text of a dose table; `path` is for errors. `route`: of a table without ROUTE and CMT."""
    return _subjects_of(cells_of(text, Path(path)), path, parameters, drug, route)


def _subjects_of(
    table: CsvTable, path: Path | str, parameters: ParameterTable, drug: str | None, route: str | None
) -> DoseTable:
    assumed: list[str] = []
    if route and not {"ROUTE", "CMT"} & table.columns.keys():
        table = replace(table, rows=[replace(row, cells={**row.cells, "ROUTE": route}) for row in table.rows])
        assumed.append(f"every dose is given by the route {route}")
    columns = person_columns(table.columns, parameters)
    subjects: list[DoseTableSubject] = []
    for name, group in groupby(table.rows, key=lambda row: row.text("ID", "1")):
        records = list(group)
        if any(name == subject.name for subject in subjects):
            raise records[0].error(f"ID {name} comes back", "ID", "all records of one person together")
        subjects.append(_subject(name, records, columns, parameters, drug, table.columns))
    if not subjects:
        raise InputError(
            "the table holds no record", file=path, line=header_line(path), expected="ID,TIME,AMT,... and records"
        )
    return DoseTable(Path(path), tuple(subjects), (*_notes(table, columns, drug, parameters), *assumed), table.columns)


def _subject(
    name: str, records: list[DoseRow], columns: Mapping[str, str], parameters: ParameterTable, drug: str | None,
    headers: Mapping[str, str],
) -> DoseTableSubject:  # fmt: skip
    refuse_dates(records)
    species = species_of(records)
    occasions: list[Occasion] = []
    values = dict(species.canonical)
    for i, occasion in enumerate(occasions_of(records, drug)):
        rows = sorted((*occasion.rows, *(observation.row for observation in occasion.every)), key=lambda row: row.line)
        own, changes = person_values(rows, occasion.begin, columns, parameters, species.name, headers)
        values |= {} if i else own
        changed_values = {key: value for key, value in own.items() if values.get(key) != value}
        occasions.append(replace(occasion, values=changed_values, changes=changes))
    return DoseTableSubject(name, values, tuple(occasions), species.name)


def _notes(table: CsvTable, columns: Mapping[str, str], drug: str | None, parameters: ParameterTable) -> Iterable[str]:
    """Assumptions that were made."""
    if any("DRUG" not in row.cells and row.number("AMT") for row in table.rows):
        yield f"every dose without a drug of its own is {drug}"
    if "UNIT" not in table.columns:
        yield "AMT is in mg, TIME in hours"
    if table.commas:
        yield "numbers have a decimal comma"
    unused = {name: column for name, column in table.columns.items() if name not in (*COLUMNS, *columns)}
    if unused:
        yield f"columns that are not used: {', '.join(unused.values())}"
    yield from suspicions(table, (*COLUMNS, *columns), parameters)
    if any("ROUTE" not in row.cells and row.text("CMT")[:1].isdigit() for row in table.rows):
        yield f"CMT by number is {cmt_text()}"


def suspicions(table: CsvTable, used: Collection[str], parameters: ParameterTable) -> Iterable[str]:
    """Notes on columns that resemble a parameter, and on identical consecutive doses.

    Raises UnknownNameError for a column that is not `used` and resembles one that is.
    """
    for name, column in table.columns.items():
        if name in used or name in NOT_MISSPELLED:
            continue
        if "." in name:  # the name of a parameter, or of an output that a simulation wrote
            if (closest_name := misspelled(name, parameters)) is not None:
                yield f"the column {column} is not used; a parameter is called {closest_name}"
            continue
        closest_name = misspelled(name, used)
        if closest_name is not None and closest_name not in table.columns:
            file, message = table.rows[0].file if table.rows else None, f"the column {column} is not known"
            expected = "the name of a column that is used, or a table without this column"
            raise UnknownNameError(message, file=file, key=column, expected=expected, nearest=closest_name)
    for previous, row in pairwise(table.rows):
        if row.cells == previous.cells and row.number("AMT"):
            yield f"{previous.places(row)} are the same dose, which is given twice"


def person_columns(header: Iterable[str], parameters: ParameterTable) -> dict[str, str]:
    """The parameter of each column that is named after one: in full, or without the stage for person.*."""
    names = [name for name in header if name not in COLUMNS]
    parameter_by_column = {name: name.lower() if "." in name else f"person.{name.lower()}" for name in names}
    return {name: parameter for name, parameter in parameter_by_column.items() if parameter in parameters}


def species_of(rows: Sequence[DoseRow]) -> Species:
    """The species of column SPECIES, human without one. Raises InputError for two species or an unknown one."""
    named = [row for row in rows if "SPECIES" in row.cells]
    try:
        species = load_species(named[0].text("SPECIES") if named else HUMAN)
    except InputError as problem:
        raise named[0].with_location(problem) from None
    changed = next((row for row in named if row.text("SPECIES") != named[0].text("SPECIES")), None)
    if changed is not None:
        raise changed.error("SPECIES changes", "SPECIES", "one species an ID")
    return species


def person_values(
    rows: Sequence[DoseRow], begin: float, columns: Mapping[str, str], parameters: ParameterTable, species: str,
    headers: Mapping[str, str],
) -> tuple[dict[str, float], tuple[tuple[float, dict[str, float]], ...]]:  # fmt: skip
    """Covariates and other parameters of one occasion of a subject, from columns in the units of the parameter tables.

    In canonical units: the values from the begin (TIME `begin`), and changes as (h from the begin, values). A value
    holds from its record to the next one. `headers` are the names of the columns in the file. Raises InputError for a
    value out of bounds.
    """
    values: dict[str, float] = {}
    changes: dict[float, dict[str, float]] = {}
    for column, name in columns.items():
        current: float | None = None
        for row in (row for row in rows if column in row.cells):
            value, hour = _checked_value(row, column, parameters[name], species, headers[column]), row.number("TIME")
            if current is None or hour <= begin:
                values[name] = value
            elif value != current:
                changes.setdefault(hour - begin, {})[name] = value
            current = value
    return values, tuple(sorted(changes.items()))


def _checked_value(row: DoseRow, column: str, parameter: Parameter, species: str, column_name: str) -> float:
    """The canonical value of a parameter in a record. Raises InputError for one out of bounds."""
    number = row.number(column, written=column_name, named=named_values().get(parameter.name))
    value = convert(number, parameter.unit, parameter.canonical_unit)
    low, high = bounds(parameter, species)
    if not low <= value <= high:
        lowest, highest = (convert(bound, parameter.canonical_unit, parameter.unit) for bound in (low, high))
        unit = "" if parameter.unit == "1" else f" {parameter.unit}"
        raise row.error(f"{column_name} of {number:g}", column_name, f"{lowest:g} to {highest:g}{unit}")
    return value
