"""The figure of one claim as coordinates for the page: paths, ticks, published points, a table and text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ketamech.analysis.claims.evaluate_claims import ClaimResult
from ketamech.report.number_format import hours_in_words, number
from ketamech.simulation.expression import value_of

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 36
MAX_POINTS = 160
EVEN_POINTS = 80
MAX_TICKS = 8
CLOCKS = (  # longest figure (h), hours per unit, unit, possible tick steps
    (96.0, 1.0, "hours", (0.5, 1, 2, 6, 12, 24)),
    (1400.0, 24.0, "days", (1, 2, 7, 14)),
    (math.inf, 168.0, "weeks", (1, 2, 4, 13, 26, 52)),
)


@dataclass(frozen=True)
class CurvePath:
    """One curve: its label, its SVG path and a description."""

    label: str
    path: str
    words: str


@dataclass(frozen=True)
class Mark:
    """A published value on the figure; hollow if not measured in humans; `curve`: index of its curve."""

    x: float
    y: float
    low: float
    high: float
    hollow: bool
    title: str
    curve: int


@dataclass(frozen=True)
class PublishedPoints:
    """A published value: hours, and value with its published spread."""

    hours: float
    heights: tuple[float, float, float]
    hollow: bool
    title: str
    curve: int


@dataclass(frozen=True)
class Drawing:
    """Everything the page needs to draw one claim; x and y ticks are (coordinate, text)."""

    lines: list[CurvePath]
    marks: list[Mark]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    clock: str
    table: list[list[str]]
    alternative: str


@dataclass(frozen=True)
class AxisBox:
    """Converts hours and values to coordinates of the figure."""

    start: float
    end: float
    low: float
    high: float

    def x(self, hours: float) -> float:
        """Coordinate of a time (h)."""
        return LEFT + (hours - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Coordinate of a value."""
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def draw(answer: ClaimResult) -> Drawing:
    """Draw the curves of this run and the published points."""
    curves = {label: _curve(answer, arm) for label, arm in answer.claim.figure.curves.items()}
    published = _published(answer)
    sheet, steps = _sheet(answer, curves, published)
    lines = [CurvePath(label, _path(sheet, *curve), _words(*curve)) for label, curve in curves.items()]
    marks = [_mark(sheet, point) for point in published]
    hour_ticks, clock = _hour_ticks(sheet)
    text = ". ".join(f"{line.label}: {line.words}" for line in lines)
    return Drawing(
        lines, marks,
        [(sheet.x(at), text) for at, text in hour_ticks],
        [(sheet.y(at), f"{at:g}".replace("-", "−")) for at in steps],
        clock, _table(curves, [at for at, _ in hour_ticks]),
        f"Model, {answer.claim.figure.axis}, {hours_in_words(sheet.start)} to {hours_in_words(sheet.end)}. {text}.",
    )  # fmt: skip


def _mark(sheet: AxisBox, point: PublishedPoints) -> Mark:
    middle, low, high = (sheet.y(height) for height in point.heights)
    return Mark(sheet.x(point.hours), middle, low, high, point.hollow, point.title, point.curve)


def _curve(answer: ClaimResult, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Hours and values between the ends of the figure: output times, thinned, and even steps between them."""
    figure, curves = answer.claim.figure, answer.arms[arm]
    inside = curves.time[(curves.time > figure.start) & (curves.time < figure.end)]
    even = np.linspace(figure.start, figure.end, EVEN_POINTS)
    hours = np.union1d(even, inside[:: max(1, len(inside) // MAX_POINTS)])
    values = np.asarray(value_of(figure.output, curves.outputs), dtype=float)
    return hours, np.interp(hours, curves.time, values)


def _published(answer: ClaimResult) -> list[PublishedPoints]:
    order = list(answer.claim.figure.curves.values())
    found = []
    for point in answer.claim.points:
        row = point.row
        middle, low, high = (
            point.plotted_value(row.value if printed is None else printed)
            for printed in (row.value, row.spread.low, row.spread.high)
        )
        title = f"{row.id}: {number(middle)}. {point.why}"
        heights, hollow = (middle, low, high), row.species != "human"
        found.append(PublishedPoints(point.hours, heights, hollow, title, order.index(point.arm)))
    return found


def _sheet(
    answer: ClaimResult, curves: dict[str, tuple[np.ndarray, np.ndarray]], published: list[PublishedPoints]
) -> tuple[AxisBox, list[float]]:
    heights = np.concatenate([*(values for _, values in curves.values()), *(p.heights for p in published)])
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    pad = 0.06 * (high - low) or 0.1
    steps = nice_steps(low - (0 if low == 0 else pad), high + (0 if high == 0 else pad))
    figure = answer.claim.figure
    return AxisBox(figure.start, figure.end, steps[0], steps[-1]), steps


def nice_steps(low: float, high: float, about: int = 5) -> list[float]:
    """About `about` round numbers that include `low` and `high`."""
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _hour_ticks(sheet: AxisBox) -> tuple[list[tuple[float, str]], str]:
    span = sheet.end - sheet.start
    _, unit, clock, choices = next(c for c in CLOCKS if span <= c[0])
    step = next((s for s in choices if span / unit / s <= MAX_TICKS), choices[-1])
    steps = np.arange(sheet.start / unit, sheet.end / unit + 1e-9, step)
    return [(float(at) * unit, f"{at:g}") for at in steps], clock


def _path(sheet: AxisBox, hours: np.ndarray, values: np.ndarray) -> str:
    if not np.isfinite(values).all():
        return ""
    places = (f"{sheet.x(h):.1f},{sheet.y(v):.1f}" for h, v in zip(hours, values, strict=True))
    return "M" + "L".join(places)


def _words(hours: np.ndarray, values: np.ndarray) -> str:
    if not np.isfinite(values).all():
        return "could not be solved"
    first, last = values[0], values[-1]
    most = int(np.argmax(np.abs(values - first)))
    if abs(values[most] - first) < 1e-6:
        return f"stays at {number(float(first))}"
    return (
        f"from {number(float(first))} to {number(float(values[most]))} after {hours_in_words(float(hours[most]))}, "
        f"{number(float(last))} at the end"
    )


def _table(curves: dict[str, tuple[np.ndarray, np.ndarray]], moments: list[float]) -> list[list[str]]:
    """Values at the ticks: one row per time, one column per curve."""
    head = ["After", *curves]
    rows = [
        [hours_in_words(at), *(number(float(np.interp(at, *curve))) for curve in curves.values())] for at in moments
    ]
    return [head, *rows]
