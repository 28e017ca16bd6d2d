"""The trial of each published row, for leaving whole trials out: sub-analyses and pools belong to their trials.

data/calibration/pools.csv names the exceptions; every other row belongs to the trial of its evidence row.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ketamech.core.csv_table import read_table
from ketamech.estimation.clinical_targets import DIRECTORY, ClinicalTarget


@dataclass(frozen=True)
class TrialFold:
    """The trial of a row; `pool_of` names the trials that a pooled row contains."""

    trial: str
    pool_of: tuple[str, ...] = ()

    def contains(self, trial: str) -> bool:
        """Whether the row has data of this trial."""
        return trial == self.trial or trial in self.pool_of


def fold_of(target: ClinicalTarget) -> TrialFold:
    """The fold of a published row."""
    for patterns, fold in _exceptions():
        if any(fnmatch.fnmatchcase(target.row.id, pattern) for pattern in patterns):
            return fold
    return TrialFold(target.row.trial)


def folds(targets: Sequence[ClinicalTarget]) -> dict[str, np.ndarray]:
    """{trial: mask of the rows that contain its data [row]}, for every trial that has a row of its own or in a pool."""
    found = [fold_of(target) for target in targets]
    names = dict.fromkeys(name for fold in found for name in (fold.pool_of or (fold.trial,)))
    return {name: np.array([fold.contains(name) for fold in found]) for name in names}


@cache
def _exceptions() -> tuple[tuple[tuple[str, ...], TrialFold], ...]:
    found = []
    for row in read_table(DIRECTORY / "pools.csv", ("rows", "trial", "pool_of", "why")):
        pool = tuple(name for name in row["pool_of"].split(";") if name)
        if bool(row["trial"]) == bool(pool):
            raise row.error("trial", "a trial and a pool, or neither", expected="one of trial and pool_of")
        name = row["trial"] or "pool of " + ", ".join(pool)
        found.append((tuple(row.required("rows", "patterns of row ids").split(";")), TrialFold(name, pool)))
    return tuple(found)
