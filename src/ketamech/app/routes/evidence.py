"""Routes of evidence, equations with sources, and claims with the experiments that the model runs of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from ketamech.analysis.claims import Claim, Rule, evaluate_claims, load_arms, load_claims, load_rule
from ketamech.analysis.robustness import load_robustness
from ketamech.analysis.scorecard import difference_error
from ketamech.app.app_state import AppState, Queue
from ketamech.app.responses import NotFound, cached_response, json_response
from ketamech.core.csv_table import parts
from ketamech.evidence import Observation, Reference
from ketamech.report.model_page import ChainLayout, chain_layout
from ketamech.report.number_format import rounded_number
from ketamech.trials.trial_reader import shipped_trial, shipped_trial_names

MAX_ROWS, MAX_LISTED_VALUES = 400, 100
FILTERS = ("species", "drug", "use", "reading_source")
Word = Annotated[str, Field(max_length=80)]


class EvidenceQuery(BaseModel):
    """Which evidence rows: by id (comma-separated), or by text in any field and by filters, as a page."""

    stage: Word = ""
    text: Word = ""
    species: Word = ""
    drug: Word = ""
    use: Word = ""
    reading_source: Word = ""
    ids: Annotated[str, Field(max_length=4000)] = ""
    first: int = Field(0, ge=0, le=100_000, description="number of the first row of the page")
    limit: int = Field(MAX_ROWS, ge=1, le=MAX_ROWS, description="rows of a page")


class EvidenceRow(BaseModel):
    """A published number with its paper."""

    id: str
    stage: str
    quantity: str
    species: str
    population: str
    n: str
    drug: str = Field(description="in the words of the source")
    compounds: list[str] = Field(description="the compounds, or treatments, by one name each")
    dose: str
    route: str
    time: str
    value: str
    unit: str
    spread: str
    comparator: str
    citation: str
    url: str
    reading_source: str
    notes: str
    use: str
    fitted: bool = Field(description="the number set a value of the model: agreement is no test")


class EvidenceRows(BaseModel):
    """A page of evidence rows; `total`: number of all rows found; `counts`: their number by value of each filter."""

    total: int
    first: int = 0
    rows: list[EvidenceRow]
    counts: dict[str, dict[str, int]] = Field({}, description="of species, drug, use and reading_source")


class Equation(BaseModel):
    """One equation: its left side, and the terms with their reasons."""

    left: str
    terms: list[tuple[str, str]]


class StagePaper(BaseModel):
    """A paper behind parameters of a stage, with the ids of its evidence rows and the names of these parameters."""

    citation: str
    url: str
    evidence: list[str]
    parameters: list[str]


class StagePage(BaseModel):
    """Equations, outputs, parameters and papers of one stage."""

    name: str
    title: str
    description: str
    inputs: list[tuple[str, str]]
    equations: list[Equation]
    outputs: list[tuple[str, str, str, str]]
    parameters: list[tuple[str, str, str, str, str, str, str]]
    papers: list[StagePaper]


class ClaimEvidence(EvidenceRow):
    """An evidence row for or against a claim: its strength, its weight by the rule, what it says of the claim."""

    strength: str
    weight: float
    description: str


class ClaimRobustness(BaseModel):
    """Share of parameter sets (assumed values drawn jointly) in which the model gives the same result of a claim.

    `is_consequence`: below 90 %, so that the result is the consequence of an assumption. `where_it_stops`: the
    parameters that separate the sets in which it holds from the others; `note`: how it was computed.
    """

    holds_share: float
    sets: int
    is_consequence: bool
    text: str
    where_it_stops: str
    note: str


class ClaimInfo(BaseModel):
    """A common statement about ketamine with its verdict and evidence."""

    id: str
    statement: str
    encountered_as: str
    note: str
    verdict: str
    reason: str
    robustness: ClaimRobustness | None
    weight_for: float
    weight_against: float
    evidence_for: list[ClaimEvidence]
    evidence_against: list[ClaimEvidence]


class ClaimTestResult(BaseModel):
    """One number of an experiment with its bound (`relation`: < or >), and whether it passed."""

    description: str
    passed: bool
    value: float | None
    unit: str
    relation: str
    bound: float
    with_expectancy: bool


class ClaimResultInfo(BaseModel):
    """What the model shows of a claim. `n_same_verdict`: of the `n_rule_variants` other rules with the same verdict."""

    model_config = ConfigDict(from_attributes=True)

    shown: bool
    agreement: str
    n_same_verdict: int
    n_rule_variants: int
    results: list[ClaimTestResult] = []


COMPARED = "mood.madrs"  # the output whose difference between two cases is judged


class ComparedArms(BaseModel):
    """A trial that ships with the program: the treatments of each arm as text."""

    title: str
    arms: list[list[str]]


class ComparisonBasis(BaseModel):
    """What a difference between two cases is judged by: the error of the model, and the trials that compared two arms.

    `error`: root mean square over `rows` published differences of arms, of which `fitted` set a value of the model.
    """

    output: str
    error: float
    rows: int
    fitted: int
    trials: list[ComparedArms]


def routes(app_state: AppState) -> APIRouter:
    """Routes of evidence, stages and claims."""
    router = APIRouter(prefix="/api", tags=["evidence"])

    @router.get("/evidence", response_model=EvidenceRows)
    async def evidence(query: Annotated[EvidenceQuery, Query()]) -> Response:
        """A page of evidence rows by text in any field and by filters, or rows by id."""
        return json_response(evidence_rows(app_state, query))

    @router.get("/chain", response_model=ChainLayout)
    async def chain() -> Response:
        """The stages of the model with their places in a layered drawing, and what they read from each other."""
        return await cached_response(app_state, "chain", lambda: chain_of(app_state))

    @router.get("/stages/{name}", response_model=StagePage)
    async def stage(name: str) -> Response:
        """Equations, reasons, parameters and sources of one stage; the first request takes seconds."""
        return await cached_response(app_state, ("stage", name), lambda: stage_page(app_state, name))

    @router.get("/comparison", response_model=ComparisonBasis)
    async def comparison() -> Response:
        """By what a difference between two cases is judged; the first request takes seconds."""
        make = partial(comparison_basis, app_state)
        return await cached_response(app_state, "comparison", make, Queue.DOWNLOAD)

    @router.get("/claims", response_model=dict[str, ClaimInfo])
    async def claims() -> Response:
        """Common statements about ketamine by id, with verdict and evidence."""
        return await cached_response(app_state, "claims", lambda: claims_of(app_state))

    @router.get("/claims/{name}", response_model=ClaimResultInfo)
    async def claim(name: str) -> Response:
        """What the model shows of one claim; the first request runs all experiments."""
        return json_response(await app_state.compute(lambda: claim_result(app_state, name), Queue.DOWNLOAD))

    return router


def evidence_rows(app_state: AppState, query: EvidenceQuery) -> dict[str, Any]:
    """Rows by text, by filters or by id; see `EvidenceRows`."""
    evidence = app_state.evidence
    if query.ids:
        matches = [evidence.observations[id_] for id_ in parts(query.ids, ",") if id_ in evidence.observations]
        return {"total": len(matches), "first": 0, "rows": [evidence_row(row, app_state) for row in matches[:MAX_ROWS]]}
    matches = evidence.select(stage=query.stage or None, text=query.text or None)
    filters = {name: getattr(query, name) for name in FILTERS if getattr(query, name)}
    counts = {name: _counts(matches, name, filters) for name in FILTERS}
    matches = [row for row in matches if _is_chosen(row, filters)]
    page = matches[query.first : query.first + query.limit]
    table_rows = [evidence_row(row, app_state) for row in page]
    return {"total": len(matches), "first": query.first, "rows": table_rows, "counts": counts}


def _is_chosen(row: Observation, filters: Mapping[str, str]) -> bool:
    return all(value in _values(row, name) for name, value in filters.items())


def _values(row: Observation, name: str) -> tuple[str, ...]:
    """What a filter reads from a row; that of the drug reads its compounds."""
    return row.compounds if name == "drug" else (str(getattr(row, name)),)


def _counts(rows: Iterable[Observation], name: str, filters: Mapping[str, str]) -> dict[str, int]:
    """Number of rows by value of one filter among those that the other filters choose, the most frequent first."""
    other_filters = {key: value for key, value in filters.items() if key != name}
    return dict(
        Counter(value for row in rows if _is_chosen(row, other_filters) for value in _values(row, name)).most_common(
            MAX_LISTED_VALUES
        )
    )


def evidence_row(row: Observation, app_state: AppState) -> dict[str, Any]:
    """One row of evidence; see `EvidenceRow`."""
    paper = app_state.evidence.references[row.reference]
    written: dict[str, Any] = {
        "n": row.n_text,
        "compounds": list(row.compounds),
        "value": f"{row.value:g}",
        "spread": row.spread.text,
        "citation": paper.citation,
        "url": url_of(paper),
        "fitted": row.id in app_state.fitted,
    }
    return {name: written[name] if name in written else str(getattr(row, name)) for name in EvidenceRow.model_fields}


def url_of(paper: Reference) -> str:
    """The address of a paper, or of its DOI; empty where there is none."""
    return paper.url or (f"https://doi.org/{paper.doi}" if paper.doi else "")


def chain_of(app_state: AppState) -> dict[str, Any]:
    """The stages with their places in a layered drawing; see `ChainLayout`."""
    return asdict(chain_layout(app_state.model.system))


def stage_page(app_state: AppState, name: str) -> StagePage:
    """Equations, parameters and papers of one stage. Raises NotFound."""
    from ketamech.report.model_page import stage_section  # sympy is loaded on the first request

    system = app_state.model.system
    stage = next((stage for stage in system.stages if stage.name == name), None)
    if stage is None:
        raise NotFound(f"there is no stage '{name[:60]}'")
    section = stage_section(system, stage)
    equations = [Equation(left=left, terms=terms) for left, terms in section.equations]
    return StagePage(
        name=section.name, title=section.title, description=section.about, inputs=section.inputs, equations=equations,
        outputs=section.outputs, parameters=section.parameters, papers=_papers(app_state, stage.used_parameters),
    )  # fmt: skip


def _papers(app_state: AppState, names: Iterable[str]) -> list[StagePaper]:
    """The papers of the evidence rows behind some parameters, the one with most parameters first."""
    table, evidence = app_state.model.parameters, app_state.evidence
    rows: dict[str, dict[str, set[str]]] = {}
    for name in names:
        for row in (evidence.observations[id_] for id_ in table[name].evidence if id_ in evidence.observations):
            lists = rows.setdefault(row.reference, {"evidence": set(), "parameters": set()})
            lists["evidence"].add(row.id)
            lists["parameters"].add(name)
    papers = []
    for reference, lists in rows.items():
        paper = evidence.references[reference]
        papers.append(
            StagePaper(
                citation=paper.citation, url=url_of(paper), evidence=sorted(lists["evidence"]),
                parameters=sorted(lists["parameters"]),
            )
        )  # fmt: skip
    return sorted(papers, key=lambda row: (-len(row.parameters), row.citation))


def comparison_basis(app_state: AppState) -> ComparisonBasis:
    """The error of simulated differences between published arms, and the arms of the trials of the program."""
    trials = [shipped_trial(name) for name in shipped_trial_names()]
    arms = [
        ComparedArms(title=trial.title, arms=[list(arm.regimen.sentences(exact=False)) for arm in trial.arms])
        for trial in trials
    ]
    found = difference_error(app_state.model, COMPARED)
    error = float(f"{found.error:.3g}")
    return ComparisonBasis(output=COMPARED, error=error, rows=found.rows, fitted=found.fitted, trials=arms)


def claims_of(app_state: AppState) -> dict[str, dict[str, Any]]:
    """Every claim by id; see `ClaimInfo`."""
    rule, _ = load_rule()
    return {name: _claim(claim, rule, app_state) for name, claim in load_claims(app_state.evidence).items()}


def _claim(claim: Claim, rule: Rule, app_state: AppState) -> dict[str, Any]:
    verdict = claim.verdict(rule)
    evidence = {
        f"evidence_{side}": [
            {
                **evidence_row(item.row, app_state),
                "strength": item.strength,
                "weight": rule.weight(item),
                "description": item.why,
            }
            for item in claim.evidence_of_side(side)
        ]
        for side in ("for", "against")
    }
    fields = {name: getattr(claim, name) for name in ("id", "statement", "encountered_as", "note")}
    robustness = _robustness(claim.id, app_state)
    weights = {"weight_for": verdict.weight_for, "weight_against": verdict.weight_against}
    return {
        **fields, "verdict": verdict.verdict, "reason": verdict.reason, "robustness": robustness, **weights, **evidence,
    }  # fmt: skip


def _robustness(claim: str, app_state: AppState) -> dict[str, Any] | None:
    stored = load_robustness()
    row = stored.claim(claim)
    if row is None:
        return None
    return {
        "holds_share": row.holds_share, "sets": row.results, "is_consequence": row.is_consequence,
        "text": row.text, "where_it_stops": row.where_it_stops, "note": stored.note(app_state.model),
    }  # fmt: skip


def claim_result(app_state: AppState, name: str) -> ClaimResultInfo:
    """What the model shows of one claim. Raises NotFound."""
    results = app_state.cache.get("experiments of claims", lambda: evaluate_claims(app_state.model))
    if name not in results:
        raise NotFound(f"there is no claim '{name[:60]}'")
    result = ClaimResultInfo.model_validate(results[name])
    arms = load_arms()
    result.results = [
        ClaimTestResult(
            description=test_result.test.description,
            passed=test_result.passed,
            value=rounded_number(test_result.value, 4),
            unit=test_result.unit,
            relation=test_result.test.relation,
            bound=test_result.test.bound,
            with_expectancy=arms[test_result.test.arm].settings.get("person.expectancy") != 0,
        )
        for test_result in results[name].test_results
    ]
    return result
