"""An arm, a step and the add-on may say "with ...": a compound beside the treatment, or a value that is set."""

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

KETAMINE = "racemic 0.5 mg/kg IV over 40 min"
BLOCKED = f"{KETAMINE} with naltrexone 50 mg oral at -45 min"


def trial(ketamine=KETAMINE, other=KETAMINE, **changes):
    arms = {"one": {"treatment": ketamine, "n": 8}, "two": {"treatment": other, "n": 8}}
    return load_trial({"title": "two arms", "arms": arms, "visits": {"MADRS": ["24 h", "day 8"]}, **changes})


def truth(made, model, visit="24 h"):
    """True MADRS at a visit and the arm of each patient, and the baseline."""
    found = run_trial(made, model, threads=1)
    assert (found["solve_status"] == "ok").all()
    at = {name: found["true_MADRS"].sel(visit=name).values[0] for name in ("baseline", visit)}
    return at[visit], found["arm"].sel(visit=visit).values[0], at["baseline"]


def test_a_compound_given_before_the_treatment_acts_in_its_arm_and_in_no_other(model):
    plain, arm, _ = truth(trial(), model)
    blocked, _, before = truth(trial(BLOCKED), model)
    assert (blocked - plain)[arm == "one"].min() > 0.002  # little where the score is near zero
    assert np.median((blocked - plain)[arm == "one"]) > 0.1
    assert np.abs(blocked - plain)[arm == "two"].max() < 1e-6
    assert before == pytest.approx(truth(trial(), model)[2], rel=1e-3)


def test_a_perturbation_that_sets_a_value_holds_from_the_baseline_on(model):
    plain, arm, _ = truth(trial(), model)
    knocked, _, _ = truth(trial(f"{KETAMINE} with BDNF knock-out"), model)
    assert np.abs(knocked - plain)[arm == "one"].min() > 0.05  # little where the score is near zero
    assert np.median(np.abs(knocked - plain)[arm == "one"]) > 0.5
    assert (knocked[arm == "two"] == plain[arm == "two"]).all()


def test_in_a_crossover_it_comes_in_the_period_of_its_arm(model):
    made = trial(BLOCKED, "placebo IV over 40 min", crossover="14 d")
    found, usual = (run_trial(t, model, threads=1) for t in (made, trial(other="placebo IV", crossover="14 d")))
    change = (found["true_MADRS"] - usual["true_MADRS"]).values[0]
    blocked = found["arm"].values[0] == "one"
    first, second = (found["period"].values == p for p in (1, 2))
    day = found["hour"].values % 336 == 24
    assert np.median(change[:, first & day][blocked[:, first & day]]) > 0.02  # little where the score is near zero
    assert np.median(change[:, second & day][blocked[:, second & day]]) > 0.02
    assert np.abs(change[:, first][~blocked[:, first]]).max() < 1e-3  # other steps before the event of period 2


def test_the_add_on_gives_to_all_what_each_arm_may_say(model):
    in_arms, _, _ = truth(trial(BLOCKED, BLOCKED), model)
    added, _, _ = truth(trial(add_on="with naltrexone 50 mg oral at -45 min"), model)
    assert np.array_equal(in_arms, added)
    assert np.abs(added - truth(trial(), model)[0]).max() > 0.1


@pytest.mark.parametrize(
    ("key", "beside", "visit"),
    [
        ("steps", "naltrexone 50 mg oral at 1 min", "48 h"),
        ("steps", "lithium 900 mg oral daily for 5 days", "day 8"),
        ("rescue", "lithium 900 mg oral daily for 5 days", "day 8"),
    ],
)
def test_a_step_gives_at_its_time_what_an_arm_says_at_that_time(model, key, beside, visit):
    again, visits = KETAMINE if key == "steps" else "", {"MADRS": ["24 h", "48 h", "day 8"]}
    late = beside.replace("at 1 min", "at 1441 min") if "at" in beside.split() else f"{beside} at 24 h"
    planned = f"{KETAMINE}; {KETAMINE} on day 2 with {late}" if again else f"{KETAMINE} with {late}"
    step = {"at": "24 h", "arms": "one", "give": f"{again} with {beside}".strip()}
    stepped, arm, _ = truth(trial(**{key: [step]}, visits=visits), model, visit)
    stated, _, _ = truth(trial(planned, visits=visits), model, visit)
    usual = f"{KETAMINE}; {KETAMINE} on day 2" if again else KETAMINE
    plain, _, _ = truth(trial(usual, visits=visits), model, visit)
    assert np.allclose(stepped, stated, atol=0.02)
    assert np.abs(stepped - plain)[arm == "one"].max() > 0.1
    assert np.allclose(stepped[arm == "two"], plain[arm == "two"], atol=0.02)


def test_continue_with_a_compound_keeps_the_treatment(model):
    step = {"at": "24 h", "when": "no response of MADRS", "give": "continue with lithium 900 mg oral daily for 5 days"}
    changed = run_trial(trial(steps=[step]), model, threads=1)
    plain = run_trial(trial(), model, threads=1)
    ratings = plain["MADRS"].values[0]
    not_responded = ratings[:, 1] > 0.5 * ratings[:, 0]
    moved = np.abs(changed["true_MADRS"] - plain["true_MADRS"]).sel(visit="day 8").values[0]
    assert 0 < not_responded.sum() < len(not_responded)
    assert moved[not_responded].max() > 0.3
    assert moved[~not_responded].max() < 0.05
    assert (changed["doses_given"] == plain["doses_given"]).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (BLOCKED, "given 45 min before the decision"),
        (f"{KETAMINE} with naltrexone 50 mg oral 1 h before", "given 1 h before the decision"),
        ("continue with lorazepam 2 mg oral", "given 2 h before the decision"),
        ("naltrexone 50 mg oral at 0 h", "not a treatment of its own"),
    ],
)
def test_a_refused_compound_of_a_step_comes_with_what_to_type(given, said):
    with pytest.raises(InputError) as refused:
        trial(steps=[{"at": "24 h", "give": given}])
    assert said in refused.value.what
    assert refused.value.key == "steps[0].give"
    (beside,) = trial(steps=[{"at": "24 h", "give": refused.value.type_this}]).steps[0].perturbations[0]
    assert beside.time == 0


@pytest.mark.parametrize(
    ("ketamine", "given", "said"),
    [
        (KETAMINE, "continue with BDNF knock-out", "from the baseline on"),
        (KETAMINE, "continue with lamotrigine throughout", "from the baseline on"),
        (f"{KETAMINE} with lithium 900 mg oral", "continue with SB216763 10 mg/kg IP", "other kinetics"),
        (KETAMINE, "continue lithium", "not a known treatment"),
        (KETAMINE, "racemic 50 mg oral weekly or every 2 weeks by remission", "for the treatment of an arm"),
    ],
)
def test_what_a_step_cannot_give_is_refused(ketamine, given, said):
    with pytest.raises(InputError, match=said) as refused:
        trial(ketamine, steps=[{"at": "24 h", "give": given}])
    assert refused.value.key.startswith("steps")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ketamine": f"{KETAMINE} with naltrexon 50 mg"}, "naltrexone"),
        ({"ketamine": f"{KETAMINE} with BDNF knock-out", "crossover": "14 d"}, "crossover"),
        ({"ketamine": "racemic 50 mg oral daily at steady state"}, "steady state"),
        ({"add_on": "antidepressant daily for 4 weeks at steady state"}, "steady state"),
    ],
)
def test_what_an_arm_cannot_be_given_is_refused_with_its_place(changes, said):
    with pytest.raises(InputError) as found:
        trial(**changes)
    assert said in str(found.value)
    assert found.value.key
