"""What a parsed text says, as plain values. Times in hours."""

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
    """A duration (h), the size (h) of the unit in which it was written, and whether hours and minutes were named."""

    hours: float
    unit: float
    compound: bool = False


@dataclass(frozen=True)
class Days:
    """Numbered days or weeks (`unit` in h), as written: day 1 may be the first day or the day after it."""

    unit: float
    numbers: tuple[float, ...]

    def hours(self, first: int = 1) -> tuple[float, ...]:
        """Hours at which they begin, where the first day has the number `first`."""
        return tuple((number - first) * self.unit for number in self.numbers)


@dataclass(frozen=True)
class Rhythm:
    """One dose `every` so many hours, or so many `times_a_week`."""

    every: float | None = None
    times_a_week: int | None = None


@dataclass(frozen=True)
class AdaptiveRhythm:
    """A rhythm, and a `sparse` one for as long as a person meets an `outcome` (response or remission)."""

    usual: Rhythm
    reduced: Rhythm
    outcome: str


@dataclass(frozen=True)
class Item:
    """One thing that is said, by the name of its rule in the grammar, and where it stands in the text."""

    kind: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True)
class Criterion:
    """A condition on the rating of a scale: response, remission, their absence, a comparison, a fall by a share."""

    scale: str
    test: str
    number: float = 0.0


@dataclass(frozen=True)
class Phrase:
    """A perturbation: its items, and where it stands in the text."""

    items: tuple[Item, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Part:
    """One treatment: segments joined by 'then', and what is done beside it.

    `again` is set instead where a course begins anew: on a "relapse", or when a condition is met.
    """

    segments: tuple[tuple[Item, ...], ...]
    perturbations: tuple[Phrase, ...] = ()
    reinduction: Criterion | str | None = None
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class RelapseCriterion:
    """Beyond this `share` of baseline a rating on `scale` is a relapse, from a time on."""

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
