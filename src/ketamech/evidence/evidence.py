"""The evidence tables in memory: look up, select, tabulate and cite rows, and describe them as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ketamech.core import require_known
from ketamech.evidence.observation import Observation
from ketamech.evidence.references import Reference

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evidence:
    """Observations by id and references by key."""

    observations: Mapping[str, Observation]
    references: Mapping[str, Reference]

    def __getitem__(self, name: str) -> Observation:
        require_known(name, self.observations, f"no evidence row '{name}'", expected="an id of data/evidence/*.csv")
        return self.observations[name]

    def select(
        self,
        *,
        stage: str | None = None,
        drug: str | None = None,
        use: str | None = None,
        text: str | None = None,
    ) -> list[Observation]:
        """Rows of a stage and use (exact), with `drug` inside the drug and `text` anywhere (any case)."""
        return [
            row
            for row in self.observations.values()
            if (stage is None or row.stage == stage)
            and (use is None or row.use == use)
            and (drug is None or drug.lower() in row.drug.lower())
            and (text is None or text.lower() in self._search_text(row))
        ]

    def _search_text(self, row: Observation) -> str:
        parts = (row.id, row.stage, row.quantity, row.species, row.population, row.drug, row.dose, row.route)
        more = (row.time, row.comparator, row.locator, row.notes, self.references[row.reference].citation)
        return " ".join((*parts, *more)).lower()

    def cite(self, ids: Iterable[str]) -> list[Reference]:
        """The papers of these rows, each once, sorted by citation; raises UnknownNameError."""
        keys = {self[name].reference for name in ids}
        return sorted((self.references[key] for key in keys), key=lambda paper: (paper.citation.lower(), paper.key))

    def table(self) -> pd.DataFrame:
        """One line per observation, with the spread as spread_kind, _low, _high and _text."""
        import pandas as pd

        frame = pd.DataFrame([_flat(row) for row in self.observations.values()])
        return frame.set_index("id", drop=False)


def _flat(row: Observation) -> dict[str, object]:
    cells = asdict(row)
    spread = cells.pop("spread")
    return {**cells, **{f"spread_{name}": part for name, part in spread.items()}}


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
