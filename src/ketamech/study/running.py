"""Runs courses of treatment on one model and returns labelled curves with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ketamech.core import UnknownName, nearest
from ketamech.engine import Events, Kernel, Solution, events, load_kernel, rest, solve
from ketamech.parameters import ParameterTable
from ketamech.system import System, build


@dataclass(frozen=True)
class Entry:
    """Something enters a state: `amount` (state unit) at `time` (h), at once or evenly over `duration` (h)."""

    time: float
    state: str
    amount: float
    duration: float = 0.0


@dataclass(frozen=True)
class Course:
    """One patient's course: what enters when, and which parameters differ (canonical units) from the table."""

    label: str
    entries: tuple[Entry, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The checked system and its compiled kernel, ready to run courses."""

    system: System
    kernel: Kernel

    @property
    def parameters(self) -> ParameterTable:
        """The parameter table the model was built over."""
        return self.system.parameters


def load_model(parameters: ParameterTable | None = None, *, announce: Callable[[str], None] | None = None) -> Model:
    """Build, check and compile the whole story; `announce` gets one line if it has to compile."""
    system = build(parameters)
    return Model(system, load_kernel(system.layout, lambda: system, announce=announce))


def run(model: Model, courses: Sequence[Course], times: np.ndarray, *, tolerance: float = 1e-5) -> xr.Dataset:
    """Solve every course from its own drug-free rest state at `times` (h).

    Returns a Dataset with dims (patient, time); a failed patient is NaN with its reason in `solve_status`.
    """
    inputs = np.array([_inputs(model, course.values) for course in courses])
    start, rested = rest(model.kernel, inputs)
    given = [_events(model.system, course.entries) for course in courses]
    solution = solve(model.kernel, start, inputs, given, times, tolerance=tolerance)
    return _dataset(model.system, courses, solution, rested)


def _inputs(model: Model, values: Mapping[str, float]) -> list[float]:
    table = model.parameters
    for name in values:
        if name not in table:
            raise UnknownName(f"there is no parameter '{name}'", key=name, nearest=nearest(name, table))
    chosen = [values.get(name, table[name].canonical) for name in model.system.parameter_names]
    return [*chosen, *([0.0] * len(model.system.rested))]


def _events(system: System, entries: Sequence[Entry]) -> Events:
    place = {name: i for i, name in enumerate(system.state_names)}
    rows: list[tuple[float, int, int, float]] = []
    for entry in entries:
        if entry.state not in place:
            raise UnknownName(f"nothing can enter '{entry.state}'", nearest=nearest(entry.state, place))
        if entry.duration > 0:
            speed = entry.amount / entry.duration
            rows.append((entry.time, 1, place[entry.state], speed))
            rows.append((entry.time + entry.duration, 1, place[entry.state], -speed))
        else:
            rows.append((entry.time, 0, place[entry.state], entry.amount))
    return events(rows)


def _dataset(system: System, courses: Sequence[Course], solution: Solution, rested: np.ndarray) -> xr.Dataset:
    failed = ~rested
    dims = ("patient", "time")
    values = {name: solution.values[:, :, i] for i, name in enumerate(solution.names)}
    variables = {}
    for name, array in values.items():
        array[failed] = np.nan
        attributes = {"units": system.units[name], "long_name": system.about[name] or name}
        variables[name] = xr.DataArray(array, dims=dims, attrs=attributes)
    reasons = ["no rest state" if bad else solution.reason(i) for i, bad in enumerate(failed)]
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
