"""Other people's engines on an SBML document: libRoadRunner's CVODE, COPASI's LSODA, AMICI's CVODES, at given times.

Each function takes SBML text, times (h, rising, above 0), ids of what to return and a scale for each state, and gives
curves [time, id]. Values at the very time of an event may be those before or after it.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ketamech.core import InputError, SolverError

RELATIVE, ABSOLUTE = 1e-9, 1e-11  # absolute: a share of each state's scale
MOST_STEPS = 1_000_000
Elsewhere = Callable[[str, np.ndarray, Sequence[str], Mapping[str, float]], np.ndarray]


def simulate_roadrunner(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
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
        raise SolverError(f"libRoadRunner could not solve the model: {problem}") from None


def simulate_copasi(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """LSODA, one absolute tolerance for all states."""
    copasi = _module("COPASI", "python-copasi")
    data = copasi.CRootContainer.addDatamodel()
    try:
        if not data.importSBMLFromString(sbml):
            raise SolverError(f"COPASI cannot read the model: {copasi.CCopasiMessage.getAllMessageText()}")
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
        raise SolverError(f"COPASI could not solve the model: {copasi.CCopasiMessage.getAllMessageText()}")
    series = task.getTimeSeries()
    place = {series.getSBMLId(i, data): i for i in range(series.getNumVariables())}
    steps = range(series.getRecordedSteps())
    at = np.array([series.getConcentrationData(k, 0) for k in steps])
    rows = np.searchsorted(at, times * (1 + 1e-12), side="right") - 1  # after an event there are two rows: the later
    columns = [place[one] for one in ids]
    return np.array([[series.getConcentrationData(int(k), i) for i in columns] for k in rows])


def simulate_amici(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """CVODES with a symbolic Jacobian, one absolute tolerance for all states.

    The model is written as C++ and compiled, which takes a minute or two: a C++ compiler has to be there.
    """
    _module("amici.sim.sundials", "amici", "amici")
    importer = _module("amici.importers.sbml", "amici", "amici")
    name = f"ketamech_{hashlib.sha256(sbml.encode()).hexdigest()[:12]}"  # a module is loaded once a process
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.xml"
        source.write_text(sbml, encoding="utf-8")
        reading = importer.SbmlImporter(str(source))
        plain = {"simplify": None, "compute_conservation_laws": False, "generate_sensitivity_code": False}
        try:
            reading.sbml2amici(name, Path(folder) / name, **plain)
        except (OSError, subprocess.CalledProcessError) as problem:
            raise InputError("AMICI could not compile the model", expected="a C++ compiler") from problem
        built = _module("amici", "amici", "amici").import_model_module(name, Path(folder) / name)
        return _amici_course(built.get_model(), times, ids)


def _amici_course(model: Any, times: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    solver = model.create_solver()
    solver.set_relative_tolerance(RELATIVE)
    solver.set_absolute_tolerance(ABSOLUTE)
    solver.set_max_steps(MOST_STEPS)
    model.set_timepoints(times)
    found = model.simulate(solver=solver)
    if found.status != 0:
        told = found.messages[-1].message if found.messages else f"status {found.status}"
        raise SolverError(f"AMICI could not solve the model: {told}")
    kinds = ((model.get_state_ids(), found.x), (model.get_expression_ids(), found.w))
    columns = {one: curve for names, curves in kinds for one, curve in zip(names, np.transpose(curves), strict=True)}
    constant = dict(zip(model.get_free_parameter_ids(), model.get_free_parameters(), strict=True))
    return np.stack([columns.get(one, np.full(len(times), constant.get(one, np.nan))) for one in ids], axis=1)


def _module(name: str, package: str, extra: str = "bench") -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as problem:
        what = f"running a model elsewhere needs {package}, which is not installed"
        raise InputError(what, type_this=f'pip install "ketamech[{extra}]"') from problem


ENGINES: Mapping[str, Elsewhere] = {"libRoadRunner": simulate_roadrunner, "COPASI": simulate_copasi}
SLOW_ENGINES: Mapping[str, Elsewhere] = {"AMICI": simulate_amici}
