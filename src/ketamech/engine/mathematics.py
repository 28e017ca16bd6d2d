"""Plain-number twins of the functions that stages may use. Pasted into every generated kernel."""

from __future__ import annotations

import math


def hill(x, half, n):
    """x^n / (x^n + half^n), 0 for x <= 0."""
    if x <= 0.0:
        return 0.0
    return 1.0 / (1.0 + math.exp(n * (math.log(half) - math.log(x))))


def hill_slope(x, half, n):
    """d hill / d x; finite at 0 for n >= 1."""
    if x <= 0.0:
        return 1.0 / half if n == 1.0 and x == 0.0 else 0.0
    share = hill(x, half, n)
    return n / x * share * (1.0 - share)
