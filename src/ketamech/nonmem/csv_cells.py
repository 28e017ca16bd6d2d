"""Reads a dose table, a file or a DataFrame, into checked cells: columns, separators, decimal marks, missing values."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ketamech.core import InputError, closest_match
from ketamech.core.atomic_files import read_text
from ketamech.core.data_frames import DataFrame, text_columns
from ketamech.core.errors import FRAME

MAX_ROWS = 500_000
MISSING = {"", ".", "na"}
SEPARATORS = (",", ";", "\t")
COMMENT_PREFIXES = ("#", "TABLE NO.")  # comments and titles of NONMEM tables
PRINTED_NUMBER = re.compile(r"\d+\.\d*(e[-+]?\d{1,2})?", re.I)  # 1.0000E+00 in NONMEM tables
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d{1,2})?", re.I)
DECIMAL_POINT = re.compile(r"[-+]?\d*\.\d+(e[-+]?\d{1,2})?", re.I)
SEPARATOR_LINE = re.compile(r'"?sep=.?"?,*\s*', re.I)  # the first line of a table for Excel
MINUS = "\N{MINUS SIGN}"  # of tables copied from texts
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")  # 1,000 may mean a thousand or one
DATES = ("DATE", "DAT1", "DAT2", "DAT3")
UNIT_COLUMNS = ("DVU", "DVUNIT", "AVALU", "PCSTRESU")  # of the unit of DV
ANALYTES = ("DVID", "ANALYTE", "PARAMCD")
COLUMNS = (
    "ID", "TIME", "AMT", "RATE", "DUR", "CMT", "EVID", "II", "ADDL", "SS", "MDV", "DV",
    "DVID", "DRUG", "ROUTE", "UNIT", "SALT", "LAG", "F", "R", "D", "MISSING", "SPECIES", "C",
    "CENS", "LIMIT", "BLQ", "LLOQ", *ANALYTES[1:], *UNIT_COLUMNS,
)  # fmt: skip
ALIASES = {
    "AMOUNT": "AMT", "TINF": "DUR", "ADM": "CMT", "ADMID": "CMT", "YTYPE": "DVID", "ALAG": "LAG", "ALAG1": "LAG",
    "TLAG": "LAG", "BIO": "F", "F1": "F", "R1": "R", "D1": "D", "USUBJID": "ID", "SUBJ": "ID", "WT": "WEIGHT",
    "BW": "WEIGHT", "LOQ": "LLOQ",
}  # fmt: skip
# Names that mean a column only where no other column does: a table may have both ID and SUBJID.
SYNONYMS = {
    "SUBJECT": "ID", "SUBJID": "ID", "SUBJECTID": "ID", "SUBJECT_ID": "ID", "PATIENT": "ID", "PATID": "ID",
    "PTID": "ID",
    "TINFUSION": "DUR", "TINFUS": "DUR", "DURATION": "DUR", "WGT": "WEIGHT", "BWT": "WEIGHT", "BODYWEIGHT": "WEIGHT",
    "AMT_UNIT": "UNIT", "AMTU": "UNIT", "AMTUNIT": "UNIT", "DOSEU": "UNIT", "UNITS": "UNIT",
}  # fmt: skip
NOT_MISSPELLED = ("RACE", "DATE")  # common columns whose names are one letter from another column


@dataclass(frozen=True)
class DoseRow:
    """One record: its line in the file (row of a DataFrame, from 1) and its cells by column, without missing cells."""

    file: Path
    line: int
    cells: Mapping[str, str]

    @property
    def place(self) -> str:
        """The record in the words of a message, such as "line 4"."""
        return f"{self._unit} {self.line}"

    def places(self, other: DoseRow) -> str:
        """Two records in the words of a message, such as "lines 3 and 4"."""
        return f"{self._unit}s {self.line} and {other.line}"

    @property
    def _unit(self) -> str:
        return "row" if self.file == FRAME else "line"

    def text(self, column: str, otherwise: str = "") -> str:
        """The text of a cell."""
        return self.cells.get(column, otherwise)

    def number(
        self,
        column: str,
        otherwise: float = 0.0,
        *,
        written: str | None = None,
        named: Mapping[str, float] | None = None,
    ) -> float:
        """The number in a cell, `otherwise` where it is missing. Raises InputError for any other text.

        `written` is the name of the column in the file, if it differs. `named` {name, lower case: number} are values
        that may be written as a name, such as a genotype.
        """
        text = self.cells.get(column)
        if text is None:
            return otherwise
        if named and text.lower() in named:
            return named[text.lower()]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:
            form = " of hours since the first record" if ":" in text and column == "TIME" else ""
            form = " with a point, not a decimal comma" if DECIMAL_COMMA.fullmatch(text) else form
            form += f", one of {', '.join(named)}" if named else ""
            raise self.error(
                f"'{text}' is not a number", written or column, f"a number{form}, or . where it is missing"
            )
        return value

    def integer(self, column: str, allowed: range, otherwise: int = 0) -> int:
        """A whole number in a cell. Raises InputError for another one."""
        value = float(self.number(column, otherwise))
        if not value.is_integer() or int(value) not in allowed:
            raise self.error(f"{column} of {value:g}", column, f"a whole number from {allowed[0]} to {allowed[-1]}")
        return int(value)

    def error(self, message: str, column: str, expected: str, **more: str | None) -> InputError:
        """An error at this row."""
        return InputError(message, file=self.file, line=self.line, key=column, expected=expected, **more)

    def with_location(self, problem: InputError) -> InputError:
        """The same error with file and line, unless it has them."""
        return problem.at(self.file, self.line)


@dataclass(frozen=True)
class CsvTable:
    """The records of a table, its columns as written in the file; `commas`: numbers have a decimal comma."""

    rows: list[DoseRow]
    columns: dict[str, str]
    commas: bool = False


def cells_of_source(source: str | Path | DataFrame, kind: str) -> CsvTable:
    """Every record of a file or of a DataFrame. `kind` names it in an error: a dose table. Raises InputError."""
    if isinstance(source, str | Path):
        return cells_of(read_text(Path(source), kind), Path(source))
    if not isinstance(source, DataFrame):
        expected = "the name of a file, or a DataFrame of pandas or polars"
        raise InputError(f"{kind} of type {type(source).__name__}", key="table", expected=expected)
    column_names, records = text_columns(source)
    header = _header_names(column_names, FRAME, None)
    _refuse_too_many(source.shape[0], FRAME)
    rows = (_row(FRAME, i, header, words) for i, words in enumerate(records, 1))
    return _checked_table(rows, header, column_names, may_have_commas=True)


def cells_of(text: str, path: Path) -> CsvTable:
    """Every record of a table; `path` names it in errors. Raises InputError if the text is not a dose table.

    Columns are named by the first line, in any case; separated by commas, semicolons, tabs or blanks; those without a
    name are left out. Lines that begin with # are skipped (but for one that names the columns), and so are records
    without a cell, and those with words in a column C (a comment). Where commas do not separate, decimals may have one.
    """
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines and SEPARATOR_LINE.fullmatch(lines[0][1]):
        lines = lines[1:]
    header_line, lines = _header(lines)
    if not lines:
        raise InputError("the file is empty", file=path, line=1, expected="ID,TIME,AMT,... and records")
    separator = _separator(header_line)
    column_names = [word.strip('"') for word in _split(header_line, separator)]
    header = _header_names(column_names, path, lines[0][0])
    _refuse_too_many(len(lines), path)
    rows = _rows(path, lines[1:], header, separator)
    return _checked_table(rows, header, column_names, may_have_commas=separator != ",")


def _header_names(column_names: Sequence[str], path: Path, line: int | None) -> list[str]:
    """What each column means. Raises InputError for a missing or repeated column."""
    header = _with_synonyms([_column_name(word) for word in column_names])
    _refuse_header(header, path, line)
    return header


def _refuse_too_many(records: int, path: Path) -> None:
    if records > MAX_ROWS:
        raise InputError(f"{records:,} records", file=path, expected=f"at most {MAX_ROWS:,}")


def _checked_table(
    records: Iterable[DoseRow], header: list[str], column_names: Sequence[str], *, may_have_commas: bool
) -> CsvTable:
    rows = [row for row in records if row.cells and not _is_comment(row)]
    commas = may_have_commas and _decimal_commas(rows)
    rows = [_checked_row(_with_points(row) if commas else row, header) for row in rows]
    return CsvTable(rows, {name: word for name, word in zip(header, column_names, strict=True) if name}, commas)


def header_line(path: Path | str) -> int | None:
    """The line of the header in a file; None for a DataFrame."""
    return None if path == FRAME else 1


def _header(lines: list[tuple[int, str]]) -> tuple[str, list[tuple[int, str]]]:
    """The header line and all following lines; the header may begin with # (IGNORE=# of NONMEM)."""
    start = next((i for i, (_, line) in enumerate(lines) if not line.startswith(COMMENT_PREFIXES)), len(lines))
    records = [(i, line) for i, line in lines[start:] if not line.startswith(COMMENT_PREFIXES)]
    if records and not _names_columns(records[0][1]):
        header_index = next((i for i in range(start - 1, -1, -1) if _names_columns(lines[i][1].lstrip("#"))), None)
        if header_index is not None:
            return lines[header_index][1].lstrip("#").strip(), [lines[header_index], *records]
    return (records[0][1] if records else ""), records


def _names_columns(line: str) -> bool:
    return {"TIME", "AMT"} <= {_column_name(word) for word in _split(line, _separator(line))}


def _separator(line: str) -> str | None:
    return next((separator for separator in SEPARATORS if separator in line), None)


def _rows(path: Path, lines: list[tuple[int, str]], header: list[str], separator: str | None) -> Iterator[DoseRow]:
    for number, line in lines:
        words = _split(line, separator)
        if len(words) != len(header):
            if header[0] == "C" and words[0].isalpha():  # a comment may have any length
                continue
            message = f"{len(words)} cells under {len(header)} columns"
            expected = "one cell a column, . where it is missing"
            if separator == "," and len(words) > len(header):
                expected += "; numbers with a decimal comma need semicolons between the columns"
            raise InputError(message, file=path, line=number, expected=expected)
        yield _row(path, number, header, words)


def _row(path: Path, number: int, header: Sequence[str], words: Sequence[str]) -> DoseRow:
    named_cells = ((name, re.sub(f"^{MINUS}", "-", word)) for name, word in zip(header, words, strict=True) if name)
    return DoseRow(path, number, {name: word for name, word in named_cells if word.lower() not in MISSING})


def _is_comment(row: DoseRow) -> bool:
    """Whether a column C marks the record as a comment. Raises InputError for a number, such as a concentration."""
    text = row.text("C")
    if any(letter.isdigit() for letter in text):
        message = f"C of {text}: a column C holds marks of comments"
        raise row.error(message, "C", "a C in records to leave out, . in others; concentrations in a column DV")
    return bool(text)


def _decimal_commas(rows: Iterable[DoseRow]) -> bool:
    """Whether numbers have a decimal comma. Raises InputError for ambiguous numbers."""
    examples: dict[re.Pattern[str], tuple[DoseRow, str]] = {}
    for row in rows:
        for name, word in row.cells.items():
            kind = next((k for k in (THOUSANDS, DECIMAL_COMMA, DECIMAL_POINT) if k.fullmatch(word)), None)
            if kind is not None and name != "ID":
                examples.setdefault(kind, (row, name))
    commas = examples.get(DECIMAL_COMMA, examples.get(THOUSANDS))
    if commas is None:
        return False
    row, name = commas
    if DECIMAL_POINT in examples:
        other_row, column = examples[DECIMAL_POINT]
        message = f"a comma in '{row.text(name)}' and a point in '{other_row.text(column)}' ({other_row.place})"
        raise row.error(message, name, "one decimal mark in the whole table, and none between thousands")
    if DECIMAL_COMMA not in examples:
        message = f"'{row.text(name)}' may be a thousand or a number with a decimal comma"
        point = row.text(name).replace(",", ".")
        raise row.error(message, name, f"{row.text(name).replace(',', '')}, or {point} with a decimal point")
    return True


def _with_points(row: DoseRow) -> DoseRow:
    numbers = {n: w.replace(",", ".") for n, w in row.cells.items() if n != "ID" and DECIMAL_COMMA.fullmatch(w)}
    return replace(row, cells={**row.cells, **numbers})


def _checked_row(row: DoseRow, header: list[str]) -> DoseRow:
    """The row with an integer-like ID normalised. Raises InputError without ID or TIME."""
    for column, message in (("TIME", "a record without a time"), ("ID", "a record without an ID")):
        if column in header and column not in row.cells:
            raise row.error(message, column, f"{column} in every record, or a C in a column C for a comment")
    name = row.text("ID")
    if not PRINTED_NUMBER.fullmatch(name) or not float(name).is_integer():
        return row
    return replace(row, cells={**row.cells, "ID": f"{float(name):.0f}"})


def _split(line: str, separator: str | None) -> list[str]:
    words = next(csv.reader([line], delimiter=separator, skipinitialspace=True)) if separator else line.split()
    return [word.strip() for word in words]


def _column_name(word: str) -> str:
    name = word.strip().strip('"').upper()
    return ALIASES.get(name, name)


def _with_synonyms(header: list[str]) -> list[str]:
    """The names of columns, with the first synonym of each column that no other column means replaced."""
    names = list(header)
    for i, name in enumerate(header):
        if SYNONYMS.get(name, name) not in names:
            names[i] = SYNONYMS.get(name, name)
    return names


def _refuse_header(header: list[str], path: Path, line: int | None) -> None:
    duplicate = next((name for i, name in enumerate(header) if name and name in header[:i]), None)
    if duplicate is not None:
        raise InputError(f"two columns mean {duplicate}", file=path, line=line, key=duplicate, expected="one of them")
    missing = next((name for name in ("TIME", "AMT") if name not in header), None)
    if missing is not None:
        closest_name = closest_match(missing, [name for name in header if name not in COLUMNS])
        hint = " (0 where nothing is given)" if missing == "AMT" else ""
        message = f"no column {missing}"
        table = "DataFrame" if path == FRAME else "file"
        expected = (
            f"ID,TIME,AMT,...{hint}; the columns of this {table} are {', '.join(name for name in header if name)}"
        )
        raise InputError(message, file=path, line=line, key=missing, expected=expected, nearest=closest_name)


def refuse_dates(rows: Sequence[DoseRow]) -> None:
    """Raise InputError where a DATE column changes: only TIME is read."""
    for column in DATES:
        dated_rows = [row for row in rows if column in row.cells]
        changed = next((row for row in dated_rows if row.text(column) != dated_rows[0].text(column)), None)
        if changed is not None:
            message = f"{column} changes from {dated_rows[0].text(column)} to {changed.text(column)}"
            raise changed.error(
                message, column, "TIME in hours since the first record, over all days; dates are not read"
            )
