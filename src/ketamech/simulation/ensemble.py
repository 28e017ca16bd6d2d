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

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.dosing.dose_event import DoseEvent, Quantity
from ketamech.engine import EventTable, drug_free_steady_state, solve
from ketamech.engine.solve import FIRST_STEP, TOLERANCE, IntegrationState, integrate, validate_times
from ketamech.simulation.event_table import event_table, merged_tables, no_events, table_of_each, tiled
from ketamech.simulation.model import Model
from ketamech.simulation.periodic_steady_state import carried_over, periodic_steady_state

OK, NO_BASELINE, NO_STEADY_STATE = "ok", "no rest state", "no periodic steady state"


@dataclass(frozen=True)
class Subject:
    """One patient's course: what enters when, and which parameters differ (canonical units) from the table.

    With a `gap` (h) the course starts not at rest but at the periodic steady state of `cycle`, given every `gap` hours.
    """

    label: str
    events: tuple[DoseEvent, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    steady_state_events: tuple[DoseEvent, ...] = ()
    cycle_length: float = 0.0


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
        """Curves with dims (patient, time); see `baseline_of` for the drug-free values."""
        layout = self.ensemble.model.layout
        variables = {}
        for i, name in enumerate(self.names):
            attributes = {"units": layout.units[name], "long_name": layout.descriptions[name] or name}
            variables[name] = (("patient", "time"), self.values[:, :, i], attributes)
        coordinates: dict[str, Any] = {
            "patient": ("patient", np.asarray(labels)),
            "time": ("time", self.times, {"units": "h", "long_name": "time since the start"}),
            "solve_status": ("patient", self.reasons),
            "solve_steps": ("patient", self.steps),
        }
        if self.ensemble.cycle is not None:
            coordinates |= {"output": list(self.names), "baseline": (("patient", "output"), self.baseline)}
        return xr.Dataset(variables, coordinates)


@dataclass(frozen=True)
class Ensemble:
    """`size` patients of one model: parameter values, dose events, and what was repeated before they begin.

    `values` {parameter: number or [patient], canonical units} differ from the model's. A patient is drug-free until the
    first event, which may come before 0 h; one with a `cycle` is at its periodic steady state at 0 h.
    """

    model: Model
    size: int
    values: Mapping[str, Quantity]
    events: EventTable
    cycle: Cycle | None = None

    def __post_init__(self) -> None:
        for name in self.values:
            if name not in self.model.parameters:
                near = closest_match(name, self.model.parameters)
                raise UnknownNameError(f"there is no parameter '{name}'", key=name, nearest=near)
        if self.cycle is not None and np.any(self.events.earliest(self.size)[self.cycle.length > 0] < 0):
            what = "something happens before 0 h to patients who start at steady state"
            raise InputError(what, key="with", expected="a time of 0 h or later")

    @classmethod
    def of(
        cls, model: Model, values: Mapping[str, Quantity], events: Sequence[DoseEvent], size: int, *,
        cycle: Sequence[DoseEvent] = (), length: float = 0.0,
    ) -> Ensemble:  # fmt: skip
        """Patients who are all given the same, in numbers that may differ (arrays [patient]).

        `cycle` is what is repeated every `length` h before 0 h (0: nothing). Raises UnknownName for a parameter or a
        state that is not there.
        """
        repeated = Cycle(event_table(model, cycle, size), np.full(size, length)) if length else None
        return cls(model, size, values, event_table(model, events, size), repeated)._continued()

    @classmethod
    def of_subjects(cls, model: Model, subjects: Sequence[Subject]) -> Ensemble:
        """Patients who are each given something else and have values of their own. Raises UnknownName."""
        names = dict.fromkeys(name for subject in subjects for name in subject.parameters)
        usual = model.default_values
        values = {n: np.array([subject.parameters.get(n, usual.get(n)) for subject in subjects]) for n in names}
        given = table_of_each(model, [subject.events for subject in subjects])
        lengths = np.array([subject.cycle_length for subject in subjects], dtype=float)
        cycle = (
            Cycle(table_of_each(model, [s.steady_state_events for s in subjects]), lengths)
            if np.any(lengths > 0)
            else None
        )
        return cls(model, len(subjects), values, given, cycle)._continued()

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
        baseline, rested = drug_free_steady_state(kernel, inputs, threads=threads, device=device)
        state, steady = baseline, np.ones(self.size, dtype=bool)
        if self.cycle is not None:
            state, steady = periodic_steady_state(
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
        found = np.repeat(self.model.default_inputs[:, None], self.size, axis=1)
        place = self.model.input_index
        for name in self.values.keys() & place.keys():
            found[place[name]] = self.values[name]
        return np.ascontiguousarray(found.T)

    def baseline(self, outputs: Sequence[str], initial: InitialCondition | None = None) -> np.ndarray:
        """Drug-free values [patient, output]."""
        first = self.initial() if initial is None else initial
        nothing, now = no_events(self.size), np.zeros(1)
        found = solve(self.model.kernel, first.baseline, first.inputs, nothing, now, outputs=outputs)
        return found.values[:, 0]

    def start(
        self, begin: Quantity = 0.0, *, tolerance: float = TOLERANCE, threads: int = 1, device: str = "cpu"
    ) -> Integration:
        """Everybody at the start, ready to move from hour `begin` on, or from the first event where that is earlier."""
        first = self.initial(tolerance=tolerance, threads=threads, device=device)
        clock = np.minimum(begin, self.events.earliest(self.size))
        patients = IntegrationState.at(first.state, first.inputs, clock, FIRST_STEP)
        return Integration(self, first, patients, self.events, tolerance, threads, device, first.reasons.copy())

    def solve(
        self, times: np.ndarray, outputs: Sequence[str] | None = None, *, tolerance: float = TOLERANCE,
        threads: int = 1, device: str = "cpu", progress: Callable[[int], None] | None = None,
    ) -> Trajectories:  # fmt: skip
        """Curves of `outputs` (default: everything) at `times` (h, [time] or [patient, time], rising).

        Times may begin before 0 h, but not for patients at steady state. `tolerance` holds for the steady state too.
        Raises BadInput for times that make no sense, UnknownName for an output that is not there.
        """
        asked = validate_times(times, self.size)
        if self.cycle is not None and asked.min() < 0:
            raise InputError("a steady state is known from 0 h on", key="times", expected="times of 0 h or later")
        moving = self.start(asked[..., 0], tolerance=tolerance, threads=threads, device=device)
        return moving.advance(times, outputs, progress)


@dataclass
class Integration:
    """Patients of an ensemble under way; `reasons` [patient] says "ok" or why one moves no more."""

    ensemble: Ensemble
    initial: InitialCondition
    patients: IntegrationState
    events: EventTable
    tolerance: float
    threads: int
    device: str
    reasons: np.ndarray

    def give(self, events: Sequence[DoseEvent], now: np.ndarray | None = None) -> None:
        """Add dose events; planned ones up to each patient's hour `now` (h, default: none of them) are done with."""
        every, planned = self.ensemble, self.events
        if now is not None:
            planned = planned.where(planned.time > now[planned.owner])
        self.events = merged_tables(every.size, planned, event_table(every.model, events, every.size))

    def advance(
        self, times: np.ndarray, outputs: Sequence[str] | None = None, progress: Callable[[int], None] | None = None
    ) -> Trajectories:
        """Move everybody on to the last of `times` (h, [time] or [patient, time]); who failed stays failed."""
        part = integrate(
            self.ensemble.model.kernel, self.patients, self.events, times,
            outputs=outputs, tolerance=self.tolerance, threads=self.threads, device=self.device, progress=progress,
        )  # fmt: skip
        for i in np.flatnonzero((part.status != 0) & (self.reasons == OK)):
            self.reasons[i] = part.reason(int(i))
        self.patients.y[part.status != 0] = np.nan
        return Trajectories(
            self.ensemble, self.initial, times, part.names, part.values, self.reasons.copy(), part.steps
        )


def run(
    model: Model, courses: Sequence[Subject], times: np.ndarray, *, tolerance: float = TOLERANCE,
    outputs: Sequence[str] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Solve every course from its own drug-free rest (or steady) state at `times` (h), which may begin before 0.

    `outputs` are names (default: everything). Returns a Dataset with dims (patient, time); a failed patient is NaN
    with its reason in `solve_status`.
    """
    everybody = Ensemble.of_subjects(model, courses)
    return everybody.solve(times, outputs, tolerance=tolerance).dataset([course.label for course in courses])


def baseline_of(dataset: xr.Dataset, name: str) -> np.ndarray:
    """Drug-free values [patient] of one output of curves (dims patient, time), in its unit.

    Curves that begin at steady state hold them as the coordinate `baseline`; all others begin drug-free.
    """
    if "baseline" in dataset.coords:
        return np.asarray(dataset["baseline"].sel(output=name).values)
    return np.asarray(dataset.variables[name].transpose("patient", "time").values[:, 0])


def output_times(horizon: float, starts: Sequence[float] = (0.0,), *, per_dose: int = 60) -> np.ndarray:
    """Output times (h): after each start closely spaced from one minute on, then ever wider, to the horizon."""
    grid = [np.array([0.0, horizon])]
    ordered = sorted({s for s in starts if s < horizon}) or [0.0]
    per_start = max(12, min(per_dose, 4000 // len(ordered)))
    for begin, end in zip(ordered, [*ordered[1:], horizon], strict=True):
        if end - begin > 1 / 60:
            grid.append(begin + np.geomspace(1 / 60, end - begin, per_start)[:-1])
        grid.append(np.array([begin]))
    grid.append(np.arange(0.0, horizon, 24.0))
    return np.unique(np.round(np.concatenate(grid), 6))
