"""Run folders: what goes in comes out, whole or not at all."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketamech.core import InputError
from ketamech.exchange.curves_io import read_run, to_long_table, write_curves, write_zarr
from ketamech.exchange.output_folder import atomic_folder, read_manifest
from ketamech.exchange.result_metadata import write_table
from ketamech.simulation.curves import Curves, CurveVariable


def dataset():
    time = np.array([0.0, 0.5, 24.0])
    values = {
        "mood.madrs": ("points", [[33, 30, 22.0], [33, 33, np.nan]]),
        "plasma.esketamine": ("umol/L", np.ones((2, 3)) / 3),
    }
    variables = {
        name: xr.DataArray(np.array(y), dims=("patient", "time"), attrs={"units": unit, "long_name": f"about {name}"})
        for name, (unit, y) in values.items()
    }
    coordinates = {
        "patient": ("patient", ["treated", "control"]),
        "time": ("time", time, {"units": "h"}),
        "solve_status": ("patient", ["ok", "too many steps"]),
        "solve_steps": ("patient", [100, 5]),
    }
    return xr.Dataset(variables, coords=coordinates, attrs={"title": "a run", "seed": 1})


def without_xarray(data):
    """The same curves without xarray."""
    parts = (
        {name: CurveVariable(one.dims, one.values, one.attrs) for name, one in part.variables.items()}
        for part in (data.data_vars, data.coords)
    )
    return Curves(*parts, data.attrs)


def test_curves_without_xarray_are_those_of_a_dataset(tmp_path):
    data = dataset()
    plain = without_xarray(data)
    xr.testing.assert_identical(plain.dataset(), data)
    assert dict(plain.sizes) == dict(data.sizes)
    assert "mood.madrs" in plain.drop_vars(["plasma.esketamine"])
    assert "plasma.esketamine" not in plain.drop_vars(["plasma.esketamine"])
    assert plain["mood.madrs"].transpose("time", "patient").values.shape == (3, 2)
    assert to_long_table(plain).to_pandas().equals(to_long_table(data).to_pandas())
    write(tmp_path / "run", plain.assign_attrs({"more": "x"}))
    assert read_run(tmp_path / "run").attrs["more"] == "x"
    xr.testing.assert_identical(read_run(tmp_path / "run").drop_attrs(), data.drop_attrs())


def test_a_long_table_is_what_pandas_makes_of_the_same_columns():
    table = to_long_table(without_xarray(dataset())).to_pandas()
    assert table["patient"].tolist() == ["treated"] * 6 + ["control"] * 6
    assert table["unit"].tolist() == (["points"] * 3 + ["umol/L"] * 3) * 2
    assert np.array_equal(table["value"], [33, 30, 22, *[1 / 3] * 3, 33, 33, np.nan, *[1 / 3] * 3], equal_nan=True)
    assert table["time_h"].tolist() == [0.0, 0.5, 24.0] * 4


def test_rows_are_written_as_pandas_writes_them(tmp_path):
    rows = [
        {"patient": "a, b", "time (h)": 0.1 + 0.2, "x": float("nan")},
        {"patient": 'the "first"', "time (h)": 1e-7, "x": 12345678.9},
        {"patient": "µ", "time (h)": 1e22, "x": -0.0},
    ]
    write_table(rows, tmp_path / "rows.csv", {"seed": 1})
    text = (tmp_path / "rows.csv").read_bytes().decode()
    assert text == pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    assert (tmp_path / "rows.csv-metadata.json").is_file()


def write(folder, data=None):
    with atomic_folder(folder) as draft:
        write_curves(draft, dataset() if data is None else data)


def write_until_the_power_fails(folder):
    with atomic_folder(folder) as draft:
        write_curves(draft, dataset())
        raise RuntimeError("power cut")


def test_curves_come_back_as_they_went_in(tmp_path):
    write(tmp_path / "run")
    found = read_run(tmp_path / "run")
    xr.testing.assert_identical(
        found["mood.madrs"].drop_vars("solve_status"), dataset()["mood.madrs"].drop_vars("solve_status")
    )
    assert found["mood.madrs"].attrs == {"units": "points", "long_name": "about mood.madrs"}
    assert list(found["solve_status"].values) == ["ok", "too many steps"]
    assert found.attrs["title"] == "a run"


def test_xarray_opens_the_store_without_ketamech(tmp_path):
    write(tmp_path / "run")
    with xr.open_zarr(tmp_path / "run" / "curves.zarr") as plain:
        assert set(plain.data_vars) == {"mood.madrs", "plasma.esketamine"}
        assert plain["plasma.esketamine"].attrs["units"] == "umol/L"


def test_the_table_is_long_tidy_and_has_units(tmp_path):
    write(tmp_path / "run")
    table = pd.read_parquet(tmp_path / "run" / "curves.parquet")
    assert list(table.columns) == ["patient", "time_h", "variable", "value", "unit"]
    assert len(table) == 2 * 2 * 3
    row = table.query("patient == 'treated' and variable == 'mood.madrs' and time_h == 24")
    assert row[["value", "unit"]].to_numpy().tolist() == [[22.0, "points"]]


def test_no_partial_file_is_left(tmp_path):
    with pytest.raises(RuntimeError, match="power cut"):
        write_until_the_power_fails(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rerun_leaves_the_earlier_run_untouched(tmp_path):
    write(tmp_path / "run")
    before = read_manifest(tmp_path / "run")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run"):
        raise RuntimeError("power cut")
    assert read_manifest(tmp_path / "run") == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_rerun_replaces_its_own_files_and_keeps_other_peoples(tmp_path):
    write(tmp_path / "run")
    (tmp_path / "run" / "my notes.txt").write_text("keep me")
    with atomic_folder(tmp_path / "run") as draft:
        (draft / "only.txt").write_text("new")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["manifest.json", "my notes.txt", "only.txt"]


def test_a_folder_that_is_not_a_run_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match="not a KetaMech run"), atomic_folder(tmp_path):
        raise AssertionError("must not get here")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="is a file"), atomic_folder(tmp_path / "run"):
        raise AssertionError("must not get here")


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_reading_what_is_not_a_run_says_what_to_type(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="ketamech simulate"):
        read_run(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_the_zarr_library_writes_the_same_store(tmp_path):
    """The second road: our store and the library's are read as the same dataset, attributes and types included."""
    data = dataset().assign_coords(note=("patient", ["µ: naïve", ""]))
    data["spread.flag"] = ("time", np.array([True, False, True]))
    data["spread.count"] = ("patient", np.array([3, 4], dtype=np.int32))
    write_zarr(tmp_path / "curves.zarr", data)
    plain = data.copy()
    for name in ("patient", "solve_status", "note"):
        plain[name] = plain[name].astype(np.dtypes.StringDType())
    plain.to_zarr(tmp_path / "theirs.zarr", zarr_format=3, consolidated=True)
    ours, theirs = (xr.load_dataset(tmp_path / name, engine="zarr") for name in ("curves.zarr", "theirs.zarr"))
    assert ours.attrs == theirs.attrs
    assert {name: variable.attrs for name, variable in ours.variables.items()} == {
        name: variable.attrs for name, variable in theirs.variables.items()
    }
    assert set(ours.coords) == set(theirs.coords)
    for name in theirs.variables:
        assert ours[name].dtype.kind == theirs[name].dtype.kind
        assert ours[name].dims == theirs[name].dims
        np.testing.assert_array_equal(ours[name].values, theirs[name].values)


@pytest.mark.parametrize("consolidated", [True, False])
def test_the_store_stands_with_and_without_consolidated_metadata(tmp_path, consolidated):
    import zarr

    write_curves(tmp_path, dataset())
    group = zarr.open_group(tmp_path / "curves.zarr", mode="r", use_consolidated=consolidated)
    assert group.metadata.zarr_format == 3
    assert sorted(group.array_keys()) == sorted(map(str, dataset().variables))
    assert group["mood.madrs"][0, 2] == 22.0
    assert np.isnan(group["mood.madrs"].fill_value)


POSIX = pytest.mark.skipif(os.name != "posix", reason="kills, and locks folders")
RUN = """
import pathlib, sys, time
from ketamech.exchange.output_folder import atomic_folder
usual, steps = pathlib.Path.rename, []
def slowly(self, target):
    found = usual(self, target)
    steps.append(target)
    if len(steps) == 1 and sys.argv[2] == "between":
        print("in", flush=True)
        time.sleep(float(sys.argv[3]))
    return found
pathlib.Path.rename = slowly
with atomic_folder(sys.argv[1]) as draft:
    (draft / "a.csv").write_text("slow")
    if sys.argv[2] == "writing":
        print("in", flush=True)
        time.sleep(float(sys.argv[3]))
"""


def finished(folder):
    """A whole run, and a file of the user's in its folder."""
    with atomic_folder(folder) as draft:
        (draft / "a.csv").write_text("first")
    (folder / "my notes.txt").write_text("keep me")


def running(folder, moment, seconds):
    """Another process that writes a run and waits at a moment."""
    words = [sys.executable, "-c", RUN, str(folder), moment, str(seconds)]
    other = subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8")
    assert other.stdout.readline() == "in\n"
    return other


@POSIX
@pytest.mark.parametrize("moment", ["writing", "between"])
def test_files_of_a_killed_run_are_removed_and_finished_units_are_kept(moment, tmp_path):
    finished(tmp_path / "run")
    other = running(tmp_path / "run", moment, 60)
    other.kill()
    other.communicate(timeout=30)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run"):
        raise RuntimeError("nothing came of it")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "a.csv").read_text() == "first"
    assert (tmp_path / "run" / "my notes.txt").read_text() == "keep me"


@POSIX
@pytest.mark.parametrize("moment", ["writing", "between"])
def test_two_writers_of_one_run_take_turns(moment, tmp_path):
    finished(tmp_path / "run")
    other = running(tmp_path / "run", moment, 0.5)
    with atomic_folder(tmp_path / "run") as draft:
        (draft / "b.csv").write_text("quick")
    assert other.wait(60) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "my notes.txt").read_text() == "keep me"
    assert len(read_manifest(tmp_path / "run")["files"]) == 1
