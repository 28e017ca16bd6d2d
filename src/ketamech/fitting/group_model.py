"""The hierarchical model of a group, its prior distribution, and its start by iterative two-stage estimation.

The free parameters of a person are normal about `design` times `coefficients` (population means and covariate effects)
with a covariance between people. Population means have the spread of their table rows as prior SD. The prior of the
covariance counts as much as PRIOR_PEOPLE people with the variability of the population tables; a residual SD is
lognormal about its start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from ketamech.core import InputError, closest_match
from ketamech.fitting.error_models import ErrorModel
from ketamech.fitting.fitted_parameters import FittedParameter, prior_covariance
from ketamech.fitting.map_estimates import MapEstimates, likelihood_terms, map_estimates
from ketamech.fitting.observations import FitData
from ketamech.fitting.predict import Predictor
from ketamech.population.virtual_population import Population

PRIOR_PEOPLE = 5.0  # weight of the tables' variability, in people
ERROR_PRIOR_SD = 1.0  # of the logarithm of a residual SD
EFFECT_PRIOR_SD = 1.0  # of a covariate effect on the free scale, per SD of the covariate
ROUNDS, SCORING_STEPS = 40, 3  # of the start; scoring steps of each person in a round
SMALL_CHANGE = 0.02  # of means (in SDs between people) and of log SDs, at which the start has converged


@dataclass(frozen=True)
class FittedEffect:
    """A fitted parameter depends linearly, on the free scale, on a standardised covariate of the table."""

    parameter: int
    column: str
    mean: float
    sd: float


@dataclass(frozen=True)
class GroupModel:
    """Everything that determines the posterior of a group but the data; q coefficients, p parameters.

    `design` [person, p, q], prior `mean` and `mean_sd` [q], prior covariance between people [p, p], `errors` at their
    prior medians, whether the covariance is full, and the covariate `effects`, whose coefficients come last.
    """

    design: np.ndarray
    mean: np.ndarray
    mean_sd: np.ndarray
    covariance: np.ndarray
    errors: tuple[ErrorModel, ...]
    is_full: bool
    effects: tuple[FittedEffect, ...]

    @property
    def error_start(self) -> np.ndarray:
        """Logarithms of the residual SDs at the prior median [number]."""
        return np.log([value for model in self.errors for value in model.numbers.values()])

    def errors_at(self, logs: np.ndarray) -> tuple[ErrorModel, ...]:
        """Error models with SDs exp(logs) [..., number]; arrays [..., 1] where there are more dimensions."""
        values = np.exp(logs)
        found, place = [], 0
        for model in self.errors:
            own = [
                values[..., place + i, None] if values.ndim > 1 else values[place + i]
                for i in range(len(model.numbers))
            ]
            found.append(model.with_numbers(own))
            place += len(own)
        return tuple(found)


@dataclass(frozen=True)
class GroupValues:
    """Values of a group: `coefficients` [q], covariance between people [p, p], logarithms of residual SDs [number]."""

    coefficients: np.ndarray
    covariance: np.ndarray
    log_errors: np.ndarray


def group_model(
    predictor: Predictor, population: Population, errors: Sequence[ErrorModel], *, full: bool = False,
    covariates: Sequence[str] = (),
) -> GroupModel:  # fmt: skip
    """The model of the persons of `predictor`; `covariates` such as "central_volume ~ AGE". Raises InputError."""
    parameters, count = predictor.parameters, len(predictor.parameters)
    effects = tuple(_effect(text, parameters, predictor.data) for text in covariates)
    design = np.zeros((len(predictor.data.persons), count, count + len(effects)))
    design[:, :, :count] = np.eye(count)
    for i, effect in enumerate(effects):
        design[:, effect.parameter, count + i] = _standardised(effect, predictor.data)
    covariance = prior_covariance(parameters, population)
    if not full:
        covariance = np.diag(np.diag(covariance))
    typical = [float(one.free(one.typical)) for one in parameters]
    mean = np.array([*typical, *([0.0] * len(effects))])
    sd = np.array([*(one.mean_sd for one in parameters), *([EFFECT_PRIOR_SD] * len(effects))])
    return GroupModel(design, mean, sd, covariance, tuple(errors), full, effects)


def _effect(text: str, parameters: Sequence[FittedParameter], data: FitData) -> FittedEffect:
    """The effect in a text such as "central_volume ~ AGE". Raises InputError."""
    name, _, column = (part.strip() for part in text.partition("~"))
    names = [one.name for one in parameters]
    index = next((i for i, full in enumerate(names) if name in (full, full.rpartition(".")[2])), None)
    if index is None or not column:
        what = f"'{text}' is not the effect of a covariate on a fitted parameter"
        raise InputError(what, key="--covariate", expected=f"PARAMETER ~ COLUMN, with one of {', '.join(names)}",
                         nearest=closest_match(name, names))  # fmt: skip
    written = {shown.upper(): key for key, shown in data.table.columns.items()}
    if column.upper() not in written:
        raise InputError(f"the table has no column '{column}'", file=data.table.path, key="--covariate",
                         nearest=closest_match(column, data.table.columns.values()))  # fmt: skip
    effect = FittedEffect(index, written[column.upper()], 0.0, 1.0)
    values = covariate_values(data, effect.column)
    if np.isnan(values).any():
        missing = data.persons[int(np.flatnonzero(np.isnan(values))[0])].name
        raise InputError(
            f"ID {missing} has no {column}", file=data.table.path, key=column, expected="a number for each ID"
        )
    if np.ptp(values) == 0:
        raise InputError(f"{column} is the same in all persons", file=data.table.path, key=column)
    return replace(effect, mean=float(values.mean()), sd=float(values.std(ddof=1)))


def covariate_values(data: FitData, column: str) -> np.ndarray:
    """The first number of each person in a column [person]; NaN where there is none. Raises InputError for text."""
    found = np.full(len(data.persons), np.nan)
    for place, (_, occasion) in enumerate(data.occasions):
        person = data.person_of_occasion[place]
        rows = [*occasion.rows, *(seen.row for seen in occasion.observations)]
        for row in rows:
            if np.isnan(found[person]) and column in row.cells:
                found[person] = row.number(column)
    return found


def _standardised(effect: FittedEffect, data: FitData) -> np.ndarray:
    return (covariate_values(data, effect.column) - effect.mean) / effect.sd


def means_of_persons(model: GroupModel, coefficients: np.ndarray) -> np.ndarray:
    """Means [..., person, parameter] of the persons from coefficients [..., q]."""
    return np.asarray(np.einsum("npq,...q->...np", model.design, coefficients))


def coefficient_posterior(model: GroupModel, free: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [q] and precision [q, q] of the coefficients, from parameters [person, p] and their covariance."""
    weight = np.linalg.inv(covariance)
    prior = np.diag(model.mean_sd**-2.0)
    precision = prior + np.einsum("npq,pr,nrs->qs", model.design, weight, model.design)
    right = prior @ model.mean + np.einsum("npq,pr,nr->q", model.design, weight, free)
    return np.linalg.solve(precision, right), precision


def iterative_two_stage(
    predictor: Predictor, model: GroupModel, progress: Callable[[int], None] | None = None
) -> tuple[GroupValues, MapEstimates]:
    """Start of a group fit: persons given the group by Laplace approximation, then the group given the persons."""
    values = GroupValues(model.mean, model.covariance, model.error_start)
    estimates: MapEstimates | None = None
    for turn in range(ROUNDS):
        before = None if estimates is None else estimates.mode
        estimates = map_estimates(
            predictor, means_of_persons(model, values.coefficients), values.covariance,
            model.errors_at(values.log_errors), start=before, iterations=SCORING_STEPS,
        )  # fmt: skip
        updated = _updated(predictor, model, values, estimates)
        apart = np.abs(updated.coefficients - values.coefficients) / model.mean_sd
        wide = np.abs(np.log(np.diag(updated.covariance) / np.diag(values.covariance))) / 2
        values = updated
        if progress:
            progress(turn + 1)
        if max(apart.max(), wide.max()) < SMALL_CHANGE:
            break
    assert estimates is not None
    return values, estimates


def _updated(predictor: Predictor, model: GroupModel, values: GroupValues, found: MapEstimates) -> GroupValues:
    """The group given the persons: expectation maximisation with the Laplace covariance of each person."""
    coefficients, _ = coefficient_posterior(model, found.mode, values.covariance)
    apart = found.mode - means_of_persons(model, coefficients)
    scatter = apart.T @ apart + found.covariance.sum(axis=0)
    covariance = (PRIOR_PEOPLE * model.covariance + scatter) / (PRIOR_PEOPLE + len(apart))
    if not model.is_full:
        covariance = np.diag(np.diag(covariance))
    spread = found.covariance[predictor.data.person]
    uncertainty = np.einsum("mi,mij,mj->m", found.slopes, spread, found.slopes)

    def cost(logs: np.ndarray) -> float:
        value, _, information = likelihood_terms(predictor.data, model.errors_at(logs), found.predicted)
        prior = 0.5 * np.sum(((logs - model.error_start) / ERROR_PRIOR_SD) ** 2)
        return float(prior - np.sum(np.where(np.isfinite(value), value - 0.5 * information * uncertainty, 0.0)))

    logs = minimize(cost, values.log_errors, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3}).x
    return GroupValues(coefficients, covariance, np.asarray(logs))
