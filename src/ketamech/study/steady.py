"""The periodic steady state of a rhythm of doses, by giving them until the state at the next dose repeats itself."""

from __future__ import annotations

import numpy as np

from ketamech.core import BadInput
from ketamech.engine import EventTable, Kernel, solve
from ketamech.engine.solve import TOLERANCE

REPEATS = 1e-5  # largest change over a cycle, relative to a state's size plus its declared scale
MOST_CYCLES, TIGHTER = 300, 10


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
    """State [patient, state] just before a dose once doses `gap` hours apart have been given for ever.

    `cycle` holds what one dose does to each patient from time 0; it must be over when the next is due. States that only
    add up (what has been eliminated) are left out of the comparison. Returns the states and whether each patient's
    repeats; one who is steady moves no more, so that nobody depends on who else is in the batch.
    Raises BadInput when a dose is still entering the body as the next one is due.
    """
    if cycle.time.size and cycle.time.max() >= gap:
        what = f"a dose is still entering the body after {cycle.time.max():.3g} h, when the next is due"
        raise BadInput(what, key="schedule", expected="more time between doses for a steady state")
    state, steady, lost = start.copy(), np.zeros(len(start), dtype=bool), np.zeros(len(start), dtype=bool)
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
        steady[moving] = (change.max(axis=1) < REPEATS) & (after.status == 0)
    return state, steady
