"""Starts at steady state: whatever is measured comes back after each round of doses and visits."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import BadInput
from ketamech.engine import events, rest
from ketamech.engine.events import joined
from ketamech.parameters import load_parameters
from ketamech.study import Cohort, Regimen, entries, load_scenario
from ketamech.study.steady import steady_state

VISITS = load_parameters()["expectancy.visit_gap"].canonical


@pytest.mark.parametrize(
    ("words", "length"),
    [
        ("esketamine 84 mg nasal twice weekly for 4 weeks at steady state", 168.0),
        ("racemic 50 mg oral daily for 4 weeks at steady state", 72.0),
        ("racemic 0.2 mg/kg IV every 36 h for 4 weeks at steady state", 72.0),
        ("racemic 20 mg IV at 30 h every 3 days for 4 weeks at steady state", 72.0),
    ],
)
def test_mood_comes_back_after_each_round(model, words, length):
    """Doses and hopes both repeat: two doses a week come back weekly, daily tablets with every visit that counts."""
    scenario = load_scenario(words, model.parameters)
    assert scenario.cycle(model.parameters)[1] == length
    times = length * np.arange(4.0)
    found = Cohort(model, scenario, 6, ("mood.madrs", "plasma.s_norketamine"), times).some(range(6))
    assert (found["solve_status"] == "ok").all()
    for values in (found["mood.madrs"].values, found["plasma.s_norketamine"].values):
        assert values[:, 1:] == pytest.approx(np.repeat(values[:, :1], 3, axis=1), rel=1e-3)


def test_a_round_takes_every_dose():
    plan = Regimen.parse("racemic 50 mg oral daily for 2 weeks missing dose 1 at steady state")
    repeated, length = plan.cycle(VISITS)
    given = entries(repeated, load_parameters(), {}, length)
    assert sorted({e.time for e in given if e.state.endswith("gut_s")}) == [0.0, 24.0, 48.0]
    assert [e.time for e in given if e.state == "expectancy.belief"] == [0.0]


def test_a_regimen_that_starts_at_rest_has_no_round():
    plan = Regimen.parse("racemic 0.5 mg/kg IV")
    assert plan.cycle(VISITS) == (plan, 0.0)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("racemic 20 mg IV at day 3 every 12 h at steady state", "a first dose at 48 h"),
        ("esketamine 84 mg nasal at day 6 twice weekly for 4 weeks at steady state", "a first dose at 120 h"),
        ("racemic 20 mg IV daily at steady state; racemic 20 mg IM weekly at steady state", "another rhythm"),
    ],
)
def test_a_start_that_no_round_reaches_is_refused(words, complaint):
    with pytest.raises(BadInput, match=complaint):
        Regimen.parse(words).cycle(VISITS)


def test_one_in_whom_a_dose_is_still_entering_is_lost_and_no_other(model):
    """An infusion of 80 h every 72 h: told apart, and the neighbour's state has the same bits as alone."""
    state = model.layout.state_names.index("pharmacokinetics.central_s")
    short = events([(0.0, 1, state, 1.0), (2.0, 1, state, -1.0)])
    long = replace(short, time=np.array([0.0, 80.0]))
    inputs = np.zeros((2, len(model.layout.inputs)))
    values = [model.parameters[name].canonical for name in model.layout.parameter_names]
    inputs[:, : len(values)] = values
    start, _ = rest(model.kernel, inputs)
    both, steady = steady_state(model.kernel, start, inputs, joined([long, short]), 72.0)
    alone, _ = steady_state(model.kernel, start[1:], inputs[1:], joined([short]), 72.0)
    assert steady.tolist() == [False, True]
    assert (both[1] == alone[0]).all()
