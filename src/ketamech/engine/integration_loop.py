"""The integration loop: each lane has its own patient, time, step size, events and outputs, and loads the next.

Tuples of arrays: `patients` = (inputs, y, inflow, clock, step) by patient; `events` = (first, time, kind, state,
size), those of a patient from first[patient] on; `outputs` = (times, stride, wanted, out). With tangents, each row of
y and inflow and each time, size and row of out is followed by its tangents, and the inputs of a patient by the tangents
of those that have any.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ketamech.engine.lane_layout import (
    ACCEPT,
    DISTANCE,
    ERROR,
    FIRST_STEP,
    GAMMA,
    GROWTH,
    INTEGRATE,
    LANES,
    LAST_GROWTH,
    LAST_STEP,
    LOAD,
    MAX_GROWTH,
    MAX_STEPS,
    MIN_GROWTH,
    NEXT_EVENT,
    NEXT_TIME,
    NOT_FINITE,
    OK,
    OUTPUT,
    PATIENT,
    RETRY_TOLERANCE,
    SHIFT,
    SPEED,
    STATES,
    STATUS,
    STEP,
    STEP_TAKEN,
    STEP_TOO_SMALL,
    STEPS,
    STOP,
    TANGENTS,
    TASK,
    THETA,
    TIME,
    TIMES,
    TOLERANCE,
    TOO_MANY_STEPS,
    TRIES,
    TRY,
    WANTED,
    G,
    Jit,
    U,
    Y,
)

MIN_TREND, MAX_TREND = 0.7, 1.2  # limits of the factor by which the error trend changes the next step
MAX_STEP_STRETCH = 1.05  # largest factor by which a step is lengthened to end at an event


def integration_loop(jit: Jit, blocks: SimpleNamespace, common: SimpleNamespace) -> Callable[..., Any]:
    """`follow` over the code blocks `blocks`: integrates patients of the queue until there are no more."""
    prepare, attempt, accept, interpolate = blocks.prepare, blocks.attempt, blocks.accept, blocks.interpolate
    call_next, call_all, set_directions = common.call_next, common.call_all, common.set_directions
    put_copies, fetch_copies, put_inputs = common.put_copies, common.fetch_copies, common.put_inputs
    tangent_row = common.tangent_row

    @jit
    def load_patient(workspace, lane_state, sizes, settings, lane, patients, events):
        """Load the start of a lane's patient; each retry has a ten times smaller tolerance."""
        inputs, y, inflow, clock, step = patients
        lanes = sizes[LANES]
        patient, tolerance_factor = lane_state[PATIENT * lanes + lane], 1.0
        for _ in range(lane_state[TRY * lanes + lane]):
            tolerance_factor *= 0.1
        put_inputs(workspace, sizes, inputs, patient, lane)
        put_copies(workspace, sizes, sizes[Y], y, patient, sizes[STATES], lane)
        put_copies(workspace, sizes, sizes[G], inflow, patient, sizes[STATES], lane)
        for k in range(1, 1 + sizes[TANGENTS]):
            workspace[tangent_row(sizes, TIME, k) * lanes + lane] = 0.0
        workspace[sizes[TOLERANCE] * lanes + lane] = settings[RETRY_TOLERANCE] * tolerance_factor
        workspace[sizes[TIME] * lanes + lane] = clock[patient]
        workspace[sizes[STEP] * lanes + lane] = step[patient] * tolerance_factor
        lane_state[NEXT_TIME * lanes + lane], lane_state[NEXT_EVENT * lanes + lane] = 0, events[0][patient]
        workspace[sizes[LAST_STEP] * lanes + lane] = 0.0
        lane_state[STEPS * lanes + lane] = 0

    @jit
    def apply_events(workspace, lane_state, sizes, settings, lane, events, outputs):
        """Apply every event that is due and set the end of the next stretch; an event shortens the next step.

        Between two events whose times have tangents, time is stretched: the tangents follow the moving time.
        """
        first, event_time, event_kind, event_state, event_size = events
        lanes, copies = sizes[LANES], 1 + sizes[TANGENTS]
        patient, event, t = (
            lane_state[PATIENT * lanes + lane],
            lane_state[NEXT_EVENT * lanes + lane],
            workspace[sizes[TIME] * lanes + lane],
        )
        stop = outputs[0][patient * outputs[1] + sizes[TIMES] - 1]
        while event < first[patient + 1] and event_time[event * copies] <= t:
            size = event_size[event * copies]
            row = (sizes[Y] if event_kind[event] == 0 else sizes[G]) + event_state[event]
            for k in range(copies):
                at, change = (row + k * sizes[DISTANCE]) * lanes + lane, event_size[event * copies + k]
                workspace[at] += change
                if event_kind[event] != 0 and abs(workspace[at]) < 1e-12 * abs(change):
                    workspace[at] = 0.0  # the end of an infusion leaves no rounding error behind
                if k > 0:
                    workspace[tangent_row(sizes, TIME, k) * lanes + lane] = event_time[event * copies + k]
            if event_kind[event] == 0 or size > 0.0:
                workspace[sizes[STEP] * lanes + lane] = min(settings[FIRST_STEP], workspace[sizes[STEP] * lanes + lane])
            workspace[sizes[LAST_STEP] * lanes + lane] = 0.0
            event += 1
        lane_state[NEXT_EVENT * lanes + lane] = event
        before_event = event < first[patient + 1] and event_time[event * copies] < stop
        if before_event:
            stop = event_time[event * copies]
        workspace[sizes[STOP] * lanes + lane] = stop
        for k in range(1, copies):
            workspace[tangent_row(sizes, STOP, k) * lanes + lane] = (
                event_time[event * copies + k] if before_event else 0.0
            )

    @jit
    def load_all(workspace, pointer, lane_state, sizes, settings, low, high, patients, events, outputs):
        """Load every lane that has a new patient."""
        any_new = False
        for lane in range(low, high):
            if lane_state[TASK * sizes[LANES] + lane] == LOAD:
                load_patient(workspace, lane_state, sizes, settings, lane, patients, events)
                apply_events(workspace, lane_state, sizes, settings, lane, events, outputs)
                lane_state[TASK * sizes[LANES] + lane] = INTEGRATE
                any_new = True
        if any_new:
            prepare(pointer, low)

    @jit
    def is_due(workspace, lane_state, sizes, lane, outputs, inside):
        """Whether an output is due inside the step just taken, or at the time reached; sets THETA for it."""
        lanes = sizes[LANES]
        patient, at, t = (
            lane_state[PATIENT * lanes + lane],
            lane_state[NEXT_TIME * lanes + lane],
            workspace[sizes[TIME] * lanes + lane],
        )
        if at >= sizes[TIMES]:
            return False
        due, h = outputs[0][patient * outputs[1] + at], workspace[sizes[STEP_TAKEN] * lanes + lane]
        theta = (due - t) / h if inside else 0.0
        workspace[sizes[THETA] * lanes + lane] = theta
        for k in range(1, 1 + sizes[TANGENTS]):
            time_tangent = workspace[tangent_row(sizes, TIME, k) * lanes + lane]
            step_tangent = workspace[tangent_row(sizes, STEP_TAKEN, k) * lanes + lane]
            workspace[tangent_row(sizes, THETA, k) * lanes + lane] = (
                -(time_tangent + theta * step_tangent) / h if inside else 0.0
            )
        if not inside:
            return due <= t
        return (
            workspace[sizes[ACCEPT] * lanes + lane] > 0.0
            and due < t + h
            and due < workspace[sizes[STOP] * lanes + lane]
        )

    @jit
    def store_output(workspace, lane_state, sizes, lane, outputs):
        """Store the requested outputs of a lane, computed by `interpolate`."""
        lanes, wanted, out = sizes[LANES], outputs[2], outputs[3]
        cell = lane_state[PATIENT * lanes + lane] * sizes[TIMES] + lane_state[NEXT_TIME * lanes + lane]
        for k in range(1 + sizes[TANGENTS]):
            start = (cell * (1 + sizes[TANGENTS]) + k) * sizes[WANTED]
            for i in range(sizes[WANTED]):
                out[start + i] = workspace[(wanted[i] + k * sizes[DISTANCE]) * lanes + lane]
        lane_state[NEXT_TIME * lanes + lane] += 1

    @jit
    def store_all_outputs(workspace, pointer, lane_state, sizes, low, high, outputs, inside):
        """Store all outputs that are due, one output time of each lane per round."""
        more = True
        while more:
            more = False
            for lane in range(low, high):
                if lane_state[TASK * sizes[LANES] + lane] == INTEGRATE and is_due(
                    workspace, lane_state, sizes, lane, outputs, inside
                ):
                    lane_state[TASK * sizes[LANES] + lane] = OUTPUT
                    more = True
            if more:
                interpolate(pointer, low)
            for lane in range(low, high):
                if lane_state[TASK * sizes[LANES] + lane] == OUTPUT:
                    store_output(workspace, lane_state, sizes, lane, outputs)
                    lane_state[TASK * sizes[LANES] + lane] = INTEGRATE

    @jit
    def set_step(workspace, lane_state, sizes, settings, lane):
        """Size of the next step: as proposed, but exactly to the next event, without a very short last step."""
        lanes = sizes[LANES]
        h, remaining = (
            workspace[sizes[STEP] * lanes + lane],
            workspace[sizes[STOP] * lanes + lane] - workspace[sizes[TIME] * lanes + lane],
        )
        if h * MAX_STEP_STRETCH >= remaining:
            h = remaining
        elif h * 2.0 > remaining:
            h = 0.5 * remaining
        workspace[sizes[STEP_TAKEN] * lanes + lane] = h
        workspace[sizes[SPEED] * lanes + lane] = 1.0 / h
        workspace[sizes[SHIFT] * lanes + lane] = 1.0 / (h * settings[GAMMA])
        for k in range(1, 1 + sizes[TANGENTS]):
            stretch = (
                workspace[tangent_row(sizes, STOP, k) * lanes + lane]
                - workspace[tangent_row(sizes, TIME, k) * lanes + lane]
            ) / remaining
            workspace[tangent_row(sizes, STEP_TAKEN, k) * lanes + lane] = stretch * h
            workspace[tangent_row(sizes, SPEED, k) * lanes + lane] = -stretch / h
            workspace[tangent_row(sizes, SHIFT, k) * lanes + lane] = -stretch / (h * settings[GAMMA])
        lane_state[STEPS * lanes + lane] += 1

    @jit
    def trend(workspace, sizes, lane, h, growth):
        """Factor of further step growth, from the trend of the error over the last two steps."""
        last_step, last_growth = (
            workspace[sizes[LAST_STEP] * sizes[LANES] + lane],
            workspace[sizes[LAST_GROWTH] * sizes[LANES] + lane],
        )
        if last_step == 0.0:
            return 1.0
        return min(MAX_TREND, max(MIN_TREND, h / last_step * growth / last_growth))

    @jit
    def accept_or_reject(workspace, lane_state, sizes, settings, lane):
        """Accept the step or propose a shorter one; returns the solver status."""
        lanes = sizes[LANES]
        error, growth, h = (
            workspace[sizes[ERROR] * lanes + lane],
            workspace[sizes[GROWTH] * lanes + lane],
            workspace[sizes[STEP_TAKEN] * lanes + lane],
        )
        if lane_state[STEPS * lanes + lane] > settings[MAX_STEPS]:
            workspace[sizes[ACCEPT] * lanes + lane] = 0.0
            return TOO_MANY_STEPS
        accepted = error <= 1.0
        workspace[sizes[ACCEPT] * lanes + lane] = 1.0 if accepted else 0.0
        if accepted:
            workspace[sizes[STEP] * lanes + lane] = h * min(
                settings[MAX_GROWTH], max(settings[MIN_GROWTH], growth * trend(workspace, sizes, lane, h, growth))
            )
            workspace[sizes[LAST_STEP] * lanes + lane], workspace[sizes[LAST_GROWTH] * lanes + lane] = h, growth
            return OK
        finite = error < math.inf
        h *= max(settings[MIN_GROWTH], min(0.9, growth)) if finite else 0.1
        workspace[sizes[STEP] * lanes + lane] = h
        if h < 1e-12 * max(1.0, abs(workspace[sizes[TIME] * lanes + lane])):
            return STEP_TOO_SMALL if finite else NOT_FINITE
        return OK

    @jit
    def worst_state(workspace, sizes, lane, rows):
        """Index of the first state that is not finite in the rows from `rows` on, else of the one furthest from Y."""
        lanes, index_of_largest, largest = sizes[LANES], 0, -1.0
        for i in range(sizes[STATES]):
            y = workspace[(sizes[Y] + i) * lanes + lane]
            change = abs(workspace[(rows + i) * lanes + lane] - y) / (abs(y) + 1e-9)
            if not change < math.inf:
                return i
            if change > largest:
                index_of_largest, largest = i, change
        return index_of_largest

    @jit
    def store_patient(workspace, lane_state, sizes, lane, patients, report):
        """Store the final state and status of a lane's patient."""
        y, inflow, clock, step = patients[1], patients[2], patients[3], patients[4]
        lanes = sizes[LANES]
        patient, status = lane_state[PATIENT * lanes + lane], lane_state[STATUS * lanes + lane]
        fetch_copies(workspace, sizes, sizes[Y], y, patient, sizes[STATES], lane)
        fetch_copies(workspace, sizes, sizes[G], inflow, patient, sizes[STATES], lane)
        clock[patient], step[patient] = workspace[sizes[TIME] * lanes + lane], workspace[sizes[STEP] * lanes + lane]
        report[5 * patient], report[5 * patient + 1] = status, lane_state[STEPS * lanes + lane]
        report[5 * patient + 2] = clock[patient]
        report[5 * patient + 3] = worst_state(workspace, sizes, lane, sizes[U]) if status != OK else -1
        report[5 * patient + 4] = lane_state[TRY * lanes + lane] + 1

    @jit
    def advance(workspace, lane_state, sizes, settings, lane, events, outputs):
        """Advance the clock of a lane whose step was accepted."""
        lanes = sizes[LANES]
        t, h, stop = (
            workspace[sizes[TIME] * lanes + lane],
            workspace[sizes[STEP_TAKEN] * lanes + lane],
            workspace[sizes[STOP] * lanes + lane],
        )
        inside = h < stop - t
        for k in range(1, 1 + sizes[TANGENTS]):
            at = tangent_row(sizes, TIME, k) * lanes + lane
            workspace[at] = (
                workspace[at] + workspace[tangent_row(sizes, STEP_TAKEN, k) * lanes + lane]
                if inside
                else workspace[tangent_row(sizes, STOP, k) * lanes + lane]
            )
        if inside:
            workspace[sizes[TIME] * lanes + lane] = t + h
        else:
            workspace[sizes[TIME] * lanes + lane] = stop
            apply_events(workspace, lane_state, sizes, settings, lane, events, outputs)

    @jit
    def release(workspace, lane_state, sizes, low, high, patients, outputs, queue, report):
        """Store finished patients and assign the next; returns the number of idle lanes, and if any was assigned."""
        idle, loaded = 0, False
        for lane in range(low, high):
            if (
                lane_state[TASK * sizes[LANES] + lane] == INTEGRATE
                and lane_state[NEXT_TIME * sizes[LANES] + lane] >= sizes[TIMES]
            ):
                lane_state[STATUS * sizes[LANES] + lane] = OK
                store_patient(workspace, lane_state, sizes, lane, patients, report)
                if call_next(workspace, lane_state, sizes, lane, queue):
                    loaded = True
                else:
                    idle += 1
        return idle, loaded

    @jit
    def retry_or_fail(workspace, lane_state, sizes, settings, lane, patients, queue, report):
        """Retry a failed patient, or store the failure; returns 1 if the lane became idle."""
        if lane_state[TRY * sizes[LANES] + lane] < settings[TRIES]:
            lane_state[TRY * sizes[LANES] + lane] += 1
            lane_state[TASK * sizes[LANES] + lane] = LOAD
            workspace[sizes[ACCEPT] * sizes[LANES] + lane] = 0.0
            return 0
        store_patient(workspace, lane_state, sizes, lane, patients, report)
        return 0 if call_next(workspace, lane_state, sizes, lane, queue) else 1

    @jit
    def follow(workspace, pointer, lane_state, sizes, settings, low, high, patients, events, outputs, queue, report):
        """Integrate each patient of the queue from its clock to its last output time."""
        set_directions(workspace, sizes, low, high)
        busy = call_all(workspace, lane_state, sizes, low, high, queue)
        while busy > 0:
            load_all(workspace, pointer, lane_state, sizes, settings, low, high, patients, events, outputs)
            store_all_outputs(workspace, pointer, lane_state, sizes, low, high, outputs, False)
            idle, loaded = release(workspace, lane_state, sizes, low, high, patients, outputs, queue, report)
            busy -= idle
            if loaded or busy == 0:
                continue
            for lane in range(low, high):
                if lane_state[TASK * sizes[LANES] + lane] == INTEGRATE:
                    set_step(workspace, lane_state, sizes, settings, lane)
            attempt(pointer, low)
            for lane in range(low, high):
                if lane_state[TASK * sizes[LANES] + lane] == INTEGRATE:
                    lane_state[STATUS * sizes[LANES] + lane] = accept_or_reject(
                        workspace, lane_state, sizes, settings, lane
                    )
            store_all_outputs(workspace, pointer, lane_state, sizes, low, high, outputs, True)
            for lane in range(low, high):
                if (
                    lane_state[TASK * sizes[LANES] + lane] == INTEGRATE
                    and lane_state[STATUS * sizes[LANES] + lane] != OK
                ):
                    busy -= retry_or_fail(workspace, lane_state, sizes, settings, lane, patients, queue, report)
            accept(pointer, low)
            for lane in range(low, high):
                if (
                    lane_state[TASK * sizes[LANES] + lane] == INTEGRATE
                    and workspace[sizes[ACCEPT] * sizes[LANES] + lane] > 0.0
                ):
                    advance(workspace, lane_state, sizes, settings, lane, events, outputs)

    return follow
