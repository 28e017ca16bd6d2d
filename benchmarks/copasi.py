"""COPASI (LSODA) on the SBML export of the benchmark case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ketamech.exchange.cross_simulator_check import CopasiModel
from ketamech.exchange.sbml.exporter import write_sbml
from ketamech.exchange.sbml.ids import inflow_id, sbml_id

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run


def load(case: BenchmarkCase) -> Run:
    """Read the SBML document, and return the function that solves the case for every patient."""
    text = write_sbml(case.system, case.inputs[0], case.start[0], case.events)
    model = CopasiModel(text, [sbml_id(name) for name in case.outputs], case.times)
    quantities, first = model.quantities(_ids(case)), case.segments()[0]

    def solve_patient(inputs: np.ndarray, start: np.ndarray) -> np.ndarray:
        model.set_values(quantities, np.concatenate([inputs, start + first.jump, first.inflow[case.infused()]]))
        return model.simulate()

    def run(tolerance: float) -> np.ndarray:
        model.set_tolerances(tolerance, tolerance)
        return np.array([solve_patient(*patient) for patient in zip(case.inputs, case.start, strict=True)])

    return run


def _ids(case: BenchmarkCase) -> list[str]:
    names = [sbml_id(name) for name in (*case.system.inputs, *case.system.state_names)]
    return names + [inflow_id(case.system.state_names[i]) for i in case.infused()]
