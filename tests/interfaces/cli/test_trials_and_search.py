"""The commands of virtual people and trials: what they write, and one clear error for what makes no sense."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import xarray as xr

from command_line import run
from ketamech.exchange.output_folder import read_manifest
from ketamech.exchange.result_io import SUFFIXES, metadata_of
from ketamech.population.random_draws import number_of_name
from ketamech.report.bibliography import cite


def says_where_it_came_from(folder, seed=1):
    """Every table and store of a folder, and the folder, carry what made them, and the papers they owe."""
    owed = cite(folder)
    files = [path for path in folder.iterdir() if path.suffix in SUFFIXES]
    assert files
    for path in files:
        facts = metadata_of(path)
        for name in ("ketamech equations", "ketamech versions numpy", "ketamech command_line"):
            assert facts[name], (path.name, name)
        assert str(facts.get("seed", facts.get("ketamech seed"))) == str(seed), path.name
        assert cite(path) == owed, path.name


def test_people_are_drawn_weighted_and_drawn_again_alike(tmp_path):
    code, out, _ = run("population", "--patients", "60", "--weight-to", "male=0.5", "--out", "one", cwd=tmp_path)
    assert code == 0
    assert "person.age" in out
    table = pd.read_parquet(tmp_path / "one" / "people.parquet")
    weights = table["weight_in_target"]
    assert weights[table["male"] == 1].sum() / weights.sum() == pytest.approx(0.5)
    facts = json.loads((tmp_path / "one" / "summary.json").read_text(encoding="utf-8"))
    assert 0 < facts["effective_size"] <= 60
    assert (tmp_path / "one" / "people.svg").stat().st_size > 5000
    run("population", "--patients", "80", "--out", "two", cwd=tmp_path)
    again = pd.read_parquet(tmp_path / "two" / "people.parquet").head(60)
    pd.testing.assert_frame_equal(again, table.drop(columns="weight_in_target"))


def test_only_plausible_patients_are_kept(tmp_path):
    code, _, err = run(
        "population", "--patients", "40", "--plausible", "mood.madrs at 24 h = 0..20", "--out", "p", cwd=tmp_path
    )
    assert code == 0
    kept = json.loads((tmp_path / "p" / "summary.json").read_text(encoding="utf-8"))["plausible"]
    assert 0 < kept < 40
    assert "plausible" in err


TWO_ARMS = """
title: ketamine or placebo
population: trd
arms:
  ketamine: {treatment: racemic 0.5 mg/kg IV over 40 min, n: 10}
  placebo: {treatment: placebo IV, n: 10}
visits: {MADRS: [24 h]}
seed: 3
"""


def test_a_sample_size_is_found_with_its_interval(tmp_path):
    (tmp_path / "two.yaml").write_text(TWO_ARMS, encoding="utf-8")
    options = ("--replicates", "12", "--sample-size", "60 %", "--alpha", "0.1", "--out", "t")
    code, _, err = run("trial", "two.yaml", *options, cwd=tmp_path)
    assert code == 0, err
    text = " ".join(err.split())
    assert "points lower on ketamine than on placebo" in text
    assert "p < 0.1 in" in text
    assert "for a power of 60 %" in text or "no number of patients found" in text
    assert len(pd.read_csv(tmp_path / "t" / "power.csv", comment="#")) == 8
    summary = json.loads((tmp_path / "t" / "summary.json").read_text(encoding="utf-8"))
    assert "p < 0.1 in" in summary["differences"][0]
    code, _, err = run("trial", "two.yaml", "--sample-size", "1.8 %", cwd=tmp_path)
    assert code == 2
    assert "type: --sample-size 0.8" in err
    code, _, err = run("trial", "two.yaml", "--sample-size", "0.6", "--replicates", "1", cwd=tmp_path)
    assert code == 2
    assert "type: --replicates 100" in err
    code, _, err = run("trial", "two.yaml", "--sample-size", "0.6", "--patients", "40", cwd=tmp_path)
    assert code != 0
    assert "one of them" in err


def test_a_trial_leaves_data_tables_pictures_and_a_page(tmp_path):
    code, out, _ = run("trial", "murrough2013", "--replicates", "3", "--power", "10, 20", "--out", "t", cwd=tmp_path)
    assert code == 0
    assert "midazolam" in out
    assert "patients_per_arm" in out
    folder = tmp_path / "t"
    data = xr.open_zarr(folder / "trial.zarr")
    assert data.sizes["replicate"] == 3
    for name in ("adsl", "adqs", "means", "response", "primary"):
        assert len(pd.read_parquet(folder / f"{name}.parquet"))
    unnamed = [name for name, v in data.data_vars.items() if not v.attrs.get("long_name") and "exposure" not in name]
    assert not unnamed
    assert data["age"].attrs["units"] == "year"
    says_where_it_came_from(folder, number_of_name("murrough2013"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "not treatment or dosing advice" in page
    assert page.count("<svg") == 3
    listed = re.search(r"Tables in this folder: ([\w, ]+?) \(CSV", page)[1].split(", ")
    assert set(listed) == {path.stem for path in folder.glob("*.csv")}
    assert not re.search(r"[a-z]\.[0-9]", re.search(r"<p>3 virtual trials.*?</p>", page, re.DOTALL)[0])


def test_patients_of_a_trial_are_weighted_to_the_published_arms(tmp_path):
    code, out, _ = run(
        "trial", "berman2000", "--patients", "300", "--weight-to-published", "--out", "t", cwd=tmp_path
    )  # fmt: skip
    assert code == 0
    assert "effective" in out
    arms = pd.read_csv(tmp_path / "t" / "weighted_arms.csv", comment="#")
    assert sorted(arms["arm"]) == ["ketamine", "saline"]
    weights = pd.read_csv(tmp_path / "t" / "patient_weights.csv", comment="#")
    ratings = pd.read_parquet(tmp_path / "t" / "adqs.parquet")
    met = arms[arms["effective"] > 0]
    assert len(met)
    for arm in met.to_dict("records"):
        keys = {"TRTP": arm["arm"], "PARAMCD": arm["scale"]}
        mine = weights[(weights[list(keys)] == pd.Series(keys)).all(axis=1)]
        rows = ratings[(ratings[list(keys)] == pd.Series(keys)).all(axis=1)]
        rows = rows[rows["AVISIT"].str.endswith(arm["visit"])].merge(mine[["USUBJID", "WEIGHT"]], on="USUBJID")
        assert (rows["CHG"] * rows["WEIGHT"]).sum() / rows["WEIGHT"].sum() == pytest.approx(arm["change"], abs=1e-4)


def test_weights_without_published_arms_are_refused(tmp_path):
    code, _, err = run("trial", "withdrawal", "--weight-to-published", "--out", "t", cwd=tmp_path)
    assert code == 2
    assert "no arm with a published mean and SD" in err
    assert not (tmp_path / "t").exists()


def test_the_difference_between_arms_is_printed_first(tmp_path):
    _, out, _ = run("trial", "murrough2013", "--seed", "3", "--out", "t", cwd=tmp_path)
    head, line = (text.split("\t") for text in out.splitlines()[:2])
    found = dict(zip(head, line, strict=True))
    assert found["comparison"] == "MADRS-24h at 24 h, ketamine minus midazolam"
    table = pd.read_parquet(tmp_path / "t" / "primary.parquet").iloc[0]
    for name in ("difference", "low", "high"):
        assert float(found[name]) == pytest.approx(table[name], rel=1e-3)
    assert found["p"] == ("< 0.0001" if table["p"] < 1e-4 else f"{table['p']:.2g}")
    assert found["in words"] == ("ketamine is better" if table["p"] < 0.05 else "no significant difference")


def test_of_many_trials_the_mean_difference_and_how_many_are_significant_are_printed(tmp_path):
    _, out, _ = run("trial", "murrough2013", "--replicates", "6", "--out", "t", cwd=tmp_path)
    found = dict(zip(*(text.split("\t") for text in out.splitlines()[:2]), strict=True))
    table = pd.read_parquet(tmp_path / "t" / "primary.parquet")
    assert float(found["difference"]) == pytest.approx(table["difference"].mean(), rel=1e-3)
    assert found["p < 0.05 in"] == f"{(table['p'] < 0.05).sum()} of 6"
    assert found["in words"] == (
        f"ketamine is better on average, with p < 0.05 in {(table['p'] < 0.05).sum()} of 6 trials"
    )


@pytest.mark.parametrize(
    ("name", "patients", "missing"),
    [
        ("murrough2013", "6", "difference (MMRM)"),
        ("nasal_four_weeks", "6", "difference (MMRM)"),
        ("ssri", "2", "difference (ANCOVA)"),
    ],
)
def test_a_small_trial_ends_and_its_folder_takes_the_next_command(name, patients, missing, tmp_path):
    code, out, err = run("trial", name, "--patients", patients, "--out", "t", cwd=tmp_path)
    assert code == 0
    assert f"Not estimated: {missing}: " in " ".join(err.split())
    assert out.startswith("comparison\t")
    facts = json.loads((tmp_path / "t" / "summary.json").read_text(encoding="utf-8"))
    assert facts["not_estimated"][missing]
    assert run("trial", name, "--patients", "4", "--out", "t", cwd=tmp_path)[0] == 0


def test_the_folder_of_a_trial_is_the_one_that_is_named(tmp_path):
    for _ in range(2):  # the folder of a former run is no trial file
        assert run("trial", "ssri", "--patients", "2", "--out", "ssri", cwd=tmp_path)[0] == 0
    assert (tmp_path / "ssri" / "report.html").is_file()
    assert run("trial", "ssri", "tms", "--patients", "2", "--out", "two", cwd=tmp_path)[0] == 0
    assert (tmp_path / "two" / "ssri" / "report.html").is_file()
    assert (tmp_path / "two" / "tms" / "report.html").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.html").write_text("mine")
    code, _, err = run("trial", "ssri", "--patients", "2", "--out", "mine", cwd=tmp_path)
    assert code == 2
    assert "not a KetaMech run" in err
    assert (tmp_path / "mine" / "report.html").read_text() == "mine"


def test_regimens_are_searched(tmp_path):
    code, out, _ = run(
        "design", "--doses", "esketamine {dose} mg nasal = 28, 84", "--schedules", "weekly", "--weeks", "1",
        "--patients", "10", "--draws", "1", "--out", "d", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0
    assert "esketamine 84 mg nasal" in out
    assert len(pd.read_csv(tmp_path / "d" / "design.csv", comment="#")) == 2
    says_where_it_came_from(tmp_path / "d")


def test_sensitivity_of_a_few_parameters(tmp_path):
    code, out, _ = run(
        "sensitivity", "--parameters", "dissociation", "--endpoints", "dissociation.cadss peak", "--trajectories", "4",
        "--sobol-n", "16", "--out", "s", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0
    assert "dissociation.cadss_ec50" in out
    assert {"tornado.csv", "morris.csv", "sobol.csv"} <= {p.name for p in (tmp_path / "s").iterdir()}
    says_where_it_came_from(tmp_path / "s")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("people", "--population", "eldery"), "nearest: elderly"),
        (("people", "--set", "weight=fixed -70"), "'fixed -70' gives values from -70 to -70 kg"),
        (("people", "--plausible", "mood.madrs at 24 h = 45..5"), "is not an endpoint with bounds"),
        (("people", "--patients", "3", "--plausible", "mood.madrs at 24 h = 0..0.001"), "0 of 3 patients lie within"),
        (("people", "--weight-to", "male=1.5"), "a share of 1.5"),
        (("people", "--set", "age=normal 40 5 in 90 95"), "is impossible"),
        (("people", "--target", "mail=0.5"), "nearest: male"),
        (("people", "--keep", "mood is good"), "mood.madrs at 24 h = 5..45"),
        (("trial", "murough2013"), "nearest: murrough2013"),
        (("trial", "murrough2013", "--power", "many"), "--power '20, 40, 80'"),
        (("trial", "murrough2013_six_infusions", "--power", "10"), "two or more arms"),
        (("trial", "crossover_saline", "--power", "19"), "2 to 18, the number in the smallest arm"),
        (("trial", "murrough2013", "--power", "10", "--replicates", "1"), "a power from one trial"),
        (("trial", "murrough2013", "--power", "0"), "0 patients in each arm"),
        (("trial", "murrough2013", "--power", "20", "--patients", "30"), "20 patients in each arm"),
        (("trial", "murrough2013", "--sample-size", "0"), "a power of 0"),
        (("trial", "murrough2013", "--posterior", "nowhere.csv"), "there is no such file"),
        (("trial", "murrough2013", "--patients", "1"), "at least"),
        (("design", "--doses", "esketamine 84 mg nasal"), "does not name doses"),
        (("design", "--doses", "esketamine {dose} mg nasal = -28"), "positive"),
        (("design", "--doses", "esketamin {dose} mg nasal = 28"), "esketamine"),
        (("sensitivity", "--endpoints", "mood.madr at 24 h"), "nearest: mood.madrs"),
        (("sensitivity", "--endpoints", "mood.madrs at day 1e9"), "is after the longest simulated time"),
        (("sensitivity", "--endpoints", "mood.madrs at week 4"), "can be read in two ways"),
        (("sensitivity", "--parameters", "spinez"), "nearest: spines"),
        (("sensitivity", "--sobol-n", "100"), "power of 2"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(tmp_path, arguments, says):
    code, _, err = run(*arguments, cwd=tmp_path)
    assert code == 2
    assert says in err
    assert "Traceback" not in err
    assert not any(tmp_path.iterdir())


def test_a_population_is_written_completely_and_replaces_no_other_files(tmp_path):
    mine = tmp_path / "mine" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    code, _, err = run("population", "--patients", "40", "--out", "mine", cwd=tmp_path)
    assert code == 2
    assert "not a KetaMech run" in err
    assert run("population", "--patients", "40", "--out", "ours", cwd=tmp_path)[0] == 0
    assert read_manifest(tmp_path / "ours")["files"].keys() >= {"people.csv", "people.parquet", "summary.json"}
    assert (pd.read_csv(tmp_path / "ours" / "people.csv", comment="#")["person"] == range(40)).all()
