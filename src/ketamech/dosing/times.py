"""Times as text: durations ("28 days") and numbered days ("day 8", 168 h after the start)."""

from __future__ import annotations

from functools import cache

from ketamech.core import InputError
from ketamech.dosing.lexicon import Lexicon
from ketamech.dosing.parse import parse
from ketamech.dosing.syntax import Days, Span


def hours_of(text: str) -> float:
    """Hours of a duration or a numbered day. Raises BadInput."""
    return hours(parse("time", text, _no_names()))


def hours(time: Span | Days) -> float:
    """Hours of a parsed time; day 1 begins at 0 h."""
    return time.hours()[0] if isinstance(time, Days) else time.hours


def duration(text: str) -> float:
    """Hours of a duration. Raises BadInput, also for a numbered day."""
    found = parse("time", text, _no_names())
    if isinstance(found, Days):
        raise InputError(f"'{text}' is no duration", expected="such as 24 h, 28 days, 3 months")
    return found.hours


def share_of(text: str) -> float:
    """A share from a percentage. Raises BadInput."""
    return parse("share", text, _no_names())


@cache
def _no_names() -> Lexicon:
    return Lexicon({}, lambda name: InputError(f"'{name}' was not understood"))
