"""Most probable parameters of each person (maximum a posteriori), with Laplace approximations and posterior samples.

Fisher scoring on the free scale with a line search, for all persons at once: each iteration is one solve for the
sensitivities and one for the trial steps. Samples correct the approximation by importance weights, in one more solve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.fitting.error_models import ErrorModel
from ketamech.fitting.observations import FitData
from ketamech.fitting.predict import Predictor, measured_sensitivities

ITERATIONS = 25
STEPS = np.array([1.0, 0.5, 0.2, 0.05])  # fractions of a step that are tried
MAX_STEP = 1.5  # on the free scale
POINTS, POINTS_DF, PROPOSAL_SCALE = 400, 5.0, 1.2  # importance points: a t distribution, wider than the approximation
MIN_EFFECTIVE_POINTS = 20  # effective points below which the Laplace approximation itself is sampled
CONVERGED = 1e-3  # predicted decrease of -2 log posterior in the next step


@dataclass(frozen=True)
class MapEstimates:
    """Estimates on the free scale of each person, and predictions.

    `mode` [person, parameter], Laplace `covariance` [person, parameter, parameter]; `predicted` [measurement] and its
    derivatives `slopes` [measurement, parameter]; log-likelihood and log posterior [person] without constants.
    """

    mode: np.ndarray
    covariance: np.ndarray
    predicted: np.ndarray
    slopes: np.ndarray
    log_likelihood: np.ndarray
    log_posterior: np.ndarray
    converged: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """SD [person, parameter] on the free scale."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))


def likelihood_terms(
    data: FitData, errors: Sequence[ErrorModel], predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-likelihood, its derivative by the prediction, and the information [..., measurement]."""
    totals = [np.zeros_like(predicted) for _ in range(3)]
    for number, model in enumerate(errors):
        mask = data.number == number
        terms = model.terms(data.value[mask], predicted[..., mask], data.censored[mask], data.limit[mask])
        for total, term in zip(totals, terms, strict=True):
            total[..., mask] = term
    return totals[0], totals[1], totals[2]


def log_likelihood_of_each(data: FitData, errors: Sequence[ErrorModel], predicted: np.ndarray) -> np.ndarray:
    """Log-likelihood [..., measurement] of `likelihood_terms`, alone."""
    if len(errors) == 1:
        return errors[0].log_likelihood(data.value, predicted, data.censored, data.limit)
    total = np.zeros_like(predicted)
    for number, model in enumerate(errors):
        mask = data.number == number
        total[..., mask] = model.log_likelihood(
            data.value[mask], predicted[..., mask], data.censored[mask], data.limit[mask]
        )
    return total


def log_densities(data: FitData, errors: Sequence[ErrorModel], predicted: np.ndarray) -> np.ndarray:
    """Log density of each DV, or log probability of a censored one [..., measurement], with all constants."""
    densities = log_likelihood_of_each(data, errors, predicted)
    for number, model in enumerate(errors):
        mask = data.number == number
        densities[..., mask] += model.constant(data.value[mask], data.censored[mask])
    return densities


def by_person(data: FitData, values: np.ndarray) -> np.ndarray:
    """Sums [..., person] of values [..., measurement], which are in the order of the persons; -inf without a value."""
    starts = np.searchsorted(data.person, np.arange(len(data.persons)))
    sums = np.add.reduceat(values, starts, axis=-1)
    return np.where(np.isnan(sums), -np.inf, sums)


def map_estimates(
    predictor: Predictor, mean: np.ndarray, covariance: np.ndarray, errors: Sequence[ErrorModel],
    start: np.ndarray | None = None, iterations: int = ITERATIONS,
) -> MapEstimates:  # fmt: skip
    """The estimates of every person with normal prior `mean` [person, parameter] and `covariance`, free scale."""
    data, precision = predictor.data, np.linalg.inv(covariance)
    free = (mean if start is None else start).copy()
    converged = np.zeros(len(free), dtype=bool)

    def objective(point: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        likelihood = by_person(data, log_likelihood_of_each(data, errors, predicted))
        deviation = point - mean
        return likelihood, likelihood - 0.5 * np.einsum("...i,ij,...j->...", deviation, precision, deviation)

    for _ in range(max(iterations, 1)):
        predicted, slopes = measured_sensitivities(predictor, free)
        gradient, hessian = curvature(data, errors, predicted, slopes, free - mean, precision)
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        likelihood, current = objective(free, predicted)
        converged = np.einsum("pi,pi->p", step, gradient) < CONVERGED
        if converged.all() or not iterations:
            break
        step *= np.minimum(1.0, MAX_STEP / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        step[converged] = 0.0
        trials = free + STEPS[:, None, None] * step
        _, values = objective(trials, predictor.predictions(trials))
        best = np.argmax(values, axis=0)
        is_better = values[best, np.arange(len(free))] > current
        free = np.where(is_better[:, None], trials[best, np.arange(len(free))], free)
        converged |= ~is_better
        if not is_better.any():
            break
    else:
        predicted, slopes = measured_sensitivities(predictor, free)
        gradient, hessian = curvature(data, errors, predicted, slopes, free - mean, precision)
        likelihood, current = objective(free, predicted)
    return MapEstimates(free, np.linalg.inv(hessian), predicted, slopes, likelihood, current, converged)


def curvature(
    data: FitData, errors: Sequence[ErrorModel], predicted: np.ndarray, slopes: np.ndarray, deviation: np.ndarray,
    precision: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Gradient [person, p] of the log posterior, and its expected information [person, p, p]."""
    _, score, information = likelihood_terms(data, errors, predicted)
    slopes, score, information = (np.nan_to_num(x, posinf=0.0, neginf=0.0) for x in (slopes, score, information))
    gradient, hessian = -deviation @ precision, np.tile(precision, (len(deviation), 1, 1))
    np.add.at(gradient, data.person, slopes * score[:, None])
    np.add.at(hessian, data.person, information[:, None, None] * slopes[:, :, None] * slopes[:, None])
    return gradient, hessian


def posterior_sample(
    predictor: Predictor, mean: np.ndarray, covariance: np.ndarray, errors: Sequence[ErrorModel], modes: MapEstimates,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draws [person, POINTS, parameter] of the posterior of every person, with the arguments of `map_estimates`.

    Points of a t distribution about each mode are resampled by their importance weights. Where a few points have nearly
    all of the weight, draws are those of the Laplace approximation.
    """
    persons, count = modes.mode.shape
    factor = np.linalg.cholesky(modes.covariance)
    normal = rng.standard_normal((persons, POINTS, count))
    standard = normal * np.sqrt(POINTS_DF / rng.chisquare(POINTS_DF, (persons, POINTS, 1)))
    points = modes.mode[:, None] + PROPOSAL_SCALE * standard @ np.swapaxes(factor, 1, 2)
    predicted = predictor.predictions(np.swapaxes(points, 0, 1))
    deviation = points - mean[:, None]
    logs = by_person(predictor.data, log_likelihood_of_each(predictor.data, errors, predicted)).T
    logs -= 0.5 * np.einsum("nki,ij,nkj->nk", deviation, np.linalg.inv(covariance), deviation)
    logs += 0.5 * (POINTS_DF + count) * np.log1p((standard**2).sum(axis=-1) / POINTS_DF)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    quantiles = (np.arange(POINTS) + rng.random((persons, 1))) / POINTS  # systematic resampling
    draws = modes.mode[:, None] + normal @ np.swapaxes(factor, 1, 2)
    for i in np.flatnonzero(1 / (weights**2).sum(axis=1) >= MIN_EFFECTIVE_POINTS):
        indices = np.searchsorted(np.cumsum(weights[i]), quantiles[i])
        draws[i] = points[i, np.minimum(indices, POINTS - 1)]
    return draws


def normal_interval(centre: np.ndarray, sd: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of a central interval of a normal distribution."""
    from scipy.special import ndtri

    half = ndtri(0.5 + level / 2) * sd
    return centre - half, centre + half
