"""The mixed model for repeated measures against a second method, and against its own promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from ketamech.trials.analysis.repeated_measures import (
    NotEstimableError,
    RepeatedMeasures,
    _information,
    _likelihood,
    fit_repeated_measures,
)

SIGMA = np.array([[9.0, 5.0, 3.0], [5.0, 12.0, 6.0], [3.0, 6.0, 16.0]])


def made(patients=14, effect=(0.0, -3.0, -5.0), seed=0, missing=0.2):
    """Two arms, three visits, normal errors with covariance SIGMA, 20 % of the later ratings missing."""
    rng = np.random.default_rng(seed)
    drug = np.arange(patients) % 2
    scores = rng.multivariate_normal(np.zeros(3), SIGMA, patients) + drug[:, None] * np.array(effect)
    seen = np.ones(scores.shape, dtype=bool)
    seen[:, 1:] = rng.random((patients, 2)) >= missing
    subject, visit = np.nonzero(seen)
    here = np.eye(3)[visit]
    return RepeatedMeasures(scores[seen], np.hstack([here, here * drug[subject][:, None]]), subject, visit)


def dense(data, sigma):
    """Restricted log likelihood from the covariance of all observations together."""
    same = data.subject[:, None] == data.subject[None, :]
    whole = np.where(same, sigma[data.visit[:, None], data.visit[None, :]], 0.0)
    inverse = np.linalg.inv(whole)
    cross = data.design.T @ inverse @ data.design
    beta = np.linalg.solve(cross, data.design.T @ inverse @ data.score)
    off = data.score - data.design @ beta
    free = len(data.score) - data.design.shape[1]
    logs = np.linalg.slogdet(whole)[1] + np.linalg.slogdet(cross)[1]
    return -0.5 * (logs + off @ inverse @ off + free * np.log(2 * np.pi)), beta, np.linalg.inv(cross)


def test_the_likelihood_and_its_slope_are_those_of_the_dense_covariance():
    data = made()
    value, slope, beta, covariance = _likelihood(data, SIGMA)
    expected, dense_beta, dense_covariance = dense(data, SIGMA)
    assert value == pytest.approx(expected, rel=1e-10)
    assert beta == pytest.approx(dense_beta)
    assert covariance == pytest.approx(dense_covariance)
    for j, k in ((0, 0), (1, 0), (2, 1)):
        step = np.zeros((3, 3))
        step[j, k] = step[k, j] = 1e-5
        numeric = (dense(data, SIGMA + step)[0] - dense(data, SIGMA - step)[0]) / 2e-5
        assert slope[j, k] * (1 if j == k else 2) == pytest.approx(numeric, rel=1e-4)


def test_the_fit_is_the_maximum_that_a_search_without_gradients_finds():
    data = made()
    fit = fit_repeated_measures(data)

    def cost(theta):
        factor = np.zeros((3, 3))
        factor[np.tril_indices(3)] = theta
        return -dense(data, factor @ factor.T + 1e-9 * np.eye(3))[0]

    begin = np.linalg.cholesky(SIGMA)[np.tril_indices(3)]
    best = minimize(cost, begin, method="Nelder-Mead", options={"maxiter": 6000, "fatol": 1e-10, "xatol": 1e-8})
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-5)
    assert fit.coefficients == pytest.approx(dense(data, fit.sigma)[1])


def test_derivatives_of_the_errors_are_those_by_differences():
    data = made()
    fit = fit_repeated_measures(data)
    step = np.zeros((3, 3))
    step[2, 1] = step[1, 2] = 1e-4
    numeric = (_likelihood(data, fit.sigma + step)[3] - _likelihood(data, fit.sigma - step)[3]) / 2e-4
    assert fit.derivatives[4] == pytest.approx(numeric, rel=1e-4, abs=1e-7)  # elements 00 10 11 20 21 22
    assert np.linalg.eigvalsh(_information(data, fit.sigma)).min() > 0


def test_degrees_of_freedom_lie_between_completers_and_all_patients():
    data = made(patients=20)
    fit = fit_repeated_measures(data)
    _, _, df = fit.contrast(np.array([0, 0, 0, 0, 0, 1.0]))
    rated_last = int((data.visit == 2).sum())
    assert rated_last - 4 < df < 20 - 2 + 1e-6


def test_a_test_of_nothing_rejects_at_its_level_in_small_trials():
    """14 patients, three visits, missing ratings: 5 % within binomial error of 160 trials."""
    from scipy.stats import t

    rejected = refused = 0
    for seed in range(160):
        try:
            fit = fit_repeated_measures(made(effect=(0, 0, 0), seed=seed))
        except NotEstimableError:
            refused += 1
            continue
        difference, se, df = fit.contrast(np.array([0, 0, 0, 0, 0, 1.0]))
        rejected += 2 * t.sf(abs(difference / se), df) < 0.05
    assert 1 <= rejected <= 17  # 8 expected; 99.9 % limits
    assert refused < 8


def test_data_that_determine_nothing_are_refused_with_the_reason():
    data = made(patients=4)
    with pytest.raises(NotEstimableError, match=r"determine|singular|converge"):
        fit_repeated_measures(RepeatedMeasures(data.score[:5], data.design[:5], data.subject[:5], data.visit[:5]))
