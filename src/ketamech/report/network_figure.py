"""The figure of predicted imaging readouts with intervals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.analysis.network import QUANTILES, NetworkPrediction, load_readouts
from ketamech.core.statistics import percentiles
from ketamech.parameters import load_brain_areas
from ketamech.report.palette import DARK_GREY, OKABE_ITO
from ketamech.report.style import figure_file, log_time_axis, page

FIRST_TIME = 0.1  # h
LINEAR_LIMIT = 10.0  # percent
PANELS_PER_ROW = 3
MIN_RANGE = 1.0  # percent


@figure_file("areas")
def draw_areas(prediction: NetworkPrediction, title: str) -> Figure:
    """Write areas.svg and areas.png."""
    readouts = load_readouts()
    rows = -(-len(readouts) // PANELS_PER_ROW)
    draws = prediction.curves.sizes["patient"]
    heading = f"{title}\nchange from the drug-free baseline: median, 50 % and 90 % of {draws} parameter draws;"
    heading += f" linear up to {LINEAR_LIMIT:g} %, logarithmic beyond"
    figure = page(11.5, 3.6 + 1.75 * rows, heading)
    grid = figure.add_gridspec(rows + 2, PANELS_PER_ROW, height_ratios=[1.25, 1.25, *[1] * rows])
    _draw_heat_map(figure, figure.add_subplot(grid[:2, :]), prediction)
    for k, (name, label) in enumerate(readouts.items()):
        axes = figure.add_subplot(grid[2 + k // PANELS_PER_ROW, k % PANELS_PER_ROW])
        _bands(axes, prediction, name, label)
        if k + PANELS_PER_ROW < len(readouts):
            axes.tick_params(labelbottom=False)
    return figure


def _draw_heat_map(figure: Figure, axes: Axes, prediction: NetworkPrediction) -> None:
    """Median change of the activity of every area."""
    areas, times = load_brain_areas(), prediction.curves["time"].values[1:]
    changes = 100 * np.array(
        [np.median(prediction.relative_change(f"brain_network.{area.area}_activity"), axis=0)[1:] for area in areas]
    )
    limit = max(MIN_RANGE, float(np.abs(changes).max()))
    mesh = axes.pcolormesh(
        times, np.arange(len(areas)), changes, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="nearest"
    )
    axes.set_yticks(range(len(areas)), [f"{area.label} ({area.network})" for area in areas], fontsize=7)
    axes.invert_yaxis()
    axes.set_title("Activity of each area, median", fontsize=9, loc="left")
    figure.colorbar(mesh, ax=axes, label="%", pad=0.01)
    log_time_axis(axes, FIRST_TIME, times[-1])


def _bands(axes: Axes, prediction: NetworkPrediction, name: str, label: str) -> None:
    """Median, 50 % and 90 % bands of the draws."""
    times = prediction.curves["time"].values[1:]
    changes = 100 * prediction.relative_change(name)[:, 1:]
    limits = dict(zip(QUANTILES, percentiles(changes, QUANTILES, axis=0), strict=True))
    for low_p, high_p, opacity in ((5, 95, 0.18), (25, 75, 0.35)):
        axes.fill_between(times, limits[low_p], limits[high_p], color=OKABE_ITO[0], alpha=opacity, lw=0)
    axes.plot(times, limits[50], color=OKABE_ITO[0], lw=1.6)
    axes.axhline(0, color=DARK_GREY, lw=0.6)
    axes.set_yscale("symlog", linthresh=LINEAR_LIMIT)
    low, high = min(-MIN_RANGE, float(limits[5].min())), max(MIN_RANGE, float(limits[95].max()))
    ticks = [tick for tick in (-100, -30, -10, -5, 0, 5, 10, 30, 100) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks], fontsize=7)
    axes.set_ylim(1.15 * low, 1.15 * high)
    axes.set_title(f"{label}, %", fontsize=8, loc="left")
    log_time_axis(axes, FIRST_TIME, times[-1], min_ratio=4)
