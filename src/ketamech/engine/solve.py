"""Moves patients through time and says how each solve ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.core import BadInput, SolveFailed
from ketamech.engine.kernel import Kernel

STATUS = ("ok", "too many steps", "not finite", "step too small", "no rest state")


@dataclass(frozen=True)
class Events:
    """What happens to one patient, in order of time: amounts that enter (kind 0), constant inputs that change (kind 1).

    Arrays of equal length: time (h), kind, state (index), size (state unit, or state unit per h).
    """

    time: np.ndarray
    kind: np.ndarray
    state: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class Solution:
    """States [patient, time, state] and offers [patient, time, offer]; NaN where a solve failed, with the reason."""

    times: np.ndarray
    states: np.ndarray
    offers: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    failed_at: np.ndarray
    state_at_fault: tuple[str | None, ...]

    def reason(self, patient: int) -> str:
        """How the solve of one patient ended, in words."""
        code = int(self.status[patient])
        if code == 0:
            return "ok"
        where = f" at {self.failed_at[patient]:.4g} h, state {self.state_at_fault[patient]}"
        return STATUS[code] + where


def events(rows: Sequence[tuple[float, int, int, float]]) -> Events:
    """Events from (time, kind, state index, size) rows, sorted by time; rows at one time keep their order."""
    ordered = sorted(rows, key=lambda row: row[0])
    columns = list(zip(*ordered, strict=True)) if ordered else [(), (), (), ()]
    return Events(
        np.array(columns[0], dtype=float),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.int64),
        np.array(columns[3], dtype=float),
    )


def rest(kernel: Kernel, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drug-free state of each patient; `inputs` is [patient, input] and its resting values are filled in place.

    Returns states [patient, state] and a flag per patient that is True where a rest state was found.
    """
    system = kernel.system
    y = np.tile(np.array([s.at_rest for s in system.states], dtype=float), (inputs.shape[0], 1))
    place = {name: i for i, name in enumerate(system.output_names)}
    rest_from = np.array([place[name] for name in system.rested], dtype=np.int64)
    change = np.empty(inputs.shape[0])
    kernel.module.settle_all(y, inputs, rest_from, len(system.parameter_names), _scales(kernel), change)
    return y, change < 1e-8


def solve(
    kernel: Kernel,
    start: np.ndarray,
    inputs: np.ndarray,
    given: Sequence[Events],
    times: np.ndarray,
    *,
    tolerance: float = 1e-5,
    max_steps: int = 100_000,
    first_step: float = 1e-3,
) -> Solution:
    """Integrate each patient from `start` [patient, state] through their events to the last of `times` (h, rising).

    An output at the time of an event shows the state just after it. `tolerance` is relative to each state's size plus
    its declared scale. Raises BadInput for a tolerance or times that make no sense.
    """
    times = _checked(times, tolerance)
    count, n = start.shape
    states = np.full((count, times.size, n), np.nan)
    report = np.zeros((count, 4))
    joined = [np.concatenate([getattr(e, part) for e in given]) for part in ("time", "kind", "state", "size")]
    first = np.concatenate([[0], np.cumsum([e.time.size for e in given])]).astype(np.int64)
    kernel.module.follow_all(
        start.copy(), inputs, first, *joined, times, states, tolerance, _scales(kernel),
        np.array([max_steps, first_step]), report,
    )  # fmt: skip
    offers = np.full((count, times.size, max(1, len(kernel.system.watched))), np.nan)
    kernel.module.watch_all(states, inputs, offers)
    status = report[:, 0].astype(int)
    for bad in np.flatnonzero(status):
        states[bad], offers[bad] = np.nan, np.nan
    names = kernel.system.state_names
    fault = tuple(names[int(row[3])] if row[0] else None for row in report)
    return Solution(times, states, offers, status, report[:, 1].astype(int), report[:, 2], fault)


def jacobian(kernel: Kernel, state: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Dense Jacobian [state, state] (1/h) of one patient at a state."""
    module, n = kernel.module, state.size
    q, entries = np.empty(module.N_CONSTANTS), np.empty(module.N_JACOBIAN)
    module.prepare(inputs, q)
    module.jacobian(state, q, entries)
    dense = np.zeros((n, n))
    for value, (row, column) in zip(entries, module.PATTERN, strict=False):
        dense[row, column] = value
    return dense


def _checked(times: np.ndarray, tolerance: float) -> np.ndarray:
    if not 1e-14 < tolerance < 1.0:
        raise BadInput(f"a tolerance of {tolerance} cannot be met", expected="a number between 1e-12 and 0.1")
    asked = np.ascontiguousarray(times, dtype=float)
    if asked.size == 0 or not np.all(np.isfinite(asked)) or np.any(np.diff(asked) < 0) or asked[0] < 0:
        raise BadInput("output times must be finite, not negative and rising", expected="hours, e.g. 0, 0.5, 24")
    return asked


def _scales(kernel: Kernel) -> np.ndarray:
    return np.array([state.scale for state in kernel.system.states], dtype=float)


def refuse_failure(solution: Solution) -> None:
    """Raise SolveFailed when the only patient of a run could not be solved."""
    if solution.status.size == 1 and solution.status[0]:
        raise SolveFailed(f"the solve ended early: {solution.reason(0)}")
