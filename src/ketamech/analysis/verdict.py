"""Comparison of a simulated with a published number: fold error, z or interval, and the verdict.

The same limits hold for all rows; they were chosen before any result was known:
fold error   inside <= 1.25, near <= 2 (the usual two-fold of kinetics), else a miss
z            inside <= 1.96 standard errors, near <= 3, else a miss
interval     inside, near if outside by at most half its half-width, else a miss; one-sided: near to 1.25-fold
sign         right or a miss; less than 2 % of the baseline counts as no change
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ketamech.evidence import RATIOS, Observation, log_standard_error, standard_error

FOLD_LIMITS = (1.25, 2.0)
Z_LIMITS = (1.96, 3.0)
INTERVAL_LIMITS = (1.0, 1.5)
NO_CHANGE = 0.02
WRONG_SIGN = 3.0


@dataclass(frozen=True)
class Verdict:
    """inside, near, miss or "no result"; `fold` = simulated/published, `z` in standard errors or half-widths.

    `distance` ranks all kinds together, in units of the limit of "inside" (a wrong sign counts as 3).
    """

    verdict: str
    fold: float = math.nan
    z: float = math.nan
    distance: float = math.nan

    @property
    def fold_error(self) -> float:
        """The fold error, at least 1."""
        return max(self.fold, 1 / self.fold) if self.fold > 0 else math.nan


def fold(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """Fold error; a negative or zero simulation of a positive number is a miss."""
    ratio = simulated / row.value if row.value else math.nan
    error = max(ratio, 1 / ratio) if ratio > 0 else math.inf
    return Verdict(_verdict_of(error, FOLD_LIMITS), ratio, distance=math.log(error) / math.log(FOLD_LIMITS[0]))


def z(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """Distance in standard errors of the published number, of its logarithm where it is a ratio."""
    if row.unit in RATIOS:
        distance = math.log(simulated / row.value) / log_standard_error(row) if simulated > 0 else -math.inf
    else:
        distance = (simulated - row.value) / standard_error(row)
    return Verdict(
        _verdict_of(abs(distance), Z_LIMITS), _ratio(simulated, row.value), distance, abs(distance) / Z_LIMITS[0]
    )


def interval(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """Inside the printed range, or inside the band `low`..`high` (printed unit) where the table gives one."""
    if math.isnan(low) and math.isnan(high):
        low, high = (math.nan if bound is None else bound for bound in (row.spread.low, row.spread.high))
    return inside(simulated, low, high, row.value)


def at_least(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """The printed number is a lower bound."""
    return inside(simulated, row.value, math.nan, row.value)


def at_most(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """The printed number is an upper bound."""
    return inside(simulated, math.nan, row.value, row.value)


def sign(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """The direction of a ratio to the baseline or control: up, down, or no change within 2 %."""
    direction = 0 if abs(simulated - 1) < NO_CHANGE else math.copysign(1, simulated - 1)
    right = direction == row.value
    return Verdict("inside" if right else "miss", distance=0.0 if right else WRONG_SIGN)


def inside(simulated: float, low: float, high: float, centre: float = math.nan) -> Verdict:
    """Within two bounds (NaN = open); `z` is in half-widths from the middle of a closed interval."""
    ratio = _ratio(simulated, centre)
    if not (math.isnan(low) or math.isnan(high)):
        half = (high - low) / 2
        distance = (simulated - (low + high) / 2) / half if half else math.inf
        return Verdict(_verdict_of(abs(distance), INTERVAL_LIMITS), ratio, distance, abs(distance))
    bound = high if math.isnan(low) else low
    if (simulated <= bound) if math.isnan(low) else (simulated >= bound):
        return Verdict("inside", ratio, distance=0.0)
    gap = simulated / bound if bound else math.nan
    error = max(gap, 1 / gap) if gap > 0 else math.inf
    return Verdict(
        "near" if error <= FOLD_LIMITS[0] else "miss", ratio, distance=1 + math.log(error) / math.log(FOLD_LIMITS[0])
    )


COMPARISONS: dict[str, Callable[[float, Observation, float, float], Verdict]] = {
    "fold": fold,
    "z": z,
    "interval": interval,
    "at_least": at_least,
    "at_most": at_most,
    "sign": sign,
}


def compare_with_published(
    how: str, simulated: float, row: Observation, low: float = math.nan, high: float = math.nan
) -> Verdict:
    """The verdict on one row; a simulation without a number is "no result"."""
    if math.isnan(simulated):
        return Verdict("no result")
    return COMPARISONS[how](simulated, row, low, high)


def _verdict_of(distance: float, limits: tuple[float, float]) -> str:
    slack = 1 + 1e-9
    return "inside" if distance <= limits[0] * slack else "near" if distance <= limits[1] * slack else "miss"


def _ratio(simulated: float, published: float) -> float:
    return simulated / published if published and simulated / published > 0 else math.nan
