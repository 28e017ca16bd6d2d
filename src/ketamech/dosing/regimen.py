"""Regimens: all treatments of one patient, read from a sentence and written as one that is read back the same.

An animal needs its own kinetics for a drug and route (`require_species_kinetics`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from ketamech.core import InputError, closest_match, require_known
from ketamech.core.units import DAY, MONTH, WEEK, duration_text, number_text
from ketamech.dosing.drugs import animal_routes
from ketamech.dosing.regimen_reader import read_treatments
from ketamech.dosing.treatment import MAX_HORIZON_H, Phase, Treatment
from ketamech.parameters import HUMAN, Species


@dataclass(frozen=True)
class Regimen:
    """All treatments of one patient."""

    treatments: tuple[Treatment, ...]

    def __post_init__(self) -> None:
        if isinstance(self.treatments, str):
            raise InputError("a regimen of text", key="treatments", expected="treatments",
                             type_this=f'Regimen.parse("{self.treatments}")')  # fmt: skip

    def __add__(self, other: Regimen) -> Regimen:
        """Both regimens in one patient, in order of their first doses."""
        if not isinstance(other, Regimen):
            return NotImplemented
        return Regimen(tuple(sorted((*self.treatments, *other.treatments), key=lambda treatment: treatment.start)))

    @classmethod
    def parse(cls, sentence: str) -> Regimen:
        """Read a sentence such as "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly".

        Raises InputError with the unknown words and their positions.
        """
        return cls(read_treatments(sentence))

    @property
    def at_steady_state(self) -> bool:
        """Whether a treatment starts at steady state."""
        return any(treatment.at_steady_state for treatment in self.treatments)

    def steady_state_cycle(self, visit_gap: float) -> tuple[Regimen, float]:
        """The repeated part of a regimen that starts at steady state, and its length (h); (itself, 0) if there is none.

        Every dose is taken, and a cycle is at least `visit_gap` (h) long, since at most one visit in that time carries
        expectancy. Treatments that do not start at steady state are not part of the cycle. Raises InputError if the
        frequencies differ, or a first dose comes too late.
        """
        steady = [treatment for treatment in self.treatments if treatment.at_steady_state]
        if not steady:
            return self, 0.0
        periods = {treatment.schedule[0].period for treatment in steady}
        if len(periods) > 1:
            what = "some treatments start at steady state in one frequency and others in another frequency"
            raise InputError(what, key="schedule", expected="one frequency for all that start at steady state")
        period = periods.pop()
        length = max(1, math.ceil(visit_gap / period - 1e-9)) * period
        return Regimen(tuple(treatment.repeated(period, length) for treatment in steady)), length

    def sentences(self, *, exact: bool = True) -> tuple[str, ...]:
        """The treatments as sentences; single doses that differ in their days share one.

        Where `exact`, `parse` reads them back as they are. Otherwise they are for display: numbers are rounded to four
        digits, and the reason stands after a route that was not named.
        """
        groups: list[list[Treatment]] = []
        for treatment in self.treatments:
            if groups and len(groups[-1]) < MAX_DAYS_LISTED and _same_but_day(groups[-1][-1], treatment):
                groups[-1].append(treatment)
            else:
                groups.append([treatment])
        return tuple(_sentence(group[0], [one.start for one in group], exact) for group in groups)

    def sentence(self, *, exact: bool = True) -> str:
        """The regimen as one sentence, in the words of `sentences`."""
        return "; ".join(self.sentences(exact=exact))

    def starts(self, until: float) -> list[float]:
        """Times (h) before `until` at which a dose starts, each once, in order."""
        return sorted({float(at) for treatment in self.treatments for at in treatment.starts(until)})

    def dose_count(self, until: float) -> int:
        """Number of doses of all treatments that start before `until` (h)."""
        return sum(len(treatment.starts(until)) for treatment in self.treatments)

    def horizon(self) -> float:
        """Default simulated time (h): 28 days, or four weeks beyond the last dose or the end of its infusion.

        An infusion that lasts for the longest possible time has no end.
        """
        finite = [t for t in self.treatments if t.duration < MAX_HORIZON_H]
        ends = [end + t.lag + t.duration for t in finite if (end := t.end()) is not None]
        begins = [t.start + sum(p.duration or 0.0 for p in t.schedule) for t in self.treatments if t.end() is None]
        return 4 * WEEK + max([0.0, *(end for end in ends if end > DAY), *begins])


MAX_DAYS_LISTED = 30  # of one sentence, so that it stays below the length limit of the parser
TIMES_A_WEEK_WORDS = {1: "weekly", 2: "twice weekly"}
INTERVAL_WORDS = {DAY: "daily", DAY / 2: "twice daily", WEEK: "every week", MONTH: "monthly"}


def _same_but_day(a: Treatment, b: Treatment) -> bool:
    plain = not (b.schedule or b.skipped_doses or b.at_steady_state)
    plain = plain and a.route_reason == b.route_reason
    return plain and a.start < b.start and a.start % DAY == b.start % DAY == 0 and replace(a, start=b.start) == b


def _sentence(treatment: Treatment, starts: Sequence[float], exact: bool) -> str:
    """One treatment as a sentence; several `starts` (h) are all beginnings of days."""
    parts = [treatment.drug]
    if treatment.amount is not None:
        parts.append(f"{number_text(treatment.amount, exact=exact)} {treatment.unit}")
    parts += [f"as {treatment.salt}"] if treatment.salt != "base" else []
    parts += [treatment.route] if treatment.route else []
    if treatment.duration:
        length = duration_text(treatment.duration, exact=exact)
        parts.append("continuously" if treatment.duration == MAX_HORIZON_H else f"over {length}")
    parts += _start_words(starts, exact, repeated=bool(treatment.schedule))
    phases = ", then ".join(_phase_words(phase, exact) for phase in treatment.schedule)
    reason = f" ({treatment.route_reason})" if treatment.route_reason and not exact else ""
    return " ".join([*parts, phases] if phases else parts) + _adherence_words(treatment, exact) + reason


def _start_words(starts: Sequence[float], exact: bool, *, repeated: bool) -> list[str]:
    if list(starts) == [0.0]:
        return []
    if any(start % DAY for start in starts):
        return [f"at {duration_text(starts[0], exact=exact)}"]
    days = [int(start / DAY) + 1 for start in starts]
    if len(days) == 1:
        return [f"{'from' if repeated else 'on'} day {days[0]}"]
    return [f"on days {_list_words(days)}"]


def _phase_words(phase: Phase, exact: bool) -> str:
    if phase.interval is not None:
        frequency = INTERVAL_WORDS.get(phase.interval) or f"every {duration_text(phase.interval, exact=exact)}"
    else:
        frequency = TIMES_A_WEEK_WORDS.get(phase.times_a_week or 1) or f"{phase.times_a_week} times a week"
    return frequency + (f" for {duration_text(phase.duration, exact=exact)}" if phase.duration is not None else "")


def _adherence_words(treatment: Treatment, exact: bool) -> str:
    words = f", lag {duration_text(treatment.lag, exact=exact)}" if treatment.lag else ""
    if treatment.skipped_doses:
        noun = "dose" if len(treatment.skipped_doses) == 1 else "doses"
        words += f", missing {noun} {_list_words(treatment.skipped_doses)}"
    if treatment.miss_probability:
        percent = float(Decimal(repr(treatment.miss_probability)) * 100)  # is read back as this fraction
        words += f", missing {number_text(percent, exact=exact)} %"
    return words + (", at steady state" if treatment.at_steady_state else "")


def _list_words(numbers: Sequence[int]) -> str:
    """The numbers as text, e.g. "1, 4 and 8"; more than two consecutive ones as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [w for run in runs for w in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def require_species_kinetics(regimen: Regimen, species: Species) -> None:
    """Raise InputError for a drug or route without kinetics in this species."""
    for treatment in regimen.treatments:
        if species.name == HUMAN:
            _check_human_route(treatment)
        else:
            _check_animal_kinetics(treatment, species)


def _check_human_route(treatment: Treatment) -> None:
    if treatment.route in animal_routes() and not treatment.substance.is_session:
        what = f"there are no kinetics of {treatment.drug} by route {treatment.route} in humans"
        expected = ", ".join(r for r in treatment.substance.routes if r and r not in animal_routes()) or "an animal"
        raise InputError(what, key="route", expected=expected, type_this="species: rat (in a file) or --species rat")


def _check_animal_kinetics(treatment: Treatment, species: Species) -> None:
    drug, routes = treatment.substance.name, species.routes
    what, expected = f"there are no kinetics of {drug} in the {species.name}", f"one of: {', '.join(routes)}"
    require_known(drug, routes, what, key="species", expected=expected, type_this="racemic 10 mg/kg IP")
    if treatment.route not in routes[drug]:
        what = f"there are no kinetics of {drug} by route {treatment.route or 'none'} in the {species.name}"
        near = closest_match(treatment.route, routes[drug]) or routes[drug][0]
        raise InputError(what, key="route", expected=", ".join(routes[drug]), nearest=near)
