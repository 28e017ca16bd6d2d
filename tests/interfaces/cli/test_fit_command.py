"""`ketamech fit` and `ketamech vpc` from the command line."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from command_line import refused, run
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
from ketamech.dosing.regimen import Regimen
from ketamech.simulation.load_scenario import load_scenario

HEADER = "ID,TIME,AMT,ROUTE,DUR,DRUG,DVID,DV,CENS"
UNIT = "venous.ketamine [ng/mL]"
LEVELS = ((0.4, 150), (0.7, 165), (1, 80), (2, 45), (4, 24), (8, 9))


def written(path, persons):
    rows = [HEADER]
    for i in range(persons):
        rows.append(f"{i + 1},0,35,IV,0.6667,racemic,.,.,.")
        rows += [f"{i + 1},{time},0,.,.,.,venous.ketamine,{level * np.exp(0.2 * np.sin(3 * i)):.4g},0"
                 for time, level in LEVELS]  # fmt: skip
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_one_person_is_fitted_and_reported(tmp_path):
    written(tmp_path / "levels.csv", 1)
    ended = run("fit", "levels.csv", "--observe", UNIT, "--out", "found", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "For research and education only" in ended.stderr
    assert "pharmacokinetics.intrinsic_clearance_s" in ended.stdout
    page = (tmp_path / "found" / "report.html").read_text(encoding="utf-8")
    assert page.count("For research and education only: not treatment or dosing advice.") >= 2
    assert "Each person was fitted alone" in page
    table = pd.read_csv(tmp_path / "found" / "persons.csv", comment="#")
    assert (table["low"] < table["estimate"]).all()
    residuals = pd.read_csv(tmp_path / "found" / "residuals.csv", comment="#")
    assert residuals["DV"].tolist() == [level for _, level in LEVELS]
    goals = ["--goal", "venous.ketamine peak = 200 ng/mL", "--goal", "dissociation.cadss peak <= 20"]
    ended = run("individualise", "found", "racemic {dose} mg/kg IV over 40 min", *goals, "--doses", "0.1, 2",
                cwd=tmp_path)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "not a recommendation of a dose" in ended.stderr
    doses = pd.read_csv(tmp_path / "found-doses" / "doses.csv")
    assert doses["ID"].tolist() == [1, 1]
    assert doses["probability"][1] == pytest.approx(0.9, abs=0.02)
    assert (tmp_path / "found-doses" / "doses.svg").is_file()
    assert {"individual_fits.svg", "goodness_of_fit.png", "predictive_check.svg", "parameters.svg"} <= {
        path.name for path in (tmp_path / "found").iterdir()
    }


def test_a_person_whose_levels_are_all_below_the_limit_is_reported(tmp_path):
    written(tmp_path / "levels.csv", 1)
    how = ["--observe", UNIT, "--lloq", "400", "--parameters", "intrinsic_clearance_s", "--out", "found"]
    ended = run("fit", "levels.csv", *how, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "posterior and prior are nearly the same" in " ".join(ended.stderr.split())
    assert (tmp_path / "found" / "individual_fits.svg").is_file()
    assert not (tmp_path / "found" / "goodness_of_fit.svg").exists()
    assert "goodness_of_fit" not in (tmp_path / "found" / "report.html").read_text(encoding="utf-8")


def test_a_group_is_fitted_and_its_posterior_is_checked_on_other_data(tmp_path):
    written(tmp_path / "levels.csv", 5)
    how = ["--parameters", "intrinsic_clearance_s", "--warm-up", "10", "--draws", "30", "--threads", "2"]
    ended = run("fit", "levels.csv", "--observe", UNIT, *how, "--out", "found", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    folder = tmp_path / "found"
    summary = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    assert (summary["kind"], summary["persons"], summary["measurements"]) == ("group", 5, 30)
    group = pd.read_csv(folder / "group.csv", comment="#")
    assert group["parameter"].tolist()[0] == "pharmacokinetics.intrinsic_clearance_s"
    tree = xr.open_datatree(folder / "posterior.zarr", engine="zarr")
    assert {"posterior", "sample_stats", "observed_data", "log_likelihood"} <= set(tree.children)
    assert "another person" in ended.stdout
    assert "Predictive accuracy" in (folder / "report.html").read_text(encoding="utf-8")
    assert tree["posterior"]["pharmacokinetics.intrinsic_clearance_s"].sizes == {"chain": 4, "draw": 30}
    assert (folder / "chains.svg").is_file()
    written(tmp_path / "others.csv", 2)
    ended = run("vpc", "others.csv", "--observe", UNIT, "--fit", "found", "--bins", "0, 1, 9", "--out", "check",
                cwd=tmp_path)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    table = pd.read_csv(tmp_path / "check" / "predictive_check.csv", comment="#")
    assert len(table) == 2 * 3
    assert (table["low"] <= table["high"]).all()


def test_a_published_population_model_is_fitted_checked_and_used_for_doses(tmp_path):
    model = ["--pk-model", str(Path(__file__).parents[3] / "examples" / "fit" / "otto_2021.yaml")]
    unit = "venous.esketamine [ng/mL]"
    path = written(tmp_path / "levels.csv", 5)
    text = path.read_text(encoding="utf-8").replace("racemic", "esketamine").replace("venous.k", "venous.esk")
    path.write_text(text, encoding="utf-8")
    how = ["--warm-up", "10", "--draws", "30", "--threads", "2"]
    ended = run("fit", "levels.csv", "--observe", unit, *model, *how, "--out", "found", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    group = pd.read_csv(tmp_path / "found" / "group.csv", comment="#").set_index("parameter")
    assert list(group.index[:2]) == ["poppk.cl", "poppk.v1"]
    assert group["prior"].tolist()[:2] == [95.2, 133]
    assert group["unit"].tolist()[:2] == ["L/h", "L"]
    checked = run("vpc", "levels.csv", "--observe", unit, "--fit", "found", *model, "--out", "check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    doses = ["individualise", "found", "esketamine {dose} mg IV over 40 min", "--person", "1"]
    goal = ["--goal", "venous.esketamine peak = 100 ng/mL"]
    assert run(*doses, *goal, *model, cwd=tmp_path).returncode == 0
    for command in (["vpc", "levels.csv", "--observe", unit, "--fit", "found", "--out", "other"], [*doses, *goal]):
        text = refused(run(*command, cwd=tmp_path), folder=tmp_path)
        assert "'found' is a fit of other pharmacokinetics" in text
        assert "--pk-model" in text


def test_sampling_times_are_printed_with_what_they_inform(tmp_path):
    names = ["--parameters", "intrinsic_clearance_s, shallow_volume"]
    ended = run("sampling-times", "racemic 0.5 mg/kg IV over 40 min", "--observe", UNIT, *names, "--samples", "2",
                "--candidates", "0.5, 1, 2, 8, 24", "--compare", "0.5, 1", "--draws", "5", cwd=tmp_path)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "expected_sd" in ended.stdout
    assert "D-efficiency of 0.5, 1 h" in ended.stderr


def test_steps_of_a_target_infusion_are_a_regimen(tmp_path):
    ended = run(
        "target-infusion", "esketamine", "venous.esketamine [ng/mL]", "50, 100", "--each", "20 min", cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert "not a recommendation of a dose" in " ".join(ended.stderr.split())
    sentence = ended.stdout.splitlines()[-1]
    assert Regimen.parse(sentence).treatments[0].duration == pytest.approx(2 / 60)


def test_more_steps_than_a_sentence_holds_are_a_scenario_file(tmp_path):
    ended = run(
        "target-infusion", "esketamine", "venous.esketamine [ng/mL]", "50, 100, 150", "--each", "1 h", "--to",
        "steps.yaml", cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "steps.yaml").read_text(encoding="utf-8")
    assert ended.stdout.rstrip().endswith(text.rstrip())
    regimen = load_scenario(tmp_path / "steps.yaml").regimen
    assert len(regimen.sentence()) > MAX_TEXT_LENGTH
    assert len(regimen.treatments) == len(re.findall(r'(?m)^ *- "esketamine .* mg/h IV over .* min', text)) > 12


def test_a_check_of_the_tables_needs_no_fit(tmp_path):
    written(tmp_path / "levels.csv", 3)
    ended = run("vpc", "levels.csv", "--observe", UNIT, "--corrected", "--out", "check", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "check" / "predictive_check.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "levels.csv"), ["has no unit", "--observe"]),
        (
            ("fit", "levels.csv", "--observe", UNIT, "--parameters", "clearence"),
            ["no parameter 'clearence'", "nearest: pharmacokinetics.intrinsic_clearance_s"],
        ),
        (("fit", "levels.csv", "--observe", UNIT, "--full"), ["those of a group"]),
        (("fit", "levels.csv", "--observe", UNIT, "--bins", "many"), ["is not a list of numbers"]),
        (
            ("fit", "levels.csv", "--observe", UNIT, "--bins", "100, 200"),
            ["no measurement lies between 100 and 200 h", "0.4 to 8 h"],
        ),
        (("vpc", "levels.csv", "--observe", UNIT, "--fit", "nowhere"), ["holds no fit of a group"]),
        (("fit", "levels.csv", "--observe", UNIT, "--compare", "nowhere"), ["holds no fit of a group"]),
        (("individualise", "nowhere", "racemic {dose} mg/kg IV"), ["holds no fit"]),
        (("sampling-times", "racemic 0.5 mg/kg IV"), ["no output is observed", "--observe"]),
        (("target-infusion", "racemic", UNIT, "100", "--each", "5 min"), ["no target levels", "more than 10 min"]),
        (("target-infusion", "racemic", UNIT, "100", "--each", "9 days"), ["target levels for 216 h"]),
        (
            ("sampling-times", "racemic 1 mg IV", "--observe", UNIT, "--candidates", "1, 1e9"),
            ["a sampling time of 1e+09"],
        ),
        (("target-infusion", "ketamin", UNIT, "100"), ["'ketamin' (character 1)", "nearest: ketamine"]),
        (("fit", "levels.csv", "--observe", UNIT, "--parameters", "clearance"), ["intrinsic_clearance_s"]),
        (("fit", "missing.csv", "--observe", UNIT), ["missing.csv"]),
    ],
)
def test_what_cannot_be_fitted_is_refused(tmp_path, arguments, words):
    written(tmp_path / "levels.csv", 1)
    ended = run(*arguments, cwd=tmp_path)
    text = refused(ended, folder=tmp_path)
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("venous.ketamine", ["venous.ketamine has no unit", 'type: "venous.ketamine [ng/mL]"']),
        ("venous.ketamine [kg]", ["cannot be measured in kg", 'type: "venous.ketamine [ng/mL]"']),
        ("1=venous.ketamine [ng/mL]", ["is not an observed output", "expected: output [unit]"]),
        ("venous.ketamin [ng/mL]", ["there is no output 'venous.ketamin'", "nearest: venous.ketamine"]),
    ],
)
def test_a_target_that_is_no_level_is_refused_by_the_name_of_its_argument(tmp_path, output, words):
    text = refused(run("target-infusion", "racemic", output, "100", cwd=tmp_path), folder=tmp_path)
    for word in ("key: OUTPUT", *words):
        assert word in text
    assert "--observe" not in text
    assert "DV" not in text
