"""Weights with which virtual patients agree with a target: shares of groups, or moments of a published arm.

Among all weights that meet the targets, exponential tilting gives those of the largest entropy, which differ least from
equal weights: each is proportional to the exponential of a sum over the features of a patient. The coefficients
minimise a convex function, by Newton steps. For shares of groups the result is that of raking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ketamech.core import InputError

MAX_ITERATIONS, MAX_STEP_HALVINGS = 200, 40
MEAN_TOLERANCE = 1e-9  # in SD of the feature


def tilted_weights(
    features: Mapping[str, np.ndarray], targets: Mapping[str, float], *, least_effective: float = 0.0
) -> np.ndarray:
    """Weights [patient], mean 1, with which the mean of each feature {name: [patient]} is its target.

    Raises InputError if no weights meet the targets, or only such with fewer than `least_effective` effective patients.
    """
    names = list(targets)
    values = np.array([np.asarray(features[name], dtype=float) for name in names]).T
    goals = np.array([targets[name] for name in names])
    _refuse_out_of_range(values, goals, names)
    spread = values.std(axis=0)
    used = spread > 0
    off = (values - goals)[:, used] / spread[used]
    weights, miss = _newton(off)
    if miss > MEAN_TOLERANCE:
        what = f"no weights of these {len(values)} patients meet {_listed(names, goals)} together"
        raise InputError(what, key="targets", expected="more patients, or fewer targets")
    if effective_size(weights) < least_effective:
        what = f"only {effective_size(weights):.1f} effective patients of {len(values)} meet {_listed(names, goals)}"
        raise InputError(what, key="targets", expected=f"at least {least_effective:g}: more patients, or fewer targets")
    return weights


def _newton(off: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights [patient], mean 1, of features [patient, feature] whose means are to be 0, and the largest mean left."""
    slope = np.zeros(off.shape[1])
    weights, height = _tilt(off, slope)
    for _ in range(MAX_ITERATIONS):
        if _largest_deviation(off, weights) <= MEAN_TOLERANCE / 10:
            break
        mean = weights @ off / len(off)
        curvature = (off * weights[:, None]).T @ off / len(off) - np.outer(mean, mean)
        step = np.linalg.lstsq(curvature, -mean, rcond=1e-12)[0]
        for halving in range(MAX_STEP_HALVINGS):
            candidate = slope + step / 2**halving
            new, lower = _tilt(off, candidate)
            is_lower = lower < height + 1e-4 * float(mean @ (candidate - slope))
            if (
                is_lower or _largest_deviation(off, new) < _largest_deviation(off, weights) / 2
            ):  # near the end the height is rounding
                break
        else:
            break
        slope, weights, height = candidate, new, lower
    return weights, _largest_deviation(off, weights)


def _largest_deviation(off: np.ndarray, weights: np.ndarray) -> float:
    """The largest weighted mean of the features."""
    return float(np.max(np.abs(weights @ off / len(off)), initial=0.0))


def _tilt(off: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights [patient], mean 1, of a tilt, and the logarithm of their mean before scaling."""
    logs = off @ slope
    top = float(logs.max())
    raw = np.exp(logs - top)
    return raw / raw.mean(), float(np.log(raw.mean())) + top


def _refuse_out_of_range(values: np.ndarray, goals: np.ndarray, names: Sequence[str]) -> None:
    for name, column, goal in zip(names, values.T, goals, strict=True):
        constant = column.min() == column.max()
        if not (column.min() < goal < column.max() or (constant and np.isclose(column[0], goal))):
            what = f"no weights of these {len(values)} patients meet {name} {goal:g}"
            expected = f"a number between {column.min():g} and {column.max():g}"
            raise InputError(what, key=name, expected=expected)


def _listed(names: Sequence[str], goals: np.ndarray) -> str:
    return ", ".join(f"{name} {goal:g}" for name, goal in zip(names, goals, strict=True))


def prevalence_weights(groups: Mapping[str, np.ndarray], targets: Mapping[str, Mapping[object, float]]) -> np.ndarray:
    """Weights [patient], mean 1, with which each of `groups` {name: [patient]} has the target proportions.

    Raises InputError if proportions do not add up to 1, a target group has no patient, or no weights meet all targets.
    """
    _check(groups, targets)
    count = len(next(iter(groups.values())))
    inside = np.ones(count, dtype=bool)  # members of a group of share 0 have weight 0
    for name, shares in targets.items():
        inside &= np.any([groups[name] == member for member, share in shares.items() if share], axis=0)
    features, goals = {}, {}
    for name, shares in targets.items():
        for member, share in list(shares.items())[1:]:  # the share of the first follows from the others
            if 0 < share < 1:
                features[f"{name} = {member}"] = (groups[name] == member)[inside].astype(float)
                goals[f"{name} = {member}"] = share
    weights = np.zeros(count)
    weights[inside] = tilted_weights(features, goals) if goals else 1.0
    return weights / weights.mean()


def effective_size(weights: np.ndarray) -> float:
    """Kish's effective sample size of weights [patient]: the number of unweighted ones with the same information."""
    return float(weights.sum() ** 2 / np.sum(weights**2))


def weighted_mean_and_sd(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean and SD of values [patient] with weights."""
    mean = float(np.average(values, weights=weights))
    return mean, float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))


def _check(groups: Mapping[str, np.ndarray], targets: Mapping[str, Mapping[object, float]]) -> None:
    for name, shares in targets.items():
        total = sum(shares.values())
        if abs(total - 1) > 1e-6 or min(shares.values()) < 0:
            what = f"the shares of '{name}' add up to {total:g}"
            raise InputError(what, key=name, expected="shares that add up to 1")
        for member, share in shares.items():
            if share and not np.any(groups[name] == member):
                what = f"no patient drawn has '{name}' = {member}"
                raise InputError(what, key=name, expected="more patients, or another target")
