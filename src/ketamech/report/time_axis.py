"""Two clocks for figures: a logarithmic one from one minute on, a linear one in days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

MINUTE = 1 / 60
_TICKS = (
    (MINUTE, "1 min"), (10 / 60, "10 min"), (1, "1 h"), (6, "6 h"), (24, "1 d"), (168, "1 wk"), (672, "4 wk"),
    (2016, "12 wk"), (8760, "1 y"),
)  # fmt: skip
_ERAS = ((MINUTE, 1, "minutes"), (1, 24, "hours"), (24, 168, "days"), (168, 1e9, "weeks"))


@dataclass(frozen=True)
class Clock:
    """How hours since the first treatment become a horizontal place."""

    logarithmic: bool
    horizon: float

    def place(self, hours: np.ndarray | float) -> np.ndarray:
        """Hours, held at one minute on the logarithmic clock; days on the linear one."""
        given = np.asarray(hours, dtype=float)
        return np.maximum(given, MINUTE) if self.logarithmic else given / 24

    def along(self, hours: np.ndarray) -> np.ndarray:
        """Places of a curve: what happened before the first minute is not drawn on the logarithmic clock."""
        early = self.logarithmic & (hours < 0.999 * MINUTE)
        return np.where(early, np.nan, self.place(hours))

    @property
    def limits(self) -> tuple[float, float]:
        """First and last place."""
        return (MINUTE, self.horizon) if self.logarithmic else (0.0, self.horizon / 24)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places and words."""
        if self.logarithmic:
            found = [(at, word) for at, word in _TICKS if at <= self.horizon * 1.001]
            found = found if self.horizon >= 24 else [*found, *((h, f"{h} h") for h in (3, 12) if h < self.horizon)]
            return [at for at, _ in found], [word for _, word in found]
        days = self.horizon / 24
        step = next((s for s in (1, 2, 7, 14, 28, 56, 182) if days / s <= 9), 364)
        places = list(np.arange(0, days + 0.01, step))
        return places, [f"day {p:.0f}" for p in places]

    def fraction(self, hours: float) -> float:
        """An hour as a place between the left (0) and right (1) edge."""
        return self.fraction_of(float(self.place(hours)))

    def fraction_of(self, at: float) -> float:
        """A place on the axis as a share of its width."""
        low, high = self.limits
        if self.logarithmic:
            return float(np.log(at / low) / np.log(high / low))
        return (at - low) / (high - low)

    def dress(self, axes: Axes, *, words: bool = True) -> None:
        """Scale, limits, ticks and light vertical lines."""
        if self.logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())  # hundreds of invisible ticks would cost seconds
        axes.set_xlim(*self.limits)
        places, texts = self.ticks()
        axes.set_xticks(places, texts if words else [""] * len(places))
        if words and self.fraction_of(places[-1]) > 0.98:
            axes.get_xticklabels()[-1].set_horizontalalignment("right")
        axes.tick_params(axis="x", length=3 if words else 0, colors="#4b5563")
        axes.grid(axis="x", color="#eceff2", linewidth=0.8)
        axes.set_axisbelow(True)

    def eras(self) -> list[tuple[float, float, str]]:
        """Minutes, hours, days, weeks: start and end places of what fits (logarithmic clock only)."""
        found = [(a, min(b, self.horizon), word) for a, b, word in _ERAS if a < self.horizon * 0.99]
        return found if self.logarithmic else []
