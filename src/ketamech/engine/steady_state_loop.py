"""Patients at rest: the drug-free state of each, and the resting values that equations refer to.

Implicit steps of growing length until the correction is nothing; resting values are then read off and put back until
they agree with the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ketamech.engine.lane_layout import (
    DAMP,
    ERROR,
    INPUTS,
    INTEGRATE,
    LANES,
    LOAD,
    NEXT_TIME,
    OUTPUT,
    PARAMETERS,
    PATIENT,
    RESTS,
    SHIFT,
    STATES,
    STEPS,
    TASK,
    THETA,
    Jit,
    P,
    Y,
)


def steady_state_loop(jit: Jit, b: SimpleNamespace, common: SimpleNamespace) -> Callable[..., Any]:
    """`settle` over the blocks `b`: takes patients from the queue until there are no more."""
    prepare, glimpse, relax, move = b.prepare, b.glimpse, b.relax, b.move
    put, fetch, call_next, call_all = common.put, common.fetch, common.call_next, common.call_all

    @jit
    def enter(w, s, m, lane, inputs, guess):
        """Put a patient at the guessed rest state, with long steps still to come."""
        lanes = m[LANES]
        put(w, m, m[P], inputs, s[PATIENT * lanes + lane] * m[INPUTS], m[INPUTS], lane)
        put(w, m, m[Y], guess, 0, m[STATES], lane)
        w[m[SHIFT] * lanes + lane], w[m[DAMP] * lanes + lane], w[m[THETA] * lanes + lane] = 1.0, 0.0, 0.0
        w[m[ERROR] * lanes + lane] = math.inf
        s[STEPS * lanes + lane], s[NEXT_TIME * lanes + lane] = 0, 0

    @jit
    def compare_rests(w, m, lane, source):
        """Read the resting values that equations refer to off the present state; returns how far they moved."""
        lanes, moved = m[LANES], 0.0
        for k in range(m[RESTS]):
            at = (m[P] + m[PARAMETERS] + k) * lanes + lane
            now = w[source[k] * lanes + lane]
            moved = max(moved, abs(w[at] - now) / (1e-9 + abs(now)))
            w[at] = now
        return moved

    @jit
    def damped_newton_update(w, s, m, lane):
        """How much of the correction to take; True when the correction has become nothing, or cannot help."""
        lanes = m[LANES]
        change, shift = w[m[ERROR] * lanes + lane], w[m[SHIFT] * lanes + lane]
        if not change < math.inf:
            w[m[DAMP] * lanes + lane] = 0.0
            return True
        damp = 1.0 if change < 0.5 else 0.5 / change
        w[m[DAMP] * lanes + lane] = damp
        w[m[SHIFT] * lanes + lane] = max(1e-12, shift * (0.2 if damp == 1.0 else 0.7))
        s[STEPS * lanes + lane] += 1
        return (change < 1e-12 and shift <= 1e-9) or s[STEPS * lanes + lane] >= 200

    @jit
    def settled(w, s, m, lane, source):
        """Whether the resting values agree with the state; otherwise another round with the new ones."""
        lanes, change = m[LANES], w[m[ERROR] * m[LANES] + lane]
        moved = compare_rests(w, m, lane, source)
        s[NEXT_TIME * lanes + lane] += 1
        if not change < math.inf or s[NEXT_TIME * lanes + lane] > 12:
            return True
        if moved < 1e-13 and change < 1e-9:
            return True
        s[STEPS * lanes + lane] = 0
        if change < 1e-9:
            w[m[SHIFT] * lanes + lane] = 1e-3
        return False

    @jit
    def depart(w, s, m, lane, inputs, y, report):
        """Write down the rest state of the patient of a lane, the resting values, and the last correction."""
        patient = s[PATIENT * m[LANES] + lane]
        fetch(w, m, m[Y], y, patient * m[STATES], m[STATES], lane)
        fetch(w, m, m[P], inputs, patient * m[INPUTS], m[INPUTS], lane)
        report[patient] = w[m[ERROR] * m[LANES] + lane]

    @jit
    def enter_all(w, place, s, m, low, high, inputs, guess, source):
        """New patients enter; resting values start from what the guess gives."""
        came = False
        for lane in range(low, high):
            if s[TASK * m[LANES] + lane] == LOAD:
                enter(w, s, m, lane, inputs, guess)
                came = True
        if came:
            prepare(place, low)
            glimpse(place, low)
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == LOAD:
                    compare_rests(w, m, lane, source)
                    s[TASK * m[LANES] + lane] = INTEGRATE
            prepare(place, low)

    @jit
    def settle(w, place, s, m, low, high, inputs, y, guess, source, queue, report):
        """Take patients from the queue and find the rest state of each; report = the last relative correction."""
        busy = call_all(w, s, m, low, high, queue)
        while busy > 0:
            enter_all(w, place, s, m, low, high, inputs, guess, source)
            relax(place, low)
            finished = False
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == INTEGRATE and damped_newton_update(w, s, m, lane):
                    s[TASK * m[LANES] + lane] = OUTPUT
                    finished = True
            move(place, low)
            if not finished:
                continue
            glimpse(place, low)
            for lane in range(low, high):
                if s[TASK * m[LANES] + lane] == OUTPUT:
                    s[TASK * m[LANES] + lane] = INTEGRATE
                    if settled(w, s, m, lane, source):
                        depart(w, s, m, lane, inputs, y, report)
                        busy -= 0 if call_next(w, s, m, lane, queue) else 1
            prepare(place, low)

    return settle
