"""Limits of a run: the most solver steps of a patient, and an interrupt."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import SolverError
from ketamech.core.progress import interrupted_by
from ketamech.simulation.ensemble import NO_STEADY_STATE, OK, STEPS_EXCEEDED
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import ensemble_of_scenario, simulate_scenario

TIMES = np.array([0.0, 24.0, 336.0])
OUTPUTS = ("mood.madrs",)
WEEKLY = "esketamine 84 mg nasal weekly for 2 weeks"


def patients(model, sentence=WEEKLY, count=6):
    scenario = load_scenario(sentence, model.parameters)
    weights = {"person.weight": np.linspace(40.0, 120.0, count)}
    return ensemble_of_scenario(model, scenario, weights, count, 336.0)


def test_a_patient_above_the_limit_is_missing_with_a_reason_and_the_others_keep_their_bits(model):
    free = patients(model).solve(TIMES, OUTPUTS)
    limit = int(np.median(free.steps))
    limited = patients(replace(model, max_steps=limit))
    found = limited.solve(TIMES, OUTPUTS)
    over = free.steps > limit
    assert 0 < over.sum() < len(over)
    assert all(reason.startswith(STEPS_EXCEEDED) for reason in found.reasons[over])
    assert np.isnan(found.values[over]).all()
    assert (found.reasons[~over] == OK).all()
    assert (found.values[~over] == free.values[~over]).all()
    again = limited.solve(TIMES, OUTPUTS, threads=2)
    assert np.array_equal(again.values, found.values, equal_nan=True)


def test_steps_are_counted_over_all_parts_of_a_run(model):
    whole = patients(model).start(0.0, OUTPUTS)
    steps = [whole.advance(np.array([end]), OUTPUTS).steps for end in (200.0, 336.0)]
    limit = int(np.max(steps)) + 1
    moving = patients(replace(model, max_steps=limit)).start(0.0, OUTPUTS)
    assert (moving.advance(np.array([200.0]), OUTPUTS).reasons == OK).all()
    last = moving.advance(np.array([336.0]), OUTPUTS)
    assert (last.reasons == STEPS_EXCEEDED).all()
    assert np.isnan(last.values).all()


def test_the_steps_to_a_periodic_steady_state_are_limited_too(model):
    found = patients(replace(model, max_steps=200), f"{WEEKLY} at steady state").solve(TIMES, OUTPUTS)
    assert (found.reasons == NO_STEADY_STATE).all()


def test_a_scenario_above_the_limit_says_what_to_change(model):
    scenario = load_scenario(WEEKLY, model.parameters)
    with pytest.raises(SolverError, match=r"too many steps .*\n  expected: .*fewer doses or a shorter horizon"):
        simulate_scenario(scenario, replace(model, max_steps=50))


class Stopped(Exception):
    pass


@pytest.mark.parametrize("calls", [0, 1])
def test_an_interrupt_ends_a_run_at_the_next_patient(model, calls):
    """The first call comes before the baselines, the next ones during the integration."""
    remaining = [calls]

    def interrupt():
        remaining[0] -= 1
        if remaining[0] < 0:
            raise Stopped

    started, ensemble = [], patients(model, count=3000)
    with pytest.raises(Stopped), interrupted_by(interrupt):
        ensemble.solve(np.linspace(0.0, 336.0, 10), OUTPUTS, progress=started.append)
    assert max(started, default=0) < 2500


def test_an_interrupt_that_raises_nothing_changes_no_bit(model):
    with interrupted_by(lambda: None):
        watched = patients(model, count=300).solve(TIMES, OUTPUTS)
    free = patients(model, count=300).solve(TIMES, OUTPUTS)
    assert (watched.values == free.values).all()
    assert (watched.baseline == free.baseline).all()
