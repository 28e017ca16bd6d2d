"""Figures of virtual patients: distributions of covariates, and quantile bands of a cohort over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.parameters.concentration_units import shown
from ketamech.report.number_format import DISCLAIMER
from ketamech.report.style import draw, panel_page
from ketamech.report.tracks import OKABE_ITO

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARES = (5, 25, 50, 75, 95)
BANDS = ((5, 95, 0.18), (25, 75, 0.35))
COLOUR, WIDTH, ROW = "#0072B2", 8.0, 2.4
MOST_DRAWN, AT_ONCE = 120, 2**27  # times in a figure; bytes per block


def percentiles(curves: xr.Dataset, name: str, shares: Sequence[float], places: Sequence[int]) -> np.ndarray:
    """Percentiles [share, place] of one output of a cohort (dims patient, time) at some of its times.

    Failed patients are left out; NaN when all failed. Times are read in blocks to bound the memory.
    """
    found = np.full((len(shares), len(places)), np.nan)
    solved = curves["solved"].values == 1
    step = max(1, AT_ONCE // (8 * max(1, solved.size)))
    for first in range(0, len(places) if solved.any() else 0, step):
        some = slice(first, first + step)
        found[:, some] = np.percentile(curves[name].isel(time=list(places[some])).values[solved], shares, axis=0)
    return found


def cohort_figure(path: Path, curves: xr.Dataset, title: str) -> Path:
    """Draw every output of a cohort (dims patient, time) over time into an SVG or PNG file; returns its path."""
    import matplotlib
    from matplotlib.figure import Figure

    from ketamech.report.style import SETTINGS

    names = [str(name) for name in curves.data_vars if curves[name].dims == ("patient", "time")]
    places = np.unique(np.linspace(0, curves.sizes["time"] - 1, MOST_DRAWN).round().astype(int)).tolist()
    days = curves["time"].values[places] / 24
    solved = int((curves["solved"].values == 1).sum())
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, ROW * len(names) + 1.0), layout="constrained")
        figure.suptitle(f"{title}\n{solved} virtual patients: median, 50 % and 90 %")
        for axes, name in zip(np.atleast_1d(figure.subplots(len(names), 1, sharex=True)), names, strict=True):
            factor, unit = shown(name, curves[name].attrs["units"])
            axes.set_ylabel(name if unit == "1" else f"{name}\n({unit})")
            _bands(axes, days, factor * percentiles(curves, name, SHARES, places))
        axes.set_xlabel("days")
        axes.legend(loc="best", fontsize=7, frameon=False)
        figure.text(0.99, 0.005, DISCLAIMER, ha="right", size=6)
        figure.savefig(path)
    return path


def _bands(axes: Axes, days: np.ndarray, found: np.ndarray) -> None:
    """Draw 50 % and 90 % bands and the median; `found` [share, time]."""
    edges = dict(zip(SHARES, found, strict=True))
    for low, high, opacity in BANDS:
        label = f"{low}-{high} %"
        axes.fill_between(days, edges[low], edges[high], color=COLOUR, alpha=opacity, lw=0, label=label)
    axes.plot(days, edges[50], color=COLOUR, lw=1.8, label="median")


def draw_people(folder: Path, table: pd.DataFrame, title: str, columns: Sequence[str]) -> list[Path]:
    """Write the distributions of variables of a virtual population, one panel each, as people.png and people.svg."""
    return draw(folder, "people", lambda: _people(table, title, columns))


def _people(table: pd.DataFrame, title: str, columns: Sequence[str]) -> Figure:
    figure, panels = panel_page(len(columns), 3, 9.0, 2.1, title)
    weights = table.get("weight_in_target")
    for axes, name in zip(panels, columns, strict=True):
        values = table[name]
        whole = np.all(values == np.round(values)) and values.nunique() < 12
        bins = np.arange(values.min() - 0.5, values.max() + 1.5) if whole else 40
        axes.hist(values, bins=bins, color=OKABE_ITO[0], alpha=0.7, density=True, label="drawn")
        if weights is not None:
            outline = {"color": OKABE_ITO[1], "histtype": "step", "label": "weighted"}
            axes.hist(values, bins=bins, weights=weights, density=True, **outline)
        axes.set_title(name.removeprefix("person."), fontsize=8)
        axes.set_yticks([])
    if weights is not None:
        panels[0].legend(fontsize=7, frameon=False)
    return figure
