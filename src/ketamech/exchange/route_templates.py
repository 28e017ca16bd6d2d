"""

Route templates: the dose events of one mg, or one session, of every drug by every route.

Input profile: boluses and piecewise-constant inflows by state, independent of the regimen that causes them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ketamech.core import InputError, convert
from ketamech.dosing.dose_events import DoseEvent, dose_events, without_expectancy
from ketamech.dosing.drugs import Drug, load_drugs, timed_routes
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.parameters import ParameterTable

AMOUNT, STEP = "amount", "step"  # kinds of inputs
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
    """Sizes by hour for each (AMOUNT, state): boluses, and each (STEP, state): changes of inflow (state unit per h)."""

    sizes: defaultdict[tuple[str, str], TimeMap] = field(default_factory=lambda: defaultdict(TimeMap))

    @classmethod
    def of(cls, entries: Iterable[DoseEvent]) -> InputProfile:
        """The profile of dose events."""
        found = cls()
        for entry in entries:
            found.add(entry.compartment, float(entry.time), float(entry.amount), float(entry.duration))
        return found

    def add(self, state: str, at: float, amount: float, duration: float = 0.0) -> None:
        """Add a bolus, or an infusion over a `duration` (h); a negative amount is subtracted."""
        if duration:
            self.step(state, at, amount / duration)
            self.step(state, at + duration, -amount / duration)
        else:
            self.sizes[AMOUNT, state].add(at, amount)

    def step(self, state: str, at: float, size: float) -> None:
        """Change an inflow from a time on."""
        self.sizes[STEP, state].add(at, size)

    def of_kind(self, kind: str, state: str) -> TimeMap:
        """The boluses into a state (AMOUNT), or the changes of its inflow (STEP)."""
        return self.sizes.get((kind, state), TimeMap())

    def inflow(self, state: str, begin: float, end: float, since: float) -> float:
        """The smallest inflow into a state from `begin` to `end`; 0 before `since`."""
        speed, levels = 0.0, []
        for at, size in self.of_kind(STEP, state).from_time(since):
            if at >= end - TIME_TOLERANCE:
                break
            if at > begin + TIME_TOLERANCE:
                levels.append(speed)
            speed += size
        return min([*levels, speed])

    def changes(self, state: str, after: float) -> Iterator[float]:
        """Times after `after` at which the inflow into a state changes."""
        steps = self.of_kind(STEP, state).from_time(after)
        return (at for at, size in steps if at > after + TIME_TOLERANCE and size)

    def first_difference(self, other: InputProfile) -> str:
        """The state and time of the first difference; empty for equal profiles."""
        for kind, state in sorted({**self.sizes, **other.sizes}, key=lambda key: key[0]):
            one, two = self.of_kind(kind, state), other.of_kind(kind, state)
            least = ROUNDING * max(one.largest, two.largest)
            wrong = (at for at in sorted({*one, *two}) if abs(one[at] - two[at]) > least)
            if (at := next(wrong, None)) is not None:
                return f"{state} at {at:g} h"
        return ""


PROBE_DOSE = 1e-6  # mg; below the limits of every drug
MAX_DEVICES = 12  # of a nasal dose
PROBE_DURATION = 1.0  # h; duration of a probe infusion
SESSION_TOLERANCE = 1e-6  # of a whole session


@dataclass(frozen=True)
class RouteTemplate:
    """One drug by one route: the dose `events` of one mg, or one session.

    An infusion has any duration; its events are those of PROBE_DURATION.
    """

    treatment: Treatment
    events: tuple[DoseEvent, ...]
    is_infused: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether the amount is a number of sessions."""
        return self.treatment.substance.is_session

    @property
    def is_maintained(self) -> bool:
        """Whether a level is maintained for the duration: the rate is then fixed, not the amount."""
        return self.is_infused and self.treatment.substance.maintenance_elimination is not None

    @property
    def is_mixed(self) -> bool:
        """Whether one part is a bolus and another an infusion (nasal, sublingual)."""
        return not self.is_infused and len({part.duration > 0 for part in self.events}) > 1

    @property
    def compartments(self) -> frozenset[str]:
        """Compartments of the events at time 0."""
        return frozenset(part.compartment for part in self.events if not part.time)

    def duration_at(self, remaining: InputProfile, at: float) -> float | None:
        """The duration (h) at a time, where it is variable; None where the template does not fit."""
        if not self.is_infused:
            return 0.0
        flows = [part for part in self.events if part.duration]
        if self.is_maintained:
            least = min(part.amount / PROBE_DURATION for part in flows) * (1 - SESSION_TOLERANCE)
            state = flows[0].compartment
            ends = [end for end in remaining.changes(state, at) if remaining.inflow(state, at, end, at) >= least]
            return max(ends) - at if ends else None
        if self.is_counted:
            speed = remaining.inflow(flows[0].compartment, at, at + 2 * TIME_TOLERANCE, at)
            return flows[0].amount / speed if speed > 0 else None
        change = min((next(remaining.changes(part.compartment, at), at) for part in flows), default=at)
        return change - at if change > at else None

    def max_amount(self, left: InputProfile, at: float, lasting: float) -> float:
        """The largest amount (mg, sessions) contained in the remaining profile at a time."""
        return min(self._found(part, left, at, lasting) / self._size(part, lasting) for part in self.events)

    def explains_all(self, left: InputProfile, at: float, amount: float, lasting: float) -> bool:
        """Whether this amount explains all inputs at its times."""
        for part in self.events:
            moment, size = at + part.time, amount * self._size(part, lasting)
            state, duration = part.compartment, self._duration(part, lasting)
            there = left.of_kind(STEP if duration else AMOUNT, state)[moment] * (duration or 1.0)
            if there > size * (1 + SESSION_TOLERANCE):
                return False
        return True

    def ends_there(self, left: InputProfile, at: float, amount: float, lasting: float) -> bool:
        """Whether every inflow of this template also ends in the remaining profile, and is no part of a longer one."""
        for part in self.events:
            duration = self._duration(part, lasting)
            speed = amount * self._size(part, lasting) / (duration or 1.0)
            end = left.of_kind(STEP, part.compartment)[at + part.time + duration]
            if duration and end > -speed * (1 - SESSION_TOLERANCE):
                return False
        return True

    def subtract(self, left: InputProfile, at: float, amount: float, lasting: float) -> None:
        """Subtract this amount from the profile."""
        for part in self.events:
            size = -amount * self._size(part, lasting)
            left.add(part.compartment, at + part.time, size, self._duration(part, lasting))

    def treatment_of(self, at: float, amount: float, lasting: float) -> Treatment:
        """This amount as a treatment."""
        return replace(self.treatment, start=at, amount=None if self.is_counted else amount, duration=lasting)

    def _found(self, part: DoseEvent, left: InputProfile, at: float, lasting: float) -> float:
        begin, duration = at + part.time, self._duration(part, lasting)
        if not duration:
            return left.of_kind(AMOUNT, part.compartment)[begin]
        return left.inflow(part.compartment, begin, begin + duration, at) * duration

    def _duration(self, part: DoseEvent, lasting: float) -> float:
        return lasting if self.is_infused and part.duration else float(part.duration)

    def _size(self, part: DoseEvent, lasting: float) -> float:
        return float(part.amount * (lasting / PROBE_DURATION if self.is_maintained and part.duration else 1.0))


def route_templates(parameters: ParameterTable, values: Mapping[str, float]) -> list[RouteTemplate]:
    """All templates, those with most events first (a part of a nasal dose is swallowed)."""
    found = [way for drug in load_drugs() for way in _templates_of_drug(drug, parameters, values)]
    kinds = {
        (*((part.time, part.compartment, part.duration) for part in way.events), way.is_infused): way
        for way in found[::-1]
    }
    return sorted(kinds.values(), key=lambda way: (-len(way.events), way.is_infused))


def _templates_of_drug(drug: Drug, parameters: ParameterTable, values: Mapping[str, float]) -> Iterator[RouteTemplate]:
    weight = values.get("drug.nasal_device", parameters["drug.nasal_device"].canonical)
    device = convert(weight, parameters["drug.nasal_device"].canonical_unit, "mg")
    for route in drug.routes:
        for amount, duration in _probe_doses(drug, route, device):
            unit = "" if drug.is_session else "mg"
            treatment = Treatment(drug.name, amount, unit, route, duration)
            try:
                given = dose_events(Regimen((treatment,)), parameters, values, PROBE_DURATION)
            except InputError:  # beyond the dose limits
                continue
            size = 1.0 if amount is None else amount
            parts = tuple(replace(e, amount=e.amount / size) for e in without_expectancy(given) if e.amount)
            if parts:
                yield RouteTemplate(treatment, parts, duration > 0)


def _probe_doses(drug: Drug, route: str, device: float) -> Iterator[tuple[float | None, float]]:
    """Representative amounts (mg) and durations (h); every dose is a multiple of one of them."""
    if drug.is_session:
        yield None, 0.0
        if drug.maintenance_elimination or drug.infused_session:
            yield None, PROBE_DURATION
        return
    if route == "nasal":
        yield from ((n * device, 0.0) for n in range(1, MAX_DEVICES + 1))
        return
    yield PROBE_DOSE, 0.0
    if route in timed_routes():
        yield PROBE_DOSE, PROBE_DURATION
