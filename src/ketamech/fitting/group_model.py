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
PERIOD_SHARE = 0.5  # SD between periods relative to that between people, where the tables have none (assumed)
ERROR_PRIOR_SD = 1.0  # of the logarithm of a residual SD
EFFECT_PRIOR_SD = 1.0  # of a covariate effect on the free scale, per SD of the covariate
ROUNDS, SCORING_STEPS = 40, 3  # of the start; scoring steps of each person in a round
CONVERGENCE_TOLERANCE = 0.02  # of means (in SDs between people) and of log SDs, at which the start has converged


@dataclass(frozen=True)
class FittedEffect:
    """A fitted parameter depends linearly, on the free scale, on a standardised covariate of the table."""

    parameter: int
    column: str
    mean: float
    sd: float


@dataclass(frozen=True)
class GroupModel:
    """The prior distribution and error models of a group; q coefficients, p parameters.

    `design` [person, P, q], prior `mean` and `mean_sd` [q], prior covariance between people [p, p], `errors` at their
    prior medians, whether the covariance is full, and the covariate `effects`, whose coefficients come last.

    Parameters `varying` (indices [r]) differ between periods of a person, with prior variances `within` [r]. The P
    values of a person are its p parameters and r deviations for each period; `has_period` [person, period].
    """

    design: np.ndarray
    mean: np.ndarray
    mean_sd: np.ndarray
    covariance: np.ndarray
    errors: tuple[ErrorModel, ...]
    is_full: bool
    effects: tuple[FittedEffect, ...]
    varying: tuple[int, ...]
    within: np.ndarray
    has_period: np.ndarray

    @property
    def size(self) -> int:
        """Number of parameters, p."""
        return len(self.covariance)

    @property
    def variances(self) -> np.ndarray:
        """The variance [P] of each value of a person: 0 to p - 1 between people, then those between periods."""
        periods = self.has_period.shape[1] if self.varying else 0
        return np.concatenate([np.arange(self.size), np.tile(self.size + np.arange(len(self.varying)), periods)])

    def joint(self, between: np.ndarray, within: np.ndarray) -> np.ndarray:
        """Covariance [..., P, P] of a person from that between people [..., p, p] and variances [..., r] of periods."""
        values = np.concatenate([np.diagonal(between, axis1=-2, axis2=-1), within], axis=-1)[..., self.variances]
        covariance = values[..., None] * np.eye(len(self.variances))
        covariance[..., : self.size, : self.size] = between
        return covariance

    def parts(self, joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Covariance between people [..., p, p] and variances between periods [..., r] of a joint covariance."""
        size = self.size
        within = np.diagonal(joint, axis1=-2, axis2=-1)[..., size : size + len(self.varying)]
        return joint[..., :size, :size], within

    def scatter_of_periods(self, squares: np.ndarray) -> tuple[np.ndarray, int]:
        """Sum [r] of squared deviations [person, P] over the periods that persons have, and their number."""
        periods = squares[:, self.size :].reshape(*self.has_period.shape, -1) if self.varying else np.zeros((0, 0, 0))
        return (periods[self.has_period].sum(axis=0), int(self.has_period.sum())) if self.varying else (np.zeros(0), 0)

    @property
    def error_start(self) -> np.ndarray:
        """Logarithms of the residual SDs at the prior median [number]."""
        return np.log([value for model in self.errors for value in model.numbers.values()])

    def errors_at(self, logs: np.ndarray) -> tuple[ErrorModel, ...]:
        """Error models with SDs exp(logs) [..., number]; arrays [..., 1] where there are more dimensions."""
        values = np.exp(logs)
        models, offset = [], 0
        for model in self.errors:
            sds = [
                values[..., offset + i, None] if values.ndim > 1 else values[offset + i]
                for i in range(len(model.numbers))
            ]
            models.append(model.with_numbers(sds))
            offset += len(sds)
        return tuple(models)


@dataclass(frozen=True)
class GroupValues:
    """Values of a group: `coefficients` [q], joint `covariance` [P, P], logarithms of residual SDs [number]."""

    coefficients: np.ndarray
    covariance: np.ndarray
    log_errors: np.ndarray


def group_model(
    predictor: Predictor, population: Population, errors: Sequence[ErrorModel], *, full: bool = False,
    covariates: Sequence[str] = (), iov: Sequence[str] = (),
) -> GroupModel:  # fmt: skip
    """The model of the persons of `predictor`; `covariates` such as "central_volume ~ AGE".

    `iov`: names of parameters that differ between periods of a person. Raises InputError.
    """
    parameters, count = predictor.parameters, len(predictor.parameters)
    effects = tuple(_effect(text, parameters, predictor.data) for text in covariates)
    varying, has_period = _varying_parameters(iov, parameters), _periods_of_persons(predictor.data)
    size = count + len(varying) * has_period.shape[1]
    design = np.zeros((len(predictor.data.persons), size, count + len(effects)))
    design[:, :count, :count] = np.eye(count)
    for i, effect in enumerate(effects):
        design[:, effect.parameter, count + i] = _standardised(effect, predictor.data)
    covariance = prior_covariance(parameters, population)
    if not full:
        covariance = np.diag(np.diag(covariance))
    typical = [float(parameter.free(parameter.typical)) for parameter in parameters]
    mean = np.array([*typical, *([0.0] * len(effects))])
    sd = np.array([*(parameter.mean_sd for parameter in parameters), *([EFFECT_PRIOR_SD] * len(effects))])
    ratios = {row.parameter: row.occasion / row.person for row in population.tables.between if row.person}
    within = np.array([((ratios.get(parameters[i].name) or PERIOD_SHARE) * parameters[i].sd) ** 2 for i in varying])
    return GroupModel(design, mean, sd, covariance, tuple(errors), full, effects, varying, within, has_period)


def _index(name: str, parameters: Sequence[FittedParameter]) -> int | None:
    """The fitted parameter of a name or of last words."""
    return next((i for i, p in enumerate(parameters) if name in (p.name, p.name.rpartition(".")[2])), None)


def _varying_parameters(iov: Sequence[str], parameters: Sequence[FittedParameter]) -> tuple[int, ...]:
    names, indices = [parameter.name for parameter in parameters], [_index(name, parameters) for name in iov]
    for name, index in zip(iov, indices, strict=True):
        if index is None:
            raise InputError(f"'{name}' is not fitted", key="--iov", expected=f"one of {', '.join(names)}",
                             nearest=closest_match(name, names))  # fmt: skip
    return tuple(index for index in indices if index is not None)


def _periods_of_persons(data: FitData) -> np.ndarray:
    """Whether a person has a period [person, period]."""
    periods = [{number for i in np.flatnonzero(data.person_of_occasion == person) for _, number in data.periods[i]}
           for person in range(len(data.persons))]  # fmt: skip
    return np.array([[number in numbers for number in range(max(map(len, periods)))] for numbers in periods])


def _effect(text: str, parameters: Sequence[FittedParameter], data: FitData) -> FittedEffect:
    """The effect in a text such as "central_volume ~ AGE". Raises InputError."""
    name, _, column = (part.strip() for part in text.partition("~"))
    names = [parameter.name for parameter in parameters]
    index = _index(name, parameters)
    if index is None or not column:
        message = f"'{text}' is not the effect of a covariate on a fitted parameter"
        raise InputError(message, key="--covariate", expected=f"PARAMETER ~ COLUMN, with one of {', '.join(names)}",
                         nearest=closest_match(name, names))  # fmt: skip
    name_by_header = {header.upper(): name_of_column for name_of_column, header in data.table.columns.items()}
    if column.upper() not in name_by_header:
        raise InputError(f"the table has no column '{column}'", file=data.table.path, key="--covariate",
                         expected=f"one of {', '.join(data.table.columns.values())}",
                         nearest=closest_match(column, data.table.columns.values()))  # fmt: skip
    effect = FittedEffect(index, name_by_header[column.upper()], 0.0, 1.0)
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
    values = np.full(len(data.persons), np.nan)
    for i, (_, occasion) in enumerate(data.occasions):
        person = data.person_of_occasion[i]
        rows = [*occasion.rows, *(observation.row for observation in occasion.observations)]
        for row in rows:
            if np.isnan(values[person]) and column in row.cells:
                values[person] = row.number(column)
    return values


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
    values = GroupValues(model.mean, model.joint(model.covariance, model.within), model.error_start)
    estimates: MapEstimates | None = None
    for round_number in range(ROUNDS):
        previous = None if estimates is None else estimates.mode
        estimates = map_estimates(
            predictor, means_of_persons(model, values.coefficients), values.covariance,
            model.errors_at(values.log_errors), start=previous, iterations=SCORING_STEPS,
        )  # fmt: skip
        updated = _maximise_group(predictor, model, values, estimates)
        mean_change = np.abs(updated.coefficients - values.coefficients) / model.mean_sd
        sd_change = np.abs(np.log(np.diag(updated.covariance) / np.diag(values.covariance))) / 2
        values = updated
        if progress:
            progress(round_number + 1)
        if max(mean_change.max(), sd_change.max()) < CONVERGENCE_TOLERANCE:
            break
    assert estimates is not None
    return values, estimates


def _maximise_group(
    predictor: Predictor, model: GroupModel, values: GroupValues, estimates: MapEstimates
) -> GroupValues:
    """The group given the persons: expectation maximisation with the Laplace covariance of each person."""
    coefficients, _ = coefficient_posterior(model, estimates.mode, values.covariance)
    deviation = estimates.mode - means_of_persons(model, coefficients)
    scatter, _ = model.parts(deviation.T @ deviation + estimates.covariance.sum(axis=0))
    between = (PRIOR_PEOPLE * model.covariance + scatter) / (PRIOR_PEOPLE + len(deviation))
    if not model.is_full:
        between = np.diag(np.diag(between))
    squares, count = model.scatter_of_periods(deviation**2 + estimates.sd**2)
    covariance = model.joint(between, (PRIOR_PEOPLE * model.within + squares) / (PRIOR_PEOPLE + count))
    spread = estimates.covariance[predictor.data.person]
    uncertainty = np.einsum("mi,mij,mj->m", estimates.slopes, spread, estimates.slopes)

    def cost(logs: np.ndarray) -> float:
        value, _, information = likelihood_terms(predictor.data, model.errors_at(logs), estimates.predicted)
        prior = 0.5 * np.sum(((logs - model.error_start) / ERROR_PRIOR_SD) ** 2)
        return float(prior - np.sum(np.where(np.isfinite(value), value - 0.5 * information * uncertainty, 0.0)))

    logs = minimize(cost, values.log_errors, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3}).x
    return GroupValues(coefficients, covariance, np.asarray(logs))
