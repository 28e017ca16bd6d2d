"""Patients on their way: each lane with its own time, step, events and outputs, and the next patient when one is done.

What travels together: `people` = (inputs, y, inflow, clock, step) by patient; `given` = (first, time, kind, state,
size) of events, those of a patient from first[patient] on; `asked` = (times, stride, wanted, out).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ketamech.engine.lane_layout import (
    ACCEPT,
    ERROR,
    FIRST_STEP,
    GAMMA,
    GROWTH,
    INPUTS,
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
    P,
    U,
    Y,
)

SHORTER, LONGER = 0.7, 1.2  # limits of what the trend of the error may add to the next step
TIME_RESOLUTION = 1.05  # how much longer than proposed a step may be to reach an event


def integration_loop(jit: Jit, b: SimpleNamespace, common: SimpleNamespace) -> Callable[..., Any]:
    """`follow` over the blocks `b`: takes patients from the queue until there are no more."""
    prepare, attempt, accept, glimpse = b.prepare, b.attempt, b.accept, b.glimpse
    put, fetch, call_next, call_all = common.put, common.fetch, common.call_next, common.call_all

    @jit
    def load_patient(w, s, m, c, lane, people, given):
        """Put the patient of a lane at the start; each further try is ten times more careful."""
        inputs, y, inflow, clock, step = people
        lanes = m[LANES]
        patient, care = s[PATIENT * lanes + lane], 1.0
        for _ in range(s[TRY * lanes + lane]):
            care *= 0.1
        put(w, m, m[P], inputs, patient * m[INPUTS], m[INPUTS], lane)
        put(w, m, m[Y], y, patient * m[STATES], m[STATES], lane)
        put(w, m, m[G], inflow, patient * m[STATES], m[STATES], lane)
        w[m[TOLERANCE] * lanes + lane] = c[RETRY_TOLERANCE] * care
        w[m[TIME] * lanes + lane] = clock[patient]
        w[m[STEP] * lanes + lane] = step[patient] * care
        s[NEXT_TIME * lanes + lane], s[NEXT_EVENT * lanes + lane] = 0, given[0][patient]
        w[m[LAST_STEP] * lanes + lane] = 0.0
        s[STEPS * lanes + lane] = 0

    @jit
    def apply_events(w, s, m, c, lane, given, asked):
        """Apply every event that is due and say where the next stretch ends; an event makes the next step short."""
        first, event_time, event_kind, event_state, event_size = given
        lanes = m[LANES]
        patient, event, t = s[PATIENT * lanes + lane], s[NEXT_EVENT * lanes + lane], w[m[TIME] * lanes + lane]
        stop = asked[0][patient * asked[1] + m[TIMES] - 1]
        while event < first[patient + 1] and event_time[event] <= t:
            size = event_size[event]
            at = ((m[Y] if event_kind[event] == 0 else m[G]) + event_state[event]) * lanes + lane
            w[at] += size
            if event_kind[event] != 0 and abs(w[at]) < 1e-12 * abs(size):
                w[at] = 0.0  # the end of an infusion leaves no rounding error behind
            if event_kind[event] == 0 or size > 0.0:
                w[m[STEP] * lanes + lane] = min(c[FIRST_STEP], w[m[STEP] * lanes + lane])
            w[m[LAST_STEP] * lanes + lane] = 0.0
            event += 1
        s[NEXT_EVENT * lanes + lane] = event
        if event < first[patient + 1] and event_time[event] < stop:
            stop = event_time[event]
        w[m[STOP] * lanes + lane] = stop

    @jit
    def board_all(w, place, s, m, c, low, high, people, given, asked):
        """Everybody who has been called, made ready."""
        any_new = False
        for lane in range(low, high):
            if s[TASK * m[LANES] + lane] == LOAD:
                load_patient(w, s, m, c, lane, people, given)
                apply_events(w, s, m, c, lane, given, asked)
                s[TASK * m[LANES] + lane] = INTEGRATE
                any_new = True
        if any_new:
            prepare(place, low)

    @jit
    def is_due(w, s, m, lane, asked, inside):
        """Whether an output is due inside the step just taken, or at the time reached; sets THETA for it."""
        lanes = m[LANES]
        patient, at, t = s[PATIENT * lanes + lane], s[NEXT_TIME * lanes + lane], w[m[TIME] * lanes + lane]
        if at >= m[TIMES]:
            return False
        due, h = asked[0][patient * asked[1] + at], w[m[STEP_TAKEN] * lanes + lane]
        w[m[THETA] * lanes + lane] = (due - t) / h if inside else 0.0
        if not inside:
            return due <= t
        return w[m[ACCEPT] * lanes + lane] > 0.0 and due < t + h and due < w[m[STOP] * lanes + lane]

    @jit
    def store_output(w, s, m, lane, asked):
        """Store the requested outputs of a lane as `glimpse` left them."""
        lanes, wanted, out = m[LANES], asked[2], asked[3]
        start = (s[PATIENT * lanes + lane] * m[TIMES] + s[NEXT_TIME * lanes + lane]) * m[WANTED]
        for k in range(m[WANTED]):
            out[start + k] = w[wanted[k] * lanes + lane]
        s[NEXT_TIME * lanes + lane] += 1

    @jit
    def show_all(w, place, s, m, low, high, asked, inside):
        """All outputs that are due, lane beside lane, one output time of each per round."""
        more = True
        while more:
            more = False
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == INTEGRATE and is_due(w, s, m, lane, asked, inside):
                    s[TASK * m[LANES] + lane] = OUTPUT
                    more = True
            if more:
                glimpse(place, low)
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == OUTPUT:
                    store_output(w, s, m, lane, asked)
                    s[TASK * m[LANES] + lane] = INTEGRATE

    @jit
    def set_step(w, s, m, c, lane):
        """Size of the next step: as proposed, but exactly to the next event, and no stub of a step before it."""
        lanes = m[LANES]
        h, left = w[m[STEP] * lanes + lane], w[m[STOP] * lanes + lane] - w[m[TIME] * lanes + lane]
        if h * TIME_RESOLUTION >= left:
            h = left
        elif h * 2.0 > left:
            h = 0.5 * left
        w[m[STEP_TAKEN] * lanes + lane] = h
        w[m[SPEED] * lanes + lane] = 1.0 / h
        w[m[SHIFT] * lanes + lane] = 1.0 / (h * c[GAMMA])
        s[STEPS * lanes + lane] += 1

    @jit
    def trend(w, m, lane, h, growth):
        """How much more the step can grow if the solution goes on calming down as it did over the last two steps."""
        last, before = w[m[LAST_STEP] * m[LANES] + lane], w[m[LAST_GROWTH] * m[LANES] + lane]
        if last == 0.0:
            return 1.0
        return min(LONGER, max(SHORTER, h / last * growth / before))

    @jit
    def accept_or_reject(w, s, m, c, lane):
        """Keep the step or propose a shorter one; returns how the solve stands."""
        lanes = m[LANES]
        error, growth, h = w[m[ERROR] * lanes + lane], w[m[GROWTH] * lanes + lane], w[m[STEP_TAKEN] * lanes + lane]
        if s[STEPS * lanes + lane] > c[MAX_STEPS]:
            w[m[ACCEPT] * lanes + lane] = 0.0
            return TOO_MANY_STEPS
        keep = error <= 1.0
        w[m[ACCEPT] * lanes + lane] = 1.0 if keep else 0.0
        if keep:
            w[m[STEP] * lanes + lane] = h * min(
                c[MAX_GROWTH], max(c[MIN_GROWTH], growth * trend(w, m, lane, h, growth))
            )
            w[m[LAST_STEP] * lanes + lane], w[m[LAST_GROWTH] * lanes + lane] = h, growth
            return OK
        finite = error < math.inf
        h *= max(c[MIN_GROWTH], min(0.9, growth)) if finite else 0.1
        w[m[STEP] * lanes + lane] = h
        if h < 1e-12 * max(1.0, abs(w[m[TIME] * lanes + lane])):
            return STEP_TOO_SMALL if finite else NOT_FINITE
        return OK

    @jit
    def worst_state(w, m, lane, rows):
        """The first state that is not finite in `rows`, else the one furthest from Y."""
        lanes, worst, most = m[LANES], 0, -1.0
        for i in range(m[STATES]):
            y = w[(m[Y] + i) * lanes + lane]
            change = abs(w[(rows + i) * lanes + lane] - y) / (abs(y) + 1e-9)
            if not change < math.inf:
                return i
            if change > most:
                worst, most = i, change
        return worst

    @jit
    def store_patient(w, s, m, lane, people, report):
        """Write down where the patient of a lane ended, and how."""
        y, inflow, clock, step = people[1], people[2], people[3], people[4]
        lanes = m[LANES]
        patient, status = s[PATIENT * lanes + lane], s[STATUS * lanes + lane]
        fetch(w, m, m[Y], y, patient * m[STATES], m[STATES], lane)
        fetch(w, m, m[G], inflow, patient * m[STATES], m[STATES], lane)
        clock[patient], step[patient] = w[m[TIME] * lanes + lane], w[m[STEP] * lanes + lane]
        report[5 * patient], report[5 * patient + 1] = status, s[STEPS * lanes + lane]
        report[5 * patient + 2] = clock[patient]
        report[5 * patient + 3] = worst_state(w, m, lane, m[U]) if status != OK else -1
        report[5 * patient + 4] = s[TRY * lanes + lane] + 1

    @jit
    def advance(w, s, m, c, lane, given, asked):
        """Move the clock of a lane whose step was kept."""
        lanes = m[LANES]
        t, h, stop = w[m[TIME] * lanes + lane], w[m[STEP_TAKEN] * lanes + lane], w[m[STOP] * lanes + lane]
        if h < stop - t:
            w[m[TIME] * lanes + lane] = t + h
        else:
            w[m[TIME] * lanes + lane] = stop
            apply_events(w, s, m, c, lane, given, asked)

    @jit
    def release(w, s, m, low, high, people, asked, queue, report):
        """Patients with all their outputs leave, and the next come; returns how many lanes fell idle, any who came."""
        fewer, came = 0, False
        for lane in range(low, high):
            if s[TASK * m[LANES] + lane] == INTEGRATE and s[NEXT_TIME * m[LANES] + lane] >= m[TIMES]:
                s[STATUS * m[LANES] + lane] = OK
                store_patient(w, s, m, lane, people, report)
                if call_next(w, s, m, lane, queue):
                    came = True
                else:
                    fewer += 1
        return fewer, came

    @jit
    def retry_or_fail(w, s, m, c, lane, people, queue, report):
        """A failed patient tries again, or leaves with a reason; returns 1 if the lane fell idle."""
        if s[TRY * m[LANES] + lane] < c[TRIES]:
            s[TRY * m[LANES] + lane] += 1
            s[TASK * m[LANES] + lane] = LOAD
            w[m[ACCEPT] * m[LANES] + lane] = 0.0
            return 0
        store_patient(w, s, m, lane, people, report)
        return 0 if call_next(w, s, m, lane, queue) else 1

    @jit
    def follow(w, place, s, m, c, low, high, people, given, asked, queue, report):
        """Take patients from the queue and move each from its clock to its last output time."""
        busy = call_all(w, s, m, low, high, queue)
        while busy > 0:
            board_all(w, place, s, m, c, low, high, people, given, asked)
            show_all(w, place, s, m, low, high, asked, False)
            fewer, came = release(w, s, m, low, high, people, asked, queue, report)
            busy -= fewer
            if came or busy == 0:
                continue
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == INTEGRATE:
                    set_step(w, s, m, c, lane)
            attempt(place, low)
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == INTEGRATE:
                    s[STATUS * m[LANES] + lane] = accept_or_reject(w, s, m, c, lane)
            show_all(w, place, s, m, low, high, asked, True)
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == INTEGRATE and s[STATUS * m[LANES] + lane] != OK:
                    busy -= retry_or_fail(w, s, m, c, lane, people, queue, report)
            accept(place, low)
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == INTEGRATE and w[m[ACCEPT] * m[LANES] + lane] > 0.0:
                    advance(w, s, m, c, lane, given, asked)

    return follow
