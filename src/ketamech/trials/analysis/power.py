"""Power and sample size by simulation: smaller trials are subsamples of large ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.trials.analysis.treatment_effects import ancova, share_interval

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05


def power(
    dataset: xr.Dataset, scale: str, visit: str, reference: str, sizes: Sequence[int], *, draws: int = 4
) -> pd.DataFrame:
    """Share of trials with p < 0.05 (two-sided, adjusted for baseline) for each number of patients per arm in `sizes`.

    Each replicate gives `draws` smaller trials of its own patients, without replacement. Columns: arm, n_per_arm,
    power, low, high (percent; Wilson over trials), trials. Raises InputError for more patients than were simulated.
    """
    import pandas as pd

    place = [str(v) for v in dataset["visit"].values].index(visit)
    arm = dataset["arm"].values[:, :, place]
    names = [str(name) for name in dict.fromkeys(arm.ravel())]
    if len(names) < 2:
        raise InputError("power of a single arm", key="--power", expected="a trial of two arms or more")
    most = min(int((arm[0] == name).sum()) for name in names)
    lines = []
    for n in sizes:
        if not 2 <= n <= most:
            raise InputError(f"{n} patients an arm", key="sizes", expected=f"2 to {most}, the simulated number")
        found = pd.concat([_subsample(dataset, arm, names, n, d, scale, visit, reference) for d in range(draws)])
        for name, part in found.groupby("arm"):
            hits = int((part["p"] < ALPHA).sum())
            low, high = share_interval(np.array([hits]), np.array([len(part)]))
            lines.append(
                {
                    "arm": name,
                    "n_per_arm": n,
                    "power": 100 * hits / len(part),
                    "low": low,
                    "high": high,
                    "trials": len(part),
                }
            )
    return pd.DataFrame(lines)


def _subsample(
    dataset: xr.Dataset, arm: np.ndarray, names: list[str], n: int, draw: int, scale: str, visit: str, reference: str
) -> pd.DataFrame:
    """The comparison in trials of the patients number draw * n to draw * n + n of each arm, in turn."""
    chosen = np.array([[np.roll(np.flatnonzero(row == name), -draw * n)[:n] for name in names] for row in arm])
    places = xr.DataArray(chosen.reshape(len(arm), -1), dims=("replicate", "patient"))
    needed = dataset[[scale, "arm"]].drop_vars("patient")
    return ancova(needed.isel(patient=places), scale, visit, reference)
