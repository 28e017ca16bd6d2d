"""Predictions of the measurements of a table, and their sensitivities to the fitted parameters.

All persons, and all copies of them with other parameter values, are patients of one `Ensemble` and are solved together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ketamech.core import InputError
from ketamech.core.environment import available_threads
from ketamech.fitting.fitted_parameters import FittedParameter, canonical_values, free_rates, typical_values
from ketamech.fitting.observations import FitData
from ketamech.nonmem.subjects import checked_subject_of, observation_times, pre_dose_delay, subject_of
from ketamech.simulation.ensemble import Change, Ensemble
from ketamech.simulation.forward_sensitivities import sensitivities
from ketamech.simulation.model import Model

EXACT_SCOPE = "levels"  # whose code with derivatives compiles in a second; that of mood takes longer than a fit saves
STEP = 0.01  # of a central difference, on the free scale
TOLERANCE = 1e-6  # of the solver
CHUNK = 4096  # patients solved at once
PROBE_STEP = 0.1  # change of a parameter that tests whether doses depend on it


@dataclass(frozen=True)
class Predictor:
    """Predicts the measurements of `data` from values of `parameters`.

    The values of a person [p] may be followed by deviations of the parameters `varying` (indices) in its first period,
    its second period ...
    """

    model: Model
    data: FitData
    parameters: tuple[FittedParameter, ...]
    varying: tuple[int, ...] = ()
    tolerance: float = TOLERANCE
    threads: int = field(default_factory=available_threads)

    def with_parameters(self, parameters: Sequence[FittedParameter]) -> Predictor:
        """The same data with other parameters."""
        return replace(self, parameters=tuple(parameters))

    @cached_property
    def typical(self) -> np.ndarray:
        """Population values [person, parameter] on the free scale."""
        return typical_values(self.parameters, [subject.values for subject in self.data.persons])

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the measured outputs."""
        return tuple(dict.fromkeys(output.output for output in self.data.outputs))

    @cached_property
    def times(self) -> np.ndarray:
        """Observation times [occasion, time] (h from the begin); the last one is repeated for shorter occasions."""
        hours = [observation_times(occasion) for _, occasion in self.data.occasions]
        longest = max(len(times) for times in hours)
        return np.array([np.pad(times, (0, longest - len(times)), "edge") for times in hours])

    @cached_property
    def _base(self) -> Ensemble:
        subjects = [checked_subject_of(subject, occasion, self.model) for subject, occasion in self.data.occasions]
        return Ensemble.of_subjects(self.model, subjects)

    @cached_property
    def _doses_depend(self) -> bool:
        """Whether doses depend on a fitted parameter, such as an absorbed fraction."""
        if not self.parameters:
            return False
        changed = self._values(np.stack([self.typical, self.typical + PROBE_STEP]))
        copies = self._ensemble_with_doses(changed, 2)
        tables = [copies.events.of(np.arange(i, copies.size, 2)) for i in range(2)]
        return not all(np.array_equal(getattr(tables[0], n), getattr(tables[1], n)) for n in ("time", "size", "state"))

    @cached_property
    def _periods(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin (h; infinity: none) and number of the periods [period, occasion] of each occasion."""
        count = max(len(periods) for periods in self.data.periods)
        begins, numbers = (
            np.full((count, len(self.data.periods)), np.inf),
            np.zeros((count, len(self.data.periods)), int),
        )
        for i, periods in enumerate(self.data.periods):
            begins[: len(periods), i], numbers[: len(periods), i] = zip(*periods, strict=True)
        return begins, numbers

    @cached_property
    def is_exact(self) -> bool:
        """Whether derivatives are exact: of levels, by parameters that change neither doses nor within a solve."""
        kernel, base = self.model.kernel_for(self.outputs), self._base
        if kernel.scope is None or kernel.scope.name != EXACT_SCOPE or base.changes:
            return False
        if self._doses_depend or (self.varying and len(self._periods[0]) > 1):
            return False
        return bool(kernel.fitting_slices("cpu", base.receivers))

    def _values(self, free: np.ndarray, period: int = 0) -> dict[str, np.ndarray]:
        """Canonical values {parameter: [copy, occasion]} in a period, of values [copy, person, p] on the free scale."""
        person, count, n_varying = self.data.person_of_occasion, len(self.parameters), len(self.varying)
        person_values = free[:, person, :count]
        if free.shape[2] > count:
            period_index = count + n_varying * self._periods[1][period][:, None] + np.arange(n_varying)
            person_values[:, :, self.varying] += np.take_along_axis(free[:, person], period_index[None], axis=2)
        return canonical_values(self.parameters, person_values, self.typical[person])

    def _changes(self, free: np.ndarray) -> tuple[Change, ...]:
        """Changes of values between periods of an occasion, for patients [copy, occasion]."""
        begins, _ = self._periods
        if free.shape[2] == len(self.parameters) or len(begins) == 1:
            return ()
        if self._base.changes or self._doses_depend:
            message = "covariates change with time" if self._base.changes else "doses depend on a fitted parameter"
            raise InputError(
                f"{message}, and OCC changes without a reset", key="--iov", expected="EVID 4 at a new period"
            )
        return tuple(
            Change(np.tile(begins[k], len(free)), {name: x.ravel() for name, x in self._values(free, k).items()})
            for k in range(1, len(begins))
        )

    def _ensemble_with_doses(self, values: dict[str, np.ndarray], copies: int) -> Ensemble:
        """Patients [occasion, copy] with doses computed from their own parameter values."""
        names = self._base.values
        ensembles = []
        for i, (subject, occasion) in enumerate(self.data.occasions):
            person_values: dict[str, Any] = {name: column[:, i] for name, column in values.items()}
            dosed = subject_of(replace(subject, values={**subject.values, **person_values}), occasion, self.model)
            base = {
                name: np.full(copies, np.broadcast_to(column, self._base.size)[i]) for name, column in names.items()
            }
            ensembles.append(
                Ensemble.of(self.model, {**base, **person_values}, dosed.events, copies,
                            cycle=dosed.steady_state_events, length=dosed.cycle_length)
            )  # fmt: skip
        order = np.repeat(np.arange(len(ensembles)), copies)
        return replace(Ensemble.joined(ensembles), changes=tuple(change.of(order) for change in self._base.changes))

    def curves(self, free: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Outputs [copy, occasion, time, output] in the units of the model, NaN for a failure.

        `free` [copy, person, parameter]: values on the free scale. `times` [occasion, time] (h from the begin; default:
        those of the observations).
        """
        grid = self.times if times is None else times
        chunk = max(1, CHUNK // len(grid))
        chunks = [self._solve_curves(free[i : i + chunk], grid) for i in range(0, len(free), chunk)]
        return np.concatenate(chunks)

    def _solve_curves(self, free: np.ndarray, grid: np.ndarray) -> np.ndarray:
        copies, values = len(free), self._values(free)
        if self._doses_depend:
            self._changes(free)
            ensemble, shape = self._ensemble_with_doses(values, copies), (len(grid), copies)
            times = np.repeat(grid, copies, axis=0)
        else:
            flat = {name: column.ravel() for name, column in values.items()}
            ensemble, shape = self._base.tiled(copies, flat), (copies, len(grid))
            ensemble = replace(ensemble, changes=self._changes(free) or ensemble.changes)
            times = np.tile(grid, (copies, 1))
        outputs = ensemble.solve(times, self.outputs, tolerance=self.tolerance, threads=self.threads).values
        ordered = outputs.reshape(*shape, *outputs.shape[1:])
        return ordered.swapaxes(0, 1) if self._doses_depend else ordered

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Occasion, time, output and unit factor of each measurement."""
        data = self.data
        output_index = np.array([self.outputs.index(output.output) for output in data.outputs])
        factor = np.array([output.factor for output in data.outputs])
        return data.column("occasion"), data.column("slot"), output_index[data.number], factor[data.number]

    def measured(self, curves: np.ndarray) -> np.ndarray:
        """Values [..., measurement] in the units of DV from arrays [..., occasion, time, output]."""
        occasion, slot, output, factor = self._index
        return np.asarray(curves[..., occasion, slot, output] * factor)

    def predictions(self, free: np.ndarray) -> np.ndarray:
        """Predictions [copy, measurement] in the units of DV."""
        return self.measured(self.curves(free))

    def exact_sensitivities(self, free: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `curve_sensitivities`, by the engine, in one direction for each parameter; where `is_exact`."""
        parameters, data = self.parameters, self.data
        values = {name: column[0] for name, column in self._values(free[None]).items()}
        names = [name for name in values if name in self.model.input_index]
        rates = free_rates(parameters, values)[..., [list(values).index(name) for name in names]]
        curves, derivatives = sensitivities(
            self._base.tiled(1, values), names, grid, self.outputs,
            along=rates, tolerance=self.tolerance, threads=self.threads,
        )  # fmt: skip
        slopes = np.zeros((*derivatives.shape[:-1], free.shape[-1]))
        slopes[..., : len(parameters)] = derivatives
        if free.shape[-1] > len(parameters):  # deviations in the period of an occasion
            first = len(parameters) + len(self.varying) * self._periods[1][0]
            for occasion in range(len(data.occasions)):
                own = slice(first[occasion], first[occasion] + len(self.varying))
                slopes[occasion, ..., own] = derivatives[occasion][..., list(self.varying)]
        return curves.values.swapaxes(1, 2), slopes.swapaxes(1, 2)

    def central_differences(self, free: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same by perturbed copies of the persons, all in one solve."""
        steps = STEP * np.eye(free.shape[-1])[:, None]
        curves = self.curves(np.concatenate([free[None], free + steps, free - steps]), grid).swapaxes(2, 3)
        count = free.shape[-1]
        slopes = (curves[1 : 1 + count] - curves[1 + count :]) / (2 * STEP)
        return curves[0], np.moveaxis(slopes, 0, -1)

    def dense_times(self, count: int) -> np.ndarray:
        """Times [occasion, time] (h from the begin) for curves: `count` up to the last measurement of each output."""
        delay = np.array([pre_dose_delay(occasion) for _, occasion in self.data.occasions])[:, None]
        occasion, slot, output, _ = self._index
        grids = []
        for number in range(len(self.outputs)):
            ends = np.full(len(self.times), 1e-3)
            np.maximum.at(ends, occasion[output == number], self.times[occasion, slot][output == number])
            grids.append(np.linspace(0, 1, count) * ends[:, None])
        return np.asarray(delay + np.sort(np.concatenate(grids, axis=1), axis=1))


def curve_sensitivities(
    predictor: Predictor, free: np.ndarray, times: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs [occasion, output, time], and their derivatives [occasion, output, time, parameter] on the free scale.

    `free` [person, parameter]; `times` [occasion, time] (h from the begin; default: those of the observations).
    Derivatives are exact where `Predictor.is_exact`, elsewhere central differences.
    """
    grid = predictor.times if times is None else times
    return (predictor.exact_sensitivities if predictor.is_exact else predictor.central_differences)(free, grid)


def measured_sensitivities(predictor: Predictor, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions [measurement] in the units of DV and their derivatives [measurement, parameter]."""
    values, slopes = curve_sensitivities(predictor, free)
    predicted = predictor.measured(values.swapaxes(1, 2))
    by_parameter = predictor.measured(np.moveaxis(slopes, -1, 0).swapaxes(2, 3))
    return predicted, by_parameter.T
