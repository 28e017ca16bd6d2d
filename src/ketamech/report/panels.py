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
from ketamech.report.svg_canvas import LINE_STEP, Canvas
from ketamech.report.text_width import text_width, wrapped
from ketamech.report.time_axis import Frame, TimeScale, round_steps
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.model import Model
from ketamech.simulation.observable import names_in, value_of

_MARKERS = "osD^vP"
_MAX_PAPERS_IN_LEGEND = 6
_LINE_HEIGHT, _KEY_SIZE = 8.5, 6.5  # of the legend of papers


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
    width = 12 + max(text_width(label, _KEY_SIZE) for label in shown)
    height = _LINE_HEIGHT * len(shown) + 3
    left, top = min(_corners(frame, width, height), key=lambda corner: _overlap_count(corner, width, height, x, y))
    canvas.box(left, top, width, height, colour=BACKGROUND, opacity=0.8)
    for i, label in enumerate(shown):
        colour, kind = _marker_style(i)
        y_of_line = top + _LINE_HEIGHT * (i + 0.5) + 1.5
        if len(labels) <= _MAX_PAPERS_IN_LEGEND:
            canvas.mark(left + 5, y_of_line, kind, size=4, fill=colour, edge=colour)
        canvas.text(left + 10, y_of_line, label, size=_KEY_SIZE, colour=MUTED_COLOUR, edge="center")


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
_PANEL_WIDTH, _PLOT_HEIGHT = 303.0, 129.0
_TITLE_HEIGHT, _TICK_WIDTH = 30.0, 40.0  # room for a title of one line, for tick labels
_PLOT_WIDTH = _PANEL_WIDTH - _TICK_WIDTH - 12
_HEADING_SIZE, _TITLE_SIZE, _PEAK_SIZE, _FOOTER_SIZE = 9.0, 8.5, 7.0, 7.5


def outputs_by_stage(
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
    name, description = stage_in_words(stage[0]), stage[1].splitlines()[0]
    width = _WIDTH - 2 * _MARGIN
    heading = wrapped(f"{description} · {run.title}", width, _HEADING_SIZE)
    legend_width = width - text_width(DISCLAIMER, _FOOTER_SIZE) - 3 * _FOOTER_SIZE
    legend = wrapped(_legend(run, outputs, points), legend_width, _FOOTER_SIZE)
    panels = [_Panel(dataset, run, layout, output) for output in outputs]
    rows = [panels[i : i + COLUMNS] for i in range(0, len(panels), COLUMNS)]
    title_heights = [max(panel.title_height for panel in row) for row in rows]
    tops = _TOP + _further_lines(heading, _HEADING_SIZE) + np.cumsum([0.0, *(_PLOT_HEIGHT + h for h in title_heights)])
    footer_y = float(tops[-1]) + _BOTTOM - 10
    canvas = Canvas(_WIDTH, footer_y + _further_lines(legend, _FOOTER_SIZE) + 10)
    canvas.text(_MARGIN, 11, name, size=14, bold=True, edge="top")
    canvas.lines(_MARGIN, 33, heading, size=_HEADING_SIZE, colour=MUTED_COLOUR, edge="top")
    time_scale = TimeScale(True, float(dataset.variables["time"].values[-1]) - run.first_dose_time)
    for row, top, title_height in zip(rows, tops.tolist(), title_heights, strict=False):
        for column, panel in enumerate(row):
            left = _MARGIN + _TICK_WIDTH + _PANEL_WIDTH * column
            frame = Frame(left, top + title_height, _PLOT_WIDTH, _PLOT_HEIGHT - 24, time_scale)
            panel.draw(canvas, frame, [point for point in points if point.output == panel.output])
    canvas.lines(_MARGIN, footer_y, legend, size=_FOOTER_SIZE, colour=MUTED_COLOUR)
    canvas.text(_WIDTH - _MARGIN, footer_y, DISCLAIMER, size=_FOOTER_SIZE, colour=MUTED_COLOUR, anchor="right")
    return canvas


def _further_lines(texts: Sequence[str], size: float) -> float:
    """Height of the lines after the first."""
    return LINE_STEP * size * (len(texts) - 1)


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


class _Panel:
    """An output of all patients over time, with its title and its peak as lines that fit the panel."""

    def __init__(self, dataset: AnyCurves, run: RunDescription, layout: SystemLayout, output: str) -> None:
        values = _values(dataset, output)
        self.run, self.output = run, output
        self.scale, self.unit = display_scale(output, layout, values[run.index_of_main])
        self.hours = dataset.variables["time"].values - run.first_dose_time
        self.curves = [y * self.scale for y in values]  # one curve [time] of each patient
        main_curve, drug_free = self.curves[run.index_of_main], drug_free_value(output, dataset, run.index_of_main)
        peak = int(np.argmax(np.abs(main_curve - self.scale * drug_free)))
        peak_value = f"{number(main_curve[peak])}{' ' + self.unit if self.unit else ''}"
        description = sentence_case(layout.descriptions.get(output, output))
        self.title = wrapped(description, _PLOT_WIDTH, _TITLE_SIZE, bold=True)
        peak_text = f"{output} · {peak_value} at {time_text(float(self.hours[peak]))}"
        self.peak_text = wrapped(peak_text, _PLOT_WIDTH, _PEAK_SIZE)

    @property
    def title_height(self) -> float:
        """Room above the plot."""
        return _TITLE_HEIGHT + _further_lines(self.title, _TITLE_SIZE) + _further_lines(self.peak_text, _PEAK_SIZE)

    def draw(self, canvas: Canvas, area: Frame, points: Sequence[PublishedPoint]) -> None:
        """Draw axes, curves, published points and texts; `area` is the plot without limits of the values."""
        run, low_high = self.run, _limits(self.curves, points, self.scale)
        frame = Frame(area.left, area.top, area.width, area.height, area.time_scale, *low_high)
        _draw_frame(canvas, frame, self.unit)
        x = frame.x(self.hours)
        if run.index_of_control is not None:
            control = frame.y(self.curves[run.index_of_control])
            canvas.line(x, control, colour=MUTED_COLOUR, width=1.1, dash=(4, 2), title="control")
        for patient, colour in zip(run.treated, OKABE_ITO, strict=False):
            label = run.subjects[patient].label
            canvas.line(x, frame.y(self.curves[patient]), colour=colour, width=1.9, title=label)
        draw_points(canvas, frame, points, self.scale)
        draw_key(canvas, frame, points, x, frame.y(self.curves[run.index_of_main]), self.scale)
        peak_y = frame.top - 4 - _further_lines(self.peak_text, _PEAK_SIZE)
        title_y = peak_y - 10 - _further_lines(self.title, _TITLE_SIZE)
        canvas.lines(frame.left, title_y, self.title, size=_TITLE_SIZE, bold=True)
        canvas.lines(frame.left, peak_y, self.peak_text, size=_PEAK_SIZE, colour=MUTED_COLOUR)


def _draw_frame(canvas: Canvas, frame: Frame, unit: str) -> None:
    """Time axis, value ticks and unit label."""
    ticks = {tick: float(frame.y(tick)) for tick in round_steps(frame.low, frame.high)}
    canvas.segments([(frame.left, y, frame.right, y) for y in ticks.values()], colour=PANEL_GRID_COLOUR)
    for tick, y in ticks.items():
        canvas.text(frame.left - 4, y, plain(tick), size=7.5, colour=MUTED_COLOUR, anchor="right", edge="center")
    frame.draw_axes(canvas, size=7.5)
    middle = frame.top + frame.height / 2
    canvas.text(
        frame.left - _TICK_WIDTH + 3, middle, unit or "relative", size=7.5, anchor="center", edge="center", turn=90
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
