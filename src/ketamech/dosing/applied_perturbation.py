"""What is done beside the treatment, in words: "NBQX 10 mg/kg IP at -30 min", "BDNF knock-out"."""

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
    unknown_perturbation_error,
    words,
)
from ketamech.dosing.syntax import Amount, Phrase, Span
from ketamech.parameters import ParameterTable

MAX_LEAD_H = 14 * 24.0
ALIKE = {"before": "start", "after": "start"}


@dataclass(frozen=True)
class AppliedPerturbation:
    """One perturbation as it is done: how much of its usual level, when and over how long (h); `held`: for good."""

    perturbation: Perturbation
    target_fraction: float
    time: float
    is_constant: bool
    text: str
    duration: float = 0.0

    def events(self) -> tuple[DoseEvent, ...]:
        """What enters which state when."""
        one = self.perturbation
        if self.is_constant:
            return ()
        amount = self.target_fraction * one.level
        if one.loss and self.duration:
            kept = one.loss * amount * self.duration
            first = [DoseEvent(self.time, state, amount) for state in one.enters]
            return (*first, *(DoseEvent(self.time, state, kept, self.duration) for state in one.enters))
        return tuple(DoseEvent(self.time, state, amount, self.duration) for state in one.enters)

    def values(self, table: ParameterTable) -> dict[str, float]:
        """Which parameters it sets, in canonical units."""
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
    """Each phrase, as text, parsed with its text, or as it was read before, as what is done.

    Raises BadInput for one that is not understood or two that set the same value.
    """
    given = tuple(
        one
        if isinstance(one, AppliedPerturbation)
        else read_perturbation(one)
        if isinstance(one, str)
        else given_of(*one)
        for one in phrases
    )
    owner: dict[str, str] = {}
    for one in given:
        for name in one.perturbation.sets:
            if name in owner:
                what = f"'{one.text}' and '{owner[name]}' both set {name}"
                raise InputError(what, key="with", expected="one of the two")
            owner[name] = one.text
    return given


def read_perturbation(phrase: str) -> AppliedPerturbation:
    """One phrase: its name, then perhaps a dose, a route or site, and a time. Raises BadInput."""
    parsed = parse("phrase", phrase, lexicon())
    return given_of(" ".join(phrase.split()), parsed)


@cache
def lexicon() -> Lexicon:
    """Names of perturbations and words of routes."""
    names = {word: Meaning("NAME", one.name) for word, one in words().items()}
    routes = {word: Meaning("ROUTE", name) for word, name in ROUTES.items()}
    return Lexicon({**routes, **names}, unknown_perturbation_error)


def given_of(text: str, phrase: Phrase) -> AppliedPerturbation:
    """What a parsed phrase does; `text` stands for it in errors and reports. Raises BadInput."""
    said = _once(phrase, text)
    if "name" not in said:
        raise unknown_perturbation_error(text)
    one = words()[said["name"].lower()]
    dose, held = said.get("amount"), "held" in said
    share = _share(one, dose, said.get("route", ""), text)
    time, lasting = said.get("start"), said.get("lasting")
    hours = one.at if time is None else time.hours
    _check_perturbation(one, dose is not None, held, hours, text)
    return AppliedPerturbation(one, share, hours, held, text, lasting.hours if lasting else 0.0)


def _once(phrase: Phrase, text: str) -> dict[str, Any]:
    """The value of each thing that is said; what is done before the treatment has a negative time."""
    said: dict[str, Any] = {}
    for item in phrase.items:
        kind = ALIKE.get(item.kind, item.kind)
        value = Span(-item.value.hours, item.value.unit) if item.kind == "before" else item.value
        if kind in said and said[kind] != value:
            raise InputError(f"'{text}' says two of one kind: {kind}", key="with", expected="one of the two")
        said[kind] = value
    return said


def _share(one: Perturbation, dose: Amount | None, route: str, text: str) -> float:
    """How much of the usual level a dose by a route gives; the usual dose when none is named."""
    if one.kind not in DOSABLE_KINDS:
        return 1.0
    form = _form(one, route, text)
    if dose is None:
        return form.level
    try:
        usual = convert(form.amount, form.unit, dose.unit)
    except InputError as problem:
        expected = f"a dose like {form.amount:g} {form.unit}"
        raise InputError(f"a dose in {dose.unit} of {one.name}", key="with", expected=expected) from problem
    if not dose.number >= 0:
        raise InputError(f"a dose of {dose.number:g} {dose.unit} in '{text}'", key="with", expected="a positive number")
    return form.level * dose.number / usual


def _form(one: Perturbation, route: str, text: str) -> PerturbationDose:
    for form in one.doses:
        if not route or form.route == route:
            return form
    routes = ", ".join(form.route for form in one.doses)
    raise InputError(f"{one.name} is not given by {route} in '{text}'", key="with", expected=routes)


def _check_perturbation(one: Perturbation, dosed: bool, held: bool, time: float, text: str) -> None:
    if one.kind not in DOSABLE_KINDS and (dosed or held):
        raise InputError(f"{one.name} has no dose: it is a {one.kind}", key="with", type_this=one.name)
    if held and (len(one.enters) != 1 or not one.enters[0].startswith("tool_compounds.")):
        raise InputError(
            f"{one.name} cannot be held for good", key="with", expected="a dose at a time", type_this=one.name
        )
    if time < -MAX_LEAD_H:
        raise InputError(
            f"'{text}' is given too early", key="with", expected=f"at most {MAX_LEAD_H:g} h before the start"
        )
