"""Enrolment by rated score: selection, regression to the mean, lead-ins, raters, and independence of grouping."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.core.errors import RenamedWarning
from ketamech.population.virtual_population import EVENT_LOAD
from ketamech.trials.run_trial import TrialRun, run_trial
from ketamech.trials.trial_reader import load_trial

STEADY = {"people.load_sd": 0, "people.life_event_rate": 0, "people.remission_exponent": 0}
PLAIN = {
    "title": "selected by score",
    "population": "mdd",
    "arms": {"nothing": {"treatment": "placebo oral", "n": 60, "belief": "none"}},
    "visits": {"MADRS": ["day 8", "day 29"]},
    "eligibility": {"include": "MADRS >= 28", "screening": "2 weeks"},
}


def trial(eligibility=None, **changes):
    own = PLAIN["eligibility"] if eligibility is None else eligibility
    return load_trial({**PLAIN, "eligibility": own, **changes})


@pytest.fixture(scope="module")
def selected(model):
    return run_trial(trial(), model, replicates=4, threads=1)


def change(found, name, visit="day 29"):
    return (found[name].sel(visit=visit) - found[name].sel(visit="baseline")).values


def test_every_patient_meets_the_criterion_as_rated_and_failures_are_counted(selected):
    assert selected["MADRS"].sel(visit="baseline").values.min() >= 28
    assert selected["true_MADRS"].sel(visit="baseline").values.min() < 26
    assert selected["screened"].values.min() == 1
    assert 0.2 < 1 - selected["screened"].size / selected["screened"].values.sum() < 0.7
    assert (selected["solve_status"] == "ok").all()


def test_the_selected_improve_without_treatment_and_the_unselected_do_not(model, selected):
    """Half of the gain is rating error and short fluctuations, the other half circumstances that return to usual."""
    unselected = run_trial(load_trial({k: v for k, v in PLAIN.items() if k != "eligibility"}), model, replicates=4)
    assert change(selected, "MADRS").mean() < change(unselected, "MADRS").mean() - 1.5
    assert change(selected, "MADRS", "day 8").mean() < change(selected, "true_MADRS", "day 8").mean() - 0.7
    still = run_trial(trial(parameters=STEADY), model, replicates=4)
    assert np.abs(change(still, "true_MADRS")).max() < 1e-6
    assert change(still, "MADRS").mean() < -1


def test_groups_threads_and_replicates_change_no_bit(model, selected, monkeypatch):
    assert run_trial(trial(), model, replicates=4, threads=2).equals(selected)
    monkeypatch.setattr("ketamech.trials.run_trial.PATIENTS_PER_GROUP", 60)
    assert run_trial(trial(), model, replicates=4, threads=1).equals(selected)
    assert run_trial(trial(), model, first=2, threads=1).equals(selected.isel(replicate=[2]))


def test_a_smaller_trial_has_the_same_first_patients(model, selected):
    few = run_trial(trial(), model, patients=20, threads=1)
    for name in ("MADRS", "true_MADRS", "weight", "screened"):
        assert np.array_equal(few[name].values[0], selected[name].values[0, :20]), name


def test_responders_to_a_lead_in_are_excluded(model):
    """Those who expect much improve in an open lead-in with placebo."""
    rules = {"include": "MADRS >= 0", "screening": "4 weeks", "lead_in": "placebo oral daily for 4 weeks"}
    every = run_trial(trial(rules), model, threads=1)
    chosen = run_trial(trial({**rules, "exclude": "MADRS falls by 25 %"}), model, threads=1)
    assert every["screened"].values.max() == 1
    assert chosen["screened"].values.mean() > 1.5
    assert np.median(chosen["expectancy"]) < 0.8 * np.median(every["expectancy"])


def test_a_lead_in_without_belief_leaves_no_expectancy(model):
    rules = {"include": "MADRS >= 0", "screening": "4 weeks", "lead_in": "placebo oral daily for 4 weeks"}
    start = {}
    for belief in ("open", "none"):
        found = run_trial(trial({**rules, "belief": belief}, parameters=STEADY), model, threads=1)
        start[belief] = float(found["true_MADRS"].sel(visit="baseline").mean())
    assert start["none"] > start["open"] + 3


def test_the_old_keys_of_baseline_inflation_are_read_with_a_warning():
    with pytest.warns(RenamedWarning, match="baseline_inflation"):
        read = trial({"include": "MADRS >= 28", "inflation": 4, "inflating": "50 %"})
    assert (read.eligibility.baseline_inflation, read.eligibility.inflating_share) == (4, 0.5)


def test_raters_lift_scores_to_the_limit_and_independent_raters_do_not(model):
    rules = {"include": "MADRS >= 28", "baseline_inflation": 4}
    site, other = (run_trial(trial({**rules, "raters": by}), model, replicates=3) for by in ("site", "independent"))
    score = site["MADRS"].sel(visit="baseline").values
    assert (score == 28).mean() > 2 * (score == 29).mean()
    assert other["MADRS"].sel(visit="baseline").values.min() < 24
    honest = run_trial(trial({"include": "MADRS >= 28"}), model, replicates=3)
    assert site["screened"].values.sum() < honest["screened"].values.sum()


def test_the_rating_at_screening_continues_in_that_at_baseline(model):
    """Fluctuations of a patient are correlated over two days and hardly over six weeks."""
    normals = {}
    for screening in ("48 h", "6 weeks"):
        run = TrialRun.of(trial({"include": "MADRS >= 0", "screening": screening}), model, patients=4000)
        enrolled = run.enrol_replicates([0])[0]
        pair = enrolled.screening_normals[:, 1, 0], enrolled.rating_normals[:, 1, 0, 0]
        normals[screening] = np.corrcoef(*pair)[0, 1]
        assert np.std(pair[1]) == pytest.approx(1, abs=0.04)
    scale = trial().scales["MADRS"]
    assert normals["48 h"] == pytest.approx(np.exp(-48 / (24 * scale.correlation_time)), abs=0.04)
    assert abs(normals["6 weeks"]) < 0.05


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"include": "remission of MADRS"}, "relative to a baseline"),
        ({"include": "MADRS >= 20", "lead_in": "placebo oral daily for 2 weeks"}, "screening"),
        ({"include": "SSI >= 4"}, "not rated"),
        ({"include": "MADRS >= 20", "inflating_share": "120 %"}, "120 %"),
    ],
)
def test_impossible_criteria_are_refused(rules, words):
    with pytest.raises(InputError, match=words):
        trial(rules)


def test_a_criterion_without_eligible_candidates_reports_their_share(model):
    with pytest.raises(InputError, match="none of 200 candidates") as refused:
        run_trial(trial({"include": "MADRS > 59"}), model, patients=2)
    assert refused.value.key == "eligibility"


COMPARED = {
    "esketamine": {"treatment": "esketamine 84 mg nasal twice weekly for 4 weeks", "n": 24},
    "placebo": {"treatment": "placebo nasal twice weekly for 4 weeks", "n": 24},
}


def test_load_is_split_for_protection_only(model, monkeypatch):
    """Without protection the trial is the same however load is split; with it the load at enrolment stays."""
    plain = trial(arms=COMPARED)
    unprotected = trial(arms=COMPARED, parameters={"course.protection_ec50": 1e9})
    split, without = run_trial(plain, model), run_trial(unprotected, model)
    monkeypatch.setattr("ketamech.population.virtual_population.LOAD", EVENT_LOAD)  # all load is protected
    joined = run_trial(unprotected, model)
    assert np.abs(joined["true_MADRS"] - without["true_MADRS"]).max() < 2e-3
    treated = split["arm"].values[0, :, 0] == "esketamine"
    fall = change(split, "true_MADRS")[0] - change(run_trial(plain, model), "true_MADRS")[0]
    assert fall[treated].mean() > 0.2
    assert np.abs(fall[~treated]).max() < 2e-3


@pytest.mark.parametrize("criteria", [PLAIN["eligibility"], None])
def test_paired_arms_have_the_same_patients(model, criteria):
    stated = {**PLAIN, "eligibility": criteria, "arms": COMPARED}
    plain = load_trial({key: value for key, value in stated.items() if value})
    paired = plain.replace(paired_arms=True, study_size=48)
    found = run_trial(paired, model, threads=1)
    arms = found["arm"].values[0, :, 0]
    assert (arms == np.repeat(["esketamine", "placebo"], 24)).all()
    for name in ("MADRS", "true_MADRS"):
        baseline = found[name].sel(visit="baseline").values[0]
        assert np.array_equal(baseline[:24], baseline[24:])
    same = paired.replace(arms=tuple(replace(arm, regimen=paired.arms[1].regimen) for arm in paired.arms))
    both = run_trial(same, model, threads=1)["MADRS"].values[0]
    assert np.array_equal(both[:24], both[24:], equal_nan=True)
    alone = run_trial(replace(paired, arms=paired.arms[1:]), model, threads=1)["MADRS"].values[0]
    assert np.array_equal(alone, found["MADRS"].values[0, 24:], equal_nan=True)
