"""Archives of published figures: the treated person as SBML, the simulation as SED-ML, and the published points."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.analysis.reference_protocols import Protocol
from ketamech.core import InputError
from ketamech.evidence import Evidence
from ketamech.exchange.nonmem.write import doses_csv
from ketamech.exchange.omex import ABOUT as README
from ketamech.exchange.omex import DIGITS, DOSES, EXPECTED, LOSSY_FEATURES, MODEL, SCENARIO, SIMULATION, OmexArchive
from ketamech.exchange.petab.problem import baseline_values, formula
from ketamech.exchange.published_figures import NAME, PublishedFigure
from ketamech.exchange.sbml.export import DISCLAIMER, course_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.exchange.sedml import DISPLAY_COURSES, write_sedml
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.expression import names_in, value_of
from ketamech.simulation.model import Model
from ketamech.simulation.observable import RELATIVE_TO, Observable, TimeCourse
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

POINTS = "published.csv"
TOLERANCE = 1e-9
COLUMNS = (
    "evidence", "hour", "value", "unit", "spread", "canonical_value", "canonical_unit", "ketamech", "comparison",
    "quantity", "population", "n", "read_as", "place", "reference", "citation", "doi", "url",
)  # fmt: skip


def figure_packages(
    figures: Iterable[PublishedFigure], evidence: Evidence, model: Model
) -> Iterator[tuple[PublishedFigure, OmexArchive]]:
    """The archives' contents, one figure after another; the model is written once for every treatment."""
    people: dict[str, _Person] = {}
    for figure in figures:
        if figure.protocol.id not in people:
            people[figure.protocol.id] = _Person.of(figure.protocol, model)
        yield figure, _package(figure, people[figure.protocol.id], evidence, model)


@dataclass(frozen=True)
class _Person:
    """The typical person or animal of a protocol: what enters, the values at rest, the model as SBML, the scenario."""

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
        text = course_sbml(model, course, name=protocol.treatment, species=protocol.species)
        return cls(course, baseline_values(model, values), text, scenario)


def _package(figure: PublishedFigure, person: _Person, evidence: Evidence, model: Model) -> OmexArchive:
    how, course = figure.measure, figure.course
    outputs = tuple(dict.fromkeys(names_in(how.output)))
    grid = np.linspace(0.0, course.end, course.steps + 1)
    curves = _curves(person, model, np.unique(np.concatenate([grid, figure.hours])), outputs)
    seen = formula(how.output, how.relative_to, how.factor, person.rest)
    files = {
        MODEL: person.sbml,
        SIMULATION: write_sedml(figure.title, MODEL, outputs, [course], seen=seen),
        POINTS: _points(figure, curves, evidence),
        EXPECTED.format(NAME): _expected(how, curves, grid),
        SCENARIO: scenario_yaml(person.scenario, model.parameters),
        README: _about(figure, evidence, model),
    }
    try:
        scenario = person.scenario
        files[DOSES] = doses_csv(
            scenario.regimen, scenario.horizon, scenario.values, model.parameters, species=scenario.species
        )
    except InputError as problem:
        files[README] += f"\nNo table of doses: {problem.what}.\n"
    return OmexArchive(figure.title, files, (course,), outputs)


def _curves(person: _Person, model: Model, times: np.ndarray, outputs: Iterable[str]) -> TimeCourse:
    found = run_subjects(model, [person.course], times, tolerance=TOLERANCE)
    return TimeCourse(times, {name: found[name].to_numpy()[0] for name in outputs}, person.rest)


def _points(figure: PublishedFigure, curves: TimeCourse, evidence: Evidence) -> str:
    """Every published reading as printed and in canonical units, with its source, beside what is found here."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for target in sorted(figure.targets, key=lambda one: float(one.measure.time)):
        row = evidence[target.evidence]
        paper = evidence.references[row.reference]
        table.writerow([
            row.id, target.measure.time, repr(row.value), row.unit, row.spread.text, repr(row.canonical_value),
            row.canonical_unit, DIGITS % target.measure.read(curves), target.comparison, row.quantity, row.population,
            row.n_text, row.read_as, row.place, paper.key, paper.citation, paper.doi, paper.url,
        ])  # fmt: skip
    return text.getvalue()


def _expected(how: Observable, curves: TimeCourse, grid: np.ndarray) -> str:
    """Our curves on the grid of the simulation: time (h), each output, and what the paper shows of them."""
    rest = float(value_of(how.output, curves.baseline))
    seen = RELATIVE_TO[how.relative_to](np.asarray(value_of(how.output, curves.outputs)), rest) * how.factor
    table = np.column_stack([np.interp(grid, curves.time, y) for y in (curves.time, *curves.outputs.values(), seen)])
    text = io.StringIO()
    header = ",".join(["time", *map(sbml_id, curves.outputs), DISPLAY_COURSES])
    np.savetxt(text, table, fmt=DIGITS, delimiter=",", header=header, comments="")
    return text.getvalue()


def _about(figure: PublishedFigure, evidence: Evidence, model: Model) -> str:
    assumed = dict.fromkeys(target.assumption for target in figure.targets if target.assumption)
    how, paper = figure.measure, evidence.references[figure.reference]
    unit = evidence[figure.targets[0].evidence].canonical_unit
    lines = [
        f"# {figure.title}", "", paper.citation, "", DISCLAIMER, "",
        f"- `{POINTS}`: the published readings, with evidence ids, printed unit and source; `ketamech` is what is found"
        f" here, in the canonical unit ({unit})",
        f"- `{MODEL}`: the model of KetaMech for a typical {figure.protocol.species}, every dose as an event",
        f"- `{SIMULATION}`: the simulation (SED-ML); `{DISPLAY_COURSES}` in its report and plot is {how.output} as the paper shows"
        f" it ({how.relative_to}), the outputs beside it are in the model's units",
        f"- `{EXPECTED.format(NAME)}`: what KetaMech's own engine finds at these times",
        f"- `{SCENARIO}`: the scenario for `ketamech simulate`; `{DOSES}`: the doses as a NONMEM-style table",
        "", *(f"Assumed: {one}." for one in assumed), "", LOSSY_FEATURES, f"\nEquations: {model.layout.fingerprint}", "",
    ]  # fmt: skip
    return "\n".join(lines)
