"""Estimation of the parameters that clinical trials inform, from whole simulated trials.

Every evaluation simulates the fitted trials with the same virtual patients (common random numbers), so that only the
parameters change the result; a trial has the same patients in all its arms, and others than the other trials. Besides
the printed numbers, the standard deviations within arms are fitted. The likelihood is normal about the simulated
statistics. The variance of a row is the sum of the printed standard error, the Monte Carlo error of the simulated arm
and a model error. Rows of one trial also share the study effects of that trial: its control response and its drug
effect differ from the average of trials (data/calibration/study_effects.csv), with standard deviations that are
estimated. Parameters vary on the logarithmic scale about the median of their prior.
`surrogate_posterior` samples the posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ketamech.calibration.clinical_targets import (
    DIRECTORY,
    ClinicalTarget,
    TrialLikelihood,
    load_clinical_targets,
    load_spread_targets,
    standard_error_of,
    statistic,
)
from ketamech.core import require_known, unit
from ketamech.core.checkpoint import Arrays
from ketamech.core.csv_table import read_constants, read_table
from ketamech.core.environment import available_threads, short_hash
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.simulation.model import Model, folder_of_equations, load_model
from ketamech.trials.design import Trial
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import shipped_trial

PEOPLE, SCALES = DIRECTORY.parent / "people", DIRECTORY.parent / "scales"
PATIENTS_PER_ARM = 120
MODEL_ERROR = DIRECTORY / "model_error.csv"  # SD, by kind of statistic
SEED = 20
DIFFERENCE_STEP_SD = 0.25  # finite-difference step in SD of the prior: responder rates of 120 patients must change
MAX_DISTANCE_SD = 6.0  # SD of the prior; no simulation beyond
MAX_MAP_DISTANCE_SD = 4.0  # SD of the prior; the search for the mode stays within
MAX_STEP_TRIES = 4  # each with three times the damping
StepProgress = Callable[[int, str], None]
MODE_SEARCH = "log posterior"  # how the text of each step of the search for the posterior mode begins


def no_progress(done: int, words: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class EstimatedParameter:
    """A parameter to estimate: the median of its prior (canonical) and the prior SD of its logarithm.

    The prior has a table of its own, so that adopting a posterior does not change the prior of the next calibration.
    `gain_unit`: what it weighs, for the parameters that convert a pathway into mood; empty for others.
    """

    name: str
    prior_median: float
    prior_log_sd: float
    gain_unit: str = ""


def load_estimated(table: ParameterTable | None = None, variant: str = "") -> tuple[EstimatedParameter, ...]:
    """The parameters of data/calibration/parameters.csv, and those of a variant with equations of its own.

    Raises InputError for an unknown one.
    """
    known = table or load_parameters()
    parameters = []
    columns = ("parameter", "prior_middle", "prior_spread", "why", "gain")
    folders = [DIRECTORY, *([folder_of_equations(variant)] if variant else [])]
    for row in (row for at in folders for row in read_table(at / "parameters.csv", columns, optional=("gain",))):
        name = row.known("parameter", known, "a name", what="no parameter")
        middle = row.number("prior_middle") * unit(known[name].unit).factor
        parameters.append(EstimatedParameter(name, middle, row.number("prior_spread"), row["gain"]))
    return tuple(parameters)


@dataclass(frozen=True)
class TrialEffect:
    """A difference between trials: the parameter of its SD, and the parameters that act as it does in one trial."""

    name: str
    sd_parameter: str
    parameters: tuple[str, ...]


def load_study_effects() -> tuple[TrialEffect, ...]:
    """The rows of data/calibration/study_effects.csv. Raises InputError."""
    rows = read_table(DIRECTORY / "study_effects.csv", ("study_effect", "sd_parameter", "parameter", "why"))
    by_effect: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        by_effect.setdefault((row["study_effect"], row["sd_parameter"]), []).append(row["parameter"])
    return tuple(TrialEffect(name, sd, tuple(parameters)) for (name, sd), parameters in by_effect.items())


@dataclass(frozen=True)
class CalibrationProblem:
    """The model, the estimated parameters and the fitted rows.

    Every simulated point is a unit of `executor`: an interrupted search repeats its path and reuses stored points.
    `data` [row] takes the place of the published numbers, for inference from simulated data.
    """

    model: Model
    estimated: tuple[EstimatedParameter, ...]
    rows: tuple[ClinicalTarget, ...]
    patients_per_arm: int = PATIENTS_PER_ARM
    threads: int = available_threads()
    executor: Executor = LOCAL_EXECUTOR
    data: np.ndarray | None = field(default=None, compare=False)

    @property
    def job_description(self) -> dict[str, object]:
        """Everything that determines the statistics of a point, for the checkpoint."""
        return {
            "patients_per_arm": self.patients_per_arm,
            "seed of patients": SEED,
            "cohorts": "one for each trial, the same in all arms",
            "estimated": [f"{p.name} {p.prior_median!r} {p.prior_log_sd!r}" for p in self.estimated],
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
        scales = {row.scale for row in rows} | trial.decision_scales
        return replace(
            trial,
            arms=tuple(replace(arm, n=self.patients_per_arm) for arm in arms),
            visits=tuple(replace(v, scales=tuple(s for s in v.scales if s in scales)) for v in visits),
            scales={s: trial.scales[s] for s in trial.scales if s in scales},
            window=0.0,
            events={},
            study_size=trial.study_size or trial.patients,
            paired_arms=not trial.washout,
        )

    @cached_property
    def published(self) -> np.ndarray:
        """Printed numbers [row], or the `data` that take their place."""
        return np.array([row.published for row in self.rows]) if self.data is None else self.data

    @cached_property
    def noise(self) -> np.ndarray:
        """SD of the published about the simulated number [row]: printed error, Monte Carlo error, model error."""
        errors, model_error = [], read_constants(MODEL_ERROR)
        for row in self.rows:
            own = standard_error_of(row)
            simulated = own * np.sqrt((row.row.n or self.patients_per_arm) / self.patients_per_arm)
            errors.append(np.hypot(np.hypot(own, min(simulated, own)), model_error[_kind_of_error(row)]))
        return np.array(errors)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the fixed inputs: parameter values, trial files, populations and scales."""
        folders = [PEOPLE, SCALES]
        texts = [file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.glob("*.csv"))]
        texts += [trial.source for trial in self.trials.values()]
        moved = {p.name for p in self.estimated}
        texts += [f"{name} {row.canonical!r}" for name, row in self.model.parameters.items() if name not in moved]
        return short_hash("|".join(texts))

    def values(self, x: np.ndarray) -> dict[str, float]:
        """Canonical values of standardised logarithms `x` [parameter]."""
        return {
            p.name: _clip(p.name, p.prior_median * float(np.exp(p.prior_log_sd * z)))
            for p, z in zip(self.estimated, x, strict=True)
        }

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """The statistics [row] at standardised logarithms `x`; NaN where a trial gave none."""
        return self.simulated_statistics(x[None])[0]

    def simulated_statistics(self, x: np.ndarray, progress: StepProgress = no_progress, words: str = "") -> np.ndarray:
        """Statistics [point, row] at points [point, parameter], of which some may be equal; `progress` receives the
        number of finished points."""
        names = [_name(point) for point in x]
        units = dict(zip(names, x, strict=True))
        statistics: dict[str, np.ndarray] = {}
        for name, arrays in zip(units, self.executor.map(units, self.simulate_point), strict=True):
            statistics[name] = arrays["found"]
            progress(len(statistics), words)
        return np.array([statistics[name] for name in names])

    def simulate_point(self, x: np.ndarray) -> Arrays:
        """Simulate one point."""
        draw = self.values(x)
        data = {
            name: run_trial(
                replace(trial, values={**draw, **trial.values}),
                self.model,
                seed=cohort_seed(name),
                threads=self.threads,
            )
            for name, trial in self.trials.items()
        }
        return {"found": np.array([statistic(row, data[row.trial])[0] for row in self.rows])}

    @cached_property
    def study_effects(self) -> tuple[TrialEffect, ...]:
        """The study effects whose SD is estimated."""
        names = [p.name for p in self.estimated]
        return tuple(e for e in load_study_effects() if e.sd_parameter in names and set(e.parameters) & set(names))

    def study_gradients(self, slopes: np.ndarray) -> np.ndarray:
        """Derivatives [effect, row] of the statistics by a unit shift of each study effect.

        `slopes` [row, parameter]: derivatives by standardised logarithms, in units of the noise.
        """
        by_log = {p.name: slopes[:, i] * self.noise / p.prior_log_sd for i, p in enumerate(self.estimated)}
        sums = [np.sum([by_log[n] for n in e.parameters if n in by_log], axis=0) for e in self.study_effects]
        return np.array(sums).reshape(len(sums), len(self.rows))

    def covariance(self, x: np.ndarray, gradients: np.ndarray, extra: np.ndarray | float = 0.0) -> np.ndarray:
        """Covariance [point, row, row] of published about simulated statistics at points [point, parameter].

        `gradients` [effect, row] as `study_gradients` returns them; `extra`: SD of a further error of each row.
        """
        trial = np.array([row.trial for row in self.rows])
        same_trial = trial[:, None] == trial[None, :]
        variance = self.noise**2 + np.broadcast_to(extra, len(trial)) ** 2
        matrices = np.repeat(np.diag(variance)[None], len(x), axis=0)
        for sd, slope in zip(self.study_sds(x).T, gradients, strict=True):
            matrices += (sd**2)[:, None, None] * (np.outer(slope, slope) * same_trial)[None]
        return matrices

    def study_sds(self, x: np.ndarray) -> np.ndarray:
        """SD of each study effect [point, effect] at points [point, parameter]."""
        names = [p.name for p in self.estimated]
        places = [names.index(effect.sd_parameter) for effect in self.study_effects]
        sds = [self.estimated[i].prior_median * np.exp(self.estimated[i].prior_log_sd * x[:, i]) for i in places]
        return np.array(sds).reshape(len(places), len(x)).T

    def trial_likelihood(
        self, gradients: np.ndarray, extra: np.ndarray | float = 0.0, rows: np.ndarray | None = None
    ) -> TrialLikelihood:
        """The likelihood with the covariance of `covariance`, of all rows or of those in the mask `rows` [row]."""
        variance = self.noise**2 + np.broadcast_to(extra, len(self.rows)) ** 2
        return TrialLikelihood.of(variance, gradients, [row.trial for row in self.rows], rows)

    def log_likelihood(self, x: np.ndarray, simulated: np.ndarray, likelihood: TrialLikelihood) -> np.ndarray:
        """Log likelihood [point], up to a constant, at points [point, parameter] with statistics [point, row]."""
        return likelihood(self.study_sds(x), simulated - self.published)

    def log_posterior(self, x: np.ndarray, simulated: np.ndarray, likelihood: TrialLikelihood) -> np.ndarray:
        """Log of prior times `likelihood` [point], up to a constant, at points [point, parameter] with statistics
        [point, row]; -inf where a statistic is missing or a parameter is far outside the prior."""
        valid = np.isfinite(simulated).all(axis=1) & (np.abs(x) < MAX_DISTANCE_SD).all(axis=1)
        within = np.clip(x, -MAX_DISTANCE_SD, MAX_DISTANCE_SD)
        known = np.where(np.isfinite(simulated), simulated, 0.0)
        value = self.log_likelihood(within, known, likelihood) - 0.5 * np.sum(x**2, axis=1)
        return np.where(valid, value, -np.inf)

    def map_estimate(self, rounds: int, progress: StepProgress) -> np.ndarray:
        """The posterior mode from the prior median [parameter]: damped Gauss-Newton steps of the parameters that move
        the statistics, each followed by the best study SDs at these statistics."""
        x = np.zeros(len(self.estimated))
        simulated, damping = self.simulate(x), 1.0
        for number in range(rounds):
            slopes = self.jacobian(x, simulated)
            gradients = self.study_gradients(slopes)
            likelihood = self.trial_likelihood(gradients)
            x = self._best_study_sds(x, simulated, likelihood)
            value = self.log_posterior(x[None], simulated[None], likelihood)[0]
            whitening = np.linalg.inv(np.linalg.cholesky(self.covariance(x[None], gradients)[0]))
            scaled = whitening @ (slopes * self.noise[:, None])
            for _ in range(MAX_STEP_TRIES):
                hessian = scaled.T @ scaled + np.eye(len(x))
                downhill = scaled.T @ (whitening @ (self.published - simulated)) - x
                downhill[self._study_sd_places] = 0.0
                step = np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), downhill)
                there = np.clip(x + step, -MAX_MAP_DISTANCE_SD, MAX_MAP_DISTANCE_SD)
                new = self.simulate(there)
                reached = self.log_posterior(there[None], new[None], likelihood)[0]
                if reached > value:
                    x, simulated, value, damping = there, new, reached, damping / 3
                    break
                damping *= 3
            progress(number + 1, f"{MODE_SEARCH} {value:.1f}")
        return x

    @cached_property
    def _study_sd_places(self) -> list[int]:
        names = [p.name for p in self.estimated]
        return [names.index(effect.sd_parameter) for effect in self.study_effects]

    def _best_study_sds(self, x: np.ndarray, simulated: np.ndarray, likelihood: TrialLikelihood) -> np.ndarray:
        """`x` with the study SDs of the highest posterior at these statistics."""
        from scipy.optimize import minimize

        def placed(z: np.ndarray) -> np.ndarray:
            moved = x.copy()
            moved[self._study_sd_places] = z
            return moved

        def cost(z: np.ndarray) -> float:
            return -float(self.log_posterior(placed(z)[None], simulated[None], likelihood)[0])

        if not self._study_sd_places:
            return x
        start = x[self._study_sd_places]
        bounds = [(-MAX_MAP_DISTANCE_SD, MAX_MAP_DISTANCE_SD)] * len(start)
        return placed(minimize(cost, start, method="L-BFGS-B", bounds=bounds).x)

    def spread(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior covariance [parameter, parameter] for statistics that are linear about `x`, and the study
        gradients [effect, row] there."""
        slopes = self.jacobian(x, self.simulate(x))
        gradients = self.study_gradients(slopes)
        whitening = np.linalg.inv(np.linalg.cholesky(self.covariance(x[None], gradients)[0]))
        scaled = whitening @ (slopes * self.noise[:, None])
        return np.linalg.inv(scaled.T @ scaled + np.eye(len(x))), gradients

    def jacobian(self, x: np.ndarray, simulated: np.ndarray) -> np.ndarray:
        """Derivatives of the statistics, in units of their noise [row, parameter]; 0 for study SDs."""
        moving = [i for i in range(len(x)) if i not in self._study_sd_places]
        moved = self.simulated_statistics(x + DIFFERENCE_STEP_SD * np.eye(len(x))[moving])
        slopes = np.zeros((len(self.rows), len(x)))
        slopes[:, moving] = (moved - simulated).T / DIFFERENCE_STEP_SD / self.noise[:, None]
        return slopes


def shipped_problem(
    model: Model | None = None, *, patients_per_arm: int = PATIENTS_PER_ARM, threads: int | None = None
) -> CalibrationProblem:
    """The shipped calibration: every row and spread marked fitted against the parameters of the table."""
    subset = model or load_model()
    estimated = load_estimated(subset.parameters, subset.variant)
    targets = (*load_clinical_targets(), *load_spread_targets())
    rows = tuple(row for row in targets if row.fitted and row.row.use == "calibrate")
    return CalibrationProblem(subset, estimated, rows, patients_per_arm, available_threads(threads))


def profile(task: CalibrationProblem, best: np.ndarray, slopes: np.ndarray, place: int, grid: np.ndarray) -> np.ndarray:
    """Misfit (minus twice the log posterior) with one parameter fixed at each of `grid`.

    The others are optimised by one Gauss-Newton step with the `slopes` at `best`, exact for linear statistics.
    """
    free = [i for i in range(len(best)) if i != place]
    x = np.tile(best, (len(grid), 1))
    x[:, place] = grid
    gradients = task.study_gradients(slopes)
    whitening = np.linalg.inv(np.linalg.cholesky(task.covariance(best[None], gradients)[0]))
    scaled = (whitening @ (slopes * task.noise[:, None]))[:, free]
    off = (task.published - task.simulated_statistics(x)) @ whitening.T
    hessian = scaled.T @ scaled + np.eye(len(free))
    for point, misses in zip(x, off, strict=True):
        point[free] += np.linalg.solve(hessian, scaled.T @ misses - point[free])
    return -2 * task.log_posterior(x, task.simulated_statistics(x), task.trial_likelihood(gradients))


def in_table_units(task: CalibrationProblem, x: np.ndarray) -> np.ndarray:
    """Standardised logarithms [draw, parameter] as values in the units of the parameter tables."""
    table = task.model.parameters
    factors = [unit(table[p.name].unit).factor for p in task.estimated]
    return np.array([[v / f for v, f in zip(task.values(draw).values(), factors, strict=True)] for draw in x])


def cohort_seed(trial: str) -> int:
    """Seed of the patients of a trial: each trial has its own, so that trials do not share the chance of one cohort."""
    return SEED + int(short_hash(trial, 8), 16)


def _name(x: np.ndarray) -> str:
    return f"point-{short_hash(np.ascontiguousarray(x, dtype=float).tobytes(), 20)}"


def _clip(name: str, value: float) -> float:
    return min(value, 0.95) if name.endswith("_share") else value


def _kind_of_error(row: ClinicalTarget) -> str:
    if row.statistic == "median relapse":
        return "days"
    if row.statistic == "effect size":
        return "effect"
    return "percent" if row.is_share or row.statistic == "share difference" else "points"


def select_parameters(names: Sequence[str], task: CalibrationProblem) -> CalibrationProblem:
    """The calibration of some parameters only. Raises UnknownNameError."""
    known = {p.name: p for p in task.estimated}
    for name in names:
        require_known(name, known, f"'{name}' is not estimated", expected=", ".join(known))
    return replace(task, estimated=tuple(known[name] for name in names))
