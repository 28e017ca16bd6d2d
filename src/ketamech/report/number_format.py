"""Numbers, times, units and Markdown tables as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

_UPPER_CASE_WORDS = {"nmda": "NMDA", "ampa": "AMPA"}
_UNITS = {"umol/L": "µmol/L", "1": "", "1/h": "per hour", "umol": "µmol"}


def number(value: float, digits: int = 3) -> str:
    """Three significant digits with a minus sign (U+2212), as the web page writes them; "–" if not finite.

    Zeros at the end of a decimal are left out, and a tie is rounded up. An exponent is for very large or small values.
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) < 1e-9:
        return "0"
    is_plain = 1e-3 <= abs(value) < 1e5
    exact = Decimal(float(value))
    place = exact.adjusted() - digits + 1  # the power of ten of the last digit
    rounded = exact.quantize(Decimal(1).scaleb(min(place, 0) if is_plain else place), ROUND_HALF_UP)
    text = f"{rounded:f}" if is_plain else f"{rounded:.{digits - 1}e}"
    return (text.rstrip("0").rstrip(".") if is_plain and "." in text else text).replace("-", "−")


def with_interval(value: float, low: float, high: float) -> str:
    """A number and its interval, where it is known."""
    return number(value) + (f" ({number(low)} to {number(high)})" if math.isfinite(low) else "")


def limits_in_words(low: float, high: float) -> str:
    """The limits of a number, e.g. "at least 0.9", "61 to 84"; NaN or None where there is none."""
    has_low, has_high = (value is not None and not math.isnan(value) for value in (low, high))
    if has_low and has_high:
        return f"{number(low)} to {number(high)}"
    return f"at least {number(low)}" if has_low else f"at most {number(high)}" if has_high else ""


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
