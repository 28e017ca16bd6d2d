"""Non-compartmental analysis with CDISC parameter names, and exposure-response regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3  # points of a line whose slope has a standard error


def non_compartmental(
    time: np.ndarray, level: np.ndarray, dose: float | None = None, extravascular: bool = True
) -> dict[str, float]:
    """CMAX, TMAX, CLST, TLST, AUCLST (linear up, logarithmic down), LAMZ, LAMZHL, AUCIFO, and CL(F), VZ(F) by dose.

    `time` in h after the dose, `level` in any unit of concentration; NaN and values at or below 0 after the peak are
    left out. LAMZ is the fit of three or more last points after the peak with the best adjusted R squared; NaN where no
    concentration falls.
    """
    known = np.isfinite(level)
    t, c = np.asarray(time)[known], np.asarray(level)[known]
    nothing = dict.fromkeys(("CMAX", "TMAX", "CLST", "TLST", "AUCLST", "LAMZ", "LAMZHL", "AUCIFO"), float("nan"))
    if not len(c) or c.max() <= 0:
        return nothing
    peak = int(np.argmax(c))
    last = int(np.flatnonzero(c > 0)[-1])
    found = {"CMAX": c[peak], "TMAX": t[peak], "CLST": c[last], "TLST": t[last]}
    found["AUCLST"] = _area(t[: last + 1], c[: last + 1])
    slope = _last_slope(t[peak + 1 : last + 1], c[peak + 1 : last + 1])
    found |= {"LAMZ": slope, "LAMZHL": np.log(2) / slope, "AUCIFO": found["AUCLST"] + c[last] / slope}
    if dose is not None:
        flow, volume = ("CLFO", "VZFO") if extravascular else ("CLO", "VZO")
        found |= {flow: dose / found["AUCIFO"], volume: dose / found["AUCIFO"] / slope}
    return {name: float(value) for name, value in found.items()}


def _area(t: np.ndarray, c: np.ndarray) -> float:
    a, b, step = c[:-1], c[1:], np.diff(t)
    falls = (b < a) & (b > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithmic = step * (a - b) / np.log(a / b)
    return float(np.sum(np.where(falls, logarithmic, step * (a + b) / 2)))


def _last_slope(t: np.ndarray, c: np.ndarray) -> float:
    """Terminal rate (1/h): the last points, at least three, with the best adjusted R squared."""
    keep = c > 0
    t, y = t[keep], np.log(c[keep])
    best, slope = -np.inf, float("nan")
    for n in range(FEWEST, len(t) + 1):
        b, a = np.polyfit(t[-n:], y[-n:], 1)
        rest = y[-n:] - (a + b * t[-n:])
        total = np.sum((y[-n:] - y[-n:].mean()) ** 2)
        fit = 1 - (np.sum(rest**2) / total if total else 1.0) * (n - 1) / (n - 2)
        if b < 0 and fit > best + 1e-4:
            best, slope = fit, -float(b)
    return slope


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
