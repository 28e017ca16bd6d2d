"""Evidence with citations, equations and parameters with sources, and claims."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from ketamech.app.app_state import AppState
from ketamech.app.claim_responses import claims_of, experiments_of
from ketamech.app.evidence_rows import evidence_rows
from ketamech.app.json_responses import NotFound, as_json, json_response
from ketamech.app.responses import EvidenceRows

Word = Annotated[str, Query(max_length=80)]


class StageInfo(BaseModel):
    """A stage by name."""

    name: str
    about: str


class Equation(BaseModel):
    """One equation: what changes, and the terms with their reasons."""

    left: str
    terms: list[tuple[str, str]]


class StagePage(BaseModel):
    """Everything there is to say about one stage."""

    name: str
    title: str
    about: str
    needs: list[tuple[str, str]]
    equations: list[Equation]
    offers: list[tuple[str, str, str, str]]
    parameters: list[tuple[str, str, str, str, str, str, str]]


class ExperimentLine(BaseModel):
    """One number of an experiment and whether it passed its bound."""

    says: str
    passed: bool
    value: float | None
    unit: str


class Experiments(BaseModel):
    """What the model shows of a claim. `steady`: under how many of `tried` other rules the verdict stays."""

    shown: bool
    agreement: str
    steady: int
    tried: int
    lines: list[ExperimentLine]


def routes(engine: AppState) -> APIRouter:
    """What stands behind the curves."""
    router = APIRouter(prefix="/api", tags=["knowledge"])

    @router.get("/evidence", response_model=EvidenceRows)
    async def evidence(stage: Word = "", text: Word = "", ids: Annotated[str, Query(max_length=4000)] = "") -> Response:
        """Published numbers: of a stage, with a text anywhere, or by id (comma-separated)."""
        return json_response(evidence_rows(engine, stage, text, ids))

    @router.get("/stages", response_model=list[StageInfo])
    async def stages() -> Response:
        """Every stage in the order of the story."""
        found = await engine.compute(lambda: engine.model.expression_trees.stages)
        return json_response([{"name": name, "about": about.splitlines()[0]} for name, about in found])

    @router.get("/stages/{name}", response_model=StagePage)
    async def stage(name: str) -> Response:
        """Equations, reasons, parameters and sources of one stage; the first time takes seconds."""
        known = dict(await engine.compute(lambda: engine.model.expression_trees.stages))
        if name not in known:
            raise NotFound(f"there is no stage '{name[:60]}'")
        return json_response(
            await engine.compute(lambda: engine.answers.get(("stage", name), lambda: _stage(engine, name)))
        )

    @router.get("/claims", response_model=dict[str, Any])
    async def claims() -> Response:
        """What people say about ketamine, with the verdict and the evidence for and against."""
        return json_response(
            await engine.compute(lambda: engine.answers.get("claims", lambda: as_json(claims_of(engine))))
        )

    @router.get("/claims/{name}", response_model=Experiments)
    async def claim(name: str) -> Response:
        """What the model shows of one claim; the first time all experiments are run."""
        return json_response(await engine.compute(lambda: experiments_of(engine, name)))

    return router


def _stage(engine: AppState, name: str) -> bytes:
    from ketamech.report.model_page import stage_section  # symbols are loaded when the first equation is asked for

    system = engine.model.system
    found = stage_section(system, next(stage for stage in system.stages if stage.name == name))
    return as_json(
        {
            "name": found.name,
            "title": found.title,
            "about": found.about,
            "needs": found.inputs,
            "equations": [{"left": left, "terms": terms} for left, terms in found.equations],
            "offers": found.outputs,
            "parameters": found.parameters,
        }
    )
