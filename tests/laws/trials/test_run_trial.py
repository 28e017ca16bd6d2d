"""Simulated trials: allocation, ratings, dropout and missed doses, and their independence of grouping."""

from dataclasses import replace
from threading import Event
from time import sleep

import numpy as np
import pytest
import xarray as xr

from ketamech.core import InputError
from ketamech.core.progress import check_interrupt
from ketamech.population.virtual_population import load_population
from ketamech.trials.decision_rules import is_met
from ketamech.trials.design import Condition, TreatmentCourse
from ketamech.trials.enrolment import visit_hours
from ketamech.trials.run_trial import TrialRun, run_trial
from ketamech.trials.trial_dosing import TrialDosing
from ketamech.trials.trial_reader import load_trial

KETAMINE = "racemic 0.5 mg/kg IV over 40 min"
TWO_ARMS = {
    "title": "two arms",
    "arms": {"ketamine": {"treatment": KETAMINE, "n": 20}, "saline": {"treatment": "placebo IV", "n": 10}},
    "visits": {"MADRS": ["24 h", "day 8"], "CADSS": ["40 min"]},
    "primary": "MADRS at 24 h",
}
COURSE = "esketamine 84 mg nasal twice weekly for 2 weeks"


def trial(**changes):
    return load_trial({**TWO_ARMS, **changes})


@pytest.fixture(scope="module")
def held(model):
    return run_trial(trial(), model, replicates=3, threads=1)


def fall(found, arm, visit, scale="true_MADRS"):
    """Mean fall of an arm."""
    score = found[scale].sel(visit=visit).values - found[scale].sel(visit="baseline").values
    return -np.nanmean(score[found["arm"].sel(visit=visit).values == arm])


def test_the_dataset_holds_arms_scores_and_covariates(held):
    assert dict(held.sizes) == {"replicate": 3, "patient": 30, "visit": 4}
    assert [(held["arm"].values[r] == "ketamine").sum() // 4 for r in range(3)] == [20, 20, 20]
    assert list(held["hour"].values) == pytest.approx([0, 2 / 3, 24, 168])
    assert set(held["solve_status"].values.ravel()) == {"ok"}
    assert held["MADRS"].attrs["units"] == "points"
    for name in ("age", "weight", "male", "baseline_madrs", "doses_given", "exposure_ketamine_cmax"):
        assert held[name].dims == ("replicate", "patient")


def test_a_scale_is_known_only_where_it_is_rated(held):
    assert np.isnan(held["MADRS"].sel(visit="40 min")).all()
    assert np.isfinite(held["CADSS"].sel(visit=["baseline", "40 min"])).all()
    assert np.isnan(held["CADSS"].sel(visit="24 h")).all()


def test_scores_are_whole_points_within_bounds_and_err_about_the_truth(held):
    score = held["MADRS"].sel(visit="24 h").values
    assert np.array_equal(score, np.round(score))
    assert score.min() >= 0
    assert score.max() <= 60
    assert 1 < np.std(score - held["true_MADRS"].sel(visit="24 h").values) < 8


def test_ketamine_does_more_than_saline_and_only_ketamine_is_felt(held):
    assert fall(held, "ketamine", "24 h") > fall(held, "saline", "24 h") + 1
    peak, arm = held["exposure_cadss_peak"].values, held["arm"].values[:, :, 0]
    assert np.median(peak[arm == "ketamine"]) > 5
    assert np.all(peak[arm == "saline"] == 0)
    assert np.all(held["exposure_ketamine_auc24"].values[arm == "saline"] == 0)
    assert np.array_equal(held["doses_given"].values, (arm == "ketamine").astype(int))


def test_more_replicates_threads_or_another_first_change_no_bit(model, held):
    assert run_trial(trial(), model, replicates=3, threads=2).equals(held)
    alone = [run_trial(trial(), model, replicates=1, first=r, threads=1) for r in range(3)]
    for r, one in enumerate(alone):
        assert one.equals(held.isel(replicate=[r]))


@pytest.mark.parametrize("threads", [1, 2])
def test_solving_in_small_groups_changes_no_bit(model, held, monkeypatch, threads):
    monkeypatch.setattr("ketamech.trials.run_trial.PATIENTS_PER_GROUP", 30)
    assert run_trial(trial(), model, replicates=3, threads=threads).equals(held)


def test_a_run_that_is_left_ends_groups_that_are_solved_and_starts_no_others(model, monkeypatch):
    started, ended, second = [], [], Event()

    def group(run, numbers):
        started.append(numbers[0])
        if not numbers[0]:
            second.wait(60)
            return usual(run, numbers)
        second.set()
        for _ in range(3000):
            try:
                check_interrupt()
            except KeyboardInterrupt:
                ended.append(numbers[0])
                raise
            sleep(0.01)
        return usual(run, numbers)

    usual = TrialRun.simulate_group
    monkeypatch.setattr("ketamech.trials.run_trial.PATIENTS_PER_GROUP", 30)
    monkeypatch.setattr(TrialRun, "simulate_group", group)
    groups = TrialRun.of(trial(), model, threads=2).iterate(6)
    assert next(groups).sizes["replicate"] == 1
    groups.close()
    assert started[:2] == [0, 1]
    assert sorted(started[1:]) == sorted(ended)
    assert len(started) < 6


def test_replicates_are_other_people(held):
    weights = held["weight"].values
    assert not np.any(np.isclose(weights[0], weights[1]))


def test_a_posterior_draw_applies_to_its_whole_replicate_and_the_median_to_replicate_0(model):
    draws = [{"mood.connectivity_weight": w, "mood.habenula_weight": 0.0} for w in (0.0, 2.0, 50.0)]
    middle = trial(parameters={"mood.connectivity_weight": 2.0, "mood.habenula_weight": 0.0})
    drawn = run_trial(trial(), model, replicates=2, threads=1, posterior=draws)
    xr.testing.assert_equal(drawn.isel(replicate=[0]), run_trial(middle, model, threads=1))
    plain = run_trial(trial(), model, replicates=2, threads=1)
    gained, lost = (fall(found.isel(replicate=[1]), "ketamine", "24 h") for found in (plain, drawn))
    assert lost < gained - 2


def test_open_label_gives_more_belief_than_double_blind(model):
    blind, told = (run_trial(trial(blinding=b), model, replicates=2, threads=1) for b in ("double", "open"))
    assert fall(told, "saline", "24 h") > fall(blind, "saline", "24 h") + 0.5


def test_functional_unblinding_can_be_switched_off(model):
    off = trial(parameters={"expectancy.unblinding": 0})
    felt, unfelt = (run_trial(t, model, replicates=2, threads=1) for t in (trial(), off))
    assert fall(felt, "ketamine", "24 h") > fall(unfelt, "ketamine", "24 h")
    assert fall(felt, "saline", "24 h") == pytest.approx(fall(unfelt, "saline", "24 h"), abs=1e-6)


def test_a_rating_with_a_short_recall_moves_less_until_the_next_full_one(model):
    visits = {"MADRS": ["4 h", "24 h"], "MADRS-24h": ["4 h", "24 h"]}
    found = run_trial(trial(visits=visits), model, threads=1)
    full, short = (found[f"true_{name}"] - found[f"true_{name}"].sel(visit="baseline") for name in visits)
    assert np.allclose(short.sel(visit="4 h"), 0.8 * full.sel(visit="4 h"))
    assert np.allclose(short.sel(visit="24 h"), full.sel(visit="24 h"))


def test_an_antidepressant_added_in_all_arms_helps_the_control(model):
    visits = {"MADRS": ["24 h", "day 29"]}
    plain, added = (
        run_trial(trial(visits=visits, **more), model, replicates=2, threads=1)
        for more in ({}, {"add_on": "antidepressant daily"})
    )
    assert fall(added, "saline", "day 29") > fall(plain, "saline", "day 29") + 3


def test_visits_fall_within_their_window_and_never_after_the_next_dose(model):
    arms = {"esketamine": {"treatment": COURSE, "n": 40}}
    found = run_trial(
        trial(arms=arms, visits={"MADRS": ["day 4", "day 6", "day 20"]}, window="12 h", primary=None), model
    )
    hours = found["visit_time"].values[0]
    assert np.all(hours[:, 1] <= 72 + 1e-9)  # a dose is due then
    assert np.all(np.abs(hours[:, 2] - 120) <= 12 + 1e-9)
    assert np.ptp(hours[:, 2]) > 5
    assert np.all(np.diff(hours, axis=1) > 0)


def test_blocks_keep_arms_even_in_every_stratum(model):
    allocation = {"block": 3, "strata": {"site": {"A": 0.5, "B": 0.5}}}
    found = run_trial(trial(allocation=allocation), model, threads=1)
    arm, stratum = found["arm"].values[0, :, 0], found["stratum"].values[0]
    assert set(stratum) == {"A", "B"}
    for name in ("A", "B"):
        here = arm[stratum == name]
        whole = here[: len(here) // 3 * 3].reshape(-1, 3)
        assert np.all((whole == "ketamine").sum(axis=1) == 2)


def test_who_left_is_missing_from_then_on_and_counted(model):
    found = run_trial(trial(dropout="30 %"), model, replicates=4, threads=1)
    left, hours = found["left"].values, found["visit_time"].values
    score = found["MADRS"].values[:, :, [0, 2, 3]]
    gone = hours[:, :, [0, 2, 3]] > np.where(np.isnan(left), np.inf, left)[:, :, None]
    assert np.array_equal(np.isnan(score), gone)
    assert 0.15 < np.isfinite(left).mean() < 0.45
    assert set(found["why_left"].values[np.isfinite(left)]) == {"other reasons"}


def test_side_effects_and_lack_of_effect_make_people_leave(model):
    rules = [
        {"when": "CADSS > 20", "chance": "90 %", "reason": "side effects"},
        {"when": "no response of MADRS", "chance": "90 %", "since": "24 h", "reason": "lack of effect"},
    ]
    found = run_trial(trial(leave=rules), model, replicates=2, threads=1)
    why, arm = found["why_left"].values, found["arm"].values[:, :, 0]
    assert "side effects" in why[arm == "ketamine"]
    assert "side effects" not in why[arm == "saline"]
    assert (why[arm == "saline"] == "lack of effect").mean() > 0.5


def test_missed_visits_are_missing_and_doses_are_not_taken_by_chance(model):
    arms = {"esketamine": {"treatment": COURSE, "n": 100}}
    found = run_trial(trial(arms=arms, missed_visits="20 %", adherence="75 %"), model, threads=1)
    assert 0.1 < np.isnan(found["MADRS"].sel(visit="24 h")).mean() < 0.3
    assert np.isfinite(found["MADRS"].sel(visit="baseline")).all()
    assert found["doses_given"].values.mean() == pytest.approx(0.75 * 3, abs=0.3)


def test_who_misses_doses_does_not_depend_on_the_drugs_of_other_arms(model):
    """An antidepressant sorts before esketamine."""
    arms = {"esketamine": {"treatment": COURSE, "n": 30}}
    more = {**arms, "tablets": {"treatment": "antidepressant daily for 2 weeks", "n": 2}}
    alone, beside = (run_trial(trial(arms=a, adherence="60 %"), model, threads=1) for a in (arms, more))
    same = beside["arm"].values[0][:, 0] == "esketamine"
    given = beside["doses_given"].values[0][same]
    patients = np.flatnonzero(same)
    np.testing.assert_array_equal(alone["doses_given"].values[0][patients[patients < 30]], given[patients < 30])


@pytest.mark.parametrize(("taken", "doses"), [("100 %", 3), ("0 %", 0)])
def test_adherence_at_its_bounds_is_every_dose_or_none(taken, doses, model):
    found = run_trial(trial(arms={"esketamine": {"treatment": COURSE, "n": 40}}, adherence=taken), model, threads=1)
    assert (found["doses_given"].values == doses).all()


def test_a_missed_dose_of_a_trial_is_no_visit(model):
    """Without adherence, nobody has the expectancy of those who believe in what they are not given."""
    arms = {"placebo": {"treatment": "placebo nasal twice weekly for 2 weeks", "n": 4}}
    nothing = {"placebo": {**arms["placebo"], "belief": "none"}}
    missed = run_trial(trial(arms=arms, adherence="0 %"), model, threads=1)
    never = run_trial(trial(arms=nothing), model, threads=1)
    np.testing.assert_array_equal(missed["true_MADRS"], never["true_MADRS"])
    assert np.max(np.abs(run_trial(trial(arms=arms), model, threads=1)["true_MADRS"] - never["true_MADRS"])) > 1


def test_a_dose_is_missed_only_below_the_chance_of_missing_it(model, monkeypatch):
    """Chances lie in [0, 1), so that a dose is taken at exactly the chance of missing it."""
    chances = np.array([0.0, 0.2499, 0.25, 0.2501, 0.999])
    monkeypatch.setattr(TrialDosing, "uniforms", lambda self, *_: chances)
    found = run_trial(
        trial(arms={"esketamine": {"treatment": COURSE, "n": 5}}, adherence="75 %"), model, threads=1
    )  # fmt: skip
    assert found["doses_given"].values[0].tolist() == [0, 0, 3, 3, 3]


def test_the_hundred_and_first_treatment_is_not_taken_for_the_first_of_the_reduced_schedule(model):
    dosing = TrialDosing(model, trial(), load_population("trd"), 1, [(0, np.arange(2))], {})
    treatment = trial().arms[0].regimen.treatments[0]
    doses = tuple((replace(treatment, amount=1.0 + i), "blinded") for i in range(101))
    dosing.courses = (TreatmentCourse("long", doses, ((replace(treatment, amount=1000.0), "blinded"),)),)
    dosing.course[:], dosing.reduced[:] = 0, [True, False]
    reduced, full = ([d.treatment.amount for d in dosing.due_doses(0.0, 1.0) if d.mask[i]] for i in range(2))
    assert (reduced, full) == ([1000.0], [amount for amount in np.arange(1.0, 102.0)])


def test_a_model_with_other_values_has_other_checkpoints(model):
    run = TrialRun.of(trial(), model)
    changed = replace(model, parameters=model.parameters.with_values({"mood.acute_effect_ec50": 16.0}))
    names = [one.checkpoint_name([0, 1]) for one in (run, TrialRun.of(trial(), model), replace(run, model=changed))]
    assert names[0] == names[1] != names[2]


def test_adherence_beyond_its_bounds_is_refused():
    with pytest.raises(InputError, match="adherence"):
        trial(adherence="101 %")


def test_in_a_crossover_every_patient_gets_all_arms_with_carry_over(model):
    arms = {"ketamine": {"treatment": KETAMINE, "n": 40}, "saline": {"treatment": "placebo IV", "n": 40}}
    found = run_trial(trial(arms=arms, crossover="7 days", visits={"MADRS": ["24 h"]}), model, replicates=2, threads=1)
    assert found.sizes["patient"] == 40
    assert list(found["period"].values) == [1, 1, 2, 2]
    arm = found["arm"].values
    assert np.all(arm[:, :, 0] != arm[:, :, 2])
    assert (arm[:, :, 0] == "ketamine").mean() == 0.5
    second = found["true_MADRS"].sel(visit="period 2: baseline") - found["true_MADRS"].sel(visit="period 1: baseline")
    after = second.values[arm[:, :, 0] == "ketamine"]
    assert np.mean(after) < np.mean(second.values[arm[:, :, 0] == "saline"]) - 0.5


def test_a_failed_patient_is_missing_with_a_reason(model, monkeypatch):
    from ketamech.simulation import ensemble

    settle = ensemble.drug_free_steady_state

    def one_never_rests(kernel, inputs, **how):
        start, rested = settle(kernel, inputs, **how)
        rested[3] = False
        return start, rested

    monkeypatch.setattr(ensemble, "drug_free_steady_state", one_never_rests)
    found = run_trial(trial(), model, threads=1)
    assert found["solve_status"].values[0, 3] == "no rest state"
    assert np.isnan(found["true_MADRS"].values[0, 3]).all()
    assert np.isfinite(found["true_MADRS"].sel(visit="24 h").values[0, 4:]).all()


def test_parts_are_the_whole(model, held):
    parts = list(TrialRun.of(trial(), model, threads=1).iterate(3))
    assert xr.concat(parts, "replicate", data_vars="all").equals(held)


def test_a_visit_one_day_after_a_dose_keeps_its_time_and_a_later_one_moves():
    moved = visit_hours(trial(window="12 h"), np.full((2, 4), 0.9))
    assert moved[:, 2].tolist() == [24.0, 24.0]
    assert moved[:, 3] == pytest.approx(168 + 12 * 0.8)  # 90 % of the way from 12 h early to 12 h late


def test_a_relapse_counts_from_its_first_visit_on():
    design, scores = trial(relapse="MADRS > 50 % of baseline from day 8"), {"MADRS": np.array([[40.0, 0, 21, 21]])}
    relapse = Condition("MADRS", "relapse")
    assert [is_met(design, relapse, scores, visit)[0].tolist() for visit in (2, 3)] == [[False], [True]]
    assert not is_met(design, relapse, {"MADRS": np.array([[40.0, 0, 20, 20]])}, 3)[0]


def test_replicates_take_the_draws_of_a_posterior_in_turn_and_replicate_0_the_median(model):
    draws = [{"mood.connectivity_weight": weight} for weight in (1.0, 2.0, 5.0)]
    run = TrialRun(trial(), model, load_population("trd"), 1, 1, draws)
    taken = [enrolment.base["mood.connectivity_weight"] for enrolment in run.enrol_replicates(range(5))]
    assert taken == [2.0, 1.0, 2.0, 5.0, 1.0]


def test_expectancy_is_raised_again_only_after_the_visit_gap(model):
    gap = model.parameters["expectancy.visit_gap"].canonical / 24
    days = {"once": [1], "daily": [1, 2], "after the gap": [1, 1 + int(np.ceil(gap))]}
    end = f"day {days['after the gap'][1] + 1}"

    def mean_score(visits):
        arms = {"saline": {"treatment": f"placebo IV on days {', '.join(map(str, visits))}", "n": 6}}
        found = run_trial(load_trial({"title": "saline", "arms": arms, "visits": {"MADRS": [end]}}), model, threads=1)
        return found["true_MADRS"].sel(visit=end).values

    once, daily, apart = (mean_score(visits) for visits in days.values())
    assert daily == pytest.approx(once, abs=1e-3)
    assert (apart < once - 0.05).all()
