"""Input profile: boluses and piecewise-constant inflows by state, independent of the regimen that causes them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from ketamech.dosing.dose_event import DoseEvent

TIME_TOLERANCE = 1e-8  # h: times closer than this are one time
ROUNDING = 1e-9  # of the largest size: rounding error of numbers that were written and read


class TimeMap:
    """Sizes by hour, in order of time."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._sizes: dict[float, float] = {}

    def add(self, at: float, size: float) -> None:
        """Add to the size at a time."""
        where = self._known(at)
        if where is None:
            insort(self._times, where := at)
        self._sizes[where] = self._sizes.get(where, 0.0) + size

    def __getitem__(self, at: float) -> float:
        known = self._known(at)
        return 0.0 if known is None else self._sizes[known]

    def from_time(self, at: float) -> Iterator[tuple[float, float]]:
        """Times and sizes from a time on."""
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
        """The profile of dose events."""
        found = cls()
        for entry in entries:
            found.add(entry.compartment, float(entry.time), float(entry.amount), float(entry.duration))
        return found

    def copy(self) -> InputProfile:
        """A mutable copy."""
        return deepcopy(self)

    def add(self, state: str, at: float, amount: float, duration: float = 0.0) -> None:
        """Add a bolus, or an infusion over a `duration` (h); a negative amount is subtracted."""
        if not duration:
            self.amounts.setdefault(state, TimeMap()).add(at, amount)
            return
        self.step(state, at, amount / duration)
        self.step(state, at + duration, -amount / duration)

    def step(self, state: str, at: float, size: float) -> None:
        """Change an inflow from a time on."""
        self.steps.setdefault(state, TimeMap()).add(at, size)

    def amount(self, state: str, at: float) -> float:
        """The bolus into a state at a time."""
        return self.amounts[state][at] if state in self.amounts else 0.0

    def inflow(self, state: str, begin: float, end: float, since: float) -> float:
        """The smallest inflow into a state from `begin` to `end`; 0 before `since`."""
        speed, levels = 0.0, []
        for at, size in self.steps[state].from_time(since) if state in self.steps else ():
            if at >= end - TIME_TOLERANCE:
                break
            if at > begin + TIME_TOLERANCE:
                levels.append(speed)
            speed += size
        return min([*levels, speed])

    def changes(self, state: str, after: float) -> Iterator[float]:
        """Times after `after` at which the inflow into a state changes."""
        for at, size in self.steps[state].from_time(after) if state in self.steps else ():
            if at > after + TIME_TOLERANCE and size:
                yield at

    def first_difference(self, other: InputProfile) -> str:
        """The state and time of the first difference; empty for equal profiles."""
        for mine, theirs in ((self.amounts, other.amounts), (self.steps, other.steps)):
            for state in {**mine, **theirs}:
                one, two = mine.get(state, TimeMap()), theirs.get(state, TimeMap())
                least = ROUNDING * max(one.largest, two.largest)
                wrong = (at for at in sorted({*one, *two}) if abs(one[at] - two[at]) > least)
                if (at := next(wrong, None)) is not None:
                    return f"{state} at {at:g} h"
        return ""
