"""Treatments from sentences: "racemic 0.5 mg/kg IV over 40 min", "TMS 5 times a week for 6 weeks"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from ketamech.core import InputError
from ketamech.core.units import DAY
from ketamech.dosing.drugs import dosage_forms, drug, spellings, unknown_drug_error
from ketamech.dosing.lexicon import Lexicon, Meaning, route_words
from ketamech.dosing.parse import parse
from ketamech.dosing.parse_errors import MASSES, missing_drug_error, shorten_text
from ketamech.dosing.parsed_values import (
    AdaptiveFrequency,
    Amount,
    Days,
    Frequency,
    Item,
    Part,
    Phrase,
    Span,
    TitratedAmount,
)
from ketamech.dosing.treatment import INFUSION_REASON, INFUSION_ROUTE, Phase, Treatment

CACHE_SIZE = 4096  # sentences; treatments are immutable, so that results can be shared
INFUSION_ROUTES = ("IV", "SC")
MASS_UNITS = ("mg", "ug", "ng", "g")
# Rules of the grammar with the same meaning, and the kinds that may occur once in a segment.
SAME_KINDS = {"lasting": "over", "choice": "frequency", "starts": "start", "days": "start"}
UNIQUE_KINDS = {
    "amount": "doses", "route": "routes", "salt": "salts", "over": "durations", "frequency": "frequencies",
    "start": "starts",
    "count": "numbers of doses", "lag": "lags", "missing": "chances", "missed": "lists of missed doses",
}  # fmt: skip
KEYS = {"amount": "dose", "frequency": "schedule", "count": "schedule", "start": "at", "missed": "missing"}
TREATMENT_KINDS = ("lag", "missing", "missed", "steady")  # they apply to a whole treatment wherever they occur in it


@dataclass(frozen=True)
class Sentence:
    """A parsed sentence: its text and its parts, one for each treatment."""

    text: str
    parts: tuple[Part, ...]

    @property
    def names_day_zero(self) -> bool:
        """Whether the sentence counts days from 0."""
        return any(0 in item.value.numbers for item in self._items() if item.kind == "days")

    @property
    def choices(self) -> tuple[AdaptiveFrequency, ...]:
        """Frequencies that depend on whether a patient meets a criterion."""
        return tuple(item.value for item in self._items() if item.kind == "choice")

    @property
    def titrated(self) -> bool:
        """Whether a dose depends on the ratings of a patient."""
        return any(isinstance(item.value, TitratedAmount) for item in self._items())

    @property
    def is_adaptive(self) -> bool:
        """Whether doses depend on the ratings of a patient."""
        return bool(self.choices or self.titrated or any(part.reinduction for part in self.parts))

    def _items(self) -> Iterator[Item]:
        return (item for part in self.parts for segment in part.segments for item in segment)

    @property
    def perturbations(self) -> tuple[tuple[str, Phrase], ...]:
        """Each perturbation with its text."""
        phrases = (phrase for part in self.parts for phrase in part.perturbations)
        return tuple((" ".join(self.text[phrase.start : phrase.end].split()), phrase) for phrase in phrases)

    def treatments(
        self, first_day: int | None = None, *, reduced: bool | None = None, highest: bool = False
    ) -> tuple[Treatment, ...]:
        """The treatments. Raises InputError, also for adaptive dosing unless `reduced` is given.

        `first_day` is the number of the first day [default: 0 where the sentence names a day 0, else 1]. `reduced`
        selects one of the two frequencies of adaptive dosing, `highest` the higher of the two doses of a titration.
        """
        if reduced is None and self.is_adaptive:
            what = f"adaptive dosing is for trial files only: '{shorten_text(self.text)}'"
            raise InputError(what, key="schedule", expected="one frequency", type_this="then weekly")
        number = int(not self.names_day_zero) if first_day is None else first_day
        builder = _TreatmentBuilder(self.text, number, bool(reduced), highest)
        return tuple(treatment for part in self.parts for treatment in builder.treatments(part))


def first_day(sentences: Iterable[Sentence]) -> int:
    """The number of the first day of a course: 0 where a sentence names a day 0, else 1."""
    return 0 if any(sentence.names_day_zero for sentence in sentences) else 1


def parse_sentence(text: str) -> Sentence:
    """The sentence of a text. Raises InputError with the unknown word and its position."""
    sentence = Sentence(text, parse("sentence", text, regimen_lexicon()))
    if not text.strip(" .;\r\t\n"):
        raise InputError("the regimen is empty", expected="a sentence", type_this='"racemic 0.5 mg/kg IV over 40 min"')
    return sentence


@lru_cache(maxsize=CACHE_SIZE)
def read_treatments(text: str) -> tuple[Treatment, ...]:
    """Treatments of a sentence, joined by ';' or 'plus'. Raises InputError, also for a perturbation."""
    sentence = parse_sentence(text)
    if sentence.perturbations:
        what = f"'with {sentence.perturbations[0][0]}' is not part of a regimen"
        raise InputError(what, key="with", expected="treatments only")
    return sentence.treatments()


@cache
def regimen_lexicon() -> Lexicon:
    """The lexicon of drugs and routes; after 'with' that of perturbations."""
    from ketamech.dosing.perturbations import perturbation_lexicon

    names = {word: Meaning("NAME", (substance.name, route)) for word, (substance, route) in spellings().items()}
    return Lexicon({**names, **route_words()}, unknown_drug_error, {"WITH": perturbation_lexicon})


@dataclass(frozen=True)
class _Dose:
    """One dose of a course."""

    drug: str = ""
    amount: Amount | None = None
    route: str = ""
    salt: str = "base"
    duration: float = 0.0
    route_reason: str = ""


@dataclass(frozen=True)
class _Course:
    """One dose, the times (h) at which it starts (several for single doses), and the phases of its schedule."""

    dose: _Dose
    starts: tuple[float, ...]
    phases: tuple[Phase, ...] = ()

    def end(self) -> float | None:
        """Time (h) at which the last phase ends; None if it has no end."""
        lengths = [phase.duration for phase in self.phases]
        return None if None in lengths else self.starts[-1] + sum(length or 0.0 for length in lengths)


ItemsByKind = dict[str, Item]


@dataclass(frozen=True)
class _TreatmentBuilder:
    """Builds the treatments of one sentence; `first_day`, `reduced` and `highest` as in `Sentence.treatments`."""

    text: str
    first_day: int
    reduced: bool
    highest: bool

    def treatments(self, part: Part) -> Iterator[Treatment]:
        """The treatments of one part. Raises InputError."""
        for_all = self._items_by_kind(
            [item for segment in part.segments for item in segment if item.kind in TREATMENT_KINDS]
        )
        courses: list[_Course] = []
        for segment in part.segments:
            self._add_segment(courses, tuple(item for item in segment if item.kind not in TREATMENT_KINDS))
        listed = [(course, start) for course in courses for start in course.starts]
        if len(listed) > 1 and (for_all.get("missed") or for_all.get("steady")):
            item = for_all.get("missed") or for_all["steady"]
            raise self._item_error(item, "is ambiguous for several consecutive doses", "one dose in one frequency")
        for course, start in listed:
            yield self._treatment(course, start, for_all)

    def _treatment(self, course: _Course, start: float, for_all: ItemsByKind) -> Treatment:
        dose = course.dose
        lag, missed = for_all.get("lag"), for_all.get("missed")
        treatment = Treatment(
            dose.drug,
            dose.amount.number if dose.amount else None,
            dose.amount.unit if dose.amount else "",
            dose.route,
            dose.duration,
            start,
            course.phases,
            dose.salt,
            lag.value.hours if lag else 0.0,
            self._skipped_doses(missed) if missed else (),
            for_all["missing"].value if "missing" in for_all else 0.0,
            "steady" in for_all,
            dose.route_reason,
        )
        if (
            missed
            and treatment.end() is not None
            and max(treatment.skipped_doses) > (count := len(treatment.starts(math.inf)))
        ):
            raise self._item_error(missed, "is not possible", f"doses from 1 to {count}")
        return treatment

    def _skipped_doses(self, item: Item) -> tuple[int, ...]:
        if not all(map(_is_whole, item.value)):
            raise self._item_error(item, "names no doses", "whole numbers from 1")
        return tuple(map(int, item.value))

    def _add_segment(self, courses: list[_Course], items: tuple[Item, ...]) -> None:
        """Add a phase to the last course, or begin another where the segment names another dose or time."""
        self._check_items(items)
        by_kind = self._items_by_kind([item for item in items if item.kind not in ("name", "length")])
        names = [item for item in items if item.kind == "name"]
        dose = self._dose(by_kind, names, courses[-1].dose if courses else _Dose())
        phase, over = self._phase(by_kind, items, dose)
        another = names or over is not None or {"amount", "route", "salt", "start"} & set(by_kind)
        if courses and not another:
            if phase is None:
                what = f"'then' without a frequency in '{shorten_text(self.text)}'"
                raise InputError(what, key="schedule", expected="a frequency", type_this="then weekly for 4 weeks")
            courses[-1] = replace(courses[-1], phases=(*courses[-1].phases, phase))
            return
        dose = _with_infusion_route(replace(dose, duration=over) if over is not None else dose)
        starts = self._starts(by_kind, phase, courses, dose if over else None)
        if phase and len(starts) > 1:
            raise self._item_error(
                by_kind["start"], "names several times and a frequency", "one start, or no frequency"
            )
        courses.append(_Course(dose, starts, (phase,) if phase else ()))

    def _dose(self, by_kind: ItemsByKind, names: list[Item], before: _Dose) -> _Dose:
        if not names and not before.drug:
            raise missing_drug_error(self.text)
        drugs = dict.fromkeys(item.value[0] for item in names)
        if len(drugs) > 1:
            raise self._item_error(names[1], f"is another drug than {next(iter(drugs))}", "';' between two treatments")
        name = next(iter(drugs), before.drug)
        before = before if name == before.drug else _Dose()
        brand = self._brand_route(names, by_kind.get("route"))
        amount = by_kind["amount"].value if "amount" in by_kind else before.amount
        self._check_amount(name, amount, by_kind.get("amount"))
        if isinstance(amount, TitratedAmount):
            amount = Amount(amount.highest if self.highest else amount.number, amount.unit)
        route = by_kind["route"].value if "route" in by_kind else brand or before.route
        salt = by_kind["salt"].value if "salt" in by_kind else before.salt
        if route != before.route:
            return _Dose(name, amount, route, salt)
        return _Dose(name, amount, route, salt, before.duration, "" if "route" in by_kind else before.route_reason)

    def _brand_route(self, names: list[Item], route: Item | None) -> str:
        """The route of a brand. Raises InputError where another one is named."""
        for item in names:
            only = item.value[1]
            if only and route and route.value != only:
                raise self._item_error(item, f"is given by route {only} only", only, "route")
        return next((item.value[1] for item in names if item.value[1]), "")

    def _check_amount(self, name: str, amount: Amount | None, item: Item | None) -> None:
        """Refuse an amount for sessions and antidepressants, which are counted; require a mass for all others."""
        if drug(name).is_session:
            if amount is not None:
                what = f"{name} is counted in treatments, not in {amount.unit}"
                expected = "no amount: the model has no dose dependence here"
                example = f"{name} daily for 6 weeks" if name == "antidepressant" else f"{name} twice weekly"
                raise InputError(what, key="dose", expected=expected, type_this=example)
        elif amount is None or amount.unit.split("/")[0] not in MASS_UNITS:
            place = f": '{self.text[item.start : item.end]}'" if item else ""
            what = f"no dose in '{shorten_text(self.text)}'{place}"
            raise InputError(what, key="dose", expected=MASSES, type_this="0.5 mg/kg")

    def _phase(self, by_kind: ItemsByKind, items: tuple[Item, ...], dose: _Dose) -> tuple[Phase | None, float | None]:
        """The phase (None without a frequency), and the infusion duration (h) of each dose where it is named."""
        lengths = [item.value for item in items if item.kind == "length"]
        frequency, over = self._frequency(by_kind), by_kind["over"].value.hours if "over" in by_kind else None
        if over is None and lengths:
            shortest = min(lengths, key=lambda length: length.hours)
            rate = _is_rate(dose) and not dose.duration
            if rate or len(lengths) > 1 or (frequency is None and _is_infused(dose) and shortest.unit < DAY):
                lengths.remove(shortest)
                over = shortest.hours
        if len(lengths) > 1:
            what = f"two lengths of time after 'for' in '{shorten_text(self.text)}'"
            raise InputError(what, key="schedule", expected="one")
        count = by_kind.get("count")
        if frequency is None:
            if lengths or (count and count.value != 1):
                what = f"'{shorten_text(self.text)}' has a length of time but no dosing frequency"
                raise InputError(what, key="schedule", expected="a frequency", type_this="weekly for 4 weeks")
            return None, over
        phase = Phase(frequency.every, frequency.times_a_week, lengths[0].hours if lengths else None)
        return (self._with_dose_count(phase, count) if count else phase), over

    def _with_dose_count(self, phase: Phase, count: Item) -> Phase:
        """The phase with a given number of doses."""
        number = count.value
        if not _is_whole(number):
            raise self._item_error(count, "is not a number of doses", "a whole number from 1")
        length = phase.after(int(number))
        if (
            phase.duration is not None
            and abs(phase.duration - length) > 1e-9
            and len(list(phase.starts(0, 1e9))) != number
        ):
            raise self._item_error(count, f"is not the number of doses in {phase.duration:g} h", "one of the two")
        return replace(phase, duration=phase.duration or length)

    def _frequency(self, by_kind: ItemsByKind) -> Frequency | None:
        item = by_kind.get("frequency")
        if item is None:
            return None
        if isinstance(item.value, AdaptiveFrequency):
            return item.value.reduced if self.reduced else item.value.usual
        return item.value

    def _starts(
        self, by_kind: ItemsByKind, phase: Phase | None, courses: list[_Course], infusion: _Dose | None
    ) -> tuple[float, ...]:
        item = by_kind.get("start")
        if item is None:
            return (self._next_start(phase, courses, infusion),) if courses else (0.0,)
        if isinstance(item.value, Span):
            if item.value.compound:
                raise self._item_error(
                    item, "can be read in two ways", f"'at {item.value.hours:g} h', or 'over' how long"
                )
            return (item.value.hours,)
        hours = item.value.hours(self.first_day) if isinstance(item.value, Days) else tuple(item.value)
        if len(set(hours)) < len(hours):
            raise self._item_error(item, "names a time twice", "each time once; one larger dose, or ';' before another")
        if not isinstance(item.value, Days):
            return hours
        if min(hours) < 0:
            raise self._item_error(item, "is before the first day", "day 1 or later")
        return hours

    def _next_start(self, phase: Phase | None, courses: list[_Course], infusion: _Dose | None) -> float:
        """Start (h) of a changed dose: the end of the previous course; after a single dose, one interval later.

        A single infusion follows a single dose by the same route at once: a loading dose, or steps of an infusion.
        """
        last = courses[-1]
        if not last.phases:
            if phase is None and infusion and last.dose.route in ("", infusion.route):
                return last.starts[-1] + last.dose.duration
            if phase is None:
                what = f"'then' without a time in '{shorten_text(self.text)}'"
                raise InputError(what, key="at", expected="a day, a time or a frequency", type_this="then ... on day 4")
            return last.starts[-1] + phase.mean_interval
        end = last.end()
        if end is None:
            what = f"the phase before 'then' has no duration in '{shorten_text(self.text)}'"
            raise InputError(what, key="schedule", expected="'for' how long before each 'then'")
        return end

    def _items_by_kind(self, items: list[Item]) -> ItemsByKind:
        """Items by kind. Raises InputError for two different ones of a kind."""
        by_kind: ItemsByKind = {}
        forms = {dosage_forms().get(item.value) for item in items if item.kind == "route"}
        for item in items:
            kind = SAME_KINDS.get(item.kind, item.kind)
            if kind == "route" and item.value in forms:
                continue  # "oral" beside "prolonged release"
            if kind in UNIQUE_KINDS and kind in by_kind and by_kind[kind].value != item.value:
                expected = "one; use 'then' before a later dose and ';' before another treatment"
                raise self._item_error(
                    item, f"is the second of two {UNIQUE_KINDS[kind]}", expected, KEYS.get(kind, kind)
                )
            by_kind.setdefault(kind, item)
        return by_kind

    def _check_items(self, items: tuple[Item, ...]) -> None:
        """Raise InputError for a negative dose or time, and for a bare "2 weeks"."""
        for item in items:
            value: Any = item.value
            words = self.text[item.start : item.end]
            if isinstance(value, Amount) and value.number < 0:
                what = f"a dose of {words} in '{shorten_text(self.text)}'"
                raise InputError(what, key="dose", expected="a positive number")
            if isinstance(value, Span) and value.hours < 0:
                what = f"a time of {value.hours / value.unit:g} {words.split()[-1]} in '{shorten_text(self.text)}'"
                raise InputError(what, key="time", expected="a positive number")
            if item.kind == "lasting" and value.unit >= DAY:
                expected = "'over' for how long an infusion runs, 'for' how long doses are repeated, 'every' how often"
                raise self._item_error(item, "is neither a duration nor a frequency", expected, "schedule")

    def _item_error(self, item: Item, why: str, expected: str, key: str | None = None) -> InputError:
        where = f"'{self.text[item.start : item.end]}' (character {item.start + 1})"
        named = key or KEYS.get(SAME_KINDS.get(item.kind, item.kind), "schedule")
        return InputError(f"{where} {why} in '{shorten_text(self.text)}'", key=named, expected=expected)


def _is_whole(number: float) -> bool:
    return math.isfinite(number) and number == int(number) and number >= 1


def _is_rate(dose: _Dose) -> bool:
    return dose.amount is not None and dose.amount.unit.endswith("/h")


def _with_infusion_route(dose: _Dose) -> _Dose:
    """An infusion or a rate without a route is given by INFUSION_ROUTE, if its drug can be."""
    routes = drug(dose.drug).routes
    if dose.route or "" in routes or INFUSION_ROUTE not in routes or not (dose.duration or _is_rate(dose)):
        return dose
    return replace(dose, route=INFUSION_ROUTE, route_reason=INFUSION_REASON)


def _is_infused(dose: _Dose) -> bool:
    substance = drug(dose.drug)
    return dose.route in INFUSION_ROUTES or substance.infused_session or substance.maintenance_elimination is not None
