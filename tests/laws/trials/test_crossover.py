"""Crossovers in which each patient waits for the second period until a condition is met."""

import numpy as np
import pytest
from crossover_file import crossover_file

from ketamech.core import InputError
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

VISITS = {"HDRS-21": ["40 min", "24 h", "160 h", "14 d", "21 d"], "CADSS": ["40 min"]}
KEYS = crossover_file("ketamine", 18, VISITS, "HDRS-21 at 24 h")
RULE = "HDRS-21 > 75 % of baseline"
EARLY = {"visits": {"HDRS-21": ["40 min", "24 h", "160 h"], "CADSS": ["40 min"]}}


def run(model, replicates=2, **changes):
    return run_trial(load_trial({**KEYS, **changes}), model, replicates=replicates, threads=1)


def of_period(found, period, name="HDRS-21"):
    """Values [patient, visit] of one period, all replicates together."""
    return (
        found[name].values[:, :, found["period"].values == period].reshape(-1, (found["period"] == period).sum().item())
    )


def test_a_rule_that_is_always_met_is_a_fixed_crossover(model):
    waiting, fixed = run(model, crossover_when="HDRS-21 >= 0"), run(model, **EARLY)
    for period in (1, 2):
        first, second = (of_period(found, period, "true_HDRS-21")[:, :4] for found in (waiting, fixed))
        assert np.allclose(first, second, atol=0.02)
    assert set(waiting["crossed_at"].values.ravel()) == {168.0}
    for name in ("exposure_ketamine_cmax", "exposure_ketamine_auc24", "doses_given"):
        assert np.allclose(waiting[name], fixed[name], rtol=1e-4)


def test_each_patient_crosses_over_at_the_first_check_at_which_the_rule_is_met(model):
    found = run(model, replicates=3, crossover_when=RULE)
    score, crossed = of_period(found, 1), found["crossed_at"].values.ravel()
    base, rated = score[:, 0], {168.0: score[:, 3], 336.0: score[:, 4], 504.0: score[:, 5]}
    expected = np.full(len(base), 504.0)  # the latest time, whatever the rating
    for hour in (336.0, 168.0):
        expected = np.where(rated[hour] > 0.75 * base, hour, expected)
    assert np.array_equal(crossed, expected)
    assert len(set(crossed)) == 3


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_crossover_on_relapse_waits_for_the_relapse_that_the_file_defines(model, confirmed):
    relapse = {"when": "HDRS-21 > 60 % of baseline", "since": "24 h", "confirmed": confirmed}
    found = run(model, replicates=3, crossover_when="relapse", relapse=relapse)
    crossed, relapsed = (found[name].values.ravel() for name in ("crossed_at", "relapsed_at"))
    score = of_period(found, 1)
    times = np.array([0, 2 / 3, 24, 160, 336, 504])
    expected = np.full(len(crossed), 504.0)
    for i, row in enumerate(score):
        if row[2] > 0.5 * row[0]:
            continue  # no response at 24 h: not at risk
        high = row > 0.6 * row[0]
        shown = [k for k in (3, 4, 5) if high[k] and (not confirmed or (k > 3 and high[k - 1]))]
        if shown:
            expected[i] = max(168.0, times[shown[0]])
    assert np.array_equal(crossed, expected)
    assert len(set(crossed)) > 1
    assert np.nanmax(relapsed) <= 504.0
    assert (np.isfinite(relapsed) == (expected < 504.0)).mean() > 0.9  # a relapse may be shown at the latest time


def test_visits_follow_the_patient_and_those_that_are_not_reached_are_missing(model):
    found = run(model, crossover_when=RULE)
    crossed = found["crossed_at"].values.ravel()
    second = of_period(found, 2, "visit_time")
    assert np.allclose(second - crossed[:, None], [0, 2 / 3, 24, 160, 336, 504])
    later = np.isnan(of_period(found, 1)[:, 4:])
    assert np.array_equal(later, crossed[:, None] < [[336, 504]] * np.ones((len(crossed), 1)))
    assert np.isfinite(of_period(found, 2)).all()
    assert np.all(np.diff(found["visit_time"].values, axis=2) >= 0)
    assert (found["solve_status"] == "ok").all()


def test_the_drug_is_given_once_and_in_the_period_of_its_arm(model):
    found = run(model, crossover_when=RULE)
    assert set(found["doses_given"].values.ravel()) == {1}
    felt = [of_period(found, period, "true_CADSS")[:, 1] for period in (1, 2)]
    first = of_period(found, 1, "arm")[:, 0] == "ketamine"
    assert np.median(felt[0][first]) > 5
    assert np.all(felt[0][~first] < 1e-6)
    assert np.median(felt[1][~first]) > 5
    assert np.all(felt[1][first] < 0.5)  # what is left of the first infusion


def test_a_visit_after_the_start_of_the_next_period_is_refused():
    with pytest.raises(InputError, match="visit '14 d' comes after the start of the next period at 168 h"):
        load_trial(KEYS)


def test_grouping_and_threads_change_no_bit(model):
    whole = run(model, crossover_when=RULE)
    again = run_trial(load_trial({**KEYS, "crossover_when": RULE}), model, replicates=1, first=1, threads=2)
    assert again.equals(whole.isel(replicate=[1]))


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"crossover": None}, "crossover_when", "without a crossover"),
        ({"crossover_latest": "8 d"}, "crossover_latest", "before the end of the washout or the last visit"),
        ({"window": "12 h"}, "crossover_when", "a window"),
        ({"crossover_when": None, "crossover_latest": "28 d"}, "crossover_latest", "without its condition"),
        ({"crossover_when": "MADRS > 3"}, "crossover_when", "not rated in this trial"),
        ({"crossover_when": "relapse"}, "crossover_when", "no definition of relapse"),
        ({"crossover_when": "until relapse"}, "crossover_when", "no condition of a crossover"),
    ],
)
def test_impossible_keys_are_refused(change, key, said):
    with pytest.raises(InputError) as refused:
        load_trial({**KEYS, "crossover_when": RULE, **change})
    assert refused.value.key == key
    assert said in refused.value.what
