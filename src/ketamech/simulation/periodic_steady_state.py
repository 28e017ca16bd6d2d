"""The periodic steady state of repeated doses, by repeating the cycle until its initial state no longer changes."""

from __future__ import annotations

import math

import numpy as np

from ketamech.core.progress import CountProgress
from ketamech.engine import EventTable, Kernel, solve, table
from ketamech.engine.events import INPUT
from ketamech.engine.solve import MAX_STEPS, TOLERANCE

RELATIVE_TOLERANCE = 1e-5  # largest change over a cycle, relative to a state's size plus its declared scale
MAX_REMAINING_CHANGE = 1e-4  # and largest sum of the changes in all later cycles
MAX_CYCLES, TOLERANCE_DIVISOR = 300, 10
SAME_TIME = 1e-9  # fraction of a cycle within which an event counts as being at its end


def periodic_steady_state(
    kernel: Kernel, start: np.ndarray, inputs: np.ndarray, cycle: EventTable, length: float | np.ndarray, *,
    tolerance: float = TOLERANCE, threads: int = 1, device: str = "cpu", max_steps: float = math.inf,
    progress: CountProgress | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """State [patient, state] at the start of a cycle of doses of `length` (h, number or [patient]), repeated forever.

    `cycle` holds the events of the doses of one cycle from time 0, also those after its end. A patient with length 0
    keeps the start. States that only accumulate (eliminated amounts) are left out of the comparison. Returns the states
    and a mask [patient] of those that are periodic; one that needs more than `max_steps` solver steps is not. A patient
    at steady state is not integrated further, so that no result depends on the other patients of the batch.
    """
    lengths = np.broadcast_to(np.asarray(length, dtype=float), len(start))
    state, steady, lost = start.copy(), lengths <= 0, np.zeros(len(start), dtype=bool)
    last, steps = np.full(len(start), np.inf), np.zeros(len(start), dtype=int)
    compared = np.array([not row.is_sink for row in kernel.layout.states])
    if kernel.scope is not None:
        compared &= kernel.scope.states
    scales = np.array([row.scale for row in kernel.layout.states])[compared]
    times = np.column_stack([np.zeros(len(start)), lengths])
    within = repeated(cycle, lengths)
    for _ in range(MAX_CYCLES):
        moving = np.flatnonzero(~(steady | lost))
        if not moving.size:
            break
        after = solve(
            kernel, state[moving], inputs[moving], within.of(moving), times[moving],
            outputs=(), tolerance=tolerance / TOLERANCE_DIVISOR, max_steps=int(min(max_steps, MAX_STEPS)),
            threads=threads, device=device, progress=progress,
        )  # fmt: skip
        before = state[moving][:, compared]
        change = np.abs(after.final_state[:, compared] - before) / (scales + np.abs(before))
        state[moving] = after.final_state
        steps[moving] += after.steps
        lost[moving] = (after.status != 0) | (steps[moving] > max_steps)
        steady[moving] = is_periodic(change.max(axis=1), last[moving], tolerance) & ~lost[moving]
        last[moving] = change.max(axis=1)
    return state, steady


def repeated(cycle: EventTable, length: np.ndarray) -> EventTable:
    """Events during one cycle that has been repeated forever: its own and those carried over from earlier cycles."""
    after = carried_over(cycle, length)
    if not len(after.time):
        return cycle
    own, old = (part.where(part.time < _end(part, length)) for part in (cycle, after))
    parts = [np.concatenate([getattr(t, n) for t in (old, own)]) for n in ("owner", "time", "kind", "state", "size")]
    return table(len(length), *parts)


def carried_over(cycle: EventTable, length: np.ndarray) -> EventTable:
    """Events after time 0 of the doses of all cycles before it: infusions in progress, amounts still to enter.

    `length` (h) [patient]; a cycle of 0 h adds nothing.
    """
    late = cycle.time >= _end(cycle, length)
    if not late.any():
        return cycle.where(late)
    own = length[cycle.owner]
    reached = np.isin(cycle.owner, cycle.owner[late])
    parts = []
    for back in range(1, int(np.max(cycle.time[late] / own[late]) + SAME_TIME) + 1):
        time = cycle.time - back * own
        time[np.abs(time) < SAME_TIME * own] = 0.0
        still = reached & (time >= 0)
        parts.append(_running(cycle, reached & (time < 0) & (cycle.kind == INPUT)))
        parts.append((cycle.owner[still], time[still], cycle.kind[still], cycle.state[still], cycle.size[still]))
    return table(len(length), *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _running(cycle: EventTable, past: np.ndarray) -> tuple[np.ndarray, ...]:
    """Constant inputs that remain after the `past` changes, as changes at time 0."""
    owner, state, change = cycle.owner[past], cycle.state[past], cycle.size[past]
    width = int(state.max(initial=0)) + 1
    pairs, place = np.unique(owner * width + state, return_inverse=True)
    rate, most = (np.bincount(place, values, len(pairs)) for values in (change, np.abs(change)))
    on = np.abs(rate) > SAME_TIME * most  # smaller rates are rounding errors of infusions that have ended
    owner, state = np.divmod(pairs[on], width)
    return owner, np.zeros(len(owner)), np.full(len(owner), INPUT), state, rate[on]


def _end(part: EventTable, length: np.ndarray) -> np.ndarray:
    """End (h) of the cycle of the patient of each row; infinite without a cycle."""
    own = length[part.owner]
    return np.where(own > 0, own * (1 - SAME_TIME), np.inf)


def is_periodic(change: np.ndarray, before: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether the last change is small, and so is the sum of all later changes if they shrink at the present rate."""
    with np.errstate(invalid="ignore"):
        rate = np.minimum(change / before, 1.0)
    left = change * rate / np.maximum(1 - rate, tolerance)
    return (change < RELATIVE_TOLERANCE) & ((left < MAX_REMAINING_CHANGE) | (change < tolerance / TOLERANCE_DIVISOR))
