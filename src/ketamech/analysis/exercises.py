"""Exercises of the teacher's sheet, and their answers by simulation of the typical patient; a lesson."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.parameters.concentration_units import shown
from ketamech.simulation.ensemble import baseline_of
from ketamech.simulation.load_scenario import scenario_from_keys
from ketamech.simulation.model import Model
from ketamech.simulation.observable import Observable, TimeCourse, names_in
from ketamech.simulation.scenario_schema import ScenarioFile
from ketamech.simulation.simulate import simulate_scenario

FILE = DATA / "exercises" / "exercises.csv"
COLUMNS = (
    "id", "title", "question", "treatments", "person", "perturbations", "pathways_off", "case", "output",
    "relative_to", "statistic", "time", "level", "contrast", "compared_with", "compared_case", "factor", "unit",
    "digits", "track", "figure_hours", "explanation", "working", "mistake",
)  # fmt: skip
LESSON = DATA / "exercises" / "lesson.csv"
LESSON_COLUMNS = ("part", "minutes", "chapter", "exercise", "text")
LESSON_PARTS = ("aim", "before", "step", "order", "evidence")
CONTROL, NO_PERTURBATION = "control", "no perturbation"
HORIZON = "8 days"


@dataclass(frozen=True)
class Exercise:
    """One exercise: its texts, the keys of its scenario (and of the scenario it is compared with), what is read.

    `reference` None: the control of the scenario, where the observable has a contrast. The number is shown in `unit`.
    The figure of the exercise shows the `track` until `figure_hours` (h).
    """

    id: str
    title: str
    question: str
    explanation: str
    working: str
    mistake: str
    scenario: ScenarioFile
    reference: ScenarioFile | None
    observable: Observable
    unit: str
    digits: int
    track: str
    figure_hours: float

    @property
    def hours(self) -> float | None:
        """The time (h) that the question asks about; None where it asks about a whole curve."""
        return float(self.observable.time) if self.observable.statistic == "at" else None


@dataclass(frozen=True)
class LessonRow:
    """A part of the lesson: an aim, what pupils know before, a step with its `minutes`, an event of the chain in its
    order, or a word on the evidence.

    A step may name a chapter of the story and an exercise by their ids.
    """

    part: str
    minutes: int | None
    chapter: str
    exercise: str
    text: str


def load_exercises(file: Path = FILE) -> tuple[Exercise, ...]:
    """The exercises in order. Raises InputError naming file, line and column of a bad cell."""
    return tuple(_exercise(row) for row in read_table(file, COLUMNS))


def load_lesson(file: Path = LESSON) -> tuple[LessonRow, ...]:
    """The parts of the lesson in order. Raises InputError naming file, line and column of a bad cell."""
    exercises = {one.id for one in load_exercises()}
    return tuple(_lesson_row(row, exercises) for row in read_table(file, LESSON_COLUMNS))


def answer(exercise: Exercise, model: Model) -> tuple[float, dict[str, float]]:
    """The number that the model gives, and the terms of its `working` by name. Raises InputError, SolverError."""
    curves = _simulate(exercise.scenario, model)
    treated = _course(curves, "treated", exercise.observable.output)
    control = None
    if exercise.observable.control_contrast:
        other = curves if exercise.reference is None else _simulate(exercise.reference, model)
        patient = CONTROL if exercise.reference is None else "treated"
        control = _course(other, patient, exercise.observable.output)
    value = exercise.observable.read(treated, control)
    factor, unit = shown(exercise.observable.output, "")
    return value * factor if unit and unit == exercise.unit else value, _terms(exercise, treated, control)


def _terms(exercise: Exercise, treated: TimeCourse, control: TimeCourse | None) -> dict[str, float]:
    """What is read off at the time of the question, without contrast and unit; empty where the answer itself is."""
    if not exercise.working:
        return {}
    plain = replace(exercise.observable, relative_to="value", control_contrast="", factor=1.0)
    found = {"value": plain.read(treated, None), "before": treated.baseline[exercise.observable.output]}
    return found if control is None else found | {"other": plain.read(control, None)}


def _simulate(keys: ScenarioFile, model: Model) -> xr.Dataset:
    return simulate_scenario(scenario_from_keys(keys, model.parameters, FILE, {}), model)


def _course(curves: xr.Dataset, patient: str, expression: str) -> TimeCourse:
    """The outputs of an expression of one patient, with their drug-free values."""
    i = [str(name) for name in curves["patient"].values].index(patient)
    names = names_in(expression)
    outputs = {name: curves[name].transpose("patient", "time").values[i] for name in names}
    return TimeCourse(curves["time"].values, outputs, {name: float(baseline_of(curves, name)[i]) for name in names})


def _exercise(row: CsvRow) -> Exercise:
    keys: dict[str, Any] = {
        "title": row["case"] or row["title"], "treatments": row.listed("treatments"), "horizon": HORIZON,
        "person": dict(_pair(cell) for cell in row.listed("person")),
    }  # fmt: skip
    perturbed = {name: float(value) for name, value in map(_pair, row.listed("perturbations"))}
    changed: dict[str, Any] = {
        "perturbations": perturbed or [],
        "pathways": dict.fromkeys(row.listed("pathways_off"), False),
    }
    other, contrast = row["compared_with"], row["contrast"]
    if bool(other) != bool(contrast):
        raise row.error("contrast", "a contrast and what it compares with belong together", expected="both or none")
    reference = None
    if other and other != CONTROL:
        reference = keys | {"title": row["compared_case"] or row["title"]}
        if other != NO_PERTURBATION:
            reference["treatments"] = row.listed("compared_with")
    observable = Observable(
        row["output"], row["relative_to"], row["statistic"], row["time"], row.number_or("level", 0.0),
        contrast, row.number_or("factor", 1.0),
    )  # fmt: skip
    return Exercise(
        id=row.required("id", "a short name"), title=row["title"], question=row["question"],
        explanation=row["explanation"], working=row["working"], mistake=row["mistake"],
        scenario=ScenarioFile.model_validate(keys | changed),
        reference=None if reference is None else ScenarioFile.model_validate(reference), observable=observable,
        unit=row["unit"], digits=int(row.number("digits")), track=row["track"],
        figure_hours=row.number("figure_hours"),
    )  # fmt: skip


def _lesson_row(row: CsvRow, exercises: set[str]) -> LessonRow:
    if row["exercise"]:
        row.one_of("exercise", exercises)
    return LessonRow(
        part=row.one_of("part", LESSON_PARTS), minutes=int(row.number("minutes")) if row["minutes"] else None,
        chapter=row["chapter"], exercise=row["exercise"], text=row.required("text", "a sentence"),
    )  # fmt: skip


def _pair(cell: str) -> tuple[str, str]:
    name, _, value = cell.partition(":")
    return name.strip(), value.strip()
