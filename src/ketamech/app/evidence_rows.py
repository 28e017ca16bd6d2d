"""Evidence rows for the page."""

from __future__ import annotations

from typing import Any

from ketamech.app.app_state import AppState
from ketamech.app.responses import EvidenceRow
from ketamech.evidence import Observation

MOST_ROWS = 400


def evidence_rows(app_state: AppState, stage: str, text: str, ids: str) -> dict[str, Any]:
    """Rows by stage, by text in any field, or by id; see `responses.EvidenceRows`."""
    known = app_state.evidence
    if ids:
        found = [known.observations[one] for one in ids.split(",") if one in known.observations]
    else:
        found = known.select(stage=stage or None, text=text or None)
    return {"total": len(found), "rows": [evidence_row(row, app_state).model_dump() for row in found[:MOST_ROWS]]}


def evidence_row(row: Observation, app_state: AppState) -> EvidenceRow:
    """An evidence row with its citation."""
    paper = app_state.evidence.references[row.reference]
    link = paper.url or (f"https://doi.org/{paper.doi}" if paper.doi else "")
    words = ("id", "stage", "quantity", "species", "population", "drug", "dose", "route", "time", "unit", "comparator")
    return EvidenceRow(
        **{name: str(getattr(row, name)) for name in (*words, "read_as", "notes", "use")},
        n=row.n_text, value=f"{row.value:g}", spread=row.spread.text, citation=paper.citation, url=link,
    )  # fmt: skip
