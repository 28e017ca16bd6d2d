"""Route templates: the dose events of one mg, or one session, of every drug by every route.

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

    def add(self, time: float, size: float) -> None:
        """Add to the size at a time."""
        known_time = self._known_time(time)
        if known_time is None:
            insort(self._times, known_time := time)
        self._sizes[known_time] = self._sizes.get(known_time, 0.0) + size

    def __getitem__(self, time: float) -> float:
        known_time = self._known_time(time)
        return 0.0 if known_time is None else self._sizes[known_time]

    def from_time(self, time: float) -> Iterator[tuple[float, float]]:
        """Times and sizes from a time on."""
        for i in range(bisect_left(self._times, time - TIME_TOLERANCE), len(self._times)):
            yield self._times[i], self._sizes[self._times[i]]

    def __iter__(self) -> Iterator[float]:
        return iter(self._times)

    @property
    def largest(self) -> float:
        """The largest absolute size."""
        return max(map(abs, self._sizes.values()), default=0.0)

    def _known_time(self, time: float) -> float | None:
        i = bisect_left(self._times, time - TIME_TOLERANCE)
        return self._times[i] if i < len(self._times) and self._times[i] <= time + TIME_TOLERANCE else None


@dataclass
class InputProfile:
    """Sizes by hour for each (AMOUNT, state): boluses, and each (STEP, state): changes of inflow (state unit per h)."""

    sizes: defaultdict[tuple[str, str], TimeMap] = field(default_factory=lambda: defaultdict(TimeMap))

    @classmethod
    def of(cls, events: Iterable[DoseEvent]) -> InputProfile:
        """The profile of dose events."""
        profile = cls()
        for event in events:
            profile.add(event.compartment, float(event.time), float(event.amount), float(event.duration))
        return profile

    def add(self, state: str, time: float, amount: float, duration: float = 0.0) -> None:
        """Add a bolus, or an infusion over a `duration` (h); a negative amount is subtracted."""
        if duration:
            self.step(state, time, amount / duration)
            self.step(state, time + duration, -amount / duration)
        else:
            self.sizes[AMOUNT, state].add(time, amount)

    def step(self, state: str, time: float, size: float) -> None:
        """Change an inflow from a time on."""
        self.sizes[STEP, state].add(time, size)

    def of_kind(self, kind: str, state: str) -> TimeMap:
        """The boluses into a state (AMOUNT), or the changes of its inflow (STEP)."""
        return self.sizes.get((kind, state), TimeMap())

    def inflow(self, state: str, begin: float, end: float, since: float) -> float:
        """The smallest inflow into a state from `begin` to `end`; 0 before `since`."""
        rate, rates = 0.0, []
        for time, size in self.of_kind(STEP, state).from_time(since):
            if time >= end - TIME_TOLERANCE:
                break
            if time > begin + TIME_TOLERANCE:
                rates.append(rate)
            rate += size
        return min([*rates, rate])

    def changes(self, state: str, after: float) -> Iterator[float]:
        """Times after `after` at which the inflow into a state changes."""
        steps = self.of_kind(STEP, state).from_time(after)
        return (time for time, size in steps if time > after + TIME_TOLERANCE and size)

    def first_difference(self, other: InputProfile) -> str:
        """The state and time of the first difference; empty for equal profiles."""
        for kind, state in sorted({**self.sizes, **other.sizes}, key=lambda key: key[0]):
            mine, theirs = self.of_kind(kind, state), other.of_kind(kind, state)
            tolerance = ROUNDING * max(mine.largest, theirs.largest)
            differing = (time for time in sorted({*mine, *theirs}) if abs(mine[time] - theirs[time]) > tolerance)
            if (time := next(differing, None)) is not None:
                return f"{state} at {time:g} h"
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
        return not self.is_infused and len({event.duration > 0 for event in self.events}) > 1

    @property
    def compartments(self) -> frozenset[str]:
        """Compartments of the events at time 0."""
        return frozenset(event.compartment for event in self.events if not event.time)

    def duration_at(self, remaining: InputProfile, time: float) -> float | None:
        """The duration (h) at a time, where it is variable; None where the template does not fit."""
        if not self.is_infused:
            return 0.0
        infusions = [event for event in self.events if event.duration]
        if self.is_maintained:
            lowest = min(event.amount / PROBE_DURATION for event in infusions) * (1 - SESSION_TOLERANCE)
            state = infusions[0].compartment
            ends = [end for end in remaining.changes(state, time) if remaining.inflow(state, time, end, time) >= lowest]
            return max(ends) - time if ends else None
        if self.is_counted:
            rate = remaining.inflow(infusions[0].compartment, time, time + 2 * TIME_TOLERANCE, time)
            return infusions[0].amount / rate if rate > 0 else None
        first = min((next(remaining.changes(event.compartment, time), time) for event in infusions), default=time)
        return first - time if first > time else None

    def max_amount(self, remaining: InputProfile, time: float, duration: float) -> float:
        """The largest amount (mg, sessions) contained in the remaining profile at a time."""
        return min(
            self._contained_amount(event, remaining, time, duration) / self._size(event, duration)
            for event in self.events
        )

    def explains_all(self, remaining: InputProfile, time: float, amount: float, duration: float) -> bool:
        """Whether this amount explains all inputs at its times."""
        for event in self.events:
            event_time, size = time + event.time, amount * self._size(event, duration)
            state, event_duration = event.compartment, self._duration(event, duration)
            present = remaining.of_kind(STEP if event_duration else AMOUNT, state)[event_time] * (event_duration or 1.0)
            if present > size * (1 + SESSION_TOLERANCE):
                return False
        return True

    def ends_there(self, remaining: InputProfile, time: float, amount: float, duration: float) -> bool:
        """Whether every inflow of this template also ends in the remaining profile, and is no part of a longer one."""
        for event in self.events:
            event_duration = self._duration(event, duration)
            rate = amount * self._size(event, duration) / (event_duration or 1.0)
            end = remaining.of_kind(STEP, event.compartment)[time + event.time + event_duration]
            if event_duration and end > -rate * (1 - SESSION_TOLERANCE):
                return False
        return True

    def subtract(self, remaining: InputProfile, time: float, amount: float, duration: float) -> None:
        """Subtract this amount from the profile."""
        for event in self.events:
            size = -amount * self._size(event, duration)
            remaining.add(event.compartment, time + event.time, size, self._duration(event, duration))

    def treatment_of(self, time: float, amount: float, duration: float) -> Treatment:
        """This amount as a treatment."""
        return replace(self.treatment, start=time, amount=None if self.is_counted else amount, duration=duration)

    def _contained_amount(self, event: DoseEvent, remaining: InputProfile, time: float, duration: float) -> float:
        begin, event_duration = time + event.time, self._duration(event, duration)
        if not event_duration:
            return remaining.of_kind(AMOUNT, event.compartment)[begin]
        return remaining.inflow(event.compartment, begin, begin + event_duration, time) * event_duration

    def _duration(self, event: DoseEvent, duration: float) -> float:
        return duration if self.is_infused and event.duration else float(event.duration)

    def _size(self, event: DoseEvent, duration: float) -> float:
        return float(event.amount * (duration / PROBE_DURATION if self.is_maintained and event.duration else 1.0))


def route_templates(parameters: ParameterTable, values: Mapping[str, float]) -> list[RouteTemplate]:
    """All templates, those with most events first (a part of a nasal dose is swallowed)."""
    templates = [template for drug in load_drugs() for template in _templates_of_drug(drug, parameters, values)]
    template_by_events = {
        (*((event.time, event.compartment, event.duration) for event in template.events), template.is_infused): template
        for template in templates[::-1]
    }
    return sorted(template_by_events.values(), key=lambda template: (-len(template.events), template.is_infused))


def _templates_of_drug(drug: Drug, parameters: ParameterTable, values: Mapping[str, float]) -> Iterator[RouteTemplate]:
    device_amount = values.get("drug.nasal_device", parameters["drug.nasal_device"].canonical)
    device = convert(device_amount, parameters["drug.nasal_device"].canonical_unit, "mg")
    for route in drug.routes:
        for amount, duration in _probe_doses(drug, route, device):
            unit = "" if drug.is_session else "mg"
            treatment = Treatment(drug.name, amount, unit, route, duration)
            try:
                events = dose_events(Regimen((treatment,)), parameters, values, PROBE_DURATION)
            except InputError:  # beyond the dose limits
                continue
            size = 1.0 if amount is None else amount
            unit_events = tuple(replace(e, amount=e.amount / size) for e in without_expectancy(events) if e.amount)
            if unit_events:
                yield RouteTemplate(treatment, unit_events, duration > 0)


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
