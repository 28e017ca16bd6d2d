"""Percentile intervals: NaN, nothing, one value, infinite values, axes and weights."""

import numpy as np
import pytest

from ketamech.core.statistics import INTERVAL_95, MEDIAN_AND_95, interval, percentiles, weighted_percentiles


def test_an_interval_holds_the_middle_95_percent_and_leaves_nan_out():
    values = np.random.default_rng(1).permutation(np.arange(1001.0))
    assert interval(values) == (25.0, 975.0)
    assert interval([np.nan, *values, np.nan]) == (25.0, 975.0)
    assert interval(values.reshape(7, 143)) == (25.0, 975.0)


@pytest.mark.parametrize("values", [[], [np.nan], [[np.nan, np.nan]]])
def test_of_nothing_the_interval_is_nan(values):
    assert np.isnan(interval(values)).all()
    assert np.isnan(interval(values, nearest=True)).all()


def test_of_one_value_both_limits_are_that_value():
    assert interval([3.0, np.nan]) == (3.0, 3.0)


def test_the_nearest_value_is_one_of_the_values_and_may_be_infinite():
    values = [1.0, 2.0, np.inf, np.inf]
    assert interval(values, nearest=True) == (1.0, np.inf)


def test_percentiles_of_columns_and_of_rows():
    values = np.arange(12.0).reshape(3, 4)
    assert percentiles(values, (0, 50, 100), axis=0).tolist() == values.tolist()
    assert percentiles(values, (0, 50, 100)).tolist() == [0, 5.5, 11]
    assert percentiles(values, (50,), axis=1).tolist() == [[1.5, 5.5, 9.5]]
    values[:, 0], values[0, 1] = np.nan, np.nan
    found = percentiles(values, (0, 100), axis=0)
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1:].tolist() == [[5, 2, 3], [9, 10, 11]]
    assert percentiles(np.empty((0, 4)), MEDIAN_AND_95, axis=0).shape == (3, 4)


def test_weights_that_are_all_equal_give_the_usual_percentiles():
    values = np.random.default_rng(2).normal(size=20_000)
    found = weighted_percentiles(values, np.full(values.size, 1 / values.size), INTERVAL_95)
    assert found == pytest.approx(np.percentile(values, INTERVAL_95), abs=0.01)
    assert weighted_percentiles(np.array([2.0, 1.0]), np.array([0.0, 1.0]), (50,)) == pytest.approx([1.0])
