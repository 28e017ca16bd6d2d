"""libRoadRunner: CVODE on our SBML export, doses as its events; every patient set through its vector calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import sympy

from ketamech.exchange.sbml.export import write_sbml
from ketamech.exchange.sbml.ids import inflow_id, sbml_id
from ketamech.model.reference_rhs import NUMPY
from ketamech.model.stage import symbol
from ketamech.model.system import System

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run

MOST_STEPS = 1_000_000


def load(problem: BenchmarkCase) -> Run:
    """Compile the SBML document, and return what solves the task for every patient of the problem."""
    import roadrunner

    roadrunner.Logger.disableLogging()
    simulator = roadrunner.RoadRunner(write_sbml(problem.system, problem.inputs[0], problem.start[0], problem.given))
    simulator.timeCourseSelections = [sbml_id(name) for name in problem.outputs]
    simulator.integrator.maximum_num_steps = MOST_STEPS
    places, fixed = _places(simulator.model, problem), fixed_values(problem.system)
    first, times = problem.segments()[0], [0.0, *problem.times.tolist()]

    def one(inputs: np.ndarray, start: np.ndarray) -> np.ndarray:
        simulator.reset()
        values = np.concatenate([inputs, fixed(inputs), start + first.jump, first.inflow[problem.infused()]])
        simulator.model.setGlobalParameterValues(places, values)
        return np.array(simulator.simulate(times=times))[1:]

    def run(tolerance: float) -> np.ndarray:
        simulator.integrator.relative_tolerance = tolerance
        simulator.integrator.absolute_tolerance = (tolerance * problem.scale).tolist()
        return np.array([one(*each) for each in zip(problem.inputs, problem.start, strict=True)])

    return run


def _places(model: object, problem: BenchmarkCase) -> list[int]:
    """Where inputs, fixed offers, states and constant inputs stand among the simulator's parameters."""
    system = problem.system
    place = {name: i for i, name in enumerate(model.getGlobalParameterIds())}  # type: ignore[attr-defined]
    names = [*system.inputs, *(offer.name for offer in system.outputs if offer.is_constant), *system.state_names]
    inflows = [inflow_id(system.state_names[i]) for i in problem.infused()]
    return [place[one] for one in (*map(sbml_id, names), *inflows)]


def fixed_values(system: System) -> Callable[[np.ndarray], np.ndarray]:
    """Inputs of a person -> their fixed offers: the simulator computes those once, for the patient in the document."""
    written: dict[sympy.Symbol, sympy.Expr] = {}
    for offer in system.outputs:
        if offer.is_constant:
            written[symbol(offer.name)] = offer.expression.xreplace(written)
    names = [sympy.Symbol(f"p{i}") for i in range(len(system.inputs))]
    stand_ins = {symbol(name): one for name, one in zip(system.inputs, names, strict=True)}
    expressions = [expression.xreplace(stand_ins) for expression in written.values()]
    evaluate = sympy.lambdify(names, expressions, modules=[NUMPY, "math"], cse=True)
    return lambda inputs: np.array(evaluate(*inputs.tolist()))
