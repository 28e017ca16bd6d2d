"""Columns of tables that were renamed: the shipped tables use the new names, and the old ones are read."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketamech.core import InputError, UnknownNameError
from ketamech.core.csv_table import RENAMED_COLUMNS, read_table
from ketamech.core.deprecated_names import renamed_result_columns, with_current_columns, with_current_variables
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


def test_a_table_of_results_of_the_last_release_gets_the_present_columns_and_units():
    former = pd.DataFrame({"arm": ["a"], "n_per_arm": [40], "power": [80.0], "low": [72.0], "high": [86.0]})
    warn_renamed.cache_clear()
    with pytest.warns(RenamedWarning, match="'n_per_arm' of 'power' was renamed to 'patients_per_arm'"):
        current = with_current_columns(former, "power")
    assert list(current) == ["arm", "patients_per_arm", "power", "low", "high"]
    np.testing.assert_allclose(current[["power", "low", "high"]].to_numpy(), [[0.8, 0.72, 0.86]])
    assert former["power"].tolist() == [80.0]


@pytest.mark.filterwarnings("error")
def test_a_table_of_results_of_this_release_stays_as_it_is():
    table = pd.DataFrame({"patients_per_arm": [40], "power": [0.8], "low": [0.72], "high": [0.86]})
    pd.testing.assert_frame_equal(with_current_columns(table, "power"), table)


def test_a_table_that_was_not_renamed_is_an_error_that_names_the_nearest():
    with pytest.raises(UnknownNameError, match="nearest: totals"):
        with_current_columns(pd.DataFrame(), "total")


def test_outputs_of_an_old_dataset_get_their_present_names():
    former = xr.Dataset({"antagonists.naltrexone": ("time", [1.0]), "mood.madrs": ("time", [2.0])})
    warn_renamed.cache_clear()
    with pytest.warns(RenamedWarning, match=r"tool_compounds\.naltrexone"):
        current = with_current_variables(former)
    assert list(current.data_vars) == ["tool_compounds.naltrexone", "mood.madrs"]


def test_the_page_of_renamed_names_has_every_column_of_results():
    page = (DATA.parents[2] / "docs" / "renamed.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    columns = [(old, new) for changes in renamed_result_columns().values() for old, (new, _) in changes.items()]
    missing = {old for old, _ in columns if re.sub("_(low|high|tables)$", "", old) not in named}
    missing |= {new for _, new in columns if re.sub("_(low|high|tables)$", "", new) not in named}
    assert missing == set()
