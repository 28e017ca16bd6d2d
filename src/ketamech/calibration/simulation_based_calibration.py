"""Simulation-based calibration of the sampler on the emulator (Talts 2018, Säilynoja 2022).

Parameters are drawn from the prior, restricted to the region where the emulator is used; this is the prior that the
posterior of `surrogate_posterior` has. Data are the emulated statistics with noise of the covariance of the likelihood.
The same sampler, with a shorter chain from the mode of these data, gives draws of the posterior. The rank of the true
value among them is uniform if sampler, likelihood and prior agree. The emulator itself is not tested: its error is
measured by simulation of the draws, and is part of the covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketamech.calibration.calibration_problem import StepProgress
from ketamech.calibration.surrogate_posterior import (
    WALKERS_PER_PARAMETER,
    DesignPoints,
    QuadraticEmulator,
    ValidRegion,
    emulator_allowance,
    sample_emulated,
    split_rhat,
)
from ketamech.core.checkpoint import Arrays
from ketamech.core.environment import short_hash

DRAWS = 99  # compared with each true value: ranks 0 to 99
STEPS = 160  # of the chain of a data set; the first quarter is left out
PRIOR_STEPS = 400  # of elliptical slice sampling for one draw of the restricted prior
MODE_ROUNDS = 12  # Gauss-Newton steps
COVERED_PROBABILITY = 0.9
TEST_LEVEL = 0.05
NULL_TABLES = 10_000  # tables of uniform ranks for the test of the distribution function
MIN_BIN_COUNT, MAX_BINS = 5, 10  # of the chi-square test


@dataclass(frozen=True)
class SimulatedDataSets:
    """Data sets simulated from the emulator, each a unit of the executor of the calibration."""

    points: DesignPoints
    emulator: QuadraticEmulator
    seed: int = 1
    steps: int = STEPS

    def ranks(self, count: int, progress: StepProgress) -> tuple[np.ndarray, np.ndarray]:
        """Ranks [data set, parameter] of the true among the sampled values, and the largest R-hat of each data set."""
        units = {f"{self._name}-{number}": number for number in range(count)}
        ranks = []
        for arrays in self.points.task.executor.map(units, self.one):
            ranks.append(arrays)
            progress(len(ranks), "simulated data sets")
        return np.array([each["ranks"] for each in ranks]), np.array([float(each["rhat"].max()) for each in ranks])

    @property
    def _name(self) -> str:
        best, spread, gradients = self.points.map_and_covariance()
        parts = (self.emulator.centre, self.emulator.weights, self.emulator.error, best, spread, gradients)
        content = b"".join(np.ascontiguousarray(part, dtype=float).tobytes() for part in parts)
        return f"sbc-{short_hash(content + f'{self.seed} {self.steps}'.encode())}"

    def one(self, number: int) -> Arrays:
        """True values, ranks and R-hat of each parameter for one data set."""
        random = np.random.RandomState([self.seed, number])
        truth, data = self.simulate(random)
        points = replace(self.points, task=replace(self.points.task, data=data))
        chain, _ = sample_emulated(points, self.emulator, self._start(points, random), self.steps, random)
        flat = chain.reshape(-1, len(truth))
        chosen = flat[np.linspace(0, len(flat) - 1, DRAWS).astype(int)]
        return {"truth": truth, "ranks": (chosen < truth).sum(axis=0), "rhat": split_rhat(chain)}

    def simulate(self, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        """True values [parameter] and data [row]."""
        best, spread, gradients = self.points.map_and_covariance()
        truth = restricted_prior_draw(ValidRegion(best, np.linalg.inv(spread)), random)
        task = self.points.task
        covariance = task.covariance(truth[None], gradients, emulator_allowance(task, self.emulator))[0]
        noise = np.linalg.cholesky(covariance) @ random.standard_normal(len(covariance))
        return truth, self.emulator(truth[None])[0] + noise

    def _start(self, points: DesignPoints, random: np.random.RandomState) -> np.ndarray:
        """Positions [walker, parameter] about the mode of the data, moved inside the emulator's region."""
        best, spread, _ = points.map_and_covariance()
        region = ValidRegion(best, np.linalg.inv(spread))
        mode, covariance = emulated_mode(points, self.emulator)
        walkers = WALKERS_PER_PARAMETER * len(mode)
        start = mode + random.standard_normal((walkers, len(mode))) @ np.linalg.cholesky(covariance).T
        while not (inside := region.contains(start)).all():
            start[~inside] = best + 0.9 * (start[~inside] - best)
        return start


def restricted_prior_draw(region: ValidRegion, random: np.random.RandomState, steps: int = PRIOR_STEPS) -> np.ndarray:
    """A draw [parameter] of the standard normal prior restricted to a region, by elliptical slice sampling."""
    x = region.centre.copy()
    for _ in range(steps):
        other = random.standard_normal(len(x))
        angle = random.uniform(0, 2 * np.pi)
        low, high = angle - 2 * np.pi, angle
        while not region.contains((new := x * np.cos(angle) + other * np.sin(angle))[None])[0]:
            low, high = (angle, high) if angle < 0 else (low, angle)
            angle = random.uniform(low, high)
        x = new
    return x


def emulated_mode(points: DesignPoints, emulator: QuadraticEmulator) -> tuple[np.ndarray, np.ndarray]:
    """The mode of the emulated posterior and the linearised covariance there, by damped Gauss-Newton steps.

    SDs of study effects, which change no statistic, keep the middle of their prior.
    """
    task = points.task
    best, _, gradients = points.map_and_covariance()
    extra = emulator_allowance(task, emulator)
    likelihood = task.trial_likelihood(gradients, extra)
    whitening = np.linalg.inv(np.linalg.cholesky(task.covariance(np.zeros((1, len(best))), gradients, extra)[0]))

    def log_posterior(x: np.ndarray) -> float:
        return float(task.log_posterior(x[None], emulator(x[None]), likelihood)[0])

    x, damping = best.copy(), 1.0
    for _ in range(MODE_ROUNDS):
        slopes = whitening @ emulator.jacobian(x)
        hessian = slopes.T @ slopes + np.eye(len(x))
        downhill = slopes.T @ (whitening @ (task.published - emulator(x[None])[0])) - x
        step = np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), downhill)
        if log_posterior(x + step) > log_posterior(x):
            x, damping = x + step, damping / 4
        else:
            damping *= 4
    slopes = whitening @ emulator.jacobian(x)
    return x, np.linalg.inv(slopes.T @ slopes + np.eye(len(x)))


@dataclass(frozen=True)
class RankUniformity:
    """Whether the ranks of a parameter are uniform.

    `chi_square_p` and `ecdf_p`: p values of this parameter alone. `uniform`: `ecdf_p` is above the level divided by the
    number of parameters. `coverage` of the central interval with its exact 95 % limits. `mean_rank`: from 0 to 1; above
    0.5 the posterior lies too low.
    """

    parameter: str
    data_sets: int
    mean_rank: float
    chi_square_p: float
    ecdf_p: float
    uniform: bool
    coverage: float
    coverage_low: float
    coverage_high: float


def rank_uniformity(names: Sequence[str], ranks: np.ndarray) -> list[RankUniformity]:
    """Tests of the ranks [data set, parameter] among `DRAWS` draws, with Bonferroni's correction."""
    from scipy.stats import binomtest

    count, null = len(ranks), null_extremes(len(ranks), DRAWS)
    rows = []
    for name, parameter_ranks in zip(names, ranks.T, strict=True):
        p = float((1 + np.sum(null <= _extreme(parameter_ranks, DRAWS) * (1 + 1e-9))) / (1 + len(null)))
        covered = int(_inside(parameter_ranks).sum())
        low, high = binomtest(covered, count).proportion_ci(0.95, method="exact")
        mean = float((parameter_ranks.mean() + 0.5) / (DRAWS + 1))
        numbers = (mean, chi_square_p(parameter_ranks, DRAWS), p, p > TEST_LEVEL / len(names))
        rows.append(RankUniformity(name, count, *numbers, covered / count, float(low), float(high)))
    return rows


def mean_coverage(ranks: np.ndarray) -> tuple[float, float]:
    """Coverage of the central interval over all parameters of ranks [data set, parameter], and its standard error.

    The standard error is over data sets. Coverage is more sensitive to posteriors that are too narrow everywhere than a
    test of each parameter. For the page of the calibration and benchmarks/fit_calibration.py.
    """
    shares = _inside(ranks).mean(axis=1)
    return float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(len(shares)))


def _inside(ranks: np.ndarray) -> np.ndarray:
    """Whether a rank lies in the central interval."""
    tail = round((1 - COVERED_PROBABILITY) / 2 * (DRAWS + 1))
    return (ranks >= tail) & (ranks <= DRAWS - tail)


def chi_square_p(ranks: np.ndarray, draws: int) -> float:
    """p of the chi-square test that ranks [data set] are uniform; NaN with too few data sets for two bins."""
    from scipy.stats import chisquare

    bins = min(MAX_BINS, len(ranks) // MIN_BIN_COUNT)
    if bins < 2:
        return float("nan")
    counts = np.bincount(ranks * bins // (draws + 1), minlength=bins)
    width = np.bincount(np.arange(draws + 1) * bins // (draws + 1), minlength=bins)
    return float(chisquare(counts, len(ranks) * width / width.sum()).pvalue)


def ecdf_band(count: int, draws: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits [rank] that the distribution function of uniform ranks of `count` data sets leaves with probability
    `level` at any rank."""
    from scipy.stats import binom

    gamma = float(np.quantile(null_extremes(count, draws), level))
    share = np.arange(1, draws + 1) / (draws + 1)
    return binom.ppf(gamma / 2, count, share) / count, binom.isf(gamma / 2, count, share) / count


def null_extremes(count: int, draws: int, tables: int = NULL_TABLES, seed: int = 1) -> np.ndarray:
    """The smallest pointwise tail probability of the distribution function [table] for uniform ranks."""
    random = np.random.default_rng(seed)
    tails = _tails(count, draws)
    shares = np.full(draws + 1, 1 / (draws + 1))
    below = np.cumsum(random.multinomial(count, shares, size=tables), axis=1)[:, :-1]
    return np.asarray(tails[below, np.arange(draws)].min(axis=1))


def _extreme(ranks: np.ndarray, draws: int) -> float:
    below = np.cumsum(np.bincount(ranks, minlength=draws + 1))[:-1]
    return float(_tails(len(ranks), draws)[below, np.arange(draws)].min())


def _tails(count: int, draws: int) -> np.ndarray:
    """Two-sided tail probability [number of data sets below, rank] of the binomial distribution."""
    from scipy.stats import binom

    number, share = np.arange(count + 1)[:, None], np.arange(1, draws + 1) / (draws + 1)
    low, high = binom.cdf(number, count, share), binom.sf(number - 1, count, share)
    return np.minimum(1.0, 2 * np.minimum(low, high))
