"""The time text of a row ("24 h", "day 1", "0.25 h from start") as hours, where it names one moment."""

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
    """Hours after the dose, or None when the text is empty, a span, or no time at all.

    "day 1" is read as one day after the dose. A bracket counts only when the words before it name no time.
    """
    plain = " ".join(text.split())  # so that no pattern meets two blanks
    outside = re.sub(r"\([^()]*\)", "", plain)
    if _SPAN.search(outside):
        return None
    inside = " ".join(re.findall(r"\(([^()]*)\)", plain))
    return _moment(outside) if _moment(outside) is not None else _bracket(inside)


def _bracket(text: str) -> float | None:
    return None if _SPAN.search(text) else _moment(text)


def _moment(text: str) -> float | None:
    if found := _NAMED.search(text):
        return HOURS[found[1]] * float(found[2])
    if found := _AMOUNT.search(text):
        return float(found[1]) * HOURS[found[2]]
    return None
