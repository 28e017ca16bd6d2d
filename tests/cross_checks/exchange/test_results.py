"""Results in every file: what goes in comes out, with units, facts and papers; posteriors as ArviZ opens them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from command_line import refused, run
from ketamech.core import InputError
from ketamech.exchange.arviz_io import calibration_tree, shipped_posterior
from ketamech.exchange.output_folder import store_errors
from ketamech.exchange.result_io import (
    DIMS,
    SUFFIXES,
    cf_units,
    from_cohort,
    from_run,
    from_trial,
    long_table,
    metadata_of,
    open_results,
    read_results,
    save_results,
    with_attributes,
)
from ketamech.parameters import load_parameters

TABLE = load_parameters()
FACTS = {
    "seed": 7,
    "ketamech equations": "abc",
    "ketamech command_line": "ketamech simulate 'x, y'",
    "title": "µ: naïve",
}
TIME = ("time", np.array([0.0, 0.5, 24.0]), {"units": "h"})


def curves():
    values = {"mood.madrs": ("points", [[33, 30, 22.0], [33, 33, np.nan]]), "plasma.drug": ("umol/L", np.eye(2, 3) / 3)}
    data = {
        name: (("patient", "time"), np.array(y), {"units": u, "long_name": name}) for name, (u, y) in values.items()
    }
    coords = {"patient": ["treated", "control"], "time": TIME, "solve_status": ("patient", ["ok", "not: ok"])}
    return xr.Dataset(data, coords, FACTS)


@pytest.fixture
def results():
    return from_run(curves())


def test_a_run_has_two_arms_of_one_patient(results):
    assert dict(results.sizes) == {"replicate": 1, "arm": 2, "patient": 1, "time": 3}
    assert results["mood.madrs"].dims == DIMS
    assert results["mood.madrs"].sel(arm="treated", time=24.0).item() == 22
    assert results["solve_status"].sel(arm="control").item() == "not: ok"


def test_units_are_those_of_cf(results):
    assert results.attrs["Conventions"].startswith("CF-")
    assert results["mood.madrs"].attrs["units"] == "1"
    assert results["mood.madrs"].attrs["counted_in"] == "points"
    assert results["plasma.drug"].attrs["units"] == "umol/L"
    assert results["time"].attrs["units"] == "h"
    assert results["mood.madrs"].attrs["alias"] == "mood__madrs"
    assert all("long_name" in results[name].attrs for name in results.data_vars)
    assert [cf_units(text)[0] for text in ("beats/h", "points", "umol/L", "mmHg", "1")] == [
        "h-1", "1", "umol/L", "mmHg", "1",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_goes_in_comes_out(results, suffix, tmp_path):
    place = save_results(results, tmp_path / f"new/x{suffix}")
    found = open_results(place)
    for name in results.data_vars:
        assert found[name].dims == DIMS
        xr.testing.assert_equal(
            found[name].drop_vars("solve_status", errors="ignore"), results[name].drop_vars("solve_status")
        )
    assert metadata_of(place).items() >= {k: v for k, v in FACTS.items() if k != "seed"}.items()
    assert int(metadata_of(place)["seed"]) == 7
    if suffix in (".nc", ".zarr"):
        assert metadata_of(place) == found.attrs
    facts = [f"{place.name}-metadata.json"] if suffix == ".csv" else []  # CSV on the Web
    assert sorted(path.name for path in place.parent.iterdir()) == [place.name, *facts]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_second_time_replaces_the_first(results, suffix, tmp_path):
    for shift in (0.0, 1.0):
        save_results(results + shift if shift else results, tmp_path / f"x{suffix}")
    assert open_results(tmp_path / f"x{suffix}")["mood.madrs"].sel(arm="treated", time=24.0).item() == 23


def test_plain_readers_open_them_without_us(results, tmp_path):
    for suffix in SUFFIXES:
        save_results(results, tmp_path / f"x{suffix}")
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as plain:
        assert plain["mood.madrs"].attrs["long_name"] == "mood.madrs"
    with xr.open_zarr(tmp_path / "x.zarr") as plain:
        assert plain.attrs["ketamech__equations"] == "abc"
        assert all(name.isidentifier() for name in plain.attrs)  # CF: letters, digits and underscores
    tables = pd.read_parquet(tmp_path / "x.parquet"), pd.read_csv(tmp_path / "x.csv")
    for table in tables:
        assert list(table.columns) == ["replicate", "arm", "patient", "time", "variable", "value", "unit"]
        row = table.query("arm == 'treated' and variable == 'mood.madrs' and time == 24")
        assert row[["value", "unit"]].to_numpy().tolist() == [[22.0, "points"]]
    assert len(tables[0]) == 2 * 6 - 1  # what is missing is left out


def test_the_compliance_checker_of_cf_finds_no_error(results, tmp_path):
    """Accepted are names with dots, a recommendation, and no standard name time, which needs a date to count from."""
    pytest.importorskip("compliance_checker")
    dated = results.assign_attrs({"ketamech date": "2026-01-01T00:00:00Z", "ketamech command_line": "ketamech export"})
    place = save_results(with_attributes(dated), tmp_path / "x.nc")
    check = [
        str(Path(sys.executable).with_name("compliance-checker")),
        "--test=cf:1.11",
        "--format=json",
        "--output=-",
        str(place),
    ]
    done = subprocess.run(check, capture_output=True, encoding="utf-8", check=False, timeout=240)
    found = json.loads(done.stdout[done.stdout.index("{") :])["cf:1.11"]
    groups = ("high_priorities", "medium_priorities", "low_priorities")
    messages = {text for group in groups for one in found[group] for text in one["msgs"]}
    accepted = ("composed of letters, digits", "Coordinate variable 'time' should have standard_name='time'")
    assert not [text for text in messages if not any(known in text for known in accepted)]


def test_polars_reads_the_table_with_its_defaults(tmp_path):
    """It infers types from the first 100 rows."""
    polars = pytest.importorskip("polars")
    times = np.arange(300.0)
    data = {name: (DIMS, np.ones((1, 1, 1, 300)), {"units": unit}) for name, unit in (("a.share", "1"), ("b", "umol"))}
    save_results(with_attributes(xr.Dataset(data, {"time": times})), tmp_path / "x.csv")
    table = polars.read_csv(tmp_path / "x.csv")
    assert table.shape == (600, 7)
    assert set(table["unit"]) == {"1", "umol"}


def test_a_cohort_is_one_arm_of_many():
    cohort = xr.Dataset(
        {"a.b": (("patient", "time"), np.ones((5, 3)), {"units": "1"})}, {"time": TIME, "patient": range(5)}
    )
    assert dict(from_cohort(cohort).sizes) == {"replicate": 1, "arm": 1, "patient": 5, "time": 3}


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_coordinates_are_named_and_flags_are_numbers(suffix, tmp_path):
    flags = {"flag_values": [0, 1], "flag_meanings": "failed solved"}
    solved = ("patient", np.ones(5, dtype="i1"), flags)
    cohort = xr.Dataset(
        {"a.b": (("patient", "time"), np.ones((5, 3)), {"units": "1"})},
        {"time": TIME, "patient": range(5), "solved": solved},
    )
    found = open_results(save_results(from_cohort(cohort), tmp_path / f"x{suffix}"))
    assert all(found[name].attrs["long_name"] for name in found.coords)
    assert np.asarray(found["solved"].attrs["flag_values"]).tolist() == [0, 1]


def test_in_a_crossover_a_person_is_in_one_arm_at_a_time():
    score = ("replicate", "patient", "visit")
    trial = xr.Dataset(
        {
            "MADRS": (score, np.arange(8.0).reshape(1, 4, 2), {"units": "points"}),
            "arm": (score, np.array([[["drug", "placebo"], ["placebo", "drug"]] * 2])),
            "left": (("replicate", "patient"), np.full((1, 4), np.nan), {"units": "h"}),
        },
        {"replicate": [0], "patient": range(4), "visit": ["day 1", "day 8"], "hour": ("visit", [24.0, 192.0])},
    )
    found = from_trial(trial)
    assert dict(found.sizes) == {"replicate": 1, "arm": 2, "patient": 4, "time": 2}
    assert found["MADRS"].sel(arm="drug", patient=0).values.ravel().tolist()[:1] == [0.0]
    assert np.isnan(found["MADRS"].sel(arm="drug", patient=0, time=192.0)).all()
    assert found["MADRS"].sum().item() == np.arange(8).sum()
    assert found["left"].dims == ("replicate", "patient")
    assert len(long_table(found)) == 8


@pytest.mark.parametrize("name", ["x.docx", "x", "taken.nc"])
def test_other_files_are_refused_and_nothing_is_lost(results, name, tmp_path):
    (tmp_path / "taken.nc").mkdir()
    (tmp_path / "taken.nc" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError):
        save_results(results, tmp_path / name)
    assert (tmp_path / "taken.nc" / "thesis.txt").read_text() == "mine"


def test_a_table_of_other_columns_and_a_table_of_groups_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("replicate,arm,patient,time,variable,value\n0,a,0,0,mood.madrs,30\n")
    with pytest.raises(InputError, match="a table without 'unit'"):
        open_results(tmp_path / "x.csv")
    tree, _, _ = calibration()
    with pytest.raises(InputError, match=r"groups go into \.nc or \.zarr"):
        save_results(tree, tmp_path / "y.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_broken_file_is_refused(suffix, tmp_path):
    (tmp_path / f"x{suffix}").write_text("nothing")
    with pytest.raises(InputError):
        open_results(tmp_path / f"x{suffix}")


def calibration(**more):
    from ketamech.calibration.calibration_problem import load_estimated

    estimated = load_estimated(TABLE)[:2]
    chain = np.abs(np.random.default_rng(1).normal(5, 1, (30, 4, 2)))
    return (
        calibration_tree(estimated, chain, np.ones((30, 4)), TABLE, {"a row": 3.0}, [0.5], FACTS, **more),
        estimated,
        chain,
    )


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_arviz_opens_a_posterior(suffix, tmp_path):
    """Either line: ArviZ below 1 by its InferenceData, from 1 on by the tree itself."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz
    tree, estimated, chain = calibration()
    place = save_results(tree, tmp_path / f"p{suffix}")
    with xr.open_datatree(place, engine="zarr" if suffix == ".zarr" else "h5netcdf") as opened:
        found = arviz.InferenceData.from_datatree(opened) if arviz.__version__.startswith("0") else opened
        name = estimated[0].name
        assert found["posterior"][name].dims == ("chain", "draw")
        assert found["posterior"].sizes["chain"] == 4
        summary = arviz.summary(found["posterior"][[name]] if hasattr(found, "groups") else found)
        assert float(summary["mean"].iloc[0]) == pytest.approx(chain[:, :, 0].mean(), abs=0.01)
        assert found["sample_stats"]["lp"].shape == (4, 30)
        assert found["observed_data"]["statistic"].item() == 3.0
        assert found["constant_data"]["noise"].item() == 0.5
    assert metadata_of(place)["ketamech equations"] == "abc"


def test_predictions_of_a_calibration_stand_beside_its_draws():
    tree, _, _ = calibration(predicted=np.full((7, 1), 2.5))
    found = tree["posterior_predictive"]
    assert dict(found.sizes) == {"chain": 1, "draw": 7, "row": 1}
    assert found["statistic"].sel(row="a row").values.ravel().tolist() == [2.5] * 7


def test_the_shipped_posterior_has_the_units_of_its_tables():
    tree = shipped_posterior(TABLE, {})
    draws = tree["posterior"]
    assert dict(draws.sizes) == {"chain": 4, "draw": 30}
    for name in draws.data_vars:
        assert draws[name].attrs["units"] == TABLE[str(name)].unit
    usual = {name: TABLE[str(name)].value for name in draws.data_vars}
    assert all(0.1 < float(draws[name].median()) / usual[name] < 10 for name in usual if usual[name])


def test_a_folder_goes_into_a_file_that_cites_its_papers(tmp_path):
    ended = run("simulate", "racemic 35 mg IV", "--out", "a", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    owed = run("cite", "a", cwd=tmp_path).stdout
    assert len(owed.splitlines()) > 10
    for suffix in SUFFIXES:
        ended = run("export", "a", "--to", f"a{suffix}", cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert run("cite", f"a{suffix}", cwd=tmp_path).stdout == owed
        facts = metadata_of(tmp_path / f"a{suffix}")
        for name in ("ketamech equations", "seed", "ketamech versions numpy", "ketamech command_line"):
            assert str(facts[name]), name
        assert "--to" in str(facts["ketamech exported_by"])
    assert run("cite", "a/curves.parquet", cwd=tmp_path).stdout == owed
    assert (
        metadata_of(tmp_path / "a" / "curves.parquet")["ketamech command_line"]
        == "ketamech simulate 'racemic 35 mg IV' --out a"
    )


def test_what_holds_no_results_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no results"):
        read_results(tmp_path / "empty")
    (tmp_path / "empty" / "mine" / "trial.zarr").mkdir(parents=True)
    with pytest.raises(InputError, match=r"type: .*mine"):
        read_results(tmp_path / "empty")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "the papers that it cites" in refused(run("cite", "x.csv", cwd=tmp_path), folder=tmp_path)


def test_an_error_about_a_damaged_store_names_its_cause(tmp_path):
    def read():
        try:
            raise OSError("checksum of chunk 0.0 is wrong")
        except OSError as problem:
            raise ValueError("cannot decode the array 'mood.madrs'") from problem

    with pytest.raises(InputError) as refusal, store_errors(tmp_path / "curves.zarr"):
        read()
    expected = "cannot decode the array 'mood.madrs'; caused by: checksum of chunk 0.0 is wrong"
    assert refusal.value.what == f"'curves.zarr' cannot be read: {expected}"
    with pytest.raises(InputError, match="no 'zarr_format'"), store_errors(tmp_path / "curves.zarr"):
        raise KeyError("zarr_format")
