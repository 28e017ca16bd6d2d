"""Published figures: what one paper reads of one output, after one treatment, at three or more moments."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ketamech.analysis.reference_protocols import Protocol
from ketamech.analysis.scorecard_targets import Target
from ketamech.evidence import Evidence
from ketamech.exchange.sedml import DAY, TimeCourse
from ketamech.simulation.observable import Observable

MIN_POINTS = 3  # moments
NAME = "figure"  # of the time course
LISTED = ("archive", "output", "seen_as", "species", "treatment", "points", "moments", "citation", "doi")


@dataclass(frozen=True)
class PublishedFigure:
    """The readings of one paper of one output, seen in one way, after one treatment."""

    reference: str
    protocol: Protocol
    targets: tuple[Target, ...]

    @property
    def measure(self) -> Observable:
        """What is read; only the moment differs between the readings."""
        return self.targets[0].measure

    @property
    def hours(self) -> tuple[float, ...]:
        """The moments, each once, in order of time."""
        return tuple(sorted({float(target.measure.time) for target in self.targets}))

    @property
    def name(self) -> str:
        """A name for files."""
        seen = self.measure.relative_to if self.measure.relative_to != "value" else ""
        words = (self.reference, self.protocol.id, self.measure.output, seen, self.measure.control_contrast)
        return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")

    @property
    def title(self) -> str:
        """The output, the treatment and the paper."""
        return f"{self.measure.output} after {self.protocol.treatment or 'nothing'} ({self.reference})"

    @property
    def course(self) -> TimeCourse:
        """To the last published moment: by the minute within a day, else by the hour."""
        end = self.hours[-1]
        return TimeCourse(NAME, "to the last published reading", end, math.ceil(end * 60 if end <= DAY else end))

    @property
    def obstacle(self) -> str:
        """Why no archive can hold it; empty where one can."""
        if self.measure.control_contrast:
            return "compared with another course, of which an archive holds none"
        if "|" in self.measure.output or self.measure.relative_to == "of_peak":
            return "read from several curves, or as a share of its own peak"
        return "" if self.protocol.treatment else "nothing is given"


def published_figures(
    targets: Iterable[Target], evidence: Evidence, protocols: Mapping[str, Protocol]
) -> tuple[PublishedFigure, ...]:
    """Every figure of the scorecard, those with an obstacle too; readings of a mere direction are no points."""
    found: dict[tuple[object, ...], list[Target]] = {}
    for target in targets:
        how = target.measure
        if how.statistic == "at" and target.comparison != "sign" and _hour(how.time):
            paper = evidence[target.evidence].reference
            key = (paper, target.protocol, how.output, how.relative_to, how.control_contrast, how.factor)
            found.setdefault(key, []).append(target)
    figures = [PublishedFigure(str(key[0]), protocols[str(key[1])], tuple(rows)) for key, rows in found.items()]
    return tuple(figure for figure in figures if len(figure.hours) >= MIN_POINTS)


def _hour(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def list_csv(figures: Iterable[PublishedFigure], evidence: Evidence) -> str:
    """A line a figure: its archive, what is shown of what, how many points, the paper."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(LISTED)
    for one in figures:
        paper = evidence.references[one.reference]
        species, how = one.protocol.species, one.measure
        points = (len(one.targets), len(one.hours))
        table.writerow([
            f"{one.name}.omex", how.output, how.relative_to, species, one.protocol.treatment, *points, paper.citation,
            paper.doi,
        ])  # fmt: skip
    return text.getvalue()
