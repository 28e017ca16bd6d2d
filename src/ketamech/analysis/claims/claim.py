"""A statement people meet, with the experiment that would show it and the evidence that was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ketamech.analysis.claims.rule import Exhibit
from ketamech.analysis.measure import Curves, Measure
from ketamech.evidence import Observation

RELATIONS = ("<", ">")


@dataclass(frozen=True)
class Test:
    """One number of one arm and the bound it must pass for the claim to be shown; `says` it in words."""

    __test__ = False  # not a test of pytest
    arm: str
    measure: Measure
    relation: str
    bound: float
    says: str

    def passes(self, value: float) -> bool:
        """Whether the number passes; no number never does."""
        return value < self.bound if self.relation == "<" else value > self.bound


@dataclass(frozen=True)
class Outcome:
    """What came out of one test; `unit` is canonical."""

    test: Test
    value: float
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the bound was passed."""
        return self.test.passes(self.value)


@dataclass(frozen=True)
class Point:
    """A published number over the figure: canonical value times `factor` plus `offset`, at `hours`, on an arm."""

    row: Observation
    arm: str
    hours: float
    factor: float
    offset: float
    why: str

    def height(self, printed: float) -> float:
        """A printed number on the axis of the figure."""
        return self.row.canonical(printed) * self.factor + self.offset


@dataclass(frozen=True)
class Figure:
    """What is drawn: an output over hours, one curve for each arm by its label."""

    output: str
    start: float
    end: float
    curves: Mapping[str, str]
    axis: str


@dataclass(frozen=True)
class Claim:
    """A statement, who says it, the level at which it is judged, and everything brought forward about it."""

    id: str
    statement: str
    met: str
    stage: str
    level: str
    figure: Figure
    note: str
    tests: tuple[Test, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    points: tuple[Point, ...] = ()

    def side(self, side: str) -> tuple[Exhibit, ...]:
        """The exhibits for, or against."""
        return tuple(exhibit for exhibit in self.exhibits if exhibit.side == side)

    def arms(self) -> set[str]:
        """Every arm that is drawn or measured."""
        return {*self.figure.curves.values(), *(test.arm for test in self.tests)}


def outcome(test: Test, arms: Mapping[str, Curves], control: Curves | None, units: Mapping[str, str]) -> Outcome:
    """Read one test off the simulated arms."""
    return Outcome(test, test.measure.read(arms[test.arm], control), test.measure.unit(units))
