"""Sensitivity of the posterior to its prior and to the likelihood, by power-scaling (Kallioinen 2023).

Prior or likelihood are raised to a power slightly below and above 1. The draws are reweighted accordingly, with Pareto
smoothed importance sampling. The sensitivity of a parameter is the cumulative Jensen-Shannon distance (Nguyen and
Vreeken 2015) between its marginal distributions with and without the weights, per doubling of the power, as in the R
package priorsense. A sensitivity of 0.05 is that of a normal distribution whose mean moves by a quarter of its standard
deviation per doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.estimation.leave_one_trial_out import smoothed_weights

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
    found = []
    for i, name in enumerate(names):
        alone, k_own = _sensitivity(draws[:, [i]], own[:, i])
        k = max(k_prior, k_data, k_own)
        found.append(PriorSensitivity(name, float(whole[i]), float(alone[0]), float(data[i]), k))
    return found


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
