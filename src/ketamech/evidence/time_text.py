"""The time text of a row ("24 h", "day 1", "0.25 h from start") as hours, where it names one time."""

from __future__ import annotations

import re
from functools import cache

from ketamech.core.time_units import DAY, HOURS, WEEK

_WORDS = "|".join(sorted(HOURS, key=len, reverse=True))
_LABELS = "|".join(word for word, size in HOURS.items() if size in (DAY, WEEK) and len(word) > 2)
_SPAN = re.compile(rf"\d ?(?:{_WORDS})? ?(?:-|to|and) ?\d|\b(?:within|up to|first|off|any)\b")
_AMOUNT = re.compile(rf"(\d+(?:\.\d+)?) ?({_WORDS})\b")
_NAMED = re.compile(rf"\b({_LABELS}) (\d+)\b")


@cache
def time_hours(text: str) -> float | None:
    """Hours after the dose, or None when the text is empty, a span, or not a time.

    "day 1" is read as one day after the dose. Text in brackets counts only when the text outside names no time.
    """
    normalised = " ".join(text.split())  # single blanks only, for the patterns
    outside = re.sub(r"\([^()]*\)", "", normalised)
    if _SPAN.search(outside):
        return None
    inside = " ".join(re.findall(r"\(([^()]*)\)", normalised))
    return _single_time(outside) if _single_time(outside) is not None else _single_time_in_bracket(inside)


def _single_time_in_bracket(text: str) -> float | None:
    return None if _SPAN.search(text) else _single_time(text)


def _single_time(text: str) -> float | None:
    if match := _NAMED.search(text):
        return HOURS[match[1]] * float(match[2])
    if match := _AMOUNT.search(text):
        return float(match[1]) * HOURS[match[2]]
    return None
