"""Our own engine, behind the one face that every peer has. All that the benchmark asks of the engine is asked here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import SolveFailed
from ketamech.engine import Events, Kernel, events, load_kernel, rest, solve
from ketamech.study.running import Entry
from ketamech.system import System

if TYPE_CHECKING:
    from ketamech.bench.peers import Run

    from ketamech.bench.problem import Problem


def load(problem: Problem) -> Run:
    """Compile, and return what solves the task for every patient of the problem on one thread."""
    curves(problem.first(1), 1e-3)
    return lambda tolerance: curves(problem, tolerance)


def curves(problem: Problem, tolerance: float, *, threads: int = 1) -> np.ndarray:
    """Values [patient, time, output] of the problem's patients. Raises SolveFailed when one of them cannot be solved."""
    given = [problem.given] * len(problem.inputs)
    kernel = _kernel(problem.system)
    found = solve(kernel, problem.start, problem.inputs, given, problem.times, tolerance=tolerance)
    if np.any(found.status):
        raise SolveFailed(f"a patient could not be solved: {found.reason(int(np.flatnonzero(found.status)[0]))}")
    everything = np.concatenate([found.states, found.offers], axis=2)
    return everything[:, :, [problem.system.output_names.index(name) for name in problem.outputs]]


def rest_of(system: System, inputs: np.ndarray, *, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Drug-free states [patient, state] and whether they were found; resting values are filled into `inputs`."""
    return rest(_kernel(system), inputs)


def events_of(system: System, entries: Sequence[Entry]) -> Events:
    """What a patient is given, as events of the engine."""
    place = {name: i for i, name in enumerate(system.state_names)}
    rows: list[tuple[float, int, int, float]] = []
    for entry in entries:
        if entry.duration > 0:
            speed, stop = entry.amount / entry.duration, entry.time + entry.duration
            rows += [(entry.time, 1, place[entry.state], speed), (stop, 1, place[entry.state], -speed)]
        else:
            rows.append((entry.time, 0, place[entry.state], entry.amount))
    return events(rows)


_KERNELS: dict[str, Kernel] = {}


def _kernel(system: System) -> Kernel:
    if system.fingerprint not in _KERNELS:
        _KERNELS[system.fingerprint] = load_kernel(system)
    return _KERNELS[system.fingerprint]
