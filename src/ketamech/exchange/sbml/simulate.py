"""Simulates an imported SBML model: integration between events, and execution of the events.

Triggers are evaluated at closely spaced times; where one changes, the sign of the quantities that decide it (x - 2 for
x > 2) locates the event. A trigger that is true for less than the spacing is missed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy

from ketamech.core import SolverError
from ketamech.engine.codegen.lowering import select_positive
from ketamech.exchange.sbml.delays import DelayedValues
from ketamech.exchange.sbml.sbml_model import (
    AMOUNT_SUFFIX,
    CLOCK,
    FAST_RATE_FACTOR,
    STAGE,
    SbmlEvent,
    SbmlModel,
    compile_vector,
    qualified_name,
)
from ketamech.exchange.sbml.segment_solver import Segment, SegmentSolver

TOLERANCE = 1e-8
SCAN_FRACTIONS = np.linspace(0, 1, 13)[1:]  # of the time to the next output, where the triggers are evaluated
REFINEMENT_POINTS, ESTIMATED_POINTS, MAX_REFINEMENTS = 40, 4, 60  # parts of an interval, without and with an estimate
EVENT_TIME_TOLERANCE = 1e-11  # relative, of the time of an event
MAX_EVENTS_AT_ONCE = 1000  # at one time; more is an infinite loop
SHORTEST_SEGMENT = 1e-9  # relative, of a segment that fails: shorter ones are not tried
NEWTON_DIFFERENCE, NEWTON_STEPS, NEWTON_HALVINGS, NEWTON_TOLERANCE = 1e-6, 60, 12, 1e-9
MEAN_TIMES, MEAN_POINTS = (10.0, 100.0, 1e3, 1e4), 200  # of the time courses whose means are starting points
SINGULAR = 1e-9  # of the largest singular value: smaller ones belong to conserved quantities
ROUNDING_SHARE = 1e-9  # of the scale of a state: how far below 0 it may get
TIME = "time"


def simulate_imported(model: SbmlModel, times: np.ndarray, *, tolerance: float = TOLERANCE) -> dict[str, np.ndarray]:
    """Every value of a model at `times` (rising, in its unit of time).

    The keys are `time`, ids (`value(time)` for an id `time`), `amount(id)` of species, and `concentration(id)` of
    species whose id means an amount. Raises SolverError where the equations cannot be solved, or events
    trigger one another without end.
    """
    with np.errstate(all="ignore"):
        run = _Run(model, tolerance)
        return run.named(run.values_at_times(np.asarray(times, dtype=float)))


def newton_steady_state(model: SbmlModel) -> dict[str, float] | None:
    """Every value at the steady state that Newton's method finds, stable or not; None without one.

    It begins at the start, then at the means over time courses, which lie inside the cycle of a model that oscillates.
    Steps stay in the space that the rates of change span, so that conserved quantities stay constant. Models with
    events or delays have none.
    """
    if model.events or model.delays:
        return None
    with np.errstate(all="ignore"):
        run = _Run(model, TOLERANCE)
        state, start_time = run.newton(run.row[: run.n_states]), run.now
        for length in MEAN_TIMES if state is None else ():
            try:
                rows = run.values_at_times(np.linspace(run.now, start_time + length, MEAN_POINTS))
            except SolverError:
                return None
            mean = rows[:, : run.n_states].mean(axis=0)
            if (state := run.newton(mean)) is not None:
                break
        if state is None:
            return None
        state[run.clock] = start_time
        return {name: float(values[0]) for name, values in run.named(run._row(state)[None]).items()}


@dataclass(frozen=True)
class _PendingEvent:
    """An event that has fired: time of execution, index, and values if computed when it fired."""

    time: float
    index: int
    values: dict[str, float] | None


Evaluate = Callable[[np.ndarray], np.ndarray]


class _Run:
    """One simulation. A row holds the values `names`: states, outputs, constants, in this order."""

    def __init__(self, model: SbmlModel, tolerance: float) -> None:
        self.model, self.solver = model, SegmentSolver(model, tolerance)
        constant_outputs = [offer for offer in model.system.outputs if offer.is_constant]
        fixed = {**model.constants, **{offer.name: model.values_at_start[offer.name] for offer in constant_outputs}}
        self.names = [*self.solver.names, *fixed]
        self.fixed = np.array(list(fixed.values()))
        self.index_of = {name: i for i, name in enumerate(self.names)}
        self.n_states = len(self.solver.states)
        self.clock = self.index_of[CLOCK]
        self.switches = np.array([self.index_of[name] for name in model.switches], dtype=np.intp)
        self.triggers_of_signs: dict[bytes, tuple[bool, ...]] = {}
        self.rng = random.Random(0)  # events of one priority are executed in random order, as SBML demands
        self.delays = [self._compiled(event.delay) for event in model.events]
        self.priorities = [None if e.priority is None else self._compiled(e.priority) for e in model.events]
        self.assigned = [[(target, self._compiled(value)) for target, value in e.assignments] for e in model.events]
        self.trigger_states = tuple(event.initially_true for event in model.events)
        self.pending: list[_PendingEvent] = []
        self.row = self._row(np.array([model.values_at_start[name] for name in self.solver.states]))
        self.delays_of = DelayedValues(model, self.solver, self.names, self.row) if model.delays else None
        if self.delays_of:
            self.row = self._row(self.delays_of.current(self.row[: self.n_states]))

    def named(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Values by the keys of `simulate_imported` from rows [time, name]."""
        columns, names, model = rows.T, self.names, self.model
        short_names = {name: name.partition(".")[2] for name in names if name.startswith(f"{STAGE}.")}
        ids = {name: short for name, short in short_names.items() if "." not in short}  # no amounts, rates and clock
        curves = {f"value({TIME})" if short == TIME else short: columns[names.index(n)] for n, short in ids.items()}
        curves[TIME] = columns[names.index(CLOCK)]
        for prefix, group in (("amount", model.amounts), ("concentration", model.concentrations)):
            for name, expression in group.items():
                values = compile_vector(expression, names)(columns)
                curves[f"{prefix}({name})"] = np.broadcast_to(values, columns.shape[1:])
        return curves

    def newton(self, start: np.ndarray) -> np.ndarray | None:
        """A state [state] without any rate of change; None where damped Newton steps do not reach one."""
        moving_states = [i for i, name in enumerate(self.solver.states) if name != CLOCK]
        rates = [self._compiled(self.model.rates[self.solver.states[i]]) for i in moving_states]
        scale = np.array([self.model.scales[self.solver.states[i]] for i in moving_states])

        def scaled_rates(x: np.ndarray) -> np.ndarray:
            row = self._row(full_state(x))
            return np.array([float(rate(row)) for rate in rates]) / scale

        def full_state(x: np.ndarray) -> np.ndarray:
            state = start.copy()
            state[moving_states] = x * scale
            return state

        def jacobian(x: np.ndarray) -> np.ndarray:
            steps = NEWTON_DIFFERENCE * np.maximum(np.abs(x), 1.0)
            return np.array([(scaled_rates(x + d) - scaled_rates(x - d)) / (2 * d.max()) for d in np.diag(steps)]).T

        x = start[moving_states] / scale
        jacobians = np.hstack([jacobian(x), jacobian(x + 1.0)])
        if not np.isfinite(jacobians).all():
            return None
        directions, sizes, _ = np.linalg.svd(jacobians)
        basis = directions[:, : int((sizes > SINGULAR * sizes.max(initial=0.0)).sum())]
        for _ in range(NEWTON_STEPS):
            rates_now, matrix = scaled_rates(x), basis.T @ jacobian(x) @ basis
            if not np.isfinite(matrix).all():
                return None
            step = basis @ np.linalg.lstsq(matrix, -basis.T @ rates_now, rcond=None)[0]
            fraction = next(
                (f for f in 0.5 ** np.arange(NEWTON_HALVINGS)
                 if (x + f * step >= np.minimum(x, 0.0) - ROUNDING_SHARE).all()
                 and np.linalg.norm(scaled_rates(x + f * step)) <= np.linalg.norm(rates_now)), 0.0,
            )  # fmt: skip
            x = x + fraction * step
            if fraction == 1.0 and np.abs(step).max(initial=0.0) < NEWTON_TOLERANCE * max(np.abs(x).max(), 1.0):
                return full_state(x)
            if not fraction:
                return None
        return None

    def _compiled(self, expression: sympy.Expr) -> Evaluate:
        return compile_vector(expression, self.names)

    def _triggers(self, rows: np.ndarray) -> list[tuple[bool, ...]]:
        """Whether each trigger is true, for each row: it depends only on the signs of the switches."""
        triggers = []
        for signs in rows[:, self.switches] > 0:
            key = signs.tobytes()
            if key not in self.triggers_of_signs:
                signs_of = dict(zip(self.model.switches.values(), signs.tolist(), strict=True))
                self.triggers_of_signs[key] = tuple(_is_true(event.trigger, signs_of) for event in self.model.events)
            triggers.append(self.triggers_of_signs[key])
        return triggers

    @property
    def now(self) -> float:
        """The time."""
        return float(self.row[self.clock])

    def _row(self, state: np.ndarray) -> np.ndarray:
        return np.concatenate([self.solver.values(state), self.fixed])

    def _rows(self, values: np.ndarray) -> np.ndarray:
        rows = np.empty((len(values), len(self.names)))
        rows[:, : values.shape[1]], rows[:, values.shape[1] :] = values, self.fixed
        return rows

    def values_at_times(self, times: np.ndarray) -> np.ndarray:
        """Values [time, name]."""
        self._relax()
        self._process_events()
        rows = []
        for time in times:
            while self.now < time:
                self._advance(time)
            rows.append(self.row)
        return np.array(rows)

    def _relax(self) -> None:
        """Bring the fast reactions to their equilibrium, in a time in which nothing else changes."""
        if not self.model.has_fast_reactions:
            return
        time = self.now
        segment = self.solver.run(self.row[: self.n_states], np.array([time + RELAXATIONS / FAST_RATE_FACTOR]))
        if segment.failure:
            raise SolverError(f"the equilibrium of the fast reactions is not found at time {time:g}: {segment.failure}")
        state = segment.rows[-1, : self.n_states]
        state[self.clock] = time
        self.row = self._row(state)

    def _advance(self, end: float) -> None:
        """Advance to `end` or to the next event; before a failure, only a part of the way: an event may come first."""
        begin = self.now
        stop = min([end, *(pending.time for pending in self.pending)])
        fractions = SCAN_FRACTIONS if self.model.events or self.delays_of else np.ones(1)
        if self.delays_of:
            stop = self.delays_of.last_known(begin, stop)
            self.row = self._row(self.delays_of.prepare(self.row[: self.n_states], stop))
        while True:
            scan_times = begin + (stop - begin) * fractions
            scan_times[-1] = stop
            segment = self.solver.run(self.row[: self.n_states], scan_times)
            if not segment.failure:
                break
            part_of_time = 0.5 * segment.failed_after
            if not self.model.events or part_of_time <= SHORTEST_SEGMENT * max(stop - begin, 1e-3 * abs(begin)):
                raise SolverError(self._failure(segment))
            stop = begin + part_of_time
        rows = self._up_to_event(self._rows(segment.rows))
        if self.delays_of:
            self.delays_of.remember(np.vstack([self.row, rows]))
            rows[-1] = self._row(self.delays_of.current(rows[-1, : self.n_states]))
        self.row = rows[-1]
        if self.model.events:
            self._process_events()

    def _up_to_event(self, rows: np.ndarray) -> np.ndarray:
        """The rows before the first event, and the row at which it fires; all rows where there is none."""
        crossed = self._first_changed(rows[:-1]) if self.model.events else None
        if crossed is None:
            rows[-1] = self._row(rows[-1, : self.n_states])  # the exact clock decides a trigger at an output time
            if not self.model.events or self._first_changed(rows[-1:]) is None:
                return rows
            crossed = len(rows) - 1
        event = self._locate_event(rows[crossed - 1] if crossed else self.row, rows[crossed])
        return np.concatenate([rows[:crossed], event[None]])

    def _first_changed(self, rows: np.ndarray) -> int | None:
        """The first row at which any trigger differs from its known value."""
        return next((i for i, triggers in enumerate(self._triggers(rows)) if triggers != self.trigger_states), None)

    def _locate_event(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The first row, to rounding, at which a trigger has changed."""
        for _ in range(MAX_REFINEMENTS):
            low, high = before[self.clock], after[self.clock]
            margin = EVENT_TIME_TOLERANCE * max(abs(high), 1e-3)
            if high - low <= margin:
                break
            segment = self.solver.run(before[: self.n_states], self._candidates(before, after, margin))
            if segment.failure:
                break
            rows = np.concatenate([self._rows(segment.rows), after[None]])
            crossed = self._first_changed(rows) or 0
            before, after = rows[crossed - 1] if crossed else before, rows[crossed]
        return self._row_at_event(after)

    def _row_at_event(self, after: np.ndarray) -> np.ndarray:
        """The row of an event at the exact time of its clock, at which the trigger has to have changed as well."""
        state = after[: self.n_states].copy()
        for _ in range(2):
            row = self._row(state)
            if self._first_changed(row[None]) is not None:
                return row
            state[self.clock] += EVENT_TIME_TOLERANCE * max(abs(state[self.clock]), 1e-3)
        return after

    def _candidates(self, before: np.ndarray, after: np.ndarray, margin: float) -> np.ndarray:
        """Times between two rows: around the linear estimate of each change of sign, and evenly spaced."""
        low, high = float(before[self.clock]), float(after[self.clock])
        pairs = zip(before[self.switches].tolist(), after[self.switches].tolist(), strict=True)
        fractions = [first / (first - last) for first, last in pairs if (first > 0) != (last > 0)]
        roots = [low + (high - low) * fraction for fraction in fractions if math.isfinite(fraction)]
        width = 1e-3 * (high - low)
        around_roots = [root + shift for root in roots for shift in (-width, -margin / 2, margin / 2, width)]
        count = ESTIMATED_POINTS if roots else REFINEMENT_POINTS
        even_times = [low + (high - low) * i / count for i in range(1, count)]
        return np.array(sorted(time for time in around_roots + even_times if low < time < high))

    def _failure(self, path: Segment) -> str:
        """The failure as text: the time in the unit of the model, the variable and its rate of change."""
        at = f"{self.now + path.failed_after:.6g} {self.model.time_unit}".rstrip()
        name = self._culprit()
        rate = str(self.model.rates[name]).replace(f"{name.partition('.')[0]}.", "").replace("**", "^")
        shown = rate if len(rate) < LONGEST_FORMULA else f"{rate[:LONGEST_FORMULA]}..."
        own = name.partition(".")[2].removesuffix(AMOUNT_SUFFIX)
        return f"the solve ended: {path.failure} at time {at}; d({own})/dt = {shown}"

    def _culprit(self) -> str:
        """The state whose rate of change is not finite at the state reached, or else changes fastest."""
        state = self.solver.end_state.copy()
        known = dict(zip(self.names, self._row(state), strict=True))
        names = [name for name in self.solver.states if name != CLOCK]
        rates = [abs(self._compiled(self.model.rates[name])(np.array(list(known.values())))) for name in names]
        sizes = [rate / (abs(known[name]) + self.model.scales[name]) for name, rate in zip(names, rates, strict=True)]
        return names[int(np.argmax([math.inf if math.isnan(size) else size for size in sizes]))]

    def _process_events(self) -> None:
        """Fire and execute the events of the current time until none is left."""
        for _ in range(MAX_EVENTS_AT_ONCE):
            self._update_triggers()
            ready = [
                one for one in self.pending if one.time <= self.now + EVENT_TIME_TOLERANCE * max(abs(self.now), 1e-3)
            ]
            if not ready:
                return
            first = max((self._priority(one), -one.time) for one in ready)
            chosen = self.rng.choice([one for one in ready if (self._priority(one), -one.time) == first])
            self.pending.remove(chosen)
            self._execute(chosen)
            self._relax()
        raise SolverError(f"events at {self.now:g} never end")

    def _update_triggers(self) -> None:
        """Add events whose trigger became true; remove non-persistent events whose trigger became false."""
        (new_values,) = self._triggers(self.row[None])
        for index, (event, before, after) in enumerate(
            zip(self.model.events, self.trigger_states, new_values, strict=True)
        ):
            if after and not before:
                self.pending.append(self._pending_event(index, event))
            elif before and not after and not event.persistent:
                self.pending = [pending for pending in self.pending if pending.index != index]
        self.trigger_states = new_values

    def _pending_event(self, index: int, event: SbmlEvent) -> _PendingEvent:
        values = self._assigned_values(index) if event.values_from_trigger_time else None
        return _PendingEvent(self.now + float(self.delays[index](self.row)), index, values)

    def _assigned_values(self, index: int) -> dict[str, float]:
        return {target: float(value(self.row)) for target, value in self.assigned[index]}

    def _priority(self, pending: _PendingEvent) -> float:
        priority = self.priorities[pending.index]
        value = -math.inf if priority is None else float(priority(self.row))
        return value if not math.isnan(value) else -math.inf

    def _execute(self, pending: _PendingEvent) -> None:
        previous, state = self.row, self.row[: self.n_states].copy()
        assigned = self._assigned_values(pending.index) if pending.values is None else pending.values
        # a concentration refers to the volume before the event, even if the event sets it
        for target, value in assigned.items():
            name, compartment = self.model.state_of_id[target]
            volume = previous[self.index_of[qualified_name(compartment)]] if compartment else 1.0
            state[self.index_of[name]] = value * volume
        self.row = self._row(state)
        self._conserve_amounts(previous)
        self.solver.shorten_step()
        if self.delays_of:
            self.delays_of.breaks.append(self.now)

    def _conserve_amounts(self, before: np.ndarray) -> None:
        """Conserve the amount of states stored as concentrations where the volume has changed."""
        if not self.model.concentration_states:
            return
        state = self.row[: self.n_states].copy()
        for name, compartment in self.model.concentration_states.items():
            index = self.index_of[compartment]
            if self.row[index] != before[index]:
                state[self.index_of[name]] *= before[index] / self.row[index]
        self.row = self._row(state)


def _is_true(trigger: sympy.Expr, signs: Mapping[sympy.Expr, bool]) -> bool:
    """A trigger where the conditions in `signs` are positive or not."""
    while trigger.func is select_positive:
        trigger = trigger.args[1 if signs[trigger.args[0]] else 2]
    return bool(trigger > 0)


RELAXATIONS = 10_000.0  # time that fast reactions get, in units in which their rate is as stated
LONGEST_FORMULA = 160  # characters of a formula in a message
