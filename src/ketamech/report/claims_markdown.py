"""The claims as Markdown, for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ketamech.analysis.claims.evaluate_claims import ClaimResult
from ketamech.analysis.claims.tables import load_rule, load_variants
from ketamech.analysis.claims.verdict_rule import SIDES, Rule
from ketamech.report.claims_page import QuotedEvidence, found, model_says, quoted_evidence
from ketamech.report.number_format import DISCLAIMER, number

INTRODUCTION = """# What people say about ketamine

{disclaimer} Written by `ketamech claims --markdown docs/claims.md`; do not edit.

Every statement has an experiment in the model, evidence for and against, and a verdict computed from that evidence by
one rule. The model's result stands beside the verdict and never changes it. *Steady*: under how many of {tried} other
rules the verdict is the same.

## The rule
Each paper counts once for a side, by its weightiest row. Balance = (for - against) / (for + against).

| verdict | when |
|---|---|
| supported | balance at least {lean}, and weight {enough} of it from people (about molecules: from anywhere) |
| contradicted | balance at most -{lean}, and weight {enough} against it from people |
| mixed | in between, or leaning towards it without enough people |
| not supported | weight below {total} in all, or leaning against it without enough people |

| number | value | why |
|---|---|---|
{numbers}

The other rules: {variants}.

Papers that pool the same trials are counted as separate papers; publication bias is not corrected.
"""


def write_claims_document(path: Path, answers: Mapping[str, ClaimResult]) -> Path:
    """Write the document; returns its path."""
    rule, why = load_rule()
    others = load_variants(rule)
    numbers = "\n".join(f"| {name} | {number(value)} | {why[name]} |" for name, value in rule.values.items())
    limits = {"lean": rule["lean"], "enough": rule["enough.people"], "total": rule["enough.total"]}
    head = INTRODUCTION.format(
        disclaimer=DISCLAIMER, tried=len(others), numbers=numbers, variants="; ".join(others), **limits
    )
    parts = [head, "## All statements", summary_table(answers), *(_section(a, rule) for a in answers.values())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def summary_table(answers: Mapping[str, ClaimResult]) -> str:
    """One line a claim: statement, verdict, model, steadiness."""
    lines = ["| claim | statement | verdict | model | model and evidence | steady |", "|---|---|---|---|---|---|"]
    lines += [
        f"| [`{name}`](#{name}) | {a.claim.statement} | {a.judgement.verdict} | {model_says(a)} "
        f"| {a.agreement} | {a.robust}/{a.tried} |"
        for name, a in answers.items()
    ]
    return "\n".join(lines) + "\n"


def claim_in_full(answer: ClaimResult, rule: Rule) -> str:
    """Everything about one claim as plain text."""
    claim, verdict = answer.claim, answer.judgement
    lines = [f"“{claim.statement}”", f"Met in: {claim.encountered_as}. Stage: {claim.stage}. {claim.note}", ""]
    lines += [f"Verdict: **{verdict.verdict}** ({verdict.reason}; the same under {answer.robust} of {answer.tried} "
              "other rules)", f"Model: **{model_says(answer)}**", ""]  # fmt: skip
    lines += [
        f"- {'yes' if result.passed else 'no'}: {result.test.description} ({found(result)}; arm `{result.test.arm}`)"
        for result in answer.outcomes
    ]
    for side in SIDES:
        lines += ["", f"Evidence {side}:", ""]
        lines += [_line(piece) for piece in quoted_evidence(claim.side(side), rule)] or ["- none in the tables"]
    return "\n".join(lines)


def _section(answer: ClaimResult, rule: Rule) -> str:
    return f"## {answer.claim.id}\n\n{claim_in_full(answer, rule)}\n"


def _line(piece: QuotedEvidence) -> str:
    ids = ", ".join(f"`{name}`" for name in piece.ids)
    return f"- {piece.exhibit.why} ({piece.kind}). {piece.paper.citation}: {ids}"
