"""The number of patients that gives a required power, from the simulated power of trials of several sizes.

The success of trials of n patients follows Phi((effect sqrt(n) - z) / sqrt(1 + spread^2 n)): a normal test whose effect
varies between trials with the standard deviation `spread`, because each trial has other parameter values and another
setting. Power then stays below 1 however many patients there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.core.progress import check_interrupt
from ketamech.core.statistics import interval
from ketamech.trials.analysis.analyse import reference_arm
from ketamech.trials.analysis.power import SuccessCriterion, check_comparison, power_of, smallest_arms, trial_successes
from ketamech.trials.design import Trial

FIRST_PER_ARM, MIN_PER_ARM = 48, 8
N_SIZES = 8  # simulated sizes, in geometric steps
RESAMPLES, RESAMPLING_SEED = 200, 1
MAX_EFFECT = 5.0  # per square root of the number of patients
SPREADS, N_SPREADS, N_FINE, NEWTON_STEPS = (0.2, 10.0), 40, 9, 12  # spreads times the square root of the largest number
SUFFICIENT_MARGIN = 0.05  # power above the target at which the simulated trial is large enough
MIN_PROBABILITY = 1e-6
MIN_TARGET, MAX_TARGET = 0.5, 0.99
MAX_PATIENTS = 400_000  # virtual patients of one simulated size, all replicates together, on the command line
ASSURANCE = (
    "Power is the mean over simulated trials, each with its own draw of the parameter values and its own setting "
    "(assurance); it is not the power at one fixed effect. The interval of the number of patients is from resampling "
    "these trials: the Monte Carlo error of the search. The uncertainty about the effect is part of the power itself."
)


@dataclass(frozen=True)
class SampleSize:
    """The number of patients in all arms together (`patients`) at which the comparison of `arm` has the power `target`.

    In a `crossover` every patient is in each arm.

    `low` and `high`: 95 % interval by resampling the simulated trials; None for infinity. Where no number is found,
    there is a `reason`, and `low` may still be known.
    `limit` is the power that no number of patients exceeds, and `type_2_error` the share of trials of this size that do
    not succeed although the arms differ. `margin`: of non-inferiority, in points; None for superiority.
    """

    arm: str
    target: float
    patients: int | None
    low: int | None
    high: int | None
    patients_per_arm: dict[str, int]
    limit: float
    type_2_error: float
    simulated: int
    trials: int
    reason: str = ""
    crossover: bool = False
    margin: float | None = None

    @property
    def text(self) -> str:
        """The number with its interval, in words."""
        if self.patients is None:
            least = "" if self.low is None or self.limit <= self.target else f"; at least {self.low} in all are needed"
            return f"{self.arm}: no number of patients found: {self.reason}{least}."
        numbers = set(self.patients_per_arm.values())
        is_equal = len(numbers) == 1 and not self.crossover
        low, high = self.interval_per_arm if is_equal else (self.low, self.high)
        limits = f"{low} to {'an open limit' if high is None else high}{' in each arm' if is_equal else ' in all'}"
        wrong = "does not show the difference" if self.margin is None else "fails to show non-inferiority"
        arms = ", ".join(f"{n} in {name}" for name, n in self.patients_per_arm.items())
        each = f"{numbers.pop()} patients in each arm" if len(numbers) == 1 else arms
        each = f"{self.patients} patients, each in every arm" if self.crossover else f"{each}, {self.patients} in all"
        return (
            f"{self.arm}: {each} (95 % interval {limits}), for a power of {100 * self.target:g} %. A trial of this "
            f"size {wrong} with a chance of {100 * self.type_2_error:.0f} % (type II error)."
        )

    @property
    def interval_per_arm(self) -> tuple[int | None, int | None]:
        """`low` and `high` in each of arms of equal size."""
        arms = len(self.patients_per_arm)
        low, high = self.low, self.high
        return (None if low is None else low // arms, None if high is None else math.ceil(high / arms))

    def row(self) -> dict[str, Any]:
        """The fields and the text, as one row of a table."""
        return {**asdict(self), "text": self.text}


@dataclass(frozen=True)
class SampleSizeSearch:
    """The sample size for each arm that is compared, the simulated `power` of every size, and the largest trial.

    `most`: patients in all that the search may simulate in one trial.
    """

    sizes: tuple[SampleSize, ...]
    power: pd.DataFrame
    data: xr.Dataset
    most: int


def find_sample_size(
    trial: Trial, run: Callable[[int], xr.Dataset], *, target: float, criterion: SuccessCriterion, most: int
) -> SampleSizeSearch:
    """Simulate trials of doubling size until the power of every comparison reaches the `target`.

    `run` simulates replicates of the trial with a total number of patients, which is at most `most`. The search also
    ends when the interval of the number lies above `most`. Raises InputError for a trial without a comparison, or for a
    target that is not possible.
    """
    check_sample_size(trial, target)
    patients = min(most, FIRST_PER_ARM * len(trial.arms))
    while True:
        data = run(patients)
        sizes, table = sample_sizes(data, trial, target=target, criterion=criterion)
        reached = float(table.groupby("arm")["power"].last().min()) >= min(target + SUFFICIENT_MARGIN, 1)
        unreachable = any(size.patients is None and (size.low is None or size.low > most) for size in sizes)
        if patients >= most or reached or unreachable:
            return SampleSizeSearch(sizes, table, data, most)
        patients = min(most, 2 * patients)


def check_sample_size(trial: Trial, target: float) -> None:
    """Raise InputError for a trial without a comparison, or for a target that is not possible."""
    check_comparison(trial, "sample size")
    if not MIN_TARGET <= target <= MAX_TARGET:
        what = f"a power of {target:g}"
        raise InputError(what, key="sample_size", expected="0.5 to 0.99", type_this="--sample-size 0.8")


def sample_sizes(
    data: xr.Dataset, trial: Trial, *, target: float, criterion: SuccessCriterion
) -> tuple[tuple[SampleSize, ...], pd.DataFrame]:
    """The sample size for each compared arm, and the simulated power, from one simulated trial of enough patients.

    Raises InputError for a trial without a comparison, or for a target that is not possible.
    """
    check_sample_size(trial, target)
    totals, sizes = _sizes(data, trial)
    trials = trial_successes(data, *trial.primary, reference_arm(trial), sizes, criterion=criterion)
    found_sizes = []
    for arm, part in trials.groupby("arm", sort=False):
        share = part.groupby(["replicate", "size"])["met"].agg(["sum", "count"]).unstack("size")
        hits, counts = share["sum"].to_numpy(float), share["count"].to_numpy(float)
        found_sizes.append(
            _size_of_arm(str(arm), trial, np.array(totals, dtype=float), hits, counts, target, criterion)
        )
    return tuple(found_sizes), power_of(trials)


def _sizes(data: xr.Dataset, trial: Trial) -> tuple[list[int], list[dict[str, int]]]:
    """Total numbers of patients in geometric steps up to the simulated number, and the numbers in each arm.

    Raises InputError where decisions have formed other groups than the arms.
    """
    most = smallest_arms(data, trial.primary[1])
    if set(most) != {arm.name for arm in trial.arms}:
        what = f"the groups at {trial.primary[1]} are {', '.join(most)}"
        raise InputError(what, key="primary", expected="a visit at which the groups are the arms of the trial")
    total, smallest = total_patients(trial, most), min(most.values())
    scales = np.geomspace(min(1.0, MIN_PER_ARM / smallest), 1.0, N_SIZES)
    sizes = [{arm.name: max(2, math.floor(most[arm.name] * scale + 1e-9)) for arm in trial.arms} for scale in scales]
    by_total = {total_patients(trial, size): size for size in sizes if total_patients(trial, size) <= total}
    return list(by_total), list(by_total.values())


def total_patients(trial: Trial, patients_per_arm: Mapping[str, int]) -> int:
    """Patients in all: in a crossover every patient is in each arm."""
    return max(patients_per_arm.values()) if trial.washout else sum(patients_per_arm.values())


def _size_of_arm(
    arm: str, trial: Trial, totals: np.ndarray, hits: np.ndarray, counts: np.ndarray, target: float,
    criterion: SuccessCriterion,
) -> SampleSize:  # fmt: skip
    """The sample size of one comparison from successes and trials [replicate, size]."""
    from scipy.special import ndtr, ndtri

    z = float(ndtri(1 - criterion.alpha / 2))
    (effect,), (spread,) = fitted_effect(totals, hits.sum(axis=0, keepdims=True), counts.sum(axis=0, keepdims=True), z)
    wanted = float(ndtri(target))
    number = patients_for(effect, spread, z, wanted)
    limit = float(ndtr(effect / spread)) if spread > 0 else 1.0
    largest = int(totals[-1])
    reached = float(hits.sum(axis=0)[-1] / counts.sum(axis=0)[-1])
    reason = f"the power of the largest simulated trial, {largest} patients in all, is {100 * reached:.0f} %"
    trials = int(counts.sum())
    low, high = _interval(totals, hits, counts, z, wanted)
    lowest = math.floor(low) if math.isfinite(low) else None
    none = SampleSize(
        arm, target, None, lowest, None, {}, limit, 1 - reached, largest, trials, reason, bool(trial.washout),
        criterion.margin,
    )  # fmt: skip
    if number > largest:
        return none
    patients = math.ceil(number)
    patients_per_arm = {
        one.name: patients if trial.washout else math.ceil(one.n * patients / trial.patients) for one in trial.arms
    }
    missed = 1 - float(success_probability(np.array([patients]), effect, spread, z)[0])
    return replace(
        none, patients=total_patients(trial, patients_per_arm), high=math.ceil(high) if math.isfinite(high) else None,
        patients_per_arm=patients_per_arm, type_2_error=missed, reason="",
    )  # fmt: skip


def success_probability(n: np.ndarray, effect: float, spread: float, z: float) -> np.ndarray:
    """Probability of success [size] in trials of `n` [size] patients.

    `effect`: the expected test statistic over the root of n, with SD `spread` between trials; `z`: its critical value.
    """
    from scipy.special import ndtr

    return np.asarray(ndtr((effect * np.sqrt(n) - z) / np.sqrt(1 + spread**2 * n)))


def fitted_effect(n: np.ndarray, hits: np.ndarray, counts: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Effect and spread [resample] with the largest binomial likelihood of successes and trials [resample, size].

    For a given spread the likelihood is concave in the effect, which Newton's method finds; the spread is that of a
    grid, then of a finer grid about it.
    """
    coarse = np.concatenate([[0.0], np.geomspace(*SPREADS, N_SPREADS)]) / math.sqrt(n[-1])
    _, spread = _best(n, hits, counts, z, np.broadcast_to(coarse, (len(hits), len(coarse))))
    ratio = (SPREADS[1] / SPREADS[0]) ** (1 / (N_SPREADS - 1))
    return _best(n, hits, counts, z, spread[:, None] * np.geomspace(1 / ratio, ratio, N_FINE))


def _best(
    n: np.ndarray, hits: np.ndarray, counts: np.ndarray, z: float, spreads: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The most likely effect and spread [resample] of some `spreads` [resample, spread]."""
    scale = np.sqrt(1 + spreads[:, :, None] ** 2 * n)
    slope, offset = np.sqrt(n) / scale, -z / scale
    effect = np.full(spreads.shape, z / math.sqrt(float(np.median(n))))
    for _ in range(NEWTON_STEPS):
        check_interrupt()
        score, information, _ = _likelihood(effect[:, :, None] * slope + offset, hits, counts)
        step = (score * slope).sum(axis=2) / np.maximum((information * slope**2).sum(axis=2), MIN_PROBABILITY)
        effect = np.clip(effect + step, -MAX_EFFECT, MAX_EFFECT)
    likelihood = _likelihood(effect[:, :, None] * slope + offset, hits, counts)[2].sum(axis=2)
    rows, best = np.arange(len(hits)), likelihood.argmax(axis=1)
    return effect[rows, best], spreads[rows, best]


def _likelihood(
    predictor: np.ndarray, hits: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Score, expected information and log likelihood of a probit model [resample, spread, size]."""
    from scipy.special import ndtr

    chance = np.clip(ndtr(predictor), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    density = np.exp(-(predictor**2) / 2) / math.sqrt(2 * math.pi)
    hits_by_size, all_ = hits[:, None, :], counts[:, None, :]
    variance = chance * (1 - chance)
    likelihood = hits_by_size * np.log(chance) + (all_ - hits_by_size) * np.log1p(-chance)
    return density * (hits_by_size - all_ * chance) / variance, all_ * density**2 / variance, likelihood


def patients_for(effect: float, spread: float, z: float, wanted: float) -> float:
    """The number of patients at which (effect sqrt(n) - z) / sqrt(1 + spread^2 n) is `wanted`; infinite if none."""
    # (effect^2 - wanted^2 spread^2) u^2 - 2 effect z u + z^2 - wanted^2 = 0 with u = sqrt(n), and effect u - z >= 0
    a = effect**2 - wanted**2 * spread**2
    if effect <= 0 or a <= 0:
        return math.inf
    root = math.sqrt(max(0.0, (effect * z) ** 2 - a * (z**2 - wanted**2)))
    return ((effect * z + root) / a) ** 2


def _interval(
    n: np.ndarray, hits: np.ndarray, counts: np.ndarray, z: float, wanted: float
) -> tuple[float, float]:  # fmt: skip
    """95 % interval of the number of patients by resampling replicates, each with all its smaller trials."""
    chosen = np.random.default_rng(RESAMPLING_SEED).integers(len(hits), size=(RESAMPLES, len(hits)))
    effects, spreads = fitted_effect(n, hits[chosen].sum(axis=1), counts[chosen].sum(axis=1), z)
    numbers = [patients_for(effect, spread, z, wanted) for effect, spread in zip(effects, spreads, strict=True)]
    return interval(numbers, nearest=True)
