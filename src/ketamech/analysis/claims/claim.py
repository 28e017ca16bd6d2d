"""A common statement about ketamine, its test in the model, and the evidence for and against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ketamech.analysis.claims.verdict_rule import EvidenceItem
from ketamech.evidence import Observation
from ketamech.simulation.observable import Observable, TimeCourse

RELATIONS = ("<", ">")


@dataclass(frozen=True)
class ClaimTest:
    """One observable of one arm and the bound it must pass for the model to show the claim."""

    __test__ = False  # not a test of pytest
    arm: str
    measure: Observable
    relation: str
    bound: float
    description: str

    def passes(self, value: float) -> bool:
        """Whether the value passes the bound; NaN does not."""
        return value < self.bound if self.relation == "<" else value > self.bound


@dataclass(frozen=True)
class TestResult:
    """The value of one test; `unit` is canonical."""

    test: ClaimTest
    value: float
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the bound was passed."""
        return self.test.passes(self.value)


@dataclass(frozen=True)
class FigurePoint:
    """A published point of the figure: canonical value times `factor` plus `offset`, at `hours`, of an arm."""

    row: Observation
    arm: str
    hours: float
    factor: float
    offset: float
    why: str

    def plotted_value(self, printed: float) -> float:
        """A printed number in the unit of the figure axis."""
        return self.row.canonical(printed) * self.factor + self.offset


@dataclass(frozen=True)
class ClaimFigure:
    """The figure of a claim: an output over hours, one curve per arm."""

    output: str
    start: float
    end: float
    curves: Mapping[str, str]
    axis: str


@dataclass(frozen=True)
class Claim:
    """A statement, its source, the level of evidence it needs, its tests and its evidence."""

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
        """The evidence for, or against."""
        return tuple(exhibit for exhibit in self.evidence_items if exhibit.side == side)

    def arms(self) -> set[str]:
        """Every arm of the figure and of the tests."""
        return {*self.figure.curves.values(), *(test.arm for test in self.tests)}


def run_claim_test(
    test: ClaimTest, arms: Mapping[str, TimeCourse], control: TimeCourse | None, units: Mapping[str, str]
) -> TestResult:
    """Evaluate one test on the simulated arms."""
    return TestResult(test, test.measure.read(arms[test.arm], control), test.measure.unit(units))
