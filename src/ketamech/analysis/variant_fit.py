"""Fit of a model variant to the published rows: the same parameters and the same prior for every variant.

A parameter is expressed as the logarithm of its ratio to the table value, in SD of its prior, so that the prior is
standard normal. Gauss-Newton (SciPy's trust region) on the signed roots of the deviances, with all points of a finite
difference solved in one batch. The marginal likelihood is Laplace's about the mode, checked by importance sampling.
A fit writes reviewed tables of the variants to data/variants, which everything else reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.variant_likelihood import VariantPredictor
from ketamech.core import InputError, unit
from ketamech.core.csv_table import read_table
from ketamech.core.progress import LineProgress
from ketamech.core.statistics import INTERVAL_95, weighted_percentiles
from ketamech.parameters import ParameterTable
from ketamech.simulation.model_variants import DIRECTORY, FITTED, ModelVariant

COLUMNS = ("parameter", "prior_spread", "why")
STEP, MAX_DISTANCE_SD = 0.05, 3.0  # SD of the prior: of a finite difference, of a bound
START_POINTS = (0.0, 0.7)  # SD of the prior
DRAWS, ROUNDS, MAX_ITERATIONS = 720, 6, 12  # draws, sampling rounds, iterations of a search
MIXTURE_COMPONENTS = ((1.1, 0.6), (1.8, 0.4))  # width relative to the estimated covariance, share of draws
MIN_DRAWS_PER_PARAMETER, MIN_WEIGHT, TEMPERING = 3, 0.02, 0.8
SearchResult = tuple[float, np.ndarray, np.ndarray]  # cost, point, Jacobian


@dataclass(frozen=True)
class VariantFit:
    """The most probable values of a variant: `point` [parameter] in SD of the prior, `spread` its covariance.

    `predicted` [row] at that point; `deviance` [row]; `log_evidence` by Laplace, `log_evidence_sampled` by importance
    sampling with `effective` draws; `draws` [draw, parameter] and `weights` [draw]; `effective_parameters`: number of
    parameters on which the rows are informative.
    """

    variant: ModelVariant
    names: tuple[str, ...]
    point: np.ndarray
    spread: np.ndarray
    values: Mapping[str, float]
    predicted: np.ndarray
    deviance: np.ndarray
    log_evidence: float
    log_evidence_sampled: float
    effective: float
    draws: np.ndarray
    weights: np.ndarray
    effective_parameters: int

    def at(self, point: np.ndarray, problem: FitProblem) -> dict[str, float]:
        """Canonical values of every parameter that differs in this variant, at a `point` as in `FitProblem.values`."""
        return {**self.variant.settings, **problem.values(point)}


@dataclass(frozen=True)
class FitProblem:
    """The estimated values, by name: their table values (canonical) and the SD of their logarithm."""

    predictor: VariantPredictor
    names: tuple[str, ...]
    defaults: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, predictor: VariantPredictor) -> FitProblem:
        """The problem of data/variants/estimated.csv."""
        known = load_priors()
        usual = np.array([predictor.model.parameters[name].canonical for name in known])
        return cls(predictor, tuple(known), usual, np.array(list(known.values())))

    def values(self, point: np.ndarray) -> dict[str, float]:
        """Canonical values at a `point` [parameter] in SD of the prior."""
        return dict(zip(self.names, map(float, self.defaults * np.exp(self.sd * point)), strict=True))

    def signed_root_deviances(self, variant: ModelVariant, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed roots of the deviances of fitted rows and prior [point, row + parameter]; predictions [point, row]."""
        predictor = self.predictor
        predicted = predictor.predict([{**variant.settings, **self.values(point)} for point in points])
        deviance = predictor.deviances(predicted)
        side = np.where(np.nan_to_num(predictor.distances(predicted)) < 0, -1.0, 1.0)
        signed = side * np.sqrt(np.maximum(deviance, 0.0))
        return np.hstack([signed[:, predictor.fitted], points]), predicted

    def fit(
        self, variant: ModelVariant, progress: LineProgress | None = None, draws: int = DRAWS, seed: int = 1
    ) -> VariantFit:
        """The mode of a variant from several starts, its marginal likelihood, and weighted draws.

        The search is repeated from a draw that is more probable than the mode.
        """
        fits = [self._search(variant, np.full(len(self.names), x), progress) for x in START_POINTS]
        _, point, slopes = min(fits, key=lambda result: result[0])
        cloud, heights, density = self._sampled(variant, point, _inverse(slopes), draws, seed)
        if -0.5 * self._misfit(variant, point) < heights.max() - 0.1:
            _, point, slopes = self._search(variant, cloud[heights.argmax()], progress)
        roots, predicted = self.signed_root_deviances(variant, point[None])
        laplace = -0.5 * float(np.sum(roots**2)) - 0.5 * float(np.linalg.slogdet(slopes.T @ slopes)[1])
        weights = np.exp(heights - density - (heights - density).max())
        sampled = float((heights - density).max() + np.log(weights.mean()))
        known = int(np.sum(np.linalg.norm(slopes[: -len(self.names)], axis=0) > STEP))
        return VariantFit(
            variant, self.names, point, _inverse(slopes), self.values(point), predicted[0],
            self.predictor.deviances(predicted)[0], laplace, sampled, float(weights.sum() ** 2 / np.sum(weights**2)),
            cloud, weights / weights.sum(), known,
        )  # fmt: skip

    def _misfit(self, variant: ModelVariant, point: np.ndarray) -> float:
        """-2 log of prior times likelihood at a point."""
        return float(np.sum(self.signed_root_deviances(variant, point[None])[0] ** 2))

    def _search(self, variant: ModelVariant, start: np.ndarray, progress: LineProgress | None) -> SearchResult:
        from scipy.optimize import least_squares

        if progress:
            progress(f"{variant.name}: from {np.linalg.norm(start):.1f} SD")
        minimum = least_squares(
            lambda x: self.signed_root_deviances(variant, x[None])[0][0],
            np.clip(start, -MAX_DISTANCE_SD + STEP, MAX_DISTANCE_SD - STEP),
            jac=lambda x: self._slopes(variant, x),
            bounds=(-MAX_DISTANCE_SD, MAX_DISTANCE_SD),
            xtol=1e-4,
            ftol=1e-4,
            max_nfev=MAX_ITERATIONS,
        )
        return float(minimum.cost), minimum.x, self._slopes(variant, minimum.x)

    def _slopes(self, variant: ModelVariant, x: np.ndarray) -> np.ndarray:
        """Central differences [row + parameter, parameter], one batch."""
        steps = STEP * np.eye(len(x))
        roots = self.signed_root_deviances(variant, np.vstack([x + steps, x - steps]))[0]
        return np.array((roots[: len(x)] - roots[len(x) :]).T / (2 * STEP))

    def _sampled(
        self, variant: ModelVariant, point: np.ndarray, spread: np.ndarray, draws: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws [draw, parameter], the log of prior times likelihood, and the log density of the proposals.

        Adaptive importance sampling with the mixture of all normal proposals as density (Cornuet 2012): every round
        moves the proposals to the weighted draws of all earlier rounds; weights are tempered while few draws dominate.
        """
        chance, bells = np.random.default_rng(seed), list[tuple[np.ndarray, np.ndarray, int]]()
        cloud, heights = np.empty((0, len(point))), np.empty(0)
        middle, covariance, density = point, spread, heights
        for _ in range(ROUNDS):
            for width, share in MIXTURE_COMPONENTS:
                root, count = width * np.linalg.cholesky(covariance), max(2, round(share * draws / ROUNDS))
                fresh = middle + chance.standard_normal((count, len(point))) @ root.T
                bells.append((middle, root, count))
                cloud = np.vstack([cloud, fresh])
                heights = np.r_[heights, -0.5 * np.sum(self.signed_root_deviances(variant, fresh)[0] ** 2, axis=1)]
            density = _mixture(cloud, bells)
            weights = _tempered_weights(heights - density, MIN_DRAWS_PER_PARAMETER * len(point))
            middle = weights @ cloud
            covariance = (cloud - middle).T @ (weights[:, None] * (cloud - middle)) + MIN_WEIGHT * spread
        return cloud, heights, density


def _inverse(slopes: np.ndarray) -> np.ndarray:
    """Covariance about a point from the Jacobian."""
    return np.asarray(np.linalg.inv(slopes.T @ slopes))


def _mixture(points: np.ndarray, bells: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> np.ndarray:
    """Log density of points under the mixture of proposals, without the factor (2 pi)^(-k/2), as for the prior."""
    from scipy.special import logsumexp

    total = sum(count for _, _, count in bells)
    logs = []
    for middle, root, count in bells:
        z = np.linalg.solve(root, (points - middle).T)
        logs.append(np.log(count / total) - np.log(np.diag(root)).sum() - 0.5 * np.sum(z**2, axis=0))
    return np.asarray(logsumexp(logs, axis=0))


def _tempered_weights(logs: np.ndarray, wanted: float) -> np.ndarray:
    """Weights from their logs, tempered until the effective number of draws is `wanted`, or half of all."""
    power = 1.0
    while True:
        weights = np.exp(power * (logs - logs.max()))
        weights /= weights.sum()
        if 1 / np.sum(weights**2) >= min(wanted, len(logs) / 2):
            return weights
        power *= TEMPERING


@cache
def load_priors() -> dict[str, float]:
    """{parameter: SD of the logarithm of its prior}."""
    rows = read_table(DIRECTORY / "estimated.csv", COLUMNS)
    return {row.required("parameter", "stage.thing"): row.number("prior_spread") for row in rows}


SCORE_COLUMNS = (
    "variant", "deviance", "prior", "known", "log_evidence", "laplace", "effective_draws", "probability",
)  # fmt: skip
DRAWS_PER_VARIANT = 40
FITTED_TO = "to the clinical rows of rows.csv and every row of data/perturbations/rows.csv, by their bands"


@dataclass(frozen=True)
class VariantScore:
    """The fit of one variant: deviance, prior part, effective number of parameters, log marginal likelihood."""

    variant: str
    deviance: float
    prior: float
    effective_parameters: int
    log_evidence: float
    laplace: float
    effective_draws: float
    probability: float


def write_fits(folder: Path, fits: Sequence[VariantFit], problem: FitProblem, table: ParameterTable) -> list[Path]:
    """Write fitted.csv, compared.csv and draws.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    evidence = np.array([fit.log_evidence_sampled for fit in fits])
    chances = np.exp(evidence - evidence.max())
    chances /= chances.sum()
    compared = [
        (
            f.variant.name, _short(f.deviance[problem.predictor.fitted].sum()), _short(np.sum(f.point**2)),
            f.effective_parameters,
            _short(f.log_evidence_sampled), _short(f.log_evidence), _short(f.effective), _short(chance),
        )
        for f, chance in zip(fits, chances, strict=True)
    ]  # fmt: skip
    fitted = [line for fit in fits for line in _fitted(fit, problem, table)]
    draws = [line for fit in fits for line in _draws(fit, problem, table)]
    tables: dict[str, tuple[Sequence[str], Sequence[Sequence[object]]]] = {
        "compared": (SCORE_COLUMNS, compared), "fitted": (FITTED, fitted), "draws": (("variant", *problem.names), draws)
    }  # fmt: skip
    for name, (columns, lines) in tables.items():
        pd.DataFrame(lines, columns=list(columns)).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    return [folder / f"{name}.csv" for name in tables]


def load_variant_scores(directory: Path = DIRECTORY) -> dict[str, VariantScore]:
    """The score of each variant by name. Raises InputError when no variant has been fitted."""
    path = directory / "compared.csv"
    if not path.exists():
        raise InputError("no model variant has been fitted", file=path, type_this="ketamech variants --refit")
    scores = {}
    for row in read_table(path, SCORE_COLUMNS):
        numbers = {name: row.number(name) for name in SCORE_COLUMNS[1:] if name != "known"}
        scores[row["variant"]] = VariantScore(row["variant"], effective_parameters=int(row.number("known")), **numbers)
    return scores


def load_draws(table: ParameterTable, directory: Path = DIRECTORY) -> dict[str, dict[str, np.ndarray]]:
    """{variant: {parameter: values [draw], canonical}} about the fitted values."""
    names = tuple(load_priors())
    factors = np.array([unit(table[name].unit).factor for name in names])
    by_variant: dict[str, list[np.ndarray]] = {}
    for row in read_table(directory / "draws.csv", ("variant", *names)):
        by_variant.setdefault(row["variant"], []).append(factors * [row.number(name) for name in names])
    return {variant: dict(zip(names, np.array(draws).T, strict=True)) for variant, draws in by_variant.items()}


def _fitted(fit: VariantFit, problem: FitProblem, table: ParameterTable) -> list[tuple[object, ...]]:
    """One row per parameter: its mode and 95 % interval of the weighted draws, in the unit of its table."""
    lines: list[tuple[object, ...]] = []
    for i, name in enumerate(problem.names):
        edges = weighted_percentiles(fit.draws[:, i], fit.weights, INTERVAL_95)
        factor = unit(table[name].unit).factor
        value, low, high = (
            _short(problem.defaults[i] * np.exp(problem.sd[i] * x) / factor) for x in (fit.point[i], *edges)
        )
        lines.append((fit.variant.name, name, value, table[name].unit, low, high, "calibrated", FITTED_TO))
    return lines


def _draws(fit: VariantFit, problem: FitProblem, table: ParameterTable) -> list[tuple[object, ...]]:
    """DRAWS_PER_VARIANT draws at even steps of the cumulative weight."""
    probabilities = (np.arange(DRAWS_PER_VARIANT) + 0.5) / DRAWS_PER_VARIANT
    chosen = fit.draws[np.searchsorted(np.cumsum(fit.weights), probabilities).clip(0, len(fit.draws) - 1)]
    factors = np.array([unit(table[name].unit).factor for name in problem.names])
    return [(fit.variant.name, *map(_short, problem.defaults * np.exp(problem.sd * x) / factors)) for x in chosen]


def _short(value: object) -> str:
    return f"{float(value):.5g}"  # type: ignore[arg-type]
