"""A cohort as bands: what half of the patients, and nine in ten, lie between."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ketamech.report.style import SETTINGS
from ketamech.report.words import DISCLAIMER

BANDS = ((5, 95, 0.18), (25, 75, 0.35))
COLOUR, WIDTH, ROW = "#0072B2", 8.0, 2.4


def cohort_picture(path: Path, curves: xr.Dataset, title: str) -> Path:
    """Draw every output of a cohort (dims patient, time) over time into an SVG file; returns its path."""
    names = [str(name) for name in curves.data_vars if curves[name].dims == ("patient", "time")]
    days = curves["time"].values / 24
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, ROW * len(names) + 1.0), layout="constrained")
        figure.suptitle(f"{title}\n{curves.sizes['patient']} virtual patients: median, half and nine in ten of them")
        for axes, name in zip(np.atleast_1d(figure.subplots(len(names), 1, sharex=True)), names, strict=True):
            values = curves[name].values
            for low, high, opacity in BANDS:
                edges = np.nanpercentile(values, (low, high), axis=0)
                axes.fill_between(days, *edges, color=COLOUR, alpha=opacity, lw=0, label=f"{low}-{high} %")
            axes.plot(days, np.nanmedian(values, axis=0), color=COLOUR, lw=1.8, label="median")
            unit = curves[name].attrs["units"]
            axes.set_ylabel(name if unit == "1" else f"{name}\n({unit})")
        axes.set_xlabel("days")
        axes.legend(loc="best", fontsize=7, frameon=False)
        figure.text(0.99, 0.005, DISCLAIMER, ha="right", size=6)
        figure.savefig(path)
    return path
