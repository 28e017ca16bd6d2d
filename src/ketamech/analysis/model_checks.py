"""Standard checks of the model: steady state, recovery, conservation, bounds, response, negative eigenvalues.

Every stage is checked inside the whole system, so that a new stage is checked automatically.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ketamech.core import require_known
from ketamech.core.units import WEEK
from ketamech.dosing.dose_events import DoseEvent
from ketamech.engine import jacobian
from ketamech.model.stage import Stage, State
from ketamech.simulation.ensemble import Ensemble, InitialCondition, Subject, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.output_times import output_times

FOUR_WEEKS = 4 * WEEK
DRIFT, RECOVERY, MASS, BOUND, RESPONSE = 1e-6, 0.02, 1e-8, 1e-6, 1e-4
CHALLENGE = (
    DoseEvent(0.0, "pharmacokinetics.central_s", 70.0, 2 / 3),
    DoseEvent(0.0, "pharmacokinetics.central_r", 70.0, 2 / 3),
)


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of one stage."""

    stage: str
    examined: str
    passed: bool
    detail: str


def run_checks(model: Model, stage: str | None = None) -> list[CheckResult]:
    """All results in the order of the stages; `stage` restricts them to one. Raises UnknownNameError."""
    names = check_stage(model, stage)
    findings = [
        *_check_steady_state(model),
        *_check_recovery(model),
        *_check_conservation(model),
        *_check_bounds(model),
        *_check_response(model),
        *_decays(model),
    ]
    order = {name: i for i, name in enumerate([*names, "whole system"])}
    chosen = [f for f in findings if stage is None or f.stage in (stage, "whole system")]
    return sorted(chosen, key=lambda f: order[f.stage])


def check_stage(model: Model, stage: str | None) -> list[str]:
    """Names of all stages. Raises UnknownNameError unless `stage` is one of them or None."""
    names = [s.name for s in model.system.stages]
    if stage is not None:
        require_known(stage, names, f"there is no stage '{stage}'", key="stage")
    return names


def _per_stage(model: Model) -> Iterable[tuple[str, list[int]]]:
    for stage in model.system.stages:
        moving_states = [i for i, s in enumerate(model.system.states) if s.name in stage.states and not s.is_sink]
        if moving_states:
            yield stage.name, moving_states


def _stage_system(model: Model, **values: float) -> tuple[Ensemble, InitialCondition]:
    """One patient without dose events, and the initial condition."""
    one = Ensemble.of(model, {f"person.{name}": value for name, value in values.items()}, (), 1)
    return one, one.initial()


def _sizes(model: Model, state: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(state), np.array([s.scale for s in model.system.states]))


def _check_steady_state(model: Model) -> Iterable[CheckResult]:
    one, first = _stage_system(model)
    state = first.state[0]
    later = one.solve(np.array([0.0, FOUR_WEEKS]), model.system.state_names, tolerance=1e-6)
    drift = np.abs(later.values[0, -1] - state) / _sizes(model, state)
    for stage, checks in _per_stage(model):
        worst = checks[int(np.argmax(drift[checks]))]
        passed = bool(first.found[0]) and drift[worst] < DRIFT
        name = model.system.state_names[worst]
        yield CheckResult(stage, "rests", passed, f"largest drift in 4 weeks without drug {drift[worst]:.1e} ({name})")


def _check_recovery(model: Model) -> Iterable[CheckResult]:
    """Check that each state, halved or doubled, returns within ten of the slowest time constants."""
    one, first = _stage_system(model)
    state = first.state[0]
    slowest = 10.0 / -_slowest(model, state, first.inputs[0])
    moving_states = [i for _, checks in _per_stage(model) for i in checks]
    moving = one.tiled(2 * len(moving_states), {}).start(tolerance=1e-5)
    for k, i in enumerate(moving_states):
        moving.patients.y[2 * k, i], moving.patients.y[2 * k + 1, i] = _half_and_double(
            model.system.states[i], state[i]
        )
    after = moving.advance(np.array([0.0, slowest]), [model.system.state_names[i] for i in moving_states])
    away = np.abs(after.values[:, -1] - state[moving_states]) / _sizes(model, state)[moving_states]
    worst = np.where(np.isnan(away), np.inf, away).max(axis=1)
    for stage, checks in _per_stage(model):
        rows = [r for k, i in enumerate(moving_states) if i in checks for r in (2 * k, 2 * k + 1)]
        top = max(rows, key=lambda r: worst[r])
        name = model.system.state_names[moving_states[top // 2]]
        which = "double" if top % 2 else "half"
        passed = worst[top] < RECOVERY
        yield CheckResult(stage, "recovers", passed, f"from half and double: worst {worst[top]:.1e} ({which} {name})")


def _half_and_double(state: State, value: float) -> tuple[float, float]:
    low, high = state.bounds
    if value == 0.0:
        return 0.0 if low is None or low >= 0 else -0.5 * state.scale, min(state.scale, high or state.scale)
    return 0.5 * value, min(2.0 * value, high if high is not None else 2.0 * value)


def _check_conservation(model: Model) -> Iterable[CheckResult]:
    amounts = [s.name for s in model.system.states if s.kind == "amount"]
    if not amounts or CHALLENGE[0].compartment not in model.system.state_names:
        return
    curves = run_subjects(model, [Subject("challenge", CHALLENGE)], output_times(FOUR_WEEKS), tolerance=1e-6)
    dose = sum(entry.amount for entry in CHALLENGE)
    held = np.sum([curves[name].values[0] for name in amounts], axis=0)
    late = curves.time.values > max(e.time + e.duration for e in CHALLENGE)
    gap = float(np.max(np.abs(held[late] / dose - 1)))
    yield CheckResult("pharmacokinetics", "conserves", gap < MASS, f"drug in = body + eliminated to {gap:.1e}")


def _check_bounds(model: Model) -> Iterable[CheckResult]:
    known = set(model.system.state_names)
    heavy = tuple(
        DoseEvent(e.time, e.compartment, 10 * e.amount, e.duration) for e in CHALLENGE if e.compartment in known
    )
    curves = run_subjects(model, [Subject("ten times the dose", heavy)], output_times(FOUR_WEEKS))
    for stage in model.system.stages:
        outside = [
            f"{s.name} {side} {float(value):.4g}"
            for s in stage.states.values()
            for side, value, limit, sign in (
                ("falls to", curves[s.name].min(), s.bounds[0], -1),
                ("rises to", curves[s.name].max(), s.bounds[1], 1),
            )
            if limit is not None and not sign * (float(value) - limit) <= BOUND * s.scale
        ]
        if stage.states:
            detail = "; ".join(outside) or f"{len(stage.states)} states inside their bounds at ten times the dose"
            yield CheckResult(stage.name, "stays in bounds", not outside, detail)


def _check_response(model: Model) -> Iterable[CheckResult]:
    """Each stage must respond to the drug or, where the drug does not reach it, to an input into its own states."""
    known = set(model.system.state_names)
    drug = tuple(e for e in CHALLENGE if e.compartment in known)
    own = tuple(
        DoseEvent(0.0, state.name, state.scale)
        for stage in model.system.stages
        for state in stage.states.values()
        if state.initial_guess == 0.0 and not state.is_sink
    )
    for stage in model.system.stages:
        stage_events = tuple(e for e in own if e.compartment in stage.states)
        to, (name, moved) = "the drug", _largest_change(model, stage, drug)
        if moved <= RESPONSE:
            to, (name, moved) = "what enters its own states", _largest_change(model, stage, stage_events)
        yield CheckResult(stage.name, "responds", moved > RESPONSE, f"to {to}: {name} moves by {moved:.3g}")


def _largest_change(model: Model, stage: Stage, events: tuple[DoseEvent, ...]) -> tuple[str, float]:
    """The output of a stage with the largest change, and this change in the unit of the output."""
    curves = run_subjects(model, [Subject("given", events)], output_times(FOUR_WEEKS, per_dose=24))
    sinks = {state.name for state in stage.states.values() if state.is_sink}
    names = [name for name in (*stage.states, *stage.outputs) if name in curves and name not in sinks]
    moves = {n: float(curves[n].max() - curves[n].min()) for n in names}
    best = max(moves, key=lambda n: moves[n])
    return best, moves[best]


def _decays(model: Model) -> Iterable[CheckResult]:
    for word, stress in (("depressed", 1.0), ("healthy", 0.0)):
        _, first = _stage_system(model, stress=stress)
        has_decayed = bool(first.found[0])
        top = _slowest(model, first.state[0], first.inputs[0]) if has_decayed else np.inf
        detail = f"slowest mode {top:.2e} 1/h" if has_decayed else "no rest state found"
        yield CheckResult("whole system", f"eigenvalues negative, {word}", has_decayed and top < 0, detail)


def _slowest(model: Model, state: np.ndarray, inputs: np.ndarray) -> float:
    """Largest real part of the eigenvalues, sinks excluded."""
    moving_states = [i for i, s in enumerate(model.system.states) if not s.is_sink]
    matrix = jacobian(model.kernel, state, inputs)[np.ix_(moving_states, moving_states)]
    return float(np.linalg.eigvals(matrix).real.max())
