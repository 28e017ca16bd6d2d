"""The conduct of a trial: people enrolled, allocated, dosed, rated at visits, some of whom leave.

Every person, his allocation within his trial, his missed doses, his raters' errors and his leaving come from streams
keyed by seed, replicate and person: the same bits for any number of threads and for any replicates run together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, cast

import numpy as np
import xarray as xr

from ketamech.core import BadInput
from ketamech.engine import EventTable, Solution, rest, solve
from ketamech.engine.events import table
from ketamech.engine.visits import solve_with_visits
from ketamech.study.chance import generators
from ketamech.study.cohort import event_table
from ketamech.study.deciding import Decider
from ketamech.study.giving import entries
from ketamech.study.people import People, Population, load_population
from ketamech.study.regimen import Regimen
from ketamech.study.running import Entry, Model, load_model
from ketamech.study.trial import BELIEFS, Arm, Trial, Visit

TOLERANCE = 1e-4  # of the solver: a hundredth of a MADRS point, far below a rater's error
BY_ROUTE = {"nasal": "pharmacokinetics.nasal_fraction_first", "sublingual": "pharmacokinetics.sublingual_fraction"}
A_FIFTH, WEEK = 0.8, 168.0
BEFORE = 0.1  # h: every dose is given so long after its hour, for baseline and later visits come before it
Posterior = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Run:
    """How a trial is run: `patients` in place of the planned number, which `seed`, on how many `threads`."""

    trial: Trial
    model: Model
    population: Population
    seed: int
    threads: int
    posterior: Posterior = ()

    @property
    def plan(self) -> tuple[tuple[Visit, float, int], ...]:
        """Every visit with the hour at which it is rated and its period."""
        periods = range(len(self.trial.arms) if self.trial.washout else 1)
        return tuple((v, p * self.trial.washout + rated_at(v.time), p) for p in periods for v in self.trial.visits)

    def replicate(self, number: int) -> dict[str, Any]:
        """One trial from enrolment to the last visit: arrays by name, [patient] or [patient, visit]."""
        trial, who = self.trial, range(self.trial.patients)
        base = {**(self.posterior[(number - 1) % len(self.posterior)] if self.posterior and number else {})}
        base |= trial.values
        people = self.population.draw(self.model.parameters, self.seed, who, replicate=number, base=base)
        order = self._allocation(number)
        given = self._given(people, order, base, number)
        hours = self._hours(number)
        solution, decisions, rested = self._solved(people, given, hours, base, number)
        found = {"order": order, "hours": hours, "decisions": decisions}
        found |= self._status(solution, rested) | self._scores(solution, people, number)
        return found | self._leaving(found, number) | {"people": people}

    def _allocation(self, number: int) -> np.ndarray:
        """Arm of each person in each period [patient, period], in the planned proportions, shuffled."""
        chance = next(generators(self.seed, [0], "trial", replicate=number))
        if not self.trial.washout:
            arms = np.repeat(np.arange(len(self.trial.arms)), [arm.n for arm in self.trial.arms])
            return chance.permutation(arms)[:, None]
        orders = np.array(list(permutations(range(len(self.trial.arms)))))
        return orders[chance.permutation(np.arange(self.trial.patients) % len(orders))]

    def _given(self, people: People, order: np.ndarray, base: Mapping[str, float], number: int) -> EventTable:
        parts = []
        for row in np.unique(order, axis=0):
            members = np.flatnonzero((order == row).all(axis=1))
            arms = [self.trial.arms[k] for k in row]
            found: list[Entry] = []
            for period, arm in enumerate(arms):
                regimen = _later(arm.regimen, period * self.trial.washout + BEFORE)
                found += self.entries(regimen, arm, people.of(members), base, number)
            parts.append((members, event_table(self.model, found, len(members))))
        return _together(len(people), parts)

    def entries(
        self, regimen: Regimen, arm: Arm, people: People, base: Mapping[str, float], number: int
    ) -> list[Entry]:
        """What enters these people's bodies, and the belief that each visit of this arm gives them."""
        shares = self._taken(regimen, people, number)
        values = {**base, **people.values}
        found = entries(
            regimen, self.model.parameters, values, self.trial.horizon, lambda i, k: shares.get((i, k), 1.0)
        )
        name = BELIEFS[arm.belief]
        belief = base.get(name, self.model.parameters[name].canonical) if name else 0.0
        hoped = [replace(e, amount=e.amount * belief) if e.state == "expectancy.belief" else e for e in found]
        return [e for e in hoped if np.any(np.asarray(e.amount) != 0)]

    def _taken(self, regimen: Regimen, people: People, number: int) -> dict[tuple[int, int], np.ndarray]:
        """Share of each dose that arrives: 0 where it is missed, and the difference between occasions."""
        found: dict[tuple[int, int], np.ndarray] = {}
        for i, treatment in enumerate(regimen.treatments):
            count = len(treatment.starts(self.trial.horizon))
            share = np.ones((len(people), count))
            missing = 1 - (1 - treatment.missing) * self.trial.adherence
            if missing:
                block = 1000 + i
                chances = generators(self.seed, people.who, "adherence", replicate=number, block=block)
                share = (np.array([c.random(count) for c in chances]) >= missing).astype(float)
            if treatment.route in BY_ROUTE:
                name = BY_ROUTE[treatment.route]
                share = share * self.population.occasions(name, self.seed, people.who, count, replicate=number)
            found |= {(i, k): share[:, k] for k in range(count)}
        return found

    def _hours(self, number: int) -> np.ndarray:
        """When each visit takes place [patient, visit]: as planned on the first day, later within the window."""
        planned = np.array([hour for _, hour, _ in self.plan])
        hours = np.tile(planned, (self.trial.patients, 1))
        if self.trial.window:
            late = np.array([visit.time >= 24.0 for visit, _, _ in self.plan])
            gaps = np.minimum(np.diff(planned, prepend=-np.inf), np.diff(planned, append=np.inf))
            reach = np.where(late, np.minimum(self.trial.window, 0.45 * gaps), 0.0)
            chances = generators(self.seed, range(self.trial.patients), "trial", replicate=number, block=1)
            hours = hours + reach * (2 * np.array([c.random(len(planned)) for c in chances]) - 1)
        return hours

    def _solved(
        self, people: People, given: EventTable, hours: np.ndarray, base: Mapping[str, float], number: int
    ) -> tuple[Solution, np.ndarray, np.ndarray]:
        model, how = self.model, cast("dict[str, Any]", {"threads": self.threads})
        inputs = self._inputs(people, base)
        start, rested = rest(model.kernel, inputs, **how)
        outputs = tuple(dict.fromkeys(scale.output for scale in self.trial.scales.values()))
        decider = Decider(self.trial, people, self.seed, number)
        if not self.trial.steps:
            solution = solve(model.kernel, start, inputs, given, hours, outputs=outputs, tolerance=TOLERANCE, **how)
            return solution, decider.taken, rested

        def doses(regimen: Regimen, members: np.ndarray, hour: float) -> EventTable:
            arm = self.trial.arms[0]
            found = self.entries(_later(regimen, hour + BEFORE), arm, people.of(members), base, number)
            return _together(len(people), [(members, event_table(model, found, len(members)))])

        solution = solve_with_visits(
            model.kernel, start, inputs, given, hours[0], decider.stops(), decider.rule(doses),
            watched=outputs, outputs=outputs, tolerance=TOLERANCE, **how,
        )  # fmt: skip
        return solution, decider.taken, rested

    def _inputs(self, people: People, base: Mapping[str, float]) -> np.ndarray:
        layout, known = self.model.layout, self.model.parameters
        usual = [base.get(name, known[name].canonical) for name in layout.parameter_names]
        inputs = np.tile(np.array([*usual, *([0.0] * len(layout.rested))]), (len(people), 1))
        for i, name in enumerate(layout.parameter_names):
            if name in people.values:
                inputs[:, i] = people.values[name]
        return inputs

    def _status(self, solution: Solution, rested: np.ndarray) -> dict[str, np.ndarray]:
        status = np.full(len(rested), "ok", dtype=object)
        for i in np.flatnonzero(solution.status):
            status[i] = solution.reason(int(i))
        status[~rested] = "no rest state"
        return {"status": status}

    def _scores(self, solution: Solution, people: People, number: int) -> dict[str, np.ndarray]:
        """Scores of every scale [patient, visit]: with and without error; NaN where it is not rated."""
        names = list(self.trial.scales)
        shape = (len(people), len(self.plan), len(names))
        chances = generators(self.seed, people.who, "scores", replicate=number)
        z = np.array([c.standard_normal(shape[1] * shape[2]) for c in chances]).reshape(shape)
        bases = np.array([period * len(self.trial.visits) for _, _, period in self.plan])
        found: dict[str, np.ndarray] = {}
        for k, name in enumerate(names):
            scale = self.trial.scales[name]
            output = solution.values[:, :, solution.names.index(scale.output)]
            truth = scale.truth(output, output[:, bases])
            rated = np.array([name in visit.scales for visit, _, _ in self.plan])
            truth = np.where(rated, truth, np.nan)
            found |= {f"true_{name}": truth, name: scale.observed(truth, z[:, :, k])}
        return found

    def _leaving(self, found: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Who leaves when (h, NaN for none) and why; what was rated later is unknown, and stays so."""
        trial, hours = self.trial, found["hours"]
        if not trial.dropout and not trial.no_effect:
            return {"left": np.full(len(hours), np.nan), "why_left": np.full(len(hours), "", dtype=object)}
        chances = generators(self.seed, range(trial.patients), "trial", replicate=number, block=2)
        u = np.array([c.random(1 + hours.shape[1]) for c in chances])
        hazard = -np.log1p(-trial.dropout) / WEEK
        left = -np.log(u[:, 0]) / hazard if hazard else np.full(len(u), np.inf)
        score = found[trial.primary[0]]
        poor = (score > A_FIFTH * score[:, :1]) & (hours > 0) & (u[:, 1:] < trial.no_effect)
        disappointed = np.where(poor.any(axis=1), hours[np.arange(len(u)), poor.argmax(axis=1)] + 1e-6, np.inf)
        why = np.where(disappointed < left, "no effect", "other reasons")
        left = np.minimum(left, disappointed)
        gone = hours > left[:, None]
        scores = {name: np.where(gone, np.nan, found[name]) for name in trial.scales}
        stays = left > hours[:, -1]
        return {**scores, "left": np.where(stays, np.nan, left), "why_left": np.where(stays, "", why).astype(object)}


def run_trial(
    trial: Trial,
    model: Model | None = None,
    *,
    replicates: int = 1,
    patients: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    posterior: Posterior = (),
    first: int = 0,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Run a trial so often, each time with other people and, with a `posterior`, other population values.

    Replicate 0 has the values of the tables, replicate r the posterior's draw r - 1. Returns a Dataset with dims
    (replicate, patient, visit): each scale as rated and `true_<scale>` without error, `visit_time` (h), `arm` of each
    visit, and by patient `left` (h), `why_left`, `solve_status`, covariates. Missing is NaN, imputed by nothing.
    """
    if replicates < 1:
        raise BadInput(f"{replicates} replicates", key="replicates", expected="at least 1")
    chosen = trial if patients is None else resized(trial, patients)
    asked = Run(
        chosen,
        model or load_model(),
        load_population(chosen.population).with_distributions(chosen.people, (model or load_model()).parameters),
        chosen.seed if seed is None else seed,
        threads or os.cpu_count() or 1,
        posterior,
    )
    found = []
    for number in range(first, first + replicates):
        found.append(_dataset(asked, asked.replicate(number)))
        if progress:
            progress(number - first + 1)
    together = xr.concat(found, "replicate").assign_coords(replicate=np.arange(first, first + replicates))
    return together.assign_attrs(
        title=chosen.title,
        seed=asked.seed,
        references=", ".join(chosen.references),
        primary=" at ".join(chosen.primary),
    )


def rated_at(time: float) -> float:
    """The hour of a rating planned at `time` (h): on the first day after the dose, later before that hour's dose."""
    return time + BEFORE if 0 < time < 24 else time


def resized(trial: Trial, patients: int) -> Trial:
    """The same trial with another number of patients, arms in proportion. Raises BadInput for an empty arm."""
    total = trial.patients
    sizes = [max(0, round(arm.n * patients / total)) for arm in trial.arms]
    if min(sizes) < 1:
        raise BadInput(f"{patients} patients", key="patients", expected=f"at least one in each of {len(sizes)} arms")
    return replace(trial, arms=tuple(replace(arm, n=n) for arm, n in zip(trial.arms, sizes, strict=True)))


def _dataset(asked: Run, found: Mapping[str, Any]) -> xr.Dataset:
    trial, people, plan = asked.trial, found["people"], asked.plan
    names = np.array([arm.name for arm in trial.arms])
    periods = np.array([period for _, _, period in plan])
    labels = [f"period {p + 1}: {v.name}" if trial.washout else v.name for v, _, p in plan]
    by_visit, by_patient = ("patient", "visit"), "patient"
    variables: dict[str, Any] = {}
    for name, scale in trial.scales.items():
        for kind in (name, f"true_{name}"):
            variables[kind] = (by_visit, found[kind], {"units": scale.unit})
    variables["visit_time"] = (by_visit, found["hours"], {"units": "h"})
    variables["arm"] = (by_visit, names[found["order"][:, periods]])
    variables["decision"] = (by_patient, found["decisions"].astype(str))
    variables["left"] = (by_patient, found["left"], {"units": "h", "long_name": "when the person left the trial"})
    variables["why_left"] = (by_patient, found["why_left"].astype(str))
    variables["solve_status"] = (by_patient, found["status"].astype(str))
    table_ = people.table().drop(columns="person")
    for name in [c for c in table_ if c.startswith("person.") or "." not in c]:
        variables[name.removeprefix("person.")] = (by_patient, table_[name].to_numpy())
    coordinates = {"visit": labels, "patient": people.who, "hour": ("visit", [hour for _, hour, _ in plan])}
    return xr.Dataset(variables, coordinates)


def _later(regimen: Regimen, hours: float) -> Regimen:
    if not hours:
        return regimen
    return Regimen(tuple(replace(t, start=t.start + hours) for t in regimen.treatments))


def _together(count: int, parts: Sequence[tuple[np.ndarray, EventTable]]) -> EventTable:
    """Event tables of some patients each as one of all."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("owner", "time", "kind", "state", "size")}
    for members, given in parts:
        for name in columns:
            values = members[given.owner] if name == "owner" else getattr(given, name)
            columns[name].append(values)
    return table(count, *(np.concatenate(columns[name]) for name in columns))
