"""A PDF page for lines of text, wrapped by the width of their letters."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from ketamech.report.style import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

LEFT, RIGHT, TOP, LOWEST, POINTS, LINE = 0.06, 0.95, 0.965, 0.045, 72.0, 1.42


def sheet(width: float, height: float) -> Figure:
    """An empty page; sizes in inches."""
    with matplotlib.rc_context(SETTINGS):
        return Figure(figsize=(width, height))


class Sheet:
    """Writes lines from top to bottom; `at`: height of the next line, 1 to 0. Lines below the margin are left out."""

    def __init__(self, figure: Figure) -> None:
        self.figure, self.at = figure, TOP
        self.wide, self.high = figure.get_figwidth() * POINTS, figure.get_figheight() * POINTS

    def line(
        self, text: str, *, size: float = 9.2, colour: str = "#1b1f24", weight: str = "normal", most: int = 99
    ) -> None:
        """A wrapped paragraph of at most `most` lines."""
        parts = wrapped(_plain(text), (RIGHT - LEFT) * self.wide, size, weight)
        if len(parts) > most:
            parts = [*parts[: most - 1], f"{parts[most - 1][:-1]}…"]
        for part in parts:
            if self.at < LOWEST:
                return
            shown = part.replace("$", r"\$")
            self.figure.text(LEFT, self.at, shown, size=size, color=colour, weight=weight, va="top")
            self.at -= size * LINE / self.high

    def head(self, text: str) -> None:
        """A heading."""
        self.gap()
        self.line(text, size=10.8, weight="bold")

    def gap(self) -> None:
        """A small vertical space."""
        self.at -= 0.007


def wrapped(text: str, room: float, size: float, weight: str = "normal") -> list[str]:
    """Lines of a text, none wider than `room` (points)."""
    lines, now = [], ""
    for word in _words(text, room, size, weight):
        longer = f"{now} {word}" if now else word
        if now and _width(longer, size, weight) > room:
            lines.append(now)
            longer = word
        now = longer
    return [*lines, now]


def _words(text: str, room: float, size: float, weight: str) -> Iterable[str]:
    """The words of a text; a word wider than `room` is split."""
    for word in text.split():
        left = word
        while _width(left, size, weight) > room:
            most = next(n for n in range(len(left) - 1, 0, -1) if _width(left[:n], size, weight) <= room)
            yield left[:most]
            left = left[most:]
        yield left


def _width(text: str, size: float, weight: str) -> float:
    """Width of a text (points)."""
    return sum(_letter(one, size, weight) for one in text)


@cache
def _letter(one: str, size: float, weight: str) -> float:
    with matplotlib.rc_context(SETTINGS):
        font = FontProperties(size=size, weight=weight)
        return float(TextToPath().get_text_width_height_descent(one, font, False)[0])


def _plain(text: str) -> str:
    """The text without unprintable characters, which a title may contain."""
    return "".join(letter for letter in text if letter.isprintable())
