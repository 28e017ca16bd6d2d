"""Selection of plausible patients, and weights that match a virtual population to a target population.

Selection keeps patients whose simulated outputs lie within published bounds (Allen, Rieger and Musante 2016, CPT
Pharmacometrics Syst Pharmacol 5:140). Weights come from raking: weights are scaled to each target in turn until all are
met.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ketamech.core import InputError

MAX_ROUNDS, CONVERGENCE = 500, 1e-9


def select_plausible(outputs: Mapping[str, np.ndarray], bounds: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Mask [patient] of patients whose `outputs` {name: [patient]} all lie within `bounds`; NaN is not plausible."""
    masks = [(outputs[name] >= low) & (outputs[name] <= high) for name, (low, high) in bounds.items()]
    return np.all(masks, axis=0)


def prevalence_weights(groups: Mapping[str, np.ndarray], targets: Mapping[str, Mapping[object, float]]) -> np.ndarray:
    """Weights [patient], mean 1, with which each of `groups` {name: [patient]} has the target proportions.

    Raises InputError if proportions do not add up to 1 or a target group has no patient.
    """
    weights = np.ones(len(next(iter(groups.values()))))
    _check(groups, targets)
    for _ in range(MAX_ROUNDS):
        before = weights.copy()
        for name, shares in targets.items():
            for member, share in shares.items():
                inside = groups[name] == member
                weights[inside] *= share / max(weights[inside].sum() / weights.sum(), 1e-300)
        if np.max(np.abs(weights - before)) < CONVERGENCE:
            break
    return weights / weights.mean()


def effective_size(weights: np.ndarray) -> float:
    """Kish's effective sample size: the number of unweighted patients with the same information."""
    return float(weights.sum() ** 2 / np.sum(weights**2))


def _check(groups: Mapping[str, np.ndarray], targets: Mapping[str, Mapping[object, float]]) -> None:
    for name, shares in targets.items():
        total = sum(shares.values())
        if abs(total - 1) > 1e-6 or min(shares.values()) < 0:
            raise InputError(
                f"the shares of '{name}' add up to {total:g}", key=name, expected="shares that add up to 1"
            )
        for member, share in shares.items():
            if share and not np.any(groups[name] == member):
                raise InputError(
                    f"no patient drawn has '{name}' = {member}", key=name, expected="more patients, or another target"
                )
