"""Route templates: the dose events of one mg, or one session, of every drug by every route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ketamech.core import InputError, convert
from ketamech.dosing.dose_event import DoseEvent
from ketamech.dosing.dose_events import BELIEF, dose_events
from ketamech.dosing.drugs import DRUGS, Drug
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.exchange.dose_inference.input_profile import TIME_TOLERANCE, InputProfile
from ketamech.parameters import ParameterTable

PROBE_DOSE = 1e-6  # mg; below the limits of every drug
MAX_DEVICES = 12  # of a nasal dose
INFUSION_ROUTES = ("IV", "SC")
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
            ends = [
                end
                for end in remaining.changes(flows[0].compartment, at)
                if remaining.inflow(flows[0].compartment, at, end, at) >= least
            ]
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
            duration = lasting if self.is_infused and part.duration else part.duration
            there = (
                left.steps[part.compartment][moment] * duration if duration else left.amount(part.compartment, moment)
            )
            if there > size * (1 + SESSION_TOLERANCE):
                return False
        return True

    def subtract(self, left: InputProfile, at: float, amount: float, lasting: float) -> None:
        """Subtract this amount from the profile."""
        for part in self.events:
            duration = lasting if self.is_infused and part.duration else part.duration
            left.add(part.compartment, at + part.time, -amount * self._size(part, lasting), duration)

    def treatment_of(self, at: float, amount: float, lasting: float) -> Treatment:
        """This amount as a treatment."""
        return replace(self.treatment, start=at, amount=None if self.is_counted else amount, duration=lasting)

    def _found(self, part: DoseEvent, left: InputProfile, at: float, lasting: float) -> float:
        begin, duration = at + part.time, lasting if self.is_infused and part.duration else part.duration
        if not duration:
            return left.amount(part.compartment, begin)
        return left.inflow(part.compartment, begin, begin + duration, at) * duration

    def _size(self, part: DoseEvent, lasting: float) -> float:
        return float(part.amount * (lasting / PROBE_DURATION if self.is_maintained and part.duration else 1.0))


def route_templates(parameters: ParameterTable, values: Mapping[str, float]) -> list[RouteTemplate]:
    """All templates, those with most events first (a part of a nasal dose is swallowed)."""
    found = [way for drug in DRUGS for way in _templates_of_drug(drug, parameters, values)]
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
            parts = tuple(replace(e, amount=e.amount / size) for e in given if e.compartment != BELIEF and e.amount)
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
    if route in INFUSION_ROUTES:
        yield PROBE_DOSE, PROBE_DURATION
