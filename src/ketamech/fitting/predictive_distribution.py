"""Simulation of measurements of other people from a population: the tables, or the posterior of a fitted group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketamech.fitting.error_models import ErrorModel
from ketamech.fitting.group_model import GroupModel, means_of_persons
from ketamech.fitting.group_sampler import GroupDraws
from ketamech.fitting.predict import Predictor


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
