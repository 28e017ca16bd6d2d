"""A statement people meet, with the experiment that would show it and the evidence that was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ketamech.analysis.claims.verdict_rule import EvidenceItem
from ketamech.evidence import Observation
from ketamech.simulation.observable import Observable, TimeCourse

RELATIONS = ("<", ">")


@dataclass(frozen=True)
class ClaimTest:
    """One number of one arm and the bound it must pass for the claim to be shown; `says` it in words."""

    __test__ = False  # not a test of pytest
    arm: str
    measure: Observable
    relation: str
    bound: float
    description: str

    def passes(self, value: float) -> bool:
        """Whether the number passes; no number never does."""
        return value < self.bound if self.relation == "<" else value > self.bound


@dataclass(frozen=True)
class TestResult:
    """What came out of one test; `unit` is canonical."""

    test: ClaimTest
    value: float
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the bound was passed."""
        return self.test.passes(self.value)


@dataclass(frozen=True)
class FigurePoint:
    """A published number over the figure: canonical value times `factor` plus `offset`, at `hours`, on an arm."""

    row: Observation
    arm: str
    hours: float
    factor: float
    offset: float
    why: str

    def plotted_value(self, printed: float) -> float:
        """A printed number on the axis of the figure."""
        return self.row.canonical(printed) * self.factor + self.offset


@dataclass(frozen=True)
class ClaimFigure:
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
    encountered_as: str
    stage: str
    evidence_level: str
    figure: ClaimFigure
    note: str
    tests: tuple[ClaimTest, ...] = ()
    evidence_items: tuple[EvidenceItem, ...] = ()
    points: tuple[FigurePoint, ...] = ()

    def side(self, side: str) -> tuple[EvidenceItem, ...]:
        """The exhibits for, or against."""
        return tuple(exhibit for exhibit in self.evidence_items if exhibit.side == side)

    def arms(self) -> set[str]:
        """Every arm that is drawn or measured."""
        return {*self.figure.curves.values(), *(test.arm for test in self.tests)}


def run_claim_test(
    test: ClaimTest, arms: Mapping[str, TimeCourse], control: TimeCourse | None, units: Mapping[str, str]
) -> TestResult:
    """Read one test off the simulated arms."""
    return TestResult(test, test.measure.read(arms[test.arm], control), test.measure.unit(units))
