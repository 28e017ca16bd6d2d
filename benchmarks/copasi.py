"""COPASI: LSODA on our SBML export, through its own classes: tables would cost more than they should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.core import SolverError
from ketamech.exchange.sbml.export import write_sbml
from ketamech.exchange.sbml.ids import inflow_id, sbml_id

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run


def load(problem: BenchmarkCase) -> Run:
    """Read the SBML document, and return what solves the task for every patient of the problem."""
    import COPASI

    data = COPASI.CRootContainer.addDatamodel()
    if not data.importSBMLFromString(write_sbml(problem.system, problem.inputs[0], problem.start[0], problem.given)):
        raise SolverError(f"COPASI cannot read the export: {COPASI.CCopasiMessage.getAllMessageText()}")
    model, task = data.getModel(), data.getTask("Time-Course")
    quantities = {one.getSBMLId(): one for one in map(model.getModelValue, range(model.getNumModelValues()))}
    movable = [quantities[one] for one in _ids(problem)]
    _ask(COPASI, task, problem)
    first, seen = problem.segments()[0], [sbml_id(name) for name in problem.outputs]

    def one(inputs: np.ndarray, start: np.ndarray) -> np.ndarray:
        values = np.concatenate([inputs, start + first.jump, first.inflow[problem.infused()]])
        for quantity, value in zip(movable, values.tolist(), strict=True):
            quantity.setInitialValue(value)
        model.updateInitialValues(COPASI.CCore.Framework_Concentration)
        if not (task.initializeRaw(COPASI.CCopasiTask.ONLY_TIME_SERIES) and task.processRaw(True)):
            raise SolverError(f"COPASI: {task.getProcessError() or COPASI.CCopasiMessage.getAllMessageText()}")
        return _read(task.getTimeSeries(), [quantities[name].getObjectName() for name in seen], problem.times.size)

    def run(tolerance: float) -> np.ndarray:
        method = task.getMethod()
        method.getParameter("Relative Tolerance").setDblValue(tolerance)
        method.getParameter("Absolute Tolerance").setDblValue(tolerance)
        return np.array([one(*each) for each in zip(problem.inputs, problem.start, strict=True)])

    return run


def _ids(problem: BenchmarkCase) -> list[str]:
    names = [sbml_id(name) for name in (*problem.system.inputs, *problem.system.state_names)]
    return names + [inflow_id(problem.system.state_names[i]) for i in problem.infused()]


def _ask(copasi: Any, task: Any, problem: BenchmarkCase) -> None:
    """Deterministic time course with exactly the problem's output times, kept in memory."""
    task.setMethodType(copasi.CTaskEnum.Method_deterministic)
    asked = task.getProblem()
    asked.setUseValues(True)
    asked.setValues(" ".join(repr(one) for one in [0.0, *problem.times.tolist()]))
    asked.setTimeSeriesRequested(True)
    asked.setAutomaticStepSize(False)
    task.getMethod().getParameter("Max Internal Steps").setIntValue(1_000_000)
    task.setScheduled(True)


def _read(series: Any, names: list[str], count: int) -> np.ndarray:
    """The last `count` rows [time, output] of a time series; COPASI writes a row for each side of an event, too."""
    columns = {series.getTitle(i): i for i in range(series.getNumVariables())}
    rows = range(series.getRecordedSteps() - count, series.getRecordedSteps())
    return np.array([[series.getConcentrationData(row, columns[f"Values[{n}]"]) for n in names] for row in rows])
