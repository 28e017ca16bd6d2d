"""The whole story in one picture: one lane per stage, one clock from the first minute to the last week."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.parameters import ParameterTable
from ketamech.report.lanes import GROUPS, Lane, lanes_of
from ketamech.report.story_frame import (
    BOTTOM,
    LANE,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scene,
    bottoms_of,
    footer,
    group_bars,
    header,
)
from ketamech.report.style import FAINT, INK, PAPER, QUIET, SETTINGS, series_colours
from ketamech.report.summary import Line, curve, lines_of
from ketamech.report.time_axis import Clock
from ketamech.report.told import Told
from ketamech.report.words import number, signed

_COMPARED = ("mood", "suicidality")
_STILL_LANE, _LETTER = 0.6, 0.0103


def story_figure(
    dataset: xr.Dataset, told: Told, parameters: ParameterTable, *, logarithmic: bool = True, sources: int | None = None
) -> Figure:
    """Every lane of the run over one time axis, the extreme of each marked with its time and value in words."""
    clock = Clock(logarithmic, float(dataset["time"][-1]) - told.first)
    values = {name: row.value for name, row in parameters.items() if name.startswith("drug.")}
    scene = Scene(dataset, told, clock, lines_of(dataset, told, parameters), values)
    lanes = tuple(_sized(lane, scene.lines) for lane in lanes_of(dataset))
    bottoms = bottoms_of(lanes)
    height = TOP + LANE * sum(lane.tall for lane in lanes) + BOTTOM
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, height))
        for i, lane in enumerate(lanes):
            place = (LEFT, bottoms[i] / height, RIGHT - LEFT, 0.94 * LANE * lane.tall / height)
            axes = figure.add_axes(place, label=f"lane {lane.key}")
            _lane(axes, lane, scene, last=i == len(lanes) - 1)
        group_bars(figure, lanes, height)
        header(figure, scene, height)
        footer(figure, scene, sources, height)
        return figure


def _sized(lane: Lane, lines: list[Line]) -> Lane:
    """A lane in which nothing moves takes little room."""
    return lane if any(line.moved for line in lines if line.key == lane.key) else replace(lane, tall=_STILL_LANE)


def _lane(axes: Axes, lane: Lane, scene: Scene, *, last: bool) -> None:
    colours = series_colours(GROUPS.index(lane.group), len(lane.series))
    lines = [line for line in scene.lines if line.key == lane.key]
    x = scene.clock.along(scene.hours)
    for line, series, colour in zip(lines, lane.present(scene.dataset), colours, strict=False):
        y = curve(series, lane, scene.dataset, scene.values)
        _draw(axes, x, y, line, colour, scene.told)
    scene.clock.dress(axes, words=last)
    axes.spines["bottom"].set_color(INK if last else FAINT)
    axes.spines["left"].set_visible(False)
    _limits(axes, lane, lines, scene)
    _extreme(axes, lines[0], colours[0], scene.clock)
    _label(axes, lane, GROUPS.index(lane.group))
    _key(axes, lines, colours)


def _draw(axes: Axes, x: np.ndarray, y: np.ndarray, line: Line, colour: str, told: Told) -> None:
    mine = y[told.main]
    axes.plot(x, mine, color=colour, linewidth=2.0 if line.main else 1.2, zorder=4 if line.main else 3,
              solid_capstyle="round")  # fmt: skip
    if line.main:
        axes.fill_between(x, line.rest, mine, color=colour, alpha=0.16, linewidth=0, zorder=2)
        for other in (i for i in told.treated if i != told.main):
            axes.plot(x, y[other], color=colour, linewidth=1.2, linestyle=(0, (1, 1.2)), zorder=3)
        if told.control_place is not None:
            axes.plot(x, y[told.control_place], color=QUIET, linewidth=1.2, linestyle=(0, (4, 2)), zorder=3)


def _limits(axes: Axes, lane: Lane, lines: list[Line], scene: Scene) -> None:
    """Room above or below for the words; a lane in which nothing moves stays a calm straight line."""
    drawn = [curve(s, lane, scene.dataset, scene.values) for s in lane.present(scene.dataset)]
    low = min(float(np.nanmin(y, initial=np.inf)) for y in drawn)
    high = max(float(np.nanmax(y, initial=-np.inf)) for y in drawn)
    if not np.isfinite([low, high]).all():
        low, high = 0.0, 1.0
    floor = {"times": 0.04, "percent": 2.0}.get(lane.show, 0.02 * max(abs(lines[0].rest), 1e-3))
    size = max(high - low, floor)
    middle = (low + high) / 2
    low, high = min(low, middle - size / 2), max(high, middle + size / 2)
    up = lines[0].rises or not lines[0].moved
    axes.set_ylim(low - size * (0.15 if up else 0.62), high + size * (0.62 if up else 0.15))
    _scale_ticks(axes, lines[0])


def _scale_ticks(axes: Axes, line: Line) -> None:
    """Two numbers: where the curve rests and how far it goes."""
    ticks = [line.rest, line.extreme] if line.moved else [line.rest]
    low, high = axes.get_ylim()
    if line.moved and abs(line.extreme - line.rest) < 0.22 * (high - low):
        ticks = [line.rest]
    axes.set_yticks(ticks, [number(tick, 2 if abs(tick) < 10 else 3) for tick in ticks])
    axes.tick_params(axis="y", length=0, labelsize=7.5, pad=3)
    axes.axhline(line.rest, color="#b6bcc4", linewidth=0.8, zorder=1)


def _extreme(axes: Axes, line: Line, colour: str, clock: Clock) -> None:
    if not line.moved:
        axes.annotate(line.in_words(), (0.012, line.rest), xycoords=("axes fraction", "data"), xytext=(0, 3),
                      textcoords="offset points", fontsize=8, color=QUIET, style="italic")  # fmt: skip
        return
    at, words = float(clock.place(line.at)), _said(line)
    axes.plot([at], [line.extreme], "o", markersize=6, color=colour, markeredgecolor=PAPER, markeredgewidth=1.2,
              zorder=6, clip_on=False)  # fmt: skip
    side, shift = _side(clock.fraction(line.at), words)
    note = axes.annotate(words, (at, line.extreme), xytext=(shift, 6 if line.rises else -6), textcoords="offset points",
                         fontsize=8.5, fontweight="bold", color=colour, ha=side,
                         va="bottom" if line.rises else "top", zorder=7)  # fmt: skip
    note.set_bbox({"facecolor": PAPER, "alpha": 0.82, "edgecolor": "none", "pad": 0.6})


def _side(where: float, words: str) -> tuple[str, int]:
    """Centred on the dot unless the words would leave the lane."""
    half = len(words) * _LETTER / 2
    return ("left", -3) if where < half else ("right", 3) if where > 1 - half else ("center", 0)


def _said(line: Line) -> str:
    """The extreme in words, and for scores how far below the control at that moment."""
    gap = line.difference.get("extreme", 0.0) if line.key in _COMPARED else 0.0
    return line.in_words() + (f"; {signed(gap, 2)} against control" if abs(gap) > 0.05 else "")


def _label(axes: Axes, lane: Lane, group: int) -> None:
    kind: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "clip_on": False}
    axes.text(-0.062, 0.56, lane.label, va="bottom", fontsize=9.5, fontweight="bold", color=INK, **kind)
    axes.text(-0.062, 0.47, lane.unit, va="top", fontsize=8, color=QUIET, **kind)


def _key(axes: Axes, lines: list[Line], colours: list[str]) -> None:
    """Names of several curves at the right edge, each with its own extreme."""
    if len(lines) < 2 or not any(line.moved for line in lines):
        return
    step = min(0.27, 0.96 / len(lines))
    top = 0.5 + step * (len(lines) - 1) / 2
    size = 8 if len(lines) <= 3 else 7.4
    for i, (line, colour) in enumerate(zip(lines, colours, strict=False)):
        name = line.label.split(": ", 1)[-1]
        words = "" if line.main else f"  {_short(line)}"
        weight = "bold" if line.main else "normal"
        axes.text(1.012, top - i * step, name + words, transform=axes.transAxes, va="center", fontsize=size,
                  color=colour, fontweight=weight, clip_on=False)  # fmt: skip


def _short(line: Line) -> str:
    return line.in_words().removeprefix("peak ").removeprefix("lowest ") if line.moved else "at rest"
