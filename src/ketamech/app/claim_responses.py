"""Responses about claims: verdict and evidence of every claim, and the experiments of one claim on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ketamech.app.app_state import AppState
from ketamech.app.evidence_rows import evidence_row
from ketamech.app.features import has_feature
from ketamech.app.json_responses import NotFound

if TYPE_CHECKING:
    from ketamech.analysis.claims.claim import Claim
    from ketamech.analysis.claims.verdict_rule import EvidenceItem, Rule


def claims_of(app_state: AppState) -> dict[str, Any]:
    """Every claim by id; no claim, and `present` false, in a version without claims."""
    if not has_feature("claims"):
        return {"present": False, "claims": {}}
    from ketamech.analysis.claims.tables import load_claims, load_rule

    rule, _ = load_rule()
    found = load_claims(app_state.evidence)
    return {"present": True, "claims": {name: _claim(claim, rule, app_state) for name, claim in found.items()}}


def _claim(claim: Claim, rule: Rule, app_state: AppState) -> dict[str, Any]:
    from ketamech.analysis.claims.verdict_rule import claim_verdict

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
