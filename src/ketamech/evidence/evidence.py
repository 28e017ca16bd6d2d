"""The evidence tables in memory: look up, select, tabulate, cite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ketamech.core import UnknownNameError, closest_match
from ketamech.evidence.observation import Observation, Reference

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evidence:
    """Observations by id and references by key."""

    observations: Mapping[str, Observation]
    references: Mapping[str, Reference]

    def __getitem__(self, name: str) -> Observation:
        if name not in self.observations:
            near = closest_match(name, self.observations)
            raise UnknownNameError(f"no evidence row '{name}'", expected="an id of data/evidence/*.csv", nearest=near)
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
