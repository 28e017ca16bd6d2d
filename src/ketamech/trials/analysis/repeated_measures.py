"""All visits of a trial together: the mixed model for repeated measures (MMRM).

Every subject has one score at some of the same visits; scores of a subject have covariance Sigma [visit, visit],
restricted to the visits that were observed, and subjects are independent. Sigma is unstructured and estimated by
restricted maximum likelihood (REML). Tests use Satterthwaite degrees of freedom (Giesbrecht and Burns 1985). Scores
that are missing may depend on scores that were observed (missing at random). With complete data this is the
multivariate analysis of variance; with one visit it is least squares. In a crossover (`crossover.py`) the periods take
the place of the visits, and Sigma is that of a random patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core.errors import KetaMechError
from ketamech.core.progress import check_interrupt
from ketamech.trials.analysis.treatment_effects import arms_of, baselines, scores

GRADIENT_TOLERANCE = 1e-6  # of the log likelihood, per element of the scaled Cholesky factor
MIN_EIGENVALUE_RATIO = 1e-6
HESSIAN_STEP = 1e-4  # of each element of Sigma, in SDs of its two visits


class NotEstimableError(KetaMechError):
    """The data do not determine the model; the message says why."""


@dataclass(frozen=True)
class RepeatedMeasures:
    """`score` [observation], `design` [observation, coefficient], `subject` and `visit` (0, 1, ...) of each.

    Sigma is unstructured, or with `exchangeable` visits (compound symmetry) has one variance and one covariance: a
    random patient and a residual, where a negative correlation is allowed so that tests keep their level.
    """

    score: np.ndarray
    design: np.ndarray
    subject: np.ndarray
    visit: np.ndarray
    exchangeable: bool = False

    @property
    def visits(self) -> int:
        """Number of visits."""
        return int(self.visit.max()) + 1

    @cached_property
    def padded(self) -> PaddedScores:
        """Scores and design of all visits of each subject, 0 where there is no score."""
        subjects, row = np.unique(self.subject, return_inverse=True)
        score = np.zeros((len(subjects), self.visits))
        design = np.zeros((*score.shape, self.design.shape[1]))
        seen = np.zeros(score.shape, dtype=bool)
        score[row, self.visit], design[row, self.visit], seen[row, self.visit] = self.score, self.design, True
        masks, pattern = np.unique(seen, axis=0, return_inverse=True)
        return PaddedScores(score, design, masks, pattern.ravel())


@dataclass(frozen=True)
class PaddedScores:
    """`score` [subject, visit] and `design` [subject, visit, coefficient], 0 where missing; `masks` [pattern, visit]
    of the visits that were observed, and the `pattern` of each subject."""

    score: np.ndarray
    design: np.ndarray
    masks: np.ndarray
    pattern: np.ndarray

    def inverses(self, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of Sigma over the observed visits [pattern, visit, visit], 0 elsewhere, and log determinants.

        Raises LinAlgError where Sigma is not positive definite.
        """
        both = self.masks[:, :, None] & self.masks[:, None, :]
        parts = np.where(both, sigma, np.eye(len(sigma)))
        lower = np.linalg.cholesky(parts)
        logs = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        return np.where(both, np.linalg.inv(parts), 0.0), logs


@dataclass(frozen=True)
class MixedModelFit:
    """Coefficients with their `covariance`, Sigma, and the error of Sigma.

    `derivatives` [element, coefficient, coefficient] of the covariance by each element of Sigma (lower triangle; with
    exchangeable visits the residual variance and the covariance); `sigma_covariance` [element, element] of these.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    sigma: np.ndarray
    log_likelihood: float
    derivatives: np.ndarray
    sigma_covariance: np.ndarray

    def contrast(self, weights: np.ndarray) -> tuple[float, float, float]:
        """Estimate, standard error and Satterthwaite degrees of freedom of the sum of `weights` [coefficient] times
        coefficients.
        """
        variance = float(weights @ self.covariance @ weights)
        gradient = np.einsum("p,kpq,q->k", weights, self.derivatives, weights)
        spread = float(gradient @ self.sigma_covariance @ gradient)
        df = 2 * variance**2 / spread if spread > 0 else float("nan")
        return float(weights @ self.coefficients), float(np.sqrt(variance)), df


def fit_repeated_measures(data: RepeatedMeasures) -> MixedModelFit:
    """Fit by REML. Raises NotEstimableError with the reason where the data do not determine the model."""
    from scipy.optimize import minimize

    start = _starting_sigma(data)
    scale = np.sqrt(np.diag(start))
    parameters = _exchangeable(start) if data.exchangeable else _cholesky(start, scale)

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        sigma, chain = parameters.sigma(theta)
        try:
            value, slope, _, _ = restricted_likelihood(data, sigma)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(theta)
        return -value, -chain(slope)

    minimum = minimize(
        cost, parameters.begin, jac=True, method="BFGS", options={"gtol": GRADIENT_TOLERANCE, "maxiter": 500}
    )
    sigma, _ = parameters.sigma(minimum.x)
    eigenvalues = np.linalg.eigvalsh(sigma / np.outer(scale, scale))
    if not np.isfinite(minimum.fun) or eigenvalues[0] < MIN_EIGENVALUE_RATIO * eigenvalues[-1]:
        raise NotEstimableError("the estimated covariance of the visits is singular")
    if np.max(np.abs(minimum.jac)) > 1e-2:
        raise NotEstimableError("the fit did not converge")
    value, _, coefficients, covariance = restricted_likelihood(data, sigma)
    derivatives, information = _derivatives(data, sigma, covariance), error_information(data, sigma)
    if data.exchangeable:
        elements = np.array([(float(j == k), 1.0) for j, k in _elements(data.visits)])
        derivatives, information = np.tensordot(elements.T, derivatives, 1), elements.T @ information @ elements
    try:
        errors = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        raise NotEstimableError("the covariance of the visits is not determined") from None
    return MixedModelFit(coefficients, covariance, sigma, value, derivatives, errors)


def fit_or_reason(data: RepeatedMeasures) -> tuple[MixedModelFit | None, str]:
    """The fit, or why there is none."""
    try:
        return fit_repeated_measures(data), ""
    except NotEstimableError as problem:
        return None, str(problem)


@dataclass(frozen=True)
class _SigmaParameters:
    """Free parameters of Sigma: where the search begins; `sigma` gives Sigma and, from the slope of the likelihood by
    Sigma [visit, visit], that by the parameters."""

    begin: np.ndarray
    sigma: Callable[[np.ndarray], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]


def _cholesky(start: np.ndarray, scale: np.ndarray) -> _SigmaParameters:
    """An unstructured Sigma by its Cholesky factor, with rows divided by `scale`."""
    lower = np.tril_indices(len(start))

    def sigma(theta: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        factor = np.zeros_like(start)
        factor[lower] = theta
        scaled = scale[:, None] * factor
        return scaled @ scaled.T, lambda slope: (2 * scale[:, None] * (slope @ scaled))[lower]

    return _SigmaParameters(np.linalg.cholesky(start / np.outer(scale, scale))[lower], sigma)


def _exchangeable(start: np.ndarray) -> _SigmaParameters:
    """Sigma of exchangeable visits by the logarithms of its eigenvalues: within patients, and of their means."""
    visits = len(start)
    of_mean = np.full((visits, visits), 1 / visits)
    parts = (np.eye(visits) - of_mean, of_mean)
    variances = [np.sum(start * parts[0]) / max(visits - 1, 1), np.sum(start * parts[1])]

    def sigma(theta: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        scaled = [np.exp(log) * part for log, part in zip(theta, parts, strict=True)]
        return scaled[0] + scaled[1], lambda slope: np.array([np.sum(slope * part) for part in scaled])

    return _SigmaParameters(np.log(variances), sigma)


def _starting_sigma(data: RepeatedMeasures) -> np.ndarray:
    """Covariance of least-squares residuals over pairs of visits, made positive definite."""
    beta, _, rank, _ = np.linalg.lstsq(data.design, data.score, rcond=None)
    if rank < data.design.shape[1]:
        people = len(set(data.subject.tolist()))
        raise NotEstimableError(f"{people} patients do not determine {data.design.shape[1]} coefficients")
    residual = np.full((int(data.subject.max()) + 1, data.visits), np.nan)
    residual[data.subject, data.visit] = data.score - data.design @ beta
    known = np.isfinite(residual).astype(float)
    filled = np.nan_to_num(residual)
    sigma = filled.T @ filled / np.maximum(known.T @ known, 1)
    if not (np.diag(sigma) > 1e-12 * max(1.0, float(np.mean(data.score**2)))).all():
        raise NotEstimableError("arm and baseline explain every change, so that there is no error to estimate")
    sds = np.sqrt(np.diag(sigma))
    values, vectors = np.linalg.eigh(sigma / np.outer(sds, sds))
    correlation = vectors @ np.diag(np.maximum(values, 0.05)) @ vectors.T
    ones = np.sqrt(np.diag(correlation))
    return sigma_of(correlation / np.outer(ones, ones), sds)


def sigma_of(correlation: np.ndarray, sds: np.ndarray) -> np.ndarray:
    """Covariance [visit, visit] of a correlation matrix [visit, visit] and SDs [visit]."""
    return correlation * np.outer(sds, sds)


def restricted_likelihood(
    data: RepeatedMeasures, sigma: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Restricted log likelihood, its slope by Sigma, coefficients and their covariance.

    Sigma and the slope are [visit, visit], the coefficients [coefficient], their covariance [coefficient, coefficient].
    """
    check_interrupt()
    padded, count = data.padded, data.design.shape[1]
    inverses, logs = padded.inverses(sigma)
    inverse = inverses[padded.pattern]
    weighted = inverse @ padded.design
    cross = np.einsum("svp,svq->pq", padded.design, weighted)  # einsum: no threads, which would wait for other jobs
    moment = np.einsum("svp,sv->p", weighted, padded.score)
    square = float(np.sum(padded.score * (inverse @ padded.score[:, :, None])[:, :, 0]))
    covariance = np.linalg.inv(cross)
    coefficients = covariance @ moment
    log_determinant = float(logs[padded.pattern].sum() + np.linalg.slogdet(cross)[1])
    value = -0.5 * (log_determinant + square - float(moment @ coefficients))
    value -= 0.5 * (len(data.score) - count) * np.log(2 * np.pi)
    residual = (inverse @ (padded.score - padded.design @ coefficients)[:, :, None])[:, :, 0]
    gain = np.einsum("svp,swp->vw", weighted @ covariance, weighted)
    slope = 0.5 * (residual.T @ residual + gain - inverse.sum(axis=0))
    return value, slope, coefficients, covariance


def _elements(visits: int) -> Iterator[tuple[int, int]]:
    """(row, column) of the lower triangle."""
    return ((j, k) for j in range(visits) for k in range(j + 1))


def _derivatives(data: RepeatedMeasures, sigma: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Derivatives [element, coefficient, coefficient] of the covariance of the coefficients by each element of Sigma
    and its mirror image."""
    inverses, _ = data.padded.inverses(sigma)
    weighted = inverses[data.padded.pattern] @ data.padded.design @ covariance
    derivatives = []
    for j, k in _elements(data.visits):
        change = weighted[:, j].T @ weighted[:, k]
        derivatives.append(change + change.T if j != k else change)
    return np.array(derivatives)


def error_information(data: RepeatedMeasures, sigma: np.ndarray) -> np.ndarray:
    """Observed information [element, element] of the elements of Sigma, by central differences of the slope."""
    elements = list(_elements(data.visits))
    sds = np.sqrt(np.diag(sigma))
    information = np.empty((len(elements), len(elements)))
    for place, (j, k) in enumerate(elements):
        step = HESSIAN_STEP * sds[j] * sds[k]
        slopes = []
        for sign in (1, -1):
            moved = sigma.copy()
            moved[j, k] += sign * step
            moved[k, j] = moved[j, k]
            slope = restricted_likelihood(data, moved)[1]
            slopes.append(np.array([slope[a, b] * (1 if a == b else 2) for a, b in elements]))
        information[place] = -(slopes[0] - slopes[1]) / (2 * step)
    return (information + information.T) / 2


COLUMNS = ["arm", "visit", "difference", "low", "high", "p", "se", "df", "n", "reason"]
NOT_ESTIMATED = dict.fromkeys(COLUMNS[2:8], float("nan"))


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
    rated = _ratings(dataset, scale, reference, replicate)
    reason = _unidentified(rated)
    data = RepeatedMeasures(rated.change, rated.design, rated.patient, rated.time)
    fit, reason = (None, reason) if reason else fit_or_reason(data)
    lines = []
    for a, name in enumerate(rated.others):
        for j, k in enumerate(rated.visits):
            numbers, why = coefficient_test(fit, rated.column(a, j)) if fit else (NOT_ESTIMATED, reason)
            n = int(((rated.time == j) & ((rated.arm == name) | (rated.arm == reference))).sum())
            lines.append({"arm": name, "visit": str(dataset["visit"].values[k]), **numbers, "n": n, "reason": why})
    return pd.DataFrame(lines, columns=COLUMNS)


def coefficient_test(fit: MixedModelFit, column: int) -> tuple[dict[str, float], str]:
    """One coefficient with its t test and 95 % interval, and why a number is missing."""
    from scipy.stats import t

    weights = np.zeros(len(fit.coefficients))
    weights[column] = 1.0
    difference, se, df = fit.contrast(weights)
    numbers = {**NOT_ESTIMATED, "difference": difference}
    if not (np.isfinite(se) and se > 0 and np.isfinite(df) and df > 0):
        return numbers, "the error of the difference is not determined"
    reach, p = float(t.ppf(0.975, df)) * se, float(2 * t.sf(abs(difference / se), df))
    return {**numbers, "se": se, "df": df, "p": p, "low": difference - reach, "high": difference + reach}, ""


def _ratings(dataset: xr.Dataset, scale: str, reference: str, replicate: int) -> _Ratings:
    values, base, arm = (part[replicate] for part in scores(dataset, scale))
    first = set(baselines(dataset))
    visits = [k for k in range(values.shape[1]) if k not in first and np.isfinite(values[:, k]).any()]
    others = [name for name in arms_of(dataset.isel(replicate=[replicate])) if name != reference]
    known = np.isfinite(values[:, visits]) & np.isfinite(base[:, visits])
    patient, time = np.nonzero(known)
    place = np.array(visits, dtype=int)[time]
    centre = float(base[np.isfinite(base)].mean()) if np.isfinite(base).any() else 0.0
    here = np.eye(len(visits))[time]
    parts = [here, here * (base[patient, place] - centre)[:, None]]
    parts += [here * (arm[patient, place] == name)[:, None] for name in others]
    change = values[patient, place] - base[patient, place]
    return _Ratings(change, np.hstack(parts), patient, time, arm[patient, place], visits, others)


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
