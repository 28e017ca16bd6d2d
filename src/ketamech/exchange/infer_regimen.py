"""Infers a regimen from an input profile: doses, then visits with their lags, then schedules.

Doses are subtracted from the profile one by one, the earliest first; visits with expectancy alone are placebo. A
regimen is accepted only when it reproduces the profile: the same amounts and inflows at the same times.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import islice

from ketamech.core import InputError
from ketamech.dosing.dose_events import ANTICIPATION, BELIEF, dose_events, without_expectancy
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_DOSES, MAX_HORIZON_H, MAX_LAG_H, Phase, Treatment
from ketamech.exchange.route_templates import (
    AMOUNT,
    ROUNDING,
    SESSION_TOLERANCE,
    STEP,
    TIME_TOLERANCE,
    InputProfile,
    RouteTemplate,
    route_templates,
)
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.simulation.scenario import Scenario, is_weight_based
from ketamech.simulation.simulate import species_events

DIGITS = 12  # significant digits of an amount that was converted, written and read
EXPECTED = "doses as KetaMech writes them"
LOSSY_FEATURES: Mapping[str, Callable[[Scenario], bool]] = {  # and whether they concern a scenario
    "simultaneous doses: S- and R-ketamine at one time become racemic ketamine, several doses of one drug become one":
        lambda asked: len(asked.regimen.treatments) > 1,
    "doses per kilogram and salts: doses become mg of free base":
        lambda asked: is_weight_based(asked.regimen) or any(t.salt != "base" for t in asked.regimen.treatments),
    "the route where several enter the same compartment (memantine, norketamine), and that of placebo":
        lambda asked: any(t.substance.compartment or t.drug == "placebo" for t in asked.regimen.treatments),
    "schedules: they are inferred from the dose times up to the horizon; the probability of missing a dose":
        lambda asked: any(t.schedule for t in asked.regimen.treatments),
    "missed doses, at which nothing enters, and a lag of doses whose visits raise no expectancy (within the gap)":
        lambda asked: any(t.skipped_doses or t.lag for t in asked.regimen.treatments),
    "body weight and other parameters that no equation holds":
        lambda asked: bool(asked.values) or is_weight_based(asked.regimen),
    "a start at steady state: the amounts are exported without the schedule, so that reading it is refused":
        lambda asked: any(t.at_steady_state for t in asked.regimen.treatments),
}  # fmt: skip


def lossy_features(asked: Scenario | None) -> list[str]:
    """What amounts by state and time lose of a scenario; of any scenario for None."""
    return [text for text, concerns in LOSSY_FEATURES.items() if asked is None or concerns(asked)]


def infer_regimen(
    found: InputProfile, parameters: ParameterTable, values: Mapping[str, float], species: str = HUMAN
) -> Regimen:
    """The regimen that reproduces the profile `found`, for a patient with parameter `values` (canonical).

    Raises InputError, naming the place and the hour, for what no dose that is known here puts in.
    """
    doses = _DoseExtractor(found, parameters, values).doses()
    gap = values.get("expectancy.visit_gap", parameters["expectancy.visit_gap"].canonical)
    visits = {state: list(found.of_kind(AMOUNT, state)) for state in (BELIEF, ANTICIPATION)}
    regimen = Regimen(infer_schedules(infer_visits(merge_contiguous(doses), visits, gap)))
    entering = species_events(species, dose_events(regimen, parameters, values, MAX_HORIZON_H + 1))
    if apart := InputProfile.of(entering).first_difference(found):
        raise InputError(f"no regimen puts in what enters {apart}", expected=EXPECTED)
    return regimen


class _DoseExtractor:
    """Extracts doses from an input profile; `left` is the remaining profile."""

    def __init__(self, found: InputProfile, parameters: ParameterTable, values: Mapping[str, float]) -> None:
        self.left = deepcopy(found)
        for state in (BELIEF, ANTICIPATION):
            self.left.sizes.pop((AMOUNT, state), None)
        self.least = {key: 10 * ROUNDING * rows.largest for key, rows in self.left.sizes.items()}
        self.ways = route_templates(parameters, values)
        self.parameters, self.values = parameters, values

    def doses(self) -> list[Treatment]:
        """Every dose at the time at which it enters, in order of time."""
        found: list[Treatment] = []
        for at in sorted({at for rows in self.left.sizes.values() for at in rows}):
            while (places := self._entered(at)) and (one := self._one(at, places)):
                found.append(one)
                if len(found) > MAX_DOSES:
                    raise InputError(f"more than {MAX_DOSES} doses", expected="a shorter course")
            if places:
                what = f"no dose known here puts this into {min(places)} at {at:g} h"
                raise InputError(what, key=min(places), expected=EXPECTED)
        return found

    def _entered(self, at: float) -> set[str]:
        """Compartments with a remaining input at a time."""
        return {key[1] for key, rows in self.left.sizes.items() if abs(rows[at]) > self.least.get(key, 0.0)}

    def _one(self, at: float, places: set[str]) -> Treatment | None:
        """Extract the first route template that is contained in the remaining profile.

        First what is sprayed or held under the tongue, before its swallowed part is taken for a swallowed dose; of
        that, first what leaves nothing there. A fixed duration that ends within a longer input comes last.
        """

        def order(found: tuple[RouteTemplate, float, float]) -> tuple[bool, bool, bool]:
            way, amount, lasting = found
            exceeded = way.is_mixed and not way.explains_all(self.left, at, amount, lasting)
            truncated = not way.is_infused and not way.ends_there(self.left, at, amount, lasting)
            return not way.is_mixed, exceeded, truncated

        for way, amount, lasting in sorted(self._contained(at, places), key=order):
            for taken in (1.0,) if way.is_counted else (amount, min(amount, way.treatment.amount or amount)):
                if given := self._given(way, at, taken, lasting):
                    way.subtract(self.left, at, taken, lasting)
                    return given
        return None

    def _contained(self, at: float, places: set[str]) -> Iterator[tuple[RouteTemplate, float, float]]:
        """Contained route templates with their amount (mg, sessions) and duration (h)."""
        for way in self.ways:
            lasting = way.duration_at(self.left, at) if way.compartments <= places else None
            if lasting is not None:
                amount = way.max_amount(self.left, at, lasting)
                if self._enough(way, amount, lasting):
                    yield way, amount, lasting

    def _enough(self, way: RouteTemplate, amount: float, lasting: float) -> bool:
        """Whether the amount exceeds rounding error."""
        if way.is_counted:
            return amount > 1 - SESSION_TOLERANCE
        lead = next(part for part in way.events if not part.time)
        duration = lasting if way.is_infused else lead.duration
        size, kind = amount * lead.amount / (duration or 1.0), STEP if duration else AMOUNT
        return size > self.least.get((kind, lead.compartment), 0.0)

    def _given(self, way: RouteTemplate, at: float, amount: float, lasting: float) -> Treatment | None:
        """The treatment, if it has exactly these dose events (the sprays of a nasal dose depend on its size)."""
        try:
            given = way.treatment_of(at, float(f"{amount:.{DIGITS}g}"), lasting)
            again = dose_events(Regimen((replace(given, start=0.0),)), self.parameters, self.values, TIME_TOLERANCE)
        except InputError:
            return None
        same = len(without_expectancy(again)) == len(way.events)
        return given if same else None


TIME_RESOLUTION = TIME_TOLERANCE / 100  # h
MAX_PERIODS = 8  # candidate intervals from the first dose
RELATIVE_TOLERANCE = 1e-9  # of an amount or a rate


def merge_contiguous(doses: Iterable[Treatment]) -> list[Treatment]:
    """Consecutive infusions at one rate merged into one; doses in order of time."""
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
    late = abs(before.start + before.duration - dose.start) > TIME_TOLERANCE
    return not late and abs(speed - other) <= RELATIVE_TOLERANCE * speed


def infer_schedules(doses: Sequence[Treatment]) -> tuple[Treatment, ...]:
    """The same doses as few scheduled treatments, in order of their first dose."""
    kinds: dict[tuple[object, ...], list[Treatment]] = {}
    for dose in doses:
        amount = None if dose.amount is None else f"{dose.amount:.8g}"
        kinds.setdefault((dose.drug, dose.route, amount, f"{dose.duration:.8g}", f"{dose.lag:.8g}"), []).append(dose)
    tried = ([list(_treatments(alike, far)) for far in (1, MAX_PERIODS)] for alike in kinds.values())
    found = [one for ways in tried for one in min(ways, key=len)]
    return tuple(sorted(found, key=lambda one: one.start))


def _treatments(alike: list[Treatment], far: int) -> Iterator[Treatment]:
    """Schedules whose second dose is one of the next `far` doses."""
    left = sorted(alike, key=lambda one: one.start)
    while left:
        first = left[0]
        tried = (_members(left, other.start - first.start) for other in islice(left, 1, far + 1))
        taken = max(tried, key=len, default=[0])
        number = len(taken)
        gap = (left[taken[-1]].start - first.start) / max(1, number - 1)
        gap = _round_number(gap, TIME_RESOLUTION / number)
        lasting = _round_number(first.duration, RELATIVE_TOLERANCE / 100 * first.duration)
        start, lag = (_round_number(time, TIME_RESOLUTION) for time in (first.start, first.lag))
        whole = replace(first, start=start, duration=lasting, lag=lag)
        yield whole if number == 1 else replace(whole, schedule=(Phase(interval=gap, duration=number * gap),))
        gone = set(taken)
        left = [one for i, one in enumerate(left) if i not in gone]


def _members(doses: Sequence[Treatment], gap: float) -> list[int]:
    """Indices of the doses at multiples of the interval after the first one."""
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
    """The shortest decimal within `close` of a number."""
    shorter = (float(f"{number:.{digits}g}") for digits in (3, 6, 9, 12))
    return next((short for short in shorter if abs(short - number) < close), number)


VISIT = "placebo"
MINUTE = 1 / 60
MAX_SESSION_DELAY_H = 2.0  # h; a visit this long before a dose belongs to the dose, which has a lag


def infer_visits(doses: Sequence[Treatment], visits: Mapping[str, Sequence[float]], gap: float) -> list[Treatment]:
    """Doses (at their entry times) with the lags that place their visits at the expectancy events.

    `visits` {state: times (h)}: expectancy enters each state at most once in `gap` h. A visit without a dose on the
    following day is a placebo visit: a procedure, or a tablet where nothing enters the state of procedures.
    """
    found, lags = list[Treatment](), dict[tuple[str, str], float]()
    open_visits = {state: list(times) for state, times in visits.items()}
    for dose in doses:
        lag = 0.0
        if dose.substance.carries_expectancy:
            key, state = (dose.drug, dose.route), ANTICIPATION if dose.is_procedure else BELIEF
            lags[key] = lag = _lag(dose.start, lags.get(key, 0.0), visits[state], open_visits[state], gap)
            _close_visit(open_visits, dose.start - lag, dose.is_procedure)
        found.append(replace(dose, start=dose.start - lag, lag=lag))
    for at in list(open_visits[ANTICIPATION]):
        found.append(Treatment(VISIT, route="", start=at))
        _close_visit(open_visits, at, True)
    found += [Treatment(VISIT, route="oral", start=at) for at in open_visits[BELIEF]]
    return sorted(found, key=lambda one: one.start)


def _close_visit(open_visits: dict[str, list[float]], at: float, procedure: bool) -> None:
    """Remove the visit at this time from those that no dose explains."""
    for state in (BELIEF, ANTICIPATION) if procedure else (BELIEF,):
        open_visits[state] = [other for other in open_visits[state] if abs(other - at) > TIME_TOLERANCE]


def _lag(entering: float, usual: float, beliefs: Sequence[float], open_visits: Sequence[float], gap: float) -> float:
    """Lag of a dose (h): 0 with a simultaneous visit, else the usual lag, else the time since an open visit."""
    if _near(beliefs, entering):
        return 0.0
    if usual and _fits(entering - usual, beliefs, gap):
        return usual
    visit, earlier = _last(open_visits, entering), _last(beliefs, entering)
    needed = not _fits(entering, beliefs, gap)
    if visit is not None and entering - visit <= (MAX_LAG_H if needed else MAX_SESSION_DELAY_H):
        return entering - visit
    # a visit whose expectancy event does not enter, because another one entered less than `gap` before
    if needed and earlier is not None and entering - earlier - gap < MAX_LAG_H - MINUTE:
        return entering - earlier - gap + MINUTE
    return 0.0


def _near(times: Sequence[float], at: float) -> bool:
    i = bisect_left(times, at - TIME_TOLERANCE)
    return i < len(times) and times[i] <= at + TIME_TOLERANCE


def _last(times: Sequence[float], at: float) -> float | None:
    i = bisect_left(times, at)
    return times[i - 1] if i else None


def _fits(visit: float, beliefs: Sequence[float], gap: float) -> bool:
    """Whether a visit at this time explains the profile: expectancy enters then, or less than `gap` h before."""
    before = _last(beliefs, visit - TIME_TOLERANCE)
    return _near(beliefs, visit) or (before is not None and visit < before + gap - 1e-9)
