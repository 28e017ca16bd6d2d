"""Tangents: exact derivatives beside the values, checked with closed forms and with central differences."""

import math

import numpy as np
import pytest

from ketamech.engine import drug_free_steady_state, events, load_kernel, solve
from ketamech.engine.codegen.differentiate import Differentiator, tangent_name
from ketamech.engine.codegen.ir import KINDS, Instruction
from ketamech.engine.events import to_table
from ketamech.engine.tangent_solve import EventTangents, solve_with_tangents, steady_state_with_tangents
from ketamech.engine.tangents import Tangents
from ketamech.model.assemble import build_system
from toy_models import TABLE

TIMES = np.array([0.5, 1.0, 4.0, 12.0, 24.0, 48.0])
STEP = 1e-4
TIGHT = 1e-12
EVENTS = np.array([1.0, 0.1, 1.5])  # factor of the amounts, lag (h), duration of the infusion (h)
FUNCTIONS = {
    "copy": lambda a: a,
    "neg": lambda a: -a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": np.divide,
    "max": np.maximum,
    "abs": abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "floor": np.floor,
    "fma": lambda a, b, c: a * b + c,
    "fnma": lambda a, b, c: c - a * b,
    "if_positive": lambda a, b, c: c if a <= 0 else b,
    "if_zero": lambda a, b, c: b if a == 0 else c,
}


def run(ops, values):
    """Values of all names after instructions."""
    found = {name: np.float64(value) for name, value in values.items()}
    with np.errstate(all="ignore"):
        for op in ops:
            arguments = [found[a] if isinstance(a, str) else np.float64(a) for a in op.arguments]
            found[op.target] = FUNCTIONS[op.kind](*arguments)
    return found


def derivative(ops, values, tangents):
    """The tangent of the name y."""
    code = Differentiator(1)
    for name in tangents:  # makes the name move
        code._with_tangents.add(name)
    written = code.instructions(ops)
    given = {**values, **{tangent_name(name, 1): slope for name, slope in tangents.items()}}
    found = run(written, given)
    return found.get(tangent_name("y", 1), 0.0)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("moving", [("a",), ("b",), ("c",), ("a", "b"), ("a", "b", "c")])
def test_each_instruction_has_its_derivative(kind, moving):
    names = "abc"[: KINDS[kind]]
    values = dict(zip("abc", (0.7, 1.3, -0.4), strict=True))
    slopes = {name: slope for name, slope in zip("abc", (0.9, -0.3, 0.6), strict=True) if name in moving}
    ops = [Instruction("y", kind, tuple(names))]
    h = 1e-6
    moved = [run(ops, {n: v + s * h * slopes.get(n, 0.0) for n, v in values.items()})["y"] for s in (1, -1)]
    assert derivative(ops, values, slopes) == pytest.approx((moved[0] - moved[1]) / (2 * h), abs=1e-8)


HILL = [  # 1 / (1 + exp(n log half - n log x)) where x is positive, with half = 2
    Instruction("l", "log", ("x",)),
    Instruction("m", "mul", ("n", "l")),
    Instruction("u", "sub", (math.log(2.0), "m")),
    Instruction("e", "exp", ("u",)),
    Instruction("d", "add", (1.0, "e")),
    Instruction("q", "div", (1.0, "d")),
    Instruction("y", "if_positive", ("x", "q", 0.0)),
]
SATURATION = [
    Instruction("d", "add", ("x", 2.0)),
    Instruction("q", "div", ("x", "d")),
    Instruction("y", "if_positive", ("x", "q", 0.0)),
]


@pytest.mark.parametrize("x", [0.0, 1e-300, -1.0])
def test_a_steep_hill_function_is_flat_at_its_foot(x):
    assert derivative(HILL, {"x": x, "n": 3.0}, {"x": 1.0, "n": 1.0}) == 0.0


@pytest.mark.parametrize(("x", "slope"), [(0.0, 0.5), (-1.0, 0.0), (2.0, 0.125)])
def test_a_saturation_has_a_slope_at_zero(x, slope):
    assert derivative(SATURATION, {"x": x}, {"x": 1.0}) == slope


def test_a_root_at_zero_does_not_spoil_other_terms():
    assert derivative([Instruction("y", "sqrt", ("x",))], {"x": 0.0}, {"x": 1.0}) == 0.0


@pytest.fixture(scope="module")
def usual(kernel):
    return np.array([*(TABLE[name].canonical for name in kernel.layout.parameter_names), 0.0])


def treatment(factor, lag, duration):
    """A bolus and an infusion after a lag, and a second bolus at a fixed time."""
    rate = 10.0 * factor / duration
    infusion = [(2.0 + lag, 1, 0, rate), (2.0 + lag + duration, 1, 0, -rate)]
    return to_table([events([(0.3 + lag, 0, 0, 20.0 * factor), *infusion, (20.0, 0, 0, 10.0)])])


def tangents_of_events(directions):
    """Exact tangents of `treatment` in its three numbers, as the last three directions."""
    factor, _, duration = EVENTS
    rate = 10.0 * factor / duration
    time, size = np.zeros((4, directions)), np.zeros((4, directions))
    time[:3, -2] = 1.0
    time[2, -1] = 1.0
    size[:, -3] = [20.0, 10.0 / duration, -10.0 / duration, 0.0]
    size[1:3, -1] = [-rate / duration, rate / duration]
    return EventTangents(time, size)


def with_tangents(kernel, usual, *, copies=1, threads=1, tolerance=TIGHT, directions=None):
    """Solution and tangents of identical patients, in the directions of all parameters and numbers of events."""
    count = len(usual) - 1
    chosen = np.arange(count + 3) if directions is None else np.asarray(directions)
    inputs, slopes = np.tile(usual, (copies, 1)), np.zeros((copies, count + 3, count + 1))
    slopes[:, np.arange(count), np.arange(count)] = 1.0
    slopes, one = Tangents.of_all(slopes[:, chosen]), tangents_of_events(count + 3)
    y, y_slopes, found = steady_state_with_tangents(kernel, inputs, slopes, threads=threads)
    assert found.all()
    table = treatment(*EVENTS).of(np.zeros(copies, dtype=int))
    own = EventTangents(*(np.tile(part[:, chosen], (copies, 1)) for part in (one.time, one.size)))
    return solve_with_tangents(
        kernel, (y, y_slopes), (inputs, slopes), table, own, TIMES, tolerance=tolerance, threads=threads
    )


def plain(kernel, inputs, numbers, tolerance=TIGHT):
    own = inputs[None].copy()
    y, found = drug_free_steady_state(kernel, own)
    assert found.all()
    return solve(kernel, y, own, treatment(*numbers), TIMES, tolerance=tolerance)


def test_the_values_are_those_of_a_plain_solve(kernel, usual):
    for tolerance in (1e-4, TIGHT):
        found, _, _ = with_tangents(kernel, usual, tolerance=tolerance)
        other = plain(kernel, usual, EVENTS, tolerance)
        assert (found.values == other.values).all()
        assert (found.final_state == other.final_state).all()
        assert (found.steps == other.steps).all()


def test_tangents_agree_with_central_differences(kernel, usual):
    """Kinetic and effect parameters, through the baseline, and amounts, lag and duration of doses."""
    found, tangents, _ = with_tangents(kernel, usual)
    scale = np.abs(found.values[0]).max(axis=0) + 1e-12
    numbers = np.concatenate([usual[:-1], EVENTS])
    for k, number in enumerate(numbers):
        moved = []
        for sign in (1, -1):
            own = numbers.copy()
            own[k] += sign * STEP * number
            moved.append(plain(kernel, np.append(own[:-3], 0.0), own[-3:]).values[0])
        expected = (moved[0] - moved[1]) / (2 * STEP)
        assert np.abs(expected).max() > 0.01
        assert (np.abs(tangents[0, k] * number - expected) / scale).max() < 3e-8


def test_no_bit_depends_on_company_threads_or_other_directions(kernel, usual):
    _, alone, state = with_tangents(kernel, usual, tolerance=1e-6)
    _, many, states = with_tangents(kernel, usual, tolerance=1e-6, copies=7, threads=3)
    assert (many == alone).all()
    assert (states.values == state.values).all()
    _, some, _ = with_tangents(kernel, usual, tolerance=1e-6, directions=[12, 3, 7])
    assert (some == alone[:, [12, 3, 7]]).all()


def test_no_bit_depends_on_inputs_without_tangents(kernel, usual):
    """Tangents of two inputs and the baseline value, given alone or among zeros of all others."""
    count, found = len(usual), []
    for moving in (np.arange(count), np.array([3, 7, count - 1])):
        inputs, slopes = np.tile(usual, (3, 1)), Tangents(moving, np.zeros((3, 2, len(moving))))
        slopes.values[:, [0, 1], np.searchsorted(moving, [3, 7])] = 1.0
        y = steady_state_with_tangents(kernel, inputs, slopes)[:2]
        still = EventTangents(*np.zeros((2, 12, 2)))
        table = treatment(*EVENTS).of(np.zeros(3, dtype=int))
        found.append(solve_with_tangents(kernel, y, (inputs, slopes), table, still, TIMES, tolerance=1e-6)[1])
    assert np.array_equal(found[0], found[1])
    assert (np.abs(found[0]).max(axis=(0, 2, 3)) > 0.01).all()


def elimination(m):
    """One compartment with first-order elimination and a constant production."""
    clearance, volume, made = m.parameter("toy.clearance"), m.parameter("toy.volume"), m.parameter("toy.exchange")
    amount = m.state("elimination.amount", "umol", kind="amount")
    m.rate(amount, -clearance / volume * amount, because="elimination")
    m.rate(amount, made * m.parameter("toy.half"), because="production")


def test_a_linear_compartment_has_its_closed_form():
    """A(t) = P / k + D exp(-k t), from the steady state P / k on, with k = CL / V and P = Q half."""
    system = build_system(TABLE, [elimination])
    kernel = load_kernel(system.layout, lambda: system)
    names = kernel.layout.parameter_names
    clearance, volume, made, half = (TABLE[n].canonical for n in names)
    inputs, slopes = np.array([[clearance, volume, made, half]]), np.eye(5, 4)[None].copy()
    slopes = Tangents.of_all(slopes)
    y, y_slopes, _ = steady_state_with_tangents(kernel, inputs, slopes)
    table, dose = to_table([events([(0.25, 0, 0, 20.0)])]), 20.0
    moving = EventTangents(np.eye(5)[4:], np.zeros((1, 5)))  # the last direction is the time of the dose
    found, tangents, _ = solve_with_tangents(
        kernel, (y, y_slopes), (inputs, slopes), table, moving, TIMES, tolerance=TIGHT
    )
    k, production, since = clearance / volume, made * half, TIMES - 0.25
    left = dose * np.exp(-k * since)
    by_k = -production / k**2 - since * left
    expected = [by_k / volume, -by_k * k / volume, np.full(6, half / k), np.full(6, made / k), k * left]
    assert found.values[0, :, 0] == pytest.approx(production / k + left, rel=1e-10)
    for k, slope in enumerate(expected):
        assert tangents[0, k, :, 0] == pytest.approx(slope, rel=1e-8, abs=1e-9)


def test_patients_without_events_keep_the_derivatives_of_their_steady_state(kernel, usual):
    inputs, slopes = np.tile(usual, (3, 1)), np.zeros((3, 5, len(usual)))
    slopes[:, np.arange(5), np.arange(5)] = 1.0
    slopes = Tangents.of_all(slopes)
    y = steady_state_with_tangents(kernel, inputs, slopes)[:2]
    nothing = EventTangents(np.zeros((0, 5)), np.zeros((0, 5)))
    _, tangents, state = solve_with_tangents(kernel, y, (inputs, slopes), to_table([events([])] * 3), nothing, TIMES)
    assert tangents.shape == (3, 5, len(TIMES), len(kernel.layout.output_names))
    assert state.values == pytest.approx(y[1].values, abs=1e-12)
