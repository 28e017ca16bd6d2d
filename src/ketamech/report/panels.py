"""Panels of a stage: its outputs over one time axis, with published points, their spread, and their papers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ketamech.core.constants import DISCLAIMER
from ketamech.core.units import time_text
from ketamech.model.layout import SystemLayout
from ketamech.parameters.concentration_units import factors, shown
from ketamech.report.number_format import number, plain, sentence_case, stage_in_words, unit_in_words
from ketamech.report.palette import BACKGROUND, MUTED_COLOUR, OKABE_ITO, PANEL_GRID_COLOUR
from ketamech.report.published_points import PublishedPoint, drug_free_value
from ketamech.report.run_description import RunDescription
from ketamech.report.svg_canvas import Canvas
from ketamech.report.time_axis import Frame, TimeScale, round_steps
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.model import Model
from ketamech.simulation.observable import names_in, value_of

_MARKERS = "osD^vP"
_MAX_PAPERS_IN_LEGEND = 6
_LINE_HEIGHT, _LETTER_WIDTH = 8.5, 3.4


def values_and_spreads(points: Sequence[PublishedPoint]) -> np.ndarray:
    """Values and spread limits of the points, for the axis limits."""
    return np.array([number for point in points for number in (point.value, point.low, point.high)], dtype=float)


def draw_points(canvas: Canvas, frame: Frame, points: Sequence[PublishedPoint], scale: float) -> None:
    """Draw every point in the colour and marker of its paper."""
    for i, label in enumerate(_papers(points)):
        colour, kind = _marker_style(i)
        for point in points:
            if point.label == label:
                _draw_point(canvas, frame, point, scale, colour, kind)


def draw_key(
    canvas: Canvas, frame: Frame, points: Sequence[PublishedPoint], x: np.ndarray, y: np.ndarray, scale: float
) -> None:
    """Draw the legend of papers (or their number) in the corner with the fewest curve points."""
    labels = _papers(points)
    if not labels:
        return
    x = np.append(x, [frame.at((point.start + point.end) / 2) for point in points])
    y = np.append(y, frame.y(np.array([point.value for point in points]) * scale))
    shown = labels if len(labels) <= _MAX_PAPERS_IN_LEGEND else [f"{len(labels)} papers"]
    width, height = 12 + _LETTER_WIDTH * max(map(len, shown)), _LINE_HEIGHT * len(shown) + 3
    left, top = min(_corners(frame, width, height), key=lambda corner: _overlap_count(corner, width, height, x, y))
    canvas.box(left, top, width, height, colour=BACKGROUND, opacity=0.8)
    for i, label in enumerate(shown):
        colour, kind = _marker_style(i)
        y_of_line = top + _LINE_HEIGHT * (i + 0.5) + 1.5
        if len(labels) <= _MAX_PAPERS_IN_LEGEND:
            canvas.mark(left + 5, y_of_line, kind, size=4, fill=colour, edge=colour)
        canvas.text(left + 10, y_of_line, label, size=6.5, colour=MUTED_COLOUR, edge="center")


def _papers(points: Sequence[PublishedPoint]) -> list[str]:
    return list(dict.fromkeys(point.label for point in points))


def _marker_style(i: int) -> tuple[str, str]:
    return OKABE_ITO[(i + 1) % len(OKABE_ITO)], _MARKERS[i % len(_MARKERS)]


def _corners(frame: Frame, width: float, height: float) -> list[tuple[float, float]]:
    """Upper left corner of the legend for each corner of the panel, upper right first."""
    return [(left, top) for top in (frame.top, frame.bottom - height) for left in (frame.right - width, frame.left)]


def _overlap_count(corner: tuple[float, float], width: float, height: float, x: np.ndarray, y: np.ndarray) -> int:
    left, top = corner
    return int(((x > left) & (x < left + width) & (y > top) & (y < top + height)).sum())


def _draw_point(canvas: Canvas, frame: Frame, point: PublishedPoint, scale: float, colour: str, kind: str) -> None:
    x, y = frame.at((point.start + point.end) / 2), float(frame.y(point.value * scale))
    if point.shape == "span":
        canvas.line([frame.at(point.start), frame.at(point.end)], [y, y], colour=colour, width=2, opacity=0.7)
    if math.isfinite(point.low) and math.isfinite(point.high):
        limits = frame.y(np.array([min(point.low, point.value), max(point.high, point.value)]) * scale)
        caps = [(x - 2, float(end), x + 2, float(end)) for end in limits]
        canvas.segments([(x, float(limits[0]), x, float(limits[1])), *caps], colour=colour, width=0.9)
    title = f"{point.label}: {point.evidence}"
    if point.shape == "level":
        canvas.line([x - 6.5, x + 6.5], [y, y], colour=colour, width=1.8, title=title)
    else:
        face = BACKGROUND if point.translated else colour
        canvas.mark(x, y, kind, size=4.5, fill=face, edge=colour, width=1.1, title=title)


MOST, COLUMNS = 9, 3
_WIDTH, _TOP, _BOTTOM, _MARGIN = 921.6, 52.0, 30.0, 11.0
_PANEL_WIDTH, _PLOT_HEIGHT = 303.0, 159.0
_TITLE_HEIGHT, _TICK_HEIGHT = 30.0, 40.0  # room for the title, for tick labels


def panel_plan(
    dataset: AnyCurves, run: RunDescription, model: Model, points: Sequence[PublishedPoint]
) -> dict[str, list[str]]:
    """Outputs to draw by stage, in model order; stages without change are left out."""
    stages = (stage for stage, _ in model.expression_trees.stages)
    by_stage = {stage: panel_outputs(dataset, run, model.layout, stage, points) for stage in stages}
    return {stage: outputs for stage, outputs in by_stage.items() if outputs}


def stage_panels(
    dataset: AnyCurves, run: RunDescription, model: Model, points: Sequence[PublishedPoint],
    plan: Mapping[str, Sequence[str]],
) -> dict[str, Canvas]:  # fmt: skip
    """One figure per stage of the plan."""
    texts, layout = dict(model.expression_trees.stages), model.layout
    return {name: _figure(dataset, run, layout, (name, texts[name]), outputs, points) for name, outputs in plan.items()}


def panel_outputs(
    dataset: AnyCurves, run: RunDescription, layout: SystemLayout, stage: str, points: Sequence[PublishedPoint]
) -> list[str]:
    """Outputs to draw: those with published points first, then outputs and states that change."""
    outputs = [row.name for row in layout.time_varying_outputs if row.stage == stage]
    levels = [row.name for row in layout.states if row.stage == stage and row.kind != "amount" and not row.is_sink]
    with_points = [p.output for p in points if layout.stage_of.get(names_in(p.output)[0]) == stage]
    available = [name for name in (*outputs, *levels) if name in dataset.variables]
    changing = [name for name in available if _is_changing(dataset.variables[name].values[run.index_of_main])]
    return list(dict.fromkeys([*with_points, *changing]))[:MOST]


def _is_changing(y: np.ndarray) -> bool:
    return bool(np.isfinite(y).all()) and float(np.ptp(y)) > 1e-4 * max(1e-6, float(np.max(np.abs(y))))


def _figure(
    dataset: AnyCurves, run: RunDescription, layout: SystemLayout, stage: tuple[str, str], outputs: Sequence[str],
    points: Sequence[PublishedPoint],
) -> Canvas:  # fmt: skip
    rows = math.ceil(len(outputs) / COLUMNS)
    canvas = Canvas(_WIDTH, _TOP + _PLOT_HEIGHT * rows + _BOTTOM)
    name, description = stage_in_words(stage[0]), stage[1].splitlines()[0]
    canvas.text(_MARGIN, 11, name, size=14, bold=True, edge="top")
    canvas.text(_MARGIN, 33, f"{description}   ·   {run.title}", colour=MUTED_COLOUR, edge="top")
    clock = TimeScale(True, float(dataset.variables["time"].values[-1]) - run.first_dose_time)
    for i, output in enumerate(outputs):
        left = _MARGIN + _TICK_HEIGHT + _PANEL_WIDTH * (i % COLUMNS)
        top = _TOP + _PLOT_HEIGHT * (i // COLUMNS) + _TITLE_HEIGHT
        frame = Frame(left, top, _PANEL_WIDTH - _TICK_HEIGHT - 12, _PLOT_HEIGHT - _TITLE_HEIGHT - 24, clock)
        _panel(canvas, frame, dataset, run, layout, output, [p for p in points if p.output == output])
    footer_y = canvas.height - 10
    canvas.text(_MARGIN, footer_y, _legend(run, outputs, points), size=7.5, colour=MUTED_COLOUR)
    canvas.text(_WIDTH - _MARGIN, footer_y, DISCLAIMER, size=7.5, colour=MUTED_COLOUR, anchor="right")
    return canvas


def _legend(run: RunDescription, outputs: Sequence[str], points: Sequence[PublishedPoint]) -> str:
    parts = ["Line: simulated."] + (["Dashed: control."] if run.index_of_control is not None else [])
    shown_points = [point for point in points if point.output in outputs]
    if shown_points:
        parts.append("Filled: measured in humans. Bars: published spread.")
    if any(point.translated for point in shown_points):
        parts.append("Hollow: converted from animals, another scale or another time.")
    if any(point.shape == "level" for point in shown_points):
        parts.append("Flat dash: published peak value, drawn at the time of the simulated peak.")
    return "  ".join(parts)


def _panel(
    canvas: Canvas, area: Frame, dataset: AnyCurves, run: RunDescription, layout: SystemLayout, output: str,
    points: Sequence[PublishedPoint],
) -> None:  # fmt: skip
    values = _values(dataset, output)
    scale, unit = display_scale(output, layout, values[run.index_of_main])
    hours, curves = dataset.variables["time"].values - run.first_dose_time, [y * scale for y in values]
    low, high = _limits(curves, points, scale)
    frame = Frame(area.left, area.top, area.width, area.height, area.clock, low, high)
    _draw_frame(canvas, frame, unit)
    x = frame.x(hours)
    if run.index_of_control is not None:
        canvas.line(
            x, frame.y(curves[run.index_of_control]), colour=MUTED_COLOUR, width=1.1, dash=(4, 2), title="control"
        )
    for patient, colour in zip(run.treated, OKABE_ITO, strict=False):
        canvas.line(x, frame.y(curves[patient]), colour=colour, width=1.9, title=run.subjects[patient].label)
    draw_points(canvas, frame, points, scale)
    draw_key(canvas, frame, points, x, frame.y(curves[run.index_of_main]), scale)
    main_curve = curves[run.index_of_main]
    peak = int(np.argmax(np.abs(main_curve - scale * drug_free_value(output, dataset, run.index_of_main))))
    peak_text = f"{number(main_curve[peak])}{' ' + unit if unit else ''} at {time_text(float(hours[peak]))}"
    canvas.text(frame.left, frame.top - 14, _short_description(output, layout), size=8.5, bold=True)
    canvas.text(frame.left, frame.top - 4, f"{output}   {peak_text}", size=7, colour=MUTED_COLOUR)


def _draw_frame(canvas: Canvas, frame: Frame, unit: str) -> None:
    """Time axis, value ticks and unit label."""
    ticks = {tick: float(frame.y(tick)) for tick in round_steps(frame.low, frame.high)}
    canvas.segments([(frame.left, y, frame.right, y) for y in ticks.values()], colour=PANEL_GRID_COLOUR)
    for tick, y in ticks.items():
        canvas.text(frame.left - 4, y, plain(tick), size=7.5, colour=MUTED_COLOUR, anchor="right", edge="center")
    frame.draw_axes(canvas, size=7.5)
    middle = frame.top + frame.height / 2
    canvas.text(
        frame.left - _TICK_HEIGHT + 3, middle, unit or "relative", size=7.5, anchor="center", edge="center", turn=90
    )


def _limits(curves: Sequence[np.ndarray], points: Sequence[PublishedPoint], scale: float) -> tuple[float, float]:
    """Axis limits of curves and points, with a margin."""
    values = np.concatenate([*curves, values_and_spreads(points) * scale])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def display_scale(output: str, layout: SystemLayout, main_curve: np.ndarray) -> tuple[float, str]:
    """Scale factor and unit: plasma levels in ng/mL, other small concentrations in nmol/L."""
    names = names_in(output)
    text = layout.units.get(names[0], "1")
    scales = {shown(name, text) for name in names}
    if len(scales) == 1 and names[0] in factors() and not set("*/") & set(output):
        return scales.pop()
    largest = float(np.nanmax(np.abs(main_curve), initial=0.0))
    return (1000.0, "nmol/L") if text == "umol/L" and largest < 0.1 else (1.0, unit_in_words(text))


def _values(dataset: AnyCurves, output: str) -> list[np.ndarray]:
    outputs: Mapping[str, np.ndarray] = {name: dataset.variables[name].values for name in names_in(output)}
    with np.errstate(divide="ignore", invalid="ignore"):  # a ratio to a drug that the control did not receive
        return list(np.asarray(value_of(output, outputs), dtype=float))


def _short_description(output: str, layout: SystemLayout) -> str:
    """The description of an output, shortened to one line."""
    words = sentence_case(layout.descriptions.get(output, output))
    return words if len(words) <= 50 else words[:47].rsplit(" ", 1)[0] + " ..."
