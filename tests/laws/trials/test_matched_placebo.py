"""The matched placebo of an arm: the same visits without the drug."""

import pytest

from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events, is_expectancy
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import load_parameters
from ketamech.trials.analysis.analyse import reference_arm
from ketamech.trials.design import is_control, matched_placebo
from ketamech.trials.trial_reader import load_trial

TABLE = load_parameters()


def expectancy(regimen):
    """Time, state and amount of each expectancy event over 40 days."""
    return [(e.time, e.compartment, e.amount) for e in dose_events(regimen, TABLE, {}, 960.0) if is_expectancy(e)]


@pytest.mark.parametrize(
    ("sentence", "placebo"),
    {
        "racemic 0.5 mg/kg IV over 40 min on day 8; esketamine 0.2 mg/kg IV over 40 min on day 1": (
            "placebo IV over 40 min on days 1 and 8"
        ),
        "racemic 0.5 mg/kg IV over 40 min; esketamine 0.2 mg/kg IV over 1 h": (
            "placebo IV over 40 min; placebo IV over 1 h"
        ),
        "surgery over 2 h; racemic 0.5 mg/kg IV over 40 min at 1 h": (
            "surgery over 2 h; placebo IV over 40 min at 1 h"
        ),
        "racemic 50 mg oral daily; surgery over 2 h on day 3": "placebo oral daily; surgery over 2 h on day 3",
        "racemic 0.5 mg/kg IV over 40 min weekly for 4 weeks, missing dose 2": (
            "placebo IV over 40 min weekly for 4 weeks, missing dose 2"
        ),
        "surgery over 2 h on day 3": "placebo over 2 h on day 3",
    }.items(),
)
def test_it_can_be_given_and_raises_the_same_expectancy(sentence, placebo):
    regimen = Regimen.parse(sentence)
    found = matched_placebo(regimen)
    assert found.sentence() == placebo
    assert expectancy(found) == expectancy(regimen) or "racemic" not in sentence


def test_placebo_has_none():
    with pytest.raises(InputError, match="no matched placebo"):
        matched_placebo(Regimen.parse("placebo IV"))


@pytest.mark.parametrize(
    ("sentence", "control"),
    [
        ("placebo IV", True),
        ("midazolam 3 mg IV over 40 min", True),
        ("antidepressant daily; placebo nasal twice weekly for 4 weeks", True),
        ("general anaesthesia over 1 h", True),
        ("antidepressant daily", False),
        ("racemic 0.5 mg/kg IV over 40 min; midazolam 1 mg IV", False),
    ],
)
def test_a_control_is_known_by_its_drugs(sentence, control):
    assert is_control(Regimen.parse(sentence)) is control


@pytest.mark.parametrize(
    ("arms", "reference"),
    [
        ({"placebo-controlled": "racemic 0.5 mg/kg IV over 40 min", "comparison": "placebo IV"}, "comparison"),
        ({"control": "racemic 0.1 mg/kg IV over 40 min", "a": "ECT", "b": "esketamine 84 mg nasal"}, "a"),
        ({"control": "racemic 0.1 mg/kg IV over 40 min", "b": "esketamine 84 mg nasal"}, "b"),
    ],
)
def test_the_reference_is_chosen_by_treatment_not_by_name(model, arms, reference):
    keys = {
        "title": "x",
        "arms": {name: {"treatment": text, "n": 4} for name, text in arms.items()},
        "visits": {"MADRS": ["24 h"]},
    }
    assert reference_arm(load_trial(keys, model.parameters)) == reference
