"""The values of a parsed text. Times in hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Amount:
    """A number and a unit such as mg, mg/kg or ug/kg/h."""

    number: float
    unit: str


@dataclass(frozen=True)
class TitratedAmount(Amount):
    """The lower of two doses, and the `highest`; each patient of a trial receives one or the other."""

    highest: float = 0.0


@dataclass(frozen=True)
class Span:
    """A duration (h), the size (h) of the unit in which it was written; `compound` with hours and minutes."""

    hours: float
    unit: float
    compound: bool = False


@dataclass(frozen=True)
class Days:
    """Numbered days or weeks (`unit` in h), as written: day 1 may be the first day or the day after it."""

    unit: float
    numbers: tuple[float, ...]

    def hours(self, first: int = 1) -> tuple[float, ...]:
        """Times (h) at which they begin, where the first day has the number `first`."""
        return tuple((number - first) * self.unit for number in self.numbers)


@dataclass(frozen=True)
class Frequency:
    """One dose `every` number of hours, or `times_a_week` doses a week."""

    every: float | None = None
    times_a_week: int | None = None


@dataclass(frozen=True)
class AdaptiveFrequency:
    """A `usual` frequency, and a `reduced` one while a patient meets a `criterion` (response or remission)."""

    usual: Frequency
    reduced: Frequency
    criterion: str


@dataclass(frozen=True)
class Item:
    """One item of a text: the name of its rule in the grammar, its value, and its position in the text."""

    kind: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True)
class LookBack:
    """At least `count` (None: all) of the `last` (None: all so far) visits at which a scale is rated after baseline."""

    count: int | None
    last: int | None


@dataclass(frozen=True)
class Condition:
    """A condition on a rating.

    `test` is response, remission, "no response", "no remission", "relapse", a comparison with `number`, a comparison
    "of baseline" (`number` is a fraction of it), "falls by" or "falls less than" a fraction `number` of baseline, or
    "rises by" or "rises less than" `number` points above baseline. It concerns the present visit, or those of
    `look_back`.
    """

    scale: str
    test: str
    number: float = 0.0
    look_back: LookBack | None = None


@dataclass(frozen=True)
class CombinedCondition:
    """Several conditions joined by 'and' (`every`) or by 'or'."""

    every: bool
    parts: tuple[Condition | CombinedCondition, ...]


Rule = Condition | CombinedCondition
OPPOSITES = {
    "response": "no response", "remission": "no remission", "falls by": "falls less than",
    "rises by": "rises less than", "<": ">=", ">": "<=", "< of baseline": ">= of baseline",
    "> of baseline": "<= of baseline",
}  # fmt: skip
OPPOSITES |= {other: test for test, other in OPPOSITES.items()}


def opposite(rule: Rule) -> Rule:
    """The rule that is met by the patients who are known not to meet this one."""
    if isinstance(rule, CombinedCondition):
        return CombinedCondition(not rule.every, tuple(map(opposite, rule.parts)))
    look_back = rule.look_back
    if look_back is not None and look_back.last is None:
        look_back = LookBack(1 if look_back.count is None else None, None)
    elif look_back is not None and look_back.last is not None and look_back.count is not None:
        look_back = LookBack(look_back.last - look_back.count + 1, look_back.last)
    return replace(rule, test=OPPOSITES[rule.test], look_back=look_back)


def with_look_back(rule: Rule, look_back: LookBack) -> Rule:
    """The rule with a look back for every condition that has none."""
    if isinstance(rule, CombinedCondition):
        return replace(rule, parts=tuple(with_look_back(part, look_back) for part in rule.parts))
    return rule if rule.look_back else replace(rule, look_back=look_back)


def single_conditions(rule: Rule) -> Iterator[Condition]:
    """The single conditions of a rule, in the order of its text."""
    if isinstance(rule, Condition):
        yield rule
    else:
        for part in rule.parts:
            yield from single_conditions(part)


@dataclass(frozen=True)
class Phrase:
    """A perturbation: its items, and its position in the text."""

    items: tuple[Item, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Part:
    """One treatment: segments joined by 'then', and perturbations.

    Instead, `reinduction` is set where a course starts again: on a "relapse", or when a condition is met.
    """

    segments: tuple[tuple[Item, ...], ...]
    perturbations: tuple[Phrase, ...] = ()
    reinduction: Rule | str | None = None
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class RelapseCriterion:
    """A rating on `scale` above this `share` (fraction) of baseline is a relapse, from a time on."""

    scale: str
    share: float
    since: Span | Days


@dataclass(frozen=True)
class ParsedEndpoint:
    """An output at a time, or its `extreme` (peak or lowest)."""

    output: str
    time: Span | Days | None
    extreme: str
    start: int
    end: int
