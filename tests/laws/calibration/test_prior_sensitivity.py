"""Power-scaling: closed forms of a normal posterior, diagnoses, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from ketamech.calibration.prior_sensitivity import (
    CONFLICT,
    DATA_DOMINATE,
    NEITHER,
    STRONG_PRIOR,
    jensen_shannon_distance,
    prior_sensitivity,
)

DRAWS = 20_000


def normal_posterior(mean, sd, data, noise):
    """Draws at equally spaced probabilities of the posterior of a normal mean with prior N(mean, sd)."""
    precision = 1 / sd**2 + 1 / noise**2
    middle = (mean / sd**2 + data / noise**2) / precision
    return norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS, middle, precision**-0.5)


def sensitivity(data, noise):
    draws = normal_posterior(0, 1, data, noise)
    (found,) = prior_sensitivity(["a"], draws[:, None], -0.5 * ((data - draws) / noise) ** 2)
    return found


def exact_distance(middle, sd, other, other_sd):
    """The distance of two normal distributions by quadrature."""
    x = np.linspace(middle - 12 * sd, middle + 12 * sd, 400_001)
    found = []
    for side in (norm.cdf, norm.sf):
        p, q = side(x, middle, sd) + 1e-300, side(x, other, other_sd) + 1e-300
        inside = x < np.inf
        weight = np.where(inside, p * np.log2(2 * p / (p + q)) + q * np.log2(2 * q / (p + q)), 0)
        low, high = norm.ppf([0.5 / DRAWS, 1 - 0.5 / DRAWS], middle, sd)
        within = (x > low) & (x < high)
        found.append(np.sqrt(weight[within].sum() / (p + q)[within].sum()))
    return max(found)


def test_the_sensitivity_of_a_normal_mean_is_the_closed_form():
    """The power a of the prior N(0, 1) gives the precision a + 1 / noise^2."""
    data, noise = 2.0, 1.0
    moved = []
    for power in (0.99, 1.01):
        precision = power + noise**-2
        moved.append(exact_distance(1.0, 0.5**0.5, data / noise**2 / precision, precision**-0.5))
    expected = sum(moved) / np.log2(1.01 / 0.99)
    assert sensitivity(data, noise).prior == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("data", "noise", "words"),
    [(2.0, 1.0, CONFLICT), (0.3, 5.0, STRONG_PRIOR), (0.0, 0.05, DATA_DOMINATE), (3.0, 0.02, DATA_DOMINATE)],
)
def test_diagnoses(data, noise, words):
    assert sensitivity(data, noise).diagnosis == words


def test_a_parameter_that_the_data_do_not_concern_depends_on_its_own_prior_only():
    rng = np.random.default_rng(1)
    known, unknown = normal_posterior(0, 1, 1.0, 0.5), rng.normal(size=DRAWS)
    rng.shuffle(known)
    first, second = prior_sensitivity(["a", "b"], np.column_stack([known, unknown]), -2 * (1.0 - known) ** 2)
    assert second.likelihood < 0.02 < second.own_prior
    assert second.diagnosis == STRONG_PRIOR
    assert first.likelihood > 0.05
    assert max(first.pareto_k, second.pareto_k) < 0.7
    assert first.diagnosis != NEITHER


def test_the_distance_is_zero_without_weights_and_does_not_depend_on_sign_or_scale():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=500), rng.uniform(0.5, 1.5, 500)
    assert jensen_shannon_distance(values, np.ones(500)) == pytest.approx(0, abs=1e-8)
    found = jensen_shannon_distance(values, weights)
    assert 0 < found < 1
    assert jensen_shannon_distance(-3 * values + 7, weights) == pytest.approx(found, rel=1e-9)
