"""Percent of patients of each arm with an event, such as dissociation or a high blood pressure at any visit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from ketamech.trials.analysis.treatment_effects import share_interval
from ketamech.trials.trial_dataset import EVENT


def event_shares(dataset: xr.Dataset, events: Iterable[str]) -> tuple[dict[str, Any], ...]:
    """One row for each event and arm: event, arm, n (patients rated after baseline, per trial), percent, low, high.

    Low and high are 95 % over replicates (Wilson's interval for one).
    """
    arm, found = dataset["arm"].values[:, :, 0], []
    for event in events:
        had = dataset[f"{EVENT}{event}"].values
        for name in dict.fromkeys(arm.ravel()):
            rated = (arm == name) & np.isfinite(had)
            counts, n = (rated & (had > 0)).sum(axis=1), rated.sum(axis=1)
            low, high = share_interval(counts, n)
            percent = 100 * float(counts.sum() / n.sum()) if n.sum() else float("nan")
            found.append(
                {"event": event, "arm": str(name), "n": float(n.mean()), "percent": percent, "low": low, "high": high}
            )
    return tuple(found)
