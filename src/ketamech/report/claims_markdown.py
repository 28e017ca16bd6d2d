"""The claims as Markdown, for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ketamech.analysis.claims.claim import SIDES, Rule, load_rule, load_rule_variants
from ketamech.analysis.claims.evaluate_claims import ClaimResult
from ketamech.report.claims_page import QuotedEvidence, model_result, quoted_evidence, test_result_text
from ketamech.report.number_format import DISCLAIMER, number

INTRODUCTION = """# Common statements about ketamine and the evidence

{disclaimer} Written by `ketamech claims --markdown docs/claims.md`; do not edit.

Every statement has an experiment in the model, evidence for and against, and a verdict computed from that evidence by
one rule. The result of the model is shown next to the verdict and does not change it. *Steady*: the number of
alternative rules, out of {tried}, that give the same verdict.

## The rule
Each paper counts once for a side, by its row with the largest weight. Balance = (for - against) / (for + against).

| verdict | when |
|---|---|
| supported | balance at least {lean}, and weight {enough} of it from human studies (about molecules: from any study) |
| contradicted | balance at most -{lean}, and a weight of at least {enough} against it from human studies |
| mixed | in between, or a positive balance without enough human evidence |
| not supported | total weight below {total}, or a negative balance without enough human evidence |

| number | value | why |
|---|---|---|
{numbers}

Alternative rules: {variants}.

Papers that pool the same trials are counted as separate papers; publication bias is not corrected.
"""


def write_claims_document(path: Path, answers: Mapping[str, ClaimResult]) -> Path:
    """Write the document; returns its path."""
    rule, why = load_rule()
    others = load_rule_variants(rule)
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
    """One line per claim: statement, verdict, model result, steadiness."""
    lines = ["| claim | statement | verdict | model | model and evidence | steady |", "|---|---|---|---|---|---|"]
    lines += [
        f"| [`{name}`](#{name}) | {a.claim.statement} | {a.verdict.verdict} | {model_result(a)} "
        f"| {a.agreement} | {a.n_same_verdict}/{a.n_rule_variants} |"
        for name, a in answers.items()
    ]
    return "\n".join(lines) + "\n"


def claim_in_full(answer: ClaimResult, rule: Rule) -> str:
    """Statement, verdict, tests and evidence of one claim as Markdown."""
    claim, verdict = answer.claim, answer.verdict
    lines = [f"“{claim.statement}”", f"Encountered in: {claim.encountered_as}. Stage: {claim.stage}. {claim.note}", ""]
    same = f"{answer.n_same_verdict} of {answer.n_rule_variants}"
    lines += [f"Verdict: **{verdict.verdict}** ({verdict.reason}; the same under {same} "
              "alternative rules)", f"Model: **{model_result(answer)}**", ""]  # fmt: skip
    lines += [
        f"- {'yes' if result.passed else 'no'}: {result.test.description}"
        f" ({test_result_text(result)}; arm `{result.test.arm}`)"
        for result in answer.test_results
    ]
    for side in SIDES:
        lines += ["", f"Evidence {side}:", ""]
        lines += [_line(item) for item in quoted_evidence(claim.side(side), rule)] or [
            "- no row in the evidence tables"
        ]
    return "\n".join(lines)


def _section(answer: ClaimResult, rule: Rule) -> str:
    return f"## {answer.claim.id}\n\n{claim_in_full(answer, rule)}\n"


def _line(item: QuotedEvidence) -> str:
    ids = ", ".join(f"`{name}`" for name in item.ids)
    return f"- {item.exhibit.why} ({item.kind}). {item.paper.citation}: {ids}"
