"""Relapse by rating, by confirmation and by admission, and the end of an event-driven trial."""

import numpy as np
import pytest
from relapse_cases import relapses

from ketamech.core import InputError
from ketamech.trials.analysis.analyse import analyse
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial
from ketamech.trials.visit_ratings import end_of_trial

HOURS = [0, 24, 72, 120, 168, 500]
NAN = float("nan")


def relapsed(row, **rule):
    """Time of relapse of one patient, None for none."""
    found = relapses([row], HOURS, 24, **rule).relapsed_at[0]
    return None if np.isnan(found) else found


def test_the_time_is_that_of_the_first_of_two_ratings():
    assert relapsed([40, 10, 10, 30, 30, 10]) == 120
    assert relapsed([40, 10, 30, 10, 30, 10]) is None
    assert relapsed([40, 10, 30, NAN, 30, 10]) == 72  # a missing rating neither confirms nor clears
    assert relapsed([40, 10, 30, 10, 30, 10], confirmed=False) == 72


def test_a_level_and_a_condition_of_several_scales():
    assert relapsed([40, 10, 21, 22, 22, 10], when="MADRS >= 22") == 120
    assert relapsed([40, 10, 21, 22, 22, 10], when="MADRS >= 22 at 2 consecutive visits", confirmed=False) == 168
    assert relapsed([40, 10, 12, 24, 24, 10], when="(MADRS > 50 % of baseline and MADRS >= 25) or MADRS >= 24") == 120


def test_the_second_rating_must_come_in_time():
    row = [40, 10, 10, 10, 30, 30]
    assert relapsed(row) == 168
    assert relapsed(row, within="10 d") is None
    assert relapsed(row, within="14 d") == 168


def test_only_patients_at_risk_count():
    found = relapses([[40, 10, 30, 30, 30, 30], [40, 30, 30, 30, 30, 30], [40, 14, 30, 30, 30, 30]], HOURS, 24)
    assert np.isfinite(found.at_risk_from).tolist() == [True, False, True]
    few = relapses(
        [[40, 10, 30, 30, 30, 30], [40, 14, 30, 30, 30, 30]], HOURS, 24, at_risk="remission of MADRS", arms="drug"
    )
    assert np.isfinite(few.at_risk_from).tolist() == [True, False]
    assert np.isfinite(few.relapsed_at).tolist() == [True, False]


def test_patients_without_relapse_are_observed_to_their_last_rating():
    found = relapses([[40, 10, 10, 10, NAN, NAN], [40, 10, NAN, NAN, NAN, NAN]], HOURS, 24)
    assert found.observed_until.tolist() == [120, 24]


def test_admissions_come_at_their_rate():
    """One patient in e stays for 1/rate weeks: the share admitted in a week is the stated probability."""
    rng = np.random.default_rng(1)
    rows = np.tile([40.0, 10, 10, 10, 10, 10], (20000, 1))
    found = relapses(rows, HOURS, 24, rng.random(rows.shape), admission="20 %")
    week = (500 - 24) / 168
    assert np.isfinite(found.relapsed_at).mean() == pytest.approx(1 - 0.8**week, abs=0.01)
    assert (found.relapsed_at < 24 + 168).mean() == pytest.approx(0.2, abs=0.01)
    assert set(found.reason) == {"", "admission"}


def test_admissions_need_the_rating_that_they_are_bound_to():
    rng = np.random.default_rng(2)
    rows = np.array([[40.0, 10, 10, 10, 10, 10], [40, 10, 10, 19, 10, 10]] * 4000)
    found = relapses(rows, HOURS, 24, rng.random(rows.shape), admission="50 %", admission_when="MADRS > 15")
    assert np.isnan(found.relapsed_at[::2]).all()
    hits = found.relapsed_at[1::2]
    assert ((hits > 120) & (hits <= 168)).mean() == pytest.approx(1 - 0.5 ** (48 / 168), abs=0.02)
    assert np.isfinite(hits).mean() == ((hits > 120) & (hits <= 168)).mean()


def test_no_patient_is_admitted_after_leaving():
    rows = np.tile([40.0, 10, 10, NAN, NAN, NAN], (2000, 1))
    found = relapses(rows, HOURS, 24, np.random.default_rng(3).random(rows.shape), admission="50 %")
    assert np.nanmax(found.relapsed_at) <= 72


def test_the_earlier_of_rating_and_admission_counts():
    early = np.full((1, 6), 0.01)  # the first admission comes at once
    found = relapses([[40, 10, 10, 30, 30, 10]], HOURS, 24, early, admission="50 %")
    assert found.relapsed_at[0] < 72
    assert found.reason.tolist() == ["admission"]
    late = np.array([[0.999, 0.999, 0.999, 0.999, 0.999, 0.5]])
    found = relapses([[40, 10, 10, 30, 30, 10]], HOURS, 24, late, admission="50 %")
    assert (found.relapsed_at[0], found.reason[0]) == (120, "rating")


PLAN = {
    "title": "withdrawal",
    "population": {"trd": 0.5, "mdd": 0.5},
    "arms": {"all": {"treatment": "esketamine 84 mg nasal twice weekly for 4 weeks", "n": 120, "belief": "open"}},
    "visits": {"MADRS": ["day 15", "day 22", "day 29", "day 36", "day 43", "day 50", "day 57"]},
    "steps": [{"at": "day 29", "when": "response of MADRS", "give": {"on": "continue", "off": "stop"}}],
    "primary": "MADRS at day 29",
}
RULE = {"when": "MADRS > 30 % of baseline", "since": "day 29", "arms": ["on", "off"]}


def test_the_dataset_holds_the_relapses_and_the_analysis_reads_them(model):
    planned = load_trial({**PLAN, "relapse": RULE})
    found = run_trial(planned, model, threads=1, replicates=2)
    start, back = found["at_risk_from"].values, found["relapsed_at"].values
    assert set(found["decision"].values[np.isfinite(start)]) == {"on", "off"}
    assert set(start[np.isfinite(start)]) == {672.0}
    assert np.array_equal(np.isfinite(back), found["why_relapsed"].values == "rating")
    events = analyse(found, planned).relapse.events
    assert len(events) == np.isfinite(start).sum()
    assert events["relapsed"].sum() == np.isfinite(back).sum()
    assert events["days"].min() >= 0


def test_the_trial_ends_at_an_event_of_all_its_patients(model):
    free = run_trial(load_trial({**PLAN, "relapse": RULE}), model, threads=1, replicates=2)
    ended = run_trial(load_trial({**PLAN, "relapse": {**RULE, "last_event": 5}}), model, threads=1, replicates=2)
    for r in range(2):
        times = np.sort(free["relapsed_at"].values[r][np.isfinite(free["relapsed_at"].values[r])])
        assert len(times) > 5
        end, late = times[4], free["visit_time"].values[r] > times[4]
        assert np.nanmax(ended["relapsed_at"].values[r]) == end
        assert np.isfinite(ended["relapsed_at"].values[r]).sum() == (times <= end).sum()
        assert np.nanmax(ended["observed_until"].values[r]) <= end
        assert np.isnan(ended["MADRS"].values[r][late]).all()
        assert np.array_equal(ended["MADRS"].values[r][~late], free["MADRS"].values[r][~late])
    assert (
        end_of_trial(load_trial({**PLAN, "relapse": {**RULE, "last_event": 9}}).relapse, np.array([3.0, NAN])) == np.inf
    )


def test_a_text_means_the_same_as_its_keys():
    text = load_trial({**PLAN, "relapse": "MADRS > 50 % of baseline from day 29"}).relapse
    keys = load_trial({**PLAN, "relapse": {"when": "MADRS > 50 % of baseline", "since": "day 29"}}).relapse
    assert text == keys


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"since": "day 30"}, "relapse", "not rated when relapses begin to count"),
        ({"arms": "of"}, "relapse.arms", "neither an arm nor an option"),
        ({"when": "CADSS > 4"}, "relapse.when", "not rated in this trial"),
        ({"admission": "90 %"}, "relapse.admission", "not possible"),
        ({"confirm": True}, "relapse.confirm", "not a key"),
        ({"last_event": -1}, "relapse.last_event", "not a valid value"),
    ],
)
def test_a_bad_definition_is_refused(change, key, said):
    with pytest.raises(InputError) as refused:
        load_trial({**PLAN, "relapse": {**RULE, **change}})
    assert refused.value.key == key
    assert said in refused.value.what
