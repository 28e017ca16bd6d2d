"""Evidence as plain rows and text, for any interface."""

from __future__ import annotations

from collections.abc import Iterable

from ketamech.evidence.evidence import Evidence
from ketamech.evidence.observation import Observation, Reference

_MARK = {"source": "", "transcription": "from a transcription", "recalled": "RECALLED, not confirmed"}


def format_listing(rows: Iterable[Observation]) -> list[dict[str, str]]:
    """One short dictionary per observation, all cells as text."""
    return [
        {
            "id": row.id,
            "stage": row.stage,
            "quantity": row.quantity,
            "drug": row.drug,
            "time": row.time,
            "value": f"{row.value:g} {row.unit}",
            "spread": row.spread.text,
            "reading_source": row.reading_source,
            "use": row.use,
            "reference": row.reference,
        }
        for row in rows
    ]


def format_row(evidence: Evidence, name: str) -> str:
    """Text about one observation: quantity, population, number, how it was read, and the paper."""
    row = evidence[name]
    lines = [
        f"{row.id}  ({row.table}.csv line {row.line}, stage {row.stage}, use {row.use})",
        f"  {row.quantity}",
        *_labelled("value", _number(row)),
        *_labelled("in whom", ", ".join(part for part in (row.species, row.population) if part)),
        *_labelled("n", row.n_text),
        *_labelled("given", ", ".join(part for part in (row.drug, row.dose, row.route) if part)),
        *_labelled("time", row.time),
        *_labelled("against", row.comparator),
        *_labelled("read as", " ".join(part for part in (row.reading_source, _MARK[row.reading_source]) if part)),
        *_labelled("same as", row.duplicate_of),
        *_labelled("notes", row.notes),
        *_labelled("source", citation(evidence.references[row.reference], row.locator)),
    ]
    return "\n".join(lines)


def citation(paper: Reference, place: str = "") -> str:
    """A paper on one line: citation, place inside it, and a link when one is known."""
    return ", ".join(part for part in (paper.citation, place, paper.url) if part)


def _labelled(label: str, text: str) -> list[str]:
    return [f"  {label + ':':9} {text}"] if text else []


def _number(row: Observation) -> str:
    printed = f"{row.value:g} {row.unit}" + (f" ({row.spread.text})" if row.spread.text else "")
    same = row.factor == 1 and row.canonical_unit == "1"
    return printed if same else f"{printed} = {row.canonical_value:.4g} {row.canonical_unit}"
