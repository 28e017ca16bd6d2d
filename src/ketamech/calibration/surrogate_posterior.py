"""Posterior from a few hundred simulated points: an emulator, MCMC on the emulator, and a check by simulation.

Design points are drawn from the linearised posterior about the mode, widened by half. Each statistic is emulated by a
ridge regression on all terms up to the second degree, with a penalty chosen by cross-validation; the cross-validated
error is added to the likelihood. This smooths the Monte Carlo error of finite arms. emcee samples the emulated
posterior in seconds; its draws are then simulated to measure the error of the emulator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ketamech.calibration.calibration_problem import CalibrationProblem, StepProgress, in_table_units, no_progress
from ketamech.core.statistics import INTERVAL_95, percentiles

PRIOR_WIDENING, FOLDS = 1.5, 5
MAX_PRIOR_SD, MAX_DESIGN_DISTANCE = 5.0, 2.0  # SD of the prior; root mean square distance in SD of the design points
RIDGE_PENALTIES = (1e-2, 1e-1, 1.0, 10.0, 100.0)
WALKERS_PER_PARAMETER, STEPS, THINNING = 4, 1200, 10
REWEIGHTED_DRAWS = 10_000
MAX_MODE_STEPS = 8
MIN_CONTRACTION = 0.1  # with a smaller contraction the trials do not inform the parameter
MIN_EFFECT = 0.25  # a row is informative if one prior SD of the parameter changes it by at least this many noise SD
MAX_EVIDENCE_IDS = 6


@dataclass
class DesignPoints:
    """Design points of a calibration; its `executor` stores them, so that an interrupted run can be resumed."""

    task: CalibrationProblem
    seed: int = 1
    centre: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def map_and_covariance(
        self, rounds: int = 0, progress: StepProgress = no_progress
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The posterior mode, the linearised covariance about it and the study gradients there; computed once."""
        if self.centre is None:
            best = self.task.map_estimate(rounds, progress)
            self.centre = (best, *self.task.spread(best))
        return self.centre

    def sample(
        self, count: int, progress: StepProgress, *, rounds: int = MAX_MODE_STEPS
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points [point, parameter] about the mode and their statistics [point, row]."""
        best, spread, _ = self.map_and_covariance(rounds, progress)
        random = np.random.RandomState(self.seed)
        z = random.standard_normal((count, len(best)))
        x = np.clip(best + PRIOR_WIDENING * z @ np.linalg.cholesky(spread).T, -MAX_PRIOR_SD, MAX_PRIOR_SD)
        return x, self.task.simulated_statistics(x, progress, "near")


@dataclass(frozen=True)
class QuadraticEmulator:
    """Second-degree ridge regressions: `weights` [term, row] about `centre`; `error` [row] cross-validated."""

    centre: np.ndarray
    weights: np.ndarray
    error: np.ndarray

    @classmethod
    def fitted(cls, x: np.ndarray, simulated: np.ndarray) -> QuadraticEmulator:
        """Fit statistics [point, row] at points [point, parameter]; points without a result are left out."""
        known = np.isfinite(simulated).all(axis=1)
        x, simulated = x[known], simulated[known]
        middle, terms = x.mean(axis=0), _terms(x - x.mean(axis=0))
        fold = np.arange(len(x)) % FOLDS
        errors = []
        for penalty in RIDGE_PENALTIES:
            guess = np.empty_like(simulated)
            for k in range(FOLDS):
                guess[fold == k] = terms[fold == k] @ _ridge(terms[fold != k], simulated[fold != k], penalty)
            errors.append(np.sqrt(np.mean((guess - simulated) ** 2, axis=0)))
        best = np.argmin(errors, axis=0)
        weights = np.column_stack(
            [_ridge(terms, simulated[:, [r]], RIDGE_PENALTIES[b])[:, 0] for r, b in enumerate(best)]
        )
        return cls(middle, weights, np.min(errors, axis=0))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Statistics [point, row] at points [point, parameter]."""
        return _terms(x - self.centre) @ self.weights

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Derivatives of the statistics [row, parameter] at a point [parameter]."""
        n, off = len(x), x - self.centre
        i, j = _pairs(n)
        terms = np.zeros((len(self.weights), n))
        terms[1 : n + 1] = np.eye(n)
        squares = np.arange(n + 1, len(self.weights))
        terms[squares, i] += off[j]
        terms[squares, j] += off[i]
        return self.weights.T @ terms


@dataclass(frozen=True)
class ValidRegion:
    """Where the emulator is used: within twice the size of the cloud of design points, and within the clipped prior."""

    centre: np.ndarray
    inverse_covariance: np.ndarray

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether the emulator is used at points [point, parameter]."""
        off = x - self.centre
        away = np.einsum("pi,pi->p", off @ self.inverse_covariance, off) / (PRIOR_WIDENING**2 * len(self.centre))
        return (np.abs(x) < MAX_PRIOR_SD).all(axis=1) & (away < MAX_DESIGN_DISTANCE**2)


@dataclass(frozen=True)
class Posterior:
    """`chain` [step, walker, parameter] on the emulator, `logs`, `draws` [draw, parameter], and their check.

    `emulator_error`: root mean square of emulated minus simulated statistics of the draws, in units of each row's
    noise.
    `effective_size`: effective number of draws when weighted by simulated over emulated likelihood, Monte Carlo error
    included. `predicted`: simulated statistics [draw, row], without noise.
    """

    chain: np.ndarray
    logs: np.ndarray
    draws: np.ndarray
    emulator_error: float
    effective_size: float
    predicted: np.ndarray | None = None

    def thinned(self, count: int = REWEIGHTED_DRAWS) -> np.ndarray:
        """About `count` draws of the chain [draw, parameter], equally spaced."""
        flat = self.chain.reshape(-1, self.chain.shape[-1])
        return flat[:: max(1, len(flat) // count)]


def sample_posterior(
    points: DesignPoints,
    emulator: QuadraticEmulator,
    draws: int,
    progress: StepProgress,
    *,
    steps: int = STEPS,
    seed: int = 1,
) -> Posterior:
    """Sample the emulated posterior with emcee (differential evolution), and simulate `draws` of it as a check."""
    task, n = points.task, len(points.task.estimated)
    best, spread, gradients = points.map_and_covariance(progress=progress)
    random = np.random.RandomState(seed)
    start = best + random.standard_normal((WALKERS_PER_PARAMETER * n, n)) @ np.linalg.cholesky(spread).T
    extra = emulator_allowance(task, emulator)
    chain, logs = sample_emulated(points, emulator, start, steps, random)
    flat = chain.reshape(-1, n)
    some = flat[random.choice(len(flat), draws, replace=False)]
    simulated, guess = task.simulated_statistics(some, progress, "draws"), emulator(some)
    true = task.log_posterior(some, simulated, task.trial_likelihood(gradients))
    emulated = task.log_posterior(some, guess, task.trial_likelihood(gradients, extra))
    weights = np.exp(true - emulated - np.max(true - emulated))
    off = float(np.sqrt(np.nanmean(((guess - simulated) / task.noise) ** 2)))
    return Posterior(chain, logs, some, off, float(weights.sum() ** 2 / np.sum(weights**2)), simulated)


def emulator_allowance(task: CalibrationProblem, emulator: QuadraticEmulator) -> np.ndarray:
    """SD [row] that the likelihood allows for the error of the emulator."""
    return np.minimum(emulator.error, 2 * task.noise)


def sample_emulated(
    points: DesignPoints, emulator: QuadraticEmulator, start: np.ndarray, steps: int, random: np.random.RandomState,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Sample the emulated posterior of all rows, or of those in the mask `rows`, with emcee.

    `start` [walker, parameter]. Returns positions [step, walker, parameter] and their logs [step, walker] without the
    first quarter. Points far from the design points have probability 0 (`ValidRegion`).
    """
    import emcee

    task, n = points.task, len(points.task.estimated)
    best, spread, gradients = points.map_and_covariance()
    region = ValidRegion(best, np.linalg.inv(spread))
    likelihood = task.trial_likelihood(gradients, emulator_allowance(task, emulator), rows)

    def log_posterior(x: np.ndarray) -> np.ndarray:
        return np.where(region.contains(x), task.log_posterior(x, emulator(x), likelihood), -np.inf)

    moves = [(emcee.moves.DEMove(), 0.8), (emcee.moves.StretchMove(), 0.2)]  # DESnookerMove of emcee 3.1 is biased
    sampler = emcee.EnsembleSampler(len(start), n, log_posterior, vectorize=True, moves=moves)
    sampler.run_mcmc(emcee.State(start, random_state=random.get_state()), steps, thin_by=THINNING)
    return sampler.get_chain()[steps // 4 :], sampler.get_log_prob()[steps // 4 :]


def prior_contraction(draws: np.ndarray) -> np.ndarray:
    """Contraction of each parameter [parameter]: 1 - posterior SD / prior SD."""
    return 1 - draws.std(axis=0)


def convergence(chain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split R-hat and autocorrelation time (steps) of each parameter; positions [step, walker, parameter]."""
    import emcee

    return split_rhat(chain), emcee.autocorr.integrated_time(chain, quiet=True)


def effective_sizes(chain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bulk and tail effective sample size of each parameter (Vehtari and others 2021); [step, walker, parameter].

    The walkers count as chains. They move by the positions of each other, so that both are upper limits.
    """
    import arviz

    chains = np.moveaxis(chain, 0, 1)
    bulk, tail = (
        np.array([arviz.ess(chains[:, :, i], method=method) for i in range(chains.shape[2])])
        for method in ("bulk", "tail")
    )
    return bulk, tail


def split_rhat(chain: np.ndarray) -> np.ndarray:
    """Split R-hat of each parameter [parameter]; positions [step, walker, parameter]."""
    half = len(chain) // 2
    parts = np.concatenate([chain[:half], chain[half : 2 * half]], axis=1)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = half * parts.mean(axis=0).var(axis=0, ddof=1)
    return np.asarray(np.sqrt(((half - 1) / half * within + between / half) / within))


def updated_rows(task: CalibrationProblem, draws: np.ndarray, emulator: QuadraticEmulator) -> list[dict[str, str]]:
    """Rows of the parameter tables with posterior medians, status `calibrated` and the informative evidence.

    `draws` [draw, parameter]: standardised logarithms of the draws that trials use; value and spread are their median
    and SD. Only parameters that the trials inform, whose posterior is narrower than the prior and on which a row
    depends, and those whose table value is a posterior median already: no table keeps that of an earlier posterior.
    """
    middle, narrower = np.median(draws, axis=0), prior_contraction(draws)
    values = in_table_units(task, middle[None])[0]
    low, high = percentiles(in_table_units(task, draws), INTERVAL_95, axis=0)
    rows = []
    for i, p in enumerate(task.estimated):
        row, evidence = task.model.parameters[p.name], _informative_rows(task, emulator, middle, i)
        if (narrower[i] >= MIN_CONTRACTION and evidence) or row.status == "calibrated":
            rows.append({
                "name": p.name, "value": f"{values[i]:.3g}", "unit": row.unit,
                "spread": f"lognormal {p.prior_log_sd * float(draws[:, i].std()):.2g}", "status": "calibrated",
                "evidence": ";".join(evidence or row.evidence),
                "locator": f"median of the posterior of whole trials; 95 % {low[i]:.3g} to {high[i]:.3g}",
                "reason": row.reason, "bounds": " ".join(f"{edge:g}" for edge in row.row_bounds or ()),
            })  # fmt: skip
    return rows


def _informative_rows(
    task: CalibrationProblem, emulator: QuadraticEmulator, middle: np.ndarray, place: int
) -> list[str]:
    """Ids of the fitted rows that are most sensitive to the parameter at a place, strongest first."""
    step = 0.5 * np.eye(len(middle))[place]
    up, down = emulator(np.array([middle + step, middle - step]))
    moved = np.abs(up - down) / task.noise
    order = [k for k in np.argsort(-moved) if moved[k] >= MIN_EFFECT]
    return list(dict.fromkeys(task.rows[k].row.id for k in order))[:MAX_EVIDENCE_IDS]


def _terms(x: np.ndarray) -> np.ndarray:
    """1, every parameter, and every product of two."""
    i, j = _pairs(x.shape[1])
    return np.column_stack([np.ones(len(x)), x, x[:, i] * x[:, j]])


@cache
def _pairs(n: int) -> tuple[np.ndarray, ...]:
    return np.triu_indices(n)


def _ridge(terms: np.ndarray, values: np.ndarray, penalty: float) -> np.ndarray:
    size = np.full(terms.shape[1], penalty)
    size[0] = 0.0
    return np.linalg.solve(terms.T @ terms + np.diag(size), terms.T @ values)
