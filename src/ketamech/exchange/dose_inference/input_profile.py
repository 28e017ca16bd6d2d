"""What enters a body, whoever gives it: amounts at once, and inflows that are constant between two changes.

Two regimens that put the same into the same places at the same time are one and the same here.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from ketamech.dosing.dose_event import DoseEvent

TIME_TOLERANCE = 1e-8  # h: times closer than this are one time
ROUNDING = 1e-9  # of the largest size: what is left of numbers that were written and read again


class TimeMap:
    """Sizes by hour, in order of time."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._sizes: dict[float, float] = {}

    def add(self, at: float, size: float) -> None:
        """Add to what is there."""
        where = self._known(at)
        if where is None:
            insort(self._times, where := at)
        self._sizes[where] = self._sizes.get(where, 0.0) + size

    def __getitem__(self, at: float) -> float:
        known = self._known(at)
        return 0.0 if known is None else self._sizes[known]

    def elapsed(self, at: float) -> Iterator[tuple[float, float]]:
        """Hours and sizes from a time on."""
        for i in range(bisect_left(self._times, at - TIME_TOLERANCE), len(self._times)):
            yield self._times[i], self._sizes[self._times[i]]

    def __iter__(self) -> Iterator[float]:
        return iter(self._times)

    @property
    def largest(self) -> float:
        """The largest size, either way."""
        return max(map(abs, self._sizes.values()), default=0.0)

    def _known(self, at: float) -> float | None:
        i = bisect_left(self._times, at - TIME_TOLERANCE)
        return self._times[i] if i < len(self._times) and self._times[i] <= at + TIME_TOLERANCE else None


@dataclass
class InputProfile:
    """Amounts by state and hour, and changes of inflow (state unit per h) by state and hour."""

    amounts: dict[str, TimeMap] = field(default_factory=dict)
    steps: dict[str, TimeMap] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[DoseEvent]) -> InputProfile:
        """What entries put in."""
        found = cls()
        for entry in entries:
            found.add(entry.compartment, float(entry.time), float(entry.amount), float(entry.duration))
        return found

    def copy(self) -> InputProfile:
        """Another one that can be changed."""
        return deepcopy(self)

    def add(self, state: str, at: float, amount: float, duration: float = 0.0) -> None:
        """Put in an amount at once or evenly over a `duration` (h); a negative one is taken out again."""
        if not duration:
            self.amounts.setdefault(state, TimeMap()).add(at, amount)
            return
        self.step(state, at, amount / duration)
        self.step(state, at + duration, -amount / duration)

    def step(self, state: str, at: float, size: float) -> None:
        """Change an inflow from a time on."""
        self.steps.setdefault(state, TimeMap()).add(at, size)

    def amount(self, state: str, at: float) -> float:
        """What enters a state at once."""
        return self.amounts[state][at] if state in self.amounts else 0.0

    def inflow(self, state: str, begin: float, end: float, since: float) -> float:
        """The least inflow into a state from `begin` to `end`, where there is none before `since`."""
        speed, levels = 0.0, []
        for at, size in self.steps[state].elapsed(since) if state in self.steps else ():
            if at >= end - TIME_TOLERANCE:
                break
            if at > begin + TIME_TOLERANCE:
                levels.append(speed)
            speed += size
        return min([*levels, speed])

    def changes(self, state: str, after: float) -> Iterator[float]:
        """Hours at which the inflow into a state changes, later than a time."""
        for at, size in self.steps[state].elapsed(after) if state in self.steps else ():
            if at > after + TIME_TOLERANCE and size:
                yield at

    def first_difference(self, other: InputProfile) -> str:
        """Where two first put in something else; empty where they do not."""
        for mine, theirs in ((self.amounts, other.amounts), (self.steps, other.steps)):
            for state in {**mine, **theirs}:
                one, two = mine.get(state, TimeMap()), theirs.get(state, TimeMap())
                least = ROUNDING * max(one.largest, two.largest)
                wrong = (at for at in sorted({*one, *two}) if abs(one[at] - two[at]) > least)
                if (at := next(wrong, None)) is not None:
                    return f"{state} at {at:g} h"
        return ""
