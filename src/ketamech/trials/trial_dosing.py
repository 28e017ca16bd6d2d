"""What is given to whom between two decisions: courses of doses, missed doses, beliefs, as events of each person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ketamech.dosing.dose_event import DoseEvent, Quantity
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.parameters import ParameterTable
from ketamech.population.random_streams import patient_streams
from ketamech.population.virtual_population import Population
from ketamech.simulation.model import Model
from ketamech.trials.design import BELIEFS, Arm, TreatmentCourse, Trial

POST_VISIT_DELAY = 1e-4  # h: what is planned for the hour of a visit is given just after its ratings
HALF_DAY = 12.0  # h: doses within one are taken or missed, and absorbed well or badly, together
ADHERENCE_BLOCK = 1000  # of the stream "adherence"; a cohort's own blocks count from 0
BY_ROUTE = {"nasal": "pharmacokinetics.nasal_f_first", "sublingual": "pharmacokinetics.sublingual_f"}
BELIEF = "expectancy.belief"


@dataclass(frozen=True)
class DueDose:
    """One dose due at `time` (h) for the persons of `mask` [person]; `who` believes what (a key of BELIEFS)."""

    time: float
    treatment: Treatment
    belief: str
    mask: np.ndarray


class TrialDosing:
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
        self.courses = treatment_courses(trial)
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

    def events(self, start: float, stop: float, now: np.ndarray) -> list[DoseEvent]:
        """What enters each person's body from `start` to before `stop` (h), never before his own hour `now`."""
        found: list[DoseEvent] = []
        gap = np.asarray(self._value("expectancy.visit_gap"))
        for dose in self._due_doses(start, stop):
            found += self._dose_events(dose, now)
            if dose.treatment.substance.carries_expectancy:
                fresh = dose.mask & (dose.time >= self.last_belief + gap - 1e-9)
                self.last_belief[fresh] = dose.time
                amount = np.where(fresh, self._value(BELIEFS[dose.belief]), 0.0) if BELIEFS[dose.belief] else 0.0
                if np.any(amount):
                    found.append(DoseEvent(np.maximum(dose.time, now) + POST_VISIT_DELAY, BELIEF, amount))
        return found

    def _value(self, name: str) -> Quantity:
        return self.values[name] if name in self.values else self.model.parameters[name].canonical

    def _due_doses(self, start: float, stop: float) -> list[DueDose]:
        """Doses of all courses, each with the persons who are due, in an order that no grouping changes."""
        found: dict[tuple[float, int, int], DueDose] = {}
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
                            found[key] = DueDose(at + anchor, treatment, belief, here | old.mask if old else here)
        return [found[key] for key in sorted(found)]

    def _groups(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        for number in np.unique(self.course):
            for sparse in (0, 1):
                mask = (self.course == number) & (self.sparse == bool(sparse))
                if mask.any():
                    yield int(number), sparse, mask, self.anchor

    def _dose_events(self, dose: DueDose, now: np.ndarray) -> list[DoseEvent]:
        treatment = dose.treatment
        taken = dose.mask * self._adherence(treatment, dose.time)
        if not treatment.substance.is_session:
            self.given.append((dose.time, taken > 0))
        once = replace(
            treatment, start=dose.time, schedule=(), skipped_doses=(), miss_probability=0.0, at_steady_state=False
        )
        values = {**self.values, **self._occasion(treatment, dose.time)}
        found = dose_events(
            Regimen((once,)), self.model.parameters, values, dose.time + MAX_HORIZON_H, lambda *_: taken
        )
        late = np.maximum(now - dose.time, 0.0) + POST_VISIT_DELAY
        return [replace(entry, time=entry.time + late) for entry in found if entry.compartment != BELIEF]

    def _adherence(self, treatment: Treatment, time: float) -> np.ndarray:
        """1 for each person who takes the dose of this hour, 0 for who does not."""
        missing = 1 - (1 - treatment.miss_probability) * self.trial.adherence
        if not missing:
            return np.ones(self.size)
        place = sorted({t.drug for course in self.courses for t, _ in course.doses}).index(treatment.drug)
        return (self._adherence_uniforms("adherence", ADHERENCE_BLOCK + place, time) >= missing).astype(float)

    def _adherence_uniforms(self, stream: str, block: int, time: float) -> np.ndarray:
        """A chance of each person for the half day of an hour."""
        key = (stream, "", block)
        if key not in self._kept:
            count = int(self.trial.horizon // HALF_DAY) + 1
            self._kept[key] = np.array(
                [
                    chance.random(count)
                    for number, who in self.rows
                    for chance in patient_streams(self.seed, who, stream, replicate=number, block=block)
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
            drawn = [self.population.occasion_factors(name, self.seed, w, count, replicate=n) for n, w in self.rows]
            self._kept[key] = np.concatenate(drawn)
        return {name: np.minimum(1.0, self._value(name) * self._kept[key][:, int(time // HALF_DAY)])}


def treatment_courses(trial: Trial) -> tuple[TreatmentCourse, ...]:
    """Every course there is: of each sequence of arms, in the order of Trial.sequences; added on; of each step."""
    found = []
    for sequence in trial.sequences:
        arms = [trial.arms[k] for k in sequence]
        doses = [_with_belief(shifted(arm.regimen, p * trial.washout), arm.belief) for p, arm in enumerate(arms)]
        adapting = arms[0].adaptive_dosing
        sparse = (
            _with_belief(adapting.reduced_schedule, arms[0].belief) if adapting and adapting.reduced_schedule else ()
        )
        found.append(TreatmentCourse(", ".join(arm.name for arm in arms), sum(doses, ()), sparse, adapting))
    if trial.add_on:
        found.append(
            TreatmentCourse("add-on", _with_belief(trial.add_on, "open" if trial.blinding == "open" else "blinded"))
        )
    for i, step in enumerate(trial.steps):
        others = (step.otherwise,) if step.otherwise else ()
        for k, regimen in enumerate((*step.then, *others)):
            found.append(TreatmentCourse(step_course(i, k), _with_belief(regimen, step.belief)))
    return tuple(found)


def perturbation_events(trial: Trial, sequence: np.ndarray) -> list[DoseEvent]:
    """What the perturbations of each arm put into the persons [person] who pass through it, in each of its periods."""
    found = []
    for arm, period, mask in _passing(trial, sequence):
        for one in arm.perturbations:
            for entry in one.events():
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


def _with_belief(regimen: Regimen, belief: str) -> tuple[tuple[Treatment, str], ...]:
    return tuple((treatment, belief) for treatment in regimen.treatments)


def shifted(regimen: Regimen, hours: float) -> Regimen:
    """The same regimen so many hours later."""
    return Regimen(tuple(replace(t, start=t.start + hours) for t in regimen.treatments)) if hours else regimen


def _starts(treatment: Treatment, until: float) -> list[float]:
    """Hours at which a treatment is due, before `until`, but those that it says are missed."""
    if until <= 0:
        return []
    return [at for k, at in enumerate(treatment.starts(until)) if k + 1 not in treatment.skipped_doses]
