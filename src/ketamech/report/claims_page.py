"""The page and the table of claims: statement, experiment, evidence and verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ketamech.analysis.claims.claim import TestResult
from ketamech.analysis.claims.evaluate_claims import ClaimResult
from ketamech.analysis.claims.tables import load_rule, load_rule_variants
from ketamech.analysis.claims.verdict_rule import SIDES, UNITS_OF_STUDIES, VERDICTS, EvidenceItem, Rule
from ketamech.evidence import Reference, load_evidence
from ketamech.exchange.result_metadata import write_table
from ketamech.report.claims_figure import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw
from ketamech.report.number_format import number
from ketamech.report.page_templates import render


def write_claims(
    folder: Path | str, answers: Mapping[str, ClaimResult], facts: Mapping[str, object] | None = None
) -> list[Path]:
    """Write `claims.html` (one self-contained file) and `claims.csv`, with `facts`; returns their paths."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    page, table = place / "claims.html", place / "claims.csv"
    page.write_text(claims_page(answers), encoding="utf-8")
    write_table(pd.DataFrame(claim_rows(answers)), table, facts or {})
    return [page, table]


def claims_page(answers: Mapping[str, ClaimResult]) -> str:
    """The claims page as HTML."""
    rule, why = load_rule()
    counts = {word: sum(a.verdict.verdict == word for a in answers.values()) for word in VERDICTS}
    return render(
        "claims.html.j2",
        cards=[_card(answer, rule) for answer in answers.values()],
        counts=counts,
        rule=[(name, number(value), why[name]) for name, value in rule.values.items()],
        test_result_text=test_result_text,
        variants=list(load_rule_variants(rule)),
        sheet={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
    )


def claim_rows(answers: Mapping[str, ClaimResult]) -> list[dict[str, object]]:
    """One row per claim: statement, verdict, model result, weights and steadiness of the verdict."""
    return [
        {
            "claim": name,
            "statement": answer.claim.statement,
            "verdict": answer.verdict.verdict,
            "model": model_result(answer),
            "for": answer.verdict.weight_for,
            "against": answer.verdict.weight_against,
            "model_and_evidence": answer.agreement,
            "steady": f"{answer.n_same_verdict}/{answer.n_rule_variants}",
        }
        for name, answer in answers.items()
    ]


def model_result(answer: ClaimResult) -> str:
    """Shown or not shown."""
    return "shown" if answer.shown else "not shown"


def test_result_text(result: TestResult) -> str:
    """The value of a test and its bound as text."""
    unit = "" if result.unit == "1" else f" {result.unit}"
    bound = f"{result.test.bound:g}".replace("-", "−")
    return f"{number(result.value)}{unit}; to pass: {'below' if result.test.relation == '<' else 'above'} {bound}"


@dataclass(frozen=True)
class QuotedEvidence:
    """Rows of one paper with the same statement: statement, ids and weight."""

    exhibit: EvidenceItem
    ids: tuple[str, ...]
    weight: str
    paper: Reference

    @property
    def kind(self) -> str:
        """Kind of study, weight, number of persons, and whether the value is from memory."""
        row = self.exhibit.row
        counted = f" {row.unit}" if row.unit in UNITS_OF_STUDIES else ""
        persons = f", n = {row.n_text}{counted}" if row.n_text else ""
        recalled = ", from memory" if row.read_as == "recalled" else ""
        return f"{self.exhibit.strength}, weight {self.weight}{persons}{recalled}"


def quoted_evidence(exhibits: Iterable[EvidenceItem], rule: Rule) -> list[QuotedEvidence]:
    """Evidence in table order; rows of one paper with the same statement are combined."""
    references = load_evidence().references
    groups: dict[tuple[str, str, str], list[EvidenceItem]] = defaultdict(list)
    for exhibit in exhibits:
        groups[(exhibit.why, exhibit.row.reference, exhibit.strength)].append(exhibit)
    lines = []
    for (_, paper, _), rows in groups.items():
        first = max(rows, key=rule.weight)
        ids = tuple(exhibit.row.id for exhibit in rows)
        lines.append(QuotedEvidence(first, ids, f"{rule.weight(first):g}", references[paper]))
    return lines


def _card(answer: ClaimResult, rule: Rule) -> dict[str, object]:
    return {
        "claim": answer.claim,
        "judgement": answer.verdict,
        "answer": answer,
        "model": model_result(answer),
        "drawing": draw(answer),
        "sides": [(side, quoted_evidence(answer.claim.side(side), rule)) for side in SIDES],
    }
