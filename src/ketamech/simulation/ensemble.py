"""Patients solved together: from parameter values and dose events to curves.

An ensemble computes the drug-free baseline of each patient, the lead time before 0 h and the periodic steady state, and
reports why a patient could not be solved. Dose events of all patients become one table of the engine. Callers choose
the patients and the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.core import InputError, SolverError, require_known
from ketamech.core.errors import StepLimitExceeded
from ketamech.core.progress import CountProgress, check_interrupt, has_interrupt
from ketamech.dosing.dose_events import DoseEvent, Quantity
from ketamech.engine import EventTable, drug_free_steady_state, events, solve, table
from ketamech.engine.events import AMOUNT, INPUT, to_table
from ketamech.engine.lane_layout import TOO_MANY_STEPS
from ketamech.engine.solve import (
    FIRST_STEP,
    MAX_STEPS,
    SOLVER_STATUS,
    TOLERANCE,
    IntegrationState,
    integrate,
    validate_times,
)
from ketamech.simulation.curves import AnyCurves, Curves, CurveVariable
from ketamech.simulation.model import Model
from ketamech.simulation.periodic_steady_state import carried_over, periodic_steady_state

if TYPE_CHECKING:
    import xarray as xr


Row = tuple[Quantity, int, int, Quantity]  # time (h), kind, state, size (state unit, or state unit per h)


def event_table(model: Model, dose_events: Sequence[DoseEvent], count: int) -> EventTable:
    """Dose events, whose numbers may be arrays [patient], as the events of each of `count` patients.

    Events of size 0 are left out. Raises UnknownNameError for a state that does not accept doses.
    """
    rows = [row for entry in dose_events for row in _rows(model, entry)]
    if not rows:
        return no_events(count)
    if all(np.ndim(time) == np.ndim(size) == 0 for time, _, _, size in rows):  # the same for all patients
        return tiled(to_table([events([row for row in rows if row[3] != 0])]), count)
    time, size = (np.array([np.broadcast_to(np.asarray(row[i], dtype=float), count) for row in rows]).T for i in (0, 3))
    kind, state = (np.array([row[i] for row in rows], dtype=np.int64) for i in (1, 2))
    order = np.argsort(time, axis=1, kind="stable")
    nonzero = np.take_along_axis(size, order, axis=1) != 0
    first = np.concatenate([[0], np.cumsum(nonzero.sum(axis=1))]).astype(np.int64)
    time, size = (np.take_along_axis(values, order, axis=1)[nonzero] for values in (time, size))
    return EventTable(first, time, kind[order][nonzero], state[order][nonzero], size)


def table_of_each(model: Model, dose_events: Sequence[Sequence[DoseEvent]]) -> EventTable:
    """The same for patients with their own lists of dose events [patient]; all numbers are scalars."""
    rows = ([row for entry in own for row in _rows(model, entry) if row[3] != 0] for own in dose_events)
    return to_table([events(own) for own in rows])


def no_events(count: int) -> EventTable:
    """A table without events."""
    return to_table([events([])] * count)


def tiled(table: EventTable, times: int) -> EventTable:
    """The table repeated for as many copies of the same patients, in the same order."""
    count = np.tile(np.diff(table.first), times)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return EventTable(first, *(np.tile(getattr(table, n), times) for n in ("time", "kind", "state", "size")))


def joined_tables(parts: Sequence[EventTable], starts: Sequence[int] | np.ndarray, count: int) -> EventTable:
    """Tables of different patients as one of `count` patients; `starts` [part]: index of the first patient."""
    owner = np.concatenate([part.owner + start for part, start in zip(parts, starts, strict=True)])
    names = ("time", "kind", "state", "size")
    return table(count, owner, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def merged_tables(count: int, *parts: EventTable) -> EventTable:
    """Several tables of the same patients as one; at one time the rows of an earlier table come first."""
    names = ("owner", "time", "kind", "state", "size")
    return table(count, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _rows(model: Model, entry: DoseEvent) -> Iterator[Row]:
    place = model.compartment_index
    require_known(entry.compartment, place, f"there is no state '{entry.compartment}' for doses")
    state, start = place[entry.compartment], entry.time
    infused = entry.duration > 0
    some, every = (bool(infused.any()), bool(infused.all())) if isinstance(infused, np.ndarray) else (infused, infused)
    if some:
        rate = entry.amount / (entry.duration if every else np.where(infused, entry.duration, np.inf))
        yield start, INPUT, state, rate
        yield start + entry.duration, INPUT, state, -rate
    if not every:
        yield start, AMOUNT, state, np.where(infused, 0.0, entry.amount) if some else entry.amount


OK, NO_BASELINE, NO_STEADY_STATE = "ok", "no rest state", "no periodic steady state"
STEPS_EXCEEDED = SOLVER_STATUS[TOO_MANY_STEPS]
SOLVABLE = "parameter values nearer to those of the tables, fewer doses or a shorter horizon"
SETTLED_TOGETHER = 1024  # patients whose baseline is found without an interrupt


@dataclass(frozen=True)
class Subject:
    """One patient: dose events, and parameters that differ from the table (canonical units).

    With a `cycle_length` (h) above 0 the patient starts at the periodic steady state of `steady_state_events`, repeated
    every `cycle_length` hours, instead of the drug-free baseline. `changes`: parameters that take other values from a
    time on, as (h, values), in order of time.
    """

    label: str
    events: tuple[DoseEvent, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    steady_state_events: tuple[DoseEvent, ...] = ()
    cycle_length: float = 0.0
    changes: tuple[tuple[float, Mapping[str, float]], ...] = ()


@dataclass(frozen=True)
class Change:
    """Parameters take other `values` {parameter: [patient]} from `time` [patient] on (h; infinity: no change)."""

    time: np.ndarray
    values: Mapping[str, np.ndarray]

    def of(self, patients: np.ndarray) -> Change:
        """The change of `patients` (indices), which may occur several times."""
        return Change(self.time[patients], {name: value[patients] for name, value in self.values.items()})


@dataclass(frozen=True)
class Cycle:
    """Dose events of one cycle that is repeated before 0 h, and its `length` [patient] (h; 0: no cycle)."""

    events: EventTable
    length: np.ndarray


@dataclass(frozen=True)
class InitialCondition:
    """Inputs of the kernel [patient, input], drug-free `baseline` and initial `state` [patient, state].

    `reasons` [patient] is "ok", or why a patient has no initial state, which is NaN then.
    """

    inputs: np.ndarray
    baseline: np.ndarray
    state: np.ndarray
    reasons: np.ndarray

    @classmethod
    def of(
        cls,
        inputs: np.ndarray,
        baseline: np.ndarray,
        state: np.ndarray,
        *,
        has_baseline: np.ndarray,
        has_state: np.ndarray,
    ) -> InitialCondition:
        """The initial condition from `inputs` [patient, input] and states [patient, state].

        `has_baseline`, `has_state` [patient]: whether the baseline, and the initial state, was found.
        """
        reasons = np.full(len(state), OK, dtype=object)
        reasons[~has_state] = NO_STEADY_STATE
        reasons[~has_baseline] = NO_BASELINE
        state, baseline = state.copy(), baseline.copy()
        state[reasons != OK], baseline[~has_baseline] = np.nan, np.nan
        return cls(inputs, baseline, state, reasons)

    @property
    def found(self) -> np.ndarray:
        """Mask of patients with an initial state [patient]."""
        return np.asarray(self.reasons == OK)


@dataclass(frozen=True)
class Trajectories:
    """`values` [patient, time, output] of `names` at `times` (h, [time] or [patient, time]); NaN for a failure.

    `reasons` [patient] is "ok" or why a patient failed; `steps` [patient] is the number of solver steps.
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

    def curves(self, labels: Sequence[Any]) -> Curves:
        """Curves with dims (patient, time); see `baseline_of` for the drug-free values."""
        layout, variables = self.ensemble.model.layout, {}
        for i, name in enumerate(self.names):
            attributes = {"units": layout.units[name], "long_name": layout.descriptions[name] or name}
            variables[name] = CurveVariable(("patient", "time"), self.values[:, :, i], attributes)
        time_attributes = {"units": "h", "long_name": "time since the start"}
        coordinates = {
            "patient": CurveVariable(("patient",), np.asarray(labels)),
            "time": CurveVariable(("time",), self.times, time_attributes),
            "solve_status": CurveVariable(("patient",), self.reasons),
            "solve_steps": CurveVariable(("patient",), self.steps),
        }
        if self.ensemble.cycle is not None or np.any(self.ensemble.events.earliest(self.ensemble.size) < 0):
            coordinates["output"] = CurveVariable(("output",), np.asarray(self.names))
            coordinates["baseline"] = CurveVariable(("patient", "output"), self.baseline)
        return Curves(variables, coordinates)

    def dataset(self, labels: Sequence[Any]) -> xr.Dataset:
        """The same as a Dataset."""
        return self.curves(labels).dataset()


@dataclass(frozen=True)
class Ensemble:
    """`size` patients of one model: parameter values, dose events, and an optional cycle before 0 h.

    `values` {parameter: number or [patient], canonical units} differ from the model's. A patient is drug-free until the
    first event, which may come before 0 h; a patient with a `cycle` is at its periodic steady state at 0 h. `changes`
    of parameter values follow in order of time; baseline and steady state are those of `values`.
    """

    model: Model
    size: int
    values: Mapping[str, Quantity]
    events: EventTable
    cycle: Cycle | None = None
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        for name in dict.fromkeys([*self.values, *(name for change in self.changes for name in change.values)]):
            require_known(name, self.model.parameters, f"there is no parameter '{name}'", key=name)
        if self.cycle is not None and np.any(self.events.earliest(self.size)[self.cycle.length > 0] < 0):
            what = "events before 0 h of patients who start at steady state"
            raise InputError(what, key="with", expected="a time of 0 h or later")

    @classmethod
    def of(
        cls, model: Model, values: Mapping[str, Quantity], events: Sequence[DoseEvent], size: int, *,
        cycle: Sequence[DoseEvent] = (), length: float = 0.0,
    ) -> Ensemble:  # fmt: skip
        """Patients with the same dose events, whose amounts and times may differ (arrays [patient]).

        `cycle` is repeated every `length` h before 0 h (0: no cycle). Raises UnknownNameError for an unknown parameter
        or state.
        """
        repeated = Cycle(event_table(model, cycle, size), np.full(size, length)) if length else None
        return cls(model, size, values, event_table(model, events, size), repeated)._with_carried_over_events()

    @classmethod
    def of_subjects(cls, model: Model, subjects: Sequence[Subject]) -> Ensemble:
        """Patients with their own dose events and parameter values. Raises UnknownNameError."""
        names = dict.fromkeys(name for subject in subjects for name in subject.parameters)
        usual = model.default_values
        values = {n: np.array([subject.parameters.get(n, usual.get(n)) for subject in subjects]) for n in names}
        table = table_of_each(model, [subject.events for subject in subjects])
        lengths = np.array([subject.cycle_length for subject in subjects], dtype=float)
        cycle = None
        if np.any(lengths > 0):
            cycle = Cycle(table_of_each(model, [s.steady_state_events for s in subjects]), lengths)
        changes = _changes(model, subjects)
        return cls(model, len(subjects), values, table, cycle, changes)._with_carried_over_events()

    def _with_carried_over_events(self) -> Ensemble:
        """The ensemble with the events of the cycle that continue after 0 h."""
        if self.cycle is None:
            return self
        after = carried_over(self.cycle.events, self.cycle.length)
        return replace(self, events=merged_tables(self.size, after, self.events)) if len(after.time) else self

    @classmethod
    def joined(cls, parts: Sequence[Ensemble]) -> Ensemble:
        """The patients of several ensembles of one model, with the same names of `values`, one part after another.

        Changes of values are not joined.
        """
        first, sizes = parts[0], [part.size for part in parts]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        values = {
            name: np.concatenate([np.broadcast_to(part.values[name], part.size) for part in parts])
            for name in first.values
        }
        cycle = None
        if any(part.cycle is not None for part in parts):
            cycles = [part.cycle or Cycle(no_events(part.size), np.zeros(part.size)) for part in parts]
            lengths = np.concatenate([one.length for one in cycles])
            cycle = Cycle(joined_tables([one.events for one in cycles], starts, sum(sizes)), lengths)
        events = joined_tables([part.events for part in parts], starts, sum(sizes))
        return cls(first.model, sum(sizes), values, events, cycle)

    def tiled(self, times: int, values: Mapping[str, Quantity]) -> Ensemble:
        """The patients repeated `times` times, with further `values` [times * patient]."""
        own = {name: np.tile(np.broadcast_to(value, self.size), times) for name, value in self.values.items()}
        cycle = self.cycle and Cycle(tiled(self.cycle.events, times), np.tile(self.cycle.length, times))
        events, size = tiled(self.events, times), self.size * times
        changes = tuple(change.of(np.tile(np.arange(self.size), times)) for change in self.changes)
        return replace(self, size=size, values={**own, **values}, events=events, cycle=cycle, changes=changes)

    def initial(
        self, outputs: Sequence[str] | None = None, *, tolerance: float = TOLERANCE, threads: int = 1,
        device: str = "cpu",
    ) -> InitialCondition:  # fmt: skip
        """Drug-free baseline and initial state (the baseline or the periodic steady state) of each patient.

        States on which none of `outputs` (default: all) depend may have no valid value.
        """
        kernel, inputs = self.model.kernel_for(outputs), self.inputs()
        settle = partial(drug_free_steady_state, kernel, receivers=self.receivers, threads=threads, device=device)
        baseline, has_baseline = self._settle_in_parts(settle, inputs) if has_interrupt() else settle(inputs)
        state, has_state = baseline, np.ones(self.size, dtype=bool)
        if self.cycle is not None:
            state, has_state = periodic_steady_state(
                kernel, baseline, inputs, self.cycle.events, self.cycle.length, tolerance=tolerance, threads=threads,
                device=device, max_steps=self.model.max_steps, progress=_progress(),
            )  # fmt: skip
        return InitialCondition.of(inputs, baseline, state, has_baseline=has_baseline, has_state=has_state)

    def _settle_in_parts(
        self, settle: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], inputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The baselines found by `settle`, with an interrupt before each part of the patients."""
        baseline = np.empty((self.size, len(self.model.layout.states)))
        has_baseline = np.empty(self.size, dtype=bool)
        for first in range(0, self.size, SETTLED_TOGETHER):
            check_interrupt()
            part = slice(first, first + SETTLED_TOGETHER)
            baseline[part], has_baseline[part] = settle(inputs[part])
        return baseline, has_baseline

    @property
    def receivers(self) -> set[int]:
        """States (indices) that receive doses, before 0 h too."""
        tables = [self.events] if self.cycle is None else [self.events, self.cycle.events]
        return {state for table in tables for state in table.receivers.tolist()}

    def inputs(self) -> np.ndarray:
        """Inputs of the kernel [patient, input]; baseline values are not set yet."""
        inputs = np.full((self.size, len(self.model.default_inputs)), self.model.default_inputs)
        place = self.model.input_index
        for name in self.values.keys() & place.keys():
            inputs[:, place[name]] = self.values[name]
        return inputs

    def baseline(self, outputs: Sequence[str], initial: InitialCondition | None = None) -> np.ndarray:
        """Drug-free values [patient, output]."""
        first = self.initial(outputs) if initial is None else initial
        nothing, now = no_events(self.size), np.zeros(1)
        solution = solve(self.model.kernel_for(outputs), first.baseline, first.inputs, nothing, now, outputs=outputs)
        return solution.values[:, 0]

    def start(
        self, begin: Quantity = 0.0, outputs: Sequence[str] | None = None, *, tolerance: float = TOLERANCE,
        threads: int = 1, device: str = "cpu",
    ) -> Integration:  # fmt: skip
        """An integration from `begin` (h), or from the first event or change of a patient where that is earlier.

        Only `outputs` (default: all) are read from it.
        """
        first = self.initial(outputs, tolerance=tolerance, threads=threads, device=device)
        starts = np.minimum(begin, self.events.earliest(self.size))
        starts = np.minimum.reduce([starts, *(change.time for change in self.changes)])
        patients = IntegrationState.at(first.state, first.inputs, starts, FIRST_STEP)
        reasons, steps = first.reasons.copy(), np.zeros(self.size, dtype=int)
        return Integration(self, first, patients, self.events, outputs, tolerance, threads, device, reasons, steps)

    def checked_times(self, times: np.ndarray) -> np.ndarray:
        """Output times (h). Raises InputError for invalid ones, and before 0 h for patients at steady state."""
        checked = validate_times(times, self.size)
        if self.cycle is not None and checked.min() < 0:
            what = "output times before 0 h of patients at steady state"
            raise InputError(what, key="times", expected="times of 0 h or later")
        return checked

    def solve(
        self, times: np.ndarray, outputs: Sequence[str] | None = None, *, tolerance: float = TOLERANCE,
        threads: int = 1, device: str = "cpu", progress: Callable[[int], None] | None = None,
    ) -> Trajectories:  # fmt: skip
        """Curves of `outputs` (default: all) at `times` (h, [time] or [patient, time], increasing).

        Times may begin before 0 h, but not for patients at steady state. `tolerance` applies to the steady state too.
        Raises InputError for invalid times, UnknownNameError for an unknown output.
        """
        checked = self.checked_times(times)
        integration = self.start(checked[..., 0], outputs, tolerance=tolerance, threads=threads, device=device)
        return integration.advance(times, outputs, progress)


@dataclass
class Integration:
    """Patients of an ensemble during an integration; `reasons` [patient] is "ok" or why a patient has failed.

    `outputs` are those that may be read (None: all); `steps` [patient] is the number of solver steps so far.
    """

    ensemble: Ensemble
    initial: InitialCondition
    patients: IntegrationState
    events: EventTable
    outputs: Sequence[str] | None
    tolerance: float
    threads: int
    device: str
    reasons: np.ndarray
    steps: np.ndarray

    def add_events(self, events: Sequence[DoseEvent], now: np.ndarray | None = None) -> None:
        """Add dose events; drop planned events up to the time `now` (h) [patient] of each patient (default: none)."""
        every, planned = self.ensemble, self.events
        if now is not None:
            planned = planned.where(planned.time > now[planned.owner])
        self.events = merged_tables(every.size, planned, event_table(every.model, events, every.size))

    def advance(
        self, times: np.ndarray, outputs: Sequence[str] | None = None, progress: Callable[[int], None] | None = None
    ) -> Trajectories:
        """Integrate to the last of `times` (h, [time] or [patient, time]); a failed patient stays failed.

        `outputs` (default: all that may be read) are recorded.
        """
        if self.ensemble.changes:
            return self._through_changes(times, outputs, progress)
        return self._advance(times, outputs, progress)

    def _through_changes(
        self, times: np.ndarray, outputs: Sequence[str] | None, progress: Callable[[int], None] | None
    ) -> Trajectories:
        """As `advance`, with parameters that change: one stretch of time after another."""
        place, changes = self.ensemble.model.input_index, self.ensemble.changes
        grid = np.broadcast_to(times, (self.ensemble.size, np.shape(times)[-1]))
        self.patients.inputs = self.patients.inputs.copy()
        begin, solved = np.full(self.ensemble.size, -np.inf), None
        for change in (*changes, None):
            end = np.full(self.ensemble.size, np.inf) if change is None else change.time
            stop = np.maximum(np.minimum(end, grid[:, -1]), self.patients.clock)
            inside = np.clip(grid, self.patients.clock[:, None], stop[:, None])
            part = self._advance(np.column_stack([inside, stop]), outputs, progress)
            self.events = self.events.where(self.events.time > stop[self.events.owner])
            own = ((begin[:, None] <= grid) & (grid < end[:, None]))[:, :, None]
            values = np.where(own, part.values[:, :-1], np.nan if solved is None else solved.values)
            steps = part.steps + (0 if solved is None else solved.steps)
            solved = replace(part, times=times, values=values, steps=steps)
            if change is not None:
                reached = end <= grid[:, -1]
                for name in change.values.keys() & place.keys():
                    self.patients.inputs[reached, place[name]] = change.values[name][reached]
                self.patients.step[reached] = FIRST_STEP
                begin = end
        assert solved is not None
        solved.values[solved.reasons != OK] = np.nan
        return solved

    def _advance(
        self, times: np.ndarray, outputs: Sequence[str] | None, progress: Callable[[int], None] | None
    ) -> Trajectories:
        model = self.ensemble.model
        part = integrate(
            model.kernel_for(self.outputs), self.patients, self.events, times,
            outputs=self.outputs if outputs is None else outputs, tolerance=self.tolerance,
            max_steps=int(min(model.max_steps, MAX_STEPS)), threads=self.threads, device=self.device,
            progress=_progress(progress),
        )  # fmt: skip
        for i in np.flatnonzero((part.status != 0) & (self.reasons == OK)):
            self.reasons[i] = part.reason(int(i))
        self.steps += part.steps
        over = self.steps > model.max_steps
        self.reasons[over & (self.reasons == OK)] = STEPS_EXCEEDED
        part.values[over] = np.nan
        self.patients.y[over | (part.status != 0)] = np.nan
        return Trajectories(
            self.ensemble, self.initial, times, part.names, part.values, self.reasons.copy(), part.steps
        )


def _progress(progress: CountProgress | None = None) -> CountProgress:
    """The callback of a solve: an interrupt, then `progress`."""

    def report(started: int) -> None:
        check_interrupt()
        if progress:
            progress(started)

    return report


def _changes(model: Model, subjects: Sequence[Subject]) -> tuple[Change, ...]:
    """The first, second ... change of each patient; a patient without one keeps its values."""
    names = dict.fromkeys(name for subject in subjects for _, own in subject.changes for name in own)
    usual, changes = model.default_values, []
    now = [{name: subject.parameters.get(name, usual.get(name)) for name in names} for subject in subjects]
    for k in range(max((len(subject.changes) for subject in subjects), default=0)):
        time = np.full(len(subjects), np.inf)
        for i, subject in enumerate(subjects):
            if k < len(subject.changes):
                time[i], now[i] = subject.changes[k][0], {**now[i], **subject.changes[k][1]}
        changes.append(Change(time, {name: np.array([row[name] for row in now]) for name in names}))
    return tuple(changes)


def curves_of_subjects(
    model: Model, subjects: Sequence[Subject], times: np.ndarray, *, tolerance: float = TOLERANCE,
    outputs: Sequence[str] | None = None,
) -> Curves:  # fmt: skip
    """Curves of subjects from their own drug-free baseline (or steady state) at `times` [time] (h), also before 0.

    `outputs` are names (default: all). Returns curves with dims (patient, time); a failed patient is NaN with the
    reason in `solve_status`.
    """
    ensemble = Ensemble.of_subjects(model, subjects)
    return ensemble.solve(times, outputs, tolerance=tolerance).curves([subject.label for subject in subjects])


def run_subjects(
    model: Model, subjects: Sequence[Subject], times: np.ndarray, *, tolerance: float = TOLERANCE,
    outputs: Sequence[str] | None = None,
) -> xr.Dataset:  # fmt: skip
    """The same as a Dataset."""
    return curves_of_subjects(model, subjects, times, tolerance=tolerance, outputs=outputs).dataset()


def require_solved(curves: AnyCurves) -> None:
    """Raise SolverError with the reason, and what to change, where a patient of a dataset could not be solved."""
    reasons = [str(reason) for reason in curves["solve_status"].values if reason != OK]
    if reasons:
        kind = StepLimitExceeded if reasons[0].startswith(STEPS_EXCEEDED) else SolverError
        raise kind(f"the scenario could not be solved: {reasons[0]}", expected=SOLVABLE)


def baseline_of(dataset: AnyCurves, name: str) -> np.ndarray:
    """Drug-free values [patient] of one output of a dataset with dims (patient, time), in its unit.

    Curves that begin at steady state, or with events before 0 h, have the coordinate `baseline`; all others begin
    drug-free.
    """
    if "baseline" in dataset.coords:
        place = dataset.variables["output"].values.tolist().index(name)
        return np.asarray(dataset.variables["baseline"].transpose("patient", "output").values[:, place])
    return np.asarray(dataset.variables[name].transpose("patient", "time").values[:, 0])
