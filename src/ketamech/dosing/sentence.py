"""Regimens from words: "racemic 0.5 mg/kg IV over 40 min", "TMS 5 times a week for 6 weeks"."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from ketamech.core import InputError
from ketamech.core.time_units import DAY
from ketamech.dosing.drugs import ROUTES, drug, spellings, unknown_drug
from ketamech.dosing.lexicon import Lexicon, Meaning
from ketamech.dosing.parse import parse
from ketamech.dosing.parse_errors import MASSES, shown, without_drug
from ketamech.dosing.syntax import Amount, Choice, Days, Item, Part, Phrase, Rhythm, Span
from ketamech.dosing.treatment import Phase, Treatment

REMEMBERED = 4096  # sentences: a treatment never changes, so that one reading serves all
INFUSED = ("IV", "SC")
MASS_UNITS = ("mg", "ug", "ng", "g")
# What may be said once in a segment: rules of the grammar that say the same thing have one name.
ALIKE = {"lasting": "over", "choice": "rhythm", "starts": "start", "days": "start"}
TWICE = {
    "amount": "doses", "route": "routes", "salt": "salts", "over": "durations", "rhythm": "rhythms", "start": "starts",
    "count": "numbers of doses", "lag": "lags", "missing": "chances", "missed": "lists of missed doses",
}  # fmt: skip
KEYS = {"amount": "dose", "rhythm": "schedule", "count": "schedule", "start": "at", "missed": "missing"}
FOR_ALL = ("lag", "missing", "missed", "steady")  # said anywhere in a treatment, they hold for all of it


@dataclass(frozen=True)
class Sentence:
    """A sentence as parsed: its text, its treatments, and what is done beside them."""

    text: str
    parts: tuple[Part, ...]

    @property
    def names_day_zero(self) -> bool:
        """Whether it counts days from 0."""
        return any(0 in item.value.numbers for item in self._items() if item.kind == "days")

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Each choice of two rhythms."""
        return tuple(item.value for item in self._items() if item.kind == "choice")

    def _items(self) -> Iterator[Item]:
        return (item for part in self.parts for segment in part.segments for item in segment)

    @property
    def beside(self) -> tuple[tuple[str, Phrase], ...]:
        """Each perturbation, with its words."""
        found = (phrase for part in self.parts for phrase in part.beside)
        return tuple((" ".join(self.text[one.start : one.end].split()), one) for one in found)

    def treatments(self, first_day: int | None = None, *, sparse: bool | None = None) -> tuple[Treatment, ...]:
        """The treatments. Raises BadInput, also for what only a trial can follow unless `sparse` is given.

        `first_day` is the number of the first day [default: 0 where the sentence names a day 0, else 1]. Of a choice of
        two rhythms `sparse` chooses.
        """
        if sparse is None and (self.choices or any(part.again for part in self.parts)):
            what = f"doses that are adapted to a person are for trial files: '{shown(self.text)}'"
            raise InputError(what, key="schedule", expected="one rhythm", type_this="then weekly")
        first = first_day if first_day is not None else 0 if self.names_day_zero else 1
        return tuple(one for part in self.parts for one in _Reading(self.text, first, bool(sparse)).treatments(part))


def parse_sentence(text: str) -> Sentence:
    """The sentence of a text. Raises BadInput naming the word that is not understood, and its position."""
    sentence = Sentence(text, parse("sentence", text, lexicon()))
    if not text.strip(" .;\r\t\n"):
        raise InputError("the regimen is empty", expected="a sentence", type_this='"racemic 0.5 mg/kg IV over 40 min"')
    return sentence


@lru_cache(maxsize=REMEMBERED)
def read(text: str) -> tuple[Treatment, ...]:
    """Treatments of a sentence; several are joined by ';' or 'plus'. Raises BadInput, also for a perturbation."""
    sentence = parse_sentence(text)
    if sentence.beside:
        what = f"'with {sentence.beside[0][0]}' is no part of a regimen"
        raise InputError(what, key="with", expected="treatments only")
    return sentence.treatments()


@cache
def lexicon() -> Lexicon:
    """Names of drugs and words of routes; behind 'with' the names of perturbations."""
    from ketamech.dosing.applied_perturbation import lexicon as perturbations

    names = {word: Meaning("NAME", (found.name, way)) for word, (found, way) in spellings().items()}
    routes = {word: Meaning("ROUTE", name) for word, name in ROUTES.items()}
    return Lexicon({**names, **routes}, unknown_drug, {"WITH": perturbations})


@dataclass(frozen=True)
class _Dose:
    """What is given each time."""

    drug: str = ""
    amount: Amount | None = None
    route: str = ""
    salt: str = "base"
    duration: float = 0.0


@dataclass(frozen=True)
class _Course:
    """One dose, when its course starts (several single doses start at several hours), and its phases."""

    dose: _Dose
    starts: tuple[float, ...]
    phases: tuple[Phase, ...] = ()

    def end(self) -> float | None:
        """Hour at which its last phase ends; None when it never does."""
        lengths = [phase.duration for phase in self.phases]
        return None if None in lengths else self.starts[-1] + sum(length or 0.0 for length in lengths)


Said = dict[str, Item]


@dataclass(frozen=True)
class _Reading:
    """The reading of one sentence: its text, the number of its first day, and which of two rhythms counts."""

    text: str
    first_day: int
    sparse: bool

    def treatments(self, part: Part) -> Iterator[Treatment]:
        """The treatments of one part. Raises BadInput."""
        for_all = self._once([item for segment in part.segments for item in segment if item.kind in FOR_ALL])
        courses: list[_Course] = []
        for segment in part.segments:
            self._add(courses, tuple(item for item in segment if item.kind not in FOR_ALL))
        listed = [(course, start) for course in courses for start in course.starts]
        if len(listed) > 1 and (for_all.get("missed") or for_all.get("steady")):
            item = for_all.get("missed") or for_all["steady"]
            raise self._bad(item, "is not clear where several doses follow one another", "one dose in one rhythm")
        for course, start in listed:
            yield self._treatment(course, start, for_all)

    def _treatment(self, course: _Course, start: float, for_all: Said) -> Treatment:
        dose = course.dose
        lag, missed = for_all.get("lag"), for_all.get("missed")
        found = Treatment(
            dose.drug,
            dose.amount.number if dose.amount else None,
            dose.amount.unit if dose.amount else "",
            dose.route,
            dose.duration,
            start,
            course.phases,
            dose.salt,
            lag.value.hours if lag else 0.0,
            self._missed(missed) if missed else (),
            for_all["missing"].value if "missing" in for_all else 0.0,
            "steady" in for_all,
        )
        if missed and found.end() is not None and max(found.skipped_doses) > (count := len(found.starts(math.inf))):
            raise self._bad(missed, "is not possible", f"doses from 1 to {count}")
        return found

    def _missed(self, item: Item) -> tuple[int, ...]:
        if any(number != int(number) for number in item.value):
            raise self._bad(item, "names no doses", "whole numbers from 1")
        return tuple(map(int, item.value))

    def _add(self, courses: list[_Course], items: tuple[Item, ...]) -> None:
        """Go on with the last course, or begin another where the segment says another dose or time."""
        self._refuse_nonsense(items)
        said = self._once([item for item in items if item.kind not in ("name", "length")])
        names = [item for item in items if item.kind == "name"]
        another = bool(names) or bool({"amount", "route", "salt", "over", "start"} & set(said))
        if courses and not another:
            phase, over = self._phase(said, items, courses[-1].dose)
            if phase is None:
                what = f"'then' says no rhythm in '{shown(self.text)}'"
                raise InputError(what, key="schedule", expected="a rhythm", type_this="then weekly for 4 weeks")
            courses[-1] = replace(courses[-1], phases=(*courses[-1].phases, phase))
            return
        dose = self._dose(said, names, courses[-1].dose if courses else _Dose())
        phase, over = self._phase(said, items, dose)
        dose = replace(dose, duration=over) if over is not None else dose
        starts = self._starts(said, phase, courses)
        if phase and len(starts) > 1:
            raise self._bad(said["start"], "names several times beside a rhythm", "one start, or no rhythm")
        courses.append(_Course(dose, starts, (phase,) if phase else ()))

    def _dose(self, said: Said, names: list[Item], before: _Dose) -> _Dose:
        if not names and not before.drug:
            raise without_drug(self.text)
        found = dict.fromkeys(item.value[0] for item in names)
        if len(found) > 1:
            raise self._bad(names[1], f"is another drug than {next(iter(found))}", "';' between two treatments")
        name = next(iter(found), before.drug)
        before = before if name == before.drug else _Dose()
        brand = self._brand_route(names, said.get("route"))
        amount = said["amount"].value if "amount" in said else before.amount
        self._refuse_amount(name, amount, said.get("amount"))
        route = said["route"].value if "route" in said else brand or before.route
        salt = said["salt"].value if "salt" in said else before.salt
        return _Dose(name, amount, route, salt, before.duration)

    def _brand_route(self, names: list[Item], route: Item | None) -> str:
        """The one route of a brand. Raises BadInput where another one is named."""
        for item in names:
            only = item.value[1]
            if only and route and route.value != only:
                raise self._bad(item, f"is given by route {only} only", only, "route")
        return next((item.value[1] for item in names if item.value[1]), "")

    def _refuse_amount(self, name: str, amount: Amount | None, item: Item | None) -> None:
        """Sessions and antidepressants are counted, not weighed: a mass would be ignored, so it is refused."""
        if drug(name).is_session:
            if amount is not None:
                raise InputError(
                    f"{name} is counted in treatments, not in {amount.unit}",
                    key="dose",
                    expected="no amount: the model has no dose dependence here",
                    type_this=f"{name} daily for 6 weeks" if name == "antidepressant" else f"{name} twice weekly",
                )
        elif amount is None or amount.unit.split("/")[0] not in MASS_UNITS:
            place = f": '{self.text[item.start : item.end]}'" if item else ""
            what = f"no dose in '{shown(self.text)}'{place}"
            raise InputError(what, key="dose", expected=MASSES, type_this="0.5 mg/kg")

    def _phase(self, said: Said, items: tuple[Item, ...], dose: _Dose) -> tuple[Phase | None, float | None]:
        """The rhythm and its length, and how long each dose enters where that is said."""
        lengths = [item.value for item in items if item.kind == "length"]
        rhythm, over = self._rhythm(said), self._over(said)
        if over is None and lengths and (_is_rate(dose) or len(lengths) > 1 or (rhythm is None and _is_infused(dose))):
            shortest = min(lengths, key=lambda length: length.hours)
            if _is_rate(dose) or len(lengths) > 1 or shortest.unit < DAY:
                lengths.remove(shortest)
                over = shortest.hours
        if len(lengths) > 1:
            raise InputError(f"two lengths of time after 'for' in '{shown(self.text)}'", key="schedule", expected="one")
        count = said.get("count")
        if rhythm is None:
            if lengths or (count and count.value != 1):
                what = f"'{shown(self.text)}' says for how long but not how often"
                raise InputError(what, key="schedule", expected="a rhythm", type_this="weekly for 4 weeks")
            return None, over
        phase = Phase(rhythm.every, rhythm.times_a_week, lengths[0].hours if lengths else None)
        return (self._counted(phase, count) if count else phase), over

    def _counted(self, phase: Phase, count: Item) -> Phase:
        """The phase with so many doses."""
        number = count.value
        if number != int(number) or number < 1:
            raise self._bad(count, "is no number of doses", "a whole number from 1")
        length = phase.after(int(number))
        if (
            phase.duration is not None
            and abs(phase.duration - length) > 1e-9
            and len(list(phase.starts(0, 1e9))) != number
        ):
            raise self._bad(count, f"is not how many doses there are in {phase.duration:g} h", "one of the two")
        return replace(phase, duration=phase.duration or length)

    def _rhythm(self, said: Said) -> Rhythm | None:
        item = said.get("rhythm")
        if item is None:
            return None
        if isinstance(item.value, Choice):
            return item.value.sparse if self.sparse else item.value.usual
        return item.value

    def _over(self, said: Said) -> float | None:
        item = said.get("over")
        return item.value.hours if item else None

    def _starts(self, said: Said, phase: Phase | None, courses: list[_Course]) -> tuple[float, ...]:
        item = said.get("start")
        if item is None:
            return (self._next(phase, courses),) if courses else (0.0,)
        if isinstance(item.value, Span):
            if item.value.compound:
                raise self._bad(item, "can be read in two ways", f"'at {item.value.hours:g} h', or 'over' how long")
            return (item.value.hours,)
        if not isinstance(item.value, Days):
            return tuple(item.value)
        hours = item.value.hours(self.first_day)
        if min(hours) < 0:
            raise self._bad(item, "lies before the first day", "day 1 or later")
        return hours

    def _next(self, phase: Phase | None, courses: list[_Course]) -> float:
        """When a changed dose begins: at the end of what came before; after a single dose, one gap later."""
        last = courses[-1]
        if not last.phases:
            if phase is None:
                what = f"'then' does not say when in '{shown(self.text)}'"
                raise InputError(what, key="at", expected="a day, a time or a rhythm", type_this="then ... on day 4")
            return last.starts[-1] + phase.mean_interval
        end = last.end()
        if end is None:
            what = f"what comes after 'then' would never start in '{shown(self.text)}'"
            raise InputError(what, key="schedule", expected="'for' how long before each 'then'")
        return end

    def _once(self, items: list[Item]) -> Said:
        """Items by what they say. Raises BadInput for two different ones of a kind."""
        said: Said = {}
        for item in items:
            kind = ALIKE.get(item.kind, item.kind)
            if kind in TWICE and kind in said and said[kind].value != item.value:
                expected = "one; what comes later follows 'then', another treatment ';'"
                raise self._bad(item, f"is the second of two {TWICE[kind]}", expected, KEYS.get(kind, kind))
            said.setdefault(kind, item)
        return said

    def _refuse_nonsense(self, items: tuple[Item, ...]) -> None:
        """No negative dose or time, and no bare "2 weeks"."""
        for item in items:
            value: Any = item.value
            words = self.text[item.start : item.end]
            if isinstance(value, Amount) and value.number < 0:
                raise InputError(f"a dose of {words} in '{shown(self.text)}'", key="dose", expected="a positive number")
            if isinstance(value, Span) and value.hours < 0:
                what = f"a time of {value.hours / value.unit:g} {words.split()[-1]} in '{shown(self.text)}'"
                raise InputError(what, key="time", expected="a positive number")
            if item.kind == "lasting" and value.unit >= DAY:
                expected = "'over' for how long an infusion runs, 'for' how long doses are repeated, 'every' how often"
                raise self._bad(item, "says neither how long nor how often", expected, "schedule")

    def _bad(self, item: Item, why: str, expected: str, key: str | None = None) -> InputError:
        where = f"'{self.text[item.start : item.end]}' (character {item.start + 1})"
        named = key or KEYS.get(ALIKE.get(item.kind, item.kind), "schedule")
        return InputError(f"{where} {why} in '{shown(self.text)}'", key=named, expected=expected)


def _is_rate(dose: _Dose) -> bool:
    return dose.amount is not None and dose.amount.unit.endswith("/h")


def _is_infused(dose: _Dose) -> bool:
    given = drug(dose.drug)
    return dose.route in INFUSED or given.infused_session or given.maintenance_elimination is not None
