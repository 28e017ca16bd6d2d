"""Weights of virtual patients: targets are met, least change, effective size, raking as a second method, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.population.weights import (
    effective_size,
    prevalence_weights,
    tilted_weights,
    weighted_mean_and_sd,
)


def moments(x):
    return {"mean": x, "square": x**2}


def test_weights_meet_mean_and_square_and_are_those_of_a_normal_tilt():
    """From N(0, 1) to N(0.5, 0.8): the weights are the ratio of the densities, up to the sample."""
    x = np.random.default_rng(0).normal(size=200_000)
    weights = tilted_weights(moments(x), {"mean": 0.5, "square": 0.5**2 + 0.8**2})
    assert weights.mean() == pytest.approx(1)
    assert weighted_mean_and_sd(x, weights) == pytest.approx((0.5, 0.8), abs=1e-6)
    ratio = np.exp(-0.5 * ((x - 0.5) / 0.8) ** 2 + 0.5 * x**2) / 0.8
    assert weights[np.abs(x) < 2] == pytest.approx(ratio[np.abs(x) < 2], rel=0.05)


def test_no_other_weights_with_these_means_have_more_entropy():
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    weights = tilted_weights(moments(x), {"mean": 0.3, "square": 1.2})
    entropy = -np.sum(weights * np.log(weights))
    fixed = np.stack([np.ones(300), x, x**2])
    for _ in range(20):
        move = rng.normal(size=300)
        move -= fixed.T @ np.linalg.solve(fixed @ fixed.T, fixed @ move)
        other = weights + 0.1 * weights.min() * move / np.abs(move).max()
        assert other @ x / 300 == pytest.approx(0.3, abs=1e-6)
        assert -np.sum(other * np.log(other)) < entropy


def test_targets_near_the_edge_of_a_bounded_score_are_met():
    """Many at the ends of the scale: the last Newton steps change the height by less than its rounding."""
    rng = np.random.default_rng(5)
    score = np.clip(np.round(rng.normal(18, 12, 2000)), 0, 60)
    for mean, sd in ((13.5, 13.9), (40.0, 15.0), (18.0, 22.0)):
        features = {"mean": score, "SD": (score - mean) ** 2 / sd}
        weights = tilted_weights(features, {"mean": mean, "SD": sd})
        assert weighted_mean_and_sd(score, weights) == pytest.approx((mean, sd), abs=1e-6)


def test_targets_that_already_hold_change_nothing():
    x = np.random.default_rng(2).normal(size=500)
    weights = tilted_weights(moments(x), {"mean": x.mean(), "square": np.mean(x**2)})
    assert weights == pytest.approx(np.ones(500), abs=1e-6)
    assert effective_size(weights) == pytest.approx(500)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"mean": 9.0}, "meet mean 9"),
        ({"mean": 1.0, "square": 0.5}, "together"),
        ({"mean": 2, "square": 4.1}, "only"),
    ],
)
def test_targets_that_cannot_be_met_are_refused(targets, words):
    x = np.random.default_rng(3).normal(size=400)
    with pytest.raises(InputError, match=words):
        tilted_weights(moments(x), targets, least_effective=60)


def raked(groups, targets):
    """Each share scaled in turn until all are met."""
    weights = np.ones(len(next(iter(groups.values()))))
    for _ in range(200):
        for name, shares in targets.items():
            for member, share in shares.items():
                inside = groups[name] == member
                weights[inside] *= share / (weights[inside].sum() / weights.sum())
    return weights / weights.mean()


def test_shares_of_groups_are_met_as_by_raking():
    rng = np.random.default_rng(0)
    groups = {"male": rng.random(2000) < 0.4, "region": rng.integers(0, 3, 2000)}
    targets = {"male": {True: 0.5, False: 0.5}, "region": {0: 0.2, 1: 0.2, 2: 0.6}}
    weights = prevalence_weights(groups, targets)
    assert weights == pytest.approx(raked(groups, targets), rel=1e-6)
    assert weights[groups["male"]].sum() / weights.sum() == pytest.approx(0.5, abs=1e-9)
    assert 1000 < effective_size(weights) < 2000
    assert effective_size(np.ones(10)) == pytest.approx(10)


def test_a_share_of_zero_leaves_its_members_out():
    groups = {"male": np.array([True, False, True, False])}
    assert prevalence_weights(groups, {"male": {True: 1.0, False: 0.0}}).tolist() == [2, 0, 2, 0]


def test_wrong_shares_are_refused():
    groups = {"male": np.array([True, False, True])}
    with pytest.raises(InputError, match=r"add up to 0\.9"):
        prevalence_weights(groups, {"male": {True: 0.5, False: 0.4}})
    with pytest.raises(InputError, match="no patient drawn"):
        prevalence_weights({"male": np.array([True, True])}, {"male": {True: 0.5, False: 0.5}})
