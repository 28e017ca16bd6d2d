"""The whole story in one picture: one lane per stage, one clock from the first minute to the last week."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ketamech.parameters import ParameterTable
from ketamech.report.lanes import GROUPS, Lane, lanes_of
from ketamech.report.style import FAINT, GROUP_COLOURS, INK, PAPER, QUIET, SETTINGS, series_colours
from ketamech.report.summary import Line, curve, lines_of
from ketamech.report.time_axis import MINUTE, Clock
from ketamech.report.told import Told
from ketamech.report.words import DISCLAIMER, number, signed

_WIDTH, _LANE, _TOP, _BOTTOM = 12.8, 0.72, 1.62, 0.95
_LEFT, _RIGHT = 0.225, 0.79
_COMPARED = ("mood", "suicidality")


@dataclass(frozen=True)
class Scene:
    """What every lane needs: the results, the clock and the numbers."""

    dataset: xr.Dataset
    told: Told
    clock: Clock
    lines: list[Line]
    values: dict[str, float]

    @property
    def hours(self) -> np.ndarray:
        """Hours since the first treatment."""
        return self.dataset["time"].values - self.told.first


def story_figure(
    dataset: xr.Dataset, told: Told, parameters: ParameterTable, *, logarithmic: bool = True, sources: int | None = None
) -> Figure:
    """Every lane of the run over one time axis, the extreme of each marked with its time and value in words."""
    clock = Clock(logarithmic, float(dataset["time"][-1]) - told.first)
    values = {name: row.value for name, row in parameters.items() if name.startswith("drug.")}
    scene = Scene(dataset, told, clock, lines_of(dataset, told, parameters), values)
    lanes = lanes_of(dataset)
    bottoms = _bottoms(lanes)
    height = _TOP + _LANE * sum(lane.tall for lane in lanes) + _BOTTOM
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(_WIDTH, height))
        for i, lane in enumerate(lanes):
            place = (_LEFT, bottoms[i] / height, _RIGHT - _LEFT, 0.94 * _LANE * lane.tall / height)
            axes = figure.add_axes(place, label=f"lane {lane.key}")
            _lane(axes, lane, scene, last=i == len(lanes) - 1)
        _group_bars(figure, lanes, height)
        _header(figure, scene, height)
        _footer(figure, scene, sources, height)
        return figure


def _bottoms(lanes: tuple[Lane, ...]) -> list[float]:
    """Lower edge of every lane in inches, the first lane on top."""
    found, at = [], _BOTTOM
    for lane in reversed(lanes):
        found.append(at)
        at += _LANE * lane.tall
    return found[::-1]


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
        axes.annotate(line.in_words(), (0.012, line.rest), xycoords=("axes fraction", "data"), xytext=(0, 4),
                      textcoords="offset points", fontsize=8, color=QUIET, style="italic")  # fmt: skip
        return
    at, where = float(clock.place(line.at)), clock.fraction(line.at)
    axes.plot([at], [line.extreme], "o", markersize=6, color=colour, markeredgecolor=PAPER, markeredgewidth=1.2,
              zorder=6, clip_on=False)  # fmt: skip
    side = "left" if where < 0.16 else "right" if where > 0.80 else "center"
    shift = {"left": -3, "right": 3, "center": 0}[side]
    gap = line.difference.get("24 h") if line.key in _COMPARED else None
    words = line.in_words() + (
        f"; {signed(gap, 2)} against control at 24 h" if gap is not None and abs(gap) > 0.05 else ""
    )
    note = axes.annotate(words, (at, line.extreme), xytext=(shift, 6 if line.rises else -6),
                         textcoords="offset points", fontsize=8.5, fontweight="bold", color=colour, ha=side,
                         va="bottom" if line.rises else "top", zorder=7)  # fmt: skip
    note.set_bbox({"facecolor": PAPER, "alpha": 0.78, "edgecolor": "none", "pad": 0.6})


def _label(axes: Axes, lane: Lane, group: int) -> None:
    kind = {"transform": axes.transAxes, "ha": "right", "clip_on": False}
    axes.text(-0.062, 0.56, lane.label, va="bottom", fontsize=9.5, fontweight="bold", color=INK, **kind)
    axes.text(-0.062, 0.47, lane.unit, va="top", fontsize=8, color=QUIET, **kind)


def _key(axes: Axes, lines: list[Line], colours: list[str]) -> None:
    """Names of several curves at the right edge, each with its own extreme."""
    if len(lines) < 2:
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


def _group_bars(figure: Figure, lanes: tuple[Lane, ...], height: float) -> None:
    bottoms = _bottoms(lanes)
    for group, name in enumerate(GROUPS):
        inside = [i for i, lane in enumerate(lanes) if lane.group == name]
        if inside:
            inches = _LANE * sum(lanes[i].tall for i in inside)
            bottom, tall = (bottoms[inside[-1]] + 0.05) / height, (inches - 0.10) / height
            colour = GROUP_COLOURS[group]
            figure.add_artist(Rectangle((0.012, bottom), 0.016, tall, color=colour, linewidth=0))
            words = name if len(inside) > 1 or len(name) < 6 else name.split()[0]
            words = words if len(words) * 0.085 < inches else words.replace(" and ", "\nand ")
            figure.text(0.020, bottom + tall / 2, words, rotation=90, ha="center", va="center", fontsize=8, color=PAPER,
                        fontweight="bold", linespacing=0.9)  # fmt: skip


def _header(figure: Figure, scene: Scene, height: float) -> None:
    figure.text(0.012, 1 - 0.20 / height, scene.told.title, fontsize=16, fontweight="bold", va="top")
    what = _legend(scene.told)
    figure.text(0.012, 1 - 0.58 / height, what, fontsize=9.5, color=QUIET, va="top")
    axes = figure.add_axes((_LEFT, 1 - (_TOP - 0.04) / height, _RIGHT - _LEFT, 0.62 / height), label="doses")
    scene.clock.dress(axes, words=False)
    axes.grid(visible=False)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    _doses(axes, scene)
    _eras(axes, scene.clock)


def _legend(told: Told) -> str:
    parts = ["One typical patient; the line under each ribbon is the drug-free rest."]
    if told.control_place is not None:
        parts.append(f"Dashed grey: {told.control}.")
    others = [told.courses[i].label for i in told.treated if i != told.main]
    if others:
        parts.append(f"Dotted: {', '.join(others)}.")
    return "  ".join(parts)


def _eras(axes: Axes, clock: Clock) -> None:
    for i, (start, end, word) in enumerate(clock.eras()):
        axes.axvspan(start, end, 0.70, 1.0, color=("#eef1f5", "#e2e7ed")[i % 2], linewidth=0)
        if clock.fraction(end) - clock.fraction(start) > 0.07:
            axes.text(np.sqrt(start * end), 0.845, word, ha="center", va="center", fontsize=8.5, color="#4b5563")


def _doses(axes: Axes, scene: Scene) -> None:
    occasions = [(a - scene.told.first, b - scene.told.first) for a, b in scene.told.occasions()]
    for start, end in occasions:
        left = float(scene.clock.place(start))
        right = max(float(scene.clock.place(end)), left)
        if scene.clock.fraction(end) - scene.clock.fraction(start) > 0.006:
            axes.fill_between([left, right], 0.06, 0.24, color=INK, linewidth=0)
        else:
            axes.plot([left], [0.14], marker="v", markersize=7, color=INK, clip_on=False, linestyle="none")
    words = "; ".join(scene.told.given)
    words = words if len(words) < 130 else words[:127] + "..."
    last = max((scene.clock.fraction(end) for _, end in occasions[:1]), default=0.0)
    crowded = len(occasions) > 1
    place = (0.0, 0.30) if crowded else (min(last, 0.5) + 0.012, 0.02)
    axes.annotate(words, place, xycoords="axes fraction", fontsize=9, fontweight="bold", va="bottom")
    axes.text(-0.062, 0.14, "Given", transform=axes.transAxes, ha="right", va="center", fontsize=9.5, fontweight="bold")


def _footer(figure: Figure, scene: Scene, sources: int | None, height: float) -> None:
    counted = f"Numbers from {sources} papers and labels; see the bibliography of this run.  " if sources else ""
    figure.text(0.012, 0.30 / height, counted + "Computed with KetaMech.", fontsize=8.5, color=QUIET, va="center")
    figure.text(
        _RIGHT + 0.19, 0.30 / height, DISCLAIMER, fontsize=8.5, color=INK, va="center", ha="right", fontweight="bold"
    )
    first = f"time since the first treatment{', logarithmic' if scene.clock.logarithmic else ''}"
    figure.text((_LEFT + _RIGHT) / 2, 0.56 / height, first, fontsize=8.5, color=QUIET, ha="center", va="center")


__all__ = ["MINUTE", "story_figure"]
