"""Cohorts: virtual patients on one treatment, drawn, dosed and solved in chunks.

Patient i has the same parameters, missed doses and results (bit-identical) for any size of the cohort or of its chunks
and any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.core.checkpoint import Arrays, dataset_as_arrays, dataset_from_arrays
from ketamech.core.environment import available_threads
from ketamech.core.execution import ClusterProtocol
from ketamech.dosing.dose_events import AdherenceFunction
from ketamech.dosing.regimen import Regimen
from ketamech.engine.solve import TOLERANCE, validate_outputs, validate_times
from ketamech.parameters import ParameterTable
from ketamech.population.random_draws import draw_parameters, patient_streams
from ketamech.population.virtual_population import VirtualPatients
from ketamech.simulation.ensemble import OK, Ensemble, Trajectories
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import require_outputs
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import (
    Change,
    ensemble_of_scenario,
    scenario_attributes,
    subjects,
    times_of_scenario,
)

CHUNK, CHUNK_BYTES = 4096, 2**27


@dataclass(frozen=True)
class Cohort:
    """A cohort: `times` (h), names of `outputs`, parameters or stages that `vary` between patients, solver settings.

    `change` transforms the doses of every patient, e.g. `control_events`.
    """

    model: Model
    scenario: Scenario
    patients: int
    outputs: tuple[str, ...]
    times: np.ndarray
    seed: int = 1
    replicate: int = 0
    vary: tuple[str, ...] | None = None
    tolerance: float = TOLERANCE
    threads: int = 1
    chunk: int = CHUNK
    device: str = "cpu"
    change: Change | None = None

    def __post_init__(self) -> None:
        if self.patients < 1:
            what = f"{self.patients} patients"
            raise InputError(what, key="patients", expected="at least 1", type_this="--patients 1000")
        if self.chunk < 1:
            raise InputError(f"chunks of {self.chunk} patients", key="chunk", expected="at least 1")
        if not self.outputs:
            raise InputError("no output to keep", key="outputs", expected="a name", type_this="--outputs mood.madrs")
        validate_outputs(self.model.kernel, self.outputs)
        require_outputs(self.scenario.group, self.outputs)
        if validate_times(self.times, self.patients).min() < 0:
            raise InputError("output times must not be negative", key="times", expected="hours, e.g. 0, 0.5, 24")

    @property
    def chunk_size(self) -> int:
        """Patients in a chunk: `chunk`, or fewer so that the results of a chunk fit into CHUNK_BYTES."""
        return max(1, min(self.chunk, CHUNK_BYTES // (8 * len(self.outputs) * len(self.times))))

    @property
    def dosing_horizon(self) -> float:
        """Time (h) before which doses are given: the horizon or the last output time."""
        return max(self.scenario.horizon, float(np.max(self.times)))

    @property
    def result_bytes(self) -> int:
        """Size of the results in bytes."""
        return 8 * self.patients * (len(self.outputs) * len(self.times) + 2)

    @property
    def chunk_starts(self) -> range:
        """The first patient of each chunk."""
        return range(0, self.patients, self.chunk_size)

    def chunks(
        self,
        progress: Callable[[int], None] | None = None,
        chunk_starts: Sequence[int] | None = None,
        cluster: ClusterProtocol | None = None,
    ) -> Iterator[xr.Dataset]:
        """Datasets with dims (patient, time) of the chunks at `chunk_starts` (default: all).

        They come in that order unless computed on a `cluster`. `progress` is called with the number of patients
        started. Without a cluster, one chunk is solved while the next is drawn. A failed patient is NaN with the reason
        in `solve_status`.
        """
        starts = list(self.chunk_starts if chunk_starts is None else chunk_starts)
        if not starts:
            return
        if cluster:
            for done, (_, arrays) in enumerate(cluster.map(self.chunk_at, starts)):
                yield dataset_from_arrays(arrays)
                if progress:
                    progress(self.patients - (len(starts) - done - 1) * self.chunk_size)
            return
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(self._draw_chunk, self._chunk_ids(starts[0]))
            for first, after in zip_longest(starts, starts[1:]):
                people = following.result()
                if after is not None:
                    following = ahead.submit(self._draw_chunk, self._chunk_ids(after))
                yield self._solve_chunk(people, partial(_progress, progress, first) if progress else None)

    def chunk_at(self, first: int) -> Arrays:
        """The chunk that begins with patient `first`, encoded as arrays."""
        return dataset_as_arrays(self.solve_patients(self._chunk_ids(first)))

    def solve_patients(self, patient_ids: Sequence[int], progress: Callable[[int], None] | None = None) -> xr.Dataset:
        """Dataset with dims (patient, time) of some patients of the cohort, by number."""
        return self._solve_chunk(self._draw_chunk(patient_ids), progress)

    def _chunk_ids(self, first: int) -> Sequence[int]:
        return range(first, min(first + self.chunk_size, self.patients))

    def _draw_chunk(self, patient_ids: Sequence[int]) -> tuple[Sequence[int], Ensemble]:
        """The ensemble of some patients: parameters of the equations, and parameters that only determine doses."""
        table = self.model.parameters.with_canonical_values(self.scenario.values)
        own = drawn_values(self.model, table, self.seed, patient_ids, replicate=self.replicate, vary=self.vary)
        until = self.dosing_horizon
        return patient_ids, ensemble_of_scenario(
            self.model, self.scenario, own, len(patient_ids), until, change=self.change,
            adherence=adherence_function(self.scenario.regimen, until, self.seed, patient_ids, self.replicate),
        )  # fmt: skip

    def _solve_chunk(self, drawn: tuple[Sequence[int], Ensemble], progress: Callable[[int], None] | None) -> xr.Dataset:
        patient_ids, ensemble = drawn
        curves = ensemble.solve(
            self.times, self.outputs, tolerance=self.tolerance, threads=self.threads, device=self.device,
            progress=progress,
        )  # fmt: skip
        return curves.dataset(patient_ids)


def drawn_values(
    model: Model, table: ParameterTable, seed: int, patient_ids: Sequence[int], *, replicate: int = 0,
    vary: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Values [patient] of every parameter of `table` that has a spread: of the equations, and of doses only."""
    names = model.layout.parameter_names
    doses = tuple(name for name in table if name not in set(names))
    how: dict[str, Any] = {"replicate": replicate, "vary": vary}
    values = draw_parameters(table, names, seed, patient_ids, **how)
    others = draw_parameters(table, doses, seed, patient_ids, block=1, **how)
    drawn = dict(zip((*names, *doses), (*values.T, *others.T), strict=True))
    return {name: numbers for name, numbers in drawn.items() if table[name].spread.kind != "fixed"}


def _progress(progress: Callable[[int], None], before: int, here: int) -> None:
    progress(before + here)


def adherence(
    regimen: Regimen, horizon: float, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int
) -> dict[tuple[int, int], np.ndarray]:
    """{(treatment index, dose index): 1 where a patient takes the dose, else 0 [patient]}, where doses may be missed.

    Draws of doses before `horizon` (h) do not change when `horizon` or other treatments change.
    """
    taken: dict[tuple[int, int], np.ndarray] = {}
    for i, treatment in enumerate(regimen.treatments):
        count = len(treatment.starts(horizon)) if treatment.miss_probability else 0
        if count:
            chances = patient_streams(seed, patient_ids, "adherence", replicate=replicate, block=i)
            took = np.array([chance.random(count) for chance in chances]) >= treatment.miss_probability
            taken |= {(i, k): took[:, k].astype(float) for k in range(count)}
    return taken


def adherence_function(
    regimen: Regimen, horizon: float, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int = 0
) -> AdherenceFunction:
    """The doses that each patient takes, for `dose_events`; arguments as for `adherence`."""
    taken = adherence(regimen, horizon, seed, patient_ids, replicate)
    return lambda treatment, dose: taken.get((treatment, dose), 1.0)


def simulate_sample(
    model: Model, patients: VirtualPatients, scenario: Scenario, outputs: Sequence[str], *,
    times: Sequence[float] | None = None, threads: int | None = None,
) -> xr.Dataset:  # fmt: skip
    """Curves of `outputs` of virtual patients on a scenario at `times` (h; default: as for the typical patient).

    Values of the patients vary about those of the model; those that the scenario sets replace them. Doses are
    missed by chance as in a cohort. Returns a Dataset with dims (patient, time); a patient that could not be solved is
    NaN, with the reason in `solve_status`. Raises UnknownNameError for an output that does not exist, InputError for an
    empty sample, SolverError if no patient could be solved.
    """
    if not len(patients):
        raise InputError("the sample is empty", key="people", expected="at least one patient")
    grid = times_of_scenario(scenario, subjects(scenario, model)[0]) if times is None else np.array(times, dtype=float)
    curves = _solve_sample(model, patients, scenario, grid, outputs, scenario.horizon, available_threads(threads))
    if (curves.reasons != OK).all():
        raise SolverError(f"no patient could be solved: {curves.reasons[0]}")
    return curves.dataset(patients.patient_ids.tolist()).assign_attrs(scenario_attributes(scenario))


def simulate_patients(
    model: Model, people: VirtualPatients, sentence: str, wanted: Sequence[tuple[str, float]]
) -> list[np.ndarray]:
    """Values [patient] of virtual patients on a regimen for each (output, hour); NaN where a solve failed."""
    names = tuple(dict.fromkeys(name for name, _ in wanted))
    times = np.array(sorted({0.0, *(hour for _, hour in wanted)}))
    scenario = load_scenario(sentence, model.parameters)
    curves = _solve_sample(model, people, scenario, times, names, float(times[-1]) + 1.0, 1)
    return [curves.of(name)[:, int(np.searchsorted(times, hour))] for name, hour in wanted]


def _solve_sample(
    model: Model, patients: VirtualPatients, scenario: Scenario, times: np.ndarray, outputs: Sequence[str],
    until: float, threads: int,
) -> Trajectories:  # fmt: skip
    """Curves at `times` (h) of patients who receive the doses before `until` (h), unless they miss them by chance."""
    names = validate_outputs(model.kernel, tuple(outputs))
    require_outputs(scenario.group, names)
    drawn = patients.with_parameters(model.parameters).values
    values = {name: column for name, column in drawn.items() if name not in scenario.values}
    taken = adherence_function(scenario.regimen, until, patients.seed, patients.patient_ids, patients.replicate)
    ensemble = ensemble_of_scenario(model, scenario, values, len(patients), until, adherence=taken)
    return ensemble.solve(times, names, threads=threads)
