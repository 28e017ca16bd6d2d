"""The likelihood of model variants: a term for every published row.

Clinical rows have standard errors; two MADRS points are added to them, because one typical patient is compared with a
trial mean. Perturbation rows are coded "0 abolished, 1 intact", which is significance and not a measured share. Their
likelihood is flat inside the pass band of data/experiments/rows.csv (or on the side of the observed direction) and
falls as a normal density outside, with an SD of a quarter of the band (a tenth of the bound of an open band). Any row
may mislead (species, dose, chance, bias) with a probability of 1 in 20, so that no single row decides: a complete miss
costs log(20) at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ketamech.analysis.perturbation_rows import PerturbationTarget
from ketamech.analysis.perturbation_scorecard import (
    DIRECTIONS,
    EFFECT_THRESHOLD,
    FLAT_BAND,
    FLAT_POINTS,
    NO_CHANGE_BAND,
    RESPONSE_THRESHOLD,
)
from ketamech.analysis.scorecard_targets import Target
from ketamech.analysis.verdict import NO_CHANGE
from ketamech.core.paths import DATA
from ketamech.evidence import Observation, standard_error

DIRECTORY = DATA / "wirings"
COLUMNS = ("evidence", "kind", "weight", "why")
TYPICAL_PATIENT_SD, FOLD_SD = (
    2.0,
    0.13,
)  # MADRS points; relative error where no standard error is printed (1.25-fold is 95 %)
CLOSED_BAND_EDGE, OPEN_BAND_EDGE, MIN_BAND, ERROR_PROBABILITY = 0.25, 0.1, 0.02, 0.05
ONE_SIDED_RELATIONS: dict[str, dict[str, tuple[float, float]]] = {
    "left": {"less": (-math.inf, NO_CHANGE_BAND[0]), "same": NO_CHANGE_BAND, "more": (NO_CHANGE_BAND[1], math.inf)},
    "effect": {"present": (EFFECT_THRESHOLD, math.inf), "absent": (-math.inf, EFFECT_THRESHOLD)},
    "ratio": {
        "down": (-math.inf, 1 - FLAT_BAND), "none": (1 - FLAT_BAND, 1 + FLAT_BAND), "up": (1 + FLAT_BAND, math.inf),
    },
    "points": {
        "less": (-math.inf, -FLAT_POINTS), "none": (-FLAT_POINTS, FLAT_POINTS), "more": (FLAT_POINTS, math.inf),
    },
    "responds": {"yes": (RESPONSE_THRESHOLD, math.inf), "no": (-math.inf, RESPONSE_THRESHOLD)},
}  # fmt: skip


@dataclass(frozen=True)
class LikelihoodTerm:
    """The likelihood of one published row: a value with its error, or a band with soft edges.

    `kind`: clinical | perturbation | unfitted; `is_correct` tests the direction of a simulated number.
    """

    evidence: str
    kind: str
    description: str
    weight: float
    low: float
    high: float
    error: float
    is_correct: Callable[[float], bool]

    @property
    def fitted(self) -> bool:
        """Whether it is fitted, or only predicted."""
        return self.kind != "unfitted"

    def distance(self, simulated: np.ndarray) -> np.ndarray:
        """Distance of simulated numbers from the band in standard errors; signed, 0 within the band."""
        beyond = np.maximum(simulated - self.high, 0.0) - np.maximum(self.low - simulated, 0.0)
        return np.asarray(beyond / self.error)

    def deviance(self, simulated: np.ndarray) -> np.ndarray:
        """-2 log likelihood times the weight: 0 when met, at most -2 log of the probability that a row misleads."""
        far = np.nan_to_num(self.distance(simulated), nan=np.inf, posinf=np.inf, neginf=np.inf)
        likelihood = (1 - ERROR_PROBABILITY) * np.exp(-np.minimum(far**2, 1e3) / 2) + ERROR_PROBABILITY
        return np.asarray(-2 * self.weight * np.log(likelihood))


def term_of_target(target: Target, row: Observation, kind: str, weight: float) -> LikelihoodTerm:
    """A row of the scorecard: in its printed unit."""
    words = f"{target.protocol}: {target.measure.output} {target.measure.time}".strip()
    if target.comparison in ("z", "fold"):
        own = standard_error(row)
        own = own if math.isfinite(own) else FOLD_SD * abs(row.value)
        error = math.hypot(own, TYPICAL_PATIENT_SD * abs(target.measure.factor))
        value, low, high = row.value, row.value, row.value
        return LikelihoodTerm(
            row.id, kind, words, weight, low, high, error, lambda x: x * value > 0 or abs(x - value) < error
        )
    low, high = _printed_band(target, row)
    return LikelihoodTerm(row.id, kind, words, weight, low, high, _edge(low, high), lambda x: low <= x <= high)


def term_of_perturbation(row: PerturbationTarget, weight: float) -> LikelihoodTerm:
    """A row of data/experiments/rows.csv: its pass band, or the side of the observed direction."""
    statistic = row.statistic.split()[0]
    low, high = row.low, row.high
    if math.isnan(low) and math.isnan(high):
        low, high = ONE_SIDED_RELATIONS[statistic][row.observed]
    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    words = f"{row.species}, {row.perturbations or row.regimen}: {row.output} at {row.time} h, {row.statistic}"
    direction_of, observed = DIRECTIONS[statistic], row.observed
    return LikelihoodTerm(
        row.evidence, "perturbation", words, weight, low, high, _edge(low, high),
        lambda x: direction_of(x) == observed,
    )  # fmt: skip


def _printed_band(target: Target, row: Observation) -> tuple[float, float]:
    """The pass band of the scorecard, the printed range, or the side of the published sign."""
    if target.comparison == "sign":
        sides = {1.0: (1 + NO_CHANGE, math.inf), -1.0: (-math.inf, 1 - NO_CHANGE)}
        return sides.get(row.value, (1 - NO_CHANGE, 1 + NO_CHANGE))
    low, high = target.low, target.high
    if math.isnan(low) and math.isnan(high):
        low, high = (math.nan if bound is None else bound for bound in (row.spread.low, row.spread.high))
    return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)


def _edge(low: float, high: float) -> float:
    """SD of the edge of a band."""
    if math.isfinite(low) and math.isfinite(high):
        return max(CLOSED_BAND_EDGE * (high - low), MIN_BAND)
    return max(OPEN_BAND_EDGE * abs(low if math.isfinite(low) else high), MIN_BAND)
