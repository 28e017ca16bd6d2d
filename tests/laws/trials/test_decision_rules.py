"""What is decided on the way: withdrawal, rescue, doses adapted to the person."""

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.trials.rating_scales import scale
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial
from ketamech.trials.trial_text import treatment

COURSE = "esketamine 84 mg nasal twice weekly for 2 weeks"
SCALES = {"MADRS": scale("MADRS")}


def trial(**changes):
    keys = {
        "title": "decided",
        "arms": {"esketamine": {"treatment": COURSE, "n": 60}},
        "visits": {"MADRS": ["day 8", "day 15", "day 22", "day 29", "day 36", "day 43"]},
        "primary": "MADRS at day 15",
    }
    return load_trial({**keys, **changes})


def withdrawal(**more):
    give = {"goes on": "esketamine 84 mg nasal weekly for 4 weeks", "placebo": "placebo nasal weekly for 4 weeks"}
    return {"at": "day 15", "when": "response of MADRS", "give": give, **more}


def test_responders_are_drawn_to_go_on_or_to_placebo_and_do_worse_on_placebo(model):
    found = run_trial(trial(steps=[withdrawal()]), model, replicates=4, threads=1)
    decision = found["decision"].values
    base, then = (found["MADRS"].sel(visit=v).values for v in ("baseline", "day 15"))
    assert np.array_equal(decision != "", then <= 0.5 * base)
    assert 0.3 < (decision == "placebo").sum() / (decision != "").sum() < 0.7
    last = found["true_MADRS"].sel(visit="day 43").values
    assert last[decision == "placebo"].mean() > last[decision == "goes on"].mean() + 2
    doses = found["doses_given"].values
    assert set(doses[decision == "placebo"]) == {4}
    assert set(doses[decision == "goes on"]) == {8}


def test_shares_of_a_second_randomisation_are_kept(model):
    found = run_trial(
        trial(steps=[withdrawal(shares={"goes on": 0.9, "placebo": 0.1})]), model, replicates=3, threads=1
    )
    decision = found["decision"].values
    assert (decision == "placebo").sum() < 0.25 * (decision != "").sum()


def test_decisions_rest_on_a_persons_own_row(model):
    whole = run_trial(trial(steps=[withdrawal()]), model, replicates=2, threads=1)
    again = run_trial(trial(steps=[withdrawal()]), model, replicates=1, first=1, threads=2)
    assert again.equals(whole.isel(replicate=[1]))


def test_nothing_changes_before_the_decision(model):
    plain, stepped = (
        run_trial(trial(steps=steps), model, threads=1) for steps in ([], [withdrawal(otherwise="placebo nasal")])
    )
    early = ["baseline", "day 8", "day 15"]
    assert np.allclose(plain["true_MADRS"].sel(visit=early), stepped["true_MADRS"].sel(visit=early), atol=0.05)


def test_rescue_is_added_once_to_who_needs_it(model):
    rescue = [{"at": ["day 15", "day 22"], "when": "no response of MADRS", "give": "ECT twice weekly for 3 weeks"}]
    plain, helped = (run_trial(trial(rescue=r), model, replicates=2, threads=1) for r in ([], rescue))
    rescued = np.isfinite(helped["rescued_at"].values)
    assert 0.05 < rescued.mean() < 0.95
    assert set(helped["rescued_at"].values[rescued]) <= {336.0, 504.0}
    better = plain["true_MADRS"].sel(visit="day 43").values - helped["true_MADRS"].sel(visit="day 43").values
    assert better[rescued].mean() > 3
    assert np.allclose(better[~rescued], 0, atol=0.05)


def test_remitters_are_dosed_every_other_week(model):
    words = "esketamine 84 mg nasal twice weekly for 2 weeks, then weekly or every 2 weeks by remission for 4 weeks"
    found = run_trial(trial(arms={"esketamine": {"treatment": words, "n": 60}}), model, replicates=2, threads=1)
    doses = found["doses_given"].values
    assert set(doses.ravel()) <= {6, 7, 8}
    remitted = np.all([found["MADRS"].sel(visit=f"day {d}").values <= 10 for d in (15, 22, 29, 36)], axis=0)
    never = np.all([found["MADRS"].sel(visit=f"day {d}").values > 10 for d in (15, 22, 29, 36)], axis=0)
    assert set(doses[remitted]) == {6}
    assert set(doses[never]) == {8}


def test_a_relapse_begins_the_induction_anew(model):
    arms = {"esketamine": {"treatment": [COURSE, "re-induce on relapse"], "n": 80}}
    relapse = "MADRS > 70 % of baseline from day 15"
    found = run_trial(trial(arms=arms, relapse=relapse), model, replicates=2, threads=1)
    again = np.isfinite(found["decided_at"].values)
    assert again.any()
    assert not again.all()
    assert found["doses_given"].values[again].min() > 4
    assert set(found["doses_given"].values[~again]) == {4}


@pytest.mark.parametrize(
    ("words", "usual", "sparse"),
    [
        ("esketamine 84 mg nasal twice weekly for 4 weeks, then weekly or every 2 weeks by remission", 7.0, 14.0),
        ("esketamine 56 mg nasal weekly for 4 weeks, then weekly or every other week by response", 7.0, 14.0),
    ],
)
def test_adapted_doses_are_read_from_words(words, usual, sparse):
    regimen, adapting, _ = treatment([words], SCALES, "MADRS")
    assert regimen.treatments[0].schedule[-1].mean_interval == usual * 24
    assert adapting.reduced_schedule.treatments[0].schedule[-1].mean_interval == sparse * 24
    assert adapting.since == 4 * 168


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match=r"'QIDS' \(character 16\) is not rated in this trial"):
        treatment([COURSE, "re-induce when QIDS > 9"], SCALES, "MADRS")


def test_a_course_begins_anew_when_a_condition_is_met():
    rule = treatment([COURSE, "re-induce when MADRS >= 22"], SCALES, "MADRS")[1].reinduction_rule
    assert (rule.scale, rule.test, rule.number) == ("MADRS", ">=", 22.0)
    assert treatment([f"{COURSE}; re-induce on relapse"], SCALES, "MADRS")[1].reinduction_rule.test == "relapse"
