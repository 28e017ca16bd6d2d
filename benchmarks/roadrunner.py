"""libRoadRunner (CVODE) on the SBML export of the benchmark case, with doses as its events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import sympy

from ketamech.exchange.cross_simulator_check import RoadRunnerModel
from ketamech.exchange.sbml.exporter import write_sbml
from ketamech.exchange.sbml.ids import inflow_id, sbml_id
from ketamech.model.rates_and_jacobian import NUMPY
from ketamech.model.stage import symbol
from ketamech.model.system import System

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run


def load(case: BenchmarkCase) -> Run:
    """Compile the SBML document, and return the function that solves the case for every patient."""
    text = write_sbml(case.system, case.inputs[0], case.start[0], case.events)
    model = RoadRunnerModel(text, [sbml_id(name) for name in case.outputs])
    ids, constants = ids_of(case), constant_outputs(case.system)
    first, state_ids = case.segments()[0], [sbml_id(name) for name in case.system.state_names]

    def solve_patient(inputs: np.ndarray, start: np.ndarray) -> np.ndarray:
        values = [inputs, constants(inputs), start + first.jump, first.inflow[case.infused()]]
        model.set_values(ids, np.concatenate(values))
        return model.simulate(case.times)

    def run(tolerance: float) -> np.ndarray:
        model.set_tolerances(tolerance, dict(zip(state_ids, (tolerance * case.scale).tolist(), strict=True)))
        return np.array([solve_patient(*patient) for patient in zip(case.inputs, case.start, strict=True)])

    return run


def ids_of(case: BenchmarkCase) -> list[str]:
    """Inputs, constant outputs, states and constant inflows."""
    system = case.system
    names = [*system.inputs, *(output.name for output in system.outputs if output.is_constant), *system.state_names]
    return [*map(sbml_id, names), *(inflow_id(system.state_names[i]) for i in case.infused())]


def constant_outputs(system: System) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a patient's inputs to the constant outputs, which libRoadRunner computes only once."""
    written: dict[sympy.Symbol, sympy.Expr] = {}
    for output in system.outputs:
        if output.is_constant:
            written[symbol(output.name)] = output.expression.xreplace(written)
    names = [sympy.Symbol(f"p{i}") for i in range(len(system.inputs))]
    stand_ins = {symbol(name): one for name, one in zip(system.inputs, names, strict=True)}
    expressions = [expression.xreplace(stand_ins) for expression in written.values()]
    evaluate = sympy.lambdify(names, expressions, modules=[NUMPY, "math"], cse=True)
    return lambda inputs: np.array(evaluate(*inputs.tolist()))
