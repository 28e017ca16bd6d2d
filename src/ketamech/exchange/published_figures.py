"""Published figures (one output after one treatment at three or more times), listed and written as OMEX archives."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ketamech.analysis.reference_protocols import Protocol
from ketamech.analysis.scorecard_targets import Target
from ketamech.evidence import Evidence
from ketamech.exchange.omex import ABOUT as README
from ketamech.exchange.omex import (
    DAY,
    DIGITS,
    DISPLAY_COURSES,
    EXPECTED,
    MODEL,
    SCENARIO,
    SIMULATION,
    TOLERANCE,
    OmexArchive,
    UniformTimeCourse,
    add_doses,
    curves_csv,
    readme,
    write_sedml,
)  # fmt: skip
from ketamech.exchange.petab import baseline_values, formula, is_hour
from ketamech.exchange.sbml.exporter import course_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.exchange.sbml.reactions import species_ids
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.observable import RELATIVE_TO, Observable, TimeCourse, names_in, value_of
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

MIN_POINTS = 3  # times
NAME = "figure"  # of the time course
LIST_COLUMNS = ("archive", "output", "seen_as", "species", "treatment", "points", "moments", "citation", "doi")


@dataclass(frozen=True)
class PublishedFigure:
    """The published values of one output after one treatment in one paper."""

    reference: str
    protocol: Protocol
    targets: tuple[Target, ...]

    @property
    def measure(self) -> Observable:
        """The observable; only its time differs between the values."""
        return self.targets[0].measure

    @property
    def hours(self) -> tuple[float, ...]:
        """The published times (h), sorted, without duplicates."""
        return tuple(sorted({float(target.measure.time) for target in self.targets}))

    @property
    def name(self) -> str:
        """The file name without suffix."""
        relative_to = self.measure.relative_to if self.measure.relative_to != "value" else ""
        parts = (self.reference, self.protocol.id, self.measure.output, relative_to, self.measure.control_contrast)
        return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")

    @property
    def title(self) -> str:
        """The output, the treatment and the paper."""
        return f"{self.measure.output} after {self.protocol.treatment or 'nothing'} ({self.reference})"

    @property
    def course(self) -> UniformTimeCourse:
        """The time course up to the last published time: by the minute within a day, else by the hour."""
        end = self.hours[-1]
        return UniformTimeCourse(NAME, "to the last published reading", end, math.ceil(end * 60 if end <= DAY else end))

    @property
    def obstacle(self) -> str:
        """Why it cannot be written as an archive; empty where it can."""
        if self.measure.control_contrast:
            return "compared with another course, of which an archive holds none"
        if "|" in self.measure.output or self.measure.relative_to == "of_peak":
            return "read from several curves, or as a share of its own peak"
        return "" if self.protocol.treatment else "nothing is given"


def published_figures(
    targets: Iterable[Target], evidence: Evidence, protocols: Mapping[str, Protocol]
) -> tuple[PublishedFigure, ...]:
    """Every figure of the scorecard, including those with an obstacle; published directions are no points."""
    groups: dict[tuple[object, ...], list[Target]] = {}
    for target in targets:
        read = target.measure
        if read.statistic == "at" and target.comparison != "sign" and is_hour(read.time):
            paper = evidence[target.evidence].reference
            key = (paper, target.protocol, read.output, read.relative_to, read.control_contrast, read.factor)
            groups.setdefault(key, []).append(target)
    figures = [PublishedFigure(str(key[0]), protocols[str(key[1])], tuple(rows)) for key, rows in groups.items()]
    return tuple(figure for figure in figures if len(figure.hours) >= MIN_POINTS)


def list_csv(figures: Iterable[PublishedFigure], evidence: Evidence) -> str:
    """One line per figure: archive, output, treatment, number of points, paper."""
    rows = []
    for figure in figures:
        paper, how, protocol = evidence.references[figure.reference], figure.measure, figure.protocol
        rows.append((
            f"{figure.name}.omex", how.output, how.relative_to, protocol.species, protocol.treatment,
            len(figure.targets), len(figure.hours), paper.citation, paper.doi,
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(LIST_COLUMNS)).to_csv(index=False, lineterminator="\n")


POINTS = "published.csv"
COLUMNS = (
    "evidence", "hour", "value", "unit", "spread", "canonical_value", "canonical_unit", "ketamech", "comparison",
    "quantity", "population", "n", "reading_source", "locator", "reference", "citation", "doi", "url",
)  # fmt: skip


def figure_packages(
    figures: Iterable[PublishedFigure], evidence: Evidence, model: Model
) -> Iterator[tuple[PublishedFigure, OmexArchive]]:
    """The archive of each figure; the model is written once per treatment."""
    people: dict[str, _Person] = {}
    for figure in figures:
        if figure.protocol.id not in people:
            people[figure.protocol.id] = _Person.of(figure.protocol, model)
        yield figure, _package(figure, people[figure.protocol.id], evidence, model)


@dataclass(frozen=True)
class _Person:
    """The typical patient or animal of a protocol: dose events, baseline values, SBML text, scenario."""

    course: Subject
    rest: Mapping[str, float]
    sbml: str
    scenario: Scenario

    @classmethod
    def of(cls, protocol: Protocol, model: Model) -> _Person:
        values = protocol.values(model.parameters)
        scenario = Scenario(
            protocol.treatment, "", protocol.regimen, values, protocol.horizon, False, 1,
            protocol.treatment, species=protocol.species, perturbations=protocol.perturbations,
        )  # fmt: skip
        course = subjects(scenario, model)[0]
        sbml = course_sbml(model, course, name=protocol.treatment, species=protocol.species)
        return cls(course, baseline_values(model, values), sbml, scenario)


def _package(figure: PublishedFigure, person: _Person, evidence: Evidence, model: Model) -> OmexArchive:
    measure, course = figure.measure, figure.course
    outputs = tuple(dict.fromkeys(names_in(measure.output)))
    times_of_course = course.times
    times = np.unique(np.concatenate([times_of_course, figure.hours]))
    simulated = run_subjects(model, [person.course], times, tolerance=TOLERANCE)
    curves = TimeCourse(times, {name: simulated[name].to_numpy()[0] for name in outputs}, person.rest)
    display_formula = formula(measure.output, measure.relative_to, measure.factor, person.rest)
    files = {
        MODEL: person.sbml,
        SIMULATION: write_sedml(
            figure.title, MODEL, outputs, [course], species=species_ids(model.layout.states), seen=display_formula
        ),
        POINTS: _points(figure, curves, evidence),
        EXPECTED.format(NAME): _expected(measure, curves, times_of_course),
        SCENARIO: scenario_yaml(person.scenario, model.parameters),
        README: _readme(figure, evidence, model),
    }
    add_doses(files, person.scenario, model)
    return OmexArchive(figure.title, files, (course,), outputs)


def _points(figure: PublishedFigure, curves: TimeCourse, evidence: Evidence) -> str:
    """Every published value, printed and canonical, with its source and the simulated value."""
    rows = []
    for target in sorted(figure.targets, key=lambda target_item: float(target_item.measure.time)):
        row = evidence[target.evidence]
        paper = evidence.references[row.reference]
        rows.append((
            row.id, target.measure.time, repr(row.value), row.unit, row.spread.text, repr(row.canonical_value),
            row.canonical_unit, DIGITS % target.measure.read(curves), target.comparison, row.quantity, row.population,
            row.n_text, row.reading_source, row.locator, paper.key, paper.citation, paper.doi, paper.url,
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n")


def _expected(how: Observable, curves: TimeCourse, grid: np.ndarray) -> str:
    """The curves of KetaMech: time (h), each output, and the observable of the paper."""
    baseline = float(value_of(how.output, curves.baseline))
    observed = RELATIVE_TO[how.relative_to](np.asarray(value_of(how.output, curves.outputs)), baseline) * how.factor
    columns = {**{sbml_id(name): curve for name, curve in curves.outputs.items()}, DISPLAY_COURSES: observed}
    return curves_csv(grid, {name: np.interp(grid, curves.time, curve) for name, curve in columns.items()})


def _readme(figure: PublishedFigure, evidence: Evidence, model: Model) -> str:
    assumptions = dict.fromkeys(target.assumption for target in figure.targets if target.assumption)
    how, paper = figure.measure, evidence.references[figure.reference]
    unit = evidence[figure.targets[0].evidence].canonical_unit
    others = {
        POINTS: "the published readings, with evidence ids, printed unit and source; `ketamech` is the simulated value"
        f" in the canonical unit ({unit})",
        EXPECTED.format(NAME): f"the curves of KetaMech at these times; `{DISPLAY_COURSES}` is {how.output} as in the"
        f" paper ({how.relative_to}), the other outputs are in the units of the model",
    }
    notes = [*(f"Assumed: {assumption}." for assumption in assumptions), f"Equations: {model.layout.fingerprint}"]
    return readme(figure.title, paper.citation, f"a typical {figure.protocol.species}", others, notes)
