"""Annotations of the quantities of the model: SBO terms, MIRIAM resources, and the papers of a value."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from functools import cache

from ketamech.core import unit
from ketamech.core.csv_table import read_table
from ketamech.core.paths import DATA
from ketamech.evidence import Evidence, Reference, load_evidence
from ketamech.parameters import Parameter

_TABLE = DATA / "exchange" / "annotations.csv"
FRAMEWORK, QUANTITY, AMOUNT, CONCENTRATION, EXPRESSION = 293, 2, 360, 196, 64  # SBO terms
Resource = tuple[str, str]  # biology qualifier, address


def sbo_term(unit_text: str) -> int:
    """The SBO term of a quantity, by its unit."""
    dims = unit(unit_text).dims
    if dims == unit("umol").dims:
        return AMOUNT
    return CONCENTRATION if dims == unit("umol/L").dims else QUANTITY


def resources_of(name: str) -> list[Resource]:
    """MIRIAM resources of a state, an output or a species (species.rat)."""
    return [(qualifier, address) for pattern, qualifier, address in _known() if fnmatch.fnmatchcase(name, pattern)]


def papers_of(row: Parameter, evidence: Evidence | None = None) -> list[Resource]:
    """The papers behind a value that have a DOI or a PubMed number."""
    known = evidence or _evidence()
    ids = [one for one in row.evidence if one in known.observations]
    return [("isDescribedBy", address) for paper in known.cite(ids) for address in _addresses(paper)]


def _addresses(paper: Reference) -> Iterable[str]:
    if paper.doi:
        yield f"https://identifiers.org/doi:{paper.doi}"
    elif paper.pmid:
        yield f"https://identifiers.org/pubmed:{paper.pmid}"


@cache
def _known() -> tuple[tuple[str, str, str], ...]:
    rows = read_table(_TABLE, ("name", "qualifier", "resource", "why"))
    return tuple((row["name"], row["qualifier"], f"https://identifiers.org/{row['resource']}") for row in rows)


@cache
def _evidence() -> Evidence:
    return load_evidence()
