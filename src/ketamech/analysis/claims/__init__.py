"""What people say about ketamine: experiments in the model, evidence for and against, and a verdict by rule."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily, listing

if TYPE_CHECKING:
    from ketamech.analysis.claims.answering import Answer as Answer
    from ketamech.analysis.claims.answering import answer_claims as answer_claims
    from ketamech.analysis.claims.claim import Claim as Claim
    from ketamech.analysis.claims.claim import Outcome as Outcome
    from ketamech.analysis.claims.rule import NOT_PERSONS as NOT_PERSONS
    from ketamech.analysis.claims.rule import SIDES as SIDES
    from ketamech.analysis.claims.rule import VERDICTS as VERDICTS
    from ketamech.analysis.claims.rule import Exhibit as Exhibit
    from ketamech.analysis.claims.rule import Judgement as Judgement
    from ketamech.analysis.claims.rule import Rule as Rule
    from ketamech.analysis.claims.rule import judge as judge
    from ketamech.analysis.claims.tables import load_claims as load_claims
    from ketamech.analysis.claims.tables import load_rule as load_rule
    from ketamech.analysis.claims.tables import load_variants as load_variants

_WHERE = {
    "Answer": "answering",
    "Claim": "claim",
    "Exhibit": "rule",
    "Judgement": "rule",
    "NOT_PERSONS": "rule",
    "Outcome": "claim",
    "Rule": "rule",
    "SIDES": "rule",
    "VERDICTS": "rule",
    "answer_claims": "answering",
    "judge": "rule",
    "load_claims": "tables",
    "load_rule": "tables",
    "load_variants": "tables",
}

__all__ = sorted(_WHERE)
__getattr__ = lazily(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
