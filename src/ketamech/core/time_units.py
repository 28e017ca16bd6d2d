"""Units of time and their spellings: the one table for every reader of times. Sizes in hours."""

from __future__ import annotations

SECOND, MINUTE, HOUR, DAY, WEEK = 1 / 3600, 1 / 60, 1.0, 24.0, 168.0
YEAR = 365.25 * DAY
MONTH = YEAR / 12  # 30.4375 days
LONG_UNITS = ((YEAR, "year"), (MONTH, "month"), (WEEK, "week"), (DAY, "day"))
MAX_COUNT = 1e6  # largest count of one unit in a duration
DECIMALS = {True: 4, False: 2}  # decimals of a short number, exact or rounded
ROUNDING_TOLERANCE = 1e-6  # relative difference that is attributed to rounding

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


def duration_text(hours: float, *, exact: bool = True) -> str:
    """A duration (h) as short text, e.g. "40 min", "4 weeks".

    With `exact` it reads back as the same float; otherwise the number is rounded to four digits.
    """
    short = [(MINUTE, "min"), (HOUR, "h")] if hours < HOUR else [(HOUR, "h"), (MINUTE, "min")]
    for size, name in [*LONG_UNITS, *short] if hours >= 2 * DAY else short:
        count = round(hours / size, DECIMALS[exact]) if hours / size < MAX_COUNT else 0.0
        same = count * size == hours if exact else abs(count * size - hours) < ROUNDING_TOLERANCE * hours
        if count and same and (size < DAY or count.is_integer()):
            return f"{number_text(count)} {name}" + ("s" if size >= DAY and count != 1 else "")
    return f"{number_text(hours, exact=exact)} h"


def number_text(value: float, *, exact: bool = True) -> str:
    """A number as short as possible: the same float if `exact`, else rounded to four digits."""
    return repr(float(value)).removesuffix(".0") if exact else f"{value:.4g}"
