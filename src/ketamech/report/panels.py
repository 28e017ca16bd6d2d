"""Per-stage panels: every output of a stage on one clock, published points and their spread over the curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ketamech.analysis.expression import names_in, value_of
from ketamech.report.published import Point
from ketamech.report.style import INK, OKABE_ITO, PAPER, QUIET, SETTINGS
from ketamech.report.time_axis import Clock
from ketamech.report.told import Told
from ketamech.report.words import DISCLAIMER, hours_in_words, number, unit_in_words
from ketamech.system import System

MOST, COLUMNS, _NAMED = 9, 3, 6
_MARKERS = "osD^vP"
_PANEL_HEIGHT, _TOP, _BOTTOM = 2.2, 1.12, 0.62


def stage_panels(dataset: xr.Dataset, told: Told, system: System, points: Sequence[Point]) -> dict[str, Figure]:
    """One figure per stage in which something moves, by stage name in story order."""
    found: dict[str, Figure] = {}
    for stage in system.stages:
        outputs = panel_outputs(dataset, told, system, stage.name, points)
        if outputs:
            found[stage.name] = _figure(dataset, told, system, stage.name, outputs, points)
    return found


def panel_outputs(dataset: xr.Dataset, told: Told, system: System, stage: str, points: Sequence[Point]) -> list[str]:
    """What a stage shows: outputs with published points first, then its offers, then its states; moving ones only."""
    amounts = {state.name for state in system.states if state.kind == "amount" or state.accumulates}
    offers = [offer.name for offer in system.offers]
    own = [name for name in (*offers, *system.state_names) if system.stage_of[name] == stage and name not in amounts]
    pointed = [p.output for p in points if system.stage_of.get(names_in(p.output)[0]) == stage]
    moving = [name for name in own if name in dataset and _moves(dataset[name].values[told.main])]
    return list(dict.fromkeys([*pointed, *moving]))[:MOST]


def _moves(y: np.ndarray) -> bool:
    return bool(np.isfinite(y).all()) and float(np.ptp(y)) > 1e-4 * max(1e-6, float(np.max(np.abs(y))))


def _figure(
    dataset: xr.Dataset, told: Told, system: System, stage: str, outputs: Sequence[str], points: Sequence[Point]
) -> Figure:
    rows = math.ceil(len(outputs) / COLUMNS)
    height = _TOP + _PANEL_HEIGHT * rows + _BOTTOM
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(12.8, height))
        edges = {"left": 0.055, "right": 0.985, "top": 1 - _TOP / height, "bottom": _BOTTOM / height}
        grid = figure.add_gridspec(rows, COLUMNS, **edges, hspace=0.5, wspace=0.2)
        clock = Clock(True, float(dataset["time"][-1]) - told.first)
        for i, output in enumerate(outputs):
            axes = figure.add_subplot(grid[i // COLUMNS, i % COLUMNS])
            _panel(axes, dataset, told, system, output, [p for p in points if p.output == output], clock)
        about = next(s.about for s in system.stages if s.name == stage).splitlines()[0]
        figure.text(
            0.012, 1 - 0.16 / height, stage.replace("_", " ").capitalize(), fontsize=14, fontweight="bold", va="top"
        )
        figure.text(0.012, 1 - 0.46 / height, f"{about}   ·   {told.title}", fontsize=9, color=QUIET, va="top")
        figure.text(0.985, 0.14 / height, DISCLAIMER, fontsize=7.5, color=QUIET, ha="right")
        figure.text(0.012, 0.14 / height, _legend(told, outputs, points), fontsize=7.5, color=QUIET)
        return figure


def _legend(told: Told, outputs: Sequence[str], points: Sequence[Point]) -> str:
    parts = ["Line: simulated."] + (["Dashed: control."] if told.control_place is not None else [])
    shown = [point for point in points if point.output in outputs]
    if shown:
        parts.append("Filled: measured in people. Bars: published spread.")
    if any(point.translated for point in shown):
        parts.append("Hollow: translated from animals, another scale or another clock.")
    if any(point.shape == "level" for point in shown):
        parts.append("Flat dash: published height, drawn where the model peaks.")
    return "  ".join(parts)


def _panel(
    axes: Axes, dataset: xr.Dataset, told: Told, system: System, output: str, points: Sequence[Point], clock: Clock
) -> None:
    hours, scale, unit = dataset["time"].values - told.first, *_scale(output, system, dataset, told)
    curves = [values * scale for values in _values(dataset, output)]
    x = clock.along(hours)
    if told.control_place is not None:
        axes.plot(x, curves[told.control_place], color=QUIET, linewidth=1.1, linestyle=(0, (4, 2)), zorder=2)
    for place, colour in zip(told.treated, OKABE_ITO, strict=False):
        axes.plot(x, curves[place], color=colour, linewidth=1.9, zorder=3)
    _points(axes, points, scale, clock)
    clock.dress(axes)
    axes.tick_params(labelsize=7.5)
    axes.grid(axis="y", color="#f0f2f4", linewidth=0.8)
    mine = curves[told.main]
    peak = int(np.argmax(np.abs(mine - mine[0])))
    words = f"{number(mine[peak])}{' ' + unit if unit else ''} at {hours_in_words(float(hours[peak]))}"
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.text(0, 1.10, _name(output, system), transform=axes.transAxes, fontsize=8.5, color=INK, fontweight="bold")
    axes.text(0, 1.025, f"{output}   {words}", transform=axes.transAxes, fontsize=7, color=QUIET)
    axes.set_ylabel(unit or "relative", fontsize=7.5)


def _scale(output: str, system: System, dataset: xr.Dataset, told: Told) -> tuple[float, str]:
    """Small concentrations read better in nmol/L."""
    text = system.units.get(names_in(output)[0], "1")
    top = float(np.nanmax(np.abs(_values(dataset, output)[told.main]), initial=0.0))
    return (1000.0, "nmol/L") if text == "umol/L" and top < 0.1 else (1.0, unit_in_words(text))


def _values(dataset: xr.Dataset, output: str) -> list[np.ndarray]:
    outputs: Mapping[str, np.ndarray] = {name: dataset[name].values for name in names_in(output)}
    with np.errstate(divide="ignore", invalid="ignore"):  # a ratio to a drug the control never had
        return list(np.asarray(value_of(output, outputs), dtype=float))


def _name(output: str, system: System) -> str:
    """What the model says of an output, cut to one line."""
    words = system.about.get(output, output)
    words = words[:1].upper() + words[1:]
    return words if len(words) <= 50 else words[:47].rsplit(" ", 1)[0] + " ..."


def _points(axes: Axes, points: Sequence[Point], scale: float, clock: Clock) -> None:
    labels = list(dict.fromkeys(point.label for point in points))
    for i, label in enumerate(labels):
        colour, marker = OKABE_ITO[(i + 1) % len(OKABE_ITO)], _MARKERS[i % len(_MARKERS)]
        for j, point in enumerate(p for p in points if p.label == label):
            _one(axes, point, scale, clock, colour, marker, label if j == 0 and len(labels) <= _NAMED else "")
    if labels and len(labels) <= _NAMED:
        axes.legend(fontsize=6.5, frameon=True, framealpha=0.8, edgecolor="none", loc="best", handlelength=1.2)
    elif labels:
        axes.text(0.99, 0.97, f"{len(labels)} papers", transform=axes.transAxes, ha="right", va="top", fontsize=6.5)


def _one(axes: Axes, point: Point, scale: float, clock: Clock, colour: str, marker: str, label: str) -> None:
    face = PAPER if point.translated else colour
    middle = (point.start + point.end) / 2
    if point.shape == "span":
        places = clock.place(np.array([point.start, point.end]))
        axes.plot(places, [point.value * scale] * 2, color=colour, linewidth=2, alpha=0.7, zorder=4)
    x = float(clock.place(middle))
    bars = None
    if math.isfinite(point.low) and math.isfinite(point.high):
        bars = [[max(0.0, point.value - point.low) * scale], [max(0.0, point.high - point.value) * scale]]
    flat = point.shape == "level"
    axes.errorbar([x], [point.value * scale], yerr=bars, fmt="_" if flat else marker,
                  markersize=13 if flat else 4.5, markeredgewidth=1.8 if flat else 1.1,
                  color=colour, markerfacecolor=face, markeredgecolor=colour, elinewidth=0.9, capsize=2, zorder=5,
                  alpha=0.9, label=label or None)  # fmt: skip
