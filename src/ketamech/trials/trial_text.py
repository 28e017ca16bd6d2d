"""The words of a trial file: times, shares, conditions, and doses that are adapted to the person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.dosing.applied_perturbation import AppliedPerturbation, read_perturbations
from ketamech.dosing.lexicon import Lexicon, Meaning
from ketamech.dosing.parse import hours, hours_of, parse, share_of
from ketamech.dosing.parse_errors import shown
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.sentence import Sentence, lexicon
from ketamech.dosing.syntax import Criterion
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.trials.design import AdaptiveDosing, Condition
from ketamech.trials.rating_scales import RatingScale

TIMES = "24 h, 3 d, day 8, 4 weeks, 3 months"


def time(text: str) -> float:
    """Hours after the first dose: 24 h, 3 d, day 8 (168 h), 4 weeks. Raises BadInput."""
    try:
        found = hours_of(text)
    except InputError as problem:
        raise InputError(f"'{shown(text)}' is not a time", expected=TIMES) from problem
    if not 0 <= found <= MAX_HORIZON_H:
        what = f"'{text}' lies before the first dose" if found < 0 else f"'{text}' lies beyond two years"
        raise InputError(what, expected="a time from the first dose on, below two years")
    return found


def share(text: str, most: float = 1.0) -> float:
    """A share from a percentage, up to `most`. Raises BadInput."""
    try:
        found = share_of(text)
    except InputError:
        found = -1.0
    if not 0 <= found <= most:
        raise InputError(f"'{shown(text)}' is not possible", expected=f"0 % to {100 * most:g} %")
    return found


def condition(text: str, scales: Mapping[str, RatingScale]) -> Condition:
    """A condition on a scale of this trial: remission of MADRS, MADRS > 22, MADRS falls by 20 %. Raises BadInput."""
    return _condition(parse("condition", text, _rated(tuple(scales))))


def _condition(found: Criterion) -> Condition:
    return Condition(found.scale, found.test, found.number)


def relapse(text: str, scales: Mapping[str, RatingScale]) -> tuple[str, float, float]:
    """Scale, share of baseline beyond which it is a relapse, and from which hour. Raises BadInput."""
    found = parse("relapse", text, _rated(tuple(scales)))
    return found.scale, found.share, hours(found.since)


@cache
def _rated(names: tuple[str, ...]) -> Lexicon:
    """The names of the scales of a trial."""

    def unknown(name: str) -> InputError:
        what = f"'{name}' is not rated in this trial"
        return UnknownNameError(what, expected=", ".join(names), nearest=closest_match(name, names))

    return Lexicon({name: Meaning("NAME", name) for name in names}, unknown)


def treatment(
    sentences: list[str], scales: Mapping[str, RatingScale], first: str
) -> tuple[Regimen, AdaptiveDosing | None, tuple[AppliedPerturbation, ...]]:
    """Doses of an arm, how they are adapted, and its perturbations; `first` names the scale of "by remission".

    Raises BadInput.
    """
    words = lexicon().with_inside(WHEN=lambda: _rated(tuple(scales)))
    listed = [Sentence(text, parse("sentence", text, words)) for text in sentences if text.strip(" ;")]
    plain = [replace(one, parts=tuple(part for part in one.parts if not part.again)) for one in listed]
    if not any(one.parts for one in plain):
        raise InputError("an arm without doses is given nothing", expected="a regimen sentence", type_this="placebo IV")
    if beside := [words for one in plain for words, _ in one.beside]:
        what = f"'with {beside[0]}' is no part of a trial"
        raise InputError(what, expected="treatments only")
    usual, sparse = _treatments(plain, sparse=False), _treatments(plain, sparse=True)
    again = next((part.again for one in listed for part in one.parts if part.again), None)
    choice = next((choice for one in plain for choice in one.choices), None)
    given = read_perturbations(phrase for one in listed for phrase in one.beside)
    if choice is None and again is None:
        return Regimen(usual), None, given
    changing = next((mine for mine, other in zip(usual, sparse, strict=True) if mine != other), usual[0])
    lengths = [phase.duration or 0.0 for phase in changing.schedule]
    adapting = AdaptiveDosing(
        Regimen(sparse) if choice else None,
        Condition(first, choice.outcome) if choice else None,
        changing.start + sum(lengths[:-1]),
        _again(again, first) if again else None,
        changing.start + (lengths[0] if lengths else 0.0),
    )
    return Regimen(usual), adapting, given


def _again(again: Criterion | str, first: str) -> Condition:
    return Condition(first, again) if isinstance(again, str) else _condition(again)


def _treatments(sentences: list[Sentence], *, sparse: bool) -> tuple[Treatment, ...]:
    first = 0 if any(one.names_day_zero for one in sentences) else 1
    return tuple(given for one in sentences for given in one.treatments(first, sparse=sparse))
