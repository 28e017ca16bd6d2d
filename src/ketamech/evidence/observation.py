"""The content of one evidence row, and its paper."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ketamech.evidence.spread import Spread

_CONFIDENCE_LEVEL = re.compile(r"\b(?:CI|CrI)(\d+)")
_NORMAL_QUANTILES = {80: 1.281552, 90: 1.644854, 95: 1.959964, 99: 2.575829}


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


def standard_error(row: Observation) -> float:
    """Standard error of the published mean: as printed, SD over the root of n, or from the interval; NaN if none."""
    spread = row.spread
    if spread.low is None or spread.high is None:
        return math.nan
    half = (spread.high - spread.low) / 2
    if spread.kind == "sd":
        return half / math.sqrt(row.n or 1)
    level = _CONFIDENCE_LEVEL.search(spread.text)
    return half / _NORMAL_QUANTILES.get(int(level[1]) if level else 95, _NORMAL_QUANTILES[95])
