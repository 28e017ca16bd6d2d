"""Perturbations applied in addition to the treatment, from texts: "NBQX 10 mg/kg IP at -30 min", "BDNF knock-out"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ketamech.core import InputError, convert
from ketamech.dosing.dose_event import DoseEvent
from ketamech.dosing.drugs import ROUTES
from ketamech.dosing.lexicon import Lexicon, Meaning
from ketamech.dosing.parse import parse
from ketamech.dosing.perturbation_table import (
    DOSABLE_KINDS,
    Perturbation,
    PerturbationDose,
    perturbations_by_name,
    unknown_perturbation_error,
)
from ketamech.dosing.syntax import Amount, Phrase, Span
from ketamech.parameters import ParameterTable

MAX_LEAD_H = 14 * 24.0
SAME_KINDS = {"before": "start", "after": "start"}


@dataclass(frozen=True)
class AppliedPerturbation:
    """One perturbation as applied: `target_fraction` of its usual level, at `time` (h), over `duration` (h).

    With `is_constant` the level is held at this fraction for the whole simulation.
    """

    perturbation: Perturbation
    target_fraction: float
    time: float
    is_constant: bool
    text: str
    duration: float = 0.0

    def events(self) -> tuple[DoseEvent, ...]:
        """Dose events of the perturbation."""
        if self.is_constant:
            return ()
        states, loss = self.perturbation.enters, self.perturbation.loss
        amount = self.target_fraction * self.perturbation.level
        if loss and self.duration:
            replaced = loss * amount * self.duration
            first = [DoseEvent(self.time, state, amount) for state in states]
            return (*first, *(DoseEvent(self.time, state, replaced, self.duration) for state in states))
        return tuple(DoseEvent(self.time, state, amount, self.duration) for state in states)

    def values(self, table: ParameterTable) -> dict[str, float]:
        """Parameters that it sets, canonical units."""
        if not self.is_constant:
            return self.perturbation.values(table)
        (state,) = self.perturbation.enters
        return {
            **self.perturbation.values(table),
            f"perturbation.{state.split('.')[1]}": min(1.0, self.target_fraction),
        }


def read_perturbations(
    phrases: Iterable[str | tuple[str, Phrase] | AppliedPerturbation],
) -> tuple[AppliedPerturbation, ...]:
    """The perturbations of phrases, each a text, a text with its parse, or an AppliedPerturbation.

    Raises InputError for a phrase that cannot be parsed and for two that set the same parameter.
    """
    applied = tuple(_applied(phrase) for phrase in phrases)
    text_by_parameter: dict[str, str] = {}
    for perturbation in applied:
        for name in perturbation.perturbation.sets:
            if name in text_by_parameter:
                what = f"'{perturbation.text}' and '{text_by_parameter[name]}' both set {name}"
                raise InputError(what, key="with", expected="one of the two")
            text_by_parameter[name] = perturbation.text
    return applied


def _applied(phrase: str | tuple[str, Phrase] | AppliedPerturbation) -> AppliedPerturbation:
    if isinstance(phrase, AppliedPerturbation):
        return phrase
    return read_perturbation(phrase) if isinstance(phrase, str) else apply_phrase(*phrase)


def read_perturbation(phrase: str) -> AppliedPerturbation:
    """One phrase: a name, then optionally a dose, a route or site, and a time. Raises InputError."""
    parsed = parse("phrase", phrase, perturbation_lexicon())
    return apply_phrase(" ".join(phrase.split()), parsed)


@cache
def perturbation_lexicon() -> Lexicon:
    """The lexicon of perturbation names and routes."""
    names = {word: Meaning("NAME", one.name) for word, one in perturbations_by_name().items()}
    routes = {word: Meaning("ROUTE", name) for word, name in ROUTES.items()}
    return Lexicon({**routes, **names}, unknown_perturbation_error)


def apply_phrase(text: str, phrase: Phrase) -> AppliedPerturbation:
    """The perturbation of a parsed phrase; `text` is shown in errors and reports. Raises InputError."""
    items = _items_by_kind(phrase, text)
    if "name" not in items:
        raise unknown_perturbation_error(text)
    perturbation = perturbations_by_name()[items["name"].lower()]
    dose, is_constant = items.get("amount"), "held" in items
    fraction = _target_fraction(perturbation, dose, items.get("route", ""), text)
    time, duration = items.get("start"), items.get("lasting")
    hours = perturbation.at if time is None else time.hours
    _check_perturbation(perturbation, dose is not None, is_constant, hours, text)
    return AppliedPerturbation(perturbation, fraction, hours, is_constant, text, duration.hours if duration else 0.0)


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


def _target_fraction(perturbation: Perturbation, dose: Amount | None, route: str, text: str) -> float:
    """Fraction of the usual level that a dose by a route gives; the usual dose if none is named."""
    if perturbation.kind not in DOSABLE_KINDS:
        return 1.0
    form = _dose_form(perturbation, route, text)
    if dose is None:
        return form.level
    try:
        usual = convert(form.amount, form.unit, dose.unit)
    except InputError as problem:
        expected = f"a dose like {form.amount:g} {form.unit}"
        raise InputError(f"a dose in {dose.unit} of {perturbation.name}", key="with", expected=expected) from problem
    if not dose.number >= 0:
        raise InputError(f"a dose of {dose.number:g} {dose.unit} in '{text}'", key="with", expected="a positive number")
    return form.level * dose.number / usual


def _dose_form(perturbation: Perturbation, route: str, text: str) -> PerturbationDose:
    for form in perturbation.doses:
        if not route or form.route == route:
            return form
    routes = ", ".join(form.route for form in perturbation.doses)
    raise InputError(f"{perturbation.name} is not given by {route} in '{text}'", key="with", expected=routes)


def _check_perturbation(perturbation: Perturbation, has_dose: bool, is_constant: bool, time: float, text: str) -> None:
    if perturbation.kind not in DOSABLE_KINDS and (has_dose or is_constant):
        raise InputError(
            f"{perturbation.name} has no dose: it is a {perturbation.kind}", key="with", type_this=perturbation.name
        )
    if is_constant and (len(perturbation.enters) != 1 or not perturbation.enters[0].startswith("tool_compounds.")):
        raise InputError(
            f"{perturbation.name} cannot be held constant",
            key="with",
            expected="a dose at a time",
            type_this=perturbation.name,
        )
    if time < -MAX_LEAD_H:
        raise InputError(
            f"'{text}' is given too early", key="with", expected=f"at most {MAX_LEAD_H:g} h before the start"
        )
