"""The page and the document of claims: every statement beside its experiment, its evidence and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ketamech.analysis.claims import Answer, Exhibit, Rule, load_rule, load_variants
from ketamech.evidence import Reference, load_evidence
from ketamech.report.claims_figure import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw
from ketamech.report.html import render
from ketamech.report.words import number

VERDICTS = ("supported", "mixed", "not supported", "contradicted")


def write_claims(folder: Path | str, answers: Mapping[str, Answer]) -> list[Path]:
    """Write `claims.html` (one file, nothing fetched) and `claims.csv`; returns their paths."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    page, table = place / "claims.html", place / "claims.csv"
    page.write_text(claims_page(answers), encoding="utf-8")
    pd.DataFrame(claim_rows(answers)).to_csv(table, index=False)
    return [page, table]


def claims_page(answers: Mapping[str, Answer]) -> str:
    """The whole page."""
    rule, why = load_rule()
    references = load_evidence().references
    counts = {word: sum(a.judgement.verdict == word for a in answers.values()) for word in VERDICTS}
    return render(
        "claims.html.j2",
        cards=[_card(answer, rule, references) for answer in answers.values()],
        counts=counts,
        rule=[(name, number(value), why[name]) for name, value in rule.values.items()],
        variants=list(load_variants(rule)),
        sheet={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
    )


def claim_rows(answers: Mapping[str, Answer]) -> list[dict[str, object]]:
    """One line a claim: verdict, weights, what the model shows, how steady the verdict is."""
    return [
        {
            "claim": name,
            "verdict": answer.judgement.verdict,
            "for": answer.judgement.weight_for,
            "against": answer.judgement.weight_against,
            "model": model_says(answer),
            "model_and_evidence": answer.agreement,
            "steady": f"{answer.steady}/{answer.tried}",
            "statement": answer.claim.statement,
        }
        for name, answer in answers.items()
    ]


def model_says(answer: Answer) -> str:
    """Shown or not shown."""
    return "shown" if answer.shown else "not shown"


def _card(answer: Answer, rule: Rule, references: Mapping[str, Reference]) -> dict[str, object]:
    claim = answer.claim
    return {
        "claim": claim,
        "judgement": answer.judgement,
        "answer": answer,
        "model": model_says(answer),
        "drawing": draw(answer),
        "sides": [(side, [_said(e, rule, references) for e in claim.side(side)]) for side in ("for", "against")],
    }


def _said(exhibit: Exhibit, rule: Rule, references: Mapping[str, Reference]) -> dict[str, str]:
    """One piece of evidence as a line of text with its paper."""
    paper, row = references[exhibit.row.reference], exhibit.row
    return {
        "id": row.id,
        "strength": exhibit.strength,
        "weight": number(rule.weight(exhibit), 2),
        "why": exhibit.why,
        "n": f"n = {row.n_text}" if row.n_text else "",
        "recalled": "from memory" if row.read_as == "recalled" else "",
        "citation": paper.citation,
        "url": paper.url,
    }
