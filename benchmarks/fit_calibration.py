"""Simulation-based calibration of the group sampler of fits (Talts 2018): ranks of true values among posterior draws.

True medians, SDs and residual errors are drawn from the prior distribution of the fit, persons and measurements from
them, and the sampler gives draws of the posterior. The rank of a true value is uniform if prior, likelihood and sampler
agree. A data set is one row of a table that grows, so that a run that was stopped continues.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np

from ketamech.calibration.simulation_based_calibration import DRAWS, mean_coverage, rank_uniformity
from ketamech.exchange.nonmem.read import doses_in
from ketamech.fitting.error_models import error_models
from ketamech.fitting.fitted_parameters import named_parameters
from ketamech.fitting.group_model import (
    ERROR_PRIOR_SD,
    PRIOR_PEOPLE,
    GroupModel,
    group_model,
    iterative_two_stage,
    means_of_persons,
)
from ketamech.fitting.group_sampler import GroupDraws, convergence, sample_group
from ketamech.fitting.observations import measurements_of
from ketamech.fitting.predict import Predictor
from ketamech.population.virtual_population import load_population
from ketamech.simulation.model import Model

HEADER = "ID,TIME,AMT,ROUTE,DUR,DRUG,DVID,DV,EVID"
TIMES = (0.3, 0.7, 1.0, 2.0, 4.0, 8.0)  # h
ERROR = "proportional 0.1"
PARAMETERS = ("intrinsic_clearance_s",)


@dataclass(frozen=True)
class FitCalibration:
    """A small problem: persons with one infusion in each period, and levels of venous ketamine."""

    model: Model
    parameters: tuple[str, ...] = PARAMETERS
    persons: int = 8
    periods: int = 1
    warm_up: int = 50
    draws: int = 100
    threads: int = 2
    seed: int = 1

    @cached_property
    def predictor(self) -> Predictor:
        """The persons, with measurements to be replaced."""
        text = "\n".join([HEADER, *self._records()]) + "\n"
        table = doses_in(text, Path("simulated.csv"), self.model.parameters)
        data = measurements_of(table, self.model, ["venous.ketamine [ng/mL]"])
        known = named_parameters(self.parameters, load_population(), self.model.parameters)
        varying = tuple(range(len(known))) if self.periods > 1 else ()
        return Predictor(self.model, data, known, varying, threads=self.threads)

    def _records(self) -> Iterator[str]:
        for person in range(self.persons):
            for period in range(self.periods):
                yield f"{person + 1},0,35,IV,0.6667,racemic,.,.,{4 if period else 1}"
                yield from (f"{person + 1},{time:g},0,.,.,.,venous.ketamine,50,0" for time in TIMES)

    @cached_property
    def group(self) -> GroupModel:
        """The model of the group, the same for all data sets."""
        iov = self.parameters if self.periods > 1 else ()
        return group_model(self.predictor, load_population(), error_models(self.predictor.data, [ERROR]), iov=iov)

    @property
    def names(self) -> list[str]:
        """Names of the quantities whose ranks are counted."""
        one = self.parameters
        periods = [f"SD between periods of {name}" for name in one] if self.periods > 1 else []
        people = [f"SD between people of {name}" for name in one]
        return [*one, *people, *periods, "proportional error", f"{one[0]} of the first person"]

    def simulate(self, chance: np.random.Generator) -> tuple[np.ndarray, Predictor]:
        """True values of the quantities, and the persons with simulated measurements."""
        group, start = self.group, self.predictor
        coefficients = group.mean + group.mean_sd * chance.standard_normal(len(group.mean))
        scales = PRIOR_PEOPLE * np.concatenate([np.diag(group.covariance), group.within])
        variances = scales / 2 / chance.gamma((PRIOR_PEOPLE + 2) / 2, size=len(scales))
        joint = group.joint(np.diag(variances[: group.size]), variances[group.size :])
        means = means_of_persons(group, coefficients)
        free = means + chance.standard_normal(means.shape) * np.sqrt(np.diag(joint))
        logs = group.error_start + ERROR_PRIOR_SD * chance.standard_normal(len(group.error_start))
        predicted = start.predictions(free[None])[0]
        values = group.errors_at(logs)[0].simulated(predicted, chance.standard_normal(len(predicted)))
        measured = tuple(replace(m, value=float(y)) for m, y in zip(start.data.measurements, values, strict=True))
        truth = np.concatenate([coefficients, variances, logs, free[0, :1]])
        return truth, replace(start, data=replace(start.data, measurements=measured))

    def ranks(self, number: int) -> tuple[np.ndarray, float]:
        """Ranks [quantity] of the true values of one data set among DRAWS draws, and the largest R-hat."""
        truth, predictor = self.simulate(np.random.default_rng([self.seed, number]))
        start, persons = iterative_two_stage(predictor, self.group)
        drawn = sample_group(predictor, self.group, start, persons, seed=number, warm_up=self.warm_up, draws=self.draws)
        found = self._quantities(drawn)
        flat = found.reshape(-1, found.shape[-1])
        chosen = flat[np.linspace(0, len(flat) - 1, DRAWS).astype(int)]
        return (chosen < truth).sum(axis=0), float(convergence(found)[0].max())

    def _quantities(self, drawn: GroupDraws) -> np.ndarray:
        between, within = self.group.parts(drawn.covariance)
        variances = [np.diagonal(between, axis1=2, axis2=3), within]
        return np.concatenate([drawn.coefficients, *variances, drawn.log_errors, drawn.free[:, :, 0, :1]], axis=2)


def calibrate_fits(
    task: FitCalibration, count: int, table: Path, tell: Callable[[int], None]
) -> list[dict[str, object]]:
    """Ranks of `count` data sets in `table`, of which those already there are not computed again; and their tests."""
    is_new = not (table.is_file() and table.stat().st_size)
    rows = [] if is_new else list(csv.DictReader(table.open(encoding="utf-8")))
    done = {int(row["data_set"]) for row in rows}
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["data_set", *task.names, "rhat", "seconds"])
        for number in (n for n in range(count) if n not in done):
            begin = perf_counter()
            ranks, rhat = task.ranks(number)
            writer.writerow([number, *ranks, f"{rhat:.3f}", f"{perf_counter() - begin:.1f}"])
            file.flush()
            tell(number + 1)
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    ranks = np.array([[int(row[name]) for name in task.names] for row in rows])
    seconds, rhat = (np.array([float(row[name]) for row in rows]) for name in ("seconds", "rhat"))
    coverage, error = mean_coverage(ranks) if len(rows) > 1 else (np.nan, np.nan)
    line = (f"{len(rows)} data sets, {seconds.mean():.1f} s each; coverage of 90 % intervals {coverage:.3f} "
            f"(standard error {error:.3f}); R-hat up to {rhat.max():.3f}")  # fmt: skip
    return [vars(one) for one in rank_uniformity(task.names, ranks)], line
