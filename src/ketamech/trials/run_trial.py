"""The simulation of a trial: enrolment, allocation, dosing, ratings at visits, decisions, crossover and dropout.

Several replicates are solved together. The result of a patient depends on that patient's parameters and random streams
only, so that the numbers are bit-identical for any number of threads and any grouping of replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.core.checkpoint import Arrays, dataset_as_arrays, dataset_from_arrays
from ketamech.core.concurrency import in_pairs
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.environment import available_threads, short_hash
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.dosing.dose_events import DoseEvent, Quantity, parameter_lookup
from ketamech.simulation.ensemble import Ensemble, Integration
from ketamech.simulation.model import Model, load_model
from ketamech.trials.decision_rules import is_met, on_relapse
from ketamech.trials.design import Trial
from ketamech.trials.dropout import dropout_times
from ketamech.trials.enrolment import Enrolment, enrol, enrol_eligible, lead_in_events
from ketamech.trials.population_mixture import TrialPopulation, trial_population
from ketamech.trials.trial_dataset import TrialState, dataset, relapses
from ketamech.trials.trial_dosing import TrialDosing, perturbation_events, perturbation_values, second_period_course
from ketamech.trials.visit_ratings import VisitRatings

PATIENTS_PER_GROUP = 1024  # of replicates that are solved together and written to one checkpoint
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
    population: TrialPopulation
    seed: int
    threads: int
    posterior: Posterior = ()

    @classmethod
    def of(
        cls, trial: Trial, model: Model | None = None, *, patients: int | None = None, seed: int | None = None,
        threads: int | None = None, posterior: Posterior = (),
    ) -> TrialRun:  # fmt: skip
        """The run of a trial with its own population; `patients` and `seed` replace those of the trial."""
        chosen, made = trial.replace(patients=patients), model or load_model()
        population = trial_population(chosen.population).with_marginals(chosen.people, made.parameters)
        seed = chosen.seed if seed is None else seed
        return cls(chosen, made, population, seed, available_threads(threads), posterior)

    def iterate(
        self, replicates: int, *, first: int = 0, progress: Callable[[int], None] | None = None,
        executor: Executor = LOCAL_EXECUTOR,
    ) -> Iterator[xr.Dataset]:  # fmt: skip
        """One dataset for each group of replicates, so that memory use does not grow with their number."""
        if replicates < 1:
            what = f"{replicates} replicates"
            raise InputError(what, key="replicates", expected="at least 1", type_this="--replicates 20")
        numbers = range(first, first + replicates)
        step = max(1, PATIENTS_PER_GROUP // self.trial.patients)
        groups = {self.checkpoint_name(n): n for n in (numbers[i : i + step] for i in range(0, replicates, step))}
        done = zip(groups.values(), executor.map(groups, self.simulate_group, self.simulate_groups), strict=True)
        for group, arrays in done:
            yield dataset_from_arrays(arrays)
            if progress:
                progress(group[-1] - first + 1)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs of the model that are recorded."""
        return tuple(dict.fromkeys([*(scale.output for scale in self.trial.scales.values()), *EXPOSURE]))

    def checkpoint_name(self, numbers: Sequence[int]) -> str:
        """Name of the checkpoint of some replicates: another trial, seed, posterior or model has other names."""
        return f"trial-{self._fingerprint}-{numbers[0]}-{numbers[-1]}"

    @cached_property
    def _fingerprint(self) -> str:
        """Hash of everything that determines the results."""
        rows = [(name, row.canonical, row.spread) for name, row in sorted(self.model.parameters.items())]
        content = (self.trial, self.seed, self.posterior, self.model.layout.fingerprint, rows)
        return short_hash(repr(content), 12)

    def simulate_group(self, numbers: Sequence[int]) -> Arrays:
        """The dataset of some replicates, encoded as arrays."""
        enrolled = self.enrol_replicates(numbers)
        return dataset_as_arrays(dataset(self.simulate_replicates(enrolled), enrolled, self.seed))

    def simulate_groups(self, groups: Sequence[Sequence[int]]) -> Iterator[Arrays]:
        """The same for several groups of replicates, two at a time."""
        return in_pairs(
            lambda group, threads: replace(self, threads=threads).simulate_group(group), groups, self.threads
        )

    def enrol_replicates(self, numbers: Sequence[int]) -> list[Enrolment]:
        """Enrolment of some replicates. Replicate 0 has the median of the posterior, replicate r its draw r - 1."""
        enrolled = []
        for number in numbers:
            base = {**self._posterior_draw(number), **self.trial.values}
            enrolled.append(self._enrol(number, base))
        return enrolled

    def _enrol(self, number: int, base: Mapping[str, float]) -> Enrolment:
        """Enrolment of one replicate with the population values `base`."""
        arguments = (self.trial, self.population, self.model.parameters, self.seed, number, base)
        if self.trial.eligibility is None:
            return enrol(*arguments)

        def draw(candidates: np.ndarray) -> tuple[Enrolment, Mapping[str, Quantity]]:
            drawn = enrol(*arguments, candidates)
            return drawn, self._values([drawn])

        return enrol_eligible(self.trial, self.model, draw, SCORE_TOLERANCE, self.threads)

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
        state = TrialState.create(trial, enrolled, VisitRatings(trial, self.outputs), dosing, self._exposure_times())
        before = (*_course_events(enrolled), *lead_in_events(trial, self.model, values))
        beside = perturbation_events(trial, sequence, parameter_lookup(self.model.parameters, values))
        ensemble = Ensemble.of(self.model, values, (*before, *beside), len(sequence))
        self._run_to_end(state, ensemble.start(0.0, self.outputs, tolerance=SCORE_TOLERANCE, threads=self.threads))
        return state

    def _run_to_end(self, state: TrialState, integration: Integration) -> None:
        """Integrate from decision to decision, with doses planned from one to the next; then decide who dropped out."""
        decisions, plan = state.decisions, np.array([hour for _, hour, _ in self.trial.visit_schedule])
        checks = crossing_checks(self.trial)
        advance = self._advance_each if checks else self._advance
        begin, now, reached = 0.0, np.zeros(len(state.hours)), None
        for end, visit in (*decisions.decisions(), *checks, (np.inf, None)):
            events = state.dosing.events(begin, min(end, self.trial.horizon), now)
            integration.add_events(events, reached)
            reached = advance(state, integration, begin, end, reached)
            if visit is not None:
                if checks:
                    cross_over(state, end, visit)
                decisions.decide(end, visit, state.scores())
                begin, now = end, state.hours[:, visit] if plan[visit] == end else np.full(len(now), end)
                now = now if reached is None else np.maximum(now, reached)
        state.status = integration.reasons
        state.left, state.why_left = dropout_times(self.trial, state.dropout_uniforms, state.hours, state.scores())

    def _advance(
        self, state: TrialState, integration: Integration, begin: float, end: float, reached: np.ndarray | None
    ) -> np.ndarray | None:  # fmt: skip
        """Integrate to every visit and exposure time after `begin` up to `end` (h).

        `reached` [patient] (h) is the last time so far (None: the start); returns that after this step.
        """
        columns = np.flatnonzero(((state.planned > begin) | (begin == 0)) & (state.planned <= end))
        if not columns.size:
            return reached
        order = np.argsort(state.times[:, columns], axis=1, kind="stable")
        times = np.take_along_axis(state.times[:, columns], order, axis=1)
        part = integration.advance(times, self.outputs)
        state.values[np.arange(len(times))[:, None], columns[order]] = part.values
        return times[:, -1]

    def _advance_each(
        self, state: TrialState, integration: Integration, begin: float, end: float, reached: np.ndarray | None
    ) -> np.ndarray | None:  # fmt: skip
        """The same where patients cross over at their own times: each to the own times up to `end` (h)."""
        last = np.full(len(state.times), -np.inf) if reached is None else reached
        due = ~state.is_settled & (state.times <= end)
        state.is_settled |= due
        count = int(due.sum(axis=1).max())
        if not count:
            return reached
        order = np.argsort(np.where(due, state.times, np.inf), axis=1, kind="stable")[:, :count]
        wanted = np.take_along_axis(due, order, axis=1)
        times = np.where(wanted, np.take_along_axis(state.times, order, axis=1), -np.inf)
        final = np.maximum(times.max(axis=1), last)
        part = integration.advance(np.where(wanted, times, final[:, None]), self.outputs)
        rows, places = np.nonzero(wanted)
        state.values[rows, order[rows, places]] = part.values[rows, places]
        return final

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
        return np.arange(self.trial.periods)[:, None] * self.trial.period_length + inside


def _course_events(enrolled: Sequence[Enrolment]) -> list[DoseEvent]:
    """Events of the natural course of the patients of several replicates."""
    sizes = [len(e.people) for e in enrolled]

    def joined(parts: Sequence[Quantity]) -> np.ndarray:
        return np.concatenate([np.broadcast_to(part, size) for part, size in zip(parts, sizes, strict=True)])

    return [
        DoseEvent(joined([one.time for one in same]), same[0].compartment, joined([one.amount for one in same]))
        for same in zip(*(e.course for e in enrolled), strict=True)
    ]


def run_trial(
    trial: Trial, model: Model | None = None, *, replicates: int = 1, patients: int | None = None,
    seed: int | None = None, threads: int | None = None, posterior: Posterior = (), first: int = 0,
    progress: Callable[[int], None] | None = None, executor: Executor = LOCAL_EXECUTOR,
) -> xr.Dataset:  # fmt: skip
    """Run replicates of a trial, each with other patients and, with a `posterior`, other population values.

    Returns a Dataset with dims (replicate, patient, visit): each scale as rated, `true_<scale>` without error,
    `visit_time` (h), `arm` of each visit; by patient `left` (h), `why_left`, `decision`, `grouped_at`, `rescued_at`,
    `solve_status`, `doses_given`, exposures, covariates, and with eligibility criteria `screened`, the candidates for
    each place.
    Missing is NaN, nothing is imputed; a failed patient is NaN with a reason.
    `progress` is called with the number of replicates done; `executor` runs and stores them.
    Raises InputError for a number of replicates or patients below 1.
    """
    run = TrialRun.of(trial, model, patients=patients, seed=seed, threads=threads, posterior=posterior)
    return joined_replicates(list(run.iterate(replicates, first=first, progress=progress, executor=executor)))


def joined_replicates(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """The replicates of several datasets of one trial, with the attributes of the first."""
    if len(datasets) == 1:
        return datasets[0]
    first = datasets[0]

    def joined(names: Iterable[Hashable]) -> dict[Hashable, Any]:
        """Variables of all datasets, concatenated where they have replicates."""
        content: dict[Hashable, Any] = {}
        for name in names:
            dims, values = first.variables[name].dims, first.variables[name].values
            if "replicate" in dims:
                values = np.concatenate([one.variables[name].values for one in datasets], dims.index("replicate"))
            content[name] = (dims, values, first.variables[name].attrs)
        return content

    return xr.Dataset(joined(first.data_vars), joined(first.coords), first.attrs)


def crossing_checks(trial: Trial) -> list[tuple[float, int]]:
    """Hours at which waiting patients may cross over, each with the index of the last visit by then.

    These are the end of the washout, the visits after it, and the latest time.
    """
    if trial.crossover_rule is None:
        return []
    visits = [visit.time for visit in trial.visits]
    later = {time for time in visits if trial.washout < time < trial.period_length}
    return [
        (time, int(np.searchsorted(visits, time + 1e-9)) - 1)
        for time in sorted({trial.washout, *later, trial.period_length})
    ]


def cross_over(state: TrialState, hour: float, visit: int) -> None:
    """Let the waiting patients who meet the condition at `hour` begin the second period; all at the latest time."""
    trial, waiting = state.trial, np.isnan(state.crossed_at)
    assert trial.crossover_rule is not None
    if on_relapse(trial.crossover_rule):
        met = np.isfinite(relapses(state, state.scores()).relapsed_at)
    else:
        met = is_met(trial, trial.crossover_rule, state.scores(), visit)[0]
    moved = waiting & (met | (hour >= trial.period_length - 1e-9))
    state.crossed_at[moved] = hour
    count, visits, exposures = (
        state.hours.shape[1],
        len(trial.visits),
        (state.times.shape[1] - state.hours.shape[1]) // 2,
    )
    second = np.r_[visits : 2 * visits, count + exposures : count + 2 * exposures]
    left_out = np.flatnonzero(np.array([v.time for v in trial.visits]) > hour + 1e-9)
    state.times[np.ix_(moved, second)] += hour - trial.period_length
    state.times[np.ix_(moved, left_out)] = hour
    state.is_settled[np.ix_(moved, left_out)] = True
    state.hours[moved] = state.times[moved, :count]
    for number in np.unique(state.dosing.course[moved]):
        first = state.dosing.courses[number].name
        state.dosing.start_course(second_period_course(first), moved & (state.dosing.course == number), hour)
