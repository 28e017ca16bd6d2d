"""Rating scales: rules of recall, error, ups and downs."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.trials.rating_scales import load_scales, scale


def test_every_scale_reads_an_output_of_the_model(model):
    for found in load_scales().values():
        assert found.output in model.layout.output_names, found.name
        assert found.low < found.high


def test_items_that_cannot_move_keep_their_last_full_rating():
    short = scale("MADRS-24h")
    hours = [0.0, 2.0, 4.0, 24.0, 28.0, 340.0]
    assert list(short.last_full_ratings(hours, [0] * 6)) == [0, 0, 0, 3, 3, 5]
    now, full = np.array([10.0]), np.array([30.0])
    assert short.true_scores(now, full) == pytest.approx(short.factor * (0.8 * 10 + 0.2 * 30))


def test_a_period_begins_with_a_full_rating():
    assert list(scale("MADRS-24h").last_full_ratings([0.0, 4.0, 100.0, 104.0], [0, 0, 2, 2])) == [0, 0, 2, 2]


def test_ups_and_downs_are_alike_at_near_visits_and_have_their_size():
    rng = np.random.default_rng(1)
    hours = np.tile([0.0, 1.0, 2000.0], (4000, 1))
    own = scale("MADRS").fluctuations(hours, rng.standard_normal((4000, 3)))
    assert own.std(axis=0) == pytest.approx(scale("MADRS").fluctuation_sd, rel=0.06)
    assert np.corrcoef(own[:, 0], own[:, 1])[0, 1] > 0.95
    assert abs(np.corrcoef(own[:, 0], own[:, 2])[0, 1]) < 0.06


def test_fluctuations_act_on_the_log_odds_and_shrink_towards_the_ends_of_a_scale():
    madrs = scale("MADRS")
    up = [
        float(madrs.rated_scores(np.array([truth]), np.array([0.0]), np.array([6.0]))[0]) for truth in (0.0, 5.0, 30.0)
    ]
    assert up[0] == 0
    assert 0 < up[1] - 5 < 0.5 * (up[2] - 30)
    assert up[2] - 30 == pytest.approx(6, abs=0.6)


def test_the_size_of_ups_and_downs_is_a_persons_own_and_their_spread_that_of_the_table():
    rng = np.random.default_rng(2)
    hours = np.tile([0.0, 3000.0, 6000.0], (20000, 1))
    first, one, two = scale("SSI").fluctuations(hours, rng.standard_normal((20000, 3)), rng.standard_normal(20000)).T
    assert one.std() == pytest.approx(scale("SSI").fluctuation_sd, rel=0.06)
    assert np.corrcoef(np.abs(one), np.abs(two))[0, 1] > 0.1
    assert np.mean(one**4) / np.mean(one**2) ** 2 > 4  # tails heavier than the 3 of a normal distribution
    assert first.mean() > 0.7 * scale("SSI").fluctuation_sd  # enrolled at a bad time, which passes
    assert abs(one.mean()) < 0.2


def test_what_is_scored_without_a_drug_lasts_and_lies_between_two_published_sessions():
    """0.94 (SD 1.88) and 3.87 (SD 5.5) points before a drug."""
    rng = np.random.default_rng(3)
    felt = scale("CADSS").background_scores(np.tile([0.0, 24.0], (20000, 1)), rng.standard_normal((20000, 2)))
    assert 0.94 < felt.mean() < 3.87
    assert 1.88 < felt.std() < 5.5
    assert np.corrcoef(felt[:, 0], felt[:, 1])[0, 1] > 0.9
    assert (scale("MADRS").background_scores(np.zeros((3, 2)), np.ones((3, 2))) == 0).all()


def test_less_than_can_be_rated_is_none():
    intensity = scale("CSSRS-ideation")
    truth = np.array([0.3, 1.4, 2.4, 9.0])
    assert intensity.rated_scores(truth, np.zeros(4)).tolist() == [0, 0, 2, 9]


def test_what_is_unknown_stays_unknown():
    assert np.isnan(scale("MADRS").rated_scores(np.array([np.nan]), np.array([0.3])))[0]


def test_an_unknown_scale_is_refused():
    with pytest.raises(InputError) as found:
        scale("MADRSS")
    assert found.value.nearest == "MADRS"


def test_fluctuations_keep_their_size_and_are_correlated_over_the_memory():
    """A first-order autoregression of SD 1: the squares of the weights of independent numbers add up to 1."""
    madrs, hours = replace(scale("MADRS"), enrolment_shift=0.0), np.array([[0.0, 72.0]])
    old, new = (madrs.autocorrelated_course(hours, np.array([z]))[0, 1] for z in ([1.0, 0.0], [0.0, 1.0]))
    assert old == pytest.approx(np.exp(-3 / madrs.correlation_time), rel=1e-12)
    assert old**2 + new**2 == pytest.approx(1, rel=1e-12)
