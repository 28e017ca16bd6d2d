"""The four panels of the patient summary over one time axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from ketamech.report.style import SETTINGS
from ketamech.report.summary import curve_values
from ketamech.report.tracks import Track, load_groups, load_tracks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ketamech.report.run_folder import RunReport

SHOWN = ("plasma", "nmda", "mood", "dissociation")
OTHERS = ("suicidality", "networks", "thought", "spines", "sedation", "pain")  # used when one of SHOWN does not change
CLOCK = {1 / 60: "1 min", 1.0: "1 h", 24.0: "1 day", 168.0: "1 week", 672.0: "4 weeks", 2016.0: "12 weeks"}
APART = 6.0  # smallest ratio of two tick times whose labels do not overlap
LEFT, RIGHT, BETWEEN, ABOVE = 0.09, 0.97, 0.09, 0.30  # of the sheet; of a row


def draw_panels(figure: Figure, found: RunReport, *, top: float, bottom: float) -> None:
    """Four panels between two heights of the page (fractions)."""
    width, row = (RIGHT - LEFT - BETWEEN) / 2, (top - bottom) / 2
    with matplotlib.rc_context(SETTINGS):
        for i, key in enumerate(_shown(found)):
            left = LEFT + (i % 2) * (width + BETWEEN)
            low = top - (i // 2 + 1) * row
            axes = figure.add_axes((left, low + 0.12 * row, width, row * (1 - ABOVE)))
            _panel(axes, load_tracks()[key], found)


def _shown(found: RunReport) -> list[str]:
    """Four tracks that change, in order of the lists; displayed in track order."""
    moved = {line.key for line in found.lines if line.moved}
    chosen = [key for key in (*SHOWN, *OTHERS) if key in moved or key == "mood"][: len(SHOWN)]
    chosen += [key for key in SHOWN if key not in chosen][: len(SHOWN) - len(chosen)]
    return [key for key in load_tracks() if key in chosen]


def _panel(axes: Axes, track: Track, found: RunReport) -> None:
    run, dataset = found.run, found.dataset
    masses = {name: row.value for name, row in found.model.parameters.items() if name.startswith("drug.")}
    series = track.present(dataset)[0]
    y = curve_values(series, track, dataset, masses)
    hours = dataset.variables["time"].values - run.first_dose_time
    kept = hours >= 1 / 60 - 1e-6
    colour = load_groups()[track.group].colour
    axes.plot(hours[kept], y[run.index_of_main][kept], color=colour, linewidth=1.6, label="with the drug")
    if run.index_of_control is not None and np.ptp(y[run.index_of_control]) > 0:
        axes.plot(
            hours[kept], y[run.index_of_control][kept], color="#6b7580", linewidth=1.1, linestyle=(0, (4, 2)),
            label="same expectancy, no drug",
        )  # fmt: skip
    _points(axes, track, series.outputs, found)
    axes.set_xscale("log")
    axes.set_xlim(1 / 60, max(1.0, float(hours[-1])))
    ticks = _ticks(float(hours[-1]))
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(list(ticks.values()), size=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#eceef0", linewidth=0.6)
    axes.set_title(f"{track.label}, {track.unit}", size=8.5, loc="left", weight="bold")
    if len(axes.get_lines()) > 1 and track.key == "mood":
        axes.legend(fontsize=6.5, frameon=False, loc="lower left")


def _ticks(last: float) -> dict[float, str]:
    """Ticks up to the last hour, without those whose labels would overlap."""
    inside = [hour for hour in CLOCK if hour <= last * 1.01]
    return {hour: CLOCK[hour] for hour in inside if hour == inside[-1] or hour * APART <= inside[-1]}


def _points(axes: Axes, track: Track, outputs: str, found: RunReport) -> None:
    """Published points of this curve; filled if measured in humans."""
    if track.display_mode != "unit" or isinstance(track.scale, str):
        return
    for point in (p for p in found.points if p.output == outputs and p.shape == "point" and math.isfinite(p.value)):
        face = "white" if point.translated else "#1b1f24"
        axes.plot(
            [point.start], [point.value], marker="o", markersize=3.5, color="#1b1f24", markerfacecolor=face,
            linestyle="none", markeredgewidth=0.8,
        )  # fmt: skip
