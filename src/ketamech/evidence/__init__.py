"""Published numbers, checked and citable."""

from collections.abc import Iterable

from ketamech.evidence.evidence import Evidence
from ketamech.evidence.load import load_evidence
from ketamech.evidence.observation import Observation, Reference
from ketamech.evidence.show import describe, listing
from ketamech.evidence.spread import Spread, parse_spread
from ketamech.evidence.table import Row, read_table


def cite(ids: Iterable[str], evidence: Evidence | None = None) -> list[Reference]:
    """The papers behind evidence rows, each once, sorted; of the shipped evidence unless another is given."""
    return (evidence or load_evidence()).cite(ids)


__all__ = [
    "Evidence",
    "Observation",
    "Reference",
    "Row",
    "Spread",
    "cite",
    "describe",
    "listing",
    "load_evidence",
    "parse_spread",
    "read_table",
]
