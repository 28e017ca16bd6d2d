"""Columns of tables that were renamed: the shipped tables use the new names, and the old ones are read."""

import csv
from pathlib import Path

import pytest

from ketamech.core import InputError
from ketamech.core.csv_table import RENAMED_COLUMNS, read_table
from ketamech.core.environment import DATA
from ketamech.core.errors import RenamedWarning, warn_renamed

with RENAMED_COLUMNS.open(encoding="utf-8", newline="") as stream:
    RENAMED = [(row["table"], row["old"], row["new"]) for row in csv.DictReader(stream)]


def shipped_headers(table: str) -> dict[Path, list[str]]:
    """Headers of the shipped tables of a folder ("evidence") or of one table ("scorecard/goals")."""
    paths = list(DATA.glob(f"{table}/*.csv")) + list(DATA.glob(f"{table}.csv"))
    return {path: path.read_text(encoding="utf-8").splitlines()[0].split(",") for path in paths}


@pytest.mark.parametrize(("table", "old", "new"), RENAMED)
def test_the_shipped_tables_use_the_new_name(table, old, new):
    headers = shipped_headers(table)
    assert headers
    assert all(new in header and old not in header for header in headers.values())


def test_each_old_name_is_read_and_warned_about_once(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("name,why\na,b\n", encoding="utf-8")
    warn_renamed.cache_clear()
    with pytest.warns(RenamedWarning, match="'why' was renamed to 'reason'") as caught:
        rows = [read_table(table, ("name", "reason"))[0] for _ in range(2)]
    assert len(caught) == 1
    assert [row["reason"] for row in rows] == ["b", "b"]


def test_a_name_that_is_still_in_use_elsewhere_is_not_replaced(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("name,why\na,b\n", encoding="utf-8")
    assert read_table(table, ("name", "why"))[0]["why"] == "b"
    with pytest.raises(InputError, match="unknown column 'why'"):
        read_table(table, ("name", "note"))


def test_an_optional_column_may_be_missing_and_is_then_empty(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("name,more\na,b\n", encoding="utf-8")
    assert read_table(table, ("name", "extra", "more"), ("extra",))[0].cells == {"name": "a", "extra": "", "more": "b"}
    with pytest.raises(InputError, match="missing column 'extra'"):
        read_table(table, ("name", "extra", "more"))
