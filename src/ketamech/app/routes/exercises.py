"""Route of the teacher's sheet: exercises with answers that the model computes."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ketamech.analysis.exercises import answer, load_exercises
from ketamech.app.app_state import AppState
from ketamech.app.responses import cached_response
from ketamech.report.number_format import number
from ketamech.simulation.scenario_schema import ScenarioFile


class ExerciseAnswer(BaseModel):
    """An exercise with its answer; `scenarios` open in the workbench, in the group of tracks `group`."""

    id: str
    title: str
    question: str
    explanation: str
    scenarios: list[ScenarioFile]
    group: str
    value: float
    unit: str
    text: str


def routes(app_state: AppState) -> APIRouter:
    """Routes of exercises."""
    router = APIRouter(prefix="/api", tags=["exercises"])

    @router.get("/exercises", response_model=list[ExerciseAnswer])
    async def exercises() -> Response:
        """The exercises with their answers, which the model computes."""
        return await cached_response(app_state, "exercises", lambda: answers(app_state))

    return router


def answers(app_state: AppState) -> list[dict[str, object]]:
    """Every exercise with its answer; see `ExerciseAnswer`. Raises SolverError."""
    results = []
    for exercise in load_exercises():
        value = answer(exercise, app_state.model)
        scenarios = [exercise.scenario, *([exercise.reference] if exercise.reference else [])]
        results.append(
            ExerciseAnswer(
                id=exercise.id, title=exercise.title, question=exercise.question, explanation=exercise.explanation,
                scenarios=scenarios, group=exercise.group, value=value, unit=exercise.unit,
                text=f"{number(value, exercise.digits)} {exercise.unit}",
            ).model_dump(mode="json")
        )  # fmt: skip
    return results
