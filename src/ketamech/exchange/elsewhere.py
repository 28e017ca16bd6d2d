"""Other people's engines on an SBML document: libRoadRunner's CVODE and COPASI's LSODA, at given times.

Each function takes SBML text, times (h, rising, above 0), ids of what to return and a scale for each state, and gives
curves [time, id]. Values at the very time of an event may be those before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ketamech.core import BadInput, SolveFailed

RELATIVE, ABSOLUTE = 1e-9, 1e-11  # absolute: a share of each state's scale
MOST_STEPS = 1_000_000
Elsewhere = Callable[[str, np.ndarray, Sequence[str], Mapping[str, float]], np.ndarray]


def in_roadrunner(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """CVODE with one absolute tolerance a state: a single one would be multiplied by each present value."""
    roadrunner = _module("roadrunner", "libroadrunner")
    roadrunner.Logger.disableLogging()
    simulator = roadrunner.RoadRunner(sbml)
    inside = simulator.model
    states = [inside.getStateVectorId(i) for i in range(inside.getNumRateRules())]  # our exports hold no species
    simulator.integrator.relative_tolerance = RELATIVE
    simulator.integrator.absolute_tolerance = [ABSOLUTE * scales.get(one, 1.0) for one in states]
    simulator.integrator.maximum_num_steps = MOST_STEPS
    simulator.timeCourseSelections = list(ids)
    try:
        return np.array(simulator.simulate(times=[0.0, *times.tolist()]))[1:]
    except RuntimeError as problem:
        raise SolveFailed(f"libRoadRunner could not solve the model: {problem}") from None


def in_copasi(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """LSODA, one absolute tolerance for all states."""
    copasi = _module("COPASI", "python-copasi")
    data = copasi.CRootContainer.addDatamodel()
    try:
        if not data.importSBMLFromString(sbml):
            raise SolveFailed(f"COPASI cannot read the model: {copasi.CCopasiMessage.getAllMessageText()}")
        return _copasi_course(copasi, data, times, ids)
    finally:
        copasi.CRootContainer.removeDatamodel(data)


def _copasi_course(copasi: Any, data: Any, times: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    task = data.getTask("Time-Course")
    task.setMethodType(copasi.CTaskEnum.Method_deterministic)
    for what, tolerance in (("Relative Tolerance", RELATIVE), ("Absolute Tolerance", ABSOLUTE)):
        task.getMethod().getParameter(what).setDblValue(tolerance)
    task.getMethod().getParameter("Max Internal Steps").setUIntValue(MOST_STEPS)
    asked = task.getProblem()
    asked.setUseValues(True)
    asked.setValues(" ".join(map(repr, [0.0, *times.tolist()])))
    asked.setAutomaticStepSize(False)
    asked.setTimeSeriesRequested(True)
    if not task.process(True):
        raise SolveFailed(f"COPASI could not solve the model: {copasi.CCopasiMessage.getAllMessageText()}")
    series = task.getTimeSeries()
    place = {series.getSBMLId(i, data): i for i in range(series.getNumVariables())}
    steps = range(series.getRecordedSteps())
    at = np.array([series.getConcentrationData(k, 0) for k in steps])
    rows = np.searchsorted(at, times * (1 + 1e-12), side="right") - 1  # after an event there are two rows: the later
    columns = [place[one] for one in ids]
    return np.array([[series.getConcentrationData(int(k), i) for i in columns] for k in rows])


def _module(name: str, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as problem:
        what = f"running a model elsewhere needs {package}, which is not installed"
        raise BadInput(what, type_this='pip install "ketamech[bench]"') from problem


ENGINES: Mapping[str, Elsewhere] = {"libRoadRunner": in_roadrunner, "COPASI": in_copasi}
