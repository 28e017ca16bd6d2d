"""The rows of a dose table as checked cells: which column is which, in any case, and what is missing."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ketamech.core import BadInput, nearest

LARGEST_FILE, MOST_ROWS = 50_000_000, 500_000
MISSING = {"", ".", "na"}
SEPARATORS = (",", ";", "\t")
SKIPPED = ("#", "TABLE NO.")  # how lines begin that are no records: comments, and titles in tables that NONMEM wrote
PRINTED_NUMBER = re.compile(r"\d+\.\d*(e[-+]?\d{1,2})?", re.I)  # 1.0000E+00 in tables that NONMEM wrote
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
COLUMNS = (
    "ID", "TIME", "AMT", "RATE", "DUR", "CMT", "EVID", "II", "ADDL", "SS", "MDV", "DV",
    "DVID", "DRUG", "ROUTE", "UNIT", "SALT", "LAG", "F", "R", "D", "MISSING", "SPECIES", "C",
)  # fmt: skip
ALIASES = {
    "AMOUNT": "AMT", "TINF": "DUR", "ADM": "CMT", "ADMID": "CMT", "YTYPE": "DVID", "ALAG": "LAG", "ALAG1": "LAG",
    "TLAG": "LAG", "BIO": "F", "F1": "F", "R1": "R", "D1": "D", "USUBJID": "ID", "SUBJ": "ID", "WT": "WEIGHT",
    "BW": "WEIGHT",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One record: its line in the file and its cells by column, missing ones left out."""

    file: Path
    line: int
    cells: Mapping[str, str]

    def word(self, column: str, otherwise: str = "") -> str:
        """The text of a cell."""
        return self.cells.get(column, otherwise)

    def number(self, column: str, otherwise: float = 0.0) -> float:
        """The number in a cell, `otherwise` where it is missing. Raises BadInput for what is no finite number."""
        text = self.cells.get(column)
        if text is None:
            return otherwise
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not math.isfinite(found) or "_" in text:
            how = " of hours since the first record" if ":" in text and column == "TIME" else ""
            how = " with a decimal point" if DECIMAL_COMMA.fullmatch(text) else how
            raise self.bad(f"'{text}' is not a number", column, f"a number{how}, or . where it is missing")
        return found

    def whole(self, column: str, allowed: range, otherwise: int = 0) -> int:
        """A whole number in a cell. Raises BadInput for another one."""
        found = float(self.number(column, otherwise))
        if not found.is_integer() or int(found) not in allowed:
            raise self.bad(f"{column} of {found:g}", column, f"a whole number from {allowed[0]} to {allowed[-1]}")
        return int(found)

    def bad(self, what: str, column: str, expected: str, **more: str | None) -> BadInput:
        """An error at this row."""
        return BadInput(what, file=self.file, line=self.line, key=column, expected=expected, **more)

    def placed(self, problem: BadInput) -> BadInput:
        """The same error with file and line."""
        where = {"file": self.file, "line": self.line, "key": problem.key, "expected": problem.expected}
        return type(problem)(problem.what, nearest=problem.nearest, type_this=problem.type_this, **where)  # type: ignore[arg-type]


def rows_of(text: str, path: Path) -> tuple[list[Row], list[str]]:
    """Every record of a table, and its columns; `path` names it in errors. Raises BadInput for no table of doses.

    Columns are named by the first line, in any case; separated by commas, semicolons, tabs or blanks; those without a
    name are left out. Lines that begin with # are skipped, and so are records without a cell, and those with something
    in a column C (a comment).
    """
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith(SKIPPED)]
    if not lines:
        raise BadInput("the file is empty", file=path, line=1, expected="ID,TIME,AMT,... and records")
    separator = next((one for one in SEPARATORS if one in lines[0][1]), None)
    header = [_named(word) for word in _split(lines[0][1], separator)]
    _refuse_header(header, path, lines[0][0])
    if len(lines) > MOST_ROWS:
        raise BadInput(f"{len(lines):,} records", file=path, expected=f"at most {MOST_ROWS:,}")
    rows = [row for row in _rows(path, lines[1:], header, separator) if row.cells and "C" not in row.cells]
    return [_complete(row, header) for row in rows], [name for name in header if name]


def _rows(path: Path, lines: list[tuple[int, str]], header: list[str], separator: str | None) -> Iterator[Row]:
    for number, line in lines:
        words = _split(line, separator)
        if len(words) != len(header):
            what = f"{len(words)} cells under {len(header)} columns"
            raise BadInput(what, file=path, line=number, expected="one cell a column, . where it is missing")
        named = ((name, word) for name, word in zip(header, words, strict=True) if name)
        yield Row(path, number, {name: word for name, word in named if word.lower() not in MISSING})


def _complete(row: Row, header: list[str]) -> Row:
    """The row, its ID written as whole numbers are. Raises BadInput where it does not say who or when."""
    for column, what in (("TIME", "a record without a time"), ("ID", "a record that is nobody's")):
        if column in header and column not in row.cells:
            raise row.bad(what, column, f"{column} in every record, or a C in a column C for a comment")
    name = row.word("ID")
    if not PRINTED_NUMBER.fullmatch(name) or not float(name).is_integer():
        return row
    return replace(row, cells={**row.cells, "ID": f"{float(name):.0f}"})


def _split(line: str, separator: str | None) -> list[str]:
    words = next(csv.reader([line], delimiter=separator, skipinitialspace=True)) if separator else line.split()
    return [word.strip() for word in words]


def _named(word: str) -> str:
    name = word.strip().strip('"').upper()
    return ALIASES.get(name, name)


def _refuse_header(header: list[str], path: Path, line: int) -> None:
    doubled = next((name for i, name in enumerate(header) if name and name in header[:i]), None)
    if doubled is not None:
        raise BadInput(f"two columns mean {doubled}", file=path, line=line, key=doubled, expected="one of them")
    missing = next((name for name in ("TIME", "AMT") if name not in header), None)
    if missing is not None:
        guess = nearest(missing, [name for name in header if name not in COLUMNS])
        why = " (0 where nothing is given)" if missing == "AMT" else ""
        what = f"no column {missing}"
        raise BadInput(what, file=path, line=line, key=missing, expected=f"ID,TIME,AMT,...{why}", nearest=guess)


def text_of(path: Path) -> str:
    """The text of a table. Raises BadInput for a file that cannot be read, is too large or is no text."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadInput("the file is too large", file=path, expected=f"at most {LARGEST_FILE:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise BadInput(f"the file cannot be read: {problem.strerror}", file=path, expected="a dose table") from None
    except UnicodeDecodeError:
        raise BadInput("the file is not text", file=path, expected="a table in UTF-8") from None
    if "\x00" in text:
        raise BadInput("the file is not text", file=path, expected="a table in UTF-8")
    return text
