"""Time axes of figures: logarithmic from one minute, or linear in days."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.units import DAY, MINUTE
from ketamech.report.palette import AXIS_COLOUR, AXIS_GRID_COLOUR, GRID_COLOUR, MUTED_COLOUR
from ketamech.report.svg_canvas import Canvas

LETTER_WIDTH = 0.5  # share of its size
TICKS_TABLE = DATA / "tracks" / "time_ticks.csv"
MAX_HOURS_LABELLED = 96.0  # longest linear axis with hours, not days
_SPANS = ((MINUTE, 1, "minutes"), (1, 24, "hours"), (24, 168, "days"), (168, 1e9, "weeks"))


def time_ticks(first: float, last: float, *, min_ratio: float = 2.0, long: bool = False) -> dict[float, str]:
    """Labels, short or `long`, of the times (h) of `time_ticks.csv` from `first` to `last`.

    From the last one on, a time is left out that is more than the next one divided by `min_ratio`.
    """
    ticks: dict[float, str] = {}
    for hours, short_label, long_label in reversed(_tick_rows()):
        following = min(ticks, default=np.inf)
        if 0.999 * first <= hours <= 1.001 * last and hours * min_ratio <= 1.001 * following:
            ticks[hours] = long_label if long else short_label
    return dict(sorted(ticks.items()))


@cache
def _tick_rows() -> tuple[tuple[float, str, str], ...]:
    rows = read_table(TICKS_TABLE, ("hours", "short", "long"))
    return tuple((row.number("hours"), row["short"], row["long"]) for row in rows)


@dataclass(frozen=True)
class TimeScale:
    """Conversion of hours since the first treatment to axis values."""

    logarithmic: bool
    horizon: float

    def place(self, hours: np.ndarray | float) -> np.ndarray:
        """Hours, at least one minute, on the logarithmic axis; days on the linear axis."""
        times = np.asarray(hours, dtype=float)
        return np.maximum(times, MINUTE) if self.logarithmic else times / 24

    def along(self, hours: np.ndarray) -> np.ndarray:
        """Axis values of a curve; NaN before the first minute on the logarithmic axis."""
        is_early = self.logarithmic & (hours < 0.999 * MINUTE)
        return np.where(is_early, np.nan, self.place(hours))

    @property
    def limits(self) -> tuple[float, float]:
        """First and last axis value."""
        return (MINUTE, self.horizon) if self.logarithmic else (0.0, self.horizon / 24)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Axis values and labels of the ticks."""
        if self.logarithmic:
            ticks = time_ticks(MINUTE, self.horizon, min_ratio=3 if self.horizon >= DAY else 2)
            return list(ticks), list(ticks.values())
        if self.horizon <= MAX_HOURS_LABELLED:
            step = next(s for s in (0.5, 1, 2, 6, 12, 24) if self.horizon / s <= 9)
            hours = np.arange(0, self.horizon + 1e-6, step)
            return [h / DAY for h in hours], [f"{h:g} h" for h in hours]
        days = self.horizon / DAY
        step = next((s for s in (1, 2, 7, 14, 28, 56, 182) if days / s <= 9), 364)
        values = list(np.arange(0, days + 0.01, step))
        return values, [f"day {p:.0f}" for p in values]

    def fraction(self, hours: float) -> float:
        """The position of a time between the left (0) and right (1) edge."""
        return float(self.fraction_of(self.place(hours)))

    def fraction_of(self, values: np.ndarray | float) -> np.ndarray:
        """Axis values as fractions of the axis width."""
        low, high = self.limits
        if self.logarithmic:
            return np.asarray(np.log(np.divide(values, low)) / np.log(high / low))
        return (np.asarray(values) - low) / (high - low)

    def spans(self) -> list[tuple[float, float, str]]:
        """Start and end of minutes, hours, days and weeks (logarithmic axis only)."""
        periods = [(start, min(end, self.horizon), unit) for start, end, unit in _SPANS if start < self.horizon * 0.99]
        return periods if self.logarithmic else []


def round_steps(low: float, high: float) -> list[float]:
    """At most five round numbers between two values."""
    if not (np.isfinite(high - low) and high > low):
        return []
    step = round_step((high - low) / 4)
    return _multiples(step, int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)))


def enclosing_steps(low: float, high: float) -> list[float]:
    """About five round numbers, of which the first is at most `low` and the last at least `high`."""
    step = round_step((high - low) / 5)
    return _multiples(step, int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9)))


def round_step(size: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= size * 0.999))


def _multiples(step: float, first: int, last: int) -> list[float]:
    return [float(f"{k * step:.10g}") for k in range(first, last + 1)]


@dataclass(frozen=True)
class Frame:
    """A plot area of the canvas (points from its upper left corner) with a time and a value axis."""

    left: float
    top: float
    width: float
    height: float
    time_scale: TimeScale
    low: float = 0.0
    high: float = 1.0

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height

    def x(self, hours: np.ndarray) -> np.ndarray:
        """x coordinates of times; NaN outside the axis."""
        share = self.time_scale.fraction_of(self.time_scale.along(hours))
        return np.where((share >= -1e-6) & (share <= 1 + 1e-6), self.left + share * self.width, np.nan)

    def at(self, hours: float) -> float:
        """x coordinate of one time, limited to the frame."""
        return self.left + min(max(self.time_scale.fraction(hours), 0.0), 1.0) * self.width

    def y(self, values: np.ndarray | float) -> np.ndarray:
        """y coordinates of values."""
        return np.asarray(self.bottom - (np.asarray(values) - self.low) / (self.high - self.low) * self.height)

    def draw_axes(
        self, canvas: Canvas, *, labels: bool = True, axis: str = GRID_COLOUR, grid: str = AXIS_GRID_COLOUR,
        size: float = 8.0,
    ) -> None:  # fmt: skip
        """Draw grid lines, the time axis and, with `labels`, the tick labels."""
        values, texts = self.time_scale.ticks()
        ticks = [self.left + float(fraction) * self.width for fraction in self.time_scale.fraction_of(np.array(values))]
        canvas.segments([(x, self.top, x, self.bottom) for x in ticks], colour=grid)
        canvas.segments([(self.left, self.bottom, self.right, self.bottom)], colour=axis)
        if labels:
            canvas.segments([(x, self.bottom, x, self.bottom + 3) for x in ticks], colour=AXIS_COLOUR)
            right_limit = np.inf  # labels that would touch the next one are left out
            for x, text in sorted(zip(ticks, texts, strict=True), reverse=True):
                text_width, is_last = LETTER_WIDTH * size * len(text), x > self.right - 0.02 * self.width
                is_first = x < self.left + 0.01 * self.width  # apart from the labels of the value axis
                text_right = x if is_last else x + text_width if is_first else x + text_width / 2
                if text_right < right_limit:
                    anchor = "right" if is_last else "left" if is_first else "center"
                    canvas.text(x, self.bottom + 4.5, text, size=size, colour=MUTED_COLOUR, anchor=anchor, edge="top")
                    right_limit = text_right - text_width - size / 2
