"""The drug-free rest state, solved and not waited for: pseudo-transient Newton steps on the rates.

Pasted into the generated kernel like the method of `rosenbrock`. Resting values that equations refer to are
read off the solution and put back until nothing moves.
"""

from __future__ import annotations

import math

import numpy as np


def newton(y, q, scale, work, jac, lu):
    """Drive the rates to zero from y with ever longer implicit steps; returns the last relative correction."""
    n = y.size
    f = work[0]
    shift, change = 1.0, math.inf
    for _ in range(200):
        rates(y, q, f)
        jacobian(y, q, jac)
        factorise(jac, shift, lu)
        substitute(lu, f)
        change = 0.0
        for i in range(n):
            step = f[i] / (scale[i] + abs(y[i]))
            if not math.isfinite(step):
                return math.inf
            change = max(change, abs(step))
        damp = 1.0 if change < 0.5 else 0.5 / change
        for i in range(n):
            y[i] += damp * f[i]
        shift = max(1e-12, shift * (0.2 if damp == 1.0 else 0.7))
        if change < 1e-13 and shift <= 1e-11:
            break
    return change


def settle(y, p, rest_from, n_parameters, scale):
    """Rest state of one patient in y, resting values in p[n_parameters:]; returns the last relative correction."""
    n = y.size
    q = np.empty(N_CONSTANTS)
    work, jac, lu = np.empty((8, n)), np.empty(N_JACOBIAN), np.empty(N_FACTORS)
    seen = np.empty(N_OFFERS)
    change = math.inf
    for _ in range(8):
        prepare(p, q)
        observe(y, q, seen)
        moved = 0.0
        for k in range(rest_from.size):
            source = rest_from[k]
            now = y[source] if source < n else seen[source - n]
            moved = max(moved, abs(p[n_parameters + k] - now) / (1e-9 + abs(now)))
            p[n_parameters + k] = now
        if moved < 1e-13 and change < 1e-10:
            break
        prepare(p, q)
        change = newton(y, q, scale, work, jac, lu)
        if not math.isfinite(change):
            break
    return change


def settle_all(y, p, rest_from, n_parameters, scale, report):
    """Every patient in turn."""
    for i in range(y.shape[0]):
        report[i] = settle(y[i], p[i], rest_from, n_parameters, scale)
