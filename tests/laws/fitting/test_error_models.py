"""Residual errors: their derivatives, the probability of censored values, and simulation from them."""

import numpy as np
import pytest
from scipy.stats import norm

from ketamech.fitting.error_models import ADDITIVE, BOUNDED, COMBINED, PROPORTIONAL, ErrorModel

MODELS = [
    ErrorModel(ADDITIVE, 2.0, 0.0, 1e-3),
    ErrorModel(PROPORTIONAL, 0.0, 0.2, 1e-3),
    ErrorModel(COMBINED, 1.0, 0.15, 1e-3),
    ErrorModel(BOUNDED, 0.4, 0.0, 1e-3, 0.0, 60.0),
]
Y = np.array([12.0, 12.0, 12.0, 12.0])
CENSORED = np.array([0, 1, -1, 1])
LIMIT = np.array([-np.inf, -np.inf, -np.inf, 6.0])


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.kind)
def test_the_score_is_the_derivative_of_the_log_likelihood(model):
    for f in (7.0, 12.5, 19.0):
        values = [model.terms(Y, np.full(4, f + step), CENSORED, LIMIT)[0] for step in (-1e-5, 1e-5)]
        _, score, information = model.terms(Y, np.full(4, f), CENSORED, LIMIT)
        np.testing.assert_allclose(score, (values[1] - values[0]) / 2e-5, rtol=1e-5, atol=1e-7)
        assert (information > 0).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.kind)
def test_the_density_of_dv_integrates_to_one(model):
    y = np.linspace(model.low, model.high, 20_001)[1:-1] if model.kind == BOUNDED else np.linspace(-40, 80, 20_001)
    none = np.zeros(len(y))
    logs = model.terms(y, np.full(len(y), 15.0), none, np.full(len(y), -np.inf))[0] + model.constant(y, none)
    share = {BOUNDED: 0.999}.get(model.kind, 1.0)  # the rest lies within half a point beyond the ends of the scale
    assert np.trapezoid(np.exp(logs), y) == pytest.approx(share, abs=2e-3)


def test_censored_values_contribute_their_probability():
    model = ErrorModel(ADDITIVE, 2.0, 0.0, 1e-3)
    value = model.terms(Y, np.full(4, 10.0), CENSORED, LIMIT)[0]
    assert value[1] == pytest.approx(norm.logcdf(1))
    assert value[2] == pytest.approx(norm.logsf(1))
    assert value[3] == pytest.approx(np.log(norm.cdf(1) - norm.cdf(-2)))


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.kind)
def test_the_information_is_the_variance_of_the_score(model):
    f = np.full(200_000, 15.0)
    y = model.simulated(f, np.random.default_rng(3).standard_normal(len(f)))
    none = np.zeros(len(f))
    _, score, information = model.terms(y, f, none, np.full(len(f), -np.inf))
    assert score.var() == pytest.approx(information[0], rel=0.03)
    assert abs(score.mean()) < 0.01 * np.sqrt(information[0]) + 3 * score.std() / np.sqrt(len(f))
    assert model.weighted_residual(y, f).std() == pytest.approx(1, rel=0.02)


def test_a_bounded_scale_is_not_left():
    y = MODELS[3].simulated(np.array([0.5, 59.5]).repeat(1000), np.random.default_rng(1).standard_normal(2000))
    assert y.min() >= 0
    assert y.max() <= 60


def test_a_prediction_that_is_missing_has_no_likelihood():
    value = MODELS[1].terms(Y, np.full(4, np.nan), np.zeros(4), LIMIT)[0]
    assert np.isneginf(value).all()


def test_every_number_has_a_name_and_a_unit():
    assert [model.labels("ng/mL") for model in MODELS] == [
        [("additive", "ng/mL")],
        [("proportional", "1")],
        [("additive", "ng/mL"), ("proportional", "1")],
        [("bounded", "logit")],
    ]
    assert all(len(model.labels("ng/mL")) == len(model.numbers) for model in MODELS)
