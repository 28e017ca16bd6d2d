"""What is given to whom between two decisions: courses of doses, missed doses, beliefs, as events of each person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ketamech.parameters import ParameterTable
from ketamech.simulation import Entry, Model, Quantity
from ketamech.study.chance import generators
from ketamech.study.giving import entries
from ketamech.study.people import Population
from ketamech.study.regimen import LONGEST, Regimen, Treatment
from ketamech.study.trial import BELIEFS, Arm, Course, Trial

AFTER = 1e-4  # h: what is planned for the hour of a visit is given just after its ratings
HALF_DAY = 12.0  # h: doses within one are taken or missed, and absorbed well or badly, together
ADHERENCE_BLOCK = 1000  # of the stream "adherence"; a cohort's own blocks count from 0
BY_ROUTE = {"nasal": "pharmacokinetics.nasal_fraction_first", "sublingual": "pharmacokinetics.sublingual_fraction"}
BELIEF = "expectancy.belief"


@dataclass(frozen=True)
class Dose:
    """One dose due at `time` (h) for the persons of `mask` [person]; `who` believes what (a key of BELIEFS)."""

    time: float
    treatment: Treatment
    belief: str
    mask: np.ndarray


class Treating:
    """Gives courses to persons [person] of several replicates at once; remembers who has come to believe when.

    `course`, `anchor` (h) and `sparse` say for each person what he is on, since when, and whether in the sparser form;
    `added` counts rescue courses begun. `given` counts the doses of a drug that were taken (not tablets or sham).
    """

    def __init__(
        self,
        model: Model,
        trial: Trial,
        population: Population,
        seed: int,
        rows: list[tuple[int, np.ndarray]],
        values: Mapping[str, Quantity],
    ) -> None:
        self.model, self.trial, self.population, self.seed, self.rows = model, trial, population, seed, rows
        self.values = values
        self.size = sum(len(who) for _, who in rows)
        self.courses = courses(trial)
        self.course = np.zeros(self.size, dtype=int)
        self.anchor = np.zeros(self.size)
        self.sparse = np.zeros(self.size, dtype=bool)
        self.beside: list[tuple[int, np.ndarray, np.ndarray]] = []  # course, persons, hours at which it began
        self.given: list[tuple[float, np.ndarray]] = []
        self.last_belief = np.full(self.size, -np.inf)
        self._kept: dict[tuple[str, str, int], np.ndarray] = {}
        if trial.add_on:
            self.begin("add-on", np.ones(self.size, dtype=bool), 0.0, beside=True)

    def begin(self, name: str, mask: np.ndarray, hour: float, *, beside: bool = False) -> None:
        """Persons of `mask` go over to a course, by name, at an hour, or get it beside what they have."""
        number = [course.name for course in self.courses].index(name)
        if beside:
            self.beside.append((number, mask.copy(), np.full(self.size, hour)))
            return
        self.course[mask], self.anchor[mask], self.sparse[mask] = number, hour, False

    def events(self, start: float, stop: float, now: np.ndarray) -> list[Entry]:
        """What enters each person's body from `start` to before `stop` (h), never before his own hour `now`."""
        found: list[Entry] = []
        gap = np.asarray(self._value("expectancy.visit_gap"))
        for dose in self._due(start, stop):
            found += self._entries(dose, now)
            if dose.treatment.substance.hoped:
                fresh = dose.mask & (dose.time >= self.last_belief + gap - 1e-9)
                self.last_belief[fresh] = dose.time
                amount = np.where(fresh, self._value(BELIEFS[dose.belief]), 0.0) if BELIEFS[dose.belief] else 0.0
                if np.any(amount):
                    found.append(Entry(np.maximum(dose.time, now) + AFTER, BELIEF, amount))
        return found

    def _value(self, name: str) -> Quantity:
        return self.values[name] if name in self.values else self.model.parameters[name].canonical

    def _due(self, start: float, stop: float) -> list[Dose]:
        """Doses of all courses, each with the persons who are due, in an order that no grouping changes."""
        found: dict[tuple[float, int, int], Dose] = {}
        groups = [*self._groups(), *((number, 0, mask, began) for number, mask, began in self.beside)]
        for number, sparse, mask, anchors in groups:
            doses = self.courses[number].sparse if sparse else self.courses[number].doses
            for anchor in np.unique(anchors[mask]):
                here = mask & (anchors == anchor)
                for i, (treatment, belief) in enumerate(doses):
                    for at in _starts(treatment, stop - anchor):
                        if start <= at + anchor < stop:
                            key = (at + anchor, number, i + 100 * sparse)
                            old = found.get(key)
                            found[key] = Dose(at + anchor, treatment, belief, here | old.mask if old else here)
        return [found[key] for key in sorted(found)]

    def _groups(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        for number in np.unique(self.course):
            for sparse in (0, 1):
                mask = (self.course == number) & (self.sparse == bool(sparse))
                if mask.any():
                    yield int(number), sparse, mask, self.anchor

    def _entries(self, dose: Dose, now: np.ndarray) -> list[Entry]:
        treatment = dose.treatment
        taken = dose.mask * self._taken(treatment, dose.time)
        if not treatment.substance.sessions:
            self.given.append((dose.time, taken > 0))
        once = replace(treatment, start=dose.time, phases=(), missed=(), missing=0.0, steady=False)
        values = {**self.values, **self._occasion(treatment, dose.time)}
        found = entries(Regimen((once,)), self.model.parameters, values, dose.time + LONGEST, lambda *_: taken)
        late = np.maximum(now - dose.time, 0.0) + AFTER
        return [replace(entry, time=entry.time + late) for entry in found if entry.state != BELIEF]

    def _taken(self, treatment: Treatment, time: float) -> np.ndarray:
        """1 for each person who takes the dose of this hour, 0 for who does not."""
        missing = 1 - (1 - treatment.missing) * self.trial.adherence
        if not missing:
            return np.ones(self.size)
        place = sorted({t.drug for course in self.courses for t, _ in course.doses}).index(treatment.drug)
        return (self._chances("adherence", ADHERENCE_BLOCK + place, time) >= missing).astype(float)

    def _chances(self, stream: str, block: int, time: float) -> np.ndarray:
        """A chance of each person for the half day of an hour."""
        key = (stream, "", block)
        if key not in self._kept:
            count = int(self.trial.horizon // HALF_DAY) + 1
            self._kept[key] = np.array(
                [
                    chance.random(count)
                    for number, who in self.rows
                    for chance in generators(self.seed, who, stream, replicate=number, block=block)
                ]
            )
        return self._kept[key][:, int(time // HALF_DAY)]

    def _occasion(self, treatment: Treatment, time: float) -> dict[str, Quantity]:
        """How much of this dose arrives, where that differs between occasions."""
        name = BY_ROUTE.get(treatment.route)
        if name is None:
            return {}
        key = ("people", name, 0)
        if key not in self._kept:
            count = int(self.trial.horizon // HALF_DAY) + 1
            drawn = [self.population.occasions(name, self.seed, w, count, replicate=n) for n, w in self.rows]
            self._kept[key] = np.concatenate(drawn)
        return {name: np.minimum(1.0, self._value(name) * self._kept[key][:, int(time // HALF_DAY)])}


def courses(trial: Trial) -> tuple[Course, ...]:
    """Every course there is: of each sequence of arms, in the order of Trial.sequences; added on; of each step."""
    found = []
    for sequence in trial.sequences:
        arms = [trial.arms[k] for k in sequence]
        doses = [_told(later(arm.regimen, p * trial.washout), arm.belief) for p, arm in enumerate(arms)]
        adapting = arms[0].adapting
        sparse = _told(adapting.sparse, arms[0].belief) if adapting and adapting.sparse else ()
        found.append(Course(", ".join(arm.name for arm in arms), sum(doses, ()), sparse, adapting))
    if trial.add_on:
        found.append(Course("add-on", _told(trial.add_on, "open" if trial.blinding == "open" else "blinded")))
    for i, step in enumerate(trial.steps):
        others = (step.otherwise,) if step.otherwise else ()
        for k, regimen in enumerate((*step.then, *others)):
            found.append(Course(step_course(i, k), _told(regimen, step.belief)))
    return tuple(found)


def perturbation_events(trial: Trial, sequence: np.ndarray) -> list[Entry]:
    """What the perturbations of each arm put into the persons [person] who pass through it, in each of its periods."""
    found = []
    for arm, period, mask in _passing(trial, sequence):
        for one in arm.perturbations:
            for entry in one.entries():
                time = entry.time + period * trial.washout
                found.append(replace(entry, time=time, amount=entry.amount * mask))
    return found


def perturbed_values(
    trial: Trial, table: ParameterTable, sequence: np.ndarray, values: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """Values [person] with those that the perturbations of each person's arm set."""
    found = dict(values)
    for arm, _, mask in _passing(trial, sequence):
        for one in arm.perturbations:
            for name, value in one.values(table).items():
                found[name] = np.where(mask, value, found.get(name, table[name].canonical))
    return found


def _passing(trial: Trial, sequence: np.ndarray) -> Iterator[tuple[Arm, int, np.ndarray]]:
    """Each arm, its period, and who is in it then [person]."""
    for number, arms in enumerate(trial.sequences):
        for period, k in enumerate(arms):
            yield trial.arms[k], period, sequence == number


def step_course(step: int, choice: int) -> str:
    """Name of the course that a step leads to; the choice after the last of `then` is `otherwise`."""
    return f"step {step}, choice {choice}"


def _told(regimen: Regimen, belief: str) -> tuple[tuple[Treatment, str], ...]:
    return tuple((treatment, belief) for treatment in regimen.treatments)


def later(regimen: Regimen, hours: float) -> Regimen:
    """The same regimen so many hours later."""
    return Regimen(tuple(replace(t, start=t.start + hours) for t in regimen.treatments)) if hours else regimen


def _starts(treatment: Treatment, until: float) -> list[float]:
    """Hours at which a treatment is due, before `until`, but those that it says are missed."""
    if until <= 0:
        return []
    return [at for k, at in enumerate(treatment.starts(until)) if k + 1 not in treatment.missed]
