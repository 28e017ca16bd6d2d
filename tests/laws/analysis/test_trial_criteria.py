"""Acceptance criteria of virtual trials: their table, and how each is judged, on made-up trials."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ketamech.analysis import trial_scorecard
from ketamech.analysis.trial_scorecard import judge_criteria, load_trial_criteria
from ketamech.core import InputError
from ketamech.evidence import load_evidence
from ketamech.trials.rating_scales import load_scales

EVIDENCE = load_evidence()
PAGE = Path(__file__).parents[3] / "docs" / "trials-scorecard.md"
CALIBRATE = ["murrough13b-relapse", "murrough13-resp-ket", "murrough13-resp-mdz"]


def rows(**changes):
    """Three rows whose published number lies in the prediction interval, and a context row that does not count."""
    table = pd.DataFrame({
        "id": [*CALIBRATE, "context"],
        "use": ["calibrate"] * 3 + ["context"],
        "published": [18.0, 64.0, 28.0, 1.0],
        "simulated": [20.0, 50.0, 20.0, 9.0],
        "sim_low": [10.0, 40.0, 5.0, 8.0],
        "sim_high": [30.0, 70.0, 30.0, 9.0],
        "inside": [True, True, True, False],
        "width_ratio": [1.0, 2.0, 3.0, 99.0],
    })  # fmt: skip
    return table.assign(**changes)


def nasal(scores):
    """A trial of one replicate with a baseline and sessions; the last patient is on placebo and dissociates always."""
    scores = np.array([[*patient] for patient in [*scores, [90.0] * len(scores[0])]])
    arms = [["esketamine"] * scores.shape[1]] * (len(scores) - 1) + [["placebo"] * scores.shape[1]]
    dims = ("replicate", "patient", "visit")
    return xr.Dataset({"CADSS": (dims, scores[None]), "arm": (dims, np.array([arms]))})


def steps(ratings, levels):
    dims = ("replicate", "patient", "visit")
    values = {"VAS-hallucinogen": ratings, "true_ketamine": levels}
    return xr.Dataset({name: (dims, np.array([[numbers]], dtype=float)) for name, numbers in values.items()})


def judged(table=None, scores=((0, 9, 9), (0, 9, 0), (0, 9, 0), (0, 0, 0)), ratings=(5, 0, 1, 2, 3)):
    trials = {"nasal_four_weeks": nasal(scores), "bowdle1998": steps(ratings, (99, 0, 50, 100, 150))}
    found = judge_criteria(load_trial_criteria(EVIDENCE), rows() if table is None else table, trials)
    return found.assign(measure=[one.measure for one in load_trial_criteria(EVIDENCE)])


def test_every_measure_has_the_value_of_its_definition():
    values = judged().groupby("measure", sort=False)["value"].apply(list).to_dict()
    assert values == {
        "inside share": [1.0],
        "width ratio": [2.0],
        "published number": [18.0, 64.0, 28.0],
        "dissociating percent": [75.0],
        "dissociation decline": [50.0],
        "rating correlation": [pytest.approx(1.0)],
    }


def test_everything_can_be_reached_and_missed():
    assert judged()["reached"].all()
    missed = judged(
        rows(inside=False, width_ratio=2.1, sim_high=15.0),
        scores=((0, 0, 0), (0, 0, 9), (0, 0, 9), (0, 0, 9), (0, 0, 9), (0, 0, 9), (0, 0, 9)),
        ratings=(0, 3, 1, 2, 0),
    )
    assert not missed["reached"].any(), missed


def test_a_score_at_the_limit_of_the_scale_is_no_dissociation():
    limit = load_scales()["CADSS"].remission
    found = judged(scores=((0, limit, limit), (0, limit + 1, limit))).set_index("measure")["value"]
    assert found["dissociating percent"] == 50.0


def test_bounds_are_the_numbers_of_the_evidence_rows():
    by_measure = {one.measure: one for one in load_trial_criteria(EVIDENCE)}
    label, correlation = by_measure["dissociating percent"], by_measure["rating correlation"]
    assert (label.low, label.high) == (EVIDENCE["spravato-diss-lo"].value, EVIDENCE["spravato-diss-hi"].value)
    assert correlation.low == EVIDENCE["bowdle98-rmin"].value


def test_the_page_has_every_criterion():
    goals = PAGE.read_text(encoding="utf-8").partition("## Goals")[2].partition("## ")[0]
    stated = [line.split("|")[1].strip() for line in goals.splitlines() if line.startswith("| ")][1:]
    assert stated == [one.goal for one in load_trial_criteria(EVIDENCE)]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("g,guess,,,1,,why", "measure"),
        ("g,inside share,,,,,why", "low"),
        ("g,published number,,nothing,,,why", "evidence"),
        ("g,rating correlation,,,0.9,,why", "trial"),
        ("g,inside share,,,0.9,,", "reason"),
    ],
)
def test_a_bad_cell_is_refused(tmp_path, monkeypatch, row, column):
    path = tmp_path / "trial_criteria.csv"
    path.write_text(f"{','.join(trial_scorecard.CRITERIA_COLUMNS)}\n{row}\n", encoding="utf-8")
    monkeypatch.setattr(trial_scorecard, "CRITERIA", path)
    with pytest.raises(InputError, match=f"column '{column}'"):
        load_trial_criteria(EVIDENCE)
