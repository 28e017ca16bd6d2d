"""Rating scales: rules of recall, error, ups and downs."""

import numpy as np
import pytest

from ketamech.core import BadInput
from ketamech.study.scales import load_scales, scale


def test_every_scale_reads_an_output_of_the_model(model):
    for found in load_scales().values():
        assert found.output in model.layout.output_names, found.name
        assert found.low < found.high


def test_items_that_cannot_move_keep_their_last_full_rating():
    short = scale("MADRS-24h")
    hours = [0.0, 24.0, 168.0, 192.0, 340.0]
    assert list(short.full_ratings(hours, [0] * 5)) == [0, 0, 2, 2, 4]
    now, full = np.array([10.0]), np.array([30.0])
    assert short.truth(now, full) == pytest.approx(short.factor * (0.8 * 10 + 0.2 * 30))


def test_a_period_begins_with_a_full_rating():
    assert list(scale("MADRS-24h").full_ratings([0.0, 24.0, 100.0, 124.0], [0, 0, 2, 2])) == [0, 0, 2, 2]


def test_ups_and_downs_are_alike_at_near_visits_and_have_their_size():
    rng = np.random.default_rng(1)
    hours = np.tile([0.0, 1.0, 2000.0], (4000, 1))
    own = scale("MADRS").ups_and_downs(hours, rng.standard_normal((4000, 3)))
    assert own.std(axis=0) == pytest.approx(scale("MADRS").fluctuation_sd, rel=0.06)
    assert np.corrcoef(own[:, 0], own[:, 1])[0, 1] > 0.95
    assert abs(np.corrcoef(own[:, 0], own[:, 2])[0, 1]) < 0.06


def test_what_is_unknown_stays_unknown():
    assert np.isnan(scale("MADRS").observed(np.array([np.nan]), np.array([0.3])))[0]


def test_an_unknown_scale_is_refused():
    with pytest.raises(BadInput) as found:
        scale("MADRSS")
    assert found.value.nearest == "MADRS"
