"""Numbers, times, units and Markdown tables as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_UPPER_CASE_WORDS = {"nmda": "NMDA", "ampa": "AMPA"}
_UNITS = {"umol/L": "µmol/L", "1": "", "1/h": "per hour", "umol": "µmol"}


def number(value: float, digits: int = 3) -> str:
    """Three significant digits, an exponent only for very large or small values, and a minus sign (U+2212)."""
    if not math.isfinite(value):
        return "n/a"
    if value == 0 or abs(value) < 1e-9:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}"
    else:
        text = f"{value:.{digits - 1}e}"
    return text.replace("-", "−")


def with_interval(value: float, low: float, high: float) -> str:
    """A number and its interval, where it is known."""
    return number(value) + (f" ({number(low)} to {number(high)})" if math.isfinite(low) else "")


def plain(value: float) -> str:
    """A number as it is written in a table or on an axis (format g), with a minus sign (U+2212)."""
    return f"{value:g}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign."""
    return ("+" if value > 0 else "") + number(value, digits)


def unit_in_words(text: str) -> str:
    """A unit as an axis label; empty for a dimensionless value."""
    return _UNITS.get(text, text)


def stage_in_words(name: str) -> str:
    """A stage name as a heading, e.g. NMDA, Second blocker."""
    return sentence_case(" ".join(_UPPER_CASE_WORDS.get(word, word) for word in name.split("_")))


def sentence_case(words: str) -> str:
    """Text with an initial capital, unless its first word contains a capital, such as mTORC1."""
    first_word = words.split(" ", 1)[0]
    return words if any(letter.isupper() for letter in first_word) else words[:1].upper() + words[1:]


def markdown_table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table without a line break at its end."""
    cells = (" | ".join(str(cell).replace("\n", " ") for cell in row) for row in rows)
    return "\n".join([f"| {' | '.join(header)} |", "|" + "---|" * len(header), *(f"| {line} |" for line in cells)])


def rounded_number(value: float, digits: int = 5) -> float | None:
    """A number rounded to so many digits; None when it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
