"""What is done beside the treatment, in words: "NBQX 10 mg/kg IP at -30 min", "BDNF knock-out"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ketamech.core import BadInput, convert, nearest
from ketamech.parameters import ParameterTable
from ketamech.study.drugs import ROUTES
from ketamech.study.perturbations import GIVEN, DoseForm, Perturbation, unknown, words
from ketamech.study.running import Entry
from ketamech.study.sentence import hours

_TAIL = re.compile(r"\bwith\b(?!\s+a\s+lag)", re.I)
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_DOSE = re.compile(rf"(?<![\w.-]){_NUMBER}\s*((?:ng|ug|mcg|mg|nmol|pmol)(?:/kg)?(?:/h)?)(?![\w/])", re.I)
_AT = re.compile(rf"\bat\s+([-+]?)\s*{_NUMBER}\s*(minutes?|mins?|hours?|hrs?|h|days?|d|weeks?)\b", re.I)
_BEFORE = re.compile(rf"\b{_NUMBER}\s*(minutes?|mins?|hours?|hrs?|h|days?|d)\s+(before|after)\b", re.I)
_INTO = re.compile(r"\b(?:into|in)\s+(?:the\s+)?([a-z][\w -]*?)(?=\s+(?:at|for|throughout|\d)|$)", re.I)
_OVER = re.compile(rf"\b(?:over|for)\s+{_NUMBER}\s*(minutes?|mins?|hours?|hrs?|h|days?|d)\b", re.I)
_HELD = re.compile(r"\b(?:throughout|held|for good)\b", re.I)
SITES = (
    "mpfc",
    "infralimbic cortex",
    "infralimbic",
    "prefrontal cortex",
    "cortex",
    "hippocampus",
    "brain",
    "ventricle",
)
BRAIN, LONGEST_LEAD = "brain", 14 * 24.0


@dataclass(frozen=True)
class Given:
    """One perturbation as it is done: how much of its usual level, when and over how long (h); `held`: for good."""

    perturbation: Perturbation
    share: float
    time: float
    held: bool
    text: str
    duration: float = 0.0

    def entries(self) -> tuple[Entry, ...]:
        """What enters which state when."""
        one = self.perturbation
        if self.held:
            return ()
        amount = self.share * one.level
        if one.loss and self.duration:
            kept = one.loss * amount * self.duration
            first = [Entry(self.time, state, amount) for state in one.enters]
            return (*first, *(Entry(self.time, state, kept, self.duration) for state in one.enters))
        return tuple(Entry(self.time, state, amount, self.duration) for state in one.enters)

    def values(self, table: ParameterTable) -> dict[str, float]:
        """Which parameters it sets, in canonical units."""
        if not self.held:
            return self.perturbation.values(table)
        (state,) = self.perturbation.enters
        return {**self.perturbation.values(table), f"perturbation.{state.split('.')[1]}": min(1.0, self.share)}


def split(sentence: str) -> tuple[str, tuple[str, ...]]:
    """A regimen sentence without, and each of, its parts "with ..."; several are joined by 'and'."""
    found: list[str] = []
    kept = []
    for part in re.split(r"(;|\bplus\b|\n)", sentence):
        head, *tails = _TAIL.split(part)
        kept.append(head)
        found += [phrase.strip(" .,") for tail in tails for phrase in re.split(r"\band\b", tail)]
    return "".join(kept).strip(), tuple(found)


def read_perturbations(phrases: Iterable[str]) -> tuple[Given, ...]:
    """Each phrase as what is done. Raises BadInput for one that is not understood or two that set the same value."""
    given = tuple(read_perturbation(phrase) for phrase in phrases)
    owner: dict[str, str] = {}
    for one in given:
        for name in one.perturbation.sets:
            if name in owner:
                what = f"'{one.text}' and '{owner[name]}' both set {name}"
                raise BadInput(what, key="with", expected="one of the two")
            owner[name] = one.text
    return given


def read_perturbation(phrase: str) -> Given:
    """One phrase: its name, then perhaps a dose, a route or site, and a time. Raises BadInput."""
    text = " ".join(phrase.split())
    one, left = _named(text)
    dose, left = _take(_DOSE, left)
    time, left = _time(left, one.at)
    lasting, left = _take(_OVER, left)
    held, left = _take(_HELD, left)
    route, left = _route(left, one)
    rest = left.strip(" ,.")
    if rest:
        raise BadInput(
            f"'{rest}' was not understood in '{text}'",
            key="with",
            expected="a name, then perhaps a dose, a route or 'into' a site, and 'at' a time",
            type_this='"NBQX 10 mg/kg IP at -30 min"',
        )
    share = _share(one, dose, route, text)
    _refuse_nonsense(one, bool(dose), bool(held), time, text)
    return Given(one, share, time, bool(held), text, float(lasting[1]) * hours(lasting[2]) if lasting else 0.0)


def _named(text: str) -> tuple[Perturbation, str]:
    """The perturbation whose name stands in the text, longest first, and the text without it."""
    for word, one in words().items():
        match = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.I)
        if match:
            return one, f"{text[: match.start()]} {text[match.end() :]}"
    raise unknown(re.split(r"\s\d|\s+at\s|\s+into\s", text)[0])


def _take(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    match = pattern.search(text)
    return match, f"{text[: match.start()]} {text[match.end() :]}" if match else text


def _time(text: str, usual: float) -> tuple[float, str]:
    match, left = _take(_AT, text)
    if match:
        return (-1 if match[1] == "-" else 1) * float(match[2]) * hours(match[3]), left
    match, left = _take(_BEFORE, text)
    if match:
        return (-1 if match[3].lower() == "before" else 1) * float(match[1]) * hours(match[2]), left
    return usual, text


def _route(text: str, one: Perturbation) -> tuple[str, str]:
    """A route (brain for any site in it) or '', and the text without it."""
    match, left = _take(_INTO, text)
    if match:
        if match[1].strip().lower() not in SITES:
            what = f"nothing can be infused into '{match[1].strip()}'"
            raise BadInput(what, key="with", expected=", ".join(SITES), nearest=nearest(match[1], SITES))
        return BRAIN, left
    for word, name in (*ROUTES.items(), ("icv", BRAIN), ("local", BRAIN), ("intracortical", BRAIN)):
        match, left = _take(re.compile(rf"\b{re.escape(word)}\b", re.I), text)
        if match:
            return name, left
    return "", text


def _share(one: Perturbation, dose: re.Match[str] | None, route: str, text: str) -> float:
    """How much of the usual level a dose by a route gives; the usual dose when none is named."""
    if one.kind not in GIVEN:
        return 1.0
    form = _form(one, route, text)
    if dose is None:
        return form.level
    unit = dose[2].lower().replace("mcg", "ug")
    try:
        usual = convert(form.amount, form.unit, unit)
    except BadInput as problem:
        expected = f"a dose like {form.amount:g} {form.unit}"
        raise BadInput(f"a dose in {unit} of {one.name}", key="with", expected=expected) from problem
    return form.level * float(dose[1]) / usual


def _form(one: Perturbation, route: str, text: str) -> DoseForm:
    for form in one.doses:
        if not route or form.route == route:
            return form
    routes = ", ".join(form.route for form in one.doses)
    raise BadInput(f"{one.name} is not given by {route} in '{text}'", key="with", expected=routes)


def _refuse_nonsense(one: Perturbation, dosed: bool, held: bool, time: float, text: str) -> None:
    if one.kind not in GIVEN and (dosed or held):
        raise BadInput(f"{one.name} has no dose: it is a {one.kind}", key="with", type_this=one.name)
    if held and (len(one.enters) != 1 or not one.enters[0].startswith("antagonists.")):
        raise BadInput(
            f"{one.name} cannot be held for good", key="with", expected="a dose at a time", type_this=one.name
        )
    if time < -LONGEST_LEAD:
        raise BadInput(
            f"'{text}' is given too early", key="with", expected=f"at most {LONGEST_LEAD:g} h before the start"
        )
