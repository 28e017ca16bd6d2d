"""Non-compartmental analysis of the visits of a trial, and exposure-response regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.simulation.nca import NcaDose
from ketamech.simulation.nca_tables import AnalysedProfile, ConcentrationProfile, analysed

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3  # points of a line whose slope has a standard error
NO_DOSE = "visits of a trial are not analysed by dose"


def exposure_of_visits(dataset: xr.Dataset, names: tuple[str, ...]) -> list[AnalysedProfile]:
    """Levels at the visits of the first replicate, analysed: one profile for each patient and substance."""
    hours = dataset["visit_time"].values[0]
    dose = NcaDose(why_unknown=NO_DOSE)
    profiles = []
    for name in (level for level in names if level in dataset):
        unit = str(dataset[name].attrs.get("units", ""))
        for i, level in enumerate(dataset[name].values[0]):
            keys = {"TRTP": str(dataset["arm"].values[0, i, 0])}
            subject = f"{dataset['replicate'].values[0]}-{dataset['patient'].values[i]}"
            profiles.append(ConcentrationProfile(subject, name, hours[i], level, unit, dose, keys=keys))
    return analysed(profiles)


def exposure_response(exposure: np.ndarray, outcome: np.ndarray) -> pd.DataFrame:
    """Outcome against the logarithm of exposure by least squares: slope per doubling with 95 % interval, p, r.

    One row: per_doubling, low, high, p, r, n, reason. NaN with a reason for fewer than three patients or a single
    exposure.
    """
    import pandas as pd
    from scipy.stats import linregress, t

    known = np.isfinite(exposure) & np.isfinite(outcome) & (exposure > 0)
    n, doublings = int(known.sum()), np.log2(exposure[known])
    unknown = dict.fromkeys(("per_doubling", "low", "high", "p", "r"), float("nan"))
    if n < FEWEST:
        return pd.DataFrame([{**unknown, "n": n, "reason": f"{n} patients with exposure and outcome"}])
    if np.ptp(doublings) == 0:
        return pd.DataFrame([{**unknown, "n": n, "reason": "all patients have the same exposure"}])
    fit = linregress(doublings, outcome[known])
    reach = t.ppf(0.975, n - 2) * fit.stderr
    found = {"per_doubling": fit.slope, "low": fit.slope - reach, "high": fit.slope + reach, "p": fit.pvalue}
    return pd.DataFrame([{**found, "r": fit.rvalue, "n": n, "reason": ""}])
