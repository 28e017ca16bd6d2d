"""Rodas4: a linearly implicit method of order 4 with an embedded order 3 and dense output.

Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd edition, section IV.10 (stiffly accurate, L-stable).
Written in plain Python on flat arrays; the generated kernel pastes these functions behind `prepare`, `rates`,
`jacobian`, `factorise` and `substitute` of one system and compiles the whole. One patient per call.

Between two events nothing depends on time, so no derivative by time is needed. An event adds an amount to a state
(kind 0) or changes the constant input into it (kind 1). Outputs asked for at the time of an event show the state after
it.
"""

from __future__ import annotations

import math

import numpy as np

OK, TOO_MANY_STEPS, NOT_FINITE, STEP_TOO_SMALL = 0, 1, 2, 3
GAMMA = 0.25
MAX_GROWTH, MIN_GROWTH, SAFETY = 6.0, 0.2, 0.9


def stage_slope(u, q, inflow, f):
    """Rates of change at `u` plus the constant inputs."""
    rates(u, q, f)
    for i in range(u.size):
        f[i] += inflow[i]


def attempt(y, q, inflow, h, work, jac, lu):
    """One step of size h from y: new state in work[1], slopes k1..k6 in work[2..7]; dense output needs them."""
    n = y.size
    u, f = work[0], work[1]
    k1, k2, k3, k4, k5, k6 = work[2], work[3], work[4], work[5], work[6], work[7]
    factorise(jac, 1.0 / (h * GAMMA), lu)
    stage_slope(y, q, inflow, f)
    for i in range(n):
        k1[i] = f[i]
    substitute(lu, k1)
    for i in range(n):
        u[i] = y[i] + 1.544 * k1[i]
    stage_slope(u, q, inflow, f)
    for i in range(n):
        k2[i] = f[i] + (-5.6688 * k1[i]) / h
    substitute(lu, k2)
    for i in range(n):
        u[i] = y[i] + 0.9466785280815826 * k1[i] + 0.2557011698983284 * k2[i]
    stage_slope(u, q, inflow, f)
    for i in range(n):
        k3[i] = f[i] + (-2.430093356833875 * k1[i] - 0.2063599157091915 * k2[i]) / h
    substitute(lu, k3)
    for i in range(n):
        u[i] = y[i] + 3.314825187068521 * k1[i] + 2.896124015972201 * k2[i] + 0.9986419139977817 * k3[i]
    stage_slope(u, q, inflow, f)
    for i in range(n):
        k4[i] = f[i] + (-0.1073529058151375 * k1[i] - 9.594562251023355 * k2[i] - 20.47028614809616 * k3[i]) / h
    substitute(lu, k4)
    for i in range(n):
        u[i] = (
            y[i]
            + 1.221224509226641 * k1[i]
            + 6.019134481288629 * k2[i]
            + 12.53708332932087 * k3[i]
            - 0.6878860361058950 * k4[i]
        )
    stage_slope(u, q, inflow, f)
    for i in range(n):
        c = 7.496443313967647 * k1[i] - 10.24680431464352 * k2[i] - 33.99990352819905 * k3[i]
        k5[i] = f[i] + (c + 11.70890893206160 * k4[i]) / h
    substitute(lu, k5)
    for i in range(n):
        u[i] += k5[i]
    stage_slope(u, q, inflow, f)
    for i in range(n):
        c = 8.083246795921522 * k1[i] - 7.981132988064893 * k2[i] - 31.52159432874371 * k3[i]
        k6[i] = f[i] + (c + 16.31930543123136 * k4[i] - 6.058818238834054 * k5[i]) / h
    substitute(lu, k6)
    for i in range(n):
        u[i] += k6[i]


def step_error(y, work, rtol, scale):
    """Weighted root mean square of the embedded error, and the state that contributes most."""
    total, worst, at = 0.0, -1.0, 0
    u, k6 = work[0], work[7]
    for i in range(y.size):
        weight = rtol * (scale[i] + max(abs(y[i]), abs(u[i])))
        part = (k6[i] / weight) ** 2
        if not math.isfinite(part):
            return math.inf, i
        total += part
        if part > worst:
            worst, at = part, i
    return math.sqrt(total / y.size), at


def dense(y, work, theta, out):
    """State at a fraction theta of the step just taken (order 3)."""
    u, k1, k2, k3, k4, k5 = work[0], work[2], work[3], work[4], work[5], work[6]
    rest = 1.0 - theta
    for i in range(y.size):
        a = (
            10.12623508344586 * k1[i]
            - 7.487995877610167 * k2[i]
            - 34.80091861555747 * k3[i]
            - 7.992771707568823 * k4[i]
            + 1.025137723295662 * k5[i]
        )
        b = (
            -0.6762803392801253 * k1[i]
            + 6.087714651680015 * k2[i]
            + 16.43084320892478 * k3[i]
            + 24.76722511418386 * k4[i]
            - 6.594389125716872 * k5[i]
        )
        out[i] = rest * y[i] + theta * (u[i] + rest * (a + theta * b))


def stretch(y, q, inflow, start, stop, times, first, out, rtol, scale, limits, work, jac, lu):
    """Integrate from start to stop without events, filling outputs at times[first:] that lie before stop.

    Returns status, next output, steps taken, time reached, state at fault.
    """
    n_steps, t, h = 0, start, min(limits[1], stop - start)
    at, fresh = first, True
    while t < stop:
        if n_steps >= limits[0]:
            return TOO_MANY_STEPS, at, n_steps, t, 0
        if fresh:
            jacobian(y, q, jac)
        last = t + h >= stop
        if last:
            h = stop - t
        attempt(y, q, inflow, h, work, jac, lu)
        n_steps += 1
        error, worst = step_error(y, work, rtol, scale)
        growth = SAFETY * error**-0.25 if error > 0.0 else MAX_GROWTH
        if error <= 1.0:
            t_new = stop if last else t + h
            while at < times.size and times[at] < t_new:
                dense(y, work, (times[at] - t) / h, out[at])
                at += 1
            for i in range(y.size):
                y[i] = work[0, i]
            t, fresh = t_new, True
            h *= min(MAX_GROWTH, max(MIN_GROWTH, growth))
        else:
            fresh = False
            h *= max(0.1, min(SAFETY, growth)) if math.isfinite(error) else 0.1
            if h < 1e-12 * max(1.0, abs(t)):
                return (STEP_TOO_SMALL if math.isfinite(error) else NOT_FINITE), at, n_steps, t, worst
    return OK, at, n_steps, t, 0


def follow(y, p, event_time, event_kind, event_state, event_size, times, out, rtol, scale, limits, report):
    """Move one patient through all events; fills out[time, state]. report = status, steps, time, state at fault."""
    n = y.size
    q = np.empty(N_CONSTANTS)
    work, jac, lu = np.empty((8, n)), np.empty(N_JACOBIAN), np.empty(N_FACTORS)
    inflow = np.zeros(n)
    prepare(p, q)
    at, event, total, t = 0, 0, 0.0, min(times[0], event_time[0]) if event_time.size else times[0]
    end = times[times.size - 1]
    while True:
        while event < event_time.size and event_time[event] <= t:
            if event_kind[event] == 0:
                y[event_state[event]] += event_size[event]
            else:
                inflow[event_state[event]] += event_size[event]
                if abs(inflow[event_state[event]]) < 1e-12 * abs(event_size[event]):
                    inflow[event_state[event]] = 0.0
            event += 1
        while at < times.size and times[at] <= t:
            out[at] = y
            at += 1
        if t >= end:
            break
        stop = min(end, event_time[event]) if event < event_time.size else end
        status, at, steps, t, worst = stretch(y, q, inflow, t, stop, times, at, out, rtol, scale, limits, work, jac, lu)
        total += steps
        if status != OK:
            report[0], report[1], report[2], report[3] = status, total, t, worst
            return
    report[0], report[1], report[2], report[3] = OK, total, t, 0


def follow_all(
    y, p, event_from, event_time, event_kind, event_state, event_size, times, out, rtol, scale, limits, report
):
    """Every patient in turn: y[patient, state], p[patient, input]; events of patient i from event_from[i] on."""
    for i in range(y.shape[0]):
        a, b = event_from[i], event_from[i + 1]
        follow(
            y[i], p[i], event_time[a:b], event_kind[a:b], event_state[a:b], event_size[a:b],
            times, out[i], rtol, scale, limits, report[i],
        )  # fmt: skip


def watch_all(states, p, out):
    """Offers at every stored time of every patient: out[patient, time, offer]."""
    q = np.empty(N_CONSTANTS)
    for i in range(states.shape[0]):
        prepare(p[i], q)
        for j in range(states.shape[1]):
            observe(states[i, j], q, out[i, j])
