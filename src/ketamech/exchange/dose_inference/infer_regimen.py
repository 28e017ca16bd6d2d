"""What enters a body -> the regimen that puts it there.

Doses are taken out one by one, the earliest first; visits at which hope enters and nothing else are placebo. A regimen
is given back only when it puts in exactly what was read: the same amounts and inflows, at the same times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_DOSES, MAX_HORIZON_H, Treatment
from ketamech.exchange.dose_inference.infer_schedule import infer_schedules, merge_contiguous
from ketamech.exchange.dose_inference.infer_visits import infer_visits
from ketamech.exchange.dose_inference.input_profile import ROUNDING, TIME_TOLERANCE, InputProfile
from ketamech.exchange.dose_inference.route_templates import BELIEF, SESSION_TOLERANCE, RouteTemplate, route_templates
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.simulation.scenario_ensemble import species_events

DIGITS = 12  # of an amount: what is left of a number that was converted, written and read again
EXPECTED = "doses as KetaMech writes them"
LOSSY_FEATURES = (
    "who gave what alike: S- and R-ketamine at once come back as racemic ketamine, several doses of one drug as one",
    "doses per kilogram and salts: mg of free base come back",
    "the route where several lead to one place (memantine, norketamine), placebo's too",
    "rhythms: they are found again in the hours of the doses, up to the horizon; chance of missing a dose",
    "a missed dose that is not a visit (a second one within the gap between two visits), and a lag between such doses",
    "body weight and other parameters that no equation holds",
    "a start at steady state: the amounts are there, the rhythm behind them is not, so reading it back is refused",
)


def infer_regimen(
    found: InputProfile, parameters: ParameterTable, values: Mapping[str, float], species: str = HUMAN
) -> Regimen:
    """The regimen that puts in what was `found`, for a person whose parameters differ by `values` (canonical).

    Raises BadInput, naming the place and the hour, for what no dose that is known here puts in.
    """
    doses = _DoseExtractor(found, parameters, values).doses()
    gap = values.get("expectancy.visit_gap", parameters["expectancy.visit_gap"].canonical)
    beliefs = list(found.amounts.get(BELIEF, ()))
    regimen = Regimen(infer_schedules(infer_visits(merge_contiguous(doses), beliefs, gap)))
    apart = InputProfile.of(
        species_events(species, dose_events(regimen, parameters, values, MAX_HORIZON_H + 1))
    ).first_difference(found)
    if apart:
        raise InputError(f"no regimen puts in what enters {apart}", expected=EXPECTED)
    return regimen


class _DoseExtractor:
    """What is left while doses are taken out."""

    def __init__(self, found: InputProfile, parameters: ParameterTable, values: Mapping[str, float]) -> None:
        self.left = found.copy()
        self.left.amounts.pop(BELIEF, None)
        kinds = {"amounts": self.left.amounts, "steps": self.left.steps}
        self.least = {k: {s: 10 * ROUNDING * rows.largest for s, rows in states.items()} for k, states in kinds.items()}
        self.ways = route_templates(parameters, values)
        self.parameters, self.values = parameters, values

    def doses(self) -> list[Treatment]:
        """Every dose at the hour at which it enters, in order of time."""
        found: list[Treatment] = []
        for at in sorted(
            {at for kind in (self.left.amounts, self.left.steps) for rows in kind.values() for at in rows}
        ):
            while (places := self._entered(at)) and (one := self._one(at, places)):
                found.append(one)
                if len(found) > MAX_DOSES:
                    raise InputError(f"more than {MAX_DOSES} doses", expected="a shorter course")
            if places:
                what = f"no dose known here puts this into {min(places)} at {at:g} h"
                raise InputError(what, key=min(places), expected=EXPECTED)
        return found

    def _entered(self, at: float) -> set[str]:
        """Where something is left that enters at a time."""
        kinds = (("amounts", self.left.amounts), ("steps", self.left.steps))
        return {
            s for kind, states in kinds for s, rows in states.items() if abs(rows[at]) > self.least[kind].get(s, 0.0)
        }

    def _one(self, at: float, places: set[str]) -> Treatment | None:
        """The first way that is contained in what is left, taken out.

        First what is sprayed or held under the tongue, before its swallowed part is taken for a swallowed dose; of
        that, first what leaves nothing there.
        """

        def order(found: tuple[RouteTemplate, float, float]) -> tuple[bool, bool]:
            way, amount, lasting = found
            return not way.mixed, way.mixed and not way.explains_all(self.left, at, amount, lasting)

        for way, amount, lasting in sorted(self._contained(at, places), key=order):
            for taken in (1.0,) if way.counted else (amount, min(amount, way.treatment.amount or amount)):
                if given := self._given(way, at, taken, lasting):
                    way.subtract(self.left, at, taken, lasting)
                    return given
        return None

    def _contained(self, at: float, places: set[str]) -> Iterator[tuple[RouteTemplate, float, float]]:
        """Ways, with how much of each (mg, sessions) is there and for how long (h)."""
        for way in self.ways:
            lasting = way.duration_at(self.left, at) if way.places <= places else None
            if lasting is not None:
                amount = way.max_amount(self.left, at, lasting)
                if self._enough(way, amount, lasting):
                    yield way, amount, lasting

    def _enough(self, way: RouteTemplate, amount: float, lasting: float) -> bool:
        """Whether more than rounding is there."""
        if way.counted:
            return amount > 1 - SESSION_TOLERANCE
        lead = next(part for part in way.parts if not part.time)
        duration = lasting if way.infused else lead.duration
        size, kind = amount * lead.amount / (duration or 1.0), "steps" if duration else "amounts"
        return size > self.least[kind].get(lead.compartment, 0.0)

    def _given(self, way: RouteTemplate, at: float, amount: float, lasting: float) -> Treatment | None:
        """The treatment, where it puts in just these parts (a nasal dose of another size has other sprays)."""
        try:
            given = way.amount_given(at, float(f"{amount:.{DIGITS}g}"), lasting)
            again = dose_events(Regimen((replace(given, start=0.0),)), self.parameters, self.values, TIME_TOLERANCE)
        except InputError:
            return None
        same = len([entry for entry in again if entry.compartment != BELIEF]) == len(way.parts)
        return given if same else None
