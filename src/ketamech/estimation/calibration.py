"""Estimation of the parameters that clinical trials inform, from whole simulated trials.

Every evaluation simulates the arms of the fitted trials with the same virtual patients (common random numbers), so that
only the parameters change the result. Besides the printed numbers, the standard deviations within arms are fitted. The
likelihood of a row is normal about the simulated statistic; its variance is the sum of the printed standard error, the
Monte Carlo error of the simulated arm and a discrepancy (differences between settings, and model error). Parameters
vary on the logarithmic scale about the median of their prior. `surrogate_posterior` samples the posterior.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ketamech.core import UnknownNameError, closest_match, unit
from ketamech.core.checkpoint import Arrays
from ketamech.core.csv_table import read_table
from ketamech.core.execution import LOCAL, Executor
from ketamech.estimation.clinical_targets import (
    DIRECTORY,
    ClinicalTarget,
    load_clinical_targets,
    load_spread_targets,
    shipped_trial,
    standard_error_of,
    statistic,
)
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.simulation.model import Model, load_model
from ketamech.trials.design import Trial
from ketamech.trials.run_trial import run_trial

PEOPLE, SCALES = DIRECTORY.parent / "people", DIRECTORY.parent / "scales"
PATIENTS_PER_ARM = 120  # in each simulated arm
DISCREPANCY = {
    "points": 2.0,
    "percent": 8.0,
    "effect": 0.25,
    "days": 4.0,
}  # SD of setting and model error, by kind of statistic
SEED = 20
MAX_STEP_SD = 0.25  # finite-difference step in SD of the prior: responder rates of 120 patients must change
MAX_DISTANCE_SD = 6.0  # SD of the prior; no simulation beyond
Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class EstimatedParameter:
    """A parameter to estimate: the median of its prior (canonical) and the prior SD of its logarithm.

    The prior has a table of its own, so that adopting a posterior does not change the prior of the next calibration.
    """

    name: str
    default: float
    prior: float


def load_estimated(table: ParameterTable | None = None) -> tuple[EstimatedParameter, ...]:
    """The parameters of data/calibration/parameters.csv. Raises InputError for an unknown one."""
    known = table or load_parameters()
    found = []
    for row in read_table(DIRECTORY / "parameters.csv", ("parameter", "prior_middle", "prior_spread", "why")):
        name = row.required("parameter", "a parameter")
        if name not in known:
            raise row.error("parameter", f"no parameter '{name}'", expected="a name", near=closest_match(name, known))
        middle = row.number("prior_middle") * unit(known[name].unit).factor
        found.append(EstimatedParameter(name, middle, row.number("prior_spread")))
    return tuple(found)


@dataclass(frozen=True)
class Calibration:
    """The model, the estimated parameters and the fitted rows.

    Every simulated point is a unit of `executor`: an interrupted search repeats its path and reuses stored points.
    """

    model: Model
    estimated: tuple[EstimatedParameter, ...]
    rows: tuple[ClinicalTarget, ...]
    patients_per_arm: int = PATIENTS_PER_ARM
    threads: int = os.cpu_count() or 1
    executor: Executor = LOCAL

    @property
    def job_description(self) -> dict[str, object]:
        """Everything that determines the statistics of a point, for the checkpoint."""
        return {
            "persons": self.patients_per_arm,
            "seed of persons": SEED,
            "estimated": [f"{p.name} {p.default!r} {p.prior!r}" for p in self.estimated],
            "rows": [
                " ".join([r.row.id, repr(r.published), r.trial, r.arm, r.control_arm, r.scale, r.visit, r.statistic])
                for r in self.rows
            ],
            "held fixed": self.fingerprint,
            "equations": self.model.layout.fingerprint,
        }

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """Each fitted trial, reduced to the required arms and visits."""
        return {name: self._without_unused_visits(name) for name in dict.fromkeys(row.trial for row in self.rows)}

    def _without_unused_visits(self, name: str) -> Trial:
        trial = shipped_trial(name)
        rows = [row for row in self.rows if row.trial == name]
        needed = {row.arm for row in rows} | {row.control_arm for row in rows}
        arms = [arm for arm in trial.arms if arm.name in needed or trial.washout]
        last = max(v.time for v in trial.visits for r in rows if r.visit in (v.name, "any"))
        following = any(row.statistic in ("median relapse", "still well") for row in rows)
        visits = [v for v in trial.visits if v.time <= last or following]
        scales = {row.scale for row in rows}
        return replace(
            trial,
            arms=tuple(replace(arm, n=self.patients_per_arm) for arm in arms),
            visits=tuple(replace(v, scales=tuple(s for s in v.scales if s in scales)) for v in visits),
            scales={s: trial.scales[s] for s in trial.scales if s in scales},
            window=0.0,
        )

    @property
    def published(self) -> np.ndarray:
        """Printed numbers [row]."""
        return np.array([row.published for row in self.rows])

    @cached_property
    def noise(self) -> np.ndarray:
        """SD of the published about the simulated number [row]: printed error, Monte Carlo error, discrepancy."""
        found = []
        for row in self.rows:
            own = standard_error_of(row)
            simulated = own * np.sqrt((row.row.n or self.patients_per_arm) / self.patients_per_arm)
            found.append(np.hypot(np.hypot(own, min(simulated, own)), DISCREPANCY[_discrepancy_kind(row)]))
        return np.array(found)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the fixed inputs: parameter values, trial files, populations and scales."""
        folders = [PEOPLE, SCALES]
        texts = [file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.glob("*.csv"))]
        texts += [trial.source for trial in self.trials.values()]
        moved = {p.name for p in self.estimated}
        texts += [f"{name} {row.canonical!r}" for name, row in self.model.parameters.items() if name not in moved]
        return hashlib.sha256("|".join(texts).encode()).hexdigest()[:16]

    def values(self, x: np.ndarray) -> dict[str, float]:
        """Canonical values of standardised logarithms `x` [parameter]."""
        return {
            p.name: _clip(p.name, p.default * float(np.exp(p.prior * z)))
            for p, z in zip(self.estimated, x, strict=True)
        }

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """The statistics [row] at standardised logarithms `x`; NaN where a trial gave none."""
        return self.simulated_statistics(x[None])[0]

    def simulated_statistics(self, x: np.ndarray, tell: Progress | None = None, words: str = "") -> np.ndarray:
        """Statistics [point, row] at points [point, parameter]; `tell` receives the number of finished points."""
        found = []
        for arrays in self.executor.map({_name(point): point for point in x}, self.simulate_point):
            found.append(arrays["found"])
            if tell:
                tell(len(found), words)
        return np.array(found)

    def simulate_point(self, x: np.ndarray) -> Arrays:
        """Simulate one point."""
        draw = self.values(x)
        data = {
            name: run_trial(
                replace(trial, values={**draw, **trial.values}), self.model, seed=SEED, threads=self.threads
            )
            for name, trial in self.trials.items()
        }
        return {"found": np.array([statistic(row, data[row.trial])[0] for row in self.rows])}

    def log_posterior(self, x: np.ndarray) -> float:
        """Logarithm of prior times likelihood, up to a constant."""
        if not np.all(np.abs(x) < MAX_DISTANCE_SD):
            return -np.inf
        return self.log_posterior_parts(x, self.simulate(x))

    def log_posterior_parts(self, x: np.ndarray, found: np.ndarray, extra: np.ndarray | float = 0.0) -> float:
        """The same from given statistics [row] with an additional error of SD `extra`."""
        if not np.all(np.isfinite(found)):
            return -np.inf
        noise = np.hypot(self.noise, extra)
        return float(-0.5 * np.sum(((found - self.published) / noise) ** 2 + 2 * np.log(noise)) - 0.5 * np.sum(x**2))

    def map_estimate(self, rounds: int, tell: Progress) -> np.ndarray:
        """The posterior mode by damped Gauss-Newton steps from the prior median [parameter]."""
        x = np.zeros(len(self.estimated))
        found, damping = self.simulate(x), 1.0
        value = self._cost(x, found)
        for number in range(rounds):
            slopes = self.jacobian(x, found)
            for _ in range(4):
                hessian = slopes.T @ slopes + np.eye(len(x))
                step = np.linalg.solve(
                    hessian + damping * np.diag(np.diag(hessian)),
                    slopes.T @ ((self.published - found) / self.noise) - x,
                )
                there = np.clip(x + step, -4, 4)
                new = self.simulate(there)
                cost = self._cost(there, new)
                if cost < value:
                    x, found, value, damping = there, new, cost, damping / 3
                    break
                damping *= 3
            tell(number + 1, f"misfit {value:.1f}")
        return x

    def spread(self, x: np.ndarray) -> np.ndarray:
        """Posterior covariance [parameter, parameter] for statistics that are linear about `x`."""
        slopes = self.jacobian(x, self.simulate(x))
        return np.linalg.inv(slopes.T @ slopes + np.eye(len(x)))

    def jacobian(self, x: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Derivatives of the statistics, in units of their noise [row, parameter]."""
        moved = self.simulated_statistics(x + MAX_STEP_SD * np.eye(len(x)))
        return (moved - found).T / MAX_STEP_SD / self.noise[:, None]

    def _cost(self, x: np.ndarray, found: np.ndarray) -> float:
        cost = float(np.sum(((found - self.published) / self.noise) ** 2) + np.sum(x**2))
        return cost if np.isfinite(cost) else np.inf


def calibration(
    model: Model | None = None, *, persons: int = PATIENTS_PER_ARM, threads: int | None = None
) -> Calibration:
    """The shipped calibration: every row and spread marked fitted against the parameters of the table."""
    subset = model or load_model()
    targets = (*load_clinical_targets(), *load_spread_targets())
    rows = tuple(row for row in targets if row.fitted and row.row.use == "calibrate")
    return Calibration(subset, load_estimated(subset.parameters), rows, persons, threads or os.cpu_count() or 1)


def profile(task: Calibration, best: np.ndarray, slopes: np.ndarray, place: int, grid: np.ndarray) -> np.ndarray:
    """Misfit (minus twice the log posterior) with one parameter fixed at each of `grid`.

    The others are optimised by one Gauss-Newton step with the `slopes` at `best`, exact for linear statistics.
    """
    free = [i for i in range(len(best)) if i != place]
    x = np.tile(best, (len(grid), 1))
    x[:, place] = grid
    off = (task.published - task.simulated_statistics(x)) / task.noise
    hessian = slopes[:, free].T @ slopes[:, free] + np.eye(len(free))
    for point, misses in zip(x, off, strict=True):
        point[free] += np.linalg.solve(hessian, slopes[:, free].T @ misses - point[free])
    inside = np.all(np.abs(x) < MAX_DISTANCE_SD, axis=1)
    found = np.full(len(grid), np.inf)
    reached = zip(x[inside], task.simulated_statistics(x[inside]), strict=True)
    found[inside] = [-2 * task.log_posterior_parts(point, values) for point, values in reached]
    return found


def in_table_units(task: Calibration, x: np.ndarray) -> np.ndarray:
    """Standardised logarithms [draw, parameter] as values in the units of the parameter tables."""
    table = task.model.parameters
    factors = [unit(table[p.name].unit).factor for p in task.estimated]
    return np.array([[v / f for v, f in zip(task.values(draw).values(), factors, strict=True)] for draw in x])


def _name(x: np.ndarray) -> str:
    return f"point-{hashlib.sha256(np.ascontiguousarray(x, dtype=float).tobytes()).hexdigest()[:20]}"


def _clip(name: str, value: float) -> float:
    return min(value, 0.95) if name.endswith("_share") else value


def _discrepancy_kind(row: ClinicalTarget) -> str:
    if row.statistic == "median relapse":
        return "days"
    if row.statistic == "effect size":
        return "effect"
    return "percent" if row.is_share or row.statistic == "share difference" else "points"


def select_parameters(names: Sequence[str], task: Calibration) -> Calibration:
    """The calibration of some parameters only. Raises UnknownNameError."""
    known = {p.name: p for p in task.estimated}
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"'{name}' is not estimated", expected=", ".join(known), nearest=closest_match(name, known)
            )
    return replace(task, estimated=tuple(known[name] for name in names))
