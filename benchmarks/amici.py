"""AMICI (CVODES) on the SBML export of the benchmark case, compiled from C++."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.roadrunner import constant_outputs, ids_of
from ketamech.exchange.cross_simulator_check import AmiciModel
from ketamech.exchange.sbml.exporter import write_sbml
from ketamech.exchange.sbml.ids import sbml_id

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run


def load(case: BenchmarkCase) -> Run:
    """Write, compile and load the model, and return the function that solves the case for every patient."""
    text = write_sbml(case.system, case.inputs[0], case.start[0], case.events)
    model = AmiciModel(text, [sbml_id(name) for name in case.outputs], case.times)
    ids, constants, first = ids_of(case), constant_outputs(case.system), case.segments()[0]

    def solve_patient(inputs: np.ndarray, start: np.ndarray) -> np.ndarray:
        values = np.concatenate([inputs, constants(inputs), start + first.jump, first.inflow[case.infused()]])
        model.set_values(dict(zip(ids, values.tolist(), strict=True)))
        return model.simulate()

    def run(tolerance: float) -> np.ndarray:
        model.set_tolerances(tolerance, tolerance)
        return np.array([solve_patient(*patient) for patient in zip(case.inputs, case.start, strict=True)])

    return run
