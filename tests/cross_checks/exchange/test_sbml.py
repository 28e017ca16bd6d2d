"""The whole story as SBML: libSBML finds nothing wrong, CVODE and LSODA of others follow it as our engine does."""

import sys
from unittest import mock

import COPASI
import libsbml
import numpy as np
import pytest
import roadrunner

from ketamech.core import InputError, SolverError
from ketamech.exchange.sbml.exporter import course_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects

SENTENCES = {
    "infusion": "racemic 0.5 mg/kg IV over 40 min",
    "nasal": "esketamine 84 mg nasal twice weekly for 1 week",  # on day 0 and day 3
}
TIMES = np.array([0.05, 0.1, 0.3, 0.6, 0.7, 1, 2, 6, 12, 24, 47.9, 72.3, 72.6, 73, 76, 96, 120])
roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)


@pytest.fixture(scope="module", params=SENTENCES)
def course(request, model):
    return subjects(load_scenario(SENTENCES[request.param]), model)[0]


@pytest.fixture(scope="module")
def document(course, model):
    return course_sbml(model, course)


@pytest.fixture(scope="module")
def ours(course, model):
    return run_subjects(model, [course], TIMES, tolerance=1e-9)


def farthest(ours, theirs, model):
    """Largest difference of any output, as a share of its scale (of an offer: its largest value) plus its size."""
    found = {}
    scale = {state.name: state.scale for state in model.layout.states}
    for name in model.layout.output_names:
        curve, other = ours[name].values[0], theirs[sbml_id(name)]
        size = scale.get(name, np.abs(curve).max()) + np.abs(curve)
        found[name] = np.max(np.abs(curve - other) / np.where(size == 0, 1, size))
    return max((share, name) for name, share in found.items())


def test_libsbml_finds_no_error_and_no_clash_of_units(document):
    read = libsbml.readSBMLFromString(document)
    read.checkConsistency()
    assert [read.getError(i).getMessage() for i in range(read.getNumErrors())] == []


def test_libroadrunner_tells_the_same_story(document, ours, model):
    simulator = roadrunner.RoadRunner(document)
    simulator.simulate(0, 24, 2)  # as it comes
    assert simulator["venous__esketamine"] > 0
    simulator.resetAll()
    ids = [sbml_id(name) for name in model.layout.output_names]
    assert simulator.model.getNumFloatingSpecies() == len(model.layout.states)
    states = [simulator.model.getStateVectorId(i) for i in range(len(model.layout.states))]
    scale = {sbml_id(state.name): state.scale for state in model.layout.states}
    simulator.integrator.relative_tolerance = 1e-10
    simulator.integrator.absolute_tolerance = [1e-11 * scale[one] for one in states]
    simulator.timeCourseSelections = ids
    curves = np.array(simulator.simulate(times=[0.0, *TIMES]))[1:]
    share, name = farthest(ours, dict(zip(ids, curves.T, strict=True)), model)
    assert share < 1e-7, name


def test_copasi_tells_the_same_story(document, ours, model):
    curves = copasi(document, TIMES)
    share, name = farthest(ours, curves, model)
    assert share < 1e-7, name


def copasi(document, times):
    """Curves by SBML id from COPASI's LSODA."""
    data = COPASI.CRootContainer.addDatamodel()
    assert data.importSBMLFromString(document), COPASI.CCopasiMessage.getAllMessageText()
    assert data.getModel().getNumReactions() == document.count("<reaction ")
    task = data.getTask("Time-Course")
    task.setMethodType(COPASI.CTaskEnum.Method_deterministic)
    for what, tolerance in (("Relative Tolerance", 1e-10), ("Absolute Tolerance", 1e-12)):
        task.getMethod().getParameter(what).setDblValue(tolerance)
    asked = task.getProblem()
    asked.setUseValues(True)
    asked.setValues(" ".join(map(repr, [0.0, *times.tolist()])))
    asked.setAutomaticStepSize(False)
    asked.setTimeSeriesRequested(True)
    assert task.process(True), COPASI.CCopasiMessage.getAllMessageText()
    series = task.getTimeSeries()
    table = np.array(
        [
            [series.getConcentrationData(k, i) for i in range(series.getNumVariables())]
            for k in range(series.getRecordedSteps())
        ]
    )
    rows = [int(np.flatnonzero(np.isclose(table[:, 0], at, rtol=1e-12))[-1]) for at in times]
    ids = {i: series.getSBMLId(i, data) for i in range(series.getNumVariables())}
    COPASI.CRootContainer.removeDatamodel(data)
    return {one: table[rows, i] for i, one in ids.items()}


def test_libroadrunner_runs_a_bolus_as_it_comes(model):
    """Its own tolerance is multiplied by each present value: what is silent has to be exactly 0."""
    treated = subjects(load_scenario("racemic 2 mg/kg IV"), model)[0]
    simulator = roadrunner.RoadRunner(course_sbml(model, treated))
    simulator.simulate(0, 24, 2)
    assert simulator["venous__esketamine"] > 0


def test_a_person_without_a_rest_state_is_refused(model):
    nobody = (np.full((1, len(model.layout.states)), np.nan), np.array([False]))
    with (
        mock.patch("ketamech.simulation.ensemble.drug_free_steady_state", return_value=nobody),
        pytest.raises(SolverError, match="no start was found"),
    ):
        course_sbml(model, subjects(load_scenario(SENTENCES["nasal"]), model)[0])


def test_without_libsbml_it_says_what_to_install(course, model):
    with mock.patch.dict(sys.modules, {"libsbml": None}), pytest.raises(InputError, match=r"ketamech\[exchange\]"):
        course_sbml(model, course)
