"""Regimens as words: short, and exactly what `read_regimen` reads back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from ketamech.core.time_units import DAY, MONTH, WEEK, duration_text, number_text
from ketamech.dosing.treatment import Phase, Treatment

MOST_DAYS = 30  # of one sentence, which must stay shorter than what is read back
TIMES = {1: "weekly", 2: "twice weekly"}
EVERY = {DAY: "daily", DAY / 2: "twice daily", WEEK: "every week", MONTH: "monthly"}


def sentences(treatments: Sequence[Treatment], *, exact: bool = True) -> tuple[str, ...]:
    """One sentence a treatment; single doses that follow one another and differ by their days only share one.

    Where `exact`, they are read back as the same treatments; otherwise numbers are rounded to four digits.
    """
    groups: list[list[Treatment]] = []
    for one in treatments:
        if groups and len(groups[-1]) < MOST_DAYS and _same_but_day(groups[-1][-1], one):
            groups[-1].append(one)
        else:
            groups.append([one])
    return tuple(_sentence(group[0], [one.start for one in group], exact) for group in groups)


def _same_but_day(a: Treatment, b: Treatment) -> bool:
    plain = not (b.schedule or b.skipped_doses or b.at_steady_state)
    return plain and a.start % DAY == b.start % DAY == 0 and replace(a, start=b.start) == b


def _sentence(given: Treatment, starts: Sequence[float], exact: bool) -> str:
    """One treatment as words; several `starts` (h) are all the beginning of a day."""
    parts = [given.drug]
    if given.amount is not None:
        parts.append(f"{number_text(given.amount, exact=exact)} {given.unit}")
    parts += [f"as {given.salt}"] if given.salt != "base" else []
    parts += [given.route] if given.route else []
    parts += [f"over {duration_text(given.duration, exact=exact)}"] if given.duration else []
    parts += _start_words(starts, exact, repeated=bool(given.schedule))
    phases = ", then ".join(_phase_words(phase, exact) for phase in given.schedule)
    return " ".join([*parts, phases] if phases else parts) + _taken_words(given, exact)


def _start_words(starts: Sequence[float], exact: bool, *, repeated: bool) -> list[str]:
    if list(starts) == [0.0]:
        return []
    if any(start % DAY for start in starts):
        return [f"at {duration_text(starts[0], exact=exact)}"]
    days = [int(start / DAY) + 1 for start in starts]
    if len(days) == 1:
        return [f"{'from' if repeated else 'on'} day {days[0]}"]
    return [f"on days {_list_words(days)}"]


def _phase_words(phase: Phase, exact: bool) -> str:
    if phase.interval is not None:
        rhythm = EVERY.get(phase.interval) or f"every {duration_text(phase.interval, exact=exact)}"
    else:
        rhythm = TIMES.get(phase.times_a_week or 1) or f"{phase.times_a_week} times a week"
    return rhythm + (f" for {duration_text(phase.duration, exact=exact)}" if phase.duration is not None else "")


def _taken_words(given: Treatment, exact: bool) -> str:
    words = f", lag {duration_text(given.lag, exact=exact)}" if given.lag else ""
    if given.skipped_doses:
        words += f", missing {'dose' if len(given.skipped_doses) == 1 else 'doses'} {_list_words(given.skipped_doses)}"
    if given.miss_probability:
        words += f", missing {_percent_text(given.miss_probability, exact)} %"
    return words + (", at steady state" if given.at_steady_state else "")


def _percent_text(share: float, exact: bool) -> str:
    """The percentage that is read back as this share."""
    return number_text(float(Decimal(repr(share)) * 100), exact=exact)


def _list_words(numbers: Sequence[int]) -> str:
    """1, 4 and 8; more than two in a row as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [
        word
        for run in runs
        for word in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(number) for number in run])
    ]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
