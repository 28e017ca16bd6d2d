"""Simulates an imported SBML model: integration between events, and execution of the events.

Triggers are evaluated at closely spaced times; the time at which one changes is then refined. A trigger that is true
for less than the spacing is missed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.core import SolverError
from ketamech.engine import events, load_kernel, solve
from ketamech.exchange.sbml.sbml_model import (
    AMOUNT_SUFFIX,
    CLOCK,
    RATE_SUFFIX,
    SbmlEvent,
    SbmlModel,
    compile_expression,
    qualified_name,
)

TOLERANCE = 1e-8
EVENT_SCAN_POINTS = 12  # evaluations of the triggers between two outputs
REFINEMENT_POINTS, MAX_REFINEMENTS = 40, 8
EVENT_TIME_TOLERANCE = 1e-11  # relative, of the time of an event
MAX_EVENTS_AT_ONCE = 1000  # at one time; more is an infinite loop


def simulate_imported(model: SbmlModel, times: np.ndarray, *, tolerance: float = TOLERANCE) -> dict[str, np.ndarray]:
    """Every value of a model at `times` (rising, in its unit of time): ids, and `amount(id)` of species.

    Raises SolverError where the equations cannot be solved or events trigger one another without end.
    """
    run = _Run(model, tolerance)
    rows = run.values_at_times(np.asarray(times, dtype=float))
    shown = {name: name.partition(".")[2] for name in rows[0] if not name.endswith((AMOUNT_SUFFIX, RATE_SUFFIX))}
    found = {own: np.array([row[name] for row in rows]) for name, own in shown.items()}
    amounts = {name: compile_expression(amount) for name, amount in model.amounts.items()}
    return found | {f"amount({name})": np.array([amount(row) for row in rows]) for name, amount in amounts.items()}


@dataclass(frozen=True)
class _PendingEvent:
    """An event that has fired: time of execution, index, and values if computed when it fired."""

    time: float
    place: int
    values: dict[str, float] | None


class _Run:
    def __init__(self, model: SbmlModel, tolerance: float) -> None:
        self.model, self.tolerance = model, tolerance
        self.system = model.system
        self.kernel = load_kernel(self.system.layout, lambda: self.system)
        self.inputs = np.array([[model.constants[name] for name in self.system.parameter_names]])
        self.state = np.array([model.values_at_start[name] for name in self.system.state_names])
        self.clock = self.system.state_names.index(CLOCK)
        self.triggers = [compile_expression(event.trigger) for event in model.events]
        self.delays = [compile_expression(event.delay) for event in model.events]
        self.priorities = [None if e.priority is None else compile_expression(e.priority) for e in model.events]
        self.assigned = [[(to, compile_expression(value)) for to, value in e.assignments] for e in model.events]
        self.true = [event.initially_true for event in model.events]
        self.due: list[_PendingEvent] = []

    @property
    def now(self) -> float:
        """The time."""
        return float(self.state[self.clock])

    def values(self, state: np.ndarray | None = None) -> dict[str, float]:
        """Every value at a state."""
        return self.model.values_at(self.state if state is None else state)

    def values_at_times(self, times: np.ndarray) -> list[Mapping[str, float]]:
        """Values at every time."""
        self._process_events()
        rows: list[Mapping[str, float]] = []
        for time in times:
            while self.now < time:
                self._advance(time)
            rows.append(self.values())
        return rows

    def _advance(self, end: float) -> None:
        """Advance to `end` or to the next event."""
        if not self.model.events:
            self.state = self._solve(np.array([end]))[0]
            self.state[self.clock] = end
            return
        stop = min([end, *(one.time for one in self.due)])
        begin = self.now
        watched = begin + (stop - begin) * np.linspace(0, 1, EVENT_SCAN_POINTS + 1)[1:]
        path = self._solve(watched) if stop > begin else np.array([self.state])
        crossed = next((i for i, state in enumerate(path) if self._changed(state)), None)
        if crossed is None:
            self.state = path[-1]
            self.state[self.clock] = stop
        else:
            before = path[crossed - 1] if crossed else self.state
            self.state = self._locate_event(before, path[crossed])
        self._process_events()

    def _solve(self, times: np.ndarray) -> np.ndarray:
        """States [time, state] from the current state."""
        start = self.now
        names = self.system.state_names
        asked = np.concatenate([[0.0], np.maximum(times - start, 0.0)])
        found = solve(
            self.kernel, self.state[None], self.inputs, [events([])], asked, outputs=names, tolerance=self.tolerance
        )
        if found.status[0]:
            raise SolverError(f"the solve ended early: {found.reason(0)}")
        return np.array(found.values[0, 1:])

    def _changed(self, state: np.ndarray) -> bool:
        """Whether any trigger changes at a state."""
        known = self.values(state)
        return any((trigger(known) > 0.5) != was for trigger, was in zip(self.triggers, self.true, strict=True))

    def _locate_event(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The first state, to rounding, at which a trigger has changed."""
        self.state = before
        for _ in range(MAX_REFINEMENTS):
            low, high = self.now, float(after[self.clock])
            if high - low <= EVENT_TIME_TOLERANCE * max(abs(high), 1e-3):
                break
            path = self._solve(low + (high - low) * np.linspace(0, 1, REFINEMENT_POINTS + 1)[1:])
            crossed = next((i for i, state in enumerate(path) if self._changed(state)), None)
            if crossed is None:
                break
            if crossed:
                self.state = path[crossed - 1]
            after = path[crossed]
        return after.copy()

    def _process_events(self) -> None:
        """Fire and execute the events of the current time until none is left."""
        for _ in range(MAX_EVENTS_AT_ONCE):
            self._update_triggers()
            ready = [one for one in self.due if one.time <= self.now + EVENT_TIME_TOLERANCE * max(abs(self.now), 1e-3)]
            if not ready:
                return
            chosen = max(ready, key=lambda one: (self._priority(one), -one.time))
            self.due.remove(chosen)
            self._execute(chosen)
        raise SolverError(f"events at {self.now:g} never end")

    def _update_triggers(self) -> None:
        """Add events whose trigger became true; remove non-persistent events whose trigger became false."""
        known = self.values()
        for place, event in enumerate(self.model.events):
            holds = self.triggers[place](known) > 0.5
            if holds and not self.true[place]:
                self.due.append(self._pending_event(place, event, known))
            elif not holds and self.true[place] and not event.persistent:
                self.due = [one for one in self.due if one.place != place]
            self.true[place] = holds

    def _pending_event(self, place: int, event: SbmlEvent, known: Mapping[str, float]) -> _PendingEvent:
        early = {to: value(known) for to, value in self.assigned[place]} if event.values_from_trigger_time else None
        return _PendingEvent(self.now + self.delays[place](known), place, early)

    def _priority(self, one: _PendingEvent) -> float:
        priority = self.priorities[one.place]
        value = -math.inf if priority is None else priority(self.values())
        return value if not math.isnan(value) else -math.inf

    def _execute(self, one: _PendingEvent) -> None:
        known = self.values()
        given = one.values or {to: value(known) for to, value in self.assigned[one.place]}
        names = self.system.state_names
        # a concentration refers to the volume before the event, even if the event sets it
        for to, value in given.items():
            state, compartment = self.model.state_of_id[to]
            self.state[names.index(state)] = value * known[qualified_name(compartment)] if compartment else value
        self._keep_amounts(known)

    def _keep_amounts(self, before: Mapping[str, float]) -> None:
        """Conserve the amount of states stored as concentrations where the volume has changed."""
        if not self.model.concentration_states:
            return
        after = self.values()
        for state, compartment in self.model.concentration_states.items():
            if after[compartment] != before[compartment]:
                self.state[self.system.state_names.index(state)] *= before[compartment] / after[compartment]
