"""What prior and data contribute to a posterior: sensitivity to each, and the directions that the data determine.

Sensitivity is measured by power-scaling (Kallioinen 2023): prior or likelihood are raised to a power slightly below and
above 1, and the draws are reweighted with Pareto smoothed importance sampling. The sensitivity of a parameter is the
cumulative Jensen-Shannon distance (Nguyen and Vreeken 2015) between its marginal distributions with and without the
weights, per doubling of the power, as in the R package priorsense. A sensitivity of 0.05 is that of a normal
distribution whose mean moves by a quarter of its standard deviation per doubling.

The pathway gains convert connectivity, habenular activity, the acute experience and expectancy into mood. Eigenvectors
of the posterior covariance of their logarithms, in units of the prior, are independent directions from the best to the
least known one. All other parameters are integrated out. The SD of a direction is 1 if the data say nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.calibration.calibration_problem import EstimatedParameter
from ketamech.calibration.leave_one_trial_out import smoothed_weights
from ketamech.core.constants import Z95

POWERS = (0.99, 1.01)
THRESHOLD = 0.05  # distance per doubling of the power; that of priorsense
CONFLICT, STRONG_PRIOR = "prior and data may conflict", "strong prior or weak data"
DATA_DOMINATE, NEITHER = "data dominate", "hardly sensitive to either"


@dataclass(frozen=True)
class PriorSensitivity:
    """Sensitivity of one parameter to the whole prior, to its own prior alone, and to the likelihood.

    `pareto_k`: the largest Pareto shape of the weights.
    """

    parameter: str
    prior: float
    own_prior: float
    likelihood: float
    pareto_k: float

    @property
    def diagnosis(self) -> str:
        """The sensitivities in words."""
        if self.prior >= THRESHOLD:
            return CONFLICT if self.likelihood >= THRESHOLD else STRONG_PRIOR
        return DATA_DOMINATE if self.likelihood >= THRESHOLD else NEITHER


def prior_sensitivity(names: Sequence[str], draws: np.ndarray, log_likelihood: np.ndarray) -> list[PriorSensitivity]:
    """Sensitivity of each parameter; `draws` [draw, parameter] in SD of the normal prior, `log_likelihood` [draw]."""
    own = -0.5 * draws**2
    whole, k_prior = _sensitivity(draws, own.sum(axis=1))
    data, k_data = _sensitivity(draws, log_likelihood)
    rows = []
    for i, name in enumerate(names):
        alone, k_own = _sensitivity(draws[:, [i]], own[:, i])
        k = max(k_prior, k_data, k_own)
        rows.append(PriorSensitivity(name, float(whole[i]), float(alone[0]), float(data[i]), k))
    return rows


def _sensitivity(draws: np.ndarray, log_part: np.ndarray) -> tuple[np.ndarray, float]:
    """Distance of each marginal per doubling of the power of a part of the posterior, and the largest Pareto shape."""
    distances, shapes = [], []
    for power in POWERS:
        weights, k = smoothed_weights((power - 1) * log_part)
        distances.append([jensen_shannon_distance(values, weights) for values in draws.T])
        shapes.append(k)
    return np.sum(distances, axis=0) / np.log2(POWERS[1] / POWERS[0]), max(shapes)


def jensen_shannon_distance(values: np.ndarray, weights: np.ndarray) -> float:
    """Cumulative Jensen-Shannon distance of draws with equal weights from the same draws with `weights`.

    The larger one for the values and their negatives, so that it does not depend on the sign of a parameter.
    """
    order = np.argsort(values, kind="stable")
    width = np.diff(values[order])
    plain = np.arange(1, len(values)) / len(values)
    weighted = np.cumsum(weights[order] / weights.sum())[:-1]
    return max(_distance(plain, weighted, width), _distance(1 - plain, 1 - weighted, width))


def _distance(p: np.ndarray, q: np.ndarray, width: np.ndarray) -> float:
    """The square root of the symmetric divergence of two distribution functions, as a share of its upper bound."""
    p, q = np.maximum(p, 1e-300), np.maximum(q, 1e-300)
    mean = (p + q) / 2
    divergence = np.sum(width * (p * np.log2(p / mean) + q * np.log2(q / mean)))
    return float(np.sqrt(max(divergence, 0.0) / np.sum(width * (p + q))))


MIN_LOADING_IN_WORDS = 0.2
DETERMINED_SD, INFORMED_SD = 0.5, 0.8  # SD relative to the prior up to which a direction is determined, or informed


@dataclass(frozen=True)
class InformedDirection:
    """A direction of the gains: `loadings` {gain: loading in prior SD}, `exponents` {gain: exponent in the product}.

    `sd`: posterior SD relative to the prior. `factor`, `prior_factor`: the product lies within its median divided and
    multiplied by this factor with 95 % probability.
    """

    loadings: Mapping[str, float]
    exponents: Mapping[str, float]
    sd: float
    factor: float
    prior_factor: float

    @property
    def combination(self) -> str:
        """The product or ratio in words, without gains of small loading, e.g. "connectivity × habenula^0.6"."""
        used = {name: e for name, e in self.exponents.items() if abs(self.loadings[name]) >= MIN_LOADING_IN_WORDS}
        above = [_power(name, e) for name, e in used.items() if e > 0]
        below = [_power(name, -e) for name, e in used.items() if e < 0]
        divisor = f"({' × '.join(below)})" if len(below) > 1 else "".join(below)
        return " × ".join(above) + (f" / {divisor}" if divisor else "")

    @property
    def sentence(self) -> str:
        """What the data say about the direction."""
        verb = (
            "determine"
            if self.sd <= DETERMINED_SD
            else "partly determine"
            if self.sd <= INFORMED_SD
            else "hardly inform"
        )
        return (
            f"The trials {verb} {self.combination}: it is known to within a factor of {self.factor:.2g}"
            f" (95 %), and from the prior alone to within {self.prior_factor:.2g}."
        )


def informed_directions(estimated: Sequence[EstimatedParameter], draws: np.ndarray) -> list[InformedDirection]:
    """Directions of the parameters with a `gain`, best known first; `draws` [draw, parameter] in SD of the prior."""
    places = [i for i, p in enumerate(estimated) if p.gain_unit]
    names, priors = [estimated[i].gain_unit for i in places], np.array([estimated[i].prior_log_sd for i in places])
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(draws[:, places].T)))
    directions = []
    for variance, vector in zip(variances, vectors.T, strict=True):
        largest = np.argmax(np.abs(vector))
        loadings = vector * np.sign(vector[largest])
        exponents = loadings / priors
        size = np.abs(exponents).max()
        sd = float(np.sqrt(variance))
        factors = (float(np.exp(Z95 * sd / size)), float(np.exp(Z95 / size)))
        parts = [dict(zip(names, map(float, each), strict=True)) for each in (loadings, exponents / size)]
        directions.append(InformedDirection(parts[0], parts[1], sd, *factors))
    return directions


def _power(name: str, exponent: float) -> str:
    text = f"{exponent:.1f}"
    return name if text == "1.0" else f"{name}^{text}"
