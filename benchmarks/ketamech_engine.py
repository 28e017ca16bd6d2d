"""The engine of KetaMech with the interface of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import SolverError
from ketamech.engine import drug_free_steady_state, solve
from ketamech.simulation.model import Model

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run


def load(problem: BenchmarkCase) -> Run:
    """Compile, and return the function that solves the case for every patient on one thread.

    A slice runs as any run of its outputs: from the states and doses of the whole model.
    """
    curves(problem, 1e-3)
    return lambda tolerance: curves(problem, tolerance)


def curves(problem: BenchmarkCase, tolerance: float, *, threads: int = 1) -> np.ndarray:
    """Values [patient, time, output]. Raises SolverError when a patient cannot be solved."""
    given = problem.whole or problem
    kernel = given.model.kernel_for(problem.outputs) if problem.whole else given.model.kernel
    found = solve(
        kernel, given.start, given.inputs, [given.events] * len(given.inputs), problem.times,
        outputs=problem.outputs, tolerance=tolerance, threads=threads,
    )  # fmt: skip
    if np.any(found.status):
        raise SolverError(f"a patient could not be solved: {found.reason(int(np.flatnonzero(found.status)[0]))}")
    return found.values


def rest_of(model: Model, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """Drug-free states [patient, state]; baseline values are written into `inputs`. Raises SolverError."""
    start, found = drug_free_steady_state(model.kernel, inputs, threads=threads)
    if not np.all(found):
        raise SolverError(f"{int(np.sum(~found))} of {len(found)} drawn patients have no rest state")
    return start
