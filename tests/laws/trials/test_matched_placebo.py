"""The matched placebo of an arm: the same visits without the drug."""

import pytest

from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events, is_expectancy
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import load_parameters
from ketamech.trials.design import matched_placebo

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
