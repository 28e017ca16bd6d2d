"""Published numbers, checked and citable."""

from collections.abc import Iterable

from ketamech.evidence.evidence import Evidence, Reference, format_listing, format_row
from ketamech.evidence.load_evidence import evidence_id, evidence_ids, load_evidence
from ketamech.evidence.observation import (
    RATIOS,
    Observation,
    Spread,
    log_standard_error,
    parse_spread,
    standard_error,
)


def cite(ids: Iterable[str], evidence: Evidence | None = None) -> list[Reference]:
    """The papers of evidence rows, each once, sorted; of the shipped evidence unless another is given."""
    return (evidence or load_evidence()).cite(ids)


__all__ = [
    "RATIOS",
    "Evidence",
    "Observation",
    "Reference",
    "Spread",
    "cite",
    "evidence_id",
    "evidence_ids",
    "format_listing",
    "format_row",
    "load_evidence",
    "log_standard_error",
    "parse_spread",
    "standard_error",
]
