"""The method against closed forms, against another solver, and its order of convergence."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from ketamech.core import InputError
from ketamech.engine import drug_free_steady_state, events, jacobian, solve
from ketamech.engine.solve import workspace
from ketamech.model.rates_and_jacobian import plain_function
from toy_models import TABLE


@pytest.fixture(scope="module")
def person(kernel):
    inputs = np.array([[TABLE[n].canonical for n in kernel.layout.parameter_names] + [0.0]])
    start, found = drug_free_steady_state(kernel, inputs)
    assert found.all()
    return start, inputs


def matrix():
    k10, k12, k21 = 10 / 20, 30 / 20, 30 / 60
    return np.array([[-k10 - k12, k21], [k12, -k21]])


def test_rest_is_the_closed_form(person):
    start, inputs = person
    assert start[0] == pytest.approx([0, 0, 0, 0, 1.0], abs=1e-12)
    assert inputs[0, -1] == pytest.approx(1.0)


def test_bolus_and_infusion_follow_the_matrix_exponential(kernel, person):
    start, inputs = person
    times = np.array([0.0, 0.5, 2.0, 3.0, 10.0, 30.0])
    given = events([(0.0, 0, 0, 100.0), (2.0, 1, 0, 40.0), (3.0, 1, 0, -40.0)])
    found = solve(kernel, start, inputs, [given], times, tolerance=1e-8).values[0][:, :2]
    a, steady = matrix(), np.linalg.solve(matrix(), np.array([-40.0, 0.0]))
    at2 = expm(2 * a) @ [100.0, 0.0]
    at3 = steady + expm(a) @ (at2 - steady)
    exact = [[100.0, 0.0], expm(0.5 * a) @ [100.0, 0.0], at2, at3, expm(7 * a) @ at3, expm(27 * a) @ at3]
    assert found == pytest.approx(np.array(exact), rel=1e-6, abs=1e-7)


def test_nothing_is_lost(kernel, person):
    start, inputs = person
    given = events([(0.0, 0, 0, 100.0), (5.0, 1, 0, 10.0), (9.0, 1, 0, -10.0)])
    found = solve(kernel, start, inputs, [given], np.array([100.0]))
    assert found.final_state[0, :3].sum() == pytest.approx(140.0, rel=1e-10)


def test_scipy_on_the_plain_equations_agrees(kernel, person):
    start, inputs = person
    f = plain_function(kernel.build_system())
    times = np.linspace(0, 24, 13)
    y0 = start[0].copy()
    y0[0] = 50.0
    slow = solve_ivp(lambda t, y: f(y, inputs[0]), (0, 24), y0, "LSODA", times, rtol=1e-11, atol=1e-12)
    ours = solve(kernel, start, inputs, [events([(0.0, 0, 0, 50.0)])], times, tolerance=1e-9)
    assert ours.values[0][:, : slow.y.shape[0]] == pytest.approx(slow.y.T, rel=1e-6, abs=1e-7)


def test_the_order_of_convergence_is_five(kernel, person):
    start, inputs = person
    y0 = start[0].copy()
    y0[:4] = 50.0, 10.0, 0.0, 0.4  # away from zero, where a Hill curve of exponent 1.5 is not smooth
    f = plain_function(kernel.build_system())
    exact = solve_ivp(lambda t, y: f(y, inputs[0]), (0, 4), y0, "DOP853", rtol=3e-14, atol=1e-14).y[:, -1]
    counts = np.array([10, 20, 40, 80, 160, 320])
    errors = np.array([np.abs(fixed_steps(kernel, y0, inputs[0], 4.0, n) - exact) for n in counts])
    drug, level = slice(0, 3), slice(2, 6)  # where rounding does not yet, and where the Hill curve no longer disturbs
    assert -np.polyfit(np.log(counts[drug]), np.log(errors[drug, :4]), 1)[0].max() > 4.7
    assert -np.polyfit(np.log(counts[level]), np.log(errors[level, 4]), 1)[0] > 4.7


def fixed_steps(kernel, y0, inputs, length, count, theta=None):
    """The state after `count` steps of one size; with `theta` the dense output within the first."""
    code = kernel.compiled
    w, starts = workspace(code), code.rows.starts
    rows = w.reshape(-1, code.lanes)
    h = length / count
    rows[starts["P"] : starts["P"] + inputs.size] = inputs[:, None]
    rows[starts["Y"] : starts["Y"] + y0.size] = y0[:, None]
    for name, value in (("SPEED", 1 / h), ("SHIFT", 1 / (h * code.gamma)), ("TOLERANCE", 1.0), ("ACCEPT", 1.0)):
        rows[starts[name]] = value
    rows[starts["THETA"]] = theta or 0.0
    run = {name: code.code.function(name, "r") for name in ("prepare", "attempt", "accept", "interpolate")}
    run["prepare"](w.ctypes.data)
    for _ in range(count):
        run["attempt"](w.ctypes.data)
        if theta is not None:
            run["interpolate"](w.ctypes.data)
            return rows[starts["V"] : starts["V"] + y0.size, 0].copy()
        run["accept"](w.ctypes.data)
    return rows[starts["Y"] : starts["Y"] + y0.size, 0].copy()


def test_the_order_of_dense_output_is_four(kernel, person):
    start, inputs = person
    y0 = start[0].copy()
    y0[:4] = 50.0, 10.0, 0.0, 0.4
    f = plain_function(kernel.build_system())
    steps = np.array([0.1, 0.05, 0.025])
    errors = []
    for h in steps:
        exact = solve_ivp(lambda t, y: f(y, inputs[0]), (0, 0.4 * h), y0, "DOP853", rtol=3e-14, atol=1e-14).y[:, -1]
        errors.append(np.abs(fixed_steps(kernel, y0, inputs[0], h, 1, theta=0.4) - exact)[:4].max())
    local_order = np.polyfit(np.log(steps), np.log(errors), 1)[0]  # one more than the global one
    assert local_order == pytest.approx(5.0, abs=0.3)


def test_dense_output_agrees_with_stopping_there(kernel, person):
    start, inputs = person
    given = [events([(0.0, 0, 0, 50.0)])]
    many = solve(kernel, start, inputs, given, np.linspace(0, 12, 121), tolerance=1e-7)
    for k in (3, 37, 90):
        one = solve(kernel, start, inputs, given, many.times[: k + 1][-1:], tolerance=1e-7)
        assert one.values[0, 0] == pytest.approx(many.values[0, k], rel=2e-5, abs=1e-6)


def test_the_jacobian_is_the_slope_of_the_rates(kernel, person):
    start, inputs = person
    y = start[0] + np.array([30.0, 5.0, 0.0, 0.4, 0.3])
    f, n = plain_function(kernel.build_system()), start.shape[1]
    h = 1e-6
    numeric = np.array([(f(y + h * e, inputs[0]) - f(y - h * e, inputs[0])) / (2 * h) for e in np.eye(n)]).T
    assert jacobian(kernel, y, inputs[0]) == pytest.approx(numeric, rel=1e-5, abs=1e-7)


def test_a_patient_that_cannot_be_solved_is_nan_with_a_reason_and_the_others_are_solved(kernel, person):
    start, inputs = person
    both, two = np.repeat(start, 2, axis=0), np.repeat(inputs, 2, axis=0)
    two[0, kernel.layout.parameter_names.index("toy.clearance")] = np.nan
    given = [events([(0.0, 0, 0, 50.0)])] * 2
    found = solve(kernel, both, two, given, np.array([1.0]))
    alone = solve(kernel, start, inputs, given[:1], np.array([1.0]))
    assert np.isnan(found.values[0]).all()
    assert "not finite at 0 h" in found.reason(0)
    assert "state kinetics.central, term 'elimination'" in found.reason(0)
    assert found.tries[0] == 3
    assert (found.values[1] == alone.values[0]).all()


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, 2.0, float("nan")])
def test_a_senseless_tolerance_is_refused(kernel, person, tolerance):
    with pytest.raises(InputError, match="tolerance"):
        solve(kernel, *person, [events([])], np.array([1.0]), tolerance=tolerance)


@pytest.mark.parametrize("times", [[], [float("nan")], [2.0, 1.0], [float("inf")]])
def test_senseless_times_are_refused(kernel, person, times):
    with pytest.raises(InputError, match="times"):
        solve(kernel, *person, [events([])], np.array(times))
