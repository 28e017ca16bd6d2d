"""A lane: which numbers it has, where they are, and how a patient comes on board.

`m` holds sizes and row numbers in the order of SIZES, `c` settings in the order of SETTINGS, `s` the whole numbers of
each lane, `w` the workspace: number `row` of a lane is at row * lanes + lane. `queue` = (counter of patients taken,
stop flag, patients in all).
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

Jit = Callable[[Callable[..., Any]], Callable[..., Any]]
OK, TOO_MANY_STEPS, NOT_FINITE, STEP_TOO_SMALL, NO_REST, STOPPED = range(6)  # how a solve stands
LANE_ROWS = (
    "SPEED", "SHIFT", "THETA", "ERROR", "GROWTH", "ACCEPT", "TOLERANCE", "DAMP", "TIME", "STEP", "TAKEN", "STOP",
    "LAST_STEP", "LAST_GROWTH",
)  # fmt: skip
SIZES = ("lanes", "states", "inputs", "parameters", "rests", "times", "wanted", "P", "Y", "U", "G", *LANE_ROWS)
(
    LANES, STATES, INPUTS, PARAMETERS, RESTS, TIMES, WANTED, P, Y, U, G,
    SPEED, SHIFT, THETA, ERROR, GROWTH, ACCEPT, TOLERANCE, DAMP, TIME, STEP, STEP_TAKEN, STOP, LAST_STEP, LAST_GROWTH,
) = range(len(SIZES))  # fmt: skip
SETTINGS = ("tolerance", "first step", "most steps", "largest growth", "smallest growth", "gamma", "second tries")
RETRY_TOLERANCE, FIRST_STEP, MAX_STEPS, MAX_GROWTH, MIN_GROWTH, GAMMA, TRIES = range(len(SETTINGS))
REPORT = ("status", "steps", "time", "state", "tries")
PATIENT, NEXT_TIME, NEXT_EVENT, STEPS, TRY, TASK, STATUS, N_WHOLE = range(8)  # whole numbers of a lane
IDLE, LOAD, INTEGRATE, OUTPUT = range(4)  # tasks of a lane


def lane_queue(jit: Jit, take: Callable[..., Any]) -> SimpleNamespace:
    """How numbers get into a lane and out of it, and which patient is next; `take` counts them off."""

    @jit
    def put(workspace, sizes, row, values, start, count, lane):
        """Numbers of a patient into rows of a lane."""
        for i in range(count):
            workspace[(row + i) * sizes[LANES] + lane] = values[start + i]

    @jit
    def fetch(w, m, row, values, start, count, lane):
        """And out again."""
        for i in range(count):
            values[start + i] = w[(row + i) * m[LANES] + lane]

    @jit
    def call_next(w, lane_state, m, lane, queue):
        """Give a lane the next patient nobody has taken; False when there is none."""
        counter, stopped, count = queue
        patient = take(counter) if stopped[0] == 0 else count
        there = patient < count
        lane_state[PATIENT * m[LANES] + lane] = patient if there else -1
        lane_state[TRY * m[LANES] + lane] = 0
        lane_state[TASK * m[LANES] + lane] = LOAD if there else IDLE
        w[m[ACCEPT] * m[LANES] + lane] = 0.0
        w[m[DAMP] * m[LANES] + lane] = 0.0
        return there

    @jit
    def call_all(w, s, m, low, high, queue):
        """A patient for every lane while there are any; returns how many lanes are busy."""
        busy = 0
        for lane in range(low, high):
            if call_next(w, s, m, lane, queue):
                busy += 1
        return busy

    return SimpleNamespace(put=put, fetch=fetch, call_next=call_next, call_all=call_all)
