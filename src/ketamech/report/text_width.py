"""Width of texts in figures, and their wrapping into lines that fit a given width."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA

WIDTHS_TABLE = DATA / "tracks" / "letter_widths.csv"
_UNKNOWN_WIDTH = 1.0  # of a letter that is not in the table, as a share of the font size


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text in DejaVu Sans (the widest font of a figure), in the unit of `size`, without kerning."""
    widths = _letter_widths()[bold]
    return size * sum(widths.get(letter, _UNKNOWN_WIDTH) for letter in text)


def wrapped(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """The lines of a text, none wider than `width` (unit of `size`); a word wider than that is split."""
    lines, current = [], ""
    for word in _split_words(text, width, size, bold):
        extended = f"{current} {word}" if current else word
        if current and text_width(extended, size, bold=bold) > width:
            lines.append(current)
            extended = word
        current = extended
    return [*lines, current]


def _split_words(text: str, width: float, size: float, bold: bool) -> Iterable[str]:
    """The words of a text; a word wider than `width` in parts that are not."""
    for word in text.split():
        remaining = word
        while len(remaining) > 1 and text_width(remaining, size, bold=bold) > width:
            fitting = (
                n for n in range(len(remaining) - 1, 1, -1) if text_width(remaining[:n], size, bold=bold) <= width
            )
            length = next(fitting, 1)
            yield remaining[:length]
            remaining = remaining[length:]
        yield remaining


@cache
def _letter_widths() -> tuple[dict[str, float], dict[str, float]]:
    """Widths of letters, regular and bold, as shares of the font size."""
    rows = read_table(WIDTHS_TABLE, ("code_point", "regular", "bold"))
    letters = [chr(int(row["code_point"], 16)) for row in rows]
    regular, bold = ([row.number(name) for row in rows] for name in ("regular", "bold"))
    return dict(zip(letters, regular, strict=True)), dict(zip(letters, bold, strict=True))
