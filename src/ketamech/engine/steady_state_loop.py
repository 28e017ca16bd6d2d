"""The steady-state loop: the drug-free state of each patient, and the baseline values in the equations.

Implicit steps of growing length until the correction vanishes; baseline values are then read from the state and
inserted until they agree with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ketamech.engine.lane_layout import (
    BASELINES,
    DAMP,
    DISTANCE,
    ERROR,
    INTEGRATE,
    LANES,
    LOAD,
    NEXT_TIME,
    OUTPUT,
    PARAMETERS,
    PATIENT,
    SHIFT,
    STATES,
    STEPS,
    TANGENTS,
    TASK,
    THETA,
    Jit,
    P,
    Y,
)

ROUNDS, RETRY = 12, 1000  # rounds of baseline values; added to the number of rounds once a round has failed
SHORT_STEP = 1e-5  # 1/h: the reciprocal of a step of pseudo-time


def steady_state_loop(jit: Jit, blocks: SimpleNamespace, common: SimpleNamespace) -> Callable[..., Any]:
    """`settle` over the code blocks `blocks`: solves patients of the queue until there are no more."""
    prepare, interpolate, relax, move = blocks.prepare, blocks.interpolate, blocks.relax, blocks.move
    put, call_next, call_all, set_directions = (
        common.put, common.call_next, common.call_all, common.set_directions,
    )  # fmt: skip
    fetch_copies, put_inputs, fetch_baselines = common.fetch_copies, common.put_inputs, common.fetch_baselines

    @jit
    def load_patient(workspace, lane_state, sizes, lane, inputs, guess):
        """Load a patient at the guessed steady state."""
        lanes = sizes[LANES]
        put_inputs(workspace, sizes, inputs, lane_state[PATIENT * lanes + lane], lane)
        put(workspace, sizes, sizes[Y], guess, 0, sizes[STATES], lane)
        for k in range(1, 1 + sizes[TANGENTS]):
            for i in range(sizes[STATES]):
                workspace[(sizes[Y] + i + k * sizes[DISTANCE]) * lanes + lane] = 0.0
        (
            workspace[sizes[SHIFT] * lanes + lane],
            workspace[sizes[DAMP] * lanes + lane],
            workspace[sizes[THETA] * lanes + lane],
        ) = 1.0, 0.0, 0.0
        workspace[sizes[ERROR] * lanes + lane] = math.inf
        lane_state[STEPS * lanes + lane], lane_state[NEXT_TIME * lanes + lane] = 0, 0

    @jit
    def update_baselines(workspace, sizes, lane, source):
        """Update the baseline values from the present state; returns their largest relative change."""
        lanes, largest_change = sizes[LANES], 0.0
        for i in range(sizes[BASELINES]):
            at = (sizes[P] + sizes[PARAMETERS] + i) * lanes + lane
            value = workspace[source[i] * lanes + lane]
            largest_change = max(largest_change, abs(workspace[at] - value) / (1e-9 + abs(value)))
            workspace[at] = value
            for k in range(1, 1 + sizes[TANGENTS]):
                away = k * sizes[DISTANCE] * lanes
                workspace[at + away] = workspace[source[i] * lanes + lane + away]
        return largest_change

    @jit
    def damped_newton_update(workspace, lane_state, sizes, lane):
        """Set the damping of the correction; True when the correction has vanished or the limit is reached."""
        lanes = sizes[LANES]
        change, shift = workspace[sizes[ERROR] * lanes + lane], workspace[sizes[SHIFT] * lanes + lane]
        if not change < math.inf:
            workspace[sizes[DAMP] * lanes + lane] = 0.0
            return True
        damp = 1.0 if change < 0.5 else 0.5 / change
        workspace[sizes[DAMP] * lanes + lane] = damp
        shrink = 0.2 if damp == 1.0 else 0.7
        if lane_state[NEXT_TIME * lanes + lane] < RETRY:
            shrink = min(shrink, change)  # near the steady state corrections vanish quadratically: no short steps there
        workspace[sizes[SHIFT] * lanes + lane] = max(1e-12, shift * shrink)
        lane_state[STEPS * lanes + lane] += 1
        return (change < 1e-12 and shift <= 1e-9) or lane_state[STEPS * lanes + lane] >= 200

    @jit
    def is_settled(workspace, lane_state, sizes, lane, source):
        """Whether the baseline values agree with the state; otherwise start another round with the new ones."""
        lanes, change = sizes[LANES], workspace[sizes[ERROR] * sizes[LANES] + lane]
        largest_change = update_baselines(workspace, sizes, lane, source)
        lane_state[NEXT_TIME * lanes + lane] += 1
        rounds = lane_state[NEXT_TIME * lanes + lane]
        if not change < math.inf or rounds > RETRY + ROUNDS or ROUNDS < rounds < RETRY:
            return True
        if largest_change < 1e-13 and change < 1e-9:
            return True
        lane_state[STEPS * lanes + lane] = 0
        if change < 1e-9:
            workspace[sizes[SHIFT] * lanes + lane] = 1e-3
        elif rounds < RETRY:
            lane_state[NEXT_TIME * lanes + lane] = RETRY
            workspace[sizes[SHIFT] * lanes + lane] = 1.0
        return False

    @jit
    def starts_again(workspace, lane_state, sizes, lane):
        """Whether the patient of a lane approaches the steady state again after a round without convergence.

        With fixed baseline values a patient may have two steady states (self-maintenance of recovery), between which
        corrections jump. During the first short steps the baseline values follow the state: at rest they are the same.
        """
        lanes = sizes[LANES]
        again = lane_state[TASK * lanes + lane] == INTEGRATE and lane_state[NEXT_TIME * lanes + lane] == RETRY
        return again and workspace[sizes[SHIFT] * lanes + lane] > SHORT_STEP

    @jit
    def store_patient(workspace, lane_state, sizes, lane, inputs, y, report):
        """Store the steady state of a lane's patient, the baseline values, and the last correction."""
        patient = lane_state[PATIENT * sizes[LANES] + lane]
        fetch_copies(workspace, sizes, sizes[Y], y, patient, sizes[STATES], lane)
        fetch_baselines(workspace, sizes, inputs, patient, lane)
        report[patient] = workspace[sizes[ERROR] * sizes[LANES] + lane]

    @jit
    def load_all(workspace, pointer, lane_state, sizes, low, high, inputs, guess, source):
        """Load new patients; baseline values start from those of the guess."""
        loaded = False
        for lane in range(low, high):
            if lane_state[TASK * sizes[LANES] + lane] == LOAD:
                load_patient(workspace, lane_state, sizes, lane, inputs, guess)
                loaded = True
        if loaded:
            prepare(pointer, low)
            interpolate(pointer, low)
            for lane in range(low, high):
                if lane_state[TASK * sizes[LANES] + lane] == LOAD:
                    update_baselines(workspace, sizes, lane, source)
                    lane_state[TASK * sizes[LANES] + lane] = INTEGRATE
            prepare(pointer, low)

    @jit
    def settle(workspace, pointer, lane_state, sizes, low, high, inputs, y, guess, source, queue, report):
        """Find the steady state of each patient of the queue; report = the last relative correction."""
        set_directions(workspace, sizes, low, high)
        busy = call_all(workspace, lane_state, sizes, low, high, queue)
        while busy > 0:
            load_all(workspace, pointer, lane_state, sizes, low, high, inputs, guess, source)
            relax(pointer, low)
            finished = False
            again = False
            for lane in range(low, high):
                if lane_state[TASK * sizes[LANES] + lane] == INTEGRATE and damped_newton_update(
                    workspace, lane_state, sizes, lane
                ):
                    lane_state[TASK * sizes[LANES] + lane] = OUTPUT
                    finished = True
            move(pointer, low)
            for lane in range(low, high):
                again = again or starts_again(workspace, lane_state, sizes, lane)
            if not finished and not again:
                continue
            interpolate(pointer, low)
            for lane in range(low, high):
                if starts_again(workspace, lane_state, sizes, lane):
                    update_baselines(workspace, sizes, lane, source)
                if lane_state[TASK * sizes[LANES] + lane] == OUTPUT:
                    lane_state[TASK * sizes[LANES] + lane] = INTEGRATE
                    if is_settled(workspace, lane_state, sizes, lane, source):
                        store_patient(workspace, lane_state, sizes, lane, inputs, y, report)
                        busy -= 0 if call_next(workspace, lane_state, sizes, lane, queue) else 1
            prepare(pointer, low)

    return settle
