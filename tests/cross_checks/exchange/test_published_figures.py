"""Published figures as archives: the points are those of the evidence tables, the simulation is that of the figure."""

import csv
import io
from dataclasses import replace

import libsedml
import numpy as np
import pytest

from ketamech.analysis.reference_protocols import load_protocols, simulate_protocols
from ketamech.analysis.scorecard_targets import load_targets
from ketamech.dosing.dose_events import without_expectancy
from ketamech.evidence import load_evidence
from ketamech.exchange.cross_simulator_check import compare_archives
from ketamech.exchange.omex import MODEL, SCENARIO, SIMULATION, read_archive, write_archive
from ketamech.exchange.published_figures import MIN_POINTS, POINTS, figure_packages, published_figures
from ketamech.simulation.load_scenario import scenario_from_text
from ketamech.simulation.observable import RELATIVE_TO
from ketamech.simulation.simulate import subjects

SUM = "kamp-2020b-kamp-racemic-plasma-s-hydroxynorketamine-plasma-r-hydroxynorketamine"
RAT = "li-2010-rat-10-plasticity-mtorc1-of-rest"


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


@pytest.fixture(scope="module")
def figures(evidence):
    protocols = load_protocols()
    return {one.name: one for one in published_figures(load_targets(evidence, protocols), evidence, protocols)}


@pytest.fixture(scope="module")
def made(figures, evidence, model):
    return {one.name: made for one, made in figure_packages([figures[SUM], figures[RAT]], evidence, model)}


def points(files):
    return list(csv.DictReader(io.StringIO(files[POINTS])))


def test_a_figure_has_moments_and_one_thing_that_is_read(figures):
    for figure in figures.values():
        assert len(figure.hours) >= MIN_POINTS
        assert len({(t.protocol, t.measure.output, t.measure.relative_to) for t in figure.targets}) == 1
    obstacles = [one.obstacle for one in figures.values() if one.obstacle]
    assert 0 < len(obstacles) < len(figures)
    assert all(one.measure.control_contrast for one in figures.values() if "another course" in one.obstacle)


def test_the_name_of_a_figure_says_what_its_values_are_relative_to(figures):
    """Nothing where they are values; the word may come from a table, which is another object of the same text."""
    assert not [name for name, one in figures.items() if "value" in name or name != one.name]
    rat = figures[RAT]
    measures = {word: replace(rat.measure, relative_to="".join(word)) for word in ("value", "of_peak")}
    named = {word: replace(rat, targets=(replace(rat.targets[0], measure=one),)).name for word, one in measures.items()}
    assert named == {"value": RAT.removesuffix("-of-rest"), "of_peak": RAT.replace("of-rest", "of-peak")}


@pytest.mark.parametrize("name", [SUM, RAT])
def test_points_are_those_of_the_evidence_and_of_the_scorecard(name, made, figures, evidence, model, tmp_path):
    write_archive(tmp_path / "x.omex", made[name])
    files = read_archive(tmp_path / "x.omex")
    assert files == made[name].files
    rows = points(files)
    assert {row["evidence"] for row in rows} == {target.evidence for target in figures[name].targets}
    for row in rows:
        known = evidence[row["evidence"]]
        assert (float(row["value"]), row["unit"], row["reference"]) == (known.value, known.unit, known.reference)
        assert row["citation"] == evidence.references[known.reference].citation
    protocol = figures[name].protocol
    scored = simulate_protocols(model, [protocol], figures[name].hours)[protocol.id]
    for target in figures[name].targets:
        here = next(float(row["ketamech"]) for row in rows if row["evidence"] == target.evidence)
        assert here == pytest.approx(target.measure.read(scored), rel=1e-3)


@pytest.mark.parametrize("name", [SUM, RAT])
def test_the_simulation_shows_what_the_paper_shows(name, made, figures):
    files = made[name].files
    document = libsedml.readSedMLFromString(files[SIMULATION])
    assert document.getNumErrors() == 0
    asked = document.getSimulation(0)
    assert document.getModel(0).getSource() == MODEL
    assert (asked.getOutputEndTime(), asked.getNumberOfSteps()) == (
        figures[name].course.end,
        figures[name].course.steps,
    )
    plotted = document.getDataGenerator(document.getOutput("plot").getCurve(0).getYDataReference())
    variables = [plotted.getVariable(i) for i in range(plotted.getNumVariables())]
    text = libsedml.formulaToString(plotted.getMath())
    table = np.genfromtxt(io.StringIO(files["expected/figure.csv"]), delimiter=",", names=True)
    found = {v.getId(): table[v.getTarget().split("'")[1]] for v in variables}
    assert eval(text, {}, found) == pytest.approx(table["seen"], rel=1e-6, abs=1e-9 * np.abs(table["seen"]).max())
    assert figures[name].measure.relative_to in RELATIVE_TO


def test_the_scenario_within_is_the_treatment(made, figures, model):
    for name, package in made.items():
        treated = subjects(scenario_from_text(package.files[SCENARIO], model.parameters, name), model)[0]
        doses = without_expectancy(figures[name].protocol.events(model.parameters))
        assert without_expectancy(treated.events) == doses


def test_an_archive_that_was_written_can_be_certified(made, model, tmp_path):
    write_archive(tmp_path / "rat.omex", made[RAT])
    asked = []

    def wrong(text, times, ids, scales):
        asked.append(text)
        return np.full((len(times), len(ids)), np.nan)

    found = compare_archives([tmp_path / "rat.omex"], model, engines={"broken": wrong})
    assert asked == [made[RAT].files[MODEL]]
    assert not found.within_goal
