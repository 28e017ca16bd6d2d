"""An arm may say "with ...": a compound beside the treatment, or a value that is set, in that arm alone."""

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
