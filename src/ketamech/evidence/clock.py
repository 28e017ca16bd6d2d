"""The time text of a row ("24 h", "day 1", "0.25 h from start") as hours, where it names one moment."""

from __future__ import annotations

import re

HOURS = {
    "min": 1 / 60,
    "minute": 1 / 60,
    "h": 1.0,
    "hour": 1.0,
    "d": 24.0,
    "day": 24.0,
    "week": 168.0,
    "month": 730.5,
    "year": 8766.0,
}
_SPAN = re.compile(r"\d\s*(?:min|h|d|days?|weeks?)?\s*(?:-|to|and)\s*\d|\b(?:within|up to|first|off|any)\b")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(min|minutes?|h|hours?|days?|d|weeks?|months?|years?)\b")
_NAMED = re.compile(r"\b(day|week)\s+(\d+)\b")


def time_hours(text: str) -> float | None:
    """Hours after the dose, or None when the text is empty, a span, or no time at all.

    "day 1" is read as one day after the dose. A bracket counts only when the words before it name no time.
    """
    outside = re.sub(r"\(.*?\)", "", text)
    if _SPAN.search(outside):
        return None
    inside = " ".join(re.findall(r"\((.*?)\)", text))
    return _moment(outside) if _moment(outside) is not None else _bracket(inside)


def _bracket(text: str) -> float | None:
    return None if _SPAN.search(text) else _moment(text)


def _moment(text: str) -> float | None:
    if found := _NAMED.search(text):
        return HOURS[found[1]] * float(found[2])
    if found := _AMOUNT.search(text):
        name = found[2] if found[2] in HOURS else found[2].removesuffix("s")
        return float(found[1]) * HOURS[name]
    return None
