"""Rating scales: what a rater writes down when the model's person stands before him."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ketamech.core import UnknownName, nearest
from ketamech.evidence import Row, read_table

FILE = Path(__file__).parents[1] / "data" / "scales" / "scales.csv"
COLUMNS = (
    "scale", "output", "unit", "low", "high", "step", "residual_sd", "relative_sd", "recall", "carried", "factor",
    "response", "remission", "status", "evidence", "why",
)  # fmt: skip
NUMBERS = COLUMNS[3:13]


@dataclass(frozen=True)
class Scale:
    """One scale of `output`: bounds, `step` of the score, error (`residual_sd` points plus `relative_sd` of the score).

    `carried`: share of the total (sleep and appetite) that cannot be rated anew within `recall` hours of the last full
    rating and keeps what it was then. `response` is the fall, as a share of baseline, that counts as one; `remission`
    the score at or below which a person is well.
    """

    name: str
    output: str
    unit: str
    low: float
    high: float
    step: float
    residual_sd: float
    relative_sd: float
    recall: float
    carried: float
    factor: float
    response: float
    remission: float

    def full_ratings(self, hours: Sequence[float], begins: Sequence[int]) -> np.ndarray:
        """For each rating (planned `hours`, `begins`: number of its period's baseline) that of the last full one."""
        last = np.zeros(len(hours), dtype=int)
        for j, begin in enumerate(begins):
            before = last[j - 1] if j > begin else j
            last[j] = j if j == begin or hours[j] - hours[before] >= self.recall else before
        return last

    def truth(self, output: np.ndarray, full: np.ndarray) -> np.ndarray:
        """Scores without error from values of the output now and at the last full rating."""
        return self.factor * ((1 - self.carried) * output + self.carried * full)

    def observed(self, truth: np.ndarray, z: np.ndarray) -> np.ndarray:
        """What is written down: error from standard numbers `z`, within bounds, in steps; NaN stays NaN."""
        score = truth + z * np.hypot(self.residual_sd, self.relative_sd * truth)
        score = np.clip(score, self.low, self.high)
        return np.round(score / self.step) * self.step if self.step else score


@cache
def load_scales(file: Path = FILE) -> dict[str, Scale]:
    """Every scale by name. Raises BadInput with file, line and column."""
    return {row["scale"]: _scale(row) for row in read_table(file, COLUMNS)}


def scale(name: str) -> Scale:
    """One scale. Raises UnknownName with the nearest."""
    known = load_scales()
    if name not in known:
        raise UnknownName(
            f"there is no scale '{name}'", key="visits", expected=", ".join(known), nearest=nearest(name, known)
        )
    return known[name]


def _scale(row: Row) -> Scale:
    numbers = {column: row.number(column) for column in NUMBERS}
    if numbers["low"] >= numbers["high"] or not 0 <= numbers["carried"] < 1:
        raise row.bad("low", "an impossible scale", expected="low below high, carried from 0 to 1")
    return Scale(row["scale"], row["output"], row["unit"], **numbers)
