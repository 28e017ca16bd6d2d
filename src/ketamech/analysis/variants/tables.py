"""Reviewed tables of the fitted variants in data/wirings: written by a fit, read by everything else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketamech.analysis.variants.fit import FitProblem, VariantFit, load_priors
from ketamech.core import InputError, unit
from ketamech.core.csv_table import read_table
from ketamech.parameters import ParameterTable
from ketamech.simulation.model_variants import DIRECTORY, FITTED

SCORE_COLUMNS = (
    "wiring", "deviance", "prior", "known", "log_evidence", "laplace", "effective_draws", "probability",
)  # fmt: skip
DRAWS_PER_VARIANT, Z95 = 40, 1.959964  # stored draws of each variant
FITTED_TO = "to the clinical rows of rows.csv and every row of data/experiments/rows.csv, by their bands"


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


def write_fits(folder: Path, fits: Sequence[VariantFit], task: FitProblem, table: ParameterTable) -> list[Path]:
    """Write fitted.csv, compared.csv and draws.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    evidence = np.array([fit.log_evidence_sampled for fit in fits])
    chances = np.exp(evidence - evidence.max())
    chances /= chances.sum()
    compared = [
        (
            f.variant.name, _short(f.deviance[task.predictor.fitted].sum()), _short(np.sum(f.point**2)),
            f.effective_parameters,
            _short(f.log_evidence_sampled), _short(f.log_evidence), _short(f.effective), _short(chance),
        )
        for f, chance in zip(fits, chances, strict=True)
    ]  # fmt: skip
    fitted = [line for fit in fits for line in _fitted(fit, task, table)]
    names = [f"{name}" for name in task.names]
    draws = [line for fit in fits for line in _draws(fit, task, table)]
    return [
        _write(folder / "compared.csv", SCORE_COLUMNS, compared),
        _write(folder / "fitted.csv", FITTED, fitted),
        _write(folder / "draws.csv", ("wiring", *names), draws),
    ]


def load_variant_scores(directory: Path = DIRECTORY) -> dict[str, VariantScore]:
    """The score of each variant by name. Raises InputError when no variant has been fitted."""
    path = directory / "compared.csv"
    if not path.exists():
        raise InputError("no model variant has been fitted", file=path, type_this="ketamech variants --refit")
    found = {}
    for row in read_table(path, SCORE_COLUMNS):
        numbers = {name: row.number(name) for name in SCORE_COLUMNS[1:] if name != "known"}
        found[row["wiring"]] = VariantScore(row["wiring"], effective_parameters=int(row.number("known")), **numbers)
    return found


def load_draws(table: ParameterTable, directory: Path = DIRECTORY) -> dict[str, dict[str, np.ndarray]]:
    """{variant: {parameter: values [draw], canonical}} about the fitted values."""
    names = tuple(load_priors())
    rows = read_table(directory / "draws.csv", ("wiring", *names))
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        mine = found.setdefault(row["wiring"], {name: [] for name in names})
        for name in names:
            mine[name].append(row.number(name) * unit(table[name].unit).factor)
    return {wiring: {name: np.array(values) for name, values in mine.items()} for wiring, mine in found.items()}


def _fitted(fit: VariantFit, task: FitProblem, table: ParameterTable) -> list[tuple[object, ...]]:
    """One row per parameter: its mode and 95 % interval of the weighted draws, in the unit of its table."""
    lines: list[tuple[object, ...]] = []
    for i, name in enumerate(task.names):
        edges = [_weighted(fit.draws[:, i], fit.weights, q) for q in (0.025, 0.975)]
        factor = unit(table[name].unit).factor
        value, low, high = (_short(task.defaults[i] * np.exp(task.sd[i] * x) / factor) for x in (fit.point[i], *edges))
        lines.append((fit.variant.name, name, value, table[name].unit, low, high, "calibrated", FITTED_TO))
    return lines


def _draws(fit: VariantFit, task: FitProblem, table: ParameterTable) -> list[tuple[object, ...]]:
    """DRAWS_PER_VARIANT draws at even steps of the cumulative weight."""
    ladder = (np.arange(DRAWS_PER_VARIANT) + 0.5) / DRAWS_PER_VARIANT
    chosen = fit.draws[np.searchsorted(np.cumsum(fit.weights), ladder).clip(0, len(fit.draws) - 1)]
    factors = np.array([unit(table[name].unit).factor for name in task.names])
    return [(fit.variant.name, *map(_short, task.defaults * np.exp(task.sd * x) / factors)) for x in chosen]


def _weighted(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    return float(np.interp(share, np.cumsum(weights[order]), values[order]))


def _short(value: object) -> str:
    return f"{float(value):.5g}"  # type: ignore[arg-type]


def _write(path: Path, head: Sequence[str], lines: Sequence[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)
    return path
