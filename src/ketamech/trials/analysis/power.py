"""Power and sample size by simulation: smaller trials are subsamples of large ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.trials.analysis.treatment_effects import ancova, share_interval

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05


def power(
    dataset: xr.Dataset, scale: str, visit: str, reference: str, sizes: Sequence[int | Mapping[str, int]], *,
    draws: int = 4,
) -> pd.DataFrame:  # fmt: skip
    """Share of trials with p < 0.05 (two-sided, adjusted for baseline) of each of `sizes`.

    A size is the number of patients in every arm, or {arm: number}. Each replicate gives `draws` smaller trials of its
    own patients, without replacement. Columns: arm, n_per_arm, power, low, high (percent; Wilson over trials), trials.
    Raises InputError for more patients than were simulated.
    """
    import pandas as pd

    place = [str(v) for v in dataset["visit"].values].index(visit)
    arm = dataset["arm"].values[:, :, place]
    names = [str(name) for name in dict.fromkeys(arm.ravel())]
    if len(names) < 2:
        raise InputError("power of a single arm", key="--power", expected="a trial of two arms or more")
    simulated = {name: int((arm[0] == name).sum()) for name in names}
    lines = []
    for size in sizes:
        numbers = size if isinstance(size, Mapping) else dict.fromkeys(names, size)
        _check_sizes(numbers, simulated, equal=not isinstance(size, Mapping))
        found = pd.concat([_subsample(dataset, arm, numbers, d, scale, visit, reference) for d in range(draws)])
        for name, part in found.groupby("arm"):
            hits = int((part["p"] < ALPHA).sum())
            low, high = share_interval(np.array([hits]), np.array([len(part)]))
            line = {"arm": name, "n_per_arm": numbers[str(name)], "power": 100 * hits / len(part)}
            lines.append({**line, "low": low, "high": high, "trials": len(part)})
    return pd.DataFrame(lines)


def _check_sizes(numbers: Mapping[str, int], simulated: Mapping[str, int], *, equal: bool) -> None:
    """Raise InputError for an arm with fewer than 2 patients or more than were simulated."""
    limits = dict.fromkeys(simulated, min(simulated.values())) if equal else simulated
    for name, most in limits.items():
        if not 2 <= numbers[name] <= most:
            what = f"{numbers[name]} patients an arm" if equal else f"{numbers[name]} patients in arm '{name}'"
            raise InputError(what, key="sizes", expected=f"2 to {most}, the simulated number")


def _subsample(
    dataset: xr.Dataset, arm: np.ndarray, numbers: Mapping[str, int], draw: int, scale: str, visit: str, reference: str
) -> pd.DataFrame:
    """The comparison in trials of the patients draw * n to draw * n + n of each arm, in turn; n = numbers[arm]."""

    def rows(row: np.ndarray) -> np.ndarray:
        return np.concatenate([np.roll(np.flatnonzero(row == name), -draw * n)[:n] for name, n in numbers.items()])

    places = xr.DataArray(np.array([rows(row) for row in arm]), dims=("replicate", "patient"))
    needed = dataset[[scale, "arm"]].drop_vars("patient")
    return ancova(needed.isel(patient=places), scale, visit, reference)
