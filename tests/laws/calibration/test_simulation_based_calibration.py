"""Simulation-based calibration: uniform ranks of a right sampler, a wrong one found, resumption, tests of ranks."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import truncnorm

from ketamech.calibration import simulation_based_calibration as sbc
from ketamech.calibration.calibration_problem import CalibrationProblem, EstimatedParameter
from ketamech.calibration.surrogate_posterior import DesignPoints, Posterior, QuadraticEmulator, ValidRegion
from ketamech.core.checkpoint import open_checkpoint
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.exchange.result_metadata import write_table
from ketamech.report import calibration_report as tables
from ketamech.report.calibration_report import draw_ranks
from ketamech.trials.posterior_draws import posterior_hash

SLOPES = np.array([[1.0, 0.5], [0.0, 1.0], [1.0, -1.0]])  # [row, parameter]


@dataclass
class Linear:
    """Two parameters with prior N(0, 1), three rows with normal noise; the error of the data may be larger."""

    data: np.ndarray | None = None
    executor: Executor = LOCAL_EXECUTOR
    wrong: float = 1.0
    killed_at: int = 10**9
    estimated: tuple = tuple(EstimatedParameter(name, 1.0, 1.0) for name in "ab")
    rows: tuple = tuple(SimpleNamespace(trial=name) for name in "xyy")
    noise: np.ndarray = field(default_factory=lambda: np.array([0.5, 1.0, 0.7]))
    study_effects: tuple = ()

    @property
    def published(self):
        return np.array([0.4, -0.2, 0.1]) if self.data is None else self.data

    def covariance(self, x, gradients, extra=0.0):
        if self.data is None:
            self.killed_at -= 1
            if self.killed_at < 0:
                raise KeyboardInterrupt
        return self.wrong**2 * CalibrationProblem.covariance(self, x, gradients, extra)

    _study_sds = CalibrationProblem._study_sds
    trial_likelihood = CalibrationProblem.trial_likelihood
    log_likelihood = CalibrationProblem.log_likelihood
    log_posterior = CalibrationProblem.log_posterior


def exact(task):
    precision = np.eye(2) + (SLOPES / task.noise[:, None] ** 2).T @ SLOPES
    covariance = np.linalg.inv(precision)
    return covariance @ SLOPES.T @ (task.published / task.noise**2), covariance


def data_sets(**how):
    task = Linear(**how)
    weights = np.zeros((6, 3))
    weights[1:3] = SLOPES.T
    points = DesignPoints(task, centre=(*exact(task), np.empty((0, 3))))
    return sbc.SimulatedDataSets(points, QuadraticEmulator(np.zeros(2), weights, np.zeros(3)), steps=40)


def quiet(done, words):
    pass


def test_ranks_of_the_sampler_are_uniform_and_intervals_cover():
    ranks, rhat = data_sets().ranks(25, quiet)
    found = sbc.rank_uniformity(["a", "b"], ranks)
    assert all(one.uniform for one in found)
    assert all(one.coverage_low < 0.9 < one.coverage_high for one in found)
    assert np.median(rhat) < 1.1


def test_a_wrong_error_of_the_data_is_found():
    """Data four times as noisy as the likelihood says: the posteriors are too narrow, the ranks lie at the ends."""
    ranks, _ = data_sets(wrong=4.0).ranks(25, quiet)
    found = sbc.rank_uniformity(["a", "b"], ranks)
    assert not any(one.uniform for one in found)
    assert max(one.coverage for one in found) < 0.8


def test_an_interrupted_run_continues_with_the_same_ranks(tmp_path):
    whole, _ = data_sets().ranks(4, quiet)
    with pytest.raises(KeyboardInterrupt), open_checkpoint(tmp_path, {}) as pieces:
        data_sets(executor=Executor(pieces), killed_at=2).ranks(4, quiet)
    with open_checkpoint(tmp_path, {}, resume=True) as pieces:
        assert len(list(pieces)) >= 1
        again, _ = data_sets(executor=Executor(pieces)).ranks(4, quiet)
    np.testing.assert_array_equal(again, whole)


def test_the_mode_is_that_of_a_linear_model():
    sets = data_sets(data=np.array([2.0, -1.0, 0.5]))
    sets.points.centre = (np.zeros(2), *sets.points.centre[1:])
    mode, covariance = sbc.emulated_mode(sets.points, sets.emulator)
    expected = exact(sets.points.task)
    assert mode == pytest.approx(expected[0], abs=1e-3)
    assert covariance == pytest.approx(expected[1])


def test_the_slope_of_an_emulator_is_that_of_differences():
    rng = np.random.default_rng(0)
    emulator = QuadraticEmulator(rng.normal(size=3), rng.normal(size=(10, 4)), np.zeros(4))
    x, step = rng.normal(size=3), 1e-6
    moved = (emulator(x + step * np.eye(3)) - emulator(x - step * np.eye(3))) / (2 * step)
    assert emulator.jacobian(x) == pytest.approx(moved.T, abs=1e-6)


def test_draws_of_the_restricted_prior_are_a_truncated_normal():
    """The region in one dimension is an interval: 3 SD of the design points to both sides of the centre."""
    region = ValidRegion(np.array([1.0]), np.array([[36.0]]))
    draws = np.array([sbc.restricted_prior_draw(region, np.random.RandomState(i), 20)[0] for i in range(2000)])
    reach = 3 / 6
    expected = truncnorm(1 - reach, 1 + reach)
    assert np.abs(draws - 1).max() < reach
    assert draws.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / 2000**0.5)
    assert draws.std() == pytest.approx(expected.std(), rel=0.06)


def test_tests_of_uniform_and_of_shifted_ranks():
    rng = np.random.default_rng(3)
    even = rng.integers(0, 100, size=(200, 20))
    found = sbc.rank_uniformity([str(i) for i in range(20)], even)
    assert all(one.uniform for one in found)
    assert 0.02 < np.mean([one.ecdf_p for one in found]) < 0.98
    assert 0.02 < np.mean([one.chi_square_p for one in found]) < 0.98
    low = np.minimum(even[:, :2], rng.integers(0, 100, size=(200, 2)))
    shifted = sbc.rank_uniformity(["a", "b"], low)
    assert not any(one.uniform for one in shifted)
    assert max(one.chi_square_p for one in shifted) < 1e-4
    assert max(one.mean_rank for one in shifted) < 0.4


def test_the_interval_of_equally_spread_ranks_covers_exactly():
    (one,) = sbc.rank_uniformity(["a"], np.arange(100)[:, None])
    assert one.coverage == 0.9
    assert one.mean_rank == pytest.approx(0.5)
    assert one.ecdf_p > 0.99
    even = np.random.default_rng(0).permuted(np.tile(np.arange(100)[:, None], 24), axis=0)
    mean, error = sbc.mean_coverage(even)
    assert mean == pytest.approx(0.9)
    assert error == pytest.approx(0.3 / np.sqrt(2400), rel=0.3)  # of a share of 2,400 ranks


def test_the_band_of_the_distribution_function_holds_its_level():
    null = sbc.null_extremes(50, 99, tables=4000, seed=9)
    low, high = sbc.ecdf_band(50, 99, 0.05)
    assert (low <= high).all()
    gamma = np.quantile(sbc.null_extremes(50, 99), 0.05)
    assert np.mean(null < gamma) == pytest.approx(0.05, abs=0.02)


def test_diagnostics_are_written_beside_the_posterior_and_read_only_with_it(tmp_path):
    sets = data_sets()
    chain = np.random.default_rng(0).multivariate_normal(*exact(Linear()), size=(60, 8))
    posterior = Posterior(chain, chain[:, :, 0], chain.reshape(-1, 2)[:10], 0.0, 1.0)
    ranks = np.random.default_rng(1).integers(0, 100, size=(20, 2))
    found = tables.diagnostic_tables(sets.points, sets.emulator, posterior, ranks)
    assert list(found) == [tables.SENSITIVITY, tables.UNIFORMITY, tables.RANKS]  # no parameter of the toy is a gain
    draws = [{"a": 0.1, "b": 0.2}]
    for name, table in found.items():
        write_table(table, tmp_path / name, {tables.POSTERIOR_HASH_KEY: posterior_hash(draws)})
        again = tables.load_diagnostic(tmp_path, name, draws)
        assert list(again) == list(table)
        assert tables.load_diagnostic(tmp_path, name, [{"a": 0.1, "b": 0.3}]) is None
    assert set(found[tables.SENSITIVITY]["parameter"]) == {"a", "b"}
    assert (found[tables.SENSITIVITY]["likelihood"] > 0).all()
    assert [path.suffix for path in draw_ranks(tmp_path, found[tables.RANKS])] == [".png", ".svg"]
