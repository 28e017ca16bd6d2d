"""Runs courses of treatment on one model and returns labelled curves with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ketamech.core import BadInput, UnknownName, nearest
from ketamech.engine import Events, Kernel, Solution, events, load_kernel, rest, solve
from ketamech.engine.events import joined
from ketamech.engine.solve import TOLERANCE
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.study.steady import steady_state
from ketamech.system import Layout, Outline, kept_layout, kept_outline

if TYPE_CHECKING:
    from ketamech.system import System


Quantity = Any  # a float, or an array [patient] where many patients are given something at once


@dataclass(frozen=True)
class Entry:
    """Something enters a state: `amount` (state unit) at `time` (h), at once or evenly over `duration` (h).

    For many patients at once each of the three is one number for all or an array [patient].
    """

    time: Quantity
    state: str
    amount: Quantity
    duration: Quantity = 0.0


@dataclass(frozen=True)
class Course:
    """One patient's course: what enters when, and which parameters differ (canonical units) from the table.

    With a `gap` (h) the course starts not at rest but at the periodic steady state of `cycle`, given every `gap` hours.
    """

    label: str
    entries: tuple[Entry, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    cycle: tuple[Entry, ...] = ()
    gap: float = 0.0


@dataclass(frozen=True)
class Model:
    """What the equations hold, the values they take, and their compiled kernel: ready to run courses.

    The equations themselves are built (slowly) only when `system` is asked for. `instead` says which state takes what
    is given to another name (where the kinetics are not our own).
    """

    layout: Layout
    parameters: ParameterTable
    kernel: Kernel
    build_system: Callable[[], System] | None = field(default=None, repr=False, compare=False)
    instead: Mapping[str, str] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[ParameterTable, str]]:
        """Sent to another process a model travels as its values and is compiled there."""
        return _arrived, (self.parameters, self.layout.fingerprint)

    @cached_property
    def system(self) -> System:
        """The checked equations as symbols."""
        if self.build_system is not None:
            return self.build_system()
        return _build(self.parameters)

    @cached_property
    def usual(self) -> Mapping[str, float]:
        """Every parameter's value in canonical units."""
        return {name: row.canonical for name, row in self.parameters.items()}

    @cached_property
    def places(self) -> dict[str, int]:
        """Where in the state vector each thing that can be given enters."""
        found = {name: i for i, name in enumerate(self.layout.state_names)}
        return found | {name: found[state] for name, state in self.instead.items()}

    @cached_property
    def outline(self) -> Outline:
        """The equations as plain trees: which names stand where."""
        return kept_outline(self.parameters, lambda: self.system)


def load_model(parameters: ParameterTable | None = None, *, announce: Callable[[str], None] | None = None) -> Model:
    """The whole story, checked and compiled; `announce` gets a line for what takes long.

    On a machine that has run this version before, neither is done again.
    """
    table = load_parameters() if parameters is None else parameters
    build_system = cache(lambda: _build(table))

    def first_build() -> System:
        if announce:
            announce("Building the equations and checking their units ...")
        return build_system()

    layout = kept_layout(table, first_build)
    return Model(layout, table, load_kernel(layout, build_system, announce=announce), build_system)


def _arrived(parameters: ParameterTable, fingerprint: str) -> Model:
    made = load_model(parameters)
    if made.layout.fingerprint != fingerprint:
        here = made.layout.fingerprint
        raise BadInput(f"the equations here are {here}, not {fingerprint}", expected="the same version everywhere")
    return made


def _build(parameters: ParameterTable) -> System:
    from ketamech.system import build

    return build(parameters)


def run(
    model: Model, courses: Sequence[Course], times: np.ndarray, *, tolerance: float = TOLERANCE,
    outputs: Sequence[str] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Solve every course from its own drug-free rest state at `times` (h), which may begin before 0.

    `outputs` are names (default: everything). Returns a Dataset with dims (patient, time); a failed patient is NaN
    with its reason in `solve_status`.
    """
    lead = max(lead_of(courses), -float(times[0]))
    inputs, start, rested, given = prepare(model, courses, lead)
    solution = solve(model.kernel, start, inputs, given, times + lead, tolerance=tolerance, outputs=outputs)
    return _dataset(model.layout, courses, replace(solution, times=times), rested)


def lead_of(courses: Sequence[Course]) -> float:
    """How long before 0 h anything enters a body (h): then everybody starts, at rest, that much earlier."""
    return max([0.0, *(-float(entry.time) for course in courses for entry in course.entries)])


def prepare(
    model: Model, courses: Sequence[Course], lead: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Events]]:
    """What a solve of every course starts from, `lead` hours before 0 h.

    Returns inputs [course, input] with resting values in place, starting states [course, state] (drug-free, or steady),
    whether each was found [course], and what is given in each course.
    """
    inputs = np.array([_inputs(model, course.values) for course in courses])
    start, rested = rest(model.kernel, inputs)
    for i, course in enumerate(courses):
        if course.gap:
            cycle = joined([_events(model, course.cycle)])
            start[[i]], found = steady_state(model.kernel, start[[i]], inputs[[i]], cycle, course.gap)
            rested[i] &= found[0]
    return inputs, start, rested, [_events(model, course.entries, lead) for course in courses]


def _inputs(model: Model, values: Mapping[str, float]) -> list[float]:
    table = model.parameters
    for name in values:
        if name not in table:
            raise UnknownName(f"there is no parameter '{name}'", key=name, nearest=nearest(name, table))
    usual = model.usual
    chosen = [values.get(name, usual[name]) for name in model.layout.parameter_names]
    return [*chosen, *([0.0] * len(model.layout.rested))]


def _events(model: Model, entries: Sequence[Entry], lead: float = 0.0) -> Events:
    place = model.places
    rows: list[tuple[float, int, int, float]] = []
    for entry in entries:
        if entry.state not in place:
            raise UnknownName(f"nothing can enter '{entry.state}'", nearest=nearest(entry.state, place))
        start = entry.time + lead
        if entry.duration > 0:
            speed = entry.amount / entry.duration
            rows.append((start, 1, place[entry.state], speed))
            rows.append((start + entry.duration, 1, place[entry.state], -speed))
        else:
            rows.append((start, 0, place[entry.state], entry.amount))
    return events(rows)


def _dataset(layout: Layout, courses: Sequence[Course], solution: Solution, rested: np.ndarray) -> xr.Dataset:
    failed = ~rested
    dims = ("patient", "time")
    values = {name: solution.values[:, :, i] for i, name in enumerate(solution.names)}
    variables = {}
    for name, array in values.items():
        array[failed] = np.nan
        attributes = {"units": layout.units[name], "long_name": layout.about[name] or name}
        variables[name] = (dims, array, attributes)
    reasons = ["no rest or steady state" if bad else solution.reason(i) for i, bad in enumerate(failed)]
    coordinates = {
        "patient": ("patient", [course.label for course in courses]),
        "time": ("time", solution.times, {"units": "h", "long_name": "time since the start"}),
        "solve_status": ("patient", reasons),
        "solve_steps": ("patient", solution.steps),
    }
    return xr.Dataset(variables, coords=coordinates)


def story_times(horizon: float, starts: Sequence[float] = (0.0,), *, per_dose: int = 60) -> np.ndarray:
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
