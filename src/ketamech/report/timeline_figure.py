"""The timeline figure: every track of a run over one time axis, from the first minute to the last week."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketamech.core.constants import DISCLAIMER
from ketamech.parameters import ParameterTable
from ketamech.report.number_format import number, signed
from ketamech.report.palette import (
    AXIS_COLOUR,
    BACKGROUND,
    BASELINE_COLOUR,
    GRID_COLOUR,
    MUTED_COLOUR,
    STRIPE_COLOURS,
    TEXT_COLOUR,
)
from ketamech.report.run_description import RunDescription
from ketamech.report.summary import EXTREMUM, SummaryRow, curve_values, drug_values, summary_rows_of
from ketamech.report.svg_canvas import LINE_STEP, Canvas
from ketamech.report.text_width import text_width, wrapped
from ketamech.report.time_axis import Frame, TimeScale
from ketamech.report.tracks import Track, load_groups, load_tracks, series_colours, tracks_of
from ketamech.simulation.curves import AnyCurves

_UNCHANGED_TRACK_HEIGHT = 0.6
WIDTH, TRACK_HEIGHT, TOP, BOTTOM = 921.6, 51.8, 116.6, 68.4
LEFT, RIGHT, MARGIN = 0.225, 0.79, 11.0
_GROUP_BAR_WIDTH = 11.5
_TITLE_SIZE, _LEGEND_SIZE, _DOSE_SIZE, _EXTREMUM_SIZE = 16.0, 9.5, 9.0, 8.5
_PLOT_WIDTH = WIDTH * (RIGHT - LEFT)


def timeline_figure(
    dataset: AnyCurves, run: RunDescription, parameters: ParameterTable, *, logarithmic: bool = True,
    sources: int | None = None, lines: list[SummaryRow] | None = None,
) -> Canvas:  # fmt: skip
    """Every track of the run over one time axis; time and value of each extremum are labelled."""
    time_scale = TimeScale(logarithmic, float(dataset.variables["time"].values[-1]) - run.first_dose_time)
    rows = summary_rows_of(dataset, run, parameters) if lines is None else lines
    data = TimelineData(dataset, run, time_scale, rows, drug_values(parameters))
    tracks = tuple(_with_height(track, data.lines) for track in tracks_of(dataset))
    header = _Header(data)
    tops = track_tops(tracks, header.height)
    height = header.height + TRACK_HEIGHT * sum(track.relative_height for track in tracks) + BOTTOM
    canvas = Canvas(WIDTH, height)
    draw_group_bars(canvas, tracks, tops)
    header.draw(canvas)
    for top, track in zip(tops, tracks, strict=True):
        _draw_track(canvas, top, track, data, last=track is tracks[-1])
    draw_footer(canvas, data, sources)
    return canvas


def _with_height(track: Track, lines: list[SummaryRow]) -> Track:
    """A track without change is drawn lower."""
    is_changed = any(line.moved for line in lines if line.key == track.key)
    return track if is_changed else replace(track, relative_height=_UNCHANGED_TRACK_HEIGHT)


def _draw_track(canvas: Canvas, top: float, track: Track, data: TimelineData, *, last: bool) -> None:
    colours = series_colours(track.group, len(track.curves))
    lines = [line for line in data.lines if line.key == track.key]
    curves = [curve_values(series, track, data.dataset, data.values) for series in track.present(data.dataset)]
    height = TRACK_HEIGHT * track.relative_height
    limits = _limits(track, lines, curves)
    frame = Frame(WIDTH * LEFT, top + 0.06 * height, _PLOT_WIDTH, 0.94 * height, data.time_scale, *limits)
    frame.draw_axes(canvas, labels=last, axis=TEXT_COLOUR if last else GRID_COLOUR)
    edge = _outermost_value(lines[0], curves)
    _scale(canvas, frame, lines[0], edge)
    x = frame.x(data.hours)
    for line, y, colour in reversed(list(zip(lines, curves, colours, strict=False))):
        _draw(canvas, frame, x, y, line, colour, data.run)
    _extremum(canvas, frame, lines[0], colours[0], edge)
    _label(canvas, frame, track)
    _draw_legend(canvas, frame, lines, colours)


def _draw(
    canvas: Canvas, frame: Frame, x: np.ndarray, y: np.ndarray, line: SummaryRow, colour: str, run: RunDescription
) -> None:
    main_curve = frame.y(y[run.index_of_main])
    if line.is_primary:
        canvas.area(x, main_curve, float(frame.y(line.baseline)), colour=colour, opacity=0.16)
        if run.index_of_control is not None:
            canvas.line(
                x, frame.y(y[run.index_of_control]), colour=MUTED_COLOUR, width=1.2, dash=(4, 2), title="control"
            )
        for i_patient in (i for i in run.treated if i != run.index_of_main):
            canvas.line(
                x, frame.y(y[i_patient]), colour=colour, width=1.2, dash=(1, 1.2), title=run.subjects[i_patient].label
            )
    title = f"{line.label}: {line.in_words()}"
    canvas.line(x, main_curve, colour=colour, width=2.0 if line.is_primary else 1.2, title=title)


def _limits(track: Track, lines: list[SummaryRow], curves: Sequence[np.ndarray]) -> tuple[float, float]:
    """Limits with space for the label; a minimum range keeps an unchanged curve flat."""
    low = min(float(np.nanmin(y, initial=np.inf)) for y in curves)
    high = max(float(np.nanmax(y, initial=-np.inf)) for y in curves)
    if not np.isfinite([low, high]).all():
        low, high = 0.0, 1.0
    min_ranges = {"relative_to_baseline": 0.04, "relative_to_healthy": 0.04, "percent": 2.0}
    min_range = min_ranges.get(track.display_mode, 0.02 * max(abs(lines[0].baseline), 1e-3))
    span = max(high - low, min_range)
    middle = (low + high) / 2
    low, high = min(low, middle - span / 2), max(high, middle + span / 2)
    is_rise = lines[0].rises or not lines[0].moved
    return low - span * (0.15 if is_rise else 0.62), high + span * (0.62 if is_rise else 0.15)


def _outermost_value(line: SummaryRow, curves: Sequence[np.ndarray]) -> float:
    """The value of any curve of a track that is farthest in the direction of its first curve."""
    values = [float((np.nanmax if line.rises else np.nanmin)(y)) for y in curves if np.isfinite(y).any()]
    return (max if line.rises else min)([line.extremum, *values])


def _scale(canvas: Canvas, frame: Frame, line: SummaryRow, edge: float) -> None:
    """Draw the baseline as a line, and tick labels at the baseline, the extremum and, if it is far, the `edge`."""
    min_distance, ticks = 0.22 * (frame.high - frame.low), [line.baseline]
    for tick in (line.extremum, edge) if line.moved else ():
        ticks += [tick] if abs(tick - ticks[-1]) >= min_distance else []
    for tick in ticks:
        if np.isfinite(tick):
            text = number(tick, 2 if abs(tick) < 10 else 3)
            y = float(frame.y(tick))
            canvas.text(frame.left - 6, y, text, size=7.5, colour=MUTED_COLOUR, anchor="right", edge="center")
    if np.isfinite(line.baseline):
        baseline_y = float(frame.y(line.baseline))
        canvas.segments([(frame.left, baseline_y, frame.right, baseline_y)], colour=BASELINE_COLOUR)


def _extremum(canvas: Canvas, frame: Frame, line: SummaryRow, colour: str, outermost: float) -> None:
    """Draw the mark of an extremum, and its text outside all curves of the track."""
    if not np.isfinite(line.baseline):
        canvas.text(frame.left + 6, frame.bottom - 6, line.in_words(), size=8, colour=MUTED_COLOUR, italic=True)
        return
    if not line.moved:
        y = float(frame.y(line.baseline)) - 4
        canvas.text(frame.left + 6, y, line.in_words(), size=8, colour=MUTED_COLOUR, italic=True, halo=True)
        return
    x, y, text = frame.at(line.extremum_time), float(frame.y(line.extremum)), _extremum_text(line)
    canvas.mark(x, y, size=6, fill=colour, width=1.2)
    anchor, shift = _anchor_and_shift(frame.time_scale.fraction(line.extremum_time), text)
    edge, offset = ("bottom", -5) if line.rises else ("top", 5)
    y = float(frame.y(outermost))
    canvas.text(
        x + shift, y + offset, text, size=_EXTREMUM_SIZE, colour=colour, anchor=anchor, edge=edge, bold=True, halo=True
    )


def _anchor_and_shift(fraction: float, words: str) -> tuple[str, int]:
    """Centred on the mark unless the text would leave the track."""
    half_width = text_width(words, _EXTREMUM_SIZE, bold=True) / _PLOT_WIDTH / 2
    return ("left", -3) if fraction < half_width else ("right", 3) if fraction > 1 - half_width else ("center", 0)


def _extremum_text(line: SummaryRow) -> str:
    """The extreme as text; for scores also the difference from control at that time."""
    difference = line.difference.get(EXTREMUM, 0.0) if load_tracks()[line.key].compared_with_control else 0.0
    return line.in_words() + (f"; {signed(difference, 2)} compared with control" if abs(difference) > 0.05 else "")


def _label(canvas: Canvas, frame: Frame, track: Track) -> None:
    x, middle = frame.left - 0.062 * frame.width, frame.top + 0.48 * frame.height
    space = x - MARGIN - _GROUP_BAR_WIDTH
    size, unit_size = _fitting_size(track.label, 9.5, space, bold=True), _fitting_size(track.unit, 8.0, space)
    canvas.text(x, middle - 2.5, track.label, size=size, bold=True, anchor="right")
    canvas.text(x, middle + 2, track.unit, size=unit_size, colour=MUTED_COLOUR, anchor="right", edge="top")


def _fitting_size(text: str, size: float, space: float, *, bold: bool = False) -> float:
    """The font size, at most `size`, with which a text is at most `space` wide."""
    return min(size, space / text_width(text, 1.0, bold=bold))


def _draw_legend(canvas: Canvas, frame: Frame, lines: list[SummaryRow], colours: list[str]) -> None:
    """Names of several curves at the right edge, each with its extreme."""
    if len(lines) < 2 or not any(line.moved for line in lines):
        return
    step = min(0.27, 0.96 / len(lines)) * frame.height
    first_y = frame.top + frame.height / 2 - step * (len(lines) - 1) / 2
    default_size = 8 if len(lines) <= 3 else 7.4
    for i, (line, colour) in enumerate(zip(lines, colours, strict=False)):
        name = line.label.split(": ", 1)[-1]
        text = name if line.is_primary else f"{name} · {_short(line)}"
        x, y = frame.right + 0.012 * frame.width, first_y + i * step
        size = _fitting_size(text, default_size, WIDTH - 2 - x, bold=line.is_primary)
        canvas.text(x, y, text, size=size, colour=colour, edge="center", bold=line.is_primary)


def _short(line: SummaryRow) -> str:
    return line.in_words().removeprefix("peak ").removeprefix("lowest ") if line.moved else "no change"


@dataclass(frozen=True)
class TimelineData:
    """Data shared by all tracks: results, time scale and summary rows."""

    dataset: AnyCurves
    run: RunDescription
    time_scale: TimeScale
    lines: list[SummaryRow]
    values: dict[str, float]

    @property
    def hours(self) -> np.ndarray:
        """Hours since the first treatment."""
        return np.asarray(self.dataset.variables["time"].values - self.run.first_dose_time)


def track_tops(tracks: tuple[Track, ...], top: float) -> list[float]:
    """Upper edge of every track, of which the first begins at `top`."""
    heights = [TRACK_HEIGHT * track.relative_height for track in tracks]
    return [top + sum(heights[:i]) for i in range(len(tracks))]


def draw_group_bars(canvas: Canvas, tracks: tuple[Track, ...], tops: Sequence[float]) -> None:
    """A coloured bar with the name of every group of tracks."""
    for name, group in load_groups().items():
        indices = [i for i, track in enumerate(tracks) if track.group == name]
        if not indices:
            continue
        height = TRACK_HEIGHT * sum(tracks[i].relative_height for i in indices) - 7
        top = tops[indices[0]] + 3.5
        canvas.box(MARGIN - 2, top, _GROUP_BAR_WIDTH, height, colour=group.colour)
        x, size = MARGIN - 2 + _GROUP_BAR_WIDTH / 2, _fitting_size(name, 8.0, height, bold=True)
        canvas.text(
            x, top + height / 2, name, size=size, colour=BACKGROUND, anchor="center", edge="center", bold=True, turn=90
        )


class _Header:
    """Title, legend, time units and doses; each text in as many lines as it needs."""

    def __init__(self, data: TimelineData) -> None:
        run, width = data.run, WIDTH - 2 * MARGIN
        self.data = data
        self.title = wrapped(run.title, width, _TITLE_SIZE, bold=True)
        self.legend = wrapped(_legend(run), width, _LEGEND_SIZE)
        self.spans_top = (
            TOP - 47 + LINE_STEP * (_TITLE_SIZE * (len(self.title) - 1) + _LEGEND_SIZE * (len(self.legend) - 1))
        )
        occasions = [(begin - run.first_dose_time, stop - run.first_dose_time) for begin, stop in run.occasions()]
        first_end = max((data.time_scale.fraction(end) for _, end in occasions[:1]), default=0.0)
        beside, treatments = min(first_end, 0.5) + 0.012, "; ".join(run.treatments)
        self.occasions = occasions
        self.is_crowded = (
            len(occasions) > 1 or first_end > 0.4 or _dose_space(beside) < text_width(treatments, _DOSE_SIZE, bold=True)
        )
        self.dose_left = 0.0 if self.is_crowded else beside
        self.doses = wrapped(treatments, _dose_space(self.dose_left), _DOSE_SIZE, bold=True)

    @property
    def height(self) -> float:
        """From the upper edge of the canvas to the first track."""
        return self.spans_top + 47 + self._further_dose_lines

    @property
    def _further_dose_lines(self) -> float:
        return LINE_STEP * _DOSE_SIZE * (len(self.doses) - 1)

    def draw(self, canvas: Canvas) -> None:
        """Draw the header at the top of the canvas."""
        canvas.lines(MARGIN, 14, self.title, size=_TITLE_SIZE, bold=True, edge="top")
        legend_top = 42 + LINE_STEP * _TITLE_SIZE * (len(self.title) - 1)
        canvas.lines(MARGIN, legend_top, self.legend, size=_LEGEND_SIZE, colour=MUTED_COLOUR, edge="top")
        frame = Frame(WIDTH * LEFT, self.spans_top, _PLOT_WIDTH, 44.6, self.data.time_scale)
        _draw_spans(canvas, frame)
        self._draw_doses(canvas, replace(frame, top=frame.top + self._further_dose_lines))

    def _draw_doses(self, canvas: Canvas, frame: Frame) -> None:
        low = float(frame.y(0.14))
        for start, end in self.occasions:
            left, right = frame.at(start), frame.at(end)
            if right - left > 0.006 * frame.width:
                canvas.box(left, float(frame.y(0.24)), right - left, 0.18 * frame.height, colour=TEXT_COLOUR)
            else:
                canvas.mark(left, low, "v", size=6, fill=TEXT_COLOUR)
        first_y = float(frame.y(0.36 if self.is_crowded else 0.08)) - self._further_dose_lines
        x = frame.left + self.dose_left * frame.width
        canvas.lines(x, first_y, self.doses, size=_DOSE_SIZE, bold=True)
        label_right = frame.left - 0.062 * frame.width
        canvas.text(label_right, low, "Doses", size=9.5, bold=True, anchor="right", edge="center")


def _dose_space(left: float) -> float:
    """Room for the text of the doses that begins at a share of the width of the plot."""
    return WIDTH - MARGIN - WIDTH * LEFT - left * _PLOT_WIDTH


def _legend(run: RunDescription) -> str:
    sentences = ["One typical patient; the horizontal line of each track is the drug-free baseline."]
    if run.index_of_control is not None:
        sentences.append("Dashed grey: the same person with the same visits and perturbations, without treatment.")
    other_labels = [run.subjects[i].label for i in run.treated if i != run.index_of_main]
    if other_labels:
        sentences.append(f"Dotted: {', '.join(other_labels)}.")
    return "  ".join(sentences)


def _draw_spans(canvas: Canvas, frame: Frame) -> None:
    for i, (start, end, label) in enumerate(frame.time_scale.spans()):
        left, right = frame.at(start), frame.at(end)
        canvas.box(left, frame.top, right - left, 0.3 * frame.height, colour=STRIPE_COLOURS[i % 2])
        if right - left > 0.07 * frame.width:
            middle = frame.at(math.sqrt(start * end))
            canvas.text(middle, frame.top + 0.155 * frame.height, label, size=8.5, colour=AXIS_COLOUR,
                         anchor="center", edge="center")  # fmt: skip


def draw_footer(canvas: Canvas, data: TimelineData, sources: int | None) -> None:
    """Sources, the name of the axis and the disclaimer."""
    sources_text = f"Numbers from {sources} papers and labels; see the bibliography of this run.  " if sources else ""
    y = canvas.height - 21.6
    canvas.text(MARGIN, y, sources_text + "Computed with KetaMech.", size=8.5, colour=MUTED_COLOUR, edge="center")
    canvas.text((RIGHT + 0.19) * WIDTH, y, DISCLAIMER, size=8.5, bold=True, anchor="right", edge="center")
    axis_label = f"time since the first treatment{', logarithmic' if data.time_scale.logarithmic else ''}"
    middle = (LEFT + RIGHT) / 2 * WIDTH
    canvas.text(middle, canvas.height - 40, axis_label, size=8.5, colour=MUTED_COLOUR, anchor="center", edge="center")
