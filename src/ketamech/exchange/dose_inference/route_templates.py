"""Every way in which something can be given, as what it puts where: the giving of doses, read backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ketamech.core import InputError, convert
from ketamech.dosing.dose_event import DoseEvent
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.drugs import DRUGS, Drug
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.exchange.dose_inference.input_profile import TIME_TOLERANCE, InputProfile
from ketamech.parameters import ParameterTable

BELIEF = "expectancy.belief"
PROBE_DOSE = 1e-6  # mg: too little to be refused for any drug
MAX_DEVICES = 12  # of a nasal dose
INFUSED = ("IV", "SC")
PROBE_DURATION = 1.0  # h: a duration to try
SESSION_TOLERANCE = 1e-6  # of a whole session


@dataclass(frozen=True)
class RouteTemplate:
    """One drug by one route: what one mg, or one session, puts where.

    An `infused` one lasts as long as is asked for; the parts are then those of `ANY` h.
    """

    treatment: Treatment
    parts: tuple[DoseEvent, ...]
    infused: bool = False

    @property
    def counted(self) -> bool:
        """Whether it is counted in sessions, not weighed."""
        return self.treatment.substance.is_session

    @property
    def is_maintained(self) -> bool:
        """Whether something is kept up for as long as it lasts: then its speed is fixed, not its amount."""
        return self.infused and self.treatment.substance.maintenance_elimination is not None

    @property
    def mixed(self) -> bool:
        """Whether some of it enters at once and some bit by bit: what is sprayed, or held under the tongue."""
        return not self.infused and len({part.duration > 0 for part in self.parts}) > 1

    @property
    def places(self) -> frozenset[str]:
        """What it enters first."""
        return frozenset(part.compartment for part in self.parts if not part.time)

    def duration_at(self, remaining: InputProfile, at: float) -> float | None:
        """For how long (h) it is given at a time, where that is free; None where it cannot be given then."""
        if not self.infused:
            return 0.0
        flows = [part for part in self.parts if part.duration]
        if self.is_maintained:
            least = min(part.amount / PROBE_DURATION for part in flows) * (1 - SESSION_TOLERANCE)
            ends = [
                end
                for end in remaining.changes(flows[0].compartment, at)
                if remaining.inflow(flows[0].compartment, at, end, at) >= least
            ]
            return max(ends) - at if ends else None
        if self.counted:
            speed = remaining.inflow(flows[0].compartment, at, at + 2 * TIME_TOLERANCE, at)
            return flows[0].amount / speed if speed > 0 else None
        change = min((next(remaining.changes(part.compartment, at), at) for part in flows), default=at)
        return change - at if change > at else None

    def max_amount(self, left: InputProfile, at: float, lasting: float) -> float:
        """How much of it (mg, sessions) is contained in what is left at a time."""
        return min(self._found(part, left, at, lasting) / self._size(part, lasting) for part in self.parts)

    def explains_all(self, left: InputProfile, at: float, amount: float, lasting: float) -> bool:
        """Whether so much of it is all that enters at its moments."""
        for part in self.parts:
            moment, size = at + part.time, amount * self._size(part, lasting)
            duration = lasting if self.infused and part.duration else part.duration
            there = (
                left.steps[part.compartment][moment] * duration if duration else left.amount(part.compartment, moment)
            )
            if there > size * (1 + SESSION_TOLERANCE):
                return False
        return True

    def subtract(self, left: InputProfile, at: float, amount: float, lasting: float) -> None:
        """Take so much of it out."""
        for part in self.parts:
            duration = lasting if self.infused and part.duration else part.duration
            left.add(part.compartment, at + part.time, -amount * self._size(part, lasting), duration)

    def amount_given(self, at: float, amount: float, lasting: float) -> Treatment:
        """So much of it as a treatment."""
        return replace(self.treatment, start=at, amount=None if self.counted else amount, duration=lasting)

    def _found(self, part: DoseEvent, left: InputProfile, at: float, lasting: float) -> float:
        begin, duration = at + part.time, lasting if self.infused and part.duration else part.duration
        if not duration:
            return left.amount(part.compartment, begin)
        return left.inflow(part.compartment, begin, begin + duration, at) * duration

    def _size(self, part: DoseEvent, lasting: float) -> float:
        return float(part.amount * (lasting / PROBE_DURATION if self.is_maintained and part.duration else 1.0))


def route_templates(parameters: ParameterTable, values: Mapping[str, float]) -> list[RouteTemplate]:
    """All ways for a person, those with the most parts first: what is sprayed is swallowed, too."""
    found = [way for drug in DRUGS for way in _ways(drug, parameters, values)]
    kinds = {
        (*((part.time, part.compartment, part.duration) for part in way.parts), way.infused): way for way in found[::-1]
    }
    return sorted(kinds.values(), key=lambda way: (-len(way.parts), way.infused))


def _ways(drug: Drug, parameters: ParameterTable, values: Mapping[str, float]) -> Iterator[RouteTemplate]:
    weight = values.get("drug.nasal_device", parameters["drug.nasal_device"].canonical)
    device = convert(weight, parameters["drug.nasal_device"].canonical_unit, "mg")
    for route in drug.routes:
        for amount, duration in _tries(drug, route, device):
            unit = "" if drug.is_session else "mg"
            treatment = Treatment(drug.name, amount, unit, route, duration)
            try:
                given = dose_events(Regimen((treatment,)), parameters, values, PROBE_DURATION)
            except InputError:  # more than anyone is given
                continue
            size = 1.0 if amount is None else amount
            parts = tuple(replace(e, amount=e.amount / size) for e in given if e.compartment != BELIEF and e.amount)
            if parts:
                yield RouteTemplate(treatment, parts, duration > 0)


def _tries(drug: Drug, route: str, device: float) -> Iterator[tuple[float | None, float]]:
    """Amounts (mg) and durations (h) that stand for all: what is given is a multiple of one of them."""
    if drug.is_session:
        yield None, 0.0
        if drug.maintenance_elimination or drug.infused_session:
            yield None, PROBE_DURATION
        return
    if route == "nasal":
        yield from ((n * device, 0.0) for n in range(1, MAX_DEVICES + 1))
        return
    yield PROBE_DOSE, 0.0
    if route in INFUSED:
        yield PROBE_DOSE, PROBE_DURATION
