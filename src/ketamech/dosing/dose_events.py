"""Dose events: the amounts (umol) of a regimen, the times (h) and the states of the model that they enter.

Visits for a treatment raise expectancy, which is among the dose events (`Visits`); the control has it without the drug.

Parameter values may be arrays [patient]; the dose events then hold arrays of the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ketamech.core import InputError, convert
from ketamech.core.units import GRAMS_PER_MOLE
from ketamech.dosing.drugs import Absorption, absorption, load_drugs
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_DOSES, Treatment
from ketamech.parameters import load_parameters

Quantity = Any  # a float, or an array [patient] where dose events of many patients are worked out together


@dataclass(frozen=True)
class DoseEvent:
    """An `amount` (state unit) enters a state at `time` (h), at once or evenly over `duration` (h).

    For many patients together each of the three is one number for all or an array [patient].
    """

    time: Quantity
    compartment: str
    amount: Quantity
    duration: Quantity = 0.0


ParameterLookup = Callable[[str], Quantity]
AbsorbedPart = tuple[Quantity, str, Quantity, Quantity]  # delay (h), site, fraction of the dose, duration (h)
AdherenceFunction = Callable[[int, int], Quantity]
BELIEF = "expectancy.belief"  # the state that every visit raises in humans
ANTICIPATION = "expectancy.anticipation"  # the state that a visit for a procedure raises too
ROUNDING = 1e-9  # relative allowance for rounding when a dose is compared with its limit


def parameter_lookup(parameters: Mapping[str, object], values: Mapping[str, Quantity]) -> ParameterLookup:
    """Looks up parameters by name: `values` (canonical units), which differ from the table `parameters`."""

    def number(name: str) -> Quantity:
        return values[name] if name in values else parameters[name].canonical  # type: ignore[attr-defined]

    return number


def dose_events(
    regimen: Regimen, parameters: Mapping[str, object], values: Mapping[str, Quantity], horizon: float,
    adherence: AdherenceFunction | None = None, belief: Quantity = 1.0,
) -> tuple[DoseEvent, ...]:  # fmt: skip
    """Dose events before `horizon` (h), in order of time.

    `values` {parameter: number or [patient], canonical units} differ from `parameters`. `adherence(treatment index,
    dose index)` is the fraction of a dose that is taken, 0 or 1, as a number or [patient] (default: 1); doses that the
    regimen skips are not taken. A dose that is taken is a visit; one for a treatment that carries expectancy adds an
    expectancy event of size `belief`. Overlapping infusions of one drug add up.

    Raises InputError for a dose above the limit of the drug, for doses out of order, and for two operations or
    anaesthesias at once.
    """
    number = parameter_lookup(parameters, values)
    all_events: list[DoseEvent] = []
    doses = [(i, k, at) for i, t in enumerate(regimen.treatments) for k, at in t.taken(horizon).items()]
    if len(doses) > MAX_DOSES:
        raise InputError(f"more than {MAX_DOSES} doses", key="schedule", expected="a shorter or sparser schedule")
    shares = [adherence(i, k) if adherence else 1.0 for i, k, _ in doses]
    for (i, _, start), share in zip(doses, shares, strict=True):
        if np.any(share):
            events = _events_of_dose(regimen.treatments[i], start, number)
            all_events += [replace(e, amount=share * e.amount) for e in events]
    _check_overlaps(regimen, horizon)
    _check_event_order(regimen)
    visits = Visits(number("expectancy.visit_gap"))
    for (i, _, start), share in sorted(zip(doses, shares, strict=True), key=lambda dose: dose[0][2]):
        all_events += visits.events(regimen.treatments[i], start, share, belief)
    return tuple(sorted(all_events, key=lambda entry: float(np.min(entry.time))))


def micromoles(treatment: Treatment, number: ParameterLookup) -> Quantity:
    """One dose in umol of free base, or in the unit doses that the model uses for this substance."""
    drug, unit = treatment.substance, treatment.unit
    assert treatment.amount is not None
    milligrams = convert(treatment.amount, unit.split("/")[0], "mg") * body_size(unit, number("person.weight"))
    milligrams *= treatment.duration if unit.endswith("/h") else 1.0
    milligrams *= number("drug.hydrochloride_factor") if treatment.salt == "hydrochloride" else 1.0
    _check_dose_limits(treatment, milligrams, number)
    if drug.dose:
        return milligrams / number("person.weight") / milligrams_per_kilogram(drug.dose, number)
    assert drug.molar_mass is not None
    return convert(milligrams, "mg", "umol", molar_mass=number(drug.molar_mass) * GRAMS_PER_MOLE)


def body_surface_constants() -> tuple[float, float]:
    """Body surface (m2) at a weight of 1 kg, and the power of the weight."""
    rows = load_parameters()
    return rows["drug.body_surface"].value, rows["drug.body_surface_exponent"].value


def body_size(unit: str, weight: Quantity) -> Quantity:
    """What a dose in `unit` is multiplied by: the `weight` (kg), the body surface (m2) at this weight, or 1."""
    if "/m^2" in unit:
        coefficient, exponent = body_surface_constants()
        return coefficient * weight**exponent
    return weight if "/kg" in unit else 1.0


def milligrams_per_kilogram(dose: str, number: ParameterLookup) -> Quantity:
    """A dose in mg/kg: a quantity such as "2 ng/kg", or the name of a parameter."""
    size, _, printed = dose.partition(" ")
    return convert(float(size), printed, "mg/kg") if printed else number(dose) * 1e6


def _check_dose_limits(treatment: Treatment, milligrams: Quantity, number: ParameterLookup) -> None:
    """Raise InputError for a dose above the limit of the drug.

    Arrays [patient] are not checked: the limit was checked for the typical patient.
    """
    if np.ndim(number("person.weight")) or np.ndim(milligrams):
        return
    per_kilogram = milligrams / number("person.weight")
    most = milligrams_per_kilogram(treatment.substance.max_dose(treatment.route), number)
    hours = max(1.0, treatment.duration)
    if per_kilogram / hours > most * (1 + ROUNDING):
        unit, factor = ("ng", 1e6) if treatment.substance.dose else ("mg", 1.0)
        amount, each, limit = (x * factor for x in (milligrams, per_kilogram, most))
        what = f"{amount:g} {unit} of {treatment.drug} is {each:.3g} {unit}/kg, which is above the limit"
        expected = f"at most {limit:g} {unit}/kg an hour for {treatment.drug} {treatment.route}".strip()
        raise InputError(what, key="dose", expected=expected)


def _events_of_dose(treatment: Treatment, start: float, number: ParameterLookup) -> list[DoseEvent]:
    drug = treatment.substance
    start += treatment.lag
    if drug.is_session:
        return _session_events(treatment, start, number) if drug.compartment else []
    amount = micromoles(treatment, number)
    parts = [part for row in absorption(drug, treatment.route) for part in _parts(row, treatment, amount, number)]
    if drug.compartment:
        return [DoseEvent(start + delay, drug.compartment, part * amount, lasts) for delay, _, part, lasts in parts]
    return [
        DoseEvent(start + delay, f"pharmacokinetics.{site}_{enantiomer}", share * part * amount, duration)
        for enantiomer, share in drug.enantiomers.items()
        if share
        for delay, site, part, duration in parts
    ]


def _session_events(treatment: Treatment, start: float, number: ParameterLookup) -> list[DoseEvent]:
    """One unit of a session, and an infusion that balances its elimination for the duration of the session."""
    drug = treatment.substance
    assert drug.compartment is not None
    events = [DoseEvent(start, drug.compartment, 1.0, treatment.duration if drug.infused_session else 0.0)]
    if drug.maintenance_elimination and treatment.duration:
        lost = number(drug.maintenance_elimination) * treatment.duration
        events.append(DoseEvent(start, drug.compartment, lost, treatment.duration))
    return events


def _parts(row: Absorption, treatment: Treatment, amount: Quantity, number: ParameterLookup) -> list[AbsorbedPart]:
    """What enters one compartment: at once or over a duration, in one part or from consecutive devices of 28 mg."""
    duration = _duration(row, treatment.duration, number)
    if not row.device_interval:
        return [(0.0, row.compartment, _fraction(row, number), duration)]
    each = _devices(amount, number)
    later, ratio = number(row.later_fraction), number(row.japanese_ratio)
    japanese = 1 + (ratio - 1) * number("person.japanese")

    def absorbed(name: str) -> Quantity:
        """The mean absorbed fraction of the devices; later ones are absorbed less."""
        return np.minimum(1.0, number(name) * japanese * (1 + (each - 1) * later) / each)

    part, gap = _fraction(row, absorbed), number(row.device_interval)
    shares = [np.where(i < each, 1 / each, 0.0)[()] for i in range(int(np.max(each)))]
    return [(i * gap, row.compartment, part * share, duration) for i, share in enumerate(shares)]


def _devices(amount: Quantity, number: ParameterLookup) -> Quantity:
    """Number of nasal devices of a dose (umol)."""
    molar_mass = number("drug.ketamine_molar_mass") * GRAMS_PER_MOLE
    device = convert(number("drug.nasal_device") * 1e6, "mg", "umol", molar_mass=molar_mass)
    return np.maximum(1, np.rint(amount / device))


def _fraction(row: Absorption, absorbed: ParameterLookup) -> Quantity:
    """The fraction of a dose that enters a compartment; `absorbed` returns the fraction that a parameter stands for."""
    fraction = absorbed(row.fraction) if row.fraction else 1.0
    return fraction * (1 - absorbed(row.remainder_of)) if row.remainder_of else fraction


def _duration(row: Absorption, stated: float, number: ParameterLookup) -> Quantity:
    """Duration (h) of entry: that of the model, or the `stated` one of the dose where it is longer or replaces it."""
    if not row.duration or (stated and row.stated_duration == "replaces"):
        return stated
    return np.maximum(number(row.duration), stated) if stated else number(row.duration)


@dataclass(frozen=True)
class Visits:
    """The visits of patients, in order of time, and the expectancy that they raise.

    A state is raised at most once in `gap` h, because daily tablets are not daily visits. `last` {state: time (h) of
    its last expectancy event}. Numbers are the same for all patients, or arrays [patient].
    """

    gap: Quantity
    last: dict[str, Quantity] = field(default_factory=dict)

    def events(self, treatment: Treatment, time: float, present: Quantity, belief: Quantity) -> list[DoseEvent]:
        """Expectancy events of size `belief` at `time` (h) of patients who are `present` (0 or 1): take their dose."""
        if not treatment.substance.carries_expectancy:
            return []
        events = []
        for state in (BELIEF, ANTICIPATION) if treatment.is_procedure else (BELIEF,):
            before = self.last.get(state, -math.inf)
            counts = np.logical_and(present, time >= before + self.gap - 1e-9)
            self.last[state] = np.where(counts, time, before)[()]
            if np.any(amount := np.where(counts, belief, 0.0)[()]):
                events.append(DoseEvent(time, state, amount))
        return events


def is_expectancy(event: DoseEvent) -> bool:
    """Whether a dose event is the expectancy that a visit causes."""
    return event.compartment in (BELIEF, ANTICIPATION)


def without_expectancy(events: Iterable[DoseEvent]) -> tuple[DoseEvent, ...]:
    """Dose events without expectancy events."""
    return tuple(entry for entry in events if not is_expectancy(entry))


def control_events(events: Sequence[DoseEvent]) -> tuple[DoseEvent, ...]:
    """Dose events of the control: expectancy, and challenges such as an operation unless all events are challenges."""
    challenges = {drug.compartment for drug in load_drugs() if not drug.carries_expectancy}
    control = tuple(entry for entry in events if is_expectancy(entry) or entry.compartment in challenges)
    return control if len(control) < len(events) else tuple(filter(is_expectancy, events))


def _check_event_order(regimen: Regimen) -> None:
    """Raise InputError unless single doses of one drug are listed in order of time."""
    last: dict[tuple[str, str], float] = {}
    for treatment in (t for t in regimen.treatments if not t.schedule):
        before = last.get((treatment.drug, treatment.route), 0.0)
        if treatment.start < before - 1e-9:
            raise InputError(
                f"doses of {treatment.drug} are out of order: one at {treatment.start:g} h"
                f" is listed after one at {before:g} h",
                key="treatments",
                expected="doses in the order in which they are given",
            )
        last[treatment.drug, treatment.route] = treatment.start


def _check_overlaps(regimen: Regimen, horizon: float) -> None:
    """Raise InputError for an operation or anaesthesia that begins during another one (infusions of a drug add up)."""
    by_drug: dict[str, list[tuple[float, float]]] = {}
    for treatment in regimen.treatments:
        if treatment.duration and treatment.substance.is_session and treatment.substance.compartment:
            duration = treatment.duration
            by_drug.setdefault(treatment.drug, []).extend(
                (at, at + duration) for at in treatment.taken(horizon).values()
            )
    for name, spans in by_drug.items():
        ordered = sorted(spans)
        for (begin, end), (following, _) in pairwise(ordered):
            if following < end - 1e-9:
                what = f"two treatments with {name} overlap: {begin:g} to {end:g} h, and the next from {following:g} h"
                raise InputError(what, key="treatments", expected="one at a time", type_this=f"... at {end:g} h")
