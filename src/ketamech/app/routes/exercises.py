"""Routes of the teacher's sheet: exercises with answers that the model computes, and a lesson."""

from __future__ import annotations

import re
from dataclasses import asdict

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ketamech.analysis.exercises import Exercise, answer, load_exercises, load_lesson
from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import curves_of
from ketamech.app.responses import cached_response
from ketamech.app.routes.metadata import load_story_texts
from ketamech.app.schemas import CurvesRequest
from ketamech.report.number_format import number
from ketamech.report.tracks import load_tracks
from ketamech.simulation.scenario_schema import ScenarioFile


class ExerciseFigure(BaseModel):
    """What is read, in one scenario of an exercise; times in hours since the first treatment.

    `control`: the same visits without the drug, where the exercise asks about them.
    """

    time: list[float]
    treated: list[float | None]
    control: list[float | None] | None


class ExerciseAnswer(BaseModel):
    """An exercise with its answer; `scenarios` open in the workbench, in the group of tracks `group`.

    `working`: how the answer follows from what is read off; `mistake`: a wrong way that is tempting. `hours`: the time
    that it asks about, or None. On paper its figure of the track `label`, in `figure_unit`, shows one
    of `figures` for each scenario until `figure_hours` (h).
    """

    id: str
    title: str
    question: str
    explanation: str
    scenarios: list[ScenarioFile]
    group: str
    hours: float | None
    label: str
    figure_unit: str
    figures: list[ExerciseFigure]
    figure_hours: float
    value: float
    unit: str
    text: str
    working: str
    mistake: str


class LessonPart(BaseModel):
    """A part of the lesson (`analysis.exercises.LessonRow`); `chapter_title` with its number."""

    part: str
    minutes: int | None
    chapter: str
    chapter_title: str
    exercise: str
    text: str


def routes(app_state: AppState) -> APIRouter:
    """Routes of exercises."""
    router = APIRouter(prefix="/api", tags=["exercises"])

    @router.get("/exercises", response_model=list[ExerciseAnswer])
    async def exercises() -> Response:
        """The exercises with their answers, which the model computes."""
        return await cached_response(app_state, "exercises", lambda: answers(app_state))

    @router.get("/lesson")
    async def lesson() -> list[LessonPart]:
        """The parts of a lesson: aims, what pupils know before, steps with minutes, and words on the evidence."""
        return lesson_parts()

    return router


def lesson_parts() -> list[LessonPart]:
    """The lesson of data/exercises in order. Raises InputError, and KeyError for an unknown chapter."""
    chapters = load_story_texts()["chapters"]
    titles = {"": ""} | {str(row["id"]): f"{i}. {row['title']}" for i, row in enumerate(chapters, 1)}
    return [LessonPart(**asdict(row), chapter_title=titles[row.chapter]) for row in load_lesson()]


def answers(app_state: AppState) -> list[dict[str, object]]:
    """Every exercise with its answer; see `ExerciseAnswer`. Raises SolverError."""
    results = []
    for exercise in load_exercises():
        (value, terms), track = answer(exercise, app_state.model), load_tracks()[exercise.track]
        scenarios = [exercise.scenario, *([exercise.reference] if exercise.reference else [])]
        results.append(
            ExerciseAnswer(
                id=exercise.id, title=exercise.title, question=exercise.question, explanation=exercise.explanation,
                scenarios=scenarios, group=track.group, hours=exercise.hours, label=track.label,
                figure_unit=track.unit, figures=[_figure(app_state, exercise, scenario) for scenario in scenarios],
                figure_hours=exercise.figure_hours, value=value, unit=exercise.unit,
                text=f"{number(value, exercise.digits)} {exercise.unit}",
                working=_working(exercise, terms), mistake=exercise.mistake,
            ).model_dump(mode="json")
        )  # fmt: skip
    return results


def _working(exercise: Exercise, terms: dict[str, float]) -> str:
    """How the answer follows: terms with three digits, their ratio in the order in which they are written with four."""
    if not terms:
        return ""
    written = {name: number(abs(term), 3) for name, term in terms.items()}
    first, second = (terms[name] for name in re.findall(r"{(value|before|other)}", exercise.working))
    return exercise.working.format(**written, ratio=number(first / second, 4))


def _figure(app_state: AppState, exercise: Exercise, scenario: ScenarioFile) -> ExerciseFigure:
    """The curve that an exercise reads, or the first one of its track, in one of its scenarios."""
    request = CurvesRequest(scenario=scenario, tracks=[exercise.track], until=exercise.figure_hours)
    found = curves_of(app_state, request)
    curves = found["tracks"][0]["curves"]
    curve = next((one for one in curves if one["key"] == exercise.observable.output), curves[0])
    has_control = exercise.observable.control_contrast and exercise.reference is None
    return ExerciseFigure(
        time=found["time"], treated=curve["treated"], control=curve["control"] if has_control else None
    )
