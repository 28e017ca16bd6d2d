"""Tables in memory: a DataFrame of pandas or polars in place of a file, without an import of either library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

MISSING_VALUES = {"None", "nan", "NaN", "<NA>", "NaT"}
TRUTH = {"True": "1", "False": "0"}


@runtime_checkable
class DataFrame(Protocol):
    """What a DataFrame of pandas and one of polars have in common."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""

    def head(self, n: int = 5) -> Any:
        """The first rows."""


def text_columns(frame: DataFrame) -> tuple[list[str], Iterator[list[str]]]:
    """The names of the columns and the cells of each row as text, empty where missing; named indices are columns."""
    table: Any = frame
    if any(name is not None for name in getattr(getattr(table, "index", None), "names", ())):
        table = table.reset_index()
    series = [column for _, column in table.items()] if hasattr(table, "items") else table.get_columns()
    rows = zip(*series, strict=True) if series else iter(())
    return [str(name) for name in table.columns], ([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> str:
    text = str(value).strip()
    return "" if text in MISSING_VALUES else TRUTH.get(text, text)
