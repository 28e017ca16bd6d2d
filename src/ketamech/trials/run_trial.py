"""The simulation of a trial: enrolment, allocation, dosing, ratings at visits, decisions and dropout.

Several replicates are solved together. The result of a patient depends on that patient's parameters and random streams
only, so that the numbers are bit-identical for any number of threads and any grouping of replicates.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.core.checkpoint import Arrays
from ketamech.core.execution import LOCAL, Executor
from ketamech.dosing.dose_events import Quantity
from ketamech.population.virtual_population import Population, load_population
from ketamech.simulation.dataset_codec import decode, encode
from ketamech.simulation.ensemble import Ensemble, Integration
from ketamech.simulation.model import Model, load_model
from ketamech.trials.design import Trial
from ketamech.trials.enrolment import Enrolment, enrol
from ketamech.trials.trial_dataset import TrialState, dataset
from ketamech.trials.trial_dosing import TrialDosing, perturbation_events, perturbation_values
from ketamech.trials.visit_ratings import VisitRatings

TOLERANCE = 1e-4  # of the solver: a hundredth of a MADRS point, far below the rating error
CHUNK_PERSONS = 4096  # patients solved together
CHECKPOINT_PERSONS = 1024  # patients in one checkpoint or task of a cluster
EXPOSURE = ("venous.ketamine", "venous.esketamine", "dissociation.cadss")
EXPOSURE_TIMES = (
    0.1, 0.25, 0.45, 0.67, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0,
)  # h after the start of a period  # fmt: skip
Posterior = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class TrialRun:
    """A trial with its model, population, seed and number of threads; `posterior` holds draws of population values."""

    trial: Trial
    model: Model
    population: Population
    seed: int
    threads: int
    posterior: Posterior = ()

    @classmethod
    def of(
        cls, trial: Trial, model: Model | None = None, *, patients: int | None = None, seed: int | None = None,
        threads: int | None = None, posterior: Posterior = (),
    ) -> TrialRun:  # fmt: skip
        """The run of a trial with its own population; `patients` and `seed` replace those of the trial."""
        chosen, made = trial if patients is None else with_sample_size(trial, patients), model or load_model()
        population = load_population(chosen.population).with_marginals(chosen.people, made.parameters)
        seed = chosen.seed if seed is None else seed
        return cls(chosen, made, population, seed, threads or os.cpu_count() or 1, posterior)

    def iterate(
        self, replicates: int, *, first: int = 0, progress: Callable[[int], None] | None = None,
        executor: Executor = LOCAL,
    ) -> Iterator[xr.Dataset]:  # fmt: skip
        """One dataset for each group of replicates, so that memory use does not grow with their number."""
        if replicates < 1:
            what = f"{replicates} replicates"
            raise InputError(what, key="replicates", expected="at least 1", type_this="--replicates 20")
        numbers = range(first, first + replicates)
        step = max(1, (CHUNK_PERSONS if executor is LOCAL else CHECKPOINT_PERSONS) // self.trial.patients)
        groups = {self.checkpoint_name(n): n for n in (numbers[i : i + step] for i in range(0, replicates, step))}
        done = zip(groups.values(), executor.map(groups, self.simulate_group, self.simulate_groups), strict=True)
        for group, arrays in done:
            yield decode(arrays)
            if progress:
                progress(group[-1] - first + 1)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs of the model that are recorded."""
        return tuple(dict.fromkeys([*(scale.output for scale in self.trial.scales.values()), *EXPOSURE]))

    def checkpoint_name(self, numbers: Sequence[int]) -> str:
        """Name of the checkpoint of some replicates, which differs for any other trial, seed or posterior."""
        mark = hashlib.sha256(f"{self.trial!r} {self.seed} {self.posterior!r}".encode()).hexdigest()[:12]
        return f"trial-{mark}-{numbers[0]}-{numbers[-1]}"

    def simulate_group(self, numbers: Sequence[int]) -> Arrays:
        """The dataset of some replicates, encoded as arrays."""
        enrolled = self.enrol_replicates(numbers)
        return encode(dataset(self.simulate_replicates(enrolled), enrolled, self.seed))

    def simulate_groups(self, groups: Sequence[Sequence[int]]) -> Iterator[Arrays]:
        """The same for several groups of replicates; the next group is drawn while one is solved."""
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(self.enrol_replicates, groups[0])
            for i in range(len(groups)):
                enrolled = following.result()
                if i + 1 < len(groups):
                    following = ahead.submit(self.enrol_replicates, groups[i + 1])
                yield encode(dataset(self.simulate_replicates(enrolled), enrolled, self.seed))

    def enrol_replicates(self, numbers: Sequence[int]) -> list[Enrolment]:
        """Enrolment of some replicates. Replicate 0 has the median of the posterior, replicate r its draw r - 1."""
        found = []
        for number in numbers:
            base = {**self._posterior_draw(number), **self.trial.values}
            found.append(enrol(self.trial, self.population, self.model.parameters, self.seed, number, base))
        return found

    def _posterior_draw(self, number: int) -> Mapping[str, float]:
        """Population values of a replicate that differ from those of the tables."""
        if not self.posterior:
            return {}
        return self.posterior[(number - 1) % len(self.posterior)] if number else self._posterior_median

    @cached_property
    def _posterior_median(self) -> dict[str, float]:
        """The median of each parameter over the draws."""
        return {name: float(np.median([draw[name] for draw in self.posterior])) for name in self.posterior[0]}

    def simulate_replicates(self, enrolled: Sequence[Enrolment]) -> TrialState:
        """The simulated trial from the first dose to the last visit."""
        trial = self.trial
        sequence = np.concatenate([e.arm_sequence for e in enrolled])
        values = perturbation_values(trial, self.model.parameters, sequence, self._values(enrolled))
        rows = [(e.number, e.people.patient_ids) for e in enrolled]
        dosing = TrialDosing(self.model, trial, self.population, self.seed, rows, values)
        dosing.course[:] = sequence
        found = TrialState.create(trial, enrolled, VisitRatings(trial, self.outputs), dosing, self._exposure_times())
        ensemble = Ensemble.of(self.model, values, perturbation_events(trial, sequence), len(sequence))
        self._run_to_end(found, ensemble.start(tolerance=TOLERANCE, threads=self.threads))
        return found

    def _run_to_end(self, state: TrialState, integration: Integration) -> None:
        """Integrate from decision to decision; doses are planned from one decision to the next."""
        decisions, plan = state.decisions, np.array([hour for _, hour, _ in self.trial.visit_schedule])
        begin, now = 0.0, np.zeros(len(state.hours))
        for visit in (*decisions.visits(), None):
            end = np.inf if visit is None else plan[visit]
            given = state.dosing.events(begin, min(end, self.trial.horizon), now)
            integration.add_events(given, now if begin else None)
            self._advance(state, integration, begin, end)
            if visit is not None:
                decisions.decide(visit, state.scores())
                begin, now = end, state.hours[:, visit]
        state.status = integration.reasons

    def _advance(self, state: TrialState, integration: Integration, begin: float, end: float) -> None:
        """Integrate to every visit and exposure time after `begin` up to `end` (h)."""
        columns = np.flatnonzero(((state.planned > begin) | (begin == 0)) & (state.planned <= end))
        if not columns.size:
            return
        order = np.argsort(state.times[:, columns], axis=1, kind="stable")
        times = np.take_along_axis(state.times[:, columns], order, axis=1)
        part = integration.advance(times, self.outputs)
        state.values[np.arange(len(times))[:, None], columns[order]] = part.values

    def _values(self, enrolled: Sequence[Enrolment]) -> dict[str, Quantity]:
        """Values [patient] of each parameter that differs from the table for some patient, canonical units."""
        names = dict.fromkeys(name for e in enrolled for name in (*e.base, *e.people.values))
        table = self.model.parameters

        def of(e: Enrolment, name: str) -> np.ndarray:
            usual = e.base.get(name, table[name].canonical)
            return e.people.values[name] if name in e.people.values else np.full(len(e.people), usual)

        return {name: np.concatenate([of(e, name) for e in enrolled]) for name in names if name in table}

    def _exposure_times(self) -> np.ndarray:
        """Times (h) [period, time] at which exposure is recorded."""
        last = max(visit.time for visit in self.trial.visits)
        inside = np.array([time for time in EXPOSURE_TIMES if time <= last])
        return np.arange(self.trial.periods)[:, None] * self.trial.washout + inside


def run_trial(
    trial: Trial, model: Model | None = None, *, replicates: int = 1, patients: int | None = None,
    seed: int | None = None, threads: int | None = None, posterior: Posterior = (), first: int = 0,
    progress: Callable[[int], None] | None = None, executor: Executor = LOCAL,
) -> xr.Dataset:  # fmt: skip
    """Run replicates of a trial, each with other patients and, with a `posterior`, other population values.

    Returns a Dataset with dims (replicate, patient, visit): each scale as rated, `true_<scale>` without error,
    `visit_time` (h), `arm` of each visit; by patient `left` (h), `why_left`, `decision`, `rescued_at`, `solve_status`,
    `doses_given`, exposures, covariates. Missing is NaN, nothing is imputed; a failed patient is NaN with a reason.
    `progress` is called with the number of replicates done; `executor` runs and stores them.
    Raises InputError for a number of replicates or patients below 1.
    """
    run = TrialRun.of(trial, model, patients=patients, seed=seed, threads=threads, posterior=posterior)
    found = list(run.iterate(replicates, first=first, progress=progress, executor=executor))
    if len(found) == 1:
        return found[0]
    return xr.concat(found, "replicate", data_vars="all", coords="minimal", compat="override")


def with_sample_size(trial: Trial, patients: int) -> Trial:
    """The trial with another total number of patients, arms in proportion. Raises InputError for an empty arm."""
    sizes = [round(arm.n * patients / trial.patients) for arm in trial.arms]
    if min(sizes) < 1:
        raise InputError(f"{patients} patients", key="patients", expected=f"at least one in each of {len(sizes)} arms")
    return replace(trial, arms=tuple(replace(arm, n=n) for arm, n in zip(trial.arms, sizes, strict=True)))
