"""Sampling times that inform the parameters of a person most: D-optimal choice among candidate times.

The information of a level is that of its residual error times the exact sensitivities to the parameters, at population
values or, on average, at those of persons that are drawn from the prior distribution (the expected logarithm of the
determinant, one form of ED-optimality; Atkinson, Donev and Tobias 2007, Optimum Experimental Designs, chapter 18). The
prior distribution of a person is part of the information (Bayesian D-optimality), so that the expected posterior
covariance of a person is its inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ketamech.core import InputError
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.fitting.error_models import ErrorModel, error_model
from ketamech.fitting.fitted_parameters import (
    MAX_PERSON_PARAMETERS,
    FittedParameter,
    candidates,
    canonical_values,
    free_rates,
    informed,
    named_parameters,
    prior_covariance,
)
from ketamech.fitting.observations import ObservedOutput, observed_output, parse_observe
from ketamech.nonmem.measurements import NOT_CENSORED
from ketamech.population.virtual_population import Population
from ketamech.simulation.forward_sensitivities import scenario_sensitivities
from ketamech.simulation.model import Model
from ketamech.simulation.nca_tables import SIMULATED_LLOQ
from ketamech.simulation.scenario import Scenario

USUAL = (0.1, 0.25, 0.5, 0.67, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 24, 36, 48)  # h


@dataclass(frozen=True)
class SamplingDesign:
    """Information of samples at candidate `times` (h) about a person; every output is measured in every sample.

    `predicted` [draw, output, time] in the units of `outputs`; `slopes` [draw, output, time, p] by the free scale of
    `parameters`; `information` [draw, output, time]: of a prediction; prior `covariance` [p, p]. The only draw is the
    typical person, unless persons were drawn.
    """

    times: np.ndarray
    outputs: tuple[ObservedOutput, ...]
    parameters: tuple[FittedParameter, ...]
    predicted: np.ndarray
    slopes: np.ndarray
    information: np.ndarray
    covariance: np.ndarray

    @cached_property
    def of_sample(self) -> np.ndarray:
        """Information matrix [time, draw, p, p] of a sample at each candidate time."""
        return np.asarray(np.einsum("dot,doti,dotj->tdij", self.information, self.slopes, self.slopes))

    def precision(self, indices: Sequence[int]) -> np.ndarray:
        """Expected posterior precision [draw, p, p] with samples at `indices` candidates (indices)."""
        return np.asarray(np.linalg.inv(self.covariance) + self.of_sample[list(indices)].sum(axis=0))

    def criterion(self, indices: Sequence[int]) -> float:
        """Logarithm of the determinant of the posterior precision, mean of all draws."""
        return float(np.linalg.slogdet(self.precision(indices))[1].mean())

    def best(self, count: int) -> list[int]:
        """Indices of `count` times: one after another, then exchanges until none improves the criterion."""
        candidates = range(len(self.times))
        if not 0 < count <= len(candidates):
            expected = f"1 to {len(candidates)}, the number of candidate times"
            raise InputError(f"{count} samples", key="--samples", expected=expected)
        chosen: list[int] = []
        for _ in range(count):
            chosen.append(max((i for i in candidates if i not in chosen), key=lambda i: self.criterion([*chosen, i])))
        while True:
            current = self.criterion(chosen)
            swaps = [[*chosen[:k], i, *chosen[k + 1 :]] for k in range(count) for i in candidates if i not in chosen]
            best_swap = max(swaps, key=self.criterion, default=chosen)
            if self.criterion(best_swap) <= current + 1e-9:
                return sorted(chosen)
            chosen = best_swap

    def efficiency(self, indices: Sequence[int], best_indices: Sequence[int]) -> float:
        """D-efficiency of times relative to the best ones, 1 if equal."""
        return float(np.exp((self.criterion(indices) - self.criterion(best_indices)) / len(self.parameters)))

    def table(self, indices: Sequence[int]) -> pd.DataFrame:
        """One row per parameter: SD between people, expected posterior SD (both free scale), variance reduction."""
        posterior = np.linalg.inv(self.precision(indices)).mean(axis=0)
        prior, expected = np.diag(self.covariance), np.diag(posterior)
        return pd.DataFrame({
            "parameter": [parameter.name for parameter in self.parameters], "prior_sd": np.sqrt(prior),
            "expected_sd": np.sqrt(expected), "variance_reduction": 1 - expected / prior,
        })  # fmt: skip


def sampling_design(
    model: Model, scenario: Scenario, observe: Sequence[str], population: Population, *, times: Sequence[float] = USUAL,
    parameters: Sequence[str] = (), errors: Sequence[str] = (), lloq: float | None = None, draws: int = 0,
    seed: int = 1, threads: int = 1,
) -> SamplingDesign:  # fmt: skip
    """The design problem of one person of a scenario; arguments as in a fit.

    `lloq`: in the unit of the levels (default: a thousandth of the highest level); lower levels carry no information.
    `draws`: number of persons from the prior distribution to average over; 0: the typical person. Without `parameters`,
    those that samples at all times would inform. Raises InputError.
    """
    named = [parse_observe(text) for text in observe]
    outputs = tuple(observed_output(dvid or output, output, unit, model) for dvid, output, unit in named)
    if not outputs:
        raise InputError("no output is observed", key="--observe", type_this='--observe "venous.ketamine [ng/mL]"')
    hours = np.unique(np.array(times, dtype=float))
    if not len(hours) or hours[0] < 0:
        raise InputError("sampling times before 0 h", key="--candidates", expected="hours from 0 on")
    if max(times) > MAX_HORIZON_H:
        raise InputError(f"a sampling time of {max(times):g} h", key="--candidates",
                         expected=f"at most {MAX_HORIZON_H:g} h (two years)")  # fmt: skip
    pool = named_parameters(parameters, population, model.parameters) if parameters else tuple(
        candidates(population, model.parameters).values())  # fmt: skip
    typical = np.array([[float(parameter.free(parameter.typical)) for parameter in pool]])
    predicted, slopes = _sensitivities(model, scenario, pool, typical, outputs, hours, threads)
    levels = [_levels(output, predicted[0, i], _error_text(output, errors), lloq) for i, output in enumerate(outputs)]
    information = _information(predicted, levels)
    indices = list(range(len(pool)))
    if not parameters:
        effects = np.sqrt(information)[..., None] * slopes * np.array([parameter.sd for parameter in pool])
        effects_by_sample = effects.reshape(-1, len(pool))
        indices = informed(effects_by_sample, MAX_PERSON_PARAMETERS) or informed(effects_by_sample, 1, 0.0)
    fitted = tuple(pool[i] for i in indices)
    covariance, slopes = prior_covariance(fitted, population), slopes[..., indices]
    if draws:
        normal = np.random.default_rng([seed, 17]).standard_normal((draws, len(fitted)))
        free = typical[:, indices] + normal @ np.linalg.cholesky(covariance).T
        predicted, slopes = _sensitivities(model, scenario, fitted, free, outputs, hours, threads)
        information = _information(predicted, levels)
    return SamplingDesign(hours, outputs, fitted, predicted, slopes, information, covariance)


def _levels(output: ObservedOutput, predicted: np.ndarray, text: str, lloq: float | None) -> tuple[ErrorModel, float]:
    """The error model of an output, whose typical levels are `predicted`, and the level above which it is measured."""
    if not output.is_concentration:
        return error_model(output, predicted, text), -np.inf
    limit = SIMULATED_LLOQ * float(predicted.max()) if lloq is None else lloq
    is_measured = predicted > limit
    return error_model(output, predicted[is_measured] if is_measured.any() else predicted, text), limit


def _information(predicted: np.ndarray, levels: Sequence[tuple[ErrorModel, float]]) -> np.ndarray:
    """Expected information [draw, output, time] of a level about its prediction."""
    information, no_censoring = np.zeros_like(predicted), np.full(predicted.shape[-1], NOT_CENSORED)
    for i, (error, limit) in enumerate(levels):
        level = predicted[:, i]
        terms = error.terms(level, level, no_censoring, np.full(level.shape[-1], -np.inf))
        information[:, i] = np.where(level > limit, terms[2], 0.0)
    return information


def _error_text(output: ObservedOutput, errors: Sequence[str]) -> str:
    """The text of the error model of an output; the last one counts."""
    chosen = ""
    for text in errors:
        name, _, model_text = text.rpartition(":")
        chosen = model_text.strip() if name.strip() in ("", output.output, output.dvid) else chosen
    return chosen


def _sensitivities(
    model: Model, scenario: Scenario, parameters: Sequence[FittedParameter], free: np.ndarray,
    outputs: Sequence[ObservedOutput], hours: np.ndarray, threads: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Predictions [draw, output, time] in the units of DV and exact derivatives [draw, output, time, p] by `free`."""
    typical = np.array([float(parameter.free(parameter.typical)) for parameter in parameters])
    values = canonical_values(parameters, free, typical)
    names = tuple(dict.fromkeys(output.output for output in outputs))
    grid = np.unique(np.concatenate([[0.0], hours]))
    curves, derivatives = scenario_sensitivities(
        model, scenario, tuple(values), grid, names, values=values, size=len(free), threads=threads
    )
    time_index = np.searchsorted(grid, hours)
    predicted = np.stack([output.factor * curves[output.output].values[:, time_index] for output in outputs], axis=1)
    by_value = np.stack(
        [output.factor * derivatives[output.output].values[:, time_index] for output in outputs], axis=1
    )
    slopes = np.einsum("dotv,djv->dotj", by_value, free_rates(parameters, values))
    return predicted, slopes
