"""The values of a parsed text. Times in hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Amount:
    """A number and a unit such as mg, mg/kg or ug/kg/h."""

    number: float
    unit: str


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
class Rhythm:
    """One dose `every` number of hours, or `times_a_week` doses a week."""

    every: float | None = None
    times_a_week: int | None = None


@dataclass(frozen=True)
class AdaptiveRhythm:
    """A `usual` rhythm, and a `reduced` one while a patient meets an `outcome` (response or remission)."""

    usual: Rhythm
    reduced: Rhythm
    outcome: str


@dataclass(frozen=True)
class Item:
    """One item of a text: the name of its rule in the grammar, its value, and its position in the text."""

    kind: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True)
class Condition:
    """A condition on a rating.

    `test` is response, remission, "no response", "no remission", "relapse", a comparison with `number`, or "falls by"
    or "falls less than" a fraction `number` of baseline.
    """

    scale: str
    test: str
    number: float = 0.0


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
    reinduction: Condition | str | None = None
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
