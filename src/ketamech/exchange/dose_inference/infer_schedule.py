"""Single doses -> rhythms: equal doses at equal distances become one treatment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ketamech.dosing.treatment import Phase, Treatment
from ketamech.exchange.dose_inference.input_profile import TIME_TOLERANCE

TIME_RESOLUTION = TIME_TOLERANCE / 100  # h
MAX_PERIODS = 8  # distances from the first dose that are tried as a rhythm
RELATIVE_TOLERANCE = 1e-9  # of an amount or a speed


def merge_contiguous(doses: Iterable[Treatment]) -> list[Treatment]:
    """Infusions that follow one another at one speed as one infusion; doses in order of time."""
    found: list[Treatment] = []
    last: dict[tuple[str, str], int] = {}
    for dose in doses:
        key = (dose.drug, dose.route)
        before = found[last[key]] if dose.duration and key in last else None
        if before is not None and _goes_on(before, dose):
            joined = before.duration + dose.duration
            amount = None if dose.amount is None else (before.amount or 0.0) + dose.amount
            found[last[key]] = replace(before, amount=amount, duration=joined)
            continue
        last[key] = len(found)
        found.append(dose)
    return found


def _goes_on(before: Treatment, dose: Treatment) -> bool:
    if not before.duration or dose.amount is None or before.amount is None:
        return False
    speed, other = before.amount / before.duration, dose.amount / dose.duration
    return (
        abs(before.start + before.duration - dose.start) <= TIME_TOLERANCE
        and abs(speed - other) <= RELATIVE_TOLERANCE * speed
    )


def infer_schedules(doses: Sequence[Treatment]) -> tuple[Treatment, ...]:
    """The same doses as few treatments, in order of their first dose."""
    kinds: dict[tuple[object, ...], list[Treatment]] = {}
    for dose in doses:
        amount = None if dose.amount is None else f"{dose.amount:.8g}"
        kinds.setdefault((dose.drug, dose.route, amount, f"{dose.duration:.8g}", f"{dose.lag:.8g}"), []).append(dose)
    tried = ([list(_treatments(alike, far)) for far in (1, MAX_PERIODS)] for alike in kinds.values())
    found = [one for ways in tried for one in min(ways, key=len)]
    return tuple(sorted(found, key=lambda one: one.start))


def _treatments(alike: list[Treatment], far: int) -> Iterator[Treatment]:
    """Rhythms whose second dose is one of the next `far` ones."""
    left = sorted(alike, key=lambda one: one.start)
    while left:
        first = left[0]
        tried = (_members(left, other.start - first.start) for other in islice(left, 1, far + 1))
        taken = max(tried, key=len, default=[0])
        number = len(taken)
        gap = (left[taken[-1]].start - first.start) / max(1, number - 1)
        gap = _round_number(gap, TIME_RESOLUTION / number)
        lasting = _round_number(first.duration, RELATIVE_TOLERANCE / 100 * first.duration)
        whole = replace(
            first,
            start=_round_number(first.start, TIME_RESOLUTION),
            duration=lasting,
            lag=_round_number(first.lag, TIME_RESOLUTION),
        )
        yield whole if number == 1 else replace(whole, schedule=(Phase(interval=gap, duration=number * gap),))
        gone = set(taken)
        left = [one for i, one in enumerate(left) if i not in gone]


def _members(doses: Sequence[Treatment], gap: float) -> list[int]:
    """Which doses lie on the rhythm that begins with the first one."""
    if gap <= TIME_TOLERANCE:
        return [0]
    found, due = [0], doses[0].start + gap
    for i, dose in enumerate(doses):
        if dose.start > due + TIME_TOLERANCE:
            break
        if i and abs(dose.start - due) <= TIME_TOLERANCE:
            found.append(i)
            due = doses[0].start + len(found) * gap
    return found


def _round_number(number: float, close: float) -> float:
    """The shortest decimal as `close` to a number."""
    shorter = (float(f"{number:.{digits}g}") for digits in (3, 6, 9, 12))
    return next((short for short in shorter if abs(short - number) < close), number)
