"""Routes of evidence, equations with sources, and claims."""

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
    """One equation: its left side, and the terms with their reasons."""

    left: str
    terms: list[tuple[str, str]]


class StagePage(BaseModel):
    """Equations, outputs and parameters of one stage."""

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
    """What the model shows of a claim. `steady`: number of the `tried` alternative rules with the same verdict."""

    shown: bool
    agreement: str
    steady: int
    tried: int
    lines: list[ExperimentLine]


def routes(app_state: AppState) -> APIRouter:
    """Routes of evidence, stages and claims."""
    router = APIRouter(prefix="/api", tags=["knowledge"])

    @router.get("/evidence", response_model=EvidenceRows)
    async def evidence(stage: Word = "", text: Word = "", ids: Annotated[str, Query(max_length=4000)] = "") -> Response:
        """Evidence rows by stage, by text in any field, or by id (comma-separated)."""
        return json_response(evidence_rows(app_state, stage, text, ids))

    @router.get("/stages", response_model=list[StageInfo])
    async def stages() -> Response:
        """Every stage in model order."""
        found = await app_state.compute(lambda: app_state.model.expression_trees.stages)
        return json_response([{"name": name, "about": about.splitlines()[0]} for name, about in found])

    @router.get("/stages/{name}", response_model=StagePage)
    async def stage(name: str) -> Response:
        """Equations, reasons, parameters and sources of one stage; the first request takes seconds."""
        known = dict(await app_state.compute(lambda: app_state.model.expression_trees.stages))
        if name not in known:
            raise NotFound(f"there is no stage '{name[:60]}'")
        return json_response(
            await app_state.compute(lambda: app_state.answers.get(("stage", name), lambda: _stage(app_state, name)))
        )

    @router.get("/claims", response_model=dict[str, Any])
    async def claims() -> Response:
        """Common statements about ketamine with verdict and evidence."""
        return json_response(
            await app_state.compute(lambda: app_state.answers.get("claims", lambda: as_json(claims_of(app_state))))
        )

    @router.get("/claims/{name}", response_model=Experiments)
    async def claim(name: str) -> Response:
        """What the model shows of one claim; the first request runs all experiments."""
        return json_response(await app_state.compute(lambda: experiments_of(app_state, name)))

    return router


def _stage(app_state: AppState, name: str) -> bytes:
    from ketamech.report.model_page import stage_section  # sympy is loaded on the first request

    system = app_state.model.system
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
