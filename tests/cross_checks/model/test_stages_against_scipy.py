"""SciPy on the written-out equations must tell the same story as the compiled kernel, stage by stage."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ketamech.dosing.dose_events import DoseEvent
from ketamech.engine import drug_free_steady_state
from ketamech.model.rates_and_jacobian import plain_function
from ketamech.model.stages import STAGES
from ketamech.simulation.ensemble import Subject, run_subjects

TIMES = np.array([0.0, 0.1, 0.5, 0.7, 1.0, 2.0, 6.0, 24.0, 30.0, 48.0])
INFUSION = 2 / 3
GIVEN = {
    "pharmacokinetics.central_s": (70.0, INFUSION),
    "pharmacokinetics.central_r": (70.0, INFUSION),
    "other_treatments.antidepressant": (1.0, 0.0),
    "other_treatments.ect": (1.0, 0.0),
    "other_treatments.tms": (1.0, 0.0),
    "other_treatments.psychotherapy": (1.0, 0.0),
    "expectancy.belief": (1.0, 0.0),
}


@pytest.fixture(scope="module")
def ours(model):
    entries = tuple(DoseEvent(0.0, state, amount, duration) for state, (amount, duration) in GIVEN.items())
    return run_subjects(model, [Subject("everything at once", entries)], TIMES, tolerance=1e-8)


@pytest.fixture(scope="module")
def theirs(model):
    system = model.system
    f = plain_function(system)
    inputs = np.array(
        [[system.parameters[n].canonical for n in system.parameter_names] + [0.0] * len(system.baseline_names)]
    )
    y = drug_free_steady_state(model.kernel, inputs)[0][0]
    inflow = np.zeros(y.size)
    for state, (amount, duration) in GIVEN.items():
        place = system.state_names.index(state)
        if duration:
            inflow[place] = amount / duration
        else:
            y[place] += amount
    scale = np.array([s.scale for s in system.states])
    first, second = TIMES[TIMES < INFUSION], TIMES[TIMES > INFUSION]
    options = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-10 * scale}
    a = solve_ivp(lambda t, y: f(y, inputs[0]) + inflow, (0, INFUSION), y, t_eval=[*first, INFUSION], **options)
    b = solve_ivp(lambda t, y: f(y, inputs[0]), (INFUSION, TIMES[-1]), a.y[:, -1], t_eval=second, **options)
    return np.hstack([a.y[:, :-1], b.y])


@pytest.mark.parametrize("stage", STAGES)
def test_scipy_agrees_on_every_state_of(stage, model, ours, theirs):
    names = [s.name for s in model.system.states if model.system.stage_of[s.name] == stage]
    for name in names:
        i = model.system.state_names.index(name)
        size = model.system.states[i].scale + np.abs(theirs[i])
        assert np.max(np.abs(ours[name].values[0] - theirs[i]) / size) < 1e-5, name


def test_a_rest_state_has_no_rate(model):
    system = model.system
    inputs = np.array(
        [[system.parameters[n].canonical for n in system.parameter_names] + [0.0] * len(system.baseline_names)]
    )
    state, found = drug_free_steady_state(model.kernel, inputs)
    assert found.all()
    rates = plain_function(system)(state[0], inputs[0])
    scale = np.array([s.scale for s in system.states])
    assert np.max(np.abs(rates) / (scale + np.abs(state[0]))) < 1e-9
