"""What a step costs and what the core can do: operations, bytes, and their shares of measured peaks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.benchmark_case import BenchmarkCase
from benchmarks.c_kernel import compile_c
from benchmarks.kernel_size import kernel_costs
from ketamech.core import SolverError
from ketamech.engine import solve
from ketamech.engine.kernel import cpu_lanes

SOURCE = Path(__file__).parent / "peak.c"
ENOUGH, REPEATS = 0.05, 5  # s of processor time of a measurement; the fastest of so many counts
TOLERANCE = 1e-4
FIRST_CACHE = 24 * 1024  # bytes that fit into the first cache of any processor
Tell = Callable[[str], None]


def roofline(posed: BenchmarkCase, tasks: dict[str, tuple[str, ...] | None], tell: Tell) -> list[dict[str, Any]]:
    """A row for each task, {name: outputs, None for the whole model}; empty where there is no C compiler.

    A step is one attempt, with what all attempts, outputs and loads of patients cost beside it. Operations and bytes
    are those of the instructions of the step: a fused multiply-add counts as two operations, and a value kept in a
    register counts as no byte.
    """
    tell("Peaks of the core")
    try:
        library = compile_c(SOURCE, cpu_lanes())
    except (OSError, SolverError):
        return []
    costs, peak, rows = kernel_costs(posed.model), _operations_a_second(library), []
    nearest = _bytes_a_second(library, FIRST_CACHE)
    for name, outputs in tasks.items():
        tell(f"Cost of a step: {name}")
        kernel = posed.model.kernel_for(outputs) if outputs else posed.model.kernel
        kernel.compile_slices(len(posed.start))
        code = kernel.code_for_run("cpu", np.unique(posed.events.state).tolist(), patients=len(posed.start))
        (cost,) = [one for one in costs if one.states == len(code.layout.states)]
        seconds, steps = _seconds_a_step(kernel, posed, outputs or posed.outputs)
        workspace = code.rows.total * 8 * code.lanes
        rows.append({
            "task": name, "kernel": cost.kernel, "states": cost.states, "lanes": code.lanes, "steps": steps,
            "seconds": seconds, "operations": cost.operations, "bytes": cost.bytes, "workspace": workspace,
            "peak_operations": peak, "operations_share": cost.operations / seconds / peak,
            "peak_bytes": nearest, "bytes_share": cost.bytes / seconds / nearest,
            "workspace_bytes": _bytes_a_second(library, workspace),
        })  # fmt: skip
    return rows


def _seconds_a_step(kernel: Any, posed: BenchmarkCase, outputs: tuple[str, ...]) -> tuple[float, float]:
    """Processor seconds of a step of one patient, and steps of a patient."""

    def run() -> Any:
        return solve(
            kernel, posed.start, posed.inputs, [posed.events] * len(posed.inputs), posed.times, outputs=outputs,
            tolerance=TOLERANCE,
        )  # fmt: skip

    total = float(run().steps.sum())
    return _fastest(run) / total, total / len(posed.inputs)


def _operations_a_second(library: ctypes.CDLL) -> float:
    library.multiply_add.restype = ctypes.c_double
    library.multiply_add.argtypes = (ctypes.c_long, ctypes.c_double, ctypes.c_double)
    rounds = 2_000_000
    return 24 * cpu_lanes() * rounds / _fastest(lambda: library.multiply_add(rounds, 0.999, 1e-3))


def _bytes_a_second(library: ctypes.CDLL, workspace: int) -> float:
    """From three arrays that are together as large as a workspace."""
    width = 8 * cpu_lanes()
    rows = workspace // (3 * width)
    raw = np.zeros(3 * rows * cpu_lanes() + 8)
    first = raw.ctypes.data + -raw.ctypes.data % 64
    rounds = max(1, 10**9 // (3 * width * rows))
    places = [ctypes.c_void_p(first + i * rows * width) for i in range(3)]
    factor = ctypes.c_double(0.5)

    def run() -> None:
        library.triad(ctypes.c_long(rounds), ctypes.c_long(rows), factor, *places)

    return 3.0 * width * rows * rounds / _fastest(run)


def _fastest(act: Callable[[], object]) -> float:
    """Processor seconds of one call: the least of REPEATS measurements of calls that last long enough together."""
    found = []
    for _ in range(REPEATS):
        began, calls = process_time(), 0
        while process_time() - began < ENOUGH:
            act()
            calls += 1
        found.append((process_time() - began) / calls)
    return min(found)
