"""Texts of a trial file: times, percentages, conditions, and treatments with adaptive dosing.

`SourceFile` reads them with their place in the file, for errors with file, line and key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.errors import nearest_names
from ketamech.core.units import YEAR
from ketamech.core.yaml_lines import Path_, YamlSource
from ketamech.dosing.lexicon import Lexicon, Meaning, tokenize
from ketamech.dosing.parse import hours_of, parse, parse_percentage, parse_time
from ketamech.dosing.parse_errors import shorten_text
from ketamech.dosing.parsed_values import Condition, Rule, single_conditions
from ketamech.dosing.perturbations import AppliedPerturbation, read_perturbations
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.regimen_reader import Sentence, parse_sentence, regimen_lexicon
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.parameters import ParameterTable
from ketamech.simulation.scenario import validate
from ketamech.trials.design import AdaptiveDosing
from ketamech.trials.rating_scales import RatingScale, names_of

MAX_TRIAL_H = 5 * YEAR
Scales = Mapping[str, RatingScale]
FALL_IN_POINTS = re.compile(r"\bfalls\s+(by|less\s+than)\s+[\d.]+(?![\d.]|\s*(%|per\s?cent))", re.I)
TIMES = "24 h, 3 d, day 8, 4 weeks, 3 months"


def as_list(texts: str | list[str]) -> list[str]:
    """The texts of a key that may hold one or several."""
    return [texts] if isinstance(texts, str) else texts


def time(text: str) -> float:
    """Time after the first dose (h): 24 h, 3 d, day 8 (168 h), 4 weeks. Raises InputError."""
    try:
        parsed = parse_time(text)
    except InputError as problem:
        if problem.key == "time":  # it can be read in two ways
            raise
        raise InputError(f"'{shorten_text(text)}' is not a time", expected=TIMES) from problem
    if not 0 <= parsed <= MAX_TRIAL_H:
        what = f"'{text}' lies before the first dose" if parsed < 0 else f"'{text}' lies beyond five years"
        raise InputError(what, expected="a time from the first dose on, up to five years")
    return parsed


def share(text: str, most: float = 1.0) -> float:
    """A fraction from a percentage, up to `most`. Raises InputError."""
    try:
        fraction = parse_percentage(text)
    except InputError:
        fraction = -1.0
    if fraction > 0 and text.rstrip()[-1:].isdigit():  # 0.02 may be 2 % or 0.02 %
        like = f"{100 * fraction * (100 if fraction < 0.01 else 1):g} %"
        raise InputError(f"'{shorten_text(text)}' has no percent sign", expected="a percentage", type_this=like)
    if not 0 <= fraction <= most:
        raise InputError(f"'{shorten_text(text)}' is not possible", expected=f"0 % to {100 * most:g} %")
    return fraction


def condition(text: str, scales: Scales) -> Rule:
    """Conditions on scales of this trial: remission of MADRS, MADRS > 22 and CADSS < 4 at the last visit.

    Raises InputError.
    """
    if text.casefold().rstrip().endswith(" and"):  # the lexer leaves out an 'and' that joins nothing
        raise InputError(f"something is missing after '{shorten_text(text)}'", expected="another condition")
    if FALL_IN_POINTS.search(text):
        what, example = (
            f"a fall without a percent sign in '{shorten_text(text)}'",
            f"{next(iter(scales))} falls by 25 %",
        )
        raise InputError(what, expected=f"a percentage of the score at baseline, e.g. {example}")
    rule = parse("condition", text, _rated(tuple(scales)))
    for one in single_conditions(rule):
        if one.test.startswith("falls") and not 0 < (one.number or 0) <= 1:
            what = f"a fall by {100 * (one.number or 0):g} % in '{shorten_text(text)}'"
            raise InputError(what, expected="above 0 % to 100 % of the score at baseline")
    return rule


def relapse(text: str, scales: Scales) -> tuple[str, float, float]:
    """Scale, fraction of baseline above which a rating is a relapse, and the time (h) from which. Raises InputError."""
    criterion = parse("relapse", text, _rated(tuple(scales)))
    return criterion.scale, criterion.share, hours_of(criterion.since)


@cache
def _rated(names: tuple[str, ...]) -> Lexicon:
    """The lexicon of the scales of a trial."""

    def unknown(name: str) -> InputError:
        what = f"'{name}' is not rated in this trial"
        if "relaps" in name.casefold():
            expected = "a condition on ratings; the relapse of the file counts in crossover_when and 're-induce on'"
            return InputError(f"'{name}' is no rating", expected=expected, type_this=f"{names[0]} > 50 % of baseline")
        return UnknownNameError(what, expected=", ".join(names), nearest=closest_match(name, names))

    brackets = {"(": Meaning("OPEN", "("), ")": Meaning("CLOSE", ")")}
    others = {word: Meaning("NAME", name) for name in names for word in names_of(name)}
    return Lexicon({**others, **{name: Meaning("NAME", name) for name in names}, **brackets}, unknown)


def treatment(
    sentences: list[str], scales: Scales, first: str
) -> tuple[Regimen, AdaptiveDosing | None, tuple[AppliedPerturbation, ...]]:
    """Regimen of an arm, its adaptive dosing, and its perturbations; `first` is the scale of "by remission".

    Raises InputError.
    """
    words = regimen_lexicon().with_inside(WHEN=lambda: _rated(tuple(scales)))
    listed = [Sentence(text, parse("sentence", text, words)) for text in sentences if text.strip(" ;")]
    plain = [replace(one, parts=tuple(part for part in one.parts if not part.reinduction)) for one in listed]
    if not any(one.parts for one in plain):
        raise InputError("an arm without doses", expected="a regimen sentence", type_this="placebo IV")
    usual, reduced = _treatments(plain, reduced=False), _treatments(plain, reduced=True)
    reinduction = next((part.reinduction for one in listed for part in one.parts if part.reinduction), None)
    choice = next((choice for one in plain for choice in one.choices), None)
    applied = read_perturbations(phrase for one in listed for phrase in one.perturbations)
    if choice is None and reinduction is None:
        return Regimen(usual), None, applied
    changing = next((changed for changed, other in zip(usual, reduced, strict=True) if changed != other), usual[0])
    lengths = [phase.duration or 0.0 for phase in changing.schedule]
    adaptation = AdaptiveDosing(
        Regimen(reduced) if choice else None,
        Condition(first, choice.criterion) if choice else None,
        changing.start + sum(lengths[:-1]),
        Condition(first, reinduction) if isinstance(reinduction, str) else reinduction,
        changing.start + (lengths[0] if lengths else 0.0),
    )
    return Regimen(usual), adaptation, applied


def regimen_with_perturbations(text: str) -> tuple[Regimen, tuple[AppliedPerturbation, ...]]:
    """Regimen and perturbations of a sentence outside the arms, where no dose depends on ratings. Raises InputError.

    "with ..." alone has no regimen.
    """
    sentence = parse_sentence(text)
    if sentence.is_adaptive:
        what = f"'{shorten_text(text)}' depends on ratings, which is for the treatment of an arm"
        raise InputError(what, expected="one dose in one frequency; another step may change it", type_this="weekly")
    given = replace(sentence, parts=tuple(part for part in sentence.parts if any(part.segments)))
    return Regimen(_treatments([given])), read_perturbations(sentence.perturbations)


def titrated_treatments(sentences: tuple[str, ...]) -> tuple[tuple[Treatment, ...], tuple[Treatment, ...]]:
    """Treatments of an arm with a titrated dose, at the lower and at the higher dose; none without a titration."""
    listed = [Sentence(text, parse("sentence", text, regimen_lexicon())) for text in sentences if _is_titrated(text)]
    low, high = (_treatments(listed, reduced=False, highest=highest) for highest in (False, True))
    pairs = [(one, two) for one, two in zip(low, high, strict=True) if one.amount != two.amount]
    return tuple(one for one, _ in pairs), tuple(two for _, two in pairs)


def _is_titrated(text: str) -> bool:
    return any(word.kind == "TITRATED" for word in tokenize(text, regimen_lexicon()))


def _treatments(
    sentences: list[Sentence], *, reduced: bool | None = None, highest: bool = False
) -> tuple[Treatment, ...]:  # fmt: skip
    """Treatments of sentences that count days from 1, as visits and other arms do. Raises InputError."""
    zero = next((sentence for sentence in sentences if sentence.names_day_zero), None)
    if zero is not None:
        what = f"day 0 in '{shorten_text(zero.text)}': a trial counts days from 1 (day 8 is 168 h)"
        raise InputError(what, key="at", expected="days from 1 on, in all arms and visits; or times in h")
    return tuple(
        treatment for sentence in sentences for treatment in sentence.treatments(1, reduced=reduced, highest=highest)
    )


@dataclass(frozen=True)
class SourceFile(YamlSource):
    """A trial file, the table of the parameters that it may name, and the scales that it rates."""

    table: ParameterTable
    scales: Scales = field(default_factory=dict)

    def time(self, where: Path_, text: str) -> float:
        """Time after the first dose (h)."""
        return self.with_location(where, partial(time, text))

    def times(self, where: Path_, texts: str | list[str]) -> tuple[float, ...]:
        """Times after the first dose (h)."""
        return tuple(self.time(where, text) for text in as_list(texts))

    def condition(self, where: Path_, text: str) -> Rule:
        """A condition on scales that are rated in this trial."""
        return self.with_location(where, partial(condition, text, self.scales))

    def share(self, where: Path_, text: str, most: float = 1.0) -> float:
        """A fraction up to `most`, from a percentage."""
        return self.with_location(where, partial(share, text, most))

    def regimen(self, where: Path_, text: str) -> Regimen:
        """A regimen that can be given to the typical patient."""
        return self.check_regimen(where, self.with_location(where, partial(Regimen.parse, text)))

    def regimen_with_perturbations(
        self, where: Path_, text: str
    ) -> tuple[Regimen, tuple[AppliedPerturbation, ...]]:  # fmt: skip
        """A regimen that can be given to the typical patient, and what is given beside it."""
        regimen, perturbations = self.with_location(where, partial(regimen_with_perturbations, text))
        return self.check_regimen(where, regimen), perturbations

    def check_regimen(self, where: Path_, regimen: Regimen) -> Regimen:
        """The regimen, if the typical patient can receive all of it from a drug-free start. Raises InputError."""
        if regimen.at_steady_state:
            what = "a start at steady state: all patients of a trial are drug-free at baseline"
            expected = "doses that lead there, and a visit after them"
            raise self.error(where, what, expected, type_="... daily for 4 weeks")
        self.with_location(where, lambda: validate(regimen, self.table, {}, min(regimen.horizon(), MAX_HORIZON_H)))
        return regimen

    def check_known(self, where: Path_, name: str, choices: Collection[str], what: str) -> None:
        """Raise InputError, with the nearest of `choices`, unless `name` is one of them."""
        if name not in choices:
            raise self.error(where, what, ", ".join(choices), nearest_names(name, choices))

    def check_shares(self, where: Path_, shares: Mapping[str, float], count: int) -> None:
        """Raise InputError unless there are `count` positive fractions that add up to 1."""
        total = sum(shares.values())
        if len(shares) != count or min(shares.values(), default=0) <= 0 or abs(total - 1) > 1e-6:
            what = f"the shares of {', '.join(shares)} add up to {total:g}"
            fair = ", ".join(f"{value / total:.3g}" for value in shares.values()) if total > 0 else None
            raise self.error(where, what, "positive shares, one for each, that add up to 1", type_=fair)
