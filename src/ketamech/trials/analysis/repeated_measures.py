"""All visits of a trial together: generalised estimating equations (GEE) for repeated measures."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ketamech.trials.analysis.treatment_effects import baselines, scores

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["arm", "visit", "difference", "se", "p", "low", "high", "reason"]


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
    visits: list[int]
    others: list[str]

    def column(self, arm: int, visit: int) -> int:
        """Place of the coefficient of an arm at a visit."""
        return (2 + arm) * len(self.visits) + visit


def gee_repeated_measures(dataset: xr.Dataset, scale: str, reference: str, replicate: int = 0) -> pd.DataFrame:
    """Difference from a reference arm at every visit, from all visits of one replicate together.

    A Gaussian marginal model of change on visit, baseline by visit and arm by visit, fitted by generalised estimating
    equations with an unstructured working correlation within a patient and robust errors (`statsmodels` GEE). It is not
    the mixed model for repeated measures (MMRM): nothing is estimated by REML, and the errors carry no correction for
    small samples. Ratings that are missing must be missing completely at random. Columns: arm, visit, difference, se,
    p, low, high (95 %), reason. What the patients do not determine is NaN, and `reason` says why.
    """
    import pandas as pd

    rated = _ratings(dataset, scale, reference, replicate)
    found, reason = _fitted(rated)
    lines = []
    for a, name in enumerate(rated.others):
        for j, k in enumerate(rated.visits):
            numbers = dict.fromkeys(COLUMNS[2:7], float("nan")) if reason else found[rated.column(a, j)]
            lines.append({"arm": name, "visit": str(dataset["visit"].values[k]), **numbers, "reason": reason})
    return pd.DataFrame(lines, columns=COLUMNS)


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
    return _Ratings(change, np.hstack(parts), patient, time, visits, others)


def _fitted(rated: _Ratings) -> tuple[list[dict[str, float]], str]:
    """The coefficients with errors, tests and intervals; or nothing and why."""
    if reason := _unidentified(rated):
        return [], reason
    from statsmodels.genmod.cov_struct import Independence, Unstructured
    from statsmodels.genmod.generalized_estimating_equations import GEE

    within = Unstructured() if len(rated.visits) > 1 else Independence()
    model = GEE(rated.change, rated.design, groups=rated.patient, time=rated.time, cov_struct=within)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the results are checked below
        try:
            fit = model.fit()
        except (ValueError, np.linalg.LinAlgError):
            return [], "the estimated correlation of the visits is not positive definite"
        interval = fit.conf_int()
        columns: dict[str, Any] = {
            "difference": fit.params, "se": fit.bse, "p": fit.pvalues, "low": interval[:, 0], "high": interval[:, 1],
        }  # fmt: skip
    if not fit.converged:
        return [], "the fit did not converge"
    if not (np.isfinite(fit.bse).all() and (fit.bse > 0).all()):
        return [], "the robust errors are not positive"
    return [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)], ""


def _unidentified(rated: _Ratings) -> str:
    """Why the model cannot be fitted at all; empty where it can."""
    people, coefficients = len(set(rated.patient)), rated.design.shape[1]
    if not people or not rated.others:
        return "no patient is rated after baseline"
    if np.linalg.matrix_rank(rated.design) < coefficients:
        return f"{people} patients do not determine {coefficients} coefficients"
    seen = np.zeros((people, len(rated.visits)))
    seen[np.unique(rated.patient, return_inverse=True)[1], rated.time] = 1
    fewest = int((seen.T @ seen).min())
    if fewest <= coefficients:
        return (
            f"{fewest} patients are rated at both of some two visits; an unstructured correlation"
            f" with {coefficients} coefficients needs more than {coefficients}"
        )
    return ""
