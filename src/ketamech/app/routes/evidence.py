"""Routes of evidence, equations with sources, and claims.

Evidence rows for the page.

Responses about claims: verdict and evidence of every claim, and the experiments of one claim on request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from ketamech.app.app_state import AppState
from ketamech.app.features import has_feature
from ketamech.app.responses import EvidenceRow, EvidenceRows, NotFound, as_json, json_response
from ketamech.evidence import Observation

if TYPE_CHECKING:
    from ketamech.analysis.claims.claim import Claim, EvidenceItem, Rule


MOST_ROWS = 400


def evidence_rows(app_state: AppState, stage: str, text: str, ids: str) -> dict[str, Any]:
    """Rows by stage, by text in any field, or by id; see `responses.EvidenceRows`."""
    known = app_state.evidence
    if ids:
        found = [known.observations[one] for one in ids.split(",") if one in known.observations]
    else:
        found = known.select(stage=stage or None, text=text or None)
    return {"total": len(found), "rows": [evidence_row(row, app_state).model_dump() for row in found[:MOST_ROWS]]}


def evidence_row(row: Observation, app_state: AppState) -> EvidenceRow:
    """An evidence row with its citation."""
    paper = app_state.evidence.references[row.reference]
    link = paper.url or (f"https://doi.org/{paper.doi}" if paper.doi else "")
    words = ("id", "stage", "quantity", "species", "population", "drug", "dose", "route", "time", "unit", "comparator")
    return EvidenceRow(
        **{name: str(getattr(row, name)) for name in (*words, "reading_source", "notes", "use")},
        n=row.n_text, value=f"{row.value:g}", spread=row.spread.text, citation=paper.citation, url=link,
    )  # fmt: skip


def claims_of(app_state: AppState) -> dict[str, Any]:
    """Every claim by id; no claim, and `present` false, in a version without claims."""
    if not has_feature("claims"):
        return {"present": False, "claims": {}}
    from ketamech.analysis.claims.claim import load_claims, load_rule

    rule, _ = load_rule()
    found = load_claims(app_state.evidence)
    return {"present": True, "claims": {name: _claim(claim, rule, app_state) for name, claim in found.items()}}


def _claim(claim: Claim, rule: Rule, app_state: AppState) -> dict[str, Any]:
    from ketamech.analysis.claims.claim import claim_verdict

    verdict = claim_verdict(claim.evidence_items, claim.evidence_level, rule)
    return {
        "id": claim.id,
        "claim": claim.statement,
        "encountered_as": claim.encountered_as,
        "note": claim.note,
        "verdict": verdict.verdict,
        "why": verdict.reason,
        "evidence_for": [_exhibit(one, app_state) for one in claim.side("for")],
        "evidence_against": [_exhibit(one, app_state) for one in claim.side("against")],
    }


def _exhibit(exhibit: EvidenceItem, app_state: AppState) -> dict[str, Any]:
    return {**evidence_row(exhibit.row, app_state).model_dump(), "strength": exhibit.strength, "says": exhibit.why}


def experiments_of(app_state: AppState, name: str) -> dict[str, Any]:
    """What the model shows of one claim, and under how many other rules the verdict stays. Raises NotFound."""
    if not has_feature("claims"):
        raise NotFound("this version has no claims")
    from ketamech.analysis.claims.evaluate_claims import evaluate_claims

    answers = app_state.answers.get("experiments of claims", lambda: evaluate_claims(app_state.model))
    if name not in answers:
        raise NotFound(f"there is no claim '{name[:60]}'")
    found = answers[name]
    return {
        "shown": bool(found.shown),
        "agreement": found.agreement,
        "steady": int(found.n_same_verdict),
        "tried": int(found.n_rule_variants),
        "lines": [
            {
                "says": one.test.description,
                "passed": bool(one.passed),
                "value": float(f"{one.value:.4g}"),
                "unit": one.unit,
            }
            if one.value == one.value
            else {"says": one.test.description, "passed": False, "value": None, "unit": one.unit}
            for one in found.test_results
        ],
    }


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
