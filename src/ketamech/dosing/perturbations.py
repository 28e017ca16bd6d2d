"""Perturbations: drugs, gene deletions and other experimental interventions in addition to the treatment.

`Perturbation` is a row of data/perturbations/perturbations.csv; `AppliedPerturbation` is one as applied, read from
a text such as "NBQX 10 mg/kg IP at -30 min" or "BDNF knock-out".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ketamech.core import InputError, UnknownNameError, closest_match, convert, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.units import DAY
from ketamech.dosing.dose_events import DoseEvent, ParameterLookup
from ketamech.dosing.drugs import not_modelled_error
from ketamech.dosing.lexicon import Lexicon, Meaning, route_words
from ketamech.dosing.parse import parse
from ketamech.dosing.parsed_values import Amount, Phrase, Span
from ketamech.dosing.treatment import MAX_DOSES, Phase
from ketamech.evidence import evidence_ids, load_evidence
from ketamech.parameters import ParameterTable, load_parameters

PERTURB = "perturb"
PATH = DATA / "perturbations" / "perturbations.csv"
COLUMNS = ("name", "words", "kind", "target", "sets", "enters", "level", "doses", "at", "kept_up_by", "evidence", "why")
KINDS = ("drug", "genotype", "knock-out", "infusion", "diet", "stress", "held")
DOSABLE_KINDS = ("drug", "infusion")


@dataclass(frozen=True)
class PerturbationDose:
    """A usual experimental dose by one route, and the fraction `level` of the usual level at the site that it gives."""

    route: str
    amount: float
    unit: str
    level: float


@dataclass(frozen=True)
class Perturbation:
    """One perturbation: a drug or infusion enters `target_states` at `level` (their unit) after a usual dose.

    `parameter_values` {parameter: value} are in the units of the parameter tables. `at` (h) is the usual time, relative
    to the treatment. With a `loss_rate_parameter` (name, 1/h) the level is maintained for the duration of the
    perturbation, as for stress.
    """

    name: str
    perturbation_names: tuple[str, ...]
    kind: str
    target: str
    parameter_values: Mapping[str, float]
    target_states: tuple[str, ...]
    level: float
    doses: tuple[PerturbationDose, ...]
    at: float
    loss_rate_parameter: str
    evidence: tuple[str, ...]
    why: str

    @property
    def held_parameters(self) -> tuple[str, ...]:
        """Parameters that hold the level of a drug at its targets for the whole simulation."""
        return tuple(f"perturbation.{state.removeprefix('tool_compounds.')}" for state in self.target_states)

    @property
    def human_dose(self) -> PerturbationDose | None:
        """The first usual dose for people: an amount, not one per body weight and not into the brain."""
        return next((dose for dose in self.doses if "/" not in dose.unit and dose.route != "brain"), None)

    def values(self, table: ParameterTable) -> dict[str, float]:
        """Parameters that it sets, canonical units."""
        return {name: number * unit(table[name].unit).factor for name, number in self.parameter_values.items()}


@cache
def load_perturbations(path: Path = PATH) -> dict[str, Perturbation]:
    """Every perturbation by name. Raises InputError for a drug without a target or an unknown parameter."""
    table = load_parameters()
    perturbations: dict[str, Perturbation] = {}
    taken: dict[str, str] = {}
    for row in read_table(path, COLUMNS):
        one = _perturbation(row, table)
        for word in one.perturbation_names:
            if word in taken:
                raise row.error("words", f"'{word}' already means {taken[word]}", expected="each word once")
            taken[word] = one.name
        perturbations[one.name] = one
    return perturbations


def _perturbation(row: CsvRow, table: ParameterTable) -> Perturbation:
    name, kind = row.required("name", "what it is called"), row.one_of("kind", KINDS)
    names = tuple(dict.fromkeys(word.lower() for word in (name, *row.listed("words"))))
    enters = row.listed("enters")
    sets = row.settings("sets", table)
    if kind in DOSABLE_KINDS and not enters:
        raise row.error("enters", f"{kind} '{name}' has no target", expected="the state its level enters")
    if kind not in DOSABLE_KINDS and not sets and not enters:
        raise row.error("sets", f"{kind} '{name}' changes nothing", expected="stage.thing=number")
    return Perturbation(
        name,
        names,
        kind,
        row.required("target", "what it acts on, in words"),
        sets,
        enters,
        row.number("level") if enters else 0.0,
        tuple(_read_dose_form(row, part) for part in row.listed("doses")),
        row.number_or("at", 0.0),
        row.known("kept_up_by", table, "a rate, 1/h", what="no parameter") if row["kept_up_by"] else "",
        evidence_ids(row, load_evidence()),
        row.required("why", "one plain line"),
    )


def _read_dose_form(row: CsvRow, text: str) -> PerturbationDose:
    try:
        route, amount, share = parse("dose_form", text, _routes())
    except InputError as problem:
        raise row.error("doses", problem.what, expected=problem.expected or "ROUTE AMOUNT UNIT") from problem
    return PerturbationDose(route, amount.number, amount.unit, share)


@cache
def _routes() -> Lexicon:
    return Lexicon(route_words(), unknown_perturbation_error)


def perturbation(word: str) -> Perturbation:
    """The perturbation of a name or alias. Raises UnknownNameError with the nearest name."""
    matched = perturbations_by_name().get(word.strip().lower())
    if matched is None:
        raise unknown_perturbation_error(word)
    return matched


@cache
def perturbations_by_name() -> dict[str, Perturbation]:
    """Every name and alias, lower case, longest first."""
    pairs = [
        (word, perturbation)
        for perturbation in load_perturbations().values()
        for word in perturbation.perturbation_names
    ]
    return dict(sorted(pairs, key=lambda pair: -len(pair[0])))


def unknown_perturbation_error(text: str) -> InputError:
    """The error about an unknown perturbation: an unknown knock-out, an unknown blocker, or a misspelling."""
    if (problem := not_modelled_error(text.strip(), "with")) is not None:
        return problem
    known, lower_text = perturbations_by_name(), text.strip().lower()
    near = _name(known, closest_match(lower_text, known))
    if re.search(r"knock|\bko\b|-/-|delet", lower_text):
        pathways = [word for word, one in known.items() if one.kind in ("knock-out", "genotype")]
        what = f"'{text.strip()}' is a deletion of a gene that is not in the model"
        expected = ", ".join(sorted({known[w].name for w in pathways}))
        return UnknownNameError(
            what, key="with", expected=expected, nearest=_name(known, closest_match(lower_text, pathways)) or near
        )
    if re.search(r"block|antagonist|inhibitor", lower_text):
        targets = sorted({one.target for one in known.values() if one.kind in DOSABLE_KINDS})
        what, expected = (
            f"'{text.strip()}' is a blocker without a known target",
            f"a drug that acts on: {', '.join(targets)}",
        )
        example = 'with "NBQX 10 mg/kg IP at -30 min"'
        return UnknownNameError(what, key="with", expected=expected, nearest=near, type_this=example)
    drugs = ", ".join(one.name for one in load_perturbations().values() if one.human_dose)
    expected = f"a drug in a dose for people ({drugs}), or an intervention of an experiment (data/perturbations)"
    return UnknownNameError(f"no perturbation is called '{text.strip()}'", key="with", expected=expected, nearest=near)


def _name(known: Mapping[str, Perturbation], word: str | None) -> str | None:
    return known[word].name if word else None


LIMITS = DATA / "perturbations" / "limits.csv"
LIMIT_COLUMNS = ("limit", "value", "unit", "status", "why")


@cache
def perturbation_limits() -> dict[str, float]:
    """The latest lead before the treatment (`lead`, h), and the most usual doses in a day (`daily_doses`)."""
    return {row["limit"]: row.number("value") for row in read_table(LIMITS, LIMIT_COLUMNS)}


SAME_KINDS = {"before": "start", "after": "start"}


@dataclass(frozen=True)
class AppliedPerturbation:
    """One perturbation as applied: `target_fraction` of its usual level, at `time` (h), over `duration` (h).

    With `is_constant` the level is held at this fraction for the whole simulation. With a `schedule` the dose is
    repeated from `time` on, each time at once.
    """

    perturbation: Perturbation
    target_fraction: float
    time: float
    is_constant: bool
    text: str
    duration: float = 0.0
    schedule: Phase | None = None

    @property
    def target_states(self) -> tuple[str, ...]:
        """States that it enters; none where its level is held."""
        return () if self.is_constant else self.perturbation.target_states

    def events(self, number: ParameterLookup) -> tuple[DoseEvent, ...]:
        """Dose events of the perturbation; `number` looks up a parameter (canonical units)."""
        loss_rate, amount = self.perturbation.loss_rate_parameter, self.target_fraction * self.perturbation.level
        if self.schedule is not None:
            doses = self.schedule.starts(self.time, math.inf)
            return tuple(DoseEvent(time, state, amount) for time in doses for state in self.target_states)
        if loss_rate and self.duration:
            replaced = number(loss_rate) * amount * self.duration
            first = [DoseEvent(self.time, state, amount) for state in self.target_states]
            return (*first, *(DoseEvent(self.time, state, replaced, self.duration) for state in self.target_states))
        return tuple(DoseEvent(self.time, state, amount, self.duration) for state in self.target_states)

    def values(self, table: ParameterTable) -> dict[str, float]:
        """Parameters that it sets, canonical units."""
        held = {name: min(1.0, self.target_fraction) for name in self.held_parameters}
        return {**self.perturbation.values(table), **held}

    @property
    def held_parameters(self) -> tuple[str, ...]:
        """Parameters that it holds at its level."""
        return self.perturbation.held_parameters if self.is_constant else ()


def read_perturbations(
    phrases: Iterable[str | tuple[str, Phrase] | AppliedPerturbation],
) -> tuple[AppliedPerturbation, ...]:
    """The perturbations of phrases, each a text, a text with its parse, or an AppliedPerturbation.

    Raises InputError for a phrase that cannot be parsed and for two that set the same parameter.
    """
    applied = tuple(
        phrase if isinstance(phrase, AppliedPerturbation)
        else read_perturbation(phrase) if isinstance(phrase, str) else apply_phrase(*phrase)
        for phrase in phrases
    )  # fmt: skip
    text_by_parameter: dict[str, str] = {}
    for perturbation in applied:
        for name in (*perturbation.perturbation.parameter_values, *perturbation.held_parameters):
            if name in text_by_parameter:
                what = f"'{perturbation.text}' and '{text_by_parameter[name]}' both set {name}"
                raise InputError(what, key="with", expected="one of the two")
            text_by_parameter[name] = perturbation.text
    return applied


def read_added_perturbations(phrases: Iterable[str]) -> tuple[AppliedPerturbation, ...]:
    """The perturbations of the argument `perturb`, of which errors are about this key. Raises InputError."""
    try:
        return read_perturbations(phrases)
    except InputError as problem:
        example = problem.type_this and problem.type_this.removeprefix("with ").strip('"')
        raise problem.replace(key=PERTURB, type_this=example) from None


def read_perturbation(phrase: str) -> AppliedPerturbation:
    """One phrase: a name, then optionally a dose, a route or site, and a time. Raises InputError."""
    parsed = parse("phrase", phrase, perturbation_lexicon())
    return apply_phrase(" ".join(phrase.split()), parsed)


@cache
def perturbation_lexicon() -> Lexicon:
    """The lexicon of perturbation names and routes."""
    names = {word: Meaning("NAME", perturbation.name) for word, perturbation in perturbations_by_name().items()}
    return Lexicon({**route_words(), **names}, unknown_perturbation_error)


def apply_phrase(text: str, phrase: Phrase) -> AppliedPerturbation:
    """The perturbation of a parsed phrase; `text` is shown in errors and reports. Raises InputError."""
    items = _items_by_kind(phrase, text)
    if "name" not in items:
        raise unknown_perturbation_error(text)
    perturbation = perturbations_by_name()[items["name"].lower()]
    dose, is_constant = items.get("amount"), "held" in items
    time, duration = items.get("start"), items.get("lasting")
    schedule = _schedule(perturbation, items, text) if "repeated" in items else None
    days = min(1.0, schedule.mean_interval / DAY) if schedule else max(1.0, duration.hours / DAY) if duration else 1.0
    fraction = _target_fraction(perturbation, dose, items.get("route", ""), days, text)
    hours = perturbation.at if time is None else time.hours
    _check_perturbation(perturbation, dose is not None, is_constant, hours, text)
    lasting = duration.hours if duration and schedule is None else 0.0
    return AppliedPerturbation(perturbation, fraction, hours, is_constant, text, lasting, schedule)


def _schedule(perturbation: Perturbation, items: Mapping[str, Any], text: str) -> Phase:
    """When a repeated dose is given. Raises InputError without a length, and for what is not a dose."""
    if perturbation.kind not in DOSABLE_KINDS or "held" in items:
        what = f"{perturbation.name} is not given in doses in '{text}'"
        raise InputError(what, key="with", expected="no frequency", type_this=perturbation.name)
    if "lasting" not in items:
        what, example = f"'{text}' does not say for how long", f"{text} for 2 weeks"
        raise InputError(what, key="with", expected="'for' how long doses are repeated", type_this=example)
    frequency, length = items["repeated"], items["lasting"].hours
    try:
        schedule = Phase(frequency.every, frequency.times_a_week, length)
    except InputError as problem:
        raise problem.replace(key="with", type_this=None) from None
    if length / schedule.mean_interval > MAX_DOSES:
        raise InputError(
            f"more than {MAX_DOSES} doses in '{text}'", key="with", expected="a shorter or sparser schedule"
        )
    return schedule


def _items_by_kind(phrase: Phrase, text: str) -> dict[str, Any]:
    """The value of each kind of item; a time before the treatment is negative. Raises InputError for two of a kind."""
    items: dict[str, Any] = {}
    for item in phrase.items:
        kind = SAME_KINDS.get(item.kind, item.kind)
        value = Span(-item.value.hours, item.value.unit) if item.kind == "before" else item.value
        if kind in items and items[kind] != value:
            raise InputError(f"'{text}' has two values of {kind}", key="with", expected="one of the two")
        items[kind] = value
    return items


def _target_fraction(perturbation: Perturbation, dose: Amount | None, route: str, days: float, text: str) -> float:
    """Fraction of the usual level that a dose by a route gives; the usual dose if none is named.

    The limit is that of a day: a dose over several `days`, or one of several in a day, may be as many times as large.
    """
    if perturbation.kind not in DOSABLE_KINDS:
        return 1.0
    form = _form_by_route(perturbation, route, text)
    if dose is None:
        return form.level
    try:
        usual = convert(form.amount, form.unit, dose.unit)
    except InputError as problem:
        expected = f"a dose like {form.amount:g} {form.unit}"
        raise InputError(f"a dose in {dose.unit} of {perturbation.name}", key="with", expected=expected) from problem
    if not dose.number >= 0:
        raise InputError(f"a dose of {dose.number:g} {dose.unit} in '{text}'", key="with", expected="a positive number")
    most = perturbation_limits()["daily_doses"]
    if dose.number > most * usual * days:
        what = f"{dose.number:g} {dose.unit} of {perturbation.name} is above the limit in '{text}'"
        expected = f"at most {most:g} usual doses of {form.amount:g} {form.unit} a day"
        raise InputError(what, key="with", expected=expected)
    return form.level * dose.number / usual


def _form_by_route(perturbation: Perturbation, route: str, text: str) -> PerturbationDose:
    for form in perturbation.doses:
        if not route or form.route == route:
            return form
    routes = ", ".join(form.route for form in perturbation.doses)
    raise InputError(f"{perturbation.name} is not given by {route} in '{text}'", key="with", expected=routes)


def _check_perturbation(perturbation: Perturbation, has_dose: bool, is_constant: bool, time: float, text: str) -> None:
    if perturbation.kind not in DOSABLE_KINDS and (has_dose or is_constant):
        what = f"{perturbation.name} has no dose: it is a {perturbation.kind}"
        raise InputError(what, key="with", type_this=perturbation.name)
    held = perturbation.held_parameters
    if is_constant and (len(held) != 1 or held[0] not in load_parameters()):
        what = f"{perturbation.name} cannot be held constant"
        raise InputError(what, key="with", expected="a dose at a time", type_this=perturbation.name)
    earliest = perturbation_limits()["lead"]
    if time < -earliest:
        expected = f"at most {earliest:g} h before the start"
        raise InputError(f"'{text}' is given too early", key="with", expected=expected)
