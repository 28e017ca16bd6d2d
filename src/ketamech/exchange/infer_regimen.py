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
from ketamech.core.units import MINUTE
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
LOSSY_FEATURES: Mapping[str, Callable[[Scenario], bool]] = {  # {feature: whether a scenario has it}
    "simultaneous doses: S- and R-ketamine at one time become racemic ketamine, several doses of one drug become one":
        lambda scenario: len(scenario.regimen.treatments) > 1,
    "doses per kilogram and salts: doses become mg of free base":
        lambda scenario: is_weight_based(scenario.regimen)
        or any(t.salt != "base" for t in scenario.regimen.treatments),
    "the route where several enter the same compartment (memantine, norketamine), and that of placebo":
        lambda scenario: any(t.substance.compartment or t.drug == "placebo" for t in scenario.regimen.treatments),
    "schedules: they are inferred from the dose times up to the horizon; the probability of missing a dose":
        lambda scenario: any(t.schedule for t in scenario.regimen.treatments),
    "missed doses, at which nothing enters, and a lag of doses whose visits raise no expectancy (within the gap)":
        lambda scenario: any(t.skipped_doses or t.lag for t in scenario.regimen.treatments),
    "body weight and other parameters that no equation holds":
        lambda scenario: bool(scenario.values) or is_weight_based(scenario.regimen),
    "a start at steady state: the amounts are exported without the schedule, so that reading it is refused":
        lambda scenario: scenario.regimen.at_steady_state,
}  # fmt: skip


def lossy_features(scenario: Scenario | None) -> list[str]:
    """Features of a scenario that amounts by state and time cannot express; all of them for None."""
    return [text for text, applies in LOSSY_FEATURES.items() if scenario is None or applies(scenario)]


def infer_regimen(
    profile: InputProfile, parameters: ParameterTable, values: Mapping[str, float], species: str = HUMAN
) -> Regimen:
    """The regimen that reproduces the profile `profile`, for a patient with parameter `values` (canonical).

    Raises InputError, with state and hour, for inputs that no known dose produces.
    """
    doses = _DoseExtractor(profile, parameters, values).doses()
    gap = values.get("expectancy.visit_gap", parameters["expectancy.visit_gap"].canonical)
    visits = {state: list(profile.of_kind(AMOUNT, state)) for state in (BELIEF, ANTICIPATION)}
    regimen = Regimen(infer_schedules(infer_visits(merge_contiguous(doses), visits, gap)))
    events = species_events(species, dose_events(regimen, parameters, values, MAX_HORIZON_H + 1))
    if difference := InputProfile.of(events).first_difference(profile):
        raise InputError(f"no regimen produces the input into {difference}", expected=EXPECTED)
    return regimen


class _DoseExtractor:
    """Extracts doses from an input profile; `remaining` is the profile that is left."""

    def __init__(self, profile: InputProfile, parameters: ParameterTable, values: Mapping[str, float]) -> None:
        self.remaining = deepcopy(profile)
        for state in (BELIEF, ANTICIPATION):
            self.remaining.sizes.pop((AMOUNT, state), None)
        self.min_sizes = {key: 10 * ROUNDING * time_map.largest for key, time_map in self.remaining.sizes.items()}
        self.templates = route_templates(parameters, values)
        self.parameters, self.values = parameters, values

    def doses(self) -> list[Treatment]:
        """Every dose at the time at which it enters, in order of time."""
        doses: list[Treatment] = []
        for time in sorted({time for time_map in self.remaining.sizes.values() for time in time_map}):
            while (compartments := self._input_compartments(time)) and (dose := self._extract_dose(time, compartments)):
                doses.append(dose)
                if len(doses) > MAX_DOSES:
                    raise InputError(f"more than {MAX_DOSES} doses", expected="a shorter course")
            if compartments:
                message = f"no known dose produces the input into {min(compartments)} at {time:g} h"
                raise InputError(message, key=min(compartments), expected=EXPECTED)
        return doses

    def _input_compartments(self, time: float) -> set[str]:
        """Compartments with a remaining input at a time."""
        return {
            key[1]
            for key, time_map in self.remaining.sizes.items()
            if abs(time_map[time]) > self.min_sizes.get(key, 0.0)
        }

    def _extract_dose(self, time: float, compartments: set[str]) -> Treatment | None:
        """Extract the first route template that is contained in the remaining profile.

        Nasal and sublingual doses come first, because their swallowed part looks like an oral dose; among them,
        those that explain all inputs. A fixed duration that ends within a longer input comes last.
        """

        def order(candidate: tuple[RouteTemplate, float, float]) -> tuple[bool, bool, bool]:
            template, amount, duration = candidate
            exceeded = template.is_mixed and not template.explains_all(self.remaining, time, amount, duration)
            truncated = not template.is_infused and not template.ends_there(self.remaining, time, amount, duration)
            return not template.is_mixed, exceeded, truncated

        for template, amount, duration in sorted(self._candidates(time, compartments), key=order):
            for trial in (1.0,) if template.is_counted else (amount, min(amount, template.treatment.amount or amount)):
                if treatment := self._matching_treatment(template, time, trial, duration):
                    template.subtract(self.remaining, time, trial, duration)
                    return treatment
        return None

    def _candidates(self, time: float, compartments: set[str]) -> Iterator[tuple[RouteTemplate, float, float]]:
        """Contained route templates with their amount (mg, sessions) and duration (h)."""
        for template in self.templates:
            duration = template.duration_at(self.remaining, time) if template.compartments <= compartments else None
            if duration is not None:
                amount = template.max_amount(self.remaining, time, duration)
                if self._is_significant(template, amount, duration):
                    yield template, amount, duration

    def _is_significant(self, template: RouteTemplate, amount: float, duration: float) -> bool:
        """Whether the amount exceeds rounding error."""
        if template.is_counted:
            return amount > 1 - SESSION_TOLERANCE
        first_event = next(event for event in template.events if not event.time)
        input_duration = duration if template.is_infused else first_event.duration
        size, kind = amount * first_event.amount / (input_duration or 1.0), STEP if input_duration else AMOUNT
        return size > self.min_sizes.get((kind, first_event.compartment), 0.0)

    def _matching_treatment(
        self, template: RouteTemplate, time: float, amount: float, duration: float
    ) -> Treatment | None:
        """The treatment, if it has exactly these dose events (the sprays of a nasal dose depend on its size)."""
        try:
            treatment = template.treatment_of(time, float(f"{amount:.{DIGITS}g}"), duration)
            again = dose_events(Regimen((replace(treatment, start=0.0),)), self.parameters, self.values, TIME_TOLERANCE)
        except InputError:
            return None
        is_same = len(without_expectancy(again)) == len(template.events)
        return treatment if is_same else None


TIME_RESOLUTION = TIME_TOLERANCE / 100  # h
MAX_PERIODS = 8  # candidate intervals from the first dose
RELATIVE_TOLERANCE = 1e-9  # of an amount or a rate


def merge_contiguous(doses: Iterable[Treatment]) -> list[Treatment]:
    """Consecutive infusions at one rate merged into one; doses in order of time."""
    merged: list[Treatment] = []
    last_index: dict[tuple[str, str], int] = {}
    for dose in doses:
        key = (dose.drug, dose.route)
        previous = merged[last_index[key]] if dose.duration and key in last_index else None
        if previous is not None and _is_continuation(previous, dose):
            total_duration = previous.duration + dose.duration
            amount = None if dose.amount is None else (previous.amount or 0.0) + dose.amount
            merged[last_index[key]] = replace(previous, amount=amount, duration=total_duration)
            continue
        last_index[key] = len(merged)
        merged.append(dose)
    return merged


def _is_continuation(previous: Treatment, dose: Treatment) -> bool:
    if not previous.duration or dose.amount is None or previous.amount is None:
        return False
    rate, next_rate = previous.amount / previous.duration, dose.amount / dose.duration
    is_separate = abs(previous.start + previous.duration - dose.start) > TIME_TOLERANCE
    return not is_separate and abs(rate - next_rate) <= RELATIVE_TOLERANCE * rate


def infer_schedules(doses: Sequence[Treatment]) -> tuple[Treatment, ...]:
    """The same doses as few scheduled treatments, in order of their first dose."""
    groups: dict[tuple[object, ...], list[Treatment]] = {}
    for dose in doses:
        amount = None if dose.amount is None else f"{dose.amount:.8g}"
        groups.setdefault((dose.drug, dose.route, amount, f"{dose.duration:.8g}", f"{dose.lag:.8g}"), []).append(dose)
    options = ([list(_treatments(group, limit)) for limit in (1, MAX_PERIODS)] for group in groups.values())
    treatments = [treatment for schedules in options for treatment in min(schedules, key=len)]
    return tuple(sorted(treatments, key=lambda one: one.start))


def _treatments(doses: list[Treatment], limit: int) -> Iterator[Treatment]:
    """Schedules whose second dose is one of the next `limit` doses."""
    remaining = sorted(doses, key=lambda one: one.start)
    while remaining:
        first = remaining[0]
        options = (_members(remaining, other.start - first.start) for other in islice(remaining, 1, limit + 1))
        members = max(options, key=len, default=[0])
        count = len(members)
        gap = (remaining[members[-1]].start - first.start) / max(1, count - 1)
        gap = _round_number(gap, TIME_RESOLUTION / count)
        duration = _round_number(first.duration, RELATIVE_TOLERANCE / 100 * first.duration)
        start, lag = (_round_number(time, TIME_RESOLUTION) for time in (first.start, first.lag))
        treatment = replace(first, start=start, duration=duration, lag=lag)
        yield treatment if count == 1 else replace(treatment, schedule=(Phase(interval=gap, duration=count * gap),))
        used = set(members)
        remaining = [one for i, one in enumerate(remaining) if i not in used]


def _members(doses: Sequence[Treatment], gap: float) -> list[int]:
    """Indices of the doses at multiples of the interval after the first one."""
    if gap <= TIME_TOLERANCE:
        return [0]
    members, next_time = [0], doses[0].start + gap
    for i, dose in enumerate(doses):
        if dose.start > next_time + TIME_TOLERANCE:
            break
        if i and abs(dose.start - next_time) <= TIME_TOLERANCE:
            members.append(i)
            next_time = doses[0].start + len(members) * gap
    return members


def _round_number(number: float, tolerance: float) -> float:
    """The shortest decimal within `tolerance` of a number."""
    candidates = (float(f"{number:.{digits}g}") for digits in (3, 6, 9, 12))
    return next((candidate for candidate in candidates if abs(candidate - number) < tolerance), number)


VISIT = "placebo"
MAX_SESSION_DELAY_H = 2.0  # h; a visit this long before a dose belongs to the dose, which has a lag


def infer_visits(doses: Sequence[Treatment], visits: Mapping[str, Sequence[float]], gap: float) -> list[Treatment]:
    """Doses (at their entry times) with the lags that place their visits at the expectancy events.

    `visits` {state: times (h)}: expectancy enters each state at most once in `gap` h. A visit without a dose on the
    following day is a placebo visit: a procedure, or a tablet where nothing enters the state of procedures.
    """
    treatments, lags = list[Treatment](), dict[tuple[str, str], float]()
    open_visits = {state: list(times) for state, times in visits.items()}
    for dose in doses:
        lag = 0.0
        if dose.substance.carries_expectancy:
            key, state = (dose.drug, dose.route), ANTICIPATION if dose.is_procedure else BELIEF
            lags[key] = lag = _lag(dose.start, lags.get(key, 0.0), visits[state], open_visits[state], gap)
            _close_visit(open_visits, dose.start - lag, dose.is_procedure)
        treatments.append(replace(dose, start=dose.start - lag, lag=lag))
    for time in list(open_visits[ANTICIPATION]):
        treatments.append(Treatment(VISIT, route="", start=time))
        _close_visit(open_visits, time, True)
    treatments += [Treatment(VISIT, route="oral", start=time) for time in open_visits[BELIEF]]
    return sorted(treatments, key=lambda one: one.start)


def _close_visit(open_visits: dict[str, list[float]], time: float, procedure: bool) -> None:
    """Remove the visit at this time from those that no dose explains."""
    for state in (BELIEF, ANTICIPATION) if procedure else (BELIEF,):
        open_visits[state] = [visit for visit in open_visits[state] if abs(visit - time) > TIME_TOLERANCE]


def _lag(dose_time: float, usual: float, beliefs: Sequence[float], open_visits: Sequence[float], gap: float) -> float:
    """Lag of a dose (h): 0 with a simultaneous visit, else the usual lag, else the time since an open visit."""
    if _contains_time(beliefs, dose_time):
        return 0.0
    if usual and _explains_profile(dose_time - usual, beliefs, gap):
        return usual
    visit, earlier = _last_before(open_visits, dose_time), _last_before(beliefs, dose_time)
    needs_lag = not _explains_profile(dose_time, beliefs, gap)
    if visit is not None and dose_time - visit <= (MAX_LAG_H if needs_lag else MAX_SESSION_DELAY_H):
        return dose_time - visit
    # a visit whose expectancy event does not enter, because another one entered less than `gap` before
    if needs_lag and earlier is not None and dose_time - earlier - gap < MAX_LAG_H - MINUTE:
        return dose_time - earlier - gap + MINUTE
    return 0.0


def _contains_time(times: Sequence[float], time: float) -> bool:
    i = bisect_left(times, time - TIME_TOLERANCE)
    return i < len(times) and times[i] <= time + TIME_TOLERANCE


def _last_before(times: Sequence[float], time: float) -> float | None:
    i = bisect_left(times, time)
    return times[i - 1] if i else None


def _explains_profile(visit: float, beliefs: Sequence[float], gap: float) -> bool:
    """Whether a visit at this time explains the profile: expectancy enters then, or less than `gap` h before."""
    previous = _last_before(beliefs, visit - TIME_TOLERANCE)
    return _contains_time(beliefs, visit) or (previous is not None and visit < previous + gap - 1e-9)
