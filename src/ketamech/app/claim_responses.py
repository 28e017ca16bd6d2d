"""Claims people meet, for the badges of the story: verdict and evidence at once, the experiments when one is opened."""

from __future__ import annotations

from typing import Any

from ketamech.app.app_state import AppState
from ketamech.app.evidence_rows import evidence_row
from ketamech.app.features import has_feature, feature_module
from ketamech.app.json_responses import NotFound


def claims_of(engine: AppState) -> dict[str, Any]:
    """Every claim by id; none, with `present` false, in a version without them."""
    if not has_feature("claims"):
        return {"present": False, "claims": {}}
    room = feature_module("claims")
    rule, _ = room.load_rule()
    found = room.load_claims(engine.evidence)
    return {"present": True, "claims": {name: _claim(claim, room, rule, engine) for name, claim in found.items()}}


def _claim(claim: Any, room: Any, rule: Any, engine: AppState) -> dict[str, Any]:
    verdict = room.judge(claim.exhibits, claim.level, rule)
    return {
        "id": claim.id,
        "claim": claim.statement,
        "met": claim.met,
        "note": claim.note,
        "verdict": verdict.verdict,
        "why": verdict.reason,
        "pro": [_exhibit(one, engine) for one in claim.side("for")],
        "con": [_exhibit(one, engine) for one in claim.side("against")],
    }


def _exhibit(exhibit: Any, engine: AppState) -> dict[str, Any]:
    return {**evidence_row(exhibit.row, engine).model_dump(), "strength": exhibit.strength, "says": exhibit.why}


def experiments_of(engine: AppState, name: str) -> dict[str, Any]:
    """What the model shows of one claim, and under how many other rules the verdict stays. Raises NotHere."""
    room = feature_module("claims")
    answers = engine.answers.get("experiments of claims", lambda: room.answer_claims(engine.model))
    if name not in answers:
        raise NotFound(f"there is no claim '{name[:60]}'")
    found = answers[name]
    return {
        "shown": bool(found.shown),
        "agreement": found.agreement,
        "steady": int(found.steady),
        "tried": int(found.tried),
        "lines": [
            {"says": one.test.says, "passed": bool(one.passed), "value": float(f"{one.value:.4g}"), "unit": one.unit}
            if one.value == one.value
            else {"says": one.test.says, "passed": False, "value": None, "unit": one.unit}
            for one in found.outcomes
        ],
    }
