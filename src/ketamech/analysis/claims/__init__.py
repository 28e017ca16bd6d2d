"""What people say about ketamine: experiments in the model, evidence for and against, and a verdict by rule."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from ketamech.analysis.claims.claim import Claim as Claim
    from ketamech.analysis.claims.claim import TestResult as TestResult
    from ketamech.analysis.claims.evaluate_claims import ClaimResult as ClaimResult
    from ketamech.analysis.claims.evaluate_claims import evaluate_claims as evaluate_claims
    from ketamech.analysis.claims.tables import load_claims as load_claims
    from ketamech.analysis.claims.tables import load_rule as load_rule
    from ketamech.analysis.claims.tables import load_variants as load_variants
    from ketamech.analysis.claims.verdict_rule import NOT_PERSONS as NOT_PERSONS
    from ketamech.analysis.claims.verdict_rule import SIDES as SIDES
    from ketamech.analysis.claims.verdict_rule import VERDICTS as VERDICTS
    from ketamech.analysis.claims.verdict_rule import ClaimVerdict as ClaimVerdict
    from ketamech.analysis.claims.verdict_rule import EvidenceItem as EvidenceItem
    from ketamech.analysis.claims.verdict_rule import Rule as Rule
    from ketamech.analysis.claims.verdict_rule import claim_verdict as claim_verdict

_WHERE = {
    "ClaimResult": "answering",
    "Claim": "claim",
    "EvidenceItem": "rule",
    "ClaimVerdict": "rule",
    "NOT_PERSONS": "rule",
    "TestResult": "claim",
    "Rule": "rule",
    "SIDES": "rule",
    "VERDICTS": "rule",
    "evaluate_claims": "answering",
    "claim_verdict": "rule",
    "load_claims": "tables",
    "load_rule": "tables",
    "load_variants": "tables",
}

__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
