"""Titrated doses, steps of some arms, and words instead of a regimen."""

import numpy as np
import pytest
import yaml

from ketamech.core import InputError
from ketamech.dosing.regimen import Regimen
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

DAYS = "on days 1, 4, 8, 11"
VISITS = {
    "MADRS": ["24 h", "day 8", "day 15", "day 22", "day 29"],
    "CADSS": ["40 min", "72.67 h", "168.67 h"],
    "esketamine": ["72.67 h", "240.67 h"],
}


def trial(arm, **changes):
    keys = {
        "title": "titrated",
        "arms": {"drug": {"n": 60, **arm}, "placebo": {"treatment": f"placebo nasal {DAYS}", "n": 60}},
        "visits": VISITS,
        "primary": "MADRS at day 15",
    }
    return load_trial({**keys, **changes})


SENTENCE = ["esketamine 56 mg nasal on day 1, then 56 to 84 mg by response and tolerability on days 4, 8, 11"]
TOLERATED = {"tolerability": "CADSS <= 20"}


def in_arm(found, name="drug"):
    return found["arm"].values[:, :, 0] == name


def test_the_dose_follows_the_ratings_of_each_patient(model):
    found = run_trial(trial({"treatment": SENTENCE}, **TOLERATED), model, replicates=2, threads=1)
    mask, dose = in_arm(found), np.full(in_arm(found).shape, 56.0)
    rated = {name: found["MADRS"].sel(visit=name).values for name in ("baseline", "24 h", "day 8")}
    felt = [found["CADSS"].sel(visit=name).values for name in ("40 min", "72.67 h", "168.67 h")]
    for score, dissociation in zip((rated["24 h"], rated["day 8"], rated["day 8"]), felt, strict=True):
        raised = (score > 0.5 * rated["baseline"]) & (dissociation <= 20)
        dose = np.where(dissociation > 20, 56.0, np.where(raised, 84.0, dose))
    assert np.array_equal(found["titrated_dose"].values[mask], dose[mask])
    assert set(dose[mask]) == {56.0, 84.0}
    assert np.isnan(found["titrated_dose"].values[~mask]).all()
    assert found["titrated_dose"].attrs["units"] == "mg"


def test_a_higher_dose_reaches_the_blood(model):
    found = run_trial(trial({"treatment": SENTENCE}, **TOLERATED), model, threads=1)
    fixed = run_trial(trial({"treatment": f"esketamine 56 mg nasal {DAYS}"}), model, threads=1)
    high = in_arm(found)[0] & (found["titrated_dose"].values[0] == 84)
    low = in_arm(found)[0] & (found["titrated_dose"].values[0] == 56) & (found["CADSS"].values[0].max(axis=1) <= 20)
    last = [data["true_esketamine"].sel(visit="240.67 h").values[0] for data in (found, fixed)]
    assert np.median(last[0][high] / last[1][high]) == pytest.approx(1.4, abs=0.15)  # later sprays are absorbed less
    assert np.allclose(last[0][low], last[1][low], rtol=1e-3)
    assert np.array_equal(found["doses_given"].values[0][in_arm(found)[0]], np.full(60, 4))


def test_the_last_dose_is_kept_after_another_course_has_begun(model):
    steps = [{"at": "day 25", "arms": "drug", "give": {"on": "placebo nasal weekly", "off": "stop"}}]
    planned = {"treatment": SENTENCE}
    with_step, without = (run_trial(trial(planned, **TOLERATED, **more), model) for more in ({"steps": steps}, {}))
    assert set(with_step["decision"].values[in_arm(with_step)]) == {"on", "off"}
    last = [found["titrated_dose"].values[in_arm(found)] for found in (with_step, without)]
    assert np.array_equal(*last)
    assert set(last[0]) == {56.0, 84.0}


def test_the_placebo_arm_is_not_changed_by_the_titration_of_the_other(model):
    found, fixed = (
        run_trial(trial({"treatment": one}, **TOLERATED), model, threads=1)
        for one in (SENTENCE, f"esketamine 56 mg nasal {DAYS}")
    )
    mask = in_arm(found, "placebo")[0]
    assert np.allclose(
        found["true_MADRS"].values[0][mask], fixed["true_MADRS"].values[0][mask], atol=0.05, equal_nan=True
    )


def test_grouping_and_threads_change_no_bit_of_a_titrated_trial(model):
    planned = trial({"treatment": SENTENCE}, **TOLERATED)
    whole = run_trial(planned, model, replicates=2, threads=1)
    assert run_trial(planned, model, replicates=1, first=1, threads=2).equals(whole.isel(replicate=[1]))


KEYS = [
    {"at": "day 8", "from": "84 mg", "to": "56 mg", "when": "CADSS > 0"},
    {"at": ["day 4", "day 8"], "from": "28 mg", "to": "56 mg"},
    {"at": ["day 8", "day 11"], "from": "56 mg", "to": "84 mg"},
]


def test_the_first_change_that_applies_counts_and_one_at_a_time(model):
    planned = trial({"treatment": f"esketamine 28 mg nasal {DAYS}", "titration": KEYS})
    assert planned.arms[0].titration.amounts == (28, 56, 84)
    found = run_trial(planned, model, threads=1)
    assert set(found["titrated_dose"].values[in_arm(found)]) == {84.0}  # 28, 56 on day 4, 84 on day 8
    short = trial({"treatment": f"esketamine 28 mg nasal {DAYS}", "titration": [{**KEYS[1], "at": "day 8"}, KEYS[2]]})
    found = run_trial(short, model, threads=1)
    assert set(found["titrated_dose"].values[in_arm(found)]) == {84.0}  # 56 on day 8, 84 on day 11 only
    assert short.arms[0].treatment.endswith("titrated (28, 56, 84 mg)")


BAD = {
    "no definition of tolerability": ({"treatment": SENTENCE}, "arms.drug.treatment", "without its definition"),
    "another unit": (
        {"treatment": f"esketamine 56 mg nasal {DAYS}", "titration": [{"at": "day 4", "to": "1 mg/kg"}]},
        "arms.drug.titration[0].to",
        "not a dose in mg",
    ),
    "too high": (
        {"treatment": f"esketamine 56 mg nasal {DAYS}", "titration": [{"at": "day 4", "to": "840 mg"}]},
        "arms.drug.titration[0].to",
        "above the limit",
    ),
    "never on this dose": (
        {"treatment": f"esketamine 56 mg nasal {DAYS}", "titration": [{"at": "day 4", "from": "28 mg", "to": "84 mg"}]},
        "arms.drug.titration[0].from",
        "no patient is ever on '28 mg'",
    ),
    "at the start": (
        {"treatment": f"esketamine 56 mg nasal {DAYS}", "titration": [{"at": "0 h", "to": "84 mg"}]},
        "arms.drug.titration[0].at",
        "at the start",
    ),
    "no dose": (
        {"treatment": f"placebo nasal {DAYS}", "titration": [{"at": "day 4", "to": "84 mg"}]},
        "arms.drug.titration",
        "without a dose",
    ),
    "a misspelled key": (
        {"treatment": f"esketamine 56 mg nasal {DAYS}", "titration": [{"at": "day 4", "too": "84 mg"}]},
        "arms.drug.titration[0].too",
        "not a key",
    ),
    "twice": (
        {"treatment": SENTENCE, "titration": [{"at": "day 4", "to": "84 mg"}]},
        "arms.drug.titration",
        "in the sentence and another as a key",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_titration_is_refused_with_its_key(what):
    arm, key, said = BAD[what]
    with pytest.raises(InputError) as refused:
        trial(arm)
    assert refused.value.key == key
    assert said in refused.value.what


def test_an_error_about_a_titration_names_the_keys_of_a_titration():
    with pytest.raises(InputError) as refused:
        trial(BAD["a misspelled key"][0])
    assert refused.value.nearest == "to"
    assert "from" in refused.value.expected


def test_a_range_of_doses_is_for_trials_only():
    with pytest.raises(InputError, match="for trial files only"):
        Regimen.parse(SENTENCE[0])
    with pytest.raises(InputError, match="is a range"):
        Regimen.parse("esketamine 56 to 84 mg nasal")


@pytest.mark.parametrize(
    "doses", ["56 or 84 mg", "56 to 84 mg", "56-84 mg", "56/84 mg", "56 mg or 84 mg", "84 or 56 mg"]
)
def test_doses_without_a_rule_come_with_a_titration_that_can_be_typed(doses):
    with pytest.raises(InputError, match="without a rule") as refused:
        trial({"treatment": [f"esketamine {doses} nasal {DAYS}", "placebo nasal on day 15"]})
    assert refused.value.key == "arms.drug.treatment"
    written = yaml.safe_load(refused.value.type_this)
    assert written["treatment"] == [f"esketamine 56 mg nasal {DAYS}", "placebo nasal on day 15"]
    drug = trial(written).arms[0]
    assert (drug.n, drug.titration.amounts, drug.titration.unit) == (60, (56.0, 84.0), "mg")


def test_two_doses_may_be_joined_by_or_in_a_titration():
    either = [SENTENCE[0].replace("56 to 84", "56 or 84")]
    arms = [trial({"treatment": text}, **TOLERATED).arms[0] for text in (SENTENCE, either)]
    assert arms[0].titration == arms[1].titration


PLAIN = {"treatment": f"esketamine 84 mg nasal {DAYS}"}
AGAIN = "esketamine 84 mg nasal on days 1, 4"


def steps(*listed):
    return run_trial(trial(PLAIN, steps=list(listed)), threads=1)


def test_a_step_of_one_arm_leaves_the_other_as_it_is():
    found = steps({"at": "day 15", "arms": "placebo", "give": AGAIN})
    mask = in_arm(found, "placebo")
    assert set(found["doses_given"].values[mask]) == {2}
    assert set(found["doses_given"].values[~mask]) == {4}
    assert np.isfinite(found["decided_at"].values[mask]).all()
    assert np.isnan(found["decided_at"].values[~mask]).all()


def test_a_later_step_concerns_those_of_an_earlier_option():
    first = {"at": "day 15", "arms": "drug", "give": {"goes on": AGAIN, "ends": "stop"}}
    second = {"at": "day 22", "arms": "ends", "give": {"back": AGAIN, "nothing": "nothing"}}
    found = steps(first, second)
    decision, doses = found["decision"].values, found["doses_given"].values
    assert set(decision[in_arm(found)]) == {"goes on", "back", "nothing"}
    assert set(decision[~in_arm(found)]) == {""}
    assert [set(doses[decision == name]) for name in ("goes on", "back", "nothing")] == [{6}, {6}, {4}]


def test_two_randomisations_at_one_visit_are_independent():
    half = {"a": "continue", "b": "continue"}
    again = {"c": "continue", "d": "continue"}
    listed = [{"at": "day 15", "give": half}, {"at": "day 15", "arms": "a", "give": again}]
    found = run_trial(trial(PLAIN, steps=listed), threads=1, replicates=4)["decision"].values
    assert [0.15 < np.mean(found == name) < 0.35 for name in ("c", "d")] == [True, True]
    assert 0.4 < np.mean(found == "b") < 0.6


def test_stop_ends_all_doses_and_continue_none(model):
    stopped, going, plain = (
        run_trial(trial(PLAIN, steps=listed), model, threads=1)
        for listed in ([{"at": "day 8", "give": "stop"}], [{"at": "day 8", "give": "continue"}], [])
    )
    mask = in_arm(plain)
    assert set(stopped["doses_given"].values[mask]) == {2}
    assert set(going["doses_given"].values[mask]) == {4}
    assert np.allclose(going["true_MADRS"], plain["true_MADRS"], atol=0.05, equal_nan=True)


def test_continue_under_another_belief_changes_the_expectancy_only_from_then_on(model):
    told = {"at": "day 8", "give": "continue", "belief": "open"}
    open_, plain = (run_trial(trial(PLAIN, steps=listed), model, threads=1) for listed in ([told], []))
    mask = in_arm(plain, "placebo")
    fall = {
        v: (plain["true_MADRS"] - open_["true_MADRS"]).sel(visit=v).values[mask].mean() for v in ("day 8", "day 15")
    }
    assert abs(fall["day 8"]) < 0.05
    assert fall["day 15"] > 0.2


@pytest.mark.parametrize(
    ("step", "key", "said"),
    [
        ({"at": "day 15", "arms": "drugs", "give": "stop"}, "steps[0].arms", "neither an arm nor an option"),
        ({"at": "day 15", "give": "stop", "otherwise": AGAIN}, "steps[0].otherwise", "without a condition"),
        ({"at": "day 9", "when": "MADRS > 12", "give": "stop"}, "steps[0].at", "no visit"),
        ({"at": "0 h", "give": "stop"}, "steps[0].at", "no visit"),
    ],
)
def test_a_bad_step_is_refused(step, key, said):
    with pytest.raises(InputError) as refused:
        trial(PLAIN, steps=[step])
    assert refused.value.key == key
    assert said in refused.value.what


def test_a_rescue_that_gives_nothing_is_refused():
    with pytest.raises(InputError, match="a rescue that gives nothing"):
        trial(PLAIN, rescue=[{"at": "day 15", "when": "MADRS > 12", "give": "stop"}])


def test_a_step_may_look_back_between_visits(model):
    found = run_trial(
        trial(PLAIN, steps=[{"at": "day 10", "when": "no response of MADRS at the last visit", "give": "stop"}]), model
    )
    score, base = (found["MADRS"].sel(visit=v).values for v in ("day 8", "baseline"))
    stopped = in_arm(found) & (score > 0.5 * base)
    assert set(found["doses_given"].values[stopped]) == {3}
    assert set(found["doses_given"].values[in_arm(found) & ~stopped]) == {4}
    assert set(found["decided_at"].values[stopped]) == {216.0}
