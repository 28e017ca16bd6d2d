"""Directions of the pathway gains: a known covariance, the words of a product and of a ratio."""

from __future__ import annotations

import numpy as np
import pytest

from ketamech.calibration.calibration_problem import EstimatedParameter, load_estimated
from ketamech.calibration.prior_sensitivity import informed_directions

ESTIMATED = (
    EstimatedParameter("a", 1.0, 0.5, "habenula"),
    EstimatedParameter("b", 1.0, 0.3),
    EstimatedParameter("c", 1.0, 0.5, "expectancy"),
)


def test_a_product_that_is_known_and_a_ratio_that_is_not():
    """Data that see only the sum of two logarithms leave the difference as uncertain as the prior."""
    rng = np.random.default_rng(0)
    total, difference = 0.2 * rng.normal(size=40_000), rng.normal(size=40_000)
    draws = np.column_stack([(total + difference), rng.normal(size=40_000), (total - difference)]) / np.sqrt(2)
    product, ratio = informed_directions(ESTIMATED, draws)
    assert (product.sd, ratio.sd) == pytest.approx((0.2, 1.0), rel=0.02)
    assert product.combination == "habenula × expectancy"
    assert ratio.combination in ("habenula / expectancy", "expectancy / habenula")
    assert product.factor == pytest.approx(np.exp(1.96 * 0.2 / (2**-0.5 / 0.5)), rel=0.01)
    assert product.sentence.startswith(
        "The trials determine habenula × expectancy: it is known to within a factor of 1.3"
    )
    assert ratio.sentence.startswith("The trials hardly inform")


def test_the_shipped_gains_are_the_weights_of_mood():
    assert {p.name: p.gain_unit for p in load_estimated() if p.gain_unit} == {
        "mood.connectivity_weight": "connectivity", "mood.habenula_weight": "habenula",
        "mood.acute_effect_weight": "acute effect", "mood.expectancy_weight": "expectancy",
    }  # fmt: skip
