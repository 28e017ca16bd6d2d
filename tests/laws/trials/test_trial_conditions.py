"""Conditions of a trial: joined, in brackets, looking back, with missing ratings; thresholds of the trial."""

import itertools

import numpy as np
import pytest
import yaml

from ketamech.core import InputError
from ketamech.dosing.parsed_values import CombinedCondition, LookBack, opposite
from ketamech.trials.decision_rules import is_met
from ketamech.trials.rating_scales import scale
from ketamech.trials.trial_reader import load_trial
from ketamech.trials.trial_text import condition

SCALES = {name: scale(name) for name in ("MADRS", "CADSS", "SBP")}
PLAN = {
    "title": "x",
    "arms": {"a": {"treatment": "placebo IV", "n": 5}},
    "visits": {"MADRS": ["day 2", "day 4", "day 6", "day 8"], "CADSS": ["day 4"]},
}


def trial(**keys):
    return load_trial({**PLAN, **keys})


def met(text, madrs, cadss=None, visit=4, **keys):
    """Whether the condition is met, and known, for one patient with these scores."""
    planned = trial(**keys)
    other = cadss or [0, np.nan, 3, np.nan, np.nan]
    scores = {"MADRS": np.array([madrs], float), "CADSS": np.array([other], float)}
    found, known = is_met(planned, condition(text, planned.scales), scores, visit)
    return bool(found[0]), bool(known[0])


NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "look"),
    {
        "remission of MADRS at 3 of the last 4 visits": LookBack(3, 4),
        "remission of MADRS in three of the last four visits": LookBack(3, 4),
        "MADRS >= 22 at two consecutive visits": LookBack(2, 2),
        "MADRS >= 22 at 2 ratings in a row": LookBack(2, 2),
        "CADSS < 40 at the last visit": LookBack(1, 1),
        "MADRS falls by 50 % at the last 2 visits": LookBack(2, 2),
        "CADSS > 4 at any visit": LookBack(1, None),
        "CADSS <= 4 at every visit": LookBack(None, None),
    }.items(),
)
def test_a_condition_looks_back(text, look):
    assert condition(text, SCALES).look_back == look


def test_and_or_and_brackets():
    both = condition("(MADRS > 22 and CADSS < 4) or SBP >= 180", SCALES)
    assert (both.every, [isinstance(part, CombinedCondition) for part in both.parts]) == (False, [True, False])
    other = condition("MADRS > 22 and (CADSS < 4 or SBP >= 180)", SCALES)
    assert (other.every, [isinstance(part, CombinedCondition) for part in other.parts]) == (True, [False, True])
    assert condition("((MADRS > 22))", SCALES) == condition("MADRS > 22", SCALES)


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "MADRS > 22 and CADSS < 4 or SBP >= 180": "can be read in two ways",
        "MADRS > 22 at 4 of the last 3 visits": "'4 of the last 3 visits' (character 15) is not possible",
        "MADRS > 22 at 2.5 of the last 4 visits": "is no number of visits",
        "MADRS > 22 at 0 of the last 4 visits": "is no number of visits",
        "MADRS > 22 at": "something is missing",
        "MADRS > 22 and": "something is missing",
        "MADRS > 22 and QIDS > 3": "'QIDS' (character 16) is not rated in this trial",
        "MADRS > 22 or MADSR > 3": "'MADSR' (character 15) is not rated in this trial",
        "MADRS > 22 und CADSS < 4": "'und' (character 12) is not known",
        "(MADRS > 22": "something is missing",
    }.items(),
)
def test_a_bad_condition_is_refused_with_its_place(text, said):
    with pytest.raises(InputError) as refused:
        condition(text, SCALES)
    assert said in refused.value.what


CASES = [
    ("remission of MADRS at 3 of the last 4 visits", [40, 8, 9, 30, 10], True, True),
    ("remission of MADRS at 3 of the last 4 visits", [40, 8, 9, NAN, 10], True, True),
    ("remission of MADRS at 3 of the last 4 visits", [40, 8, NAN, NAN, 10], False, False),
    ("remission of MADRS at 3 of the last 4 visits", [40, 8, 30, 30, 10], False, True),
    ("MADRS >= 22 at 2 consecutive visits", [40, 10, 10, 22, 22], True, True),
    ("MADRS >= 22 at 2 consecutive visits", [40, 22, 22, 10, 22], False, True),
    ("MADRS >= 22 at 2 consecutive visits", [40, 22, 22, NAN, 10], False, True),
    ("MADRS > 50 % of baseline", [40, 10, 10, 10, 20], False, True),
    ("MADRS > 50 % of baseline", [40, 10, 10, 10, 21], True, True),
    ("MADRS rises by 5", [20, 10, 10, 10, 25], True, True),
    ("MADRS rises by 5", [20, 10, 10, 10, 24], False, True),
    ("MADRS > 30 at any visit", [40, 10, NAN, 31, 10], True, True),
    ("MADRS > 30 at any visit", [40, 10, NAN, 10, 10], False, False),  # baseline does not count
    ("MADRS > 30 at every visit", [10, 31, 32, 33, 34], True, True),
    ("CADSS < 4 at the last visit", [40, 10, 10, 10, 10], True, True),  # rated on day 4
    ("MADRS < 12 and CADSS < 2 at the last visit", [40, 10, 10, 10, 10], False, True),
    ("MADRS < 12 or CADSS < 2", [40, 10, 10, 10, 10], True, True),  # known although CADSS is not rated
    ("MADRS > 12 or CADSS < 2", [40, 10, 10, 10, 10], False, False),
    ("MADRS > 12 and CADSS < 2", [40, 10, 10, 10, 10], False, True),
]


@pytest.mark.parametrize(("text", "madrs", "found", "known"), CASES)
def test_a_condition_by_hand(text, madrs, found, known):
    assert met(text, madrs) == (found, known)


def test_fewer_visits_than_required_are_not_enough():
    assert met("MADRS <= 12 at 3 of the last 4 visits", [40, 10, 10, NAN, NAN], visit=2) == (False, True)
    assert met("MADRS <= 12 at 2 of the last 4 visits", [40, 10, 10, NAN, NAN], visit=2) == (True, True)


@pytest.mark.parametrize(("text", "madrs", "found", "known"), [case for case in CASES if "of the last" not in case[0]])
def test_the_opposite_is_met_where_the_rule_is_known_and_not_met(text, madrs, found, known):
    planned = trial()
    scores = {"MADRS": np.array([madrs], float), "CADSS": np.array([[0, NAN, 3, NAN, NAN]])}
    other, sure = is_met(planned, opposite(condition(text, planned.scales)), scores, 4)
    assert (bool(other[0]), bool(sure[0])) == (known and not found, known)


def test_unknown_is_between_true_and_false():
    """Every replacement of the missing ratings agrees with a known result, and an unknown one may go either way."""
    text = "(MADRS > 20 at 2 of the last 3 visits and MADRS falls by 25 %) or MADRS <= 5"
    for madrs in itertools.product((3, 24, NAN), repeat=4):
        found, known = met(text, [40, *madrs])
        gaps = [k for k, score in enumerate(madrs) if np.isnan(score)]
        results = set()
        for values in itertools.product((0, 3, 24, 35), repeat=len(gaps)):
            whole = list(madrs)
            for k, value in zip(gaps, values, strict=True):
                whole[k] = value
            results.add(met(text, [40, *whole])[0])
        if known:
            assert results == {found}
        else:
            assert not found


def test_thresholds_of_a_trial_replace_those_of_the_scale():
    assert not met("remission of MADRS", [40, 12, 12, 12, 12])[0]
    twelve = {"MADRS": {"remission": 12, "response": "60 %"}}
    assert met("remission of MADRS", [40, 12, 12, 12, 12], thresholds=twelve)[0]
    assert met("response of MADRS", [40, 20, 20, 20, 20])[0]
    assert not met("response of MADRS", [40, 20, 20, 20, 20], thresholds=twelve)[0]


@pytest.mark.parametrize(("stated", "read"), [(12, (12.0, 0.5)), ("30 %", (10.0, 0.3))])
def test_a_number_in_place_of_thresholds_is_told_the_keys(stated, read):
    with pytest.raises(InputError) as refused:
        trial(thresholds={"MADRS": stated})
    assert (refused.value.key, refused.value.expected) == ("thresholds.MADRS", "keys and values: response, remission")
    scale = trial(thresholds=yaml.safe_load(refused.value.type_this)).scales["MADRS"]
    assert (scale.remission, scale.response) == read


ARM = {"treatment": "racemic 0.5 mg/kg IV over 40 min", "n": 3}


@pytest.mark.parametrize(
    ("key", "stated", "typed"),
    [
        ("arms", [ARM, {"name": "saline", "treatment": "saline IV", "n": 3}], {"ketamine_1", "saline"}),
        ("arms", {}, {"ketamine"}),
        ("visits", ["MADRS at 24 h"], {"MADRS"}),
        ("people", ["age 70"], {"age"}),
        ("thresholds", [12], {"MADRS"}),
        ("events", ["CADSS > 4"], {"dissociation"}),
        ("leave", {"when": "CADSS > 30", "chance": "10 %"}, None),
        ("steps", {"at": "8 d", "give": "stop"}, None),
        ("eligibility", ["MADRS >= 28"], {"include"}),
    ],
)
def test_what_is_told_to_type_in_place_of_a_wrong_shape_is_read(key, stated, typed):
    with pytest.raises(InputError) as refused:
        trial(**{key: stated})
    content = yaml.safe_load(refused.value.type_this)
    assert refused.value.key == key
    assert set(content) == {key}
    assert typed is None or set(content[key]) == typed
    assert trial(**content)


@pytest.mark.parametrize(
    ("thresholds", "key", "said"),
    [
        ({"MADSR": {"remission": 12}}, "thresholds.MADSR", "not rated"),
        ({"MADRS": {"remission": 99}}, "thresholds.MADRS.remission", "does not exist"),
        ({"MADRS": {"response": "150 %"}}, "thresholds.MADRS.response", "not possible"),
        ({"MADRS": {"remision": 12}}, "thresholds.MADRS.remision", "not a key"),
    ],
)
def test_a_bad_threshold_is_refused(thresholds, key, said):
    with pytest.raises(InputError) as refused:
        trial(thresholds=thresholds)
    assert refused.value.key == key
    assert said in refused.value.what
