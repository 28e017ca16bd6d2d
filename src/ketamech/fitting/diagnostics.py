"""Summary of a fit: simulated measurements, residuals, prediction discrepancies, shrinkage, predictive checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from ketamech.core import InputError, closest_match
from ketamech.core.statistics import MEDIAN_AND_95, percentiles
from ketamech.fitting.error_models import ErrorModel, error_models
from ketamech.fitting.fit import Fit, FitSettings, varying_names
from ketamech.fitting.fitted_parameters import named_parameters, prior_covariance
from ketamech.fitting.group_model import GroupModel, group_model, means_of_persons
from ketamech.fitting.group_sampler import GroupDraws, convergence
from ketamech.fitting.individual_dose import Individuals, individuals
from ketamech.fitting.leave_one_out import comparison_table, criteria_table, log_likelihoods
from ketamech.fitting.map_estimates import normal_interval
from ketamech.fitting.observations import FitData
from ketamech.fitting.predict import Predictor
from ketamech.nonmem.measurements import LEFT, NOT_CENSORED
from ketamech.population.virtual_population import Population, load_population
from ketamech.simulation.model import Model

REPLICATES, BINS = 300, 8
PERCENTILES = (5, 50, 95)  # of the measurements in a visual predictive check


def npde(data: FitData, replicates: np.ndarray) -> np.ndarray:
    """Normalised prediction distribution errors [measurement]; NaN where censored.

    Measurements of a person are decorrelated with the mean and covariance of the replicates (Brendel 2006, Pharm Res
    23:2036). Standard normal where the model describes the data.
    """
    errors = np.full(len(data.value), np.nan)
    for person in range(len(data.persons)):
        selected = np.flatnonzero((data.person == person) & (data.censored == NOT_CENSORED))
        simulated = replicates[:, selected]
        simulated = simulated[np.isfinite(simulated).all(axis=1)]
        if not len(selected) or len(simulated) <= len(selected) + 1:
            continue
        mean, covariance = simulated.mean(axis=0), np.atleast_2d(np.cov(simulated.T))
        covariance += 1e-9 * np.trace(covariance) * np.eye(len(selected))
        whitening = np.linalg.inv(np.linalg.cholesky(covariance))
        z, simulated_z = whitening @ (data.value[selected] - mean), (simulated - mean) @ whitening.T
        rank = (simulated_z < z).sum(axis=0)
        errors[selected] = ndtri((rank + 0.5) / (len(simulated_z) + 1))
    return errors


def residual_table(fit: Fit, replicates: np.ndarray) -> pd.DataFrame:
    """One row per measurement: DV, predictions of the population and of the person, residuals, and NPDE."""
    data = fit.data
    names = {NOT_CENSORED: "", LEFT: "below"}
    return pd.DataFrame({
        "ID": [data.persons[i].name for i in data.person],
        "TIME": data.column("time"),
        "output": [data.outputs[i].output for i in data.number],
        "unit": [data.outputs[i].unit for i in data.number],
        "DV": data.value,
        "censored": [names.get(int(code), "above") for code in data.censored],
        "PRED": fit.population_predicted,
        "IPRED": fit.predicted,
        "IWRES": fit.weighted_residuals,
        "NPDE": npde(data, replicates),
        "line": [measurement.row.line for measurement in data.measurements],
    })  # fmt: skip


def shrinkage(fit: Fit) -> np.ndarray:
    """Shrinkage of each parameter [p]: 1 - SD of the estimated deviations / SD between people; NaN for one person."""
    if len(fit.mode) < 2:
        return np.full(fit.mode.shape[1], np.nan)
    return np.asarray(1 - (fit.mode - fit.mean).std(axis=0, ddof=1) / np.sqrt(np.diag(fit.covariance)))


def person_table(fit: Fit) -> pd.DataFrame:
    """One row per person and parameter: estimate with 95 % interval, population value, deviation in SDs."""
    low, high = fit.interval()
    rows = []
    for i, subject in enumerate(fit.data.persons):
        for j, parameter in enumerate(fit.parameters):
            rows.append({
                "ID": subject.name, "parameter": parameter.name, "unit": parameter.unit,
                "estimate": float(parameter.shown(fit.mode[i, j])), "low": float(parameter.shown(low[i, j])),
                "high": float(parameter.shown(high[i, j])), "population": float(parameter.shown(fit.mean[i, j])),
                "deviation": float((fit.mode[i, j] - fit.mean[i, j]) / np.sqrt(fit.covariance[j, j])),
                "variance_reduction": float(fit.variance_reduction[i, j]),
            })  # fmt: skip
    return pd.DataFrame(rows)


def group_table(fit: Fit) -> pd.DataFrame:
    """One row per quantity of the group: posterior median with 95 % interval, relative standard error, prior, R-hat.

    Population medians are in the unit of the tables, SDs between people on the free scale (about the coefficient of
    variation), residual SDs in the unit of DV or as a fraction.
    """
    assert fit.model is not None
    assert fit.draws is not None
    model, draws, count = fit.model, fit.draws, len(fit.parameters)
    rows = []
    for j, p in enumerate(fit.parameters):
        row = _summary(p.name, p.unit, p.shown(draws.coefficients[:, :, j]), draws.coefficients[:, :, j])
        prior = normal_interval(model.mean[j], model.mean_sd[j])
        variance_reduction = 1 - draws.coefficients[:, :, j].var() / model.mean_sd[j] ** 2
        rows.append(row | _prior(p.shown(model.mean[j]), [p.shown(x) for x in prior], variance_reduction))
    for j, effect in enumerate(model.effects):
        name = f"{fit.parameters[effect.parameter].name} ~ {effect.column}, per {effect.sd:.3g}"
        values = draws.coefficients[:, :, count + j]
        variance_reduction = 1 - values.var() / model.mean_sd[count + j] ** 2
        bounds = normal_interval(np.zeros(1), model.mean_sd[count + j])
        rows.append(_summary(name, "", values, values) | _prior(0.0, bounds, variance_reduction))
    for j, p in enumerate(fit.parameters):
        sd = np.sqrt(draws.covariance[:, :, j, j])
        row = _summary(f"SD between people of {p.name}", "logit" if p.is_share else "log", sd, np.log(sd))
        rows.append(row | _prior(np.sqrt(model.covariance[j, j])))
    for j, p in enumerate(fit.parameters[i] for i in model.varying):
        sd = np.sqrt(model.parts(draws.covariance)[1][:, :, j])
        row = _summary(f"SD between periods of {p.name}", "logit" if p.is_share else "log", sd, np.log(sd))
        rows.append(row | _prior(np.sqrt(model.within[j])))
    names = [(f"{name} error of {output.output}", unit) for output, error in zip(
        fit.data.outputs, model.errors, strict=True) for name, unit in error.labels(output.unit)]  # fmt: skip
    for j, (name, unit) in enumerate(names):
        values = np.exp(draws.log_errors[:, :, j])
        rows.append(_summary(name, unit, values, np.log(values)) | _prior(np.exp(model.error_start[j])))
    return pd.DataFrame(rows)


def period_table(fit: Fit) -> pd.DataFrame:
    """One row per period of each person and parameter that varies between them: estimate with 95 % interval."""
    assert fit.model is not None
    model, rows = fit.model, []
    for i, subject in enumerate(fit.data.persons):
        for period in map(int, np.flatnonzero(model.has_period[i])):
            for k, j in enumerate(model.varying):
                column, p = model.size + period * len(model.varying) + k, fit.parameters[j]
                estimate = fit.mode[i, j] + fit.mode[i, column]
                covariance = fit.person_covariance[i]
                sd = np.sqrt(covariance[j, j] + covariance[column, column] + 2 * covariance[j, column])
                low, high = (float(p.shown(edge)) for edge in normal_interval(estimate, sd))
                rows.append({"ID": subject.name, "period": period + 1, "parameter": p.name, "unit": p.unit,
                             "estimate": float(p.shown(estimate)), "low": low, "high": high})  # fmt: skip
    return pd.DataFrame(rows)


def _summary(name: str, unit: str, values: np.ndarray, free: np.ndarray) -> dict[str, object]:
    low, median, high = percentiles(values, MEDIAN_AND_95)
    rhat, effective = convergence(free[:, :, None])
    error = float(values.std() / abs(values.mean())) if values.mean() else float("nan")
    return {"parameter": name, "unit": unit, "estimate": median, "low": low, "high": high, "RSE": error,
            "R_hat": float(rhat[0]), "effective_draws": float(effective[0])}  # fmt: skip


def _prior(
    median: float | np.ndarray, bounds: Sequence[object] = (), variance_reduction: float = np.nan
) -> dict[str, object]:
    low, high = (float(np.asarray(x).ravel()[0]) for x in bounds) if len(bounds) else (np.nan, np.nan)
    return {"prior": float(median), "prior_low": low, "prior_high": high, "variance_reduction": variance_reduction}


@dataclass(frozen=True)
class VpcPanel:
    """A visual predictive check of one output and stratum; percentiles [percentile, bin], NaN where censored.

    `simulated` [percentile, band, bin]: the band of each percentile over the replicates.
    """

    label: str
    unit: str
    time: np.ndarray
    value: np.ndarray
    is_censored: np.ndarray
    edges: np.ndarray
    middle: np.ndarray
    observed: np.ndarray
    simulated: np.ndarray
    corrected: bool


def visual_predictive_check(
    data: FitData, replicates: np.ndarray, population_predicted: np.ndarray, *, bins: int | Sequence[float] = BINS,
    stratify: str = "", corrected: bool = False,
) -> list[VpcPanel]:  # fmt: skip
    """One panel per output and value of the column `stratify`.

    `bins`: a number (about as many measurements in each), or the edges in hours. `corrected`: measurements and
    replicates are divided by the population prediction and multiplied by its median in the bin (Bergstrand 2011, AAPS J
    13:143). Values below the limit of quantification count as lower than all others. Measurements outside the edges are
    shown, but belong to no bin. Raises InputError for an unknown column, and as `require_bins`.
    """
    require_bins(data, bins)
    strata = _strata(data, stratify)
    panels = []
    for number, output in enumerate(data.outputs):
        for stratum in dict.fromkeys(strata[data.number == number]):
            rows = np.flatnonzero((data.number == number) & (strata == stratum))
            label = output.output + (f", {stratify} {stratum}" if stratify else "")
            panels.append(_panel(data, rows, replicates[:, rows], population_predicted[rows], bins, corrected, label,
                                 output.unit))  # fmt: skip
    return panels


def require_bins(data: FitData, bins: int | Sequence[float]) -> None:
    """Raise InputError where there is no bin, or no measurement lies between the outer edges."""
    times = data.column("time").astype(float)
    edges = _edges(times, bins)
    if not ((edges[0] <= times) & (times <= edges[-1])).any():
        message = f"no measurement lies between {edges[0]:g} and {edges[-1]:g} h"
        expected = f"edges about the times of the measurements, {times.min():g} to {times.max():g} h"
        raise InputError(message, key="--bins", expected=expected)


def _strata(data: FitData, stratify: str) -> np.ndarray:
    """The text of a column of the table for each measurement."""
    if not stratify:
        return np.full(len(data.value), "")
    names = {header.upper(): name for name, header in data.table.columns.items()}
    if stratify.upper() not in names:
        raise InputError(f"the table has no column '{stratify}'", file=data.table.path, key="--stratify",
                         expected=f"one of {', '.join(data.table.columns.values())}",
                         nearest=closest_match(stratify, data.table.columns.values()))  # fmt: skip
    return np.array([row.row.text(names[stratify.upper()], "missing") for row in data.measurements])


def _panel(
    data: FitData, rows: np.ndarray, replicates: np.ndarray, predicted: np.ndarray, bins: int | Sequence[float],
    corrected: bool, label: str, unit: str,
) -> VpcPanel:  # fmt: skip
    time, value = data.column("time")[rows].astype(float), data.value[rows].copy()
    is_censored = data.censored[rows] == LEFT
    limit = value[is_censored].max() if is_censored.any() else -np.inf
    edges = _edges(time, bins)
    is_outside = (time < edges[0]) | (time > edges[-1])
    bin_index = np.where(is_outside, -1, np.minimum(np.searchsorted(edges, time, side="right") - 1, len(edges) - 2))
    simulated = np.where(replicates < limit, -np.inf, replicates)
    corrected_value = value.copy()
    observed, bands, middle = [], [], []
    for number in range(len(edges) - 1):
        in_bin = bin_index == number
        if not in_bin.any():
            continue
        factor = np.median(predicted[in_bin]) / predicted[in_bin] if corrected else np.ones(in_bin.sum())
        corrected_value[in_bin] *= factor
        ranked = np.where(is_censored[in_bin], -np.inf, value[in_bin] * factor)
        observed.append(_percentiles(ranked))
        replicate_percentiles = np.array([_percentiles(row * factor) for row in simulated[:, in_bin]])
        bands.append([_percentiles(column, MEDIAN_AND_95) for column in replicate_percentiles.T])
        middle.append(np.median(time[in_bin]))
    bands_of_bins = np.reshape(bands, (-1, len(PERCENTILES), len(MEDIAN_AND_95)))
    return VpcPanel(label, unit, time, corrected_value, is_censored, edges, np.array(middle),
                    np.reshape(observed, (-1, len(PERCENTILES))).T, np.moveaxis(bands_of_bins, 0, -1),
                    corrected)  # fmt: skip


def _percentiles(values: np.ndarray, levels: Sequence[float] = PERCENTILES) -> np.ndarray:
    """Percentiles; NaN where they fall among values of -inf, which are censored."""
    valid = values[~np.isnan(values)]
    if not len(valid):
        return np.full(len(levels), np.nan)
    percentiles = np.quantile(valid, np.array(levels) / 100, method="higher" if np.isneginf(valid).any() else "linear")
    return np.where(np.isneginf(percentiles), np.nan, percentiles)


def _edges(time: np.ndarray, bins: int | Sequence[float]) -> np.ndarray:
    """Edges of the bins (h): as given, or midpoints between times, for about equal numbers of measurements."""
    if not isinstance(bins, int):
        edges = np.array(sorted(bins), dtype=float)
        if len(edges) < 2:
            raise InputError("one edge makes no bin", key="--bins", expected="a number of bins, or two edges or more")
        return edges
    if bins < 1:
        raise InputError(f"{bins} bins", key="--bins", expected="at least 1")
    distinct_times = np.unique(time)
    if len(distinct_times) > bins:
        distinct_times = np.unique(np.quantile(time, np.linspace(0, 1, bins)))
    midpoints = (distinct_times[1:] + distinct_times[:-1]) / 2
    return np.array([distinct_times[0] - 1e-9, *midpoints, max(time.max(), distinct_times[-1]) + 1e-9])


@dataclass(frozen=True)
class FitSummary:
    """The numbers of the report of a fit: `tables` by name, panels of the visual predictive check, and draws.

    `logs`: log densities of the measurements of a group; `individuals`: draws of the persons with other parameters.
    """

    tables: dict[str, pd.DataFrame]
    panels: list[VpcPanel]
    individuals: Individuals
    logs: xr.Dataset | None = None


def summarise_fit(
    fit: Fit, seed: int, *, bins: int | Sequence[float] = BINS, stratify: str = "", corrected: bool = False,
    others: Mapping[str, xr.Dataset] | None = None,
) -> FitSummary:  # fmt: skip
    """Simulate the measurements of other people and summarise a fit; `others`: log densities of fits to compare with.

    The table `criteria` is left out without the library ArviZ.
    """
    simulated = predictive_distribution(fit).replicates(REPLICATES, seed)
    residuals = residual_table(fit, simulated)
    panels = visual_predictive_check(
        fit.data, simulated, fit.population_predicted, bins=bins, stratify=stratify, corrected=corrected
    )
    tables, logs = {"persons": person_table(fit), "residuals": residuals}, None
    if fit.draws is not None:
        tables = {"group": group_table(fit), **tables}
        if fit.model is not None and fit.model.varying:
            tables["periods"] = period_table(fit)
        logs = log_likelihoods(fit, seed=seed)
        if find_spec("arviz") is not None:
            tables["criteria"] = criteria_table(logs)
        if others:
            tables["comparison"] = comparison_table({"this fit": logs, **others})
    return FitSummary(tables, panels, individuals(fit, seed=seed), logs)


@dataclass(frozen=True)
class PredictiveDistribution:
    """A population to simulate from: `mean` [person, p] and `covariance`, or posterior `draws` of a `model`."""

    predictor: Predictor
    errors: tuple[ErrorModel, ...]
    mean: np.ndarray
    covariance: np.ndarray
    model: GroupModel | None = None
    draws: GroupDraws | None = None

    def replicates(self, count: int, seed: int) -> np.ndarray:
        """Simulated measurements [replicate, measurement] of other people with the same doses and times.

        The posterior of a group is included: every replicate has its own draw.
        """
        rng = np.random.default_rng([seed, 7])
        normal = rng.standard_normal((count, *self.mean.shape))
        if self.model is None or self.draws is None:
            free = self.mean + normal @ np.linalg.cholesky(self.covariance).T
            errors = self.errors
        else:
            draws = {name: getattr(self.draws, name).reshape(-1, *getattr(self.draws, name).shape[2:])
                    for name in ("coefficients", "covariance", "log_errors")}  # fmt: skip
            index = rng.integers(len(draws["coefficients"]), size=count)
            factor = np.linalg.cholesky(self.model.joint(*self.model.parts(draws["covariance"][index])))
            free = means_of_persons(self.model, draws["coefficients"][index]) + np.einsum(
                "kij,knj->kni", factor, normal
            )
            errors = self.model.errors_at(draws["log_errors"][index])
        predicted = self.predictor.predictions(free)
        noise = rng.standard_normal(predicted.shape)
        simulated = np.empty_like(predicted)
        for number, error in enumerate(errors):
            mask = self.predictor.data.number == number
            simulated[:, mask] = error.simulated(predicted[:, mask], noise[:, mask])
        return simulated


def predictive_distribution(fit: Fit) -> PredictiveDistribution:
    """The population of other people: the posterior of a group, or the prior of persons that were fitted alone."""
    return PredictiveDistribution(fit.predictor, fit.errors, fit.mean, fit.covariance, fit.model, fit.draws)


def population_distribution(
    data: FitData, model: Model, settings: FitSettings, population: Population | None = None
) -> PredictiveDistribution:
    """The population of the tables, to simulate the measurements of other people."""
    population, errors = population or load_population(settings.population), error_models(data, settings.errors)
    predictor = Predictor(model, data, (), threads=settings.threads)
    names = settings.parameters or tuple(varying_names(predictor, population))
    predictor = predictor.with_parameters(named_parameters(names, population, model.parameters))
    covariance = prior_covariance(predictor.parameters, population)
    return PredictiveDistribution(predictor, errors, predictor.typical, covariance)


def posterior_distribution(
    data: FitData, model: Model, settings: FitSettings, draws: Path, population: Population | None = None
) -> PredictiveDistribution:
    """The posterior of a group whose draws were saved, to simulate the measurements of these people."""
    population, errors = population or load_population(settings.population), error_models(data, settings.errors)
    parameters = named_parameters(settings.parameters, population, model.parameters)
    predictor = Predictor(model, data, parameters, threads=settings.threads)
    group = group_model(
        predictor, population, errors, full=settings.full, covariates=settings.covariates, iov=settings.iov
    )
    predictor = replace(predictor, varying=group.varying)
    with np.load(draws) as saved:
        group_draws = GroupDraws(**{name: saved[name] for name in saved.files}, accepted={})
    mean = means_of_persons(group, group_draws.coefficients.mean(axis=(0, 1)))
    covariance = group.joint(*group.parts(group_draws.covariance.mean(axis=(0, 1))))
    return PredictiveDistribution(predictor, errors, mean, covariance, group, group_draws)
