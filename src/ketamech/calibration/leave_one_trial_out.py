"""Posteriors without one trial each, for predictions of that trial.

The chain of the full posterior is reweighted by the inverse likelihood of the rows that contain data of the trial, with
Pareto smoothed importance sampling (Vehtari 2024). Where the Pareto shape k shows that the weights are not reliable,
the posterior is sampled again on the emulator without these rows. A row belongs to the trial of its evidence row,
except for the sub-analyses and pools of data/calibration/pools.csv.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ketamech.calibration.calibration_problem import CalibrationProblem, StepProgress, in_table_units
from ketamech.calibration.clinical_targets import DIRECTORY, ClinicalTarget
from ketamech.calibration.surrogate_posterior import (
    DesignPoints,
    Posterior,
    QuadraticEmulator,
    emulator_allowance,
    sample_emulated,
)
from ketamech.core import InputError, unit
from ketamech.core.constants import MAX_PARETO_K
from ketamech.core.csv_table import read_records, read_table
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.trials.posterior_draws import load_posterior, posterior_hash


@dataclass(frozen=True)
class TrialFold:
    """The trial of a row; `pool_of` names the trials that a pooled row contains."""

    trial: str
    pool_of: tuple[str, ...] = ()

    def contains(self, trial: str) -> bool:
        """Whether the row has data of this trial."""
        return trial == self.trial or trial in self.pool_of


def fold_of(target: ClinicalTarget) -> TrialFold:
    """The fold of a published row."""
    for patterns, fold in _exceptions():
        if any(fnmatch.fnmatchcase(target.row.id, pattern) for pattern in patterns):
            return fold
    return TrialFold(target.row.trial)


def folds(targets: Sequence[ClinicalTarget]) -> dict[str, np.ndarray]:
    """{trial: mask of the rows that contain its data [row]}, for every trial that has a row of its own or in a pool."""
    assigned = [fold_of(target) for target in targets]
    names = dict.fromkeys(name for fold in assigned for name in (fold.pool_of or (fold.trial,)))
    return {name: np.array([fold.contains(name) for fold in assigned]) for name in names}


@cache
def _exceptions() -> tuple[tuple[tuple[str, ...], TrialFold], ...]:
    exceptions = []
    for row in read_table(DIRECTORY / "pools.csv", ("rows", "trial", "pool_of", "why")):
        pool = row.listed("pool_of")
        if bool(row["trial"]) == bool(pool):
            raise row.error("trial", "a trial and a pool, or neither", expected="one of trial and pool_of")
        name = row["trial"] or "pool of " + ", ".join(pool)
        row.required("rows", "patterns of row ids")
        exceptions.append((row.listed("rows"), TrialFold(name, pool)))
    return tuple(exceptions)


CHAIN_STEPS = 200
DRAWS, SUMMARY = "leave_one_trial_out.csv", "left_out_trials.csv"
SUMMARY_COLUMNS = ("trial", "rows", "pareto_k", "effective_draws", "method", "posterior")


@dataclass(frozen=True)
class LeftOutPosterior:
    """Draws [draw, parameter] (standardised logarithms) without the `rows` rows that contain data of `trial`.

    `pareto_k` and `effective_draws` of the importance weights; `method`: "reweighted" or "refitted".
    """

    trial: str
    rows: int
    pareto_k: float
    effective_draws: float
    method: str
    draws: np.ndarray


def leave_one_trial_out(
    points: DesignPoints, emulator: QuadraticEmulator, posterior: Posterior, count: int, progress: StepProgress, *,
    seed: int = 1, steps: int = CHAIN_STEPS,
) -> Iterator[LeftOutPosterior]:  # fmt: skip
    """The posterior without each trial, in turn, as `count` draws of equal weight."""
    task, random = points.task, np.random.RandomState(seed)
    pool = posterior.thinned()
    statistics = emulator(pool)
    for number, (trial, rows) in enumerate(folds(task.rows).items()):
        progress(number + 1, f"without {trial}")
        yield _without(points, emulator, (pool, statistics), trial, rows, count, steps, random)


def _without(
    points: DesignPoints, emulator: QuadraticEmulator, chain: tuple[np.ndarray, np.ndarray], trial: str,
    rows: np.ndarray, count: int, steps: int, random: np.random.RandomState,
) -> LeftOutPosterior:  # fmt: skip
    pool, statistics = chain
    logs = -conditional_log_likelihood(points, emulator, pool, statistics, rows)
    weights, k = smoothed_weights(logs)
    size = float(1 / np.sum(weights**2))
    chosen = pool[systematic_resample(weights, count, random)]
    if k <= MAX_PARETO_K:
        return LeftOutPosterior(trial, int(rows.sum()), k, size, "reweighted", chosen)
    walkers = 4 * pool.shape[1]
    start = pool[random.choice(len(pool), walkers, replace=False)]
    positions, _ = sample_emulated(points, emulator, start, steps, random, ~rows)
    flat = positions.reshape(-1, pool.shape[1])
    return LeftOutPosterior(
        trial, int(rows.sum()), k, size, "refitted", flat[random.choice(len(flat), count, replace=len(flat) < count)]
    )


def conditional_log_likelihood(
    points: DesignPoints, emulator: QuadraticEmulator, x: np.ndarray, statistics: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Log likelihood [point] of the rows in the mask given all other rows; `statistics` [point, row] of `x`."""
    task: CalibrationProblem = points.task
    _, _, gradients = points.map_and_covariance()
    extra = emulator_allowance(task, emulator)
    trial = np.array([row.trial for row in task.rows])
    beside = np.isin(trial, trial[rows])  # rows that share the study effects of the rows of the mask
    whole = task.log_likelihood(x, statistics, task.trial_likelihood(gradients, extra, beside))
    rest = beside & ~rows
    if not rest.any():
        return whole
    return whole - task.log_likelihood(x, statistics, task.trial_likelihood(gradients, extra, rest))


def smoothed_weights(logs: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto smoothed weights that sum to 1, and the Pareto shape k, of logarithms of importance ratios [draw]."""
    import arviz

    smoothed, k = arviz.psislw(logs - logs.max())
    weights = np.exp(np.asarray(smoothed) - np.max(smoothed))
    return weights / weights.sum(), float(k)


def systematic_resample(weights: np.ndarray, count: int, random: np.random.RandomState) -> np.ndarray:
    """Indices [count] of draws, each as often as its weight says, to within one."""
    places = (np.arange(count) + random.uniform()) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)


def save_left_out(folder: Path, task: CalibrationProblem, posteriors: list[LeftOutPosterior]) -> None:
    """Write the draws and their summary beside `posterior.csv` of the same folder."""
    mark = posterior_hash(load_posterior(folder / "posterior.csv", task.model.parameters))
    names = [p.name for p in task.estimated]
    lines = [",".join(["left_out", *names])]
    summary = [",".join(SUMMARY_COLUMNS)]
    for posterior in posteriors:
        values = in_table_units(task, posterior.draws)
        lines += [",".join([posterior.trial, *(f"{value:.5g}" for value in draw)]) for draw in values]
        numbers = (f"{posterior.pareto_k:.3f}", f"{posterior.effective_draws:.0f}")
        summary.append(",".join([posterior.trial, str(posterior.rows), *numbers, posterior.method, mark]))
    (folder / DRAWS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / SUMMARY).write_text("\n".join(summary) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class LeftOutDraws:
    """Draws without a trial in canonical units, with their Pareto shape and method."""

    trial: str
    rows: int
    pareto_k: float
    effective_draws: float
    method: str
    draws: list[dict[str, float]]


def load_left_out(folder: Path = DIRECTORY, table: ParameterTable | None = None) -> dict[str, LeftOutDraws]:
    """{trial: draws without it} of every trial that the posterior of the folder used.

    Raises InputError where the files do not belong to `posterior.csv`.
    """
    known = table or load_parameters()
    mark = posterior_hash(load_posterior(folder / "posterior.csv", known))
    draws: dict[str, list[dict[str, float]]] = {}
    records = read_records(folder / DRAWS)
    factors = {name: unit(known[name].unit).factor for name in records[0].cells if name != "left_out"}
    for row in records:
        values = {name: row.number(name) * factor for name, factor in factors.items()}
        draws.setdefault(row["left_out"], []).append(values)
    left_out = {}
    for row in read_table(folder / SUMMARY, SUMMARY_COLUMNS):
        if row["posterior"] != mark:
            what = "these draws belong to another posterior.csv"
            how = f"copy posterior.csv, {DRAWS} and {SUMMARY} together from one run of `ketamech calibrate`"
            raise InputError(what, file=folder / SUMMARY, line=row.line, expected=f"posterior {mark}", type_this=how)
        numbers = (int(row.number("rows")), row.number("pareto_k"), row.number("effective_draws"))
        left_out[row["trial"]] = LeftOutDraws(row["trial"], *numbers, row["method"], draws[row["trial"]])
    return left_out
