"""Fit of a table of measurements: each person alone, or a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ketamech.core import InputError
from ketamech.core.checkpoint import Checkpoint
from ketamech.core.environment import available_threads
from ketamech.core.progress import Progress
from ketamech.fitting.error_models import ErrorModel, error_models
from ketamech.fitting.fitted_parameters import (
    MAX_GROUP_PARAMETERS,
    MAX_PERSON_PARAMETERS,
    MIN_PRIOR_EFFECT,
    FittedParameter,
    candidates,
    informed,
    named_parameters,
    prior_covariance,
)
from ketamech.fitting.group_model import GroupModel, GroupValues, group_model, iterative_two_stage, means_of_persons
from ketamech.fitting.group_sampler import CHAINS, EFFECTIVE, MAX_R_HAT, WARM_UP, GroupDraws, sample_group
from ketamech.fitting.map_estimates import MapEstimates, map_estimates, normal_interval, posterior_sample
from ketamech.fitting.observations import FitData, Flag, observed_output
from ketamech.fitting.predict import Predictor, measured_sensitivities
from ketamech.nonmem.measurements import LEFT, NOT_CENSORED, RIGHT
from ketamech.parameters.concentration_units import DISPLAY_UNIT, MODEL_UNIT, molar_masses
from ketamech.population.virtual_population import Population, load_population
from ketamech.simulation.model import Model

MIN_GROUP_SIZE = 5  # number of persons from which a group is fitted by default
SAME_FACTOR = 0.7  # SD of log(measured / predicted) up to which measurements may differ by a unit only
FLAG_PROBABILITY = 1e-4  # probability below which the fit of a person is flagged
MIN_VARIANCE_REDUCTION = 0.1  # reduction of the prior variance below which a posterior is called that of the prior


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit: names of `parameters` (default: those that the data inform), texts of residual `errors`.

    `group`: True, False, or None (a group from 5 persons on). `full`: full covariance between people. `covariates`:
    effects such as "central_volume ~ AGE". `iov`: parameters that differ between periods of a person. `chains`,
    `warm_up` and `draws` of the sampler of a group (default: as many draws as it needs to converge).
    """

    parameters: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    population: str = "adult"
    group: bool | None = None
    full: bool = False
    covariates: tuple[str, ...] = ()
    iov: tuple[str, ...] = ()
    seed: int = 1
    chains: int = CHAINS
    warm_up: int = WARM_UP
    draws: int | None = None
    threads: int = field(default_factory=available_threads)

    @property
    def job(self) -> dict[str, object]:
        """The settings that determine the results, {name: value}."""
        return {name: value for name, value in vars(self).items() if name != "threads"}


@dataclass(frozen=True)
class Fit:
    """The result of a fit; arrays of persons are on the free scale of the parameters.

    `mean` [person, p] and `covariance` [p, p] of the group (of the prior, where each person was fitted alone); `mode`
    [person, p] with `person_covariance` [person, p, p]; `predicted` and `population_predicted` [measurement] in units
    of DV. `sample` [person, draw, p] of the posterior of persons that were fitted alone. With variability between
    periods, deviations in the periods follow the p parameters, as in `GroupModel`.
    """

    predictor: Predictor
    population: Population
    errors: tuple[ErrorModel, ...]
    mean: np.ndarray
    covariance: np.ndarray
    mode: np.ndarray
    person_covariance: np.ndarray
    predicted: np.ndarray
    population_predicted: np.ndarray
    flags: tuple[Flag, ...]
    notes: tuple[str, ...]
    model: GroupModel | None = None
    draws: GroupDraws | None = None
    sample: np.ndarray | None = None

    def person_table(self) -> pd.DataFrame:
        """One row for each person and parameter: estimate, interval and how much the data informed it."""
        from ketamech.fitting.diagnostics import person_table

        return person_table(self)

    def group_table(self) -> pd.DataFrame:
        """One row for each quantity of the group: medians, variability, residual error, covariate effects."""
        from ketamech.fitting.diagnostics import group_table

        return group_table(self)

    def residual_table(self, *, replicates: int = 300, seed: int = 1) -> pd.DataFrame:
        """One row for each measurement: prediction, residuals and their NPDE over simulated `replicates`."""
        from ketamech.fitting.diagnostics import predictive_distribution, residual_table

        return residual_table(self, predictive_distribution(self).replicates(replicates, seed))

    @property
    def data(self) -> FitData:
        """The measurements."""
        return self.predictor.data

    @property
    def parameters(self) -> tuple[FittedParameter, ...]:
        """The fitted parameters."""
        return self.predictor.parameters

    @cached_property
    def weighted_residuals(self) -> np.ndarray:
        """Individual weighted residuals [measurement]; NaN where censored."""
        return np.where(self.data.censored == NOT_CENSORED, self._residuals_of(self.data.value), np.nan)

    @cached_property
    def residuals_to_allowed_values(self) -> np.ndarray:
        """The same, of a censored measurement to the nearest value that it allows; NaN where the prediction is one."""
        data, residuals = self.data, self._residuals_of(self.data.value)
        above_limit = self._residuals_of(np.maximum(data.limit, -1e300))
        left = np.where(residuals < 0, residuals, np.where(above_limit > 0, above_limit, np.nan))
        right = np.where(residuals > 0, residuals, np.nan)
        return np.select([data.censored == LEFT, data.censored == RIGHT], [left, right], residuals)

    def _residuals_of(self, values: np.ndarray) -> np.ndarray:
        """Differences [measurement] of values from the predictions of the persons, in SDs of the residual error."""
        residuals = np.full(len(values), np.nan)
        for number, error in enumerate(self.errors):
            mask = self.data.number == number
            residuals[mask] = error.weighted_residual(values[mask], self.predicted[mask])
        return residuals

    @cached_property
    def variance_reduction(self) -> np.ndarray:
        """1 - posterior variance / prior variance of each parameter of each person [person, p]."""
        return 1 - np.diagonal(self.person_covariance, axis1=1, axis2=2) / np.diag(self.covariance)

    def drawn_persons(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Posterior draws [person, draw, p] on the free scale."""
        if self.draws is not None:
            samples = self.draws.free.reshape(-1, *self.draws.free.shape[2:])
        else:
            assert self.sample is not None
            samples = np.swapaxes(self.sample, 0, 1)
        return np.swapaxes(samples[rng.choice(len(samples), count, replace=len(samples) < count)], 0, 1)

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Bounds [person, p] on the free scale: quantiles of the sample, or of a normal distribution in a group."""
        if self.sample is not None:
            low, high = np.quantile(self.sample, [0.5 - level / 2, 0.5 + level / 2], axis=1)
            return low, high
        return normal_interval(self.mode, np.sqrt(np.diagonal(self.person_covariance, axis1=1, axis2=2)), level)


def fit(
    data: FitData, model: Model, settings: FitSettings | None = None, *, population: Population | None = None,
    checkpoint: Checkpoint | None = None, progress: Progress | None = None,
) -> Fit:  # fmt: skip
    """Fit the measurements of a table.

    Up to 4 persons are fitted each alone, with the `population` (default: that of the settings) as prior distribution;
    more as a group. Raises InputError for a parameter, error model or covariate that cannot be used.
    """
    how = settings or FitSettings()
    population, errors = population or load_population(how.population), error_models(data, how.errors)
    is_group = len(data.persons) >= MIN_GROUP_SIZE if how.group is None else how.group
    if is_group and len(data.persons) < 2:
        raise InputError("one person is not a group", key="--group", expected="two persons or more")
    group_only = {"--covariate": how.covariates, "--full": how.full, "--iov": how.iov}
    if key := next((key for key, value in group_only.items() if value and not is_group), None):
        message = "covariates, covariances and variability between periods are those of a group"
        raise InputError(message, key=key, expected="a fit of a group")
    predictor = Predictor(model, data, (), threads=how.threads)
    predictor = predictor.with_parameters(chosen_parameters(predictor, errors, population, how.parameters, is_group))
    _refuse_measured(predictor)
    _require_predictions(predictor)
    if is_group:
        return _fit_group(predictor, population, errors, how, checkpoint, progress)
    return _fit_each(predictor, population, errors, how.seed)


def chosen_parameters(
    predictor: Predictor, errors: Sequence[ErrorModel], population: Population, names: Sequence[str], is_group: bool
) -> tuple[FittedParameter, ...]:
    """The named parameters, or those that vary between people and matter for the measurements."""
    table = predictor.model.parameters
    if names:
        return named_parameters(names, population, table)
    by_name = candidates(population, table)
    pool = [by_name[name] for name in varying_names(predictor, population)]
    probe = predictor.with_parameters(pool)
    predicted, slopes = measured_sensitivities(probe, probe.typical)
    spread = np.ones_like(predicted)
    for number, error in enumerate(errors):
        mask = predictor.data.number == number
        value, slope = error.transformed(predicted[mask])
        spread[mask] = error.sd(value) / slope
    effects = slopes * np.array([parameter.sd for parameter in pool]) / spread[:, None]
    min_effect = MIN_PRIOR_EFFECT * (np.sqrt(len(predictor.data.persons)) if is_group else 1.0)
    indices = informed(effects, MAX_GROUP_PARAMETERS if is_group else MAX_PERSON_PARAMETERS, min_effect)
    return tuple(pool[i] for i in indices or informed(effects, 1, 0.0))


def _refuse_measured(predictor: Predictor) -> None:
    """Raise InputError for a parameter whose value is in the table."""
    for subject in predictor.data.persons:
        changing = {name for occasion in subject.occasions for _, values in occasion.changes for name in values}
        in_table = [p.name for p in predictor.parameters if p.name in changing
                    or (p.name.startswith("person.") and p.name in subject.values)]  # fmt: skip
        if in_table:
            message, expected = f"{in_table[0]} is a column of the table", "a parameter that was not measured"
            raise InputError(message, file=predictor.data.table.path, key="--parameters", expected=expected)


def _require_predictions(predictor: Predictor) -> None:
    """Raise InputError where the model cannot be solved at the population values."""
    failed = np.flatnonzero(~np.isfinite(predictor.predictions(predictor.typical[None])[0]))
    if len(failed):
        first = predictor.data.measurements[int(failed[0])]
        raise first.row.error(
            "the model could not be solved here with population values", "TIME", "other doses or times"
        )


def _fit_each(predictor: Predictor, population: Population, errors: tuple[ErrorModel, ...], seed: int) -> Fit:
    mean, covariance = predictor.typical, prior_covariance(predictor.parameters, population)
    estimates = map_estimates(predictor, mean, covariance, errors)
    sample = posterior_sample(predictor, mean, covariance, errors, estimates, np.random.default_rng([seed, 19]))
    result = Fit(
        predictor, population, errors, mean, covariance, estimates.mode, estimates.covariance, estimates.predicted,
        predictor.predictions(mean[None])[0], predictor.data.flags, predictor.data.notes,
        sample=sample,
    )  # fmt: skip
    return _with_flags(result, estimates)


def _fit_group(
    predictor: Predictor, population: Population, errors: tuple[ErrorModel, ...], how: FitSettings,
    checkpoint: Checkpoint | None, progress: Progress | None,
) -> Fit:  # fmt: skip
    model = group_model(predictor, population, errors, full=how.full, covariates=how.covariates, iov=how.iov)
    if model.varying and model.has_period.shape[1] < 2:
        message, expected = "every person has one period", "a column OCC, or resets (EVID 3 or 4) between periods"
        raise InputError(message, file=predictor.data.table.path, key="--iov", expected=expected)
    predictor = replace(predictor, varying=model.varying)

    def progress_of(step: str, total: int) -> Callable[[int], None]:
        return lambda count: progress(step, count, total) if progress else None

    start, persons = _start(predictor, model, checkpoint, progress_of("Start", 0))
    draws = sample_group(
        predictor, model, start, persons, seed=how.seed, chains=how.chains, warm_up=how.warm_up, draws=how.draws,
        checkpoint=checkpoint, progress=progress_of("Sweeps", how.warm_up + how.draws if how.draws else 0),
    )  # fmt: skip
    return group_fit(predictor, population, model, draws, persons)


def group_fit(
    predictor: Predictor, population: Population, model: GroupModel, draws: GroupDraws, persons: MapEstimates
) -> Fit:
    """The fit of a group from its posterior draws: posterior means of the group, means and covariances of persons."""
    mean = means_of_persons(model, draws.coefficients.mean(axis=(0, 1)))
    free = draws.free.reshape(-1, *draws.free.shape[2:])
    mode, centred = free.mean(axis=0), free - free.mean(axis=0)
    spread = np.einsum("dni,dnj->nij", centred, centred) / (len(free) - 1)
    errors = model.errors_at(draws.log_errors.mean(axis=(0, 1)))
    predicted = predictor.predictions(np.stack([mode, mean]))
    result = Fit(
        predictor, population, errors, mean, draws.covariance.mean(axis=(0, 1)), mode, spread, predicted[0],
        predicted[1], predictor.data.flags, predictor.data.notes, model, draws,
    )  # fmt: skip
    return _with_flags(result, persons)


def _start(
    predictor: Predictor, model: GroupModel, checkpoint: Checkpoint | None, progress: Callable[[int], None]
) -> tuple[GroupValues, MapEstimates]:
    """The start of the sampler, from the checkpoint if it is there."""
    if checkpoint is None or "start" not in checkpoint:
        values, persons = iterative_two_stage(predictor, model, progress)
        if checkpoint is not None:
            checkpoint.save("start", {f"v_{n}": x for n, x in vars(values).items()}
                            | {f"p_{n}": x for n, x in vars(persons).items()})  # fmt: skip
        return values, persons
    saved = checkpoint.read("start")
    fields = [{name[2:]: x for name, x in saved.items() if name[0] == kind} for kind in "vp"]
    return GroupValues(**fields[0]), MapEstimates(**fields[1])


def _with_flags(fit: Fit, estimates: MapEstimates) -> Fit:
    """The fit with flags of persons that it does not describe, and notes on parameters that the data do not inform."""
    flags = [flag for i in range(len(fit.data.persons)) for flag in _flags_of_person(fit, estimates, i)]
    notes = [*fit.notes, *_notes_on_information(fit)]
    return replace(fit, flags=(*fit.flags, *flags), notes=tuple(notes))


def _flags_of_person(fit: Fit, estimates: MapEstimates, person: int) -> list[Flag]:
    from scipy.special import chdtrc  # scipy.stats takes a second to import

    name, mask = fit.data.persons[person].name, fit.data.person == person
    flags = []
    if not fit.draws and not estimates.converged[person]:
        flags.append(Flag(name, 0, "the search for the most probable parameters did not converge"))
    deviation = fit.mode[person] - fit.mean[person]
    residuals = fit.residuals_to_allowed_values[mask]
    residuals = residuals[~np.isnan(residuals)]
    with np.errstate(over="ignore"):
        chi_square = float(residuals @ residuals + deviation @ np.linalg.solve(fit.covariance, deviation))
    if residuals.size and not chdtrc(residuals.size, chi_square) >= FLAG_PROBABILITY:
        text = "no probable parameters explain the measurements; check doses, times and units"
        flags.append(Flag(name, 0, text + _hint_about_units(fit, mask)))
    return flags


def _hint_about_units(fit: Fit, mask: np.ndarray) -> str:
    """The unit in which DV of a person would agree with the predictions, if all differ from them by one factor."""
    data, number = fit.data, int(fit.data.number[mask][0])
    usable = mask & (data.number == number) & (data.censored == NOT_CENSORED) & (data.value > 0)
    logs = np.log(data.value[usable] / np.maximum(fit.population_predicted[usable], 1e-12))
    if not logs.size or np.std(logs) > SAME_FACTOR:
        return ""
    output, ratio = data.outputs[number], float(np.exp(np.median(logs)))
    factors = {1e-3: "a unit 1000 times larger", 1e3: "a unit 1000 times smaller"}
    if output.output in molar_masses():
        units = [
            observed_output(output.dvid, output.output, unit, fit.predictor.model)
            for unit in (DISPLAY_UNIT, MODEL_UNIT)
        ]
        factors |= {output_in_unit.factor / output.factor: output_in_unit.unit for output_in_unit in units}
    matches = [words for factor, words in factors.items() if not 0.5 < factor < 2 and 0.5 < ratio / factor < 2]
    return f" (measured / predicted is about {ratio:.3g}: is DV in {matches[-1]}?)" if matches else ""


def _notes_on_information(fit: Fit) -> list[str]:
    """Notes on parameters whose posterior equals the prior and on persons with fewer measurements than parameters."""
    notes = []
    names = [parameter.name for parameter in fit.parameters]
    if fit.model is None or fit.draws is None:
        best = fit.variance_reduction.max(axis=0)
        under_determined = [s.name for i, s in enumerate(fit.data.persons) if (fit.data.person == i).sum() < len(names)]
        if under_determined:
            ids = ", ".join(under_determined[:5]) + (" ..." if len(under_determined) > 5 else "")
            notes.append(f"{len(names)} parameters cannot be identified from the measurements of ID {ids}; "
                         "those that they do not inform keep their prior distribution")  # fmt: skip
    else:
        draws = fit.draws.coefficients.reshape(-1, len(fit.model.mean))
        best = 1 - draws.var(axis=0)[: len(names)] / fit.model.mean_sd[: len(names)] ** 2
        if not fit.draws.has_converged:
            rhat, effective = fit.draws.convergence
            notes.append(f"the chains have not converged: R-hat is {rhat:.3f} (at most {MAX_R_HAT:g}), with "
                         f"{effective:.0f} effective draws (at least {EFFECTIVE}); use more (--draws)")  # fmt: skip
    unlearned = [
        name
        for name, variance_reduction in zip(names, best, strict=True)
        if variance_reduction < MIN_VARIANCE_REDUCTION
    ]
    if unlearned:
        notes.append(
            f"the data say almost nothing about {', '.join(unlearned)}: posterior and prior are nearly the same"
        )
    return notes


def varying_names(predictor: Predictor, population: Population) -> list[str]:
    """Names of parameters that vary between people and are not columns of the table."""
    measured = {name for subject in predictor.data.persons for name in subject.values}
    return [name for name in candidates(population, predictor.model.parameters) if name not in measured]
