"""

Sensitivities: exact derivatives of states and outputs with respect to parameters, for all patients of an ensemble.

The engine computes them beside the values (forward sensitivities of the discrete solution), through the drug-free
baseline, the periodic steady state and the dose events. Values are those of `Ensemble.solve`, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ketamech.core import InputError, require_known
from ketamech.dosing.dose_events import Quantity
from ketamech.engine import EventTable, Kernel
from ketamech.engine.solve import TOLERANCE
from ketamech.engine.tangent_solve import EventTangents, solve_with_tangents, steady_state_with_tangents
from ketamech.engine.tangents import Tangents
from ketamech.simulation.ensemble import (
    OK,
    Ensemble,
    InitialCondition,
    Trajectories,
)
from ketamech.simulation.model import Model
from ketamech.simulation.periodic_steady_state import TOLERANCE_DIVISOR, periodic_steady_state, repeated
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import ensemble_of_scenario

Build = Callable[[Mapping[str, np.ndarray], int], Ensemble]
WithTangents = tuple[np.ndarray, Tangents]  # values [patient, number] and their tangents
Change = tuple[np.ndarray, np.ndarray]  # tangents before a cycle and their change over it [patient, parameter, state]
RELATIVE_STEP = 1e-5  # of a parameter, in the differences of inputs and dose events (no solves)
PERIODIC_TOLERANCE = 1e-7  # change of a derivative over a cycle, times the parameter, relative to the state
MAX_CYCLES = 60
TIME_PRECISION = 1e-6  # of the derivative of the time of an event


def sensitivities(
    ensemble: Ensemble, parameters: Sequence[str], times: np.ndarray, outputs: Sequence[str] | None = None, *,
    build: Build | None = None, along: np.ndarray | None = None, tolerance: float = TOLERANCE, threads: int = 1,
) -> tuple[Trajectories, np.ndarray]:  # fmt: skip
    """Curves as `Ensemble.solve` returns them, and their derivatives [patient, time, output, parameter].

    A derivative is in the canonical unit of the output per canonical unit of the parameter; NaN where a patient failed.
    `parameters` are names of the parameter tables. Those that act in the equations need nothing else. Where dose events
    or other values depend on them (mg/kg doses, bioavailability, covariates), `build(values, size)` must return the
    ensemble of `size` patients with these values {parameter: [patient]}: the patients of `ensemble`, in the same order,
    several times over. Inputs and events are differentiated by central differences of `build`, which cost no solve.
    `along` [patient, direction, parameter]: derivatives [patient, time, output, direction] by the coordinates of these
    directions instead, in which the parameters change at these rates.

    Raises UnknownNameError for an unknown parameter, InputError for one that acts nowhere, and where the number of dose
    events changes with a parameter, or parameters of the ensemble change with time.
    """
    checked = ensemble.checked_times(times)
    if ensemble.changes:
        what = "parameters that change with time have no exact derivatives"
        raise InputError(what, key="parameters", expected="constant parameters, or central differences")
    directions = _directions(ensemble, tuple(parameters), build, along)
    kernel = ensemble.model.kernel_for(outputs)
    initial, start, inputs = _initial(kernel, ensemble, directions, outputs, tolerance, threads)
    solution, tangents, _ = solve_with_tangents(
        kernel, start, inputs, ensemble.events, directions.events, checked,
        outputs=outputs, needed=outputs, tolerance=tolerance, threads=threads,
    )  # fmt: skip
    reasons = initial.reasons.copy()
    for i in np.flatnonzero((solution.status != 0) & (reasons == OK)):
        reasons[i] = solution.reason(int(i))
    tangents[solution.status != 0] = np.nan
    curves = Trajectories(ensemble, initial, times, solution.names, solution.values, reasons, solution.steps)
    return curves, np.moveaxis(tangents, 1, 3)


def scenario_sensitivities(
    model: Model, scenario: Scenario, parameters: Sequence[str], times: np.ndarray,
    outputs: Sequence[str] | None = None, *, values: Mapping[str, Quantity] | None = None, size: int = 1,
    tolerance: float = TOLERANCE, threads: int = 1,
) -> tuple[xr.Dataset, xr.Dataset]:  # fmt: skip
    """Curves of `size` patients of a scenario, and their derivatives, as labelled datasets of the same outputs.

    `values` {parameter: number or [patient], canonical units} differ from the scenario's. Dims of curves are (patient,
    time), of derivatives (patient, time, parameter); `unit` on each parameter is its canonical unit. Dose events that
    depend on a parameter (mg/kg doses, bioavailability, durations) are part of its effect.
    """
    until = max(float(np.max(times)) + 1.0, scenario.horizon)
    own = {name: np.broadcast_to(value, size) for name, value in (values or {}).items()}

    def build(changed: Mapping[str, np.ndarray], count: int) -> Ensemble:
        tiled = {name: np.tile(value, count // size) for name, value in own.items()}
        return ensemble_of_scenario(model, scenario, {**tiled, **changed}, count, until)

    curves, derivatives = sensitivities(
        build({}, size), parameters, times, outputs, build=build, tolerance=tolerance, threads=threads
    )
    dataset = curves.dataset(list(range(size)))
    slopes = {
        name: (("patient", "time", "parameter"), derivatives[:, :, i], dataset[name].attrs)
        for i, name in enumerate(curves.names)
    }
    table = model.parameters
    units = [table[name].canonical_unit for name in parameters]
    labels = {"parameter": list(parameters), "unit": ("parameter", units)}
    return dataset, xr.Dataset(slopes, {**dataset.coords, **labels})


@dataclass(frozen=True)
class Directions:
    """Inputs [patient, input] with their tangents, tangents of dose events and of those of the cycle, and `sizes`.

    A direction is a parameter unless others are given; `sizes` [patient, direction] are the values of the parameters, 1
    in place of 0 and of other directions.
    """

    inputs: WithTangents
    events: EventTangents
    cycle: EventTangents | None
    sizes: np.ndarray

    def along(self, rates: np.ndarray, ensemble: Ensemble) -> Directions:
        """Other directions, along which these change at `rates` [patient, new direction, direction]."""

        def combined(tangents: EventTangents, table: EventTable) -> EventTangents:
            own = rates[table.owner]
            return EventTangents(*(np.einsum("rdp,rp->rd", own, x) for x in (tangents.time, tangents.size)))

        cycle = self.cycle and combined(self.cycle, _of_cycle(ensemble))
        values, tangents = self.inputs
        inputs = values, Tangents(tangents.moving, rates @ tangents.values)
        return Directions(inputs, combined(self.events, ensemble.events), cycle, np.ones(rates.shape[:2]))


def _check_parameters(model: Model, parameters: tuple[str, ...], build: Build | None) -> None:
    """Raise UnknownNameError or InputError for names that cannot be differentiated by."""
    for name in parameters:
        require_known(name, model.parameters, f"there is no parameter '{name}'", key=name)
        if build is None and name not in model.input_index:
            what = f"'{name}' acts in no equation, and nothing says how dose events depend on it"
            raise InputError(what, key=name, expected="a parameter of the equations, or `build`")
        if parameters.count(name) > 1:
            raise InputError(f"'{name}' is given twice", key=name, expected="each parameter once")


def _directions(
    ensemble: Ensemble, parameters: tuple[str, ...], build: Build | None, along: np.ndarray | None
) -> Directions:
    model, count = ensemble.model, len(parameters)
    _check_parameters(model, parameters, build)
    if along is not None and build is not None:
        return _directions(ensemble, parameters, build, None).along(along, ensemble)
    places = [model.input_index[name] for name in parameters if name in model.input_index]
    if along is not None:  # events do not move, and few of the inputs do
        inputs = _inputs(ensemble, places, along.shape[1])
        inputs[1].values[:, :, np.searchsorted(inputs[1].moving, places)] = along
        counts = [len(ensemble.events.time), len(_of_cycle(ensemble).time) if ensemble.cycle else 0]
        still = [EventTangents(*np.zeros((2, n, along.shape[1]))) for n in counts]
        return Directions(inputs, still[0], still[1] if ensemble.cycle else None, np.ones(along.shape[:2]))
    base = np.array(
        [np.broadcast_to(ensemble.values.get(n, model.default_values[n]), ensemble.size) for n in parameters]
    )
    sizes = np.where(base == 0, 1.0, np.abs(base)).T
    cycle = ensemble.cycle
    rows = [ensemble.events, *([_of_cycle(ensemble)] if cycle else [])]
    tangents = [EventTangents(*(np.zeros((len(table.time), count)) for _ in range(2))) for table in rows]
    slopes = np.zeros((ensemble.size, count, len(model.default_inputs)))
    if build is not None and count:
        steps = RELATIVE_STEP * sizes.T  # [parameter, patient]
        below, above = _built(build, parameters, base, steps)
        slopes = _differences(below.inputs(), above.inputs(), steps).swapaxes(0, 1)
        changed = [(below.events, above.events)]
        changed += [(_of_cycle(below), _of_cycle(above))] if below.cycle and above.cycle else []
        if len(changed) != len(rows):
            raise InputError("`build` returns patients with another start than the ensemble", expected="the same cycle")
        tangents = [_event_tangents(table, *pair, steps) for table, pair in zip(rows, changed, strict=True)]
    for k, name in enumerate(parameters):
        if name in model.input_index:
            slopes[:, k, model.input_index[name]] = 1.0
    inputs = _inputs(ensemble, np.flatnonzero(slopes.any(axis=(0, 1))), count)
    inputs[1].values[:] = slopes[:, :, inputs[1].moving]
    return Directions(inputs, tangents[0], tangents[1] if cycle else None, sizes)


def _inputs(ensemble: Ensemble, places: Sequence[int] | np.ndarray, count: int) -> WithTangents:
    """Inputs, with room for tangents of those at `places` and of baseline values in `count` directions."""
    model = ensemble.model
    baselines = np.arange(len(model.layout.parameter_names), len(model.default_inputs))
    moving = np.union1d(places, baselines).astype(np.int64)
    return ensemble.inputs(), Tangents(moving, np.zeros((ensemble.size, count, len(moving))))


def _of_cycle(ensemble: Ensemble) -> EventTable:
    """Dose events during one cycle that has been repeated forever."""
    assert ensemble.cycle is not None
    return repeated(ensemble.cycle.events, ensemble.cycle.length)


def _built(build: Build, parameters: tuple[str, ...], base: np.ndarray, steps: np.ndarray) -> tuple[Ensemble, Ensemble]:
    """The patients with each parameter in turn a step lower, and a step higher [parameter and patient]."""
    count, patients = base.shape
    made = []
    for sign in (-1.0, 1.0):
        values = np.repeat(base[:, None], count, axis=1)  # [parameter, copy, patient]
        values[np.arange(count), np.arange(count)] += sign * steps
        flat = {name: values[k].reshape(-1) for k, name in enumerate(parameters)}
        made.append(build(flat, count * patients))
    return made[0], made[1]


def _differences(below: np.ndarray, above: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Central differences [parameter, patient, ...] of rows [parameter and patient, ...]."""
    change = (above - below).reshape(*steps.shape, -1)
    return np.asarray(change / (2 * steps[..., None]))


def _event_tangents(table: EventTable, below: EventTable, above: EventTable, steps: np.ndarray) -> EventTangents:
    """Central differences of the times and sizes of the events of a table, matched by patient, kind, state and sign."""
    count, order = len(steps), _order(table)
    kinds = [np.tile(getattr(table, name)[order], count) for name in ("kind", "state")]
    event_tangents = []
    for changed in (below, above):
        own = _order(changed)
        same = len(own) == count * len(order) and all(
            np.array_equal(getattr(changed, name)[own], kind)
            for name, kind in zip(("kind", "state"), kinds, strict=True)
        )
        if not same or not np.array_equal(np.diff(changed.first), np.tile(np.diff(table.first), count)):
            what = "the number or the kind of dose events changes with a parameter, so that there is no derivative"
            raise InputError(what, expected="parameters that change amounts, durations or times of dose events")
        event_tangents.append([getattr(changed, name)[own].reshape(count, -1) for name in ("time", "size")])
    width = 2 * steps[:, table.owner[order]]
    tangents = []
    for low, high in zip(*event_tangents, strict=True):
        placed = np.empty((len(order), count))
        placed[order] = ((high - low) / width).T
        tangents.append(placed)
    _check_times(table, tangents[0])
    return EventTangents(*tangents)


def _order(table: EventTable) -> np.ndarray:
    return np.lexsort((table.time, np.sign(table.size), table.state, table.kind, table.owner))


def _check_times(table: EventTable, tangents: np.ndarray) -> None:
    """Raise InputError where two events of a patient at one time move apart: then there is no derivative."""
    together = (np.diff(table.time) == 0) & (np.diff(table.owner) == 0)
    apart = np.abs(np.diff(tangents, axis=0)).max(axis=1, initial=0.0) > TIME_PRECISION
    if np.any(together & apart):
        at = table.time[1:][together & apart][0]
        what = f"two dose events at {at:g} h move apart with a parameter, so that there is no derivative"
        raise InputError(what, expected="events at different times")


def _initial(
    kernel: Kernel, ensemble: Ensemble, directions: Directions, outputs: Sequence[str] | None,
    tolerance: float, threads: int,
) -> tuple[InitialCondition, WithTangents, WithTangents]:  # fmt: skip
    """Initial condition as `Ensemble.initial` finds it, and the initial state and the inputs with their tangents.

    Of tangents, those that the `outputs` (default: all) need.
    """
    inputs = directions.inputs
    baseline, tangents, is_steady = steady_state_with_tangents(
        kernel, *inputs, receivers=ensemble.receivers, needed=outputs, threads=threads
    )
    state, steady = baseline, np.ones(ensemble.size, dtype=bool)
    if ensemble.cycle is not None:
        state, steady = periodic_steady_state(
            kernel, baseline, inputs[0], ensemble.cycle.events, ensemble.cycle.length,
            tolerance=tolerance, threads=threads,
        )  # fmt: skip
        tangents, periodic = _periodic_tangents(
            kernel, ensemble, (state, tangents), inputs, directions, outputs, steady & is_steady,
            tolerance / TOLERANCE_DIVISOR, threads,
        )  # fmt: skip
        steady = steady & periodic
    initial = InitialCondition.of(inputs[0], baseline, state, has_baseline=is_steady, has_state=steady)
    return initial, (initial.state, tangents), inputs


def _periodic_tangents(
    kernel: Kernel, ensemble: Ensemble, start: WithTangents, inputs: WithTangents, directions: Directions,
    outputs: Sequence[str] | None, wanted: np.ndarray, tolerance: float, threads: int,
) -> tuple[Tangents, np.ndarray]:  # fmt: skip
    """Tangents of the periodic steady state, and a mask [patient] of those found.

    Over a cycle that starts at the steady state, tangents x change by an affine map A x + b, since the steps are the
    same each time. Its fixed point is found by Anderson acceleration, which for an affine map is GMRES: as many cycles
    as there are slow processes instead of as many as the slowest needs. Sinks (eliminated amounts) keep their tangents.
    """
    assert ensemble.cycle is not None
    assert directions.cycle is not None
    layout, lengths = ensemble.model.layout, ensemble.cycle.length
    events, times = _of_cycle(ensemble), np.column_stack([np.zeros(ensemble.size), lengths])
    compared = np.array([not row.is_sink for row in layout.states])
    if kernel.scope is not None:
        compared &= kernel.scope.states
    scales = np.array([row.scale for row in layout.states]) + np.abs(start[0])
    weights = np.where(compared, directions.sizes[:, :, None] / scales[:, None], 0.0)
    every = np.arange(len(layout.states))
    tangents, converged = start[1].among(every).copy(), lengths <= 0
    history: list[Change] = []
    for _ in range(MAX_CYCLES):
        moving = np.flatnonzero(wanted & ~converged)
        if not moving.size:
            break
        rows = np.isin(events.owner, moving)
        own = EventTangents(directions.cycle.time[rows], directions.cycle.size[rows])
        _, _, after = solve_with_tangents(
            kernel, (start[0][moving], Tangents(every, tangents[moving])), (inputs[0][moving], inputs[1].of(moving)),
            events.of(moving), own, times[moving], outputs=(), needed=outputs, tolerance=tolerance, threads=threads,
        )  # fmt: skip
        change = np.zeros_like(tangents)
        held = compared[after.moving]
        change[np.ix_(moving, np.arange(tangents.shape[1]), after.moving[held])] = (
            after.values[:, :, held] - tangents[moving][:, :, after.moving[held]]
        )
        history.append((tangents.copy(), change))
        size = np.abs(change * weights).max(axis=(1, 2), initial=0.0)
        converged |= wanted & (size < PERIODIC_TOLERANCE)
        for i in moving:
            for k in range(tangents.shape[1]):
                tangents[i, k] = _anderson([(x[i, k], f[i, k]) for x, f in history], weights[i, k])
    return Tangents(every, tangents), converged


def _anderson(history: list[Change], weights: np.ndarray) -> np.ndarray:
    """The next estimate of a fixed point, from earlier estimates and their changes."""
    x, change = (np.array(part) for part in zip(*history, strict=True))
    if len(history) == 1:
        return np.asarray(x[0] + change[0])
    steps, differences = np.diff(x, axis=0), np.diff(change, axis=0)
    factors = np.linalg.lstsq((differences * weights).T, change[-1] * weights, rcond=1e-14)[0]
    return np.asarray(x[-1] + change[-1] - factors @ (steps + differences))
