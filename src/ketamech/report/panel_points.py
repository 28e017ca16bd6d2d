"""Published points in a panel, and the legend of their papers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ketamech.report.colours import OKABE_ITO
from ketamech.report.published_points import PublishedPoint
from ketamech.report.svg_canvas import PAPER, QUIET, Canvas
from ketamech.report.time_axis import Frame

_MARKERS, _NAMED, _LINE, _LETTER = "osD^vP", 6, 8.5, 3.4  # markers, papers in the legend, line height, letter width


def values_and_spreads(points: Sequence[PublishedPoint]) -> np.ndarray:
    """Values and spread limits of the points, for the axis limits."""
    return np.array([number for point in points for number in (point.value, point.low, point.high)], dtype=float)


def draw_points(canvas: Canvas, frame: Frame, points: Sequence[PublishedPoint], scale: float) -> None:
    """Draw every point in the colour and marker of its paper."""
    for i, label in enumerate(_papers(points)):
        colour, kind = _marker_style(i)
        for point in points:
            if point.label == label:
                _one(canvas, frame, point, scale, colour, kind)


def draw_key(
    canvas: Canvas, frame: Frame, points: Sequence[PublishedPoint], x: np.ndarray, y: np.ndarray, scale: float
) -> None:
    """Draw the legend of papers (or their number) in the corner with the fewest curve points."""
    labels = _papers(points)
    if not labels:
        return
    x = np.append(x, [frame.at((point.start + point.end) / 2) for point in points])
    y = np.append(y, frame.y(np.array([point.value for point in points]) * scale))
    shown = labels if len(labels) <= _NAMED else [f"{len(labels)} papers"]
    wide, tall = 12 + _LETTER * max(map(len, shown)), _LINE * len(shown) + 3
    left, top = min(_corners(frame, wide, tall), key=lambda corner: _overlap_count(corner, wide, tall, x, y))
    canvas.box(left, top, wide, tall, colour=PAPER, opacity=0.8)
    for i, label in enumerate(shown):
        colour, kind = _marker_style(i)
        middle = top + _LINE * (i + 0.5) + 1.5
        if len(labels) <= _NAMED:
            canvas.mark(left + 5, middle, kind, size=4, fill=colour, edge=colour)
        canvas.text(left + 10, middle, label, size=6.5, colour=QUIET, edge="center")


def _papers(points: Sequence[PublishedPoint]) -> list[str]:
    return list(dict.fromkeys(point.label for point in points))


def _marker_style(i: int) -> tuple[str, str]:
    return OKABE_ITO[(i + 1) % len(OKABE_ITO)], _MARKERS[i % len(_MARKERS)]


def _corners(frame: Frame, wide: float, tall: float) -> list[tuple[float, float]]:
    """Upper left corner of the legend for each corner of the panel, upper right first."""
    return [(left, top) for top in (frame.top, frame.bottom - tall) for left in (frame.right - wide, frame.left)]


def _overlap_count(corner: tuple[float, float], wide: float, tall: float, x: np.ndarray, y: np.ndarray) -> int:
    left, top = corner
    return int(((x > left) & (x < left + wide) & (y > top) & (y < top + tall)).sum())


def _one(canvas: Canvas, frame: Frame, point: PublishedPoint, scale: float, colour: str, kind: str) -> None:
    x, y = frame.at((point.start + point.end) / 2), float(frame.y(point.value * scale))
    if point.shape == "span":
        canvas.line([frame.at(point.start), frame.at(point.end)], [y, y], colour=colour, width=2, opacity=0.7)
    if math.isfinite(point.low) and math.isfinite(point.high):
        ends = frame.y(np.array([min(point.low, point.value), max(point.high, point.value)]) * scale)
        caps = [(x - 2, float(end), x + 2, float(end)) for end in ends]
        canvas.rules([(x, float(ends[0]), x, float(ends[1])), *caps], colour=colour, width=0.9)
    title = f"{point.label}: {point.evidence}"
    if point.shape == "level":
        canvas.line([x - 6.5, x + 6.5], [y, y], colour=colour, width=1.8, title=title)
    else:
        face = PAPER if point.translated else colour
        canvas.mark(x, y, kind, size=4.5, fill=face, edge=colour, width=1.1, title=title)
