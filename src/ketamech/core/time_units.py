"""Units of time and the words for them: the one table that every reader of a time uses. Sizes in hours."""

from __future__ import annotations

SECOND, MINUTE, HOUR, DAY, WEEK = 1 / 3600, 1 / 60, 1.0, 24.0, 168.0
YEAR = 365.25 * DAY
MONTH = YEAR / 12  # 30.4375 days

SPELLINGS: dict[float, tuple[str, ...]] = {
    SECOND: ("s", "sec", "secs", "seconds"),
    MINUTE: ("min", "mins", "minute", "minutes"),
    HOUR: ("h", "hr", "hrs", "hour", "hours"),
    DAY: ("d", "day", "days"),
    WEEK: ("w", "wk", "wks", "week", "weeks"),
    MONTH: ("mo", "mos", "month", "months"),
    YEAR: ("y", "yr", "yrs", "year", "years"),
}
HOURS: dict[str, float] = {word: size for size, words in SPELLINGS.items() for word in words}


def duration_text(hours: float) -> str:
    """The shortest exact text of a duration (h), e.g. "40 min", "4 weeks": read back, it is the same float."""
    sizes = ((WEEK, "week"), (DAY, "day"), (MINUTE, "min")) if hours < HOUR or hours >= 2 * DAY else ()
    for size, name in sizes:
        count = round(hours / size, 6) if hours / size < 1e9 else 0.0
        if count.is_integer() and count * size == hours and count:
            return f"{number_text(count)} {name}" + ("s" if size >= DAY and count != 1 else "")
    return f"{number_text(hours)} h"


def number_text(value: float) -> str:
    """A number as short as it can be while it stays the same float."""
    return repr(float(value)).removesuffix(".0")
