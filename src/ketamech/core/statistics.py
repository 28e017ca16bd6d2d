"""Percentiles and percentile intervals by one rule: NaN is left out, and of nothing the result is NaN."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

INTERVAL_95 = (2.5, 97.5)  # percentiles
MEDIAN_AND_95 = (2.5, 50.0, 97.5)


def percentiles(
    values: Any, percents: Sequence[float], axis: int | None = None, *, nearest: bool = False
) -> np.ndarray:  # fmt: skip
    """Percentiles [percent, ...] of all `values`, or along one axis; values that are NaN are left out.

    Interpolated linearly, or with `nearest` one of the values, as infinite values need. NaN where no value is left.
    """
    array = np.asarray(values, dtype=float)
    array, axis = (array.ravel(), 0) if axis is None else (array, axis)
    if not array.size:
        return np.full((len(percents), *np.delete(array.shape, axis)), np.nan)
    method = "nearest" if nearest else "linear"
    if not np.isnan(array).any():
        return np.percentile(array, percents, axis=axis, method=method)  # type: ignore[call-overload]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "All-NaN slice": NaN is the result
        return np.nanpercentile(array, percents, axis=axis, method=method)  # type: ignore[call-overload]


def interval(values: Any, *, nearest: bool = False) -> tuple[float, float]:
    """The limits between which the middle 95 % of the values [any shape] lie, by the rule of `percentiles`."""
    low, high = percentiles(values, INTERVAL_95, nearest=nearest)
    return float(low), float(high)


def weighted_percentiles(values: np.ndarray, weights: np.ndarray, percents: Sequence[float]) -> np.ndarray:
    """Percentiles [percent] of weighted draws [draw], interpolated; the weights sum to 1."""
    order = np.argsort(values)
    return np.interp(np.array(percents) / 100, np.cumsum(weights[order]), values[order])
