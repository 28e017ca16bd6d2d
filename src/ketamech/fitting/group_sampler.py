"""Posterior draws of a group by Gibbs sampling, in chains that are solved together.

A sweep updates means and SDs together with all persons, then the persons, then means, covariance and residual SDs given
the persons. The first update has two parametrisations. In one, a person keeps its deviation from the mean, in SDs
between people. In the other, it keeps its deviation from its most probable parameters given the group, in SDs of their
uncertainty, both by a normal approximation of its measurements; this deviation hardly depends on the group, so that
means and SDs move as far as the measurements of all persons allow, be they many or few (Papaspiliopoulos, Roberts and
Skold 2007, Stat Sci 22:59, on reparametrisation by the data).

The first two updates are surrogate transitions (Liu 2001, Monte Carlo Strategies in Scientific Computing, section
9.4.3): an inner chain of Metropolis steps under polynomials that approximate the predictions about the most probable
parameters of each person, whose end is accepted or refused under the model itself, so that the draws are those of the
model. Half of the inner steps of persons propose from the Laplace approximation of each person (Karimi, Lavielle and
Moulines 2020, Comput Stat Data Anal 141:123).

Results do not depend on interruptions: every block of sweeps has its own random stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from math import comb

import numpy as np

from ketamech.core.checkpoint import Arrays, Checkpoint
from ketamech.fitting.error_models import ErrorModel
from ketamech.fitting.group_model import (
    ERROR_PRIOR_SD,
    PRIOR_PEOPLE,
    GroupModel,
    GroupValues,
    coefficient_posterior,
    means_of_persons,
)
from ketamech.fitting.map_estimates import MapEstimates, by_person, curvature, log_densities, log_likelihood_of_each
from ketamech.fitting.observations import FitData
from ketamech.fitting.predict import Predictor

CHAINS, WARM_UP, DRAWS, BLOCK = 4, 100, 250, 25  # sweeps of each chain; a block is saved as one unit
MAX_R_HAT, EFFECTIVE = 1.01, 400  # R-hat and effective draws of a converged chain (Vehtari 2021, Bayesian Anal 16:667)
MAX_DRAWS = 6000  # of each chain, where their number is not given
INNER_STEPS, GROUP_STEPS = 20, 20  # steps under the surrogate: of persons, and of the group in each parametrisation
EXACT_STEPS = 2  # of persons in a sweep
TOLERANCE = 1e-5  # of the solver; predictions then differ by less than a thousandth of a residual error
DEGREE, MOST_TERMS = 4, 210  # of the polynomials of the surrogate; the degree is lower, at least 2, above these terms
POINTS_OF_TERM, SURROGATE_SPREAD = 4, 1.5  # at which they are fitted, in SDs of the Laplace approximation
FARTHEST = 5.0  # distance from the most probable parameters, in these SDs, beyond which polynomials stay constant
MAX_LOG_CHANGE = 20.0  # of the logarithm of a prediction of the surrogate
PROPOSAL_DF, PROPOSAL_SCALE = 5.0, 1.2  # t distribution about the Laplace approximation
TARGET_ACCEPTANCE_RATE = 0.3  # acceptance rate of random walks
ERROR_STEPS, ERROR_STEP = 5, 0.1  # random walks of log residual SDs
OVERDISPERSION = 1.5  # of the starting points of the chains


@dataclass(frozen=True)
class GroupDraws:
    """Posterior draws [chain, draw, ...]: `coefficients` [q], joint `covariance` [P, P], `log_errors` [number].

    `free` [person, P]: parameters of persons, and deviations in their periods; `log_likelihood` [measurement];
    `accepted`: shares of proposals.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    log_errors: np.ndarray
    free: np.ndarray
    log_likelihood: np.ndarray
    accepted: dict[str, float]

    @property
    def free_quantities(self) -> tuple[np.ndarray, ...]:
        """Coefficients, logarithms of variances and of residual SDs [chain, draw, quantity]."""
        return self.coefficients, np.log(np.diagonal(self.covariance, axis1=2, axis2=3)), self.log_errors

    @property
    def convergence(self) -> tuple[float, float]:
        """Largest R-hat and smallest number of effective draws of the group."""
        rhat, effective = convergence(np.concatenate(self.free_quantities, axis=2))
        return float(rhat.max()), float(effective.min())

    @property
    def has_converged(self) -> bool:
        """Whether R-hat and the effective draws meet MAX_R_HAT and EFFECTIVE."""
        rhat, effective = self.convergence
        return rhat <= MAX_R_HAT and effective >= EFFECTIVE


@dataclass(frozen=True)
class _Point:
    """Parameters [chain, person, p] with log densities [chain, person] of the prior and of independent proposals."""

    free: np.ndarray
    prior: np.ndarray
    proposal: np.ndarray

    def log_ratio(self, other: _Point, is_walk: np.ndarray) -> np.ndarray:
        """Log ratio [chain, person] of Metropolis and Hastings for a move to another point, without likelihoods.

        `is_walk` [chain, person]: whether the move is a random walk, which is as likely back.
        """
        return other.prior - self.prior + np.where(is_walk, 0.0, self.proposal - other.proposal)

    def moved(self, other: _Point, accepted: np.ndarray) -> _Point:
        """The other point where `accepted` [chain, person]."""
        prior, proposal = (
            np.where(accepted, new, old) for new, old in ((other.prior, self.prior), (other.proposal, self.proposal))
        )
        return _Point(np.where(accepted[:, :, None], other.free, self.free), prior, proposal)


@dataclass(frozen=True)
class _Group:
    """Means and covariance of every chain: `coefficients` [chain, q], `covariance` and its inverse [chain, P, P].

    `root` [chain, person, P, P]: inverse Cholesky factor of the precision of a person given group and measurements, by
    a normal approximation of the measurements.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray
    root: np.ndarray

    def moved(self, other: _Group, accepted: np.ndarray) -> _Group:
        """The other group where `accepted` [chain]."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Group(*(old if new is old else _where(accepted, new, old) for old, new in pairs))


@dataclass(frozen=True)
class _Parametrisation:
    """What is known about persons without their group: `information` [person, P, P], times their mode [person, P].

    `mean_factor` [q, q] and `spread_factor` [p + r, p + r]: Cholesky factors of the covariance of steps of the
    coefficients and of log SDs.
    """

    information: np.ndarray
    weighted_mode: np.ndarray
    mean_factor: np.ndarray
    spread_factor: np.ndarray

    def group(self, coefficients: np.ndarray, covariance: np.ndarray) -> _Group:
        """The group with these coefficients [chain, q] and this covariance [chain, P, P]."""
        precision = np.linalg.inv(covariance)
        root = np.linalg.inv(np.linalg.cholesky(self.information + precision[:, None]))
        return _Group(coefficients, covariance, precision, root)


@dataclass
class _State:
    """The chains: arrays [chain, ...], with predictions, log-likelihoods [chain, person] and step sizes."""

    free: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    log_errors: np.ndarray
    predicted: np.ndarray
    likelihood: np.ndarray
    walk_size: np.ndarray
    shift_size: np.ndarray
    width_size: np.ndarray

    def arrays(self) -> Arrays:
        return {f"state_{name}": value for name, value in vars(self).items()}


def sample_group(
    predictor: Predictor, model: GroupModel, start: GroupValues, persons: MapEstimates, *, seed: int = 1,
    chains: int = CHAINS, warm_up: int = WARM_UP, draws: int | None = None, checkpoint: Checkpoint | None = None,
    progress: Callable[[int], None] | None = None,
) -> GroupDraws:  # fmt: skip
    """Draws of the posterior; blocks that are already in `checkpoint` are read instead of computed.

    `draws` of each chain: by default as many multiples of DRAWS as the group needs to converge, at most MAX_DRAWS.
    """
    sampler = GroupSampler(replace(predictor, tolerance=TOLERANCE), model, persons, start)
    state: _State | None = None
    blocks: list[Arrays] = []
    first, total = 0, warm_up + (draws or DRAWS)
    while first < total:
        number = len(blocks)
        sweeps, name = min(BLOCK, total - first), f"block_{number:04d}"
        if checkpoint is not None and name in checkpoint:
            block = checkpoint.read(name)
        else:
            rng = np.random.default_rng([seed, number])
            state = state or sampler.first_state(chains, np.random.default_rng([seed, 10**6]))
            block = sampler.block(state, sweeps, rng, warm_up - first)
            if checkpoint is not None:
                checkpoint.save(name, block)
        state = _State(
            **{key.removeprefix("state_"): value for key, value in block.items() if key.startswith("state_")}
        )
        blocks.append(block)
        first += sweeps
        if progress:
            progress(first)
        if (
            draws is None
            and first == total < warm_up + MAX_DRAWS
            and not _draws_of_blocks(blocks, warm_up).has_converged
        ):
            total += DRAWS
    return _draws_of_blocks(blocks, warm_up)


def _draws_of_blocks(blocks: list[Arrays], warm_up: int) -> GroupDraws:
    def values_of(name: str) -> np.ndarray:
        return np.swapaxes(np.concatenate([block[name] for block in blocks])[warm_up:], 0, 1)

    kinds = ("persons", "group")
    shares = np.concatenate([block["accepted"] for block in blocks])[warm_up:].mean(axis=0)
    names = ("coefficients", "covariance", "log_errors", "free", "log_likelihood")
    draws = {name: values_of(name) for name in names}
    return GroupDraws(**draws, accepted=dict(zip(kinds, map(float, shares), strict=True)))


class _Surrogate:
    """Polynomials of the standardised parameters of a person that approximate its predictions.

    Those of concentrations approximate the logarithm. All persons have the same standardised points.
    """

    def __init__(self, predictor: Predictor, persons: MapEstimates, factor: np.ndarray) -> None:
        count = persons.mode.shape[1]
        self.mode, self.inverse, self.person = persons.mode, np.linalg.inv(factor), predictor.data.person
        degree = max(n for n in range(2, DEGREE + 1) if n == 2 or comb(count + n, n) <= MOST_TERMS)
        powers = [power for n in range(degree + 1) for power in combinations_with_replacement(range(count), n)]
        index = {power: i for i, power in enumerate(powers)}
        self.degree = np.array([len(power) for power in powers])
        self.lower = np.array([index[power[:-1]] for power in powers])  # the term without its last factor
        self.last = np.array([(power or (0,))[-1] for power in powers])  # which is this parameter
        points = SURROGATE_SPREAD * np.random.default_rng(0).standard_normal((POINTS_OF_TERM * len(powers), count))
        points[0] = 0.0
        predicted = predictor.predictions(persons.mode + np.einsum("nij,kj->kni", factor, points))
        predicted = np.where(np.isfinite(predicted), predicted, persons.predicted)
        positive = np.array([output.is_concentration for output in predictor.data.outputs])[predictor.data.number]
        self.is_log = positive & (predicted > 0).all(axis=0) & (persons.predicted > 0)
        predicted[:, self.is_log] = np.log(predicted[:, self.is_log] / persons.predicted[self.is_log])
        self.predicted = persons.predicted
        self.place = np.arange(len(self.person)) - np.searchsorted(self.person, self.person)  # among those of a person
        self.weights = np.zeros((len(persons.mode), len(powers), 1 + self.place.max()))
        self.weights[self.person, :, self.place] = np.linalg.lstsq(self._terms(points).T, predicted, rcond=None)[0].T

    def _terms(self, points: np.ndarray) -> np.ndarray:
        """Terms [term, ...] of the polynomials at standardised parameters [..., p]."""
        distance = np.sqrt(np.einsum("...p,...p->...", points, points))
        near = points * np.minimum(1.0, FARTHEST / np.maximum(distance, FARTHEST))[..., None]
        by_parameter = np.ascontiguousarray(np.moveaxis(near, -1, 0))
        terms = np.ones((len(self.degree), *points.shape[:-1]))
        for degree in range(1, self.degree[-1] + 1):
            own = np.flatnonzero(self.degree == degree)
            terms[own] = terms[self.lower[own]] * by_parameter[self.last[own]]
        return terms

    def predictions(self, free: np.ndarray) -> np.ndarray:
        """Approximate predictions [chain, measurement] of parameters [chain, person, P], without a solve."""
        terms = self._terms(np.einsum("nij,cnj->nci", self.inverse, free - self.mode))
        approximate = (np.moveaxis(terms, 0, -1) @ self.weights)[self.person, :, self.place].T
        with np.errstate(all="ignore"):
            logarithmic = self.predicted * np.exp(np.clip(approximate, -MAX_LOG_CHANGE, MAX_LOG_CHANGE))
        return np.where(self.is_log, logarithmic, approximate)


class GroupSampler:
    """The moves of the chains: persons, medians, covariance and residual errors in turn."""

    def __init__(self, predictor: Predictor, model: GroupModel, persons: MapEstimates, start: GroupValues) -> None:
        self.predictor, self.model, self.persons, self.start = predictor, model, persons, start
        self.factor = np.linalg.cholesky(persons.covariance)
        self.precision = np.linalg.inv(persons.covariance) / PROPOSAL_SCALE**2
        self.parametrisations = _parametrisations(predictor.data, model, persons, start)
        self.surrogate = _Surrogate(self.predictor, persons, self.factor)

    def first_state(self, chains: int, rng: np.random.Generator) -> _State:
        """Chains whose persons are spread about their most probable parameters."""
        persons, count = self.persons.mode.shape
        noise = rng.standard_normal((chains, persons, count))
        free = self.persons.mode + OVERDISPERSION * np.einsum("nij,cnj->cni", self.factor, noise)
        coefficients = np.tile(self.start.coefficients, (chains, 1))
        mean_factor = self.parametrisations[-1].mean_factor
        coefficients += OVERDISPERSION * rng.standard_normal(coefficients.shape) @ mean_factor.T
        logs = np.tile(self.start.log_errors, (chains, 1))
        is_failed = ~np.isfinite(self.likelihoods(self.predictor.predictions(free), logs))
        free = np.where(is_failed[:, :, None], self.persons.mode, free)
        predicted = self.predictor.predictions(free)
        return _State(
            free, coefficients, np.tile(self.start.covariance, (chains, 1, 1)), logs, predicted,
            self.likelihoods(predicted, logs), np.full((chains, persons), 2.0 / np.sqrt(count)),
            np.ones((chains, len(self.parametrisations))), np.ones((chains, len(self.parametrisations))),
        )  # fmt: skip

    def likelihoods(self, predicted: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """Log likelihood [chain, person] of predictions, with logarithms of residual errors."""
        return self._likelihoods(predicted, self.model.errors_at(logs))

    def _likelihoods(self, predicted: np.ndarray, errors: Sequence[ErrorModel]) -> np.ndarray:
        return by_person(self.predictor.data, log_likelihood_of_each(self.predictor.data, errors, predicted))

    def _log_densities(self, state: _State) -> np.ndarray:
        """Log density [chain, measurement] of each DV."""
        return log_densities(self.predictor.data, self.model.errors_at(state.log_errors), state.predicted)

    def block(self, state: _State, sweeps: int, rng: np.random.Generator, warm_up_left: int) -> Arrays:
        """Run sweeps; step sizes are adapted while `warm_up_left` is above the number of the sweep."""
        saved: dict[str, list[np.ndarray]] = {}
        for sweep in range(sweeps):
            adapt = sweep < warm_up_left
            joint_share = self._update_group_jointly(state, rng, adapt)
            shares = np.array([self._update_persons(state, rng, adapt), joint_share])
            for _ in range(EXACT_STEPS):
                self._update_persons_exactly(state, rng)
            self._draw_group(state, rng)
            self._update_errors(state, rng)
            values = {name: getattr(state, name) for name in ("coefficients", "covariance", "log_errors", "free")}
            values |= {"log_likelihood": self._log_densities(state), "accepted": shares}
            for name, value in values.items():
                saved.setdefault(name, []).append(value.copy())
        return {**{name: np.array(values) for name, values in saved.items()}, **state.arrays()}

    def _update_persons(self, state: _State, rng: np.random.Generator, adapt: bool) -> float:
        """Update every person; returns the accepted share of the ends of the inner chains."""
        errors, point_at = self.model.errors_at(state.log_errors), self._points(state)
        point = point_at(state.free)
        initial = approximate = self._likelihoods(self.surrogate.predictions(point.free), errors)
        for _ in range(INNER_STEPS):
            is_walk = rng.random(approximate.shape) < 0.5
            proposed = point_at(self._proposed(state, point.free, is_walk, rng))
            proposed_likelihood = self._likelihoods(self.surrogate.predictions(proposed.free), errors)
            ratio = point.log_ratio(proposed, is_walk)
            accepted = np.log(rng.random(ratio.shape)) < ratio + proposed_likelihood - approximate
            point = point.moved(proposed, accepted)
            approximate = np.where(accepted, proposed_likelihood, approximate)
            if adapt:
                state.walk_size = state.walk_size * np.exp(
                    0.03 * np.where(is_walk, accepted - TARGET_ACCEPTANCE_RATE, 0.0)
                )
        predicted = self.predictor.predictions(point.free)
        likelihood = self._likelihoods(predicted, errors)
        log_ratio = likelihood - state.likelihood - (approximate - initial)
        accepted = np.log(rng.random(log_ratio.shape)) < log_ratio
        self._accept(state, accepted, point.free, predicted, likelihood)
        return float(accepted.mean())

    def _update_persons_exactly(self, state: _State, rng: np.random.Generator) -> None:
        """One Metropolis step of every person under the model itself, to leave the tails of the surrogate."""
        is_walk, point_at = rng.random(state.likelihood.shape) < 0.5, self._points(state)
        proposed = point_at(self._proposed(state, state.free, is_walk, rng))
        predicted = self.predictor.predictions(proposed.free)
        likelihood, ratio = (
            self.likelihoods(predicted, state.log_errors),
            point_at(state.free).log_ratio(proposed, is_walk),
        )
        accepted = np.log(rng.random(ratio.shape)) < ratio + likelihood - state.likelihood
        self._accept(state, accepted, proposed.free, predicted, likelihood)

    def _points(self, state: _State) -> Callable[[np.ndarray], _Point]:
        """A function that makes a point of parameters [chain, person, p], given the group as it is."""
        mean, precision = means_of_persons(self.model, state.coefficients), np.linalg.inv(state.covariance)
        count = state.free.shape[2]

        def point_at(free: np.ndarray) -> _Point:
            deviation, from_mode = free - mean, free - self.persons.mode
            prior = -0.5 * np.einsum("cni,cij,cnj->cn", deviation, precision, deviation)
            quadratic_form = np.einsum("cni,nij,cnj->cn", from_mode, self.precision, from_mode)
            proposal = -0.5 * (PROPOSAL_DF + count) * np.log1p(quadratic_form / PROPOSAL_DF)
            return _Point(free, prior, proposal)

        return point_at

    def _proposed(self, state: _State, free: np.ndarray, is_walk: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Proposals [chain, person, p]: a walk, or independent of `free`."""
        normal = np.einsum("nij,cnj->cni", self.factor, rng.standard_normal(free.shape))
        stretch = np.sqrt(PROPOSAL_DF / rng.chisquare(PROPOSAL_DF, free.shape[:2]))[:, :, None]
        independent = self.persons.mode + PROPOSAL_SCALE * stretch * normal
        return np.where(is_walk[:, :, None], free + state.walk_size[:, :, None] * normal, independent)

    def _accept(
        self, state: _State, accepted: np.ndarray, free: np.ndarray, predicted: np.ndarray, likelihood: np.ndarray
    ) -> None:
        state.free = np.where(accepted[:, :, None], free, state.free)
        state.likelihood = np.where(accepted, likelihood, state.likelihood)
        state.predicted = np.where(accepted[:, self.predictor.data.person], predicted, state.predicted)

    def _draw_group(self, state: _State, rng: np.random.Generator) -> None:
        """Coefficients and covariance of each chain, from their full conditional distributions."""
        model = self.model
        for i in range(len(state.free)):
            mean, precision = coefficient_posterior(model, state.free[i], state.covariance[i])
            normal = rng.standard_normal(len(mean))
            state.coefficients[i] = mean + np.linalg.solve(np.linalg.cholesky(precision).T, normal)
            deviation = state.free[i] - means_of_persons(model, state.coefficients[i])
            scale = PRIOR_PEOPLE * model.covariance + model.parts(deviation.T @ deviation)[0]
            between = _drawn_covariance(scale, len(deviation), model.size, model.is_full, rng)
            squares, count = model.scatter_of_periods(deviation**2)
            scale = PRIOR_PEOPLE * model.within + squares
            within = scale / 2 / rng.gamma((PRIOR_PEOPLE + 2 + count) / 2, size=len(scale))
            state.covariance[i] = model.joint(between, within)

    def _update_errors(self, state: _State, rng: np.random.Generator) -> None:
        """Random walks of the residual SDs; no solve."""

        def prior(logs: np.ndarray) -> np.ndarray:
            return -0.5 * np.sum(((logs - self.model.error_start) / ERROR_PRIOR_SD) ** 2, axis=1)

        for _ in range(ERROR_STEPS):
            logs = state.log_errors + ERROR_STEP * rng.standard_normal(state.log_errors.shape)
            likelihood = self.likelihoods(state.predicted, logs)
            log_ratio = (likelihood - state.likelihood).sum(axis=1) + prior(logs) - prior(state.log_errors)
            accepted = np.log(rng.random(len(log_ratio))) < log_ratio
            state.log_errors = np.where(accepted[:, None], logs, state.log_errors)
            state.likelihood = np.where(accepted[:, None], likelihood, state.likelihood)

    def _update_group_jointly(self, state: _State, rng: np.random.Generator, adapt: bool) -> float:
        """Update means and SDs with all persons, in one parametrisation after another; returns the accepted share.

        Either order is as probable, so that the inner chain is reversible, as a surrogate transition must be.
        """
        trial, errors = replace(state), self.model.errors_at(state.log_errors)
        initial = approximate = self._likelihoods(self.surrogate.predictions(state.free), errors).sum(axis=1)
        for number in rng.permutation(len(self.parametrisations)):
            approximate = self._group_steps(int(number), trial, approximate, errors, rng, adapt)
        predicted = self.predictor.predictions(trial.free)
        likelihood = self._likelihoods(predicted, errors)
        log_ratio = (likelihood - state.likelihood).sum(axis=1) - (approximate - initial)
        accepted = np.log(rng.random(len(log_ratio))) < log_ratio
        state.coefficients = _where(accepted, trial.coefficients, state.coefficients)
        state.covariance = _where(accepted, trial.covariance, state.covariance)
        state.shift_size, state.width_size = trial.shift_size, trial.width_size
        of_persons = np.repeat(accepted[:, None], trial.free.shape[1], axis=1)
        self._accept(state, of_persons, trial.free, predicted, likelihood)
        return float(accepted.mean())

    def _group_steps(
        self, number: int, trial: _State, likelihood: np.ndarray, errors: Sequence[ErrorModel],
        rng: np.random.Generator, adapt: bool,
    ) -> np.ndarray:  # fmt: skip
        """Metropolis steps of means or SDs with the standardised deviations of all persons fixed, by the surrogate.

        `likelihood` [chain] is that of the surrogate at the begin; returns that at the end.
        """
        how, free = self.parametrisations[number], trial.free
        group = how.group(trial.coefficients, trial.covariance)
        deviations = np.linalg.solve(np.swapaxes(group.root, 2, 3), free[..., None])[..., 0] - self._centre(how, group)
        density = self._log_density(group, free)
        for is_shift in rng.random(GROUP_STEPS) < 0.5:
            name = "shift_size" if is_shift else "width_size"
            sizes = getattr(trial, name)
            proposed, volume = (self._shifted if is_shift else self._scaled)(how, group, sizes[:, [number]], rng)
            proposed_free = np.einsum("cnji,cnj->cni", proposed.root, self._centre(how, proposed) + deviations)
            proposed_density = self._log_density(proposed, proposed_free)
            proposed_likelihood = self._likelihoods(self.surrogate.predictions(proposed_free), errors).sum(axis=1)
            ratio = proposed_density + volume - density + proposed_likelihood - likelihood
            accepted = np.log(rng.random(len(ratio))) < ratio
            group, free = group.moved(proposed, accepted), _where(accepted, proposed_free, free)
            density, likelihood = (
                np.where(accepted, new, old)
                for new, old in ((proposed_density, density), (proposed_likelihood, likelihood))
            )
            if adapt:
                own = np.arange(sizes.shape[1]) == number
                change = np.exp(0.05 * (accepted[:, None] - TARGET_ACCEPTANCE_RATE))
                setattr(trial, name, np.where(own, sizes * change, sizes))
        trial.free, trial.coefficients, trial.covariance = free, group.coefficients, group.covariance
        return likelihood

    def _centre(self, how: _Parametrisation, group: _Group) -> np.ndarray:
        """Most probable parameters [chain, person, P] of the persons given the group, times the inverse of `root`."""
        prior = np.einsum("cij,cnj->cni", group.precision, means_of_persons(self.model, group.coefficients))
        return np.einsum("cnij,cnj->cni", group.root, how.weighted_mode + prior)

    def _log_density(self, group: _Group, free: np.ndarray) -> np.ndarray:
        """Log density [chain] of a group and the standardised deviations of its persons, without measurements."""
        model, deviation = self.model, free - means_of_persons(self.model, group.coefficients)
        mean = -0.5 * np.sum(((group.coefficients - model.mean) / model.mean_sd) ** 2, axis=1)
        squares = np.einsum("cni,cij,cnj->c", deviation, group.precision, deviation)
        persons = 0.5 * (free.shape[1] * np.linalg.slogdet(group.precision)[1] - squares)
        volume = np.log(np.diagonal(group.root, axis1=2, axis2=3)).sum(axis=(1, 2))
        return np.asarray(mean + self._covariance_prior(group.covariance) + persons + volume)

    def _shifted(
        self, how: _Parametrisation, group: _Group, size: np.ndarray, rng: np.random.Generator
    ) -> tuple[_Group, np.ndarray]:
        """Other means, and the log volume [chain] of this change."""
        step = size * rng.standard_normal(group.coefficients.shape) @ how.mean_factor.T
        return replace(group, coefficients=group.coefficients + step), np.zeros(len(step))

    def _scaled(
        self, how: _Parametrisation, group: _Group, size: np.ndarray, rng: np.random.Generator
    ) -> tuple[_Group, np.ndarray]:
        """Other SDs between people and periods, and the log volume [chain] of this change of the covariance."""
        count = self.model.size
        logs = size * rng.standard_normal((len(group.covariance), len(how.spread_factor))) @ how.spread_factor.T
        factor = np.exp(logs)[:, self.model.variances]
        volume = 2 * logs.sum(axis=1)  # of the variances
        volume += (count - 1) * logs[:, :count].sum(axis=1) if self.model.is_full else 0.0  # and of the covariances
        return how.group(group.coefficients, group.covariance * factor[:, :, None] * factor[:, None]), volume

    def _covariance_prior(self, covariance: np.ndarray) -> np.ndarray:
        """Log density [chain] of the inverse Wishart prior, or of inverse gamma priors of the variances."""
        between, within = self.model.parts(covariance)
        scale, count = PRIOR_PEOPLE * self.model.covariance, self.model.size
        periods = _inverse_gamma(within, PRIOR_PEOPLE * self.model.within)
        if self.model.is_full:
            _, volume = np.linalg.slogdet(between)
            trace = np.einsum("ij,cji->c", scale, np.linalg.inv(between))
            return periods - 0.5 * (PRIOR_PEOPLE + 2 * count + 2) * volume - 0.5 * trace
        return periods + _inverse_gamma(np.diagonal(between, axis1=1, axis2=2), np.diag(scale))


def _inverse_gamma(variance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Log density [chain] of the prior of variances [chain, variance], without constants."""
    return np.asarray(np.sum(-(PRIOR_PEOPLE / 2 + 2) * np.log(variance) - 0.5 * scale / variance, axis=1))


def _where(accepted: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Arrays [chain, ...] of the chains of a mask, and the old ones of the others."""
    return np.where(accepted.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _parametrisations(
    data: FitData, model: GroupModel, persons: MapEstimates, start: GroupValues
) -> tuple[_Parametrisation, ...]:
    """Persons standardised by the group alone, and by the group with their measurements."""
    errors, nothing = model.errors_at(start.log_errors), np.zeros_like(persons.mode)
    none = np.zeros_like(start.covariance)
    score, information = curvature(data, errors, persons.predicted, persons.slopes, nothing, none)
    weighted_mode = score + np.einsum("nij,nj->ni", information, persons.mode)
    count = model.size + len(model.varying)
    prior = np.diag(model.mean_sd**-2.0), 2 * (PRIOR_PEOPLE + 2) * np.eye(count)

    def factors(means: np.ndarray, spreads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cholesky factors of the approximate posterior covariance, from the information of persons and of SDs."""
        means = np.einsum("npq,npr,nrs->qs", model.design, means, model.design)
        chosen = np.linalg.inv(prior[0] + means), np.linalg.inv(prior[1] + spreads)
        return np.linalg.cholesky(chosen[0]), np.linalg.cholesky(chosen[1])

    of_variance = np.eye(count)[model.variances]
    deviation = persons.mode - means_of_persons(model, start.coefficients)
    scatter = deviation[:, :, None] * deviation[:, None] + persons.covariance
    alone = factors(information, of_variance.T @ (information * scatter).sum(axis=0) @ of_variance)
    precision = np.linalg.inv(start.covariance)
    weight = precision - precision @ np.linalg.inv(information + precision) @ precision
    own = of_variance.T[:, :, None] * start.covariance  # of the values of each SD
    changes = weight[:, None] @ (own + np.swapaxes(own, 1, 2))  # of the logarithm of each SD
    together = factors(weight, 0.5 * np.einsum("naij,nbji->ab", changes, changes))
    return (
        _Parametrisation(np.zeros_like(information), np.zeros_like(weighted_mode), *alone),
        _Parametrisation(information, weighted_mode, *together),
    )


def _drawn_covariance(
    scale: np.ndarray, persons: int, count: int, is_full: bool, rng: np.random.Generator
) -> np.ndarray:
    """A draw of the covariance between people given their scatter; its mean is scale / (PRIOR_PEOPLE + people)."""
    if is_full:
        from scipy.stats import invwishart

        df = PRIOR_PEOPLE + count + 1 + persons
        return np.atleast_2d(invwishart.rvs(df, scale, random_state=rng)).reshape(count, count)
    shape = (PRIOR_PEOPLE + 2 + persons) / 2
    return np.diag(np.diag(scale) / 2 / rng.gamma(shape, size=count))


def convergence(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split R-hat and effective number of draws of each column; `draws` [chain, draw, column].

    The effective number is that of Geyer's initial positive sequence (Vehtari 2021, Bayesian Anal 16:667), without
    ranks.
    """
    half = draws.shape[1] // 2
    parts = np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
    within = parts.var(axis=1, ddof=1).mean(axis=0)
    total = (half - 1) / half * within + parts.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(all="ignore"):
        rhat = np.sqrt(total / within)
        centred = parts - parts.mean(axis=1, keepdims=True)
        power = np.abs(np.fft.rfft(centred, 2 * half, axis=1)) ** 2
        covariance = np.fft.irfft(power, axis=1)[:, :half].mean(axis=0) / half
        rho = 1 - (within - covariance) / total
        pairs = rho[: half // 2 * 2].reshape(half // 2, 2, -1).sum(axis=1)
        positive = np.cumprod(pairs > 0, axis=0)
        time = np.maximum(
            2 * np.sum(np.minimum.accumulate(pairs, axis=0) * positive, axis=0) - 1, 1 / np.log10(10 + half)
        )
    return rhat, np.minimum(parts.shape[0] * half / time, parts.shape[0] * half)
