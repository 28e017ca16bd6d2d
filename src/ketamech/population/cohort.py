"""Cohorts: virtual patients on one treatment, drawn, dosed and solved in chunks.

Patient i has the same parameters, missed doses and results (bit-identical) for any size of the cohort or of its chunks
and any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.core.checkpoint import Arrays, dataset_as_arrays, dataset_from_arrays
from ketamech.core.concurrency import in_pairs
from ketamech.core.execution import ClusterProtocol
from ketamech.core.progress import CountProgress
from ketamech.engine.solve import TOLERANCE, validate_times
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.population.random_draws import draw_parameters
from ketamech.population.virtual_population import Population, VirtualPatients
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import require_outputs
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import DoseChange, ensemble_of_patients

CHUNK, CHUNK_BYTES = 2048, 2**26  # two chunks are computed at a time


@dataclass(frozen=True)
class Cohort:
    """A cohort: `times` (h), names of `outputs`, who the patients are, solver settings.

    Patients are drawn from a `population`; without one every parameter (or those that `vary`: names or stages) is drawn
    from its own spread, independently of the others. `change` transforms the doses of every patient, e.g.
    `control_events`.
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
    change: DoseChange | None = None
    population: Population | None = None

    def __post_init__(self) -> None:
        if self.population is not None and self.vary is not None:
            what = f"parameters that vary in the population {self.population.name}"
            raise InputError(what, key="varying", expected="a population, or parameters drawn from their spreads")
        if self.population is not None and self.scenario.species != HUMAN:
            what = f"a {self.scenario.species} of the population {self.population.name}"
            raise InputError(what, key="population", expected="a scenario of humans, or no population")
        if self.patients < 1:
            what = f"{self.patients} patients"
            raise InputError(what, key="patients", expected="at least 1", type_this="--patients 1000")
        if self.chunk < 1:
            raise InputError(f"chunks of {self.chunk} patients", key="chunk", expected="at least 1")
        if not self.outputs:
            raise InputError("no output to keep", key="outputs", expected="a name", type_this="--outputs mood.madrs")
        self.model.known_outputs(self.outputs)
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
        progress: CountProgress | None = None,
        chunk_starts: Sequence[int] | None = None,
        cluster: ClusterProtocol | None = None,
    ) -> Iterator[xr.Dataset]:
        """Datasets with dims (patient, time) of the chunks at `chunk_starts` (default: all).

        They come in that order unless computed on a `cluster`. `progress` is called with the number of patients
        started. Without a cluster, two chunks are computed at a time, each on half of the threads. A failed patient is
        NaN with the reason in `solve_status`.
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
        before = self.patients - sum(len(self._chunk_ids(first)) for first in starts)  # of a run that is resumed
        started = _Started(progress, before)
        shared = nullcontext() if self.device == "cpu" else Lock()  # a device solves one chunk at a time

        def chunk(first: int, threads: int) -> xr.Dataset:
            ids, people = self._draw_chunk(self._chunk_ids(first))
            tell = started.of_chunk(first)
            with shared:
                curves = self._solve_chunk(ids, people, threads, tell)
            if tell:
                tell(len(ids))
            return curves

        yield from in_pairs(chunk, starts, self.threads)

    def chunk_at(self, first: int) -> Arrays:
        """The chunk that begins with patient `first`, encoded as arrays."""
        return dataset_as_arrays(self.solve_patients(self._chunk_ids(first)))

    def solve_patients(self, patient_ids: Sequence[int]) -> xr.Dataset:
        """Dataset with dims (patient, time) of some patients of the cohort, by number."""
        return self._solve_chunk(*self._draw_chunk(patient_ids), self.threads)

    def _chunk_ids(self, first: int) -> Sequence[int]:
        return range(first, min(first + self.chunk_size, self.patients))

    def _draw_chunk(self, patient_ids: Sequence[int]) -> tuple[Sequence[int], Ensemble]:
        """The ensemble of some patients: parameters of the equations, and parameters that only determine doses."""
        people = self.people(patient_ids)
        return patient_ids, ensemble_of_patients(
            self.model, people, self.scenario, self.dosing_horizon, change=self.change
        )

    def people(self, patient_ids: Sequence[int] | np.ndarray) -> VirtualPatients:
        """The patients with these numbers [patient], which do not depend on the other patients of the cohort."""
        if self.population is not None:
            return self.population.draw(self.model.parameters, self.seed, patient_ids, replicate=self.replicate)
        table = self.model.parameters.with_canonical_values(self.scenario.values)
        return independent_patients(
            table, patient_ids, model=self.model, seed=self.seed, replicate=self.replicate, vary=self.vary
        )

    def _solve_chunk(
        self, patient_ids: Sequence[int], ensemble: Ensemble, threads: int, progress: CountProgress | None = None
    ) -> xr.Dataset:
        curves = ensemble.solve(
            self.times, self.outputs, tolerance=self.tolerance, threads=threads, device=self.device,
            progress=progress,
        )  # fmt: skip
        return curves.dataset(patient_ids)


def drawn_values(
    model: Model, table: ParameterTable, seed: int, patient_ids: Sequence[int] | np.ndarray, *, replicate: int = 0,
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


def independent_patients(
    table: ParameterTable, patient_ids: Sequence[int] | np.ndarray, *, model: Model, seed: int = 1, replicate: int = 0,
    vary: Sequence[str] | None = None,
) -> VirtualPatients:  # fmt: skip
    """The patients with these numbers [patient], in whom every parameter is drawn from its own spread about `table`.

    Draws are independent, and a spread may be the uncertainty of a mean: the patients are no clinical sample. `vary`:
    parameters or stages that are drawn (default: all with a spread).
    """
    values = drawn_values(model, table, seed, patient_ids, replicate=replicate, vary=vary)
    redraw = partial(independent_patients, model=model, seed=seed, replicate=replicate, vary=vary)
    return VirtualPatients(np.asarray(patient_ids), values, {}, table, seed, replicate, redraw, independent=True)


class _Started:
    """Patients started in all chunks, told to `progress`; chunks are computed side by side."""

    def __init__(self, progress: CountProgress | None, before: int) -> None:
        self._progress, self._lock, self._by_chunk, self._before = progress, Lock(), dict[int, int](), before

    def of_chunk(self, first: int) -> CountProgress | None:
        """The callback of one chunk; None where nobody is told."""
        return partial(self._add, first) if self._progress else None

    def _add(self, first: int, here: int) -> None:
        with self._lock:
            self._by_chunk[first] = here
            assert self._progress
            self._progress(self._before + sum(self._by_chunk.values()))


def simulate_patients(
    model: Model, people: VirtualPatients, sentence: str, wanted: Sequence[tuple[str, float]]
) -> list[np.ndarray]:
    """Values [patient] of virtual patients on a regimen for each (output, hour); NaN where a solve failed."""
    names = tuple(dict.fromkeys(name for name, _ in wanted))
    times = np.array(sorted({0.0, *(hour for _, hour in wanted)}))
    scenario = load_scenario(sentence, model.parameters)
    require_outputs(scenario.group, model.known_outputs(names))
    curves = ensemble_of_patients(model, people, scenario, float(times[-1]) + 1.0).solve(times, names)
    return [curves.of(name)[:, int(np.searchsorted(times, hour))] for name, hour in wanted]
