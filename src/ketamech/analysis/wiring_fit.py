"""A wiring fitted to the rows: the same few values, the same prior, for every wiring.

Values are written as logarithms over the table's value in SD of their prior, so that the prior is a standard normal.
Gauss-Newton (SciPy's trust region) on the signed roots of the deviances, with all points of a finite difference solved
in one batch. About the most probable point the evidence is Laplace's; weighted draws about the same point check it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from ketamech.analysis.wiring_bench import Bench
from ketamech.analysis.wiring_evidence import DIRECTORY
from ketamech.evidence import read_table
from ketamech.study.wirings import Wiring

COLUMNS = ("parameter", "prior_spread", "why")
STEP, FURTHEST = 0.05, 3.0  # SD of the prior: of a finite difference, of a bound
TRIES = (0.0, 0.7)  # where searches begin
WIDER, DRAWS, SCOUTS, MOST = 1.3, 300, 100, 12
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Fit:
    """The most probable values of a wiring: `point` [parameter] in SD of the prior, `spread` its covariance.

    `predicted` [row] at that point; `deviance` [row]; `log_evidence` by Laplace, `sampled` by weighted draws with
    their `effective` number; `draws` [draw, parameter] and `weights` [draw]; `known`: how many values the rows say
    anything of.
    """

    wiring: Wiring
    names: tuple[str, ...]
    point: np.ndarray
    spread: np.ndarray
    values: Mapping[str, float]
    predicted: np.ndarray
    deviance: np.ndarray
    log_evidence: float
    sampled: float
    effective: float
    draws: np.ndarray
    weights: np.ndarray
    known: int

    def at(self, point: np.ndarray, task: Task) -> dict[str, float]:
        """Canonical values of every parameter in which this wiring differs, at a point."""
        return {**self.wiring.settings, **task.values(point)}


@dataclass(frozen=True)
class Task:
    """The estimated values, by name: their table values (canonical) and the SD of their logarithm."""

    bench: Bench
    names: tuple[str, ...]
    usual: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, bench: Bench) -> Task:
        """What data/wirings/estimated.csv asks for."""
        known = estimated()
        usual = np.array([bench.model.parameters[name].canonical for name in known])
        return cls(bench, tuple(known), usual, np.array(list(known.values())))

    def values(self, point: np.ndarray) -> dict[str, float]:
        """Canonical values at a point in SD of the prior."""
        return dict(zip(self.names, map(float, self.usual * np.exp(self.sd * point)), strict=True))

    def roots(self, wiring: Wiring, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed roots of the deviances of fitted rows and prior [point, row + parameter]; predictions [point, row]."""
        bench = self.bench
        predicted = bench.predict([{**wiring.settings, **self.values(point)} for point in points])
        deviance = bench.deviances(predicted)
        side = np.where(np.nan_to_num(bench.distances(predicted)) < 0, -1.0, 1.0)
        signed = side * np.sqrt(np.maximum(deviance, 0.0))
        return np.hstack([signed[:, bench.fitted], points]), predicted

    def fit(self, wiring: Wiring, tell: Tell | None = None, draws: int = DRAWS, seed: int = 1) -> Fit:
        """The most probable point of a wiring from several starts, its evidence, and weighted draws about it."""
        best = min((self._search(wiring, start, tell) for start in TRIES), key=lambda found: found[0])
        point, slopes = best[1], best[2]
        hessian = slopes.T @ slopes
        spread = np.linalg.inv(hessian)
        roots, predicted = self.roots(wiring, point[None])
        log_peak = -0.5 * float(np.sum(roots**2))
        laplace = log_peak - 0.5 * float(np.linalg.slogdet(hessian)[1])
        known = int(np.sum(np.linalg.norm(slopes[: -len(self.names)], axis=0) > STEP))
        sampled, effective, cloud, weights = self._sampled(wiring, point, spread, draws, seed)
        return Fit(
            wiring, self.names, point, spread, self.values(point), predicted[0],
            self.bench.deviances(predicted)[0], laplace, sampled, effective, cloud, weights, known,
        )  # fmt: skip

    def _search(self, wiring: Wiring, start: float, tell: Tell | None) -> tuple[float, np.ndarray, np.ndarray]:
        from scipy.optimize import least_squares

        if tell:
            tell(f"{wiring.name}: from {start:+.1f} SD")
        found = least_squares(
            lambda x: self.roots(wiring, x[None])[0][0],
            np.full(len(self.names), start),
            jac=lambda x: self._slopes(wiring, x),
            bounds=(-FURTHEST, FURTHEST),
            xtol=1e-4,
            ftol=1e-4,
            max_nfev=MOST,
        )
        return float(found.cost), found.x, self._slopes(wiring, found.x)

    def _slopes(self, wiring: Wiring, x: np.ndarray) -> np.ndarray:
        """Central differences [row + parameter, parameter], one batch."""
        steps = STEP * np.eye(len(x))
        roots = self.roots(wiring, np.vstack([x + steps, x - steps]))[0]
        return np.array((roots[: len(x)] - roots[len(x) :]).T / (2 * STEP))

    def _sampled(
        self, wiring: Wiring, point: np.ndarray, spread: np.ndarray, draws: int, seed: int
    ) -> tuple[float, float, np.ndarray, np.ndarray]:
        """Evidence by importance sampling, the weighted draws, and how many they are worth.

        Scouts from a bell wider than Laplace's say where the mass is; the draws come from a bell about it.
        """
        if not draws:
            return float("nan"), float("nan"), point[None], np.ones(1)
        chance = np.random.default_rng(seed)
        scouts, logs = self._cloud(wiring, point, spread, SCOUTS, chance)
        weights = np.exp((logs - logs.max()) / 2)  # tempered: a few scouts must not hold all the weight
        weights /= weights.sum()
        middle = weights @ scouts
        found = (scouts - middle).T @ (weights[:, None] * (scouts - middle)) + spread / 4
        cloud, logs = self._cloud(wiring, middle, found, draws, chance)
        weights = np.exp(logs - logs.max())
        evidence = float(logs.max() + np.log(weights.mean()))
        return evidence, float(weights.sum() ** 2 / np.sum(weights**2)), cloud, weights / weights.sum()

    def _cloud(
        self, wiring: Wiring, middle: np.ndarray, spread: np.ndarray, count: int, chance: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points [draw, parameter] from a bell, and the log of prior times likelihood over the bell's density."""
        root = WIDER * np.linalg.cholesky(spread)
        z = chance.standard_normal((count, len(middle)))
        cloud = middle + z @ root.T
        roots = self.roots(wiring, cloud)[0]
        # both densities lack the same (2 pi)^(-k/2)
        return cloud, -0.5 * np.sum(roots**2, axis=1) + 0.5 * np.sum(z**2, axis=1) + np.log(np.diag(root)).sum()


@cache
def estimated() -> dict[str, float]:
    """{parameter: SD of the logarithm of its prior}."""
    rows = read_table(DIRECTORY / "estimated.csv", COLUMNS)
    return {row.required("parameter", "stage.thing"): row.number("prior_spread") for row in rows}
