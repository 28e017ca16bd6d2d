"""Layout of a lane: its numbers, their positions in the workspace, and the queue of patients.

`sizes` holds sizes and row numbers in the order of SIZES, then the numbers of the inputs that have tangents, of which
the baseline values are the last. `settings` holds the settings in the order of SETTINGS, `lane_state` the integers of
each lane, `workspace` the floats: number `row` of a lane is at row * lanes + lane, its derivative in direction k (a
tangent) at (row + k * distance) * lanes + lane.
`queue` = (counter of started patients, stop flag, number of patients).
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

Jit = Callable[[Callable[..., Any]], Callable[..., Any]]
OK, TOO_MANY_STEPS, NOT_FINITE, STEP_TOO_SMALL, NO_STEADY_STATE, STOPPED = range(6)  # solver status
LANE_ROWS = (
    "SPEED", "SHIFT", "THETA", "ERROR", "GROWTH", "ACCEPT", "TOLERANCE", "DAMP", "TIME", "STEP", "TAKEN", "STOP",
    "LAST_STEP", "LAST_GROWTH",
)  # fmt: skip
SIZES = (
    "lanes", "states", "inputs", "parameters", "baselines", "times", "wanted", "tangents", "moving", "distance",
    "DIRECTIONS", "P", "Y", "U", "G", *LANE_ROWS,
)  # fmt: skip
(
    LANES, STATES, INPUTS, PARAMETERS, BASELINES, TIMES, WANTED, TANGENTS, MOVING, DISTANCE, DIRECTIONS, P, Y, U, G,
    SPEED, SHIFT, THETA, ERROR, GROWTH, ACCEPT, TOLERANCE, DAMP, TIME, STEP, STEP_TAKEN, STOP, LAST_STEP, LAST_GROWTH,
) = range(len(SIZES))  # fmt: skip
FIRST_MOVING = len(SIZES)  # where the numbers of the inputs with tangents begin
SETTINGS = ("tolerance", "first step", "most steps", "largest growth", "smallest growth", "gamma", "second tries")
RETRY_TOLERANCE, FIRST_STEP, MAX_STEPS, MAX_GROWTH, MIN_GROWTH, GAMMA, TRIES = range(len(SETTINGS))
REPORT = ("status", "steps", "time", "state", "tries")
PATIENT, NEXT_TIME, NEXT_EVENT, STEPS, TRY, TASK, STATUS, N_WHOLE = range(8)  # integers of a lane
IDLE, LOAD, INTEGRATE, OUTPUT = range(4)  # tasks of a lane


def lane_queue(jit: Jit, take: Callable[..., Any]) -> SimpleNamespace:
    """Functions that copy numbers into and out of a lane and assign the next patient; `take` counts them."""

    @jit
    def put(workspace, sizes, row, values, start, count, lane):
        """Copy numbers of a patient into rows of a lane."""
        for i in range(count):
            workspace[(row + i) * sizes[LANES] + lane] = values[start + i]

    @jit
    def fetch(workspace, sizes, row, values, start, count, lane):
        """Copy rows of a lane to an array of patients."""
        for i in range(count):
            values[start + i] = workspace[(row + i) * sizes[LANES] + lane]

    @jit
    def call_next(workspace, lane_state, sizes, lane, queue):
        """Assign the next patient of the queue to a lane; False when there is none."""
        counter, stopped, count = queue
        patient = take(counter) if stopped[0] == 0 else count
        has_patient = patient < count
        lane_state[PATIENT * sizes[LANES] + lane] = patient if has_patient else -1
        lane_state[TRY * sizes[LANES] + lane] = 0
        lane_state[TASK * sizes[LANES] + lane] = LOAD if has_patient else IDLE
        workspace[sizes[ACCEPT] * sizes[LANES] + lane] = 0.0
        workspace[sizes[DAMP] * sizes[LANES] + lane] = 0.0
        return has_patient

    @jit
    def call_all(workspace, lane_state, sizes, low, high, queue):
        """Assign a patient to every lane while there are any; returns the number of busy lanes."""
        busy = 0
        for lane in range(low, high):
            if call_next(workspace, lane_state, sizes, lane, queue):
                busy += 1
        return busy

    @jit
    def set_directions(workspace, sizes, low, high):
        """Store the number of tangents in each lane, where the blocks read it."""
        for lane in range(low, high):
            if sizes[TANGENTS] > 0:
                workspace[sizes[DIRECTIONS] * sizes[LANES] + lane] = sizes[TANGENTS]

    @jit
    def put_copies(workspace, sizes, row, values, patient, count, lane):
        """Copy numbers of a patient and their tangents into rows of a lane."""
        for k in range(1 + sizes[TANGENTS]):
            start = (patient * (1 + sizes[TANGENTS]) + k) * count
            put(workspace, sizes, row + k * sizes[DISTANCE], values, start, count, lane)

    @jit
    def fetch_copies(workspace, sizes, row, values, patient, count, lane):
        """Copy rows of a lane and their tangents to an array of patients."""
        for k in range(1 + sizes[TANGENTS]):
            start = (patient * (1 + sizes[TANGENTS]) + k) * count
            fetch(workspace, sizes, row + k * sizes[DISTANCE], values, start, count, lane)

    @jit
    def put_inputs(workspace, sizes, inputs, patient, lane):
        """Copy the inputs of a patient into a lane, with the tangents of those that have any; all others stay 0."""
        start = patient * (sizes[INPUTS] + sizes[TANGENTS] * sizes[MOVING])
        put(workspace, sizes, sizes[P], inputs, start, sizes[INPUTS], lane)
        start += sizes[INPUTS]
        for k in range(sizes[TANGENTS]):
            for i in range(sizes[MOVING]):
                row = sizes[P] + sizes[FIRST_MOVING + i] + (k + 1) * sizes[DISTANCE]
                workspace[row * sizes[LANES] + lane] = inputs[start + k * sizes[MOVING] + i]

    @jit
    def fetch_baselines(workspace, sizes, inputs, patient, lane):
        """Copy the baseline values of a lane, which are the last inputs, and their tangents to a patient."""
        row, count = sizes[P] + sizes[PARAMETERS], sizes[BASELINES]
        end = patient * (sizes[INPUTS] + sizes[TANGENTS] * sizes[MOVING]) + sizes[INPUTS]
        for k in range(1 + sizes[TANGENTS]):
            start = end + k * sizes[MOVING] - count
            fetch(workspace, sizes, row + k * sizes[DISTANCE], inputs, start, count, lane)

    @jit
    def tangent_row(sizes, number, k):
        """Row of the tangent of a single number in direction k."""
        return sizes[number] + k * sizes[DISTANCE]

    return SimpleNamespace(
        put=put, put_copies=put_copies, fetch_copies=fetch_copies, put_inputs=put_inputs,
        fetch_baselines=fetch_baselines, tangent_row=tangent_row, set_directions=set_directions,
        call_next=call_next, call_all=call_all,
    )  # fmt: skip
