"""Tests every claim in the model and compares the result with the verdict of the evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ketamech.analysis.claims import (
    Claim,
    ClaimVerdict,
    TestResult,
    claim_verdict,
    load_arms,
    load_claims,
    load_rule,
    load_rule_variants,
    run_claim_test,
)
from ketamech.analysis.reference_protocols import Protocol, check_settings, simulate_protocols
from ketamech.core import UnknownNameError, closest_match, require_known
from ketamech.evidence import load_evidence
from ketamech.simulation.model import Model
from ketamech.simulation.observable import TimeCourse, names_in


@dataclass(frozen=True)
class ClaimResult:
    """A claim, the verdict of its evidence, the test results of the model, and the simulated arms by id.

    `n_same_verdict`: number of the `n_rule_variants` other rules with the same verdict. The verdict never depends on
    the model.
    """

    claim: Claim
    verdict: ClaimVerdict
    test_results: tuple[TestResult, ...]
    n_same_verdict: int
    n_rule_variants: int
    arms: Mapping[str, TimeCourse]

    @property
    def shown(self) -> bool:
        """Whether the model shows the claim: every test passes."""
        return all(result.passed for result in self.test_results)

    @property
    def agreement(self) -> str:
        """Model against evidence: agrees, differs, or open where the evidence is mixed."""
        if self.verdict.verdict == "mixed":
            return "open"
        return "agrees" if self.shown == (self.verdict.verdict == "supported") else "differs"


def evaluate_claims(
    model: Model, only: Iterable[str] = (), progress: Callable[[str], None] | None = None
) -> dict[str, ClaimResult]:
    """Results by claim id, in table order (all, or `only` some). Raises UnknownNameError for an unknown claim.

    Every arm is always simulated on one time grid, so that a single claim gives identical results.
    """
    claims = load_claims(load_evidence())
    chosen = _chosen(claims, only)
    arms = load_arms()
    _check_outputs(claims.values(), model)
    check_settings(arms, model.parameters)
    moments = {hour for claim in claims.values() for test in claim.tests for hour in test.measure.stated_hours}
    curves = simulate_protocols(model, arms.values(), moments, progress)
    return {name: _evaluate(claim, arms, curves, model) for name, claim in chosen.items()}


def _evaluate(
    claim: Claim, arms: Mapping[str, Protocol], curves: Mapping[str, TimeCourse], model: Model
) -> ClaimResult:
    rule, _ = load_rule()
    others = load_rule_variants(rule).values()
    verdict = claim_verdict(claim.evidence_items, claim.evidence_level, rule)
    same = [
        claim_verdict(claim.evidence_items, claim.evidence_level, other).verdict == verdict.verdict for other in others
    ]
    found = tuple(
        run_claim_test(test, curves, curves.get(arms[test.arm].control), model.layout.units) for test in claim.tests
    )
    mine = {name: curves[name] for name in claim.arms()}
    return ClaimResult(claim, verdict, found, sum(same), len(same), mine)


def _chosen(claims: dict[str, Claim], only: Iterable[str]) -> dict[str, Claim]:
    names = list(only) or list(claims)
    for name in names:
        if name not in claims:
            near = closest_match(name, claims) or next((known for known in claims if name in known), None)
            raise UnknownNameError(f"no claim '{name}'", expected="an id printed by ketamech claims", nearest=near)
    return {name: claims[name] for name in claims if name in names}


def _check_outputs(claims: Iterable[Claim], model: Model) -> None:
    units = model.layout.units
    for claim in claims:
        for text in (claim.figure.output, *(test.measure.output for test in claim.tests)):
            for name in names_in(text):
                require_known(name, units, f"claim '{claim.id}' reads '{name}', which no stage offers")
