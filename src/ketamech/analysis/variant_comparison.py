"""Model variants compared on the same rows: information criteria, marginal likelihoods, misses, model average."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ketamech.analysis.attribution import MOOD, CoalitionSimulator, shown_hours
from ketamech.analysis.sensitivity import Endpoint
from ketamech.analysis.variant_fit import VariantScore, load_draws, load_variant_scores
from ketamech.analysis.variant_likelihood import VariantPredictor
from ketamech.core.statistics import INTERVAL_95, weighted_percentiles
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.model_variants import load_model_variants

REFERENCE_VARIANT, AVERAGED = "several-routes", "averaged"
MAX_DEVIANCE_CHANGE = 1.0  # a larger change means that the fit used other equations
DAYS = {"4 h": 4.0, "24 h": 24.0, "day 8": 168.0, "day 29": 672.0}


@dataclass(frozen=True)
class Comparison:
    """`table`: one line per variant, most probable first, then the average. `rows`: one line per variant and row.

    table: variant, question, probability, bayes_factor (against the variant of the tables), log_evidence, aic, bic,
    deviance, known, right (share of perturbation rows with the right direction), met (share inside their band),
    clinical (mean distance of trial rows in errors), predicted (share met of rows that were not fitted), says,
    supported_by and opposed_by (ids of evidence rows, by which the variant was proposed; no part of the probability).
    `stale`: variants that were fitted with other equations.
    """

    table: pd.DataFrame
    rows: pd.DataFrame
    stale: tuple[str, ...]


@dataclass(frozen=True)
class ModelAverage:
    """A scenario under every variant: MADRS [draw, hour] of each, and the average weighted by probability.

    `table`: when, averaged, low, high (95 % over variants and draws), lowest and highest mean of a variant, between (SD
    between variants, points), share_between (share of the total variance).
    """

    title: str
    hours: np.ndarray
    curves: Mapping[str, np.ndarray]
    probability: Mapping[str, float]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    table: pd.DataFrame
    doses: int


def compare_variants(model: Model, threads: int = 1) -> Comparison:
    """Every fitted variant on every row, at its fitted values. Raises InputError when no variant has been fitted."""
    predictor, known = VariantPredictor(model, threads), load_variant_scores()
    variants = {name: w for name, w in load_model_variants(model.parameters).items() if name in known}
    predicted = predictor.predict([w.parameter_values for w in variants.values()])
    deviances = predictor.deviances(predicted)[:, predictor.fitted].sum(axis=1)
    stale = tuple(
        n for n, d in zip(variants, deviances, strict=True) if abs(d - known[n].deviance) > MAX_DEVIANCE_CHANGE
    )
    chances = np.array([known[name].probability for name in variants])
    mixed = np.nansum(chances[:, None] * predicted, axis=0)
    count = sum(term.weight for term in predictor.likelihood_terms if term.fitted)
    lines, rows = [], []
    for name, numbers, deviance in zip([*variants, AVERAGED], [*predicted, mixed], [*deviances, math.nan], strict=True):
        stood, variant = known.get(name), variants.get(name)
        line: dict[str, object] = {"variant": name, "question": variant.question if variant else "all"}
        if stood:
            line |= {
                "probability": stood.probability, "bayes_factor": _bayes_factor(stood.log_evidence, known),
                "log_evidence": stood.log_evidence, "aic": deviance + 2 * stood.effective_parameters,
                "bic": deviance + stood.effective_parameters * math.log(count), "deviance": deviance,
                "known": stood.effective_parameters,
            }  # fmt: skip
        line |= {**_scores(predictor, numbers), "says": variant.description if variant else "weighted by probability"}
        for side in ("supported_by", "opposed_by"):
            line[side] = "; ".join(getattr(variant, side)) if variant else ""
        lines.append(line)
        rows += _rows(predictor, name, numbers)
    table = pd.DataFrame(lines)
    order = table["probability"].fillna(-1).sort_values(ascending=False, kind="stable").index
    return Comparison(table.loc[order].reset_index(drop=True), pd.DataFrame(rows), stale)


def average_variants(model: Model, source: str, threads: int = 1) -> ModelAverage:
    """MADRS of a scenario under every variant with the draws of its fit, and the average weighted by probability."""
    known, draws = load_variant_scores(), load_draws(model.parameters)
    own = set(load_scenario(source, model.parameters).values)
    curves, hours, title, doses = {}, np.empty(0), source, 1
    for name in known:
        variant_scenario = load_scenario(source, model.parameters, variant=name)
        hours = shown_hours(variant_scenario)
        doses = len(variant_scenario.regimen.starts(variant_scenario.horizon))
        values = {parameter: column for parameter, column in draws[name].items() if parameter not in own}
        game = CoalitionSimulator(model, variant_scenario, (Endpoint("MADRS", MOOD, "lowest"),), (), hours, threads)
        curves[name] = game.evaluate_coalitions(values)[1][:, 0]
        title = variant_scenario.title.removesuffix(f" (variant: {name})")
    probability = {name: known[name].probability for name in known}
    everything = np.concatenate(list(curves.values()))
    weights = np.concatenate([np.full(len(c), probability[n] / len(c)) for n, c in curves.items()])
    mean = weights @ everything
    low, high = np.array([weighted_percentiles(column, weights, INTERVAL_95) for column in everything.T]).T
    lines = [
        {"when": when, **_spread(curves, probability, hours, hour)} for when, hour in DAYS.items() if hour <= hours[-1]
    ]
    return ModelAverage(title, hours, curves, probability, mean, low, high, pd.DataFrame(lines), doses)


def _bayes_factor(evidence: float, known: Mapping[str, VariantScore]) -> float:
    best = max(known.values(), key=lambda score: score.log_evidence)
    base = known.get(REFERENCE_VARIANT, best).log_evidence
    return math.exp(min(50.0, evidence - base))


def _scores(predictor: VariantPredictor, numbers: np.ndarray) -> dict[str, float]:
    """Shares of rows right, met and predicted, and mean distance of trial rows, from simulated `numbers` [row]."""
    terms = list(zip(predictor.likelihood_terms, numbers, predictor.distances(numbers[None])[0], strict=True))
    tested = [(term.is_correct(float(x)), abs(d)) for term, x, d in terms if term.kind == "perturbation"]
    trials = [abs(d) for term, _, d in terms if term.kind == "clinical"]
    unfitted = [abs(d) for term, _, d in terms if term.kind == "unfitted"]
    return {
        "right": float(np.mean([right for right, _ in tested])),
        "met": float(np.mean([far == 0 for _, far in tested])),
        "clinical": float(np.mean(trials)),
        "predicted": float(np.mean([far == 0 for far in unfitted])),
    }


def _rows(predictor: VariantPredictor, name: str, numbers: np.ndarray) -> list[dict[str, object]]:
    """One row for each likelihood term with its simulated number, `numbers` [row]."""
    far = predictor.distances(numbers[None])[0]
    return [
        {
            "variant": name, "evidence": term.evidence, "kind": term.kind, "what": term.description,
            "simulated": float(x), "low": term.low, "high": term.high, "distance": float(d),
            "right": term.is_correct(float(x)),
        }
        for term, x, d in zip(predictor.likelihood_terms, numbers, far, strict=True)
    ]  # fmt: skip


def _spread(
    curves: Mapping[str, np.ndarray], probability: Mapping[str, float], hours: np.ndarray, hour: float
) -> dict[str, float]:
    """The average at an hour, and the share of its variance between variants."""
    at = {name: np.array([np.interp(hour, hours, curve) for curve in c]) for name, c in curves.items()}
    chances = np.array([probability[name] for name in at])
    means, own = (np.array([f(values) for values in at.values()]) for f in (np.mean, np.var))
    mean = float(chances @ means)
    between, within = float(chances @ (means - mean) ** 2), float(chances @ own)
    values = np.concatenate(list(at.values()))
    weights = np.concatenate([np.full(len(v), probability[n] / len(v)) for n, v in at.items()])
    low, high = map(float, weighted_percentiles(values, weights, INTERVAL_95))
    return {
        "averaged": mean, "low": low, "high": high,
        "lowest": float(means.min()), "highest": float(means.max()), "between": math.sqrt(between),
        "share_between": between / (between + within) if between + within else 0.0,
    }  # fmt: skip
