"""Estimates the dozen or so parameters that clinical trials inform, from whole simulated trials.

Every call simulates the arms of the fitted trials with the same virtual persons (common random numbers), so that only
the parameters move the result. A row's likelihood is normal about the simulated statistic, with the printed standard
error, the Monte-Carlo error of the simulated arm and a discrepancy that says how well a model of this kind can do.
Parameters are drawn on the logarithmic scale about their table value. Sampler: emcee's affine-invariant ensemble.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ketamech.analysis.clinical import DIRECTORY, Clinical, errors, load_clinical, shipped_trial, statistic
from ketamech.core import BadInput, UnknownName, nearest, unit
from ketamech.evidence import read_table
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.study import Trial, run_trial
from ketamech.study.running import Model, load_model

PERSONS = 120  # in each simulated arm
FIRST_DRAW = 1  # replicate 0 has the table's values, 1 those under trial
DISCREPANCY = {"points": 1.5, "percent": 6.0, "effect": 0.2, "days": 3.0}  # what a model of this kind cannot do better
SEED = 20
REACH = 0.25  # step of the slopes, in SD of the prior: wide enough for shares of 120 persons to move
Tell = Callable[[int, str], None]


@dataclass(frozen=True)
class Estimated:
    """A parameter to estimate: its table value (canonical) and the SD of its logarithm beforehand."""

    name: str
    usual: float
    prior: float


def load_estimated(table: ParameterTable | None = None) -> tuple[Estimated, ...]:
    """The parameters of data/calibration/parameters.csv. Raises BadInput for an unknown one."""
    known = table or load_parameters()
    found = []
    for row in read_table(DIRECTORY / "parameters.csv", ("parameter", "prior_spread", "why")):
        name = row.required("parameter", "a parameter")
        if name not in known:
            raise row.bad("parameter", f"no parameter '{name}'", expected="a name", near=nearest(name, known))
        found.append(Estimated(name, known[name].canonical, row.number("prior_spread")))
    return tuple(found)


@dataclass(frozen=True)
class Calibration:
    """The model, what is estimated, and what it is held against; `persons` in each arm."""

    model: Model
    estimated: tuple[Estimated, ...]
    rows: tuple[Clinical, ...]
    persons: int = PERSONS
    threads: int = os.cpu_count() or 1

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """Each fitted trial with only the arms and visits that are needed."""
        return {name: self._trimmed(name) for name in dict.fromkeys(row.trial for row in self.rows)}

    def _trimmed(self, name: str) -> Trial:
        trial = shipped_trial(name)
        rows = [row for row in self.rows if row.trial == name]
        needed = {row.arm for row in rows} | {row.against for row in rows}
        arms = [arm for arm in trial.arms if arm.name in needed or trial.washout]
        last = max(v.time for v in trial.visits for r in rows if r.visit in (v.name, "any"))
        following = any(row.statistic in ("median relapse", "still well") for row in rows)
        visits = [v for v in trial.visits if v.time <= last or following]
        scales = {row.scale for row in rows}
        return replace(
            trial,
            arms=tuple(replace(arm, n=self.persons) for arm in arms),
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
        """Standard deviation of printed about simulated [row]: printed error, Monte Carlo, discrepancy."""
        found = []
        for row in self.rows:
            own = errors(row)
            simulated = own * np.sqrt((row.row.n or self.persons) / self.persons)
            found.append(np.hypot(np.hypot(own, min(simulated, own)), DISCREPANCY[_kind(row)]))
        return np.array(found)

    def values(self, x: np.ndarray) -> dict[str, float]:
        """Canonical values of standardised logarithms `x` [parameter]."""
        return {
            p.name: _limited(p.name, p.usual * float(np.exp(p.prior * z)))
            for p, z in zip(self.estimated, x, strict=True)
        }

    def simulate(self, x: np.ndarray) -> np.ndarray:
        """The statistics [row] at standardised logarithms `x`; NaN where a trial gave none."""
        draw = [self.values(x)]
        data = {
            name: run_trial(trial, self.model, first=FIRST_DRAW, seed=SEED, threads=self.threads, posterior=draw)
            for name, trial in self.trials.items()
        }
        return np.array([statistic(row, data[row.trial])[0] for row in self.rows])

    def log_posterior(self, x: np.ndarray) -> float:
        """Logarithm of prior times likelihood, up to a constant."""
        if not np.all(np.abs(x) < 6):
            return -np.inf
        found = self.simulate(x)
        if not np.all(np.isfinite(found)):
            return -np.inf
        return float(-0.5 * np.sum(((found - self.published) / self.noise) ** 2) - 0.5 * np.sum(x**2))

    def best(self, rounds: int, tell: Tell) -> np.ndarray:
        """The most probable point by damped Gauss-Newton steps from the prior's middle [parameter]."""
        x = np.zeros(len(self.estimated))
        found, damping = self.simulate(x), 1.0
        value = self._cost(x, found)
        for number in range(rounds):
            slopes = self._slopes(x, found)
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

    def _slopes(self, x: np.ndarray, found: np.ndarray) -> np.ndarray:
        """How the statistics, in units of their noise, move with each parameter [row, parameter]."""
        moved = np.array([self.simulate(x + REACH * e) for e in np.eye(len(x))])
        return (moved - found).T / REACH / self.noise[:, None]

    def _cost(self, x: np.ndarray, found: np.ndarray) -> float:
        cost = float(np.sum(((found - self.published) / self.noise) ** 2) + np.sum(x**2))
        return cost if np.isfinite(cost) else np.inf


def calibration(model: Model | None = None, *, persons: int = PERSONS, threads: int | None = None) -> Calibration:
    """The shipped calibration: every row marked fitted against the parameters of the table."""
    chosen = model or load_model()
    rows = tuple(row for row in load_clinical() if row.fitted)
    return Calibration(chosen, load_estimated(chosen.parameters), rows, persons, threads or os.cpu_count() or 1)


@dataclass
class Chain:
    """An ensemble on its way: `walkers` start about the best point; kept in `file` after every step, taken up there."""

    task: Calibration
    file: Path
    walkers: int
    seed: int = 1

    def run(self, steps: int, tell: Tell, *, rounds: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """Positions [step, walker, parameter] and log posteriors [step, walker], as if never interrupted."""
        import emcee

        n = len(self.task.estimated)
        if self.walkers < 2 * n:
            raise BadInput(f"{self.walkers} walkers", key="--walkers", expected=f"at least {2 * n}")
        kept = self._read()
        sampler = emcee.EnsembleSampler(self.walkers, n, self.task.log_posterior)
        if kept is None:
            best = self.task.best(rounds, tell)
            random = np.random.RandomState(self.seed)
            start = best + 0.3 * random.standard_normal((self.walkers, n))
            kept = {"chain": np.empty((0, self.walkers, n)), "logs": np.empty((0, self.walkers)), "best": best}
            state: Any = emcee.State(start, random_state=random.get_state())
        else:
            keys = ("MT19937", kept["keys"], int(kept["place"]), int(kept["has"]), float(kept["cached"]))
            state = emcee.State(kept["chain"][-1], log_prob=kept["logs"][-1], random_state=keys)
        sampler.random_state = state.random_state
        while len(kept["chain"]) < steps:
            state = sampler.run_mcmc(state, 1)
            kept["chain"] = np.concatenate([kept["chain"], state.coords[None]])
            kept["logs"] = np.concatenate([kept["logs"], state.log_prob[None]])
            _, keys, place, has, cached = state.random_state
            self._write({**kept, "keys": keys, "place": place, "has": has, "cached": cached})
            tell(len(kept["chain"]), f"log posterior {np.median(state.log_prob):.1f}")
        return kept["chain"][:steps], kept["logs"][:steps]

    def _read(self) -> dict[str, Any] | None:
        if not self.file.exists():
            return None
        with np.load(self.file) as held:
            found = {name: held[name] for name in held.files}
        wanted = (self.walkers, len(self.task.estimated))
        if found["chain"].shape[1:] != wanted or str(found["of"]) != self._of():
            raise BadInput(
                "another calibration was begun here", file=self.file, expected="the same parameters and rows"
            )
        return found

    def _write(self, content: dict[str, Any]) -> None:
        """Whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.file.parent, suffix=".npz", delete=False) as part:
            np.savez(part, **{**content, "of": self._of()})
        os.replace(part.name, self.file)

    def _of(self) -> str:
        names = [p.name for p in self.task.estimated] + [row.row.id for row in self.task.rows]
        return "|".join([*names, str(self.task.persons), self.task.model.layout.fingerprint])


def profile(task: Calibration, best: np.ndarray, place: int, grid: np.ndarray, rounds: int = 2) -> np.ndarray:
    """Misfit (minus twice the log posterior) with one parameter held at each of `grid`, the others at their best.

    The others are moved by Gauss-Newton steps with the slopes at `best`, so this is a profile where the statistics are
    close to linear.
    """
    slopes = task._slopes(best, task.simulate(best))
    free = [i for i in range(len(best)) if i != place]
    found = []
    for value in grid:
        x = best.copy()
        x[place] = value
        for _ in range(rounds):
            off = (task.published - task.simulate(x)) / task.noise
            hessian = slopes[:, free].T @ slopes[:, free] + np.eye(len(free))
            x[free] += np.linalg.solve(hessian, slopes[:, free].T @ off - x[free])
        found.append(-2 * task.log_posterior(x))
    return np.array(found)


def identified(draws: np.ndarray) -> np.ndarray:
    """How much narrower than the prior each parameter came out [parameter]: 1 - SD after / SD before."""
    return 1 - draws.std(axis=0)


def convergence(chain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split R-hat and autocorrelation time (steps) of each parameter; positions [step, walker, parameter]."""
    import emcee

    half = len(chain) // 2
    parts = np.concatenate([chain[:half], chain[half : 2 * half]], axis=1)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = half * parts.mean(axis=0).var(axis=0, ddof=1)
    rhat = np.sqrt(((half - 1) / half * within + between / half) / within)
    return rhat, emcee.autocorr.integrated_time(chain, quiet=True)


def in_table_units(task: Calibration, x: np.ndarray) -> np.ndarray:
    """Standardised logarithms [draw, parameter] as values in the units of the parameter tables."""
    table = task.model.parameters
    factors = [unit(table[p.name].unit).factor for p in task.estimated]
    return np.array([[v / f for v, f in zip(task.values(draw).values(), factors, strict=True)] for draw in x])


def _limited(name: str, value: float) -> float:
    return min(value, 0.95) if name.endswith("_share") else value


def _kind(row: Clinical) -> str:
    if row.statistic == "median relapse":
        return "days"
    if row.statistic == "effect size":
        return "effect"
    return "percent" if row.is_share or row.statistic == "share difference" else "points"


def chosen(names: Sequence[str], task: Calibration) -> Calibration:
    """The same with some parameters only. Raises UnknownName."""
    known = {p.name: p for p in task.estimated}
    for name in names:
        if name not in known:
            raise UnknownName(f"'{name}' is not estimated", expected=", ".join(known), nearest=nearest(name, known))
    return replace(task, estimated=tuple(known[name] for name in names))
