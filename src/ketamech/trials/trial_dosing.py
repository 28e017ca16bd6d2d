"""Dose events of each patient of a trial between two decisions: courses, adherence and expectancy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketamech.dosing.dose_events import (
    DoseEvent,
    ParameterLookup,
    Quantity,
    Visits,
    dose_events,
    parameter_lookup,
    without_expectancy,
)
from ketamech.dosing.drugs import bioavailability_parameter
from ketamech.dosing.perturbations import AppliedPerturbation
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.parameters import ParameterTable
from ketamech.population.random_draws import number_of_name, patient_streams
from ketamech.simulation.model import Model
from ketamech.trials.design import Arm, TreatmentCourse, Trial, belief_size
from ketamech.trials.population_mixture import TrialPopulation

POST_VISIT_DELAY = 1e-4  # h: a dose planned at the time of a visit follows its ratings by this time
HALF_DAY = 12.0  # h: doses of one half day share their adherence and their variation of absorption
ADHERENCE_BLOCK = 1000  # first block of the stream "adherence"; those of a cohort count from 0


@dataclass(frozen=True)
class DueDose:
    """One dose due at `time` (h) for the patients of `mask` [patient]; `belief` is a key of BELIEFS."""

    time: float
    treatment: Treatment
    belief: str
    mask: np.ndarray


class TrialDosing:
    """Dosing of the patients of several replicates.

    `course`, `anchor` (h), `reduced` and `level` [patient] are the index of the current course, its start, whether its
    schedule is reduced, and the dose of its titration (index in `Titration.amounts`). `belief` [patient] replaces the
    belief of the present course where it is not empty. `added_courses` are rescue and add-on courses. `doses_taken`
    holds the time (h) and the mask [patient] of each dose of a drug that was taken (no sessions), `earlier_dose`
    [patient] the last dose of a titration before the present course (NaN: none).
    """

    def __init__(
        self, model: Model, trial: Trial, population: TrialPopulation, seed: int, rows: list[tuple[int, np.ndarray]],
        values: Mapping[str, Quantity],
    ) -> None:  # fmt: skip
        self.model, self.trial, self.population, self.seed = model, trial, population, seed
        self.rows, self.values = rows, values
        self._value = parameter_lookup(model.parameters, values)
        self.size = sum(len(patients) for _, patients in rows)
        self.courses = treatment_courses(trial)
        self.course = np.zeros(self.size, dtype=int)
        self.anchor = np.zeros(self.size)
        self.reduced = np.zeros(self.size, dtype=bool)
        self.level = np.zeros(self.size, dtype=int)
        self.earlier_dose = np.full(self.size, np.nan)
        self.belief = np.full(self.size, "", dtype=object)
        self.added_courses: list[tuple[int, np.ndarray, np.ndarray]] = []  # course, mask and start (h) [patient]
        self.doses_taken: list[tuple[float, np.ndarray]] = []
        self._decided: list[tuple[AppliedPerturbation, np.ndarray, float]] = []  # with mask [patient] and hour
        self.visits = Visits(self._value("expectancy.visit_gap"))
        self._draws: dict[tuple[str, str, int], np.ndarray] = {}
        if trial.add_on:
            self.start_course("add-on", np.ones(self.size, dtype=bool), 0.0, added=True)

    def start_course(self, name: str, mask: np.ndarray, hour: float, *, added: bool = False) -> None:
        """Patients of `mask` [patient] change to the course `name` at `hour` (h), or receive it too where `added`."""
        number = [course.name for course in self.courses].index(name)
        if added:
            self.added_courses.append((number, mask.copy(), np.full(self.size, hour)))
            return
        self.earlier_dose[mask] = self.titrated_dose()[mask]
        self.course[mask], self.anchor[mask], self.reduced[mask], self.level[mask] = number, hour, False, 0
        self.belief[mask] = ""

    def give_beside(self, perturbations: Sequence[AppliedPerturbation], mask: np.ndarray, hour: float) -> None:
        """Patients of `mask` [patient] receive perturbations beside their doses, at times (h) from `hour` on."""
        self._decided += [(one, mask.copy(), hour) for one in perturbations]

    def titrated_dose(self) -> np.ndarray:
        """The last dose of each patient on a course with a titration, else NaN [patient]."""
        doses = self.earlier_dose.copy()
        for number, course in enumerate(self.courses):
            if course.titration:
                on = self.course == number
                doses[on] = np.array(course.titration.amounts)[self.level[on]]
        return doses

    def events(self, start: float, stop: float, now: np.ndarray) -> list[DoseEvent]:
        """Dose events planned from `start` to before `stop` (h), each at or after `now` [patient] (h).

        Perturbations that were decided on since the last call come with all their doses.
        """
        events: list[DoseEvent] = []
        for one, mask, hour in self._decided:
            events += _beside(one, self._value, np.maximum(now, hour) + POST_VISIT_DELAY, mask)
        self._decided.clear()
        for dose in self.due_doses(start, stop):
            taken = dose.mask * self._adherence(dose.treatment, dose.time)
            events += [*self._dose_events(dose, taken, now), *self._expectancy_events(dose, taken, now)]
        return events

    def _expectancy_events(self, dose: DueDose, taken: np.ndarray, now: np.ndarray) -> Iterator[DoseEvent]:
        """Expectancy events of the patients who take a dose; a patient who misses a dose has no visit."""
        size = belief_size(dose.belief, self._value)
        for own in sorted(set(self.belief[dose.mask]) - {""}):
            size = np.where(self.belief == own, belief_size(own, self._value), size)
        for event in self.visits.events(dose.treatment, dose.time, taken, size):
            yield replace(event, time=np.maximum(dose.time, now) + POST_VISIT_DELAY)

    def due_doses(self, start: float, stop: float) -> list[DueDose]:
        """Doses of all courses with the patients who receive them, in an order that does not depend on the grouping."""
        due: dict[tuple[float, int, int, int, int], DueDose] = {}
        groups = [*self._groups(), *((number, 0, 0, mask, starts) for number, mask, starts in self.added_courses)]
        for number, reduced, level, mask, anchors in groups:
            doses = course_doses(self.courses[number], bool(reduced), level)
            for anchor in np.unique(anchors[mask]):
                here = mask & (anchors == anchor)
                for i, (treatment, belief) in enumerate(doses):
                    for at in treatment.taken(stop - anchor).values():
                        if start <= at + anchor < stop:
                            key = (at + anchor, number, level, reduced, i)
                            old = due.get(key)
                            due[key] = DueDose(at + anchor, treatment, belief, here | old.mask if old else here)
        return [due[key] for key in sorted(due)]

    def _groups(self) -> Iterator[tuple[int, int, int, np.ndarray, np.ndarray]]:
        for number in np.unique(self.course):
            on = self.course == number
            for reduced in (0, 1):
                for level in np.unique(self.level[on]):
                    mask = on & (self.reduced == bool(reduced)) & (self.level == level)
                    if mask.any():
                        yield int(number), reduced, int(level), mask, self.anchor

    def _dose_events(self, dose: DueDose, taken: np.ndarray, now: np.ndarray) -> list[DoseEvent]:
        treatment = dose.treatment
        if not treatment.substance.is_session:
            self.doses_taken.append((dose.time, taken > 0))
        begin = min(dose.time, MAX_HORIZON_H)  # a trial may last longer than a regimen
        once = replace(
            treatment, start=begin, schedule=(), skipped_doses=(), miss_probability=0.0, at_steady_state=False
        )
        values = {**self.values, **self._occasion(treatment, dose.time)}
        events = dose_events(Regimen((once,)), self.model.parameters, values, begin + MAX_HORIZON_H, lambda *_: taken)
        late = np.maximum(now - dose.time, 0.0) + POST_VISIT_DELAY + (dose.time - begin)
        return [replace(entry, time=entry.time + late) for entry in without_expectancy(events)]

    def _adherence(self, treatment: Treatment, time: float) -> np.ndarray:
        """1 for each patient who takes the dose at this time, else 0 [patient]."""
        missing = 1 - (1 - treatment.miss_probability) * self.trial.adherence
        if not missing:
            return np.ones(self.size)
        block = ADHERENCE_BLOCK + number_of_name(treatment.drug)  # the drugs of other arms do not change it
        return (self.uniforms("adherence", block, time) >= missing).astype(float)

    def uniforms(self, stream: str, block: int, time: float) -> np.ndarray:
        """A uniform random number of each patient for the half day of a time [patient]."""
        return self.uniform_table(stream, block, int(self.trial.horizon // HALF_DAY) + 1)[:, int(time // HALF_DAY)]

    def uniform_table(self, stream: str, block: int, count: int) -> np.ndarray:
        """`count` uniform random numbers of each patient [patient, count]."""
        key = (stream, "", block)
        if key not in self._draws:
            self._draws[key] = np.array(
                [
                    generator.random(count)
                    for number, patients in self.rows
                    for generator in patient_streams(self.seed, patients, stream, replicate=number, block=block)
                ]
            )
        return self._draws[key]

    def _occasion(self, treatment: Treatment, time: float) -> dict[str, Quantity]:
        """Bioavailability of this dose [patient], where it varies between occasions."""
        name = bioavailability_parameter(treatment.substance, treatment.route)
        if not name:
            return {}
        key = ("people", name, 0)
        if key not in self._draws:
            count = int(self.trial.horizon // HALF_DAY) + 1
            drawn = [self.population.occasion_factors(name, self.seed, ids, count, replicate=n) for n, ids in self.rows]
            self._draws[key] = np.concatenate(drawn)
        return {name: np.minimum(1.0, self._value(name) * self._draws[key][:, int(time // HALF_DAY)])}


def treatment_courses(trial: Trial) -> tuple[TreatmentCourse, ...]:
    """All courses: of each sequence of arms (in the order of Trial.sequences), of the add-on, of each step."""
    courses = []
    for sequence in trial.sequences:
        arms = [trial.arms[k] for k in sequence]
        if trial.crossover_rule is not None:
            courses.append(TreatmentCourse(_sequence_name(arms), _with_belief(arms[0].regimen, arms[0].belief)))
            continue
        doses = [_with_belief(delayed(arm.regimen, p * trial.washout), arm.belief) for p, arm in enumerate(arms)]
        adaptation = arms[0].adaptive_dosing
        less = adaptation and adaptation.reduced_schedule
        reduced = _with_belief(less, arms[0].belief) if less else ()
        courses.append(TreatmentCourse(_sequence_name(arms), sum(doses, ()), reduced, adaptation, arms[0].titration))
    for sequence in trial.sequences if trial.crossover_rule is not None else ():
        arms = [trial.arms[k] for k in sequence]
        name = second_period_course(_sequence_name(arms))
        courses.append(TreatmentCourse(name, _with_belief(arms[1].regimen, arms[1].belief)))
    if trial.add_on:
        belief = "open" if trial.blinding == "open" else "blinded"
        courses.append(TreatmentCourse("add-on", _with_belief(trial.add_on, belief)))
    for i, step in enumerate(trial.steps):
        others = (step.otherwise,) if step.otherwise else ()
        for k, regimen in enumerate((*step.regimens, *others)):
            if regimen is not None:
                courses.append(TreatmentCourse(step_course(i, k), _with_belief(regimen, step.belief)))
    return tuple(courses)


def course_doses(course: TreatmentCourse, reduced: bool, level: int) -> tuple[tuple[Treatment, str], ...]:
    """Treatments of a course with their beliefs: the usual or the reduced schedule, at one dose of the titration."""
    doses = course.reduced_doses if reduced else course.doses
    if not level or course.titration is None:
        return doses
    drug, amount = course.titration.drug, course.titration.amounts[level]
    return tuple((replace(one, amount=amount) if one.drug == drug else one, belief) for one, belief in doses)


def perturbation_events(trial: Trial, sequence: np.ndarray, number: ParameterLookup) -> list[DoseEvent]:
    """Dose events of the perturbations of each arm, for the patients who pass through it, in each of its periods.

    Those of the add-on come first, at the start, for all patients.

    `sequence` [patient] indexes Trial.sequences; `number` looks up a parameter (canonical units).
    """
    return [
        entry
        for perturbation, start, mask in _first_perturbations(trial, sequence)
        for entry in _beside(perturbation, number, start, mask)
    ]


def _beside(
    perturbation: AppliedPerturbation, number: ParameterLookup, start: Quantity, mask: np.ndarray
) -> list[DoseEvent]:  # fmt: skip
    """Dose events of a perturbation of the patients of `mask` [patient], at times from `start` (h) on."""
    events = perturbation.events(number)
    return [replace(entry, time=entry.time + start, amount=entry.amount * mask) for entry in events]


def perturbation_values(
    trial: Trial, table: ParameterTable, sequence: np.ndarray, values: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """`values` [patient] with those that the perturbations of each patient's arm set, canonical units.

    What a step may give sets only its own kinetics (`check_kinetics`), which are those of all patients.
    """
    changed, everyone = dict(values), np.ones(len(sequence), dtype=bool)
    later = [(one, 0.0, everyone) for step in trial.steps for beside in step.perturbations for one in beside]
    for perturbation, _, mask in (*_first_perturbations(trial, sequence), *later):
        for name, value in perturbation.values(table).items():
            changed[name] = np.where(mask, value, changed.get(name, table[name].canonical))
    return changed


def _first_perturbations(
    trial: Trial, sequence: np.ndarray
) -> Iterator[tuple[AppliedPerturbation, float, np.ndarray]]:  # fmt: skip
    """The perturbations of the add-on and of each arm in each of its periods: start (h), and mask [patient]."""
    for perturbation in trial.added_perturbations:
        yield perturbation, 0.0, np.ones(len(sequence), dtype=bool)
    for number, arms in enumerate(trial.sequences):
        for period, k in enumerate(arms):
            for perturbation in trial.arms[k].perturbations:
                yield perturbation, period * trial.washout, sequence == number


def _sequence_name(arms: Sequence[Arm]) -> str:
    return ", ".join(arm.name for arm in arms)


def second_period_course(sequence: str) -> str:
    """Name of the course of the second period, which begins when the patient crosses over."""
    return f"{sequence}: second period"


def step_course(step: int, choice: int) -> str:
    """Name of the course of an option of a step; the option after the last of `regimens` is `otherwise`."""
    return f"step {step}, choice {choice}"


def _with_belief(regimen: Regimen, belief: str) -> tuple[tuple[Treatment, str], ...]:
    return tuple((treatment, belief) for treatment in regimen.treatments)


def delayed(regimen: Regimen, hours: float) -> Regimen:
    """The regimen delayed by `hours`."""
    return Regimen(tuple(replace(t, start=t.start + hours) for t in regimen.treatments)) if hours else regimen
