"""Evidence with citations, equations and parameters with sources, and claims."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from ketamech.app.answers import NotHere, answer, as_json
from ketamech.app.claims import claims_of
from ketamech.app.engine import Engine
from ketamech.app.told import Row, Rows
from ketamech.evidence import Observation
from ketamech.report.model_page import chapter

MOST_ROWS = 400
Word = Annotated[str, Query(max_length=80)]


class StageWords(BaseModel):
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


def routes(engine: Engine) -> APIRouter:
    """What stands behind the curves."""
    router = APIRouter(prefix="/api", tags=["knowledge"])

    @router.get("/evidence", response_model=Rows)
    async def evidence(stage: Word = "", text: Word = "", ids: Annotated[str, Query(max_length=4000)] = "") -> Response:
        """Published numbers: of a stage, with a text anywhere, or by id (comma-separated)."""
        return answer(_rows(engine, stage, text, ids))

    @router.get("/stages", response_model=list[StageWords])
    async def stages() -> Response:
        """Every stage in the order of the story."""
        found = await engine.compute(lambda: engine.model.outline.stages)
        return answer([{"name": name, "about": about.splitlines()[0]} for name, about in found])

    @router.get("/stages/{name}", response_model=StagePage)
    async def stage(name: str) -> Response:
        """Equations, reasons, parameters and sources of one stage; the first time takes seconds."""
        known = dict(await engine.compute(lambda: engine.model.outline.stages))
        if name not in known:
            raise NotHere(f"there is no stage '{name[:60]}'")
        return answer(await engine.compute(lambda: engine.answers.get(("stage", name), lambda: _stage(engine, name))))

    @router.get("/claims", response_model=dict[str, Any])
    async def claims() -> Response:
        """What people say about ketamine, with the verdict and the evidence for and against."""
        return answer(await engine.compute(lambda: engine.answers.get("claims", lambda: as_json(claims_of(engine)))))

    return router


def _rows(engine: Engine, stage: str, text: str, ids: str) -> dict[str, Any]:
    known = engine.evidence
    if ids:
        found = [known.observations[one] for one in ids.split(",") if one in known.observations]
    else:
        found = known.select(stage=stage or None, text=text or None)
    return {"total": len(found), "rows": [row_of(row, engine).model_dump() for row in found[:MOST_ROWS]]}


def row_of(row: Observation, engine: Engine) -> Row:
    """A published number as the page shows it."""
    paper = engine.evidence.references[row.reference]
    link = paper.url or (f"https://doi.org/{paper.doi}" if paper.doi else "")
    words = ("id", "stage", "quantity", "species", "population", "drug", "dose", "route", "time", "unit", "comparator")
    return Row(
        **{name: str(getattr(row, name)) for name in (*words, "read_as", "notes", "use")},
        n=row.n_text, value=f"{row.value:g}", spread=row.spread.text, citation=paper.citation, url=link,
    )  # fmt: skip


def _stage(engine: Engine, name: str) -> bytes:
    system = engine.model.system
    found = chapter(system, next(stage for stage in system.stages if stage.name == name))
    return as_json(
        {
            "name": found.name,
            "title": found.title,
            "about": found.about,
            "needs": found.needs,
            "equations": [{"left": left, "terms": terms} for left, terms in found.equations],
            "offers": found.offers,
            "parameters": found.parameters,
        }
    )
