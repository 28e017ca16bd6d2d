"""Strict CSV reader: every error names file, line and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ketamech.core import InputError, closest_match
from ketamech.core.atomic_files import AS_TEXT
from ketamech.core.environment import DATA
from ketamech.core.errors import warn_renamed

RENAMED_COLUMNS = DATA / "renamed" / "columns.csv"


def parts(text: str, separator: str = ";") -> tuple[str, ...]:
    """The parts of a text that are joined by `separator`, without blanks around them; empty ones are left out."""
    return tuple(part.strip() for part in text.split(separator) if part.strip())


@dataclass(frozen=True)
class CsvRow:
    """One record of a table: cells by column, and its first line (the header is line 1)."""

    file: Path
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def error(self, column: str, what: str, *, expected: str, near: str | None = None) -> InputError:
        """An error about one cell."""
        where = f"column '{column}'"
        return InputError(what, file=self.file, line=self.line, key=where, expected=expected, nearest=near)

    def required(self, column: str, expected: str) -> str:
        """The text of a cell; raises InputError when empty."""
        if not self.cells[column]:
            raise self.error(column, "the cell is empty", expected=expected)
        return self.cells[column]

    def number(self, column: str) -> float:
        """The cell as a finite number; raises InputError otherwise."""
        text = self.required(column, "a number")
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if "_" in text or value - value != 0:  # also refuses nan and inf
            raise self.error(column, f"'{text}' is not a number", expected="a finite number such as 0.71")
        return value

    def number_or(self, column: str, default: float) -> float:
        """The cell as a finite number, or `default` where it is empty; raises InputError."""
        return self.number(column) if self.cells[column] else default

    def is_yes(self, column: str) -> bool:
        """Whether the cell is "yes" rather than "no"; raises InputError for another text."""
        return self.one_of(column, ("yes", "no")) == "yes"

    def listed(self, column: str) -> tuple[str, ...]:
        """The parts of a cell that are joined by ';'."""
        return parts(self.cells[column])

    def settings(self, column: str, known: Collection[str] | None = None) -> dict[str, float]:
        """{name: number} of a cell "name=number; name=number". Raises InputError, also for a name not in `known`."""
        settings = {}
        for part in self.listed(column):
            name, _, number = part.partition("=")
            try:
                settings[name.strip()] = float(number)
            except ValueError as problem:
                raise self.error(column, f"cannot read '{part}'", expected="stage.thing=number") from problem
        for name in settings if known is not None else ():
            self.known(column, known or (), "stage.thing=number", name=name, what="no parameter")
        return settings

    def known(
        self, column: str, choices: Collection[str], expected: str, *, name: str | None = None, what: str = "no"
    ) -> str:
        """The name in a cell (or `name`, a part of it), which must be one of `choices`; raises InputError."""
        value = self.required(column, expected) if name is None else name
        if value not in choices:
            raise self.error(column, f"{what} '{value}'", expected=expected, near=closest_match(value, choices))
        return value

    def one_of(self, column: str, choices: Iterable[str]) -> str:
        """The cell, which must be one of `choices`; raises InputError otherwise."""
        pool = list(choices)
        if self.cells[column] not in pool:
            near = closest_match(self.cells[column], pool)
            raise self.error(column, f"'{self.cells[column]}' is unknown", expected=" | ".join(pool), near=near)
        return self.cells[column]


def read_table(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[CsvRow]:
    """The records of a UTF-8 CSV file whose header must be exactly `columns`; raises InputError.

    Columns named in `optional` may be missing; their cells are then empty. A column under its name before a renaming
    (data/renamed/columns.csv) is accepted with one warning.
    """
    records = _records(path, _text(path))
    if not records or not records[0][1]:
        raise InputError("the table is empty", file=path, line=1, expected=f"a header: {','.join(columns)}")
    header = _with_current_columns(records[0][1], columns)
    present = [column for column in columns if column in header or column not in optional]
    _check_header(path, header, present)
    blank = dict.fromkeys(columns, "")
    return [_row(path, line, cells, present, blank) for line, cells in records[1:] if cells]


def rows_by(rows: Iterable[CsvRow], column: str, expected: str) -> dict[str, CsvRow]:
    """Rows by the text of a column; raises InputError for an empty or repeated one."""
    keyed: dict[str, CsvRow] = {}
    for row in rows:
        name = row.required(column, expected)
        if name in keyed:
            raise row.error(column, f"'{name}' is already used", expected="each name once")
        keyed[name] = row
    return keyed


CONSTANT_COLUMNS = ("name", "value", "unit", "status", "why")


@cache
def read_constants(path: Path) -> Mapping[str, float]:
    """Numbers by name of a table with the columns name, value, unit, status (assumed | derived) and why.

    Raises InputError naming file, line and column of a bad cell.
    """
    rows = rows_by(read_table(path, CONSTANT_COLUMNS), "name", "a name")
    for row in rows.values():
        row.one_of("status", ("assumed", "derived"))
        row.required("unit", "a unit, or 1")
        row.required("why", "one line")
    return {name: row.number("value") for name, row in rows.items()}


def read_records(path: Path) -> list[CsvRow]:
    """The records of a UTF-8 CSV file with any header; raises InputError."""
    records = _records(path, _text(path))
    return read_table(path, records[0][1] if records else ())


def _with_current_columns(header: list[str], columns: Sequence[str]) -> list[str]:
    """The header with columns that were renamed, where `columns` has the new name and not the old one."""
    if header == list(columns):
        return header
    current = []
    for cell in header:
        names = [] if cell in columns else [new for old, new in _renamed_columns() if old == cell and new in columns]
        new = next((name for name in names if name not in header), cell)
        if new != cell:
            warn_renamed(f"the column '{cell}'", new, stacklevel=5)
        current.append(new)
    return current


@cache
def _renamed_columns() -> tuple[tuple[str, str], ...]:
    """(old, new) names of columns; an old name can have several new names, in different tables."""
    with RENAMED_COLUMNS.open(encoding="utf-8", newline="") as stream:
        return tuple((row["old"], row["new"]) for row in csv.DictReader(stream))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as problem:
        what = f"the file cannot be read: {problem.strerror}"
        raise InputError(what, file=path, expected="a readable CSV file") from problem
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise InputError(
            "the file is not text", file=path, line=line, expected=f"a CSV table in {AS_TEXT}"
        ) from problem
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError("the file holds NUL bytes", file=path, line=line, expected=f"a CSV table in {AS_TEXT}")
    return text


def _records(path: Path, text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records, start = [], 1
    try:
        for cells in reader:
            records.append((start, [cell.strip() for cell in cells]))
            start = reader.line_num + 1
    except csv.Error as problem:
        raise InputError(f"broken CSV: {problem}", file=path, line=start, expected="closed quotes") from problem
    return records


def _check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    if header == list(columns):
        return
    wrong = next((cell for cell in header if cell not in columns), None)
    missing = next((column for column in columns if column not in header), None)
    what = f"unknown column '{wrong}'" if wrong is not None else f"missing column '{missing}'"
    if wrong is None and missing is None:
        what = "columns repeated or in another order"
    near = closest_match(wrong, columns) if wrong else missing
    raise InputError(what, file=path, line=1, key="header", expected=",".join(columns), nearest=near)


def _row(path: Path, line: int, cells: list[str], columns: Sequence[str], blank: dict[str, str]) -> CsvRow:
    if len(cells) != len(columns):
        what = f"{len(cells)} cells in a table of {len(columns)} columns"
        last = columns[min(len(cells), len(columns)) - 1]
        expected = f"{len(columns)} cells (put quotes around text that holds a comma)"
        raise InputError(what, file=path, line=line, key=f"column '{last}'", expected=expected)
    return CsvRow(path, line, blank | dict(zip(columns, cells, strict=True)))
