"""The drug-free baseline of curves, also where they begin at steady state."""

from __future__ import annotations

import numpy as np
import xarray as xr


def baseline_of(dataset: xr.Dataset, name: str) -> np.ndarray:
    """Drug-free values [patient] of one output of curves (dims patient, time), in its unit.

    Curves that begin at steady state hold them as the coordinate `baseline`; all others begin drug-free.
    """
    if "baseline" in dataset.coords:
        return np.asarray(dataset["baseline"].sel(output=name).values)
    return np.asarray(dataset.variables[name].transpose("patient", "time").values[:, 0])
