"""All visits of a trial together: the mixed model for repeated measures (MMRM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.trials.analysis.mixed_model import (
    MixedModelFit,
    NotEstimableError,
    RepeatedMeasures,
    fit_repeated_measures,
)
from ketamech.trials.analysis.treatment_effects import baselines, scores

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["arm", "visit", "difference", "low", "high", "p", "se", "df", "n", "reason"]
NUMBERS = COLUMNS[2:8]


@dataclass(frozen=True)
class _Ratings:
    """Ratings of one replicate, one row each, in order of patients and visits.

    `design` [rating, coefficient]: visit, baseline by visit, and arm by visit; `visits` are the places of the visits in
    the dataset, `others` the arms that are compared with the reference.
    """

    change: np.ndarray
    design: np.ndarray
    patient: np.ndarray
    time: np.ndarray
    arm: np.ndarray
    visits: list[int]
    others: list[str]

    def column(self, arm: int, visit: int) -> int:
        """Place of the coefficient of an arm at a visit."""
        return (2 + arm) * len(self.visits) + visit


def mmrm(dataset: xr.Dataset, scale: str, reference: str, replicate: int = 0) -> pd.DataFrame:
    """Difference from a reference arm at every visit, from all visits of one replicate together.

    Change on visit, baseline by visit and arm by visit, with an unstructured covariance of the visits of a patient, by
    REML, and Satterthwaite degrees of freedom. Ratings may be missing at random. Columns: arm, visit, difference, low,
    high (95 %), p, se, df, n (patients rated in both arms at the visit), reason. What the patients do not determine is
    NaN, and `reason` says why.
    """
    import pandas as pd

    rated = _ratings(dataset, scale, reference, replicate)
    fit, reason = _fitted(rated)
    lines = []
    for a, name in enumerate(rated.others):
        for j, k in enumerate(rated.visits):
            numbers, why = _compared(fit, rated.column(a, j)) if fit else (dict.fromkeys(NUMBERS, float("nan")), reason)
            n = int(((rated.time == j) & ((rated.arm == name) | (rated.arm == reference))).sum())
            lines.append({"arm": name, "visit": str(dataset["visit"].values[k]), **numbers, "n": n, "reason": why})
    return pd.DataFrame(lines, columns=COLUMNS)


def _compared(fit: MixedModelFit, column: int) -> tuple[dict[str, float], str]:
    """One coefficient with its t test and 95 % interval, and why a number is missing."""
    from scipy.stats import t

    weights = np.zeros(len(fit.coefficients))
    weights[column] = 1.0
    difference, se, df = fit.contrast(weights)
    numbers = {**dict.fromkeys(NUMBERS, float("nan")), "difference": difference}
    if not (np.isfinite(se) and se > 0 and np.isfinite(df) and df > 0):
        return numbers, "the error of the difference is not determined"
    reach, p = float(t.ppf(0.975, df)) * se, float(2 * t.sf(abs(difference / se), df))
    return {**numbers, "se": se, "df": df, "p": p, "low": difference - reach, "high": difference + reach}, ""


def _ratings(dataset: xr.Dataset, scale: str, reference: str, replicate: int) -> _Ratings:
    values, base, arm = (part[replicate] for part in scores(dataset, scale))
    first = set(baselines(dataset))
    visits = [k for k in range(values.shape[1]) if k not in first and np.isfinite(values[:, k]).any()]
    others = [str(name) for name in dict.fromkeys(arm.ravel()) if name != reference]
    known = np.isfinite(values[:, visits]) & np.isfinite(base[:, visits])
    patient, time = np.nonzero(known)
    place = np.array(visits, dtype=int)[time]
    centre = float(base[np.isfinite(base)].mean()) if np.isfinite(base).any() else 0.0
    here = np.eye(len(visits))[time]
    parts = [here, here * (base[patient, place] - centre)[:, None]]
    parts += [here * (arm[patient, place] == name)[:, None] for name in others]
    change = values[patient, place] - base[patient, place]
    return _Ratings(change, np.hstack(parts), patient, time, arm[patient, place], visits, others)


def _fitted(rated: _Ratings) -> tuple[MixedModelFit | None, str]:
    """The fit, or why there is none."""
    if reason := _unidentified(rated):
        return None, reason
    try:
        return fit_repeated_measures(RepeatedMeasures(rated.change, rated.design, rated.patient, rated.time)), ""
    except NotEstimableError as problem:
        return None, str(problem)


def _unidentified(rated: _Ratings) -> str:
    """Why the model cannot be fitted at all; empty where it can."""
    people, coefficients = len(set(rated.patient)), rated.design.shape[1]
    if not people or not rated.others:
        return "no patient is rated after baseline"
    if np.linalg.matrix_rank(rated.design) < coefficients:
        return f"{people} patients do not determine {coefficients} coefficients"
    seen = np.zeros((people, len(rated.visits)))
    seen[np.unique(rated.patient, return_inverse=True)[1], rated.time] = 1
    fewest, each = int((seen.T @ seen).min()), coefficients // len(rated.visits)
    needed = each + len(rated.visits)
    if fewest < needed:
        return (
            f"{fewest} patients are rated at both of some two visits; an unstructured covariance of"
            f" {len(rated.visits)} visits with {each} coefficients each needs {needed}"
        )
    return ""
