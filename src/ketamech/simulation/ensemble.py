"""Patients solved together: the one path from parameter values and dose events to curves.

It finds each patient's drug-free baseline, the lead time before 0 h, the periodic steady state, and says why a patient
could not be solved. Who the patients are and what is read is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import BadInput, UnknownName, nearest
from ketamech.engine import EventTable, rest, solve
from ketamech.engine.solve import FIRST_STEP, TOLERANCE, Patients, checked_times, move
from ketamech.simulation.event_table import event_table, merged_tables, no_events, table_of_each, tiled
from ketamech.simulation.model import Model
from ketamech.simulation.periodic_steady_state import carried_over, steady_state
from ketamech.simulation.subject import Course, Entry, Quantity

OK, NO_BASELINE, NO_STEADY_STATE = "ok", "no rest state", "no periodic steady state"


@dataclass(frozen=True)
class Cycle:
    """What is repeated before 0 h: dose events of one cycle, and its `length` [patient] (h; 0: no cycle)."""

    events: EventTable
    length: np.ndarray


@dataclass(frozen=True)
class InitialCondition:
    """`inputs` [patient, input] with resting values; `baseline` (drug-free) and `state` at the start [patient, state].

    `reasons` [patient] says "ok", or why a patient has no start; the state is NaN then.
    """

    inputs: np.ndarray
    baseline: np.ndarray
    state: np.ndarray
    reasons: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """Who has a start [patient]."""
        return np.asarray(self.reasons == OK)


@dataclass(frozen=True)
class Trajectories:
    """`values` [patient, time, output] of `names` at `times` (h, [time] or [patient, time]); NaN for a failure.

    `reasons` [patient] says "ok" or why a patient failed; `steps` [patient] of the solver.
    """

    ensemble: Ensemble = field(repr=False)
    initial: InitialCondition = field(repr=False)
    times: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    reasons: np.ndarray
    steps: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """Values [patient, time] of one output."""
        return self.values[:, :, self.names.index(name)]

    @cached_property
    def baseline(self) -> np.ndarray:
        """Drug-free values [patient, output]."""
        return self.ensemble.baseline(self.names, self.initial)

    def dataset(self, labels: Sequence[Any]) -> xr.Dataset:
        """Curves with dims (patient, time); a start at steady state adds `baseline` to the attributes of each."""
        layout = self.ensemble.model.layout
        steady = self.ensemble.cycle is not None
        variables = {}
        for i, name in enumerate(self.names):
            attributes: dict[str, Any] = {"units": layout.units[name], "long_name": layout.about[name] or name}
            if steady:
                attributes["baseline"] = self.baseline[:, i].tolist()
            variables[name] = (("patient", "time"), self.values[:, :, i], attributes)
        coordinates = {
            "patient": ("patient", np.asarray(labels)),
            "time": ("time", self.times, {"units": "h", "long_name": "time since the start"}),
            "solve_status": ("patient", self.reasons),
            "solve_steps": ("patient", self.steps),
        }
        return xr.Dataset(variables, coordinates)


@dataclass(frozen=True)
class Ensemble:
    """`size` patients of one model: parameter values, dose events, and what was repeated before they begin.

    `values` {parameter: number or [patient], canonical units} differ from the model's. The clock of `events` begins
    `lead` h before 0 h, when everybody is drug-free; with a `cycle` it begins at 0 h, at the periodic steady state.
    """

    model: Model
    size: int
    values: Mapping[str, Quantity]
    events: EventTable
    cycle: Cycle | None = None
    lead: float = 0.0

    def __post_init__(self) -> None:
        for name in self.values:
            if name not in self.model.parameters:
                near = nearest(name, self.model.parameters)
                raise UnknownName(f"there is no parameter '{name}'", key=name, nearest=near)
        if self.cycle is not None and self.lead > 0:
            what = "something happens before 0 h to patients who start at steady state"
            raise BadInput(what, key="with", expected="a time of 0 h or later")

    @classmethod
    def of(
        cls, model: Model, values: Mapping[str, Quantity], events: Sequence[Entry], size: int, *,
        cycle: Sequence[Entry] = (), length: float = 0.0, lead: float = 0.0,
    ) -> Ensemble:  # fmt: skip
        """Patients who are all given the same, in numbers that may differ (arrays [patient]).

        `cycle` is what is repeated every `length` h before 0 h (0: nothing). `lead` (h): how long before 0 h they begin
        at least. Raises UnknownName for a parameter or a state that is not there.
        """
        before = max(lead, lead_time(events))
        repeated = Cycle(event_table(model, cycle, size), np.full(size, length)) if length else None
        return cls(model, size, values, event_table(model, events, size, before), repeated, before)._continued()

    @classmethod
    def of_subjects(cls, model: Model, subjects: Sequence[Course], *, lead: float = 0.0) -> Ensemble:
        """Patients who are each given something else and have values of their own. Raises UnknownName."""
        before = max([lead, *(lead_time(subject.entries) for subject in subjects)])
        names = dict.fromkeys(name for subject in subjects for name in subject.values)
        usual = model.usual
        values = {n: np.array([subject.values.get(n, usual.get(n)) for subject in subjects]) for n in names}
        given = table_of_each(model, [subject.entries for subject in subjects], before)
        lengths = np.array([subject.gap for subject in subjects], dtype=float)
        cycle = Cycle(table_of_each(model, [s.cycle for s in subjects]), lengths) if np.any(lengths > 0) else None
        return cls(model, len(subjects), values, given, cycle, before)._continued()

    def _continued(self) -> Ensemble:
        """The same with what the doses before 0 h still do after it."""
        if self.cycle is None:
            return self
        after = carried_over(self.cycle.events, self.cycle.length)
        return replace(self, events=merged_tables(self.size, after, self.events)) if len(after.time) else self

    def tiled(self, times: int, values: Mapping[str, Quantity]) -> Ensemble:
        """The same patients so many times over, with other `values` [patient] beside their own."""
        own = {name: np.tile(np.broadcast_to(value, self.size), times) for name, value in self.values.items()}
        cycle = self.cycle and Cycle(tiled(self.cycle.events, times), np.tile(self.cycle.length, times))
        return replace(
            self, size=self.size * times, values={**own, **values}, events=tiled(self.events, times), cycle=cycle
        )

    def initial(self, *, tolerance: float = TOLERANCE, threads: int = 1, device: str = "cpu") -> InitialCondition:
        """The drug-free baseline of each patient, and the state at the start: that, or the periodic steady state."""
        kernel, inputs = self.model.kernel, self.inputs()
        baseline, rested = rest(kernel, inputs, threads=threads, device=device)
        state, steady = baseline, np.ones(self.size, dtype=bool)
        if self.cycle is not None:
            state, steady = steady_state(
                kernel, baseline, inputs, self.cycle.events, self.cycle.length,
                tolerance=tolerance, threads=threads, device=device,
            )  # fmt: skip
        reasons = np.full(self.size, OK, dtype=object)
        reasons[~steady] = NO_STEADY_STATE
        reasons[~rested] = NO_BASELINE
        state, baseline = state.copy(), baseline.copy()
        state[reasons != OK], baseline[~rested] = np.nan, np.nan
        return InitialCondition(inputs, baseline, state, reasons)

    def inputs(self) -> np.ndarray:
        """Inputs of the kernel [patient, input]; resting values are still open."""
        layout, usual = self.model.layout, self.model.usual
        found = np.zeros((len(layout.inputs), self.size))
        for row, name in zip(found, layout.parameter_names, strict=False):
            row[:] = self.values.get(name, usual[name])
        return np.ascontiguousarray(found.T)

    def baseline(self, outputs: Sequence[str], initial: InitialCondition | None = None) -> np.ndarray:
        """Drug-free values [patient, output]."""
        first = self.initial() if initial is None else initial
        nothing, now = no_events(self.size), np.zeros(1)
        found = solve(self.model.kernel, first.baseline, first.inputs, nothing, now, outputs=outputs)
        return found.values[:, 0]

    def start(
        self, clock: Quantity = 0.0, *, tolerance: float = TOLERANCE, threads: int = 1, device: str = "cpu"
    ) -> Integration:
        """Everybody at the start, ready to move, when the clock of the events shows `clock` (h)."""
        first = self.initial(tolerance=tolerance, threads=threads, device=device)
        patients = Patients.at(first.state, first.inputs, np.asarray(clock), FIRST_STEP)
        return Integration(self, first, patients, self.events, tolerance, threads, device, first.reasons.copy())

    def solve(
        self, times: np.ndarray, outputs: Sequence[str] | None = None, *, tolerance: float = TOLERANCE,
        threads: int = 1, device: str = "cpu", progress: Callable[[int], None] | None = None,
    ) -> Trajectories:  # fmt: skip
        """Curves of `outputs` (default: everything) at `times` (h, [time] or [patient, time], rising).

        `tolerance` holds for the steady state too. Raises BadInput for times before the lead time, UnknownName for an
        output that is not there.
        """
        asked = checked_times(np.asarray(times, dtype=float) + self.lead, self.size)
        clock = np.minimum(asked[..., 0], self.events.earliest(self.size))
        moving = self.start(clock, tolerance=tolerance, threads=threads, device=device)
        return moving.advance(times, outputs, progress)


@dataclass
class Integration:
    """Patients of an ensemble under way; `reasons` [patient] says "ok" or why one moves no more."""

    ensemble: Ensemble
    initial: InitialCondition
    patients: Patients
    events: EventTable
    tolerance: float
    threads: int
    device: str
    reasons: np.ndarray

    def give(self, events: Sequence[Entry], now: np.ndarray | None = None) -> None:
        """Add dose events; planned ones up to each patient's hour `now` (h, default: none of them) are done with."""
        every, planned = self.ensemble, self.events
        if now is not None:
            planned = planned.where(planned.time > now[planned.owner] + every.lead)
        self.events = merged_tables(every.size, planned, event_table(every.model, events, every.size, every.lead))

    def advance(
        self, times: np.ndarray, outputs: Sequence[str] | None = None, progress: Callable[[int], None] | None = None
    ) -> Trajectories:
        """Move everybody on to the last of `times` (h, [time] or [patient, time]); who failed stays failed."""
        part = move(
            self.ensemble.model.kernel, self.patients, self.events, np.asarray(times, dtype=float) + self.ensemble.lead,
            outputs=outputs, tolerance=self.tolerance, threads=self.threads, device=self.device, progress=progress,
        )  # fmt: skip
        for i in np.flatnonzero((part.status != 0) & (self.reasons == OK)):
            self.reasons[i] = part.reason(int(i))
        self.patients.y[part.status != 0] = np.nan
        return Trajectories(
            self.ensemble, self.initial, times, part.names, part.values, self.reasons.copy(), part.steps
        )


def lead_time(events: Sequence[Entry]) -> float:
    """How long before 0 h the first of some dose events comes (h)."""
    return max([0.0, *(-float(np.min(entry.time)) for entry in events)])
