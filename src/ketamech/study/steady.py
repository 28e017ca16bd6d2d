"""The periodic steady state of a rhythm of doses, by giving them until the state at the next cycle repeats itself."""

from __future__ import annotations

import numpy as np

from ketamech.engine import EventTable, Kernel, solve
from ketamech.engine.solve import TOLERANCE

REPEATS = 1e-5  # largest change over a cycle, relative to a state's size plus its declared scale
STILL_TO_COME = 1e-4  # and the most that all later cycles may change
MOST_CYCLES, TIGHTER = 300, 10
AT_END = 1e-9  # h: what ends together with a cycle, such as an infusion as long as its interval


def steady_state(
    kernel: Kernel,
    start: np.ndarray,
    inputs: np.ndarray,
    cycle: EventTable,
    gap: float,
    *,
    tolerance: float = TOLERANCE,
    threads: int = 1,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """State [patient, state] at the start of a cycle of doses, `gap` hours long, that has been repeated for ever.

    `cycle` holds what one cycle does to each patient from time 0. States that only add up (what has been eliminated)
    are left out of the comparison. Returns the states and whether each patient's repeats: not so for one in whom a dose
    is still entering when the next cycle begins. One who is steady moves no more, so that nobody depends on who else is
    in the batch.
    """
    state, steady, lost = start.copy(), np.zeros(len(start), dtype=bool), np.zeros(len(start), dtype=bool)
    lost[cycle.owner[cycle.time > gap + AT_END]] = True
    last = np.full(len(start), np.inf)
    kept = np.array([not row.accumulates for row in kernel.layout.states])
    scales = np.array([row.scale for row in kernel.layout.states])[kept]
    times = np.array([0.0, gap])
    for _ in range(MOST_CYCLES):
        moving = np.flatnonzero(~(steady | lost))
        if not moving.size:
            break
        after = solve(
            kernel, state[moving], inputs[moving], cycle.of(moving), times,
            outputs=(), tolerance=tolerance / TIGHTER, threads=threads, device=device,
        )  # fmt: skip
        before = state[moving][:, kept]
        change = np.abs(after.last[:, kept] - before) / (scales + np.abs(before))
        state[moving] = after.last
        lost[moving] = after.status != 0
        steady[moving] = _repeats(change.max(axis=1), last[moving], tolerance) & (after.status == 0)
        last[moving] = change.max(axis=1)
    return state, steady


def _repeats(change: np.ndarray, before: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether changes have become small, and so has all that slowly shrinking ones would still add up to."""
    with np.errstate(invalid="ignore"):
        rate = np.minimum(change / before, 1.0)
    left = change * rate / np.maximum(1 - rate, tolerance)
    return (change < REPEATS) & ((left < STILL_TO_COME) | (change < tolerance / TIGHTER))
