"""The content of one evidence row, and its paper."""

from __future__ import annotations

from dataclasses import dataclass

from ketamech.evidence.spread import Spread


@dataclass(frozen=True)
class Reference:
    """A paper, label or web page. `doi`, `pmid`, `pmcid` and `url` are empty where unknown."""

    key: str
    citation: str
    doi: str
    pmid: str
    pmcid: str
    url: str


@dataclass(frozen=True)
class Observation:
    """One published number, in the published and in canonical units.

    `value`, `unit` and `spread` are as published; `canonical_value` = `value` * `factor` in `canonical_unit`. `time_h`
    is hours after the dose where the text names one time. `use`: calibrate or context (compare). `read_as` says how
    the number was read: source, transcription (a secondary copy) or recalled (unconfirmed). `same_as` is the id of
    another row that reports the same number, so that it is not counted twice.
    """

    id: str
    table: str
    line: int
    stage: str
    quantity: str
    species: str
    population: str
    n: int | None
    n_text: str
    drug: str
    dose: str
    route: str
    time: str
    time_h: float | None
    value: float
    unit: str
    factor: float
    canonical_value: float
    canonical_unit: str
    spread: Spread
    comparator: str
    reference: str
    place: str
    seen_at: str
    confidence: int
    read_as: str
    same_as: str
    notes: str
    use: str

    def canonical(self, printed: float) -> float:
        """A number in the published unit (such as `spread.low`) expressed in `canonical_unit`."""
        return printed * self.factor
