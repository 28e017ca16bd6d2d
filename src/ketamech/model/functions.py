"""Smooth functions that stages may use: Hill saturation, a smooth positive part, exp, log, sqrt.

They are SymPy functions with their own derivatives, so that the Jacobian stays exact and finite where x**n would
divide by zero. Each must be written out in `engine/codegen/lowering.py` and in `rates_and_jacobian.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy
from sympy import exp, log, sqrt

if TYPE_CHECKING:
    from ketamech.model.stage import Stage

__all__ = ["adapt_set_point", "exp", "hill", "hill_slope", "log", "positive_part", "sqrt"]


class hill(sympy.Function):  # noqa: N801  (reads as a function in an equation)
    """Hill saturation x^n / (x^n + half^n): 0 at and below x = 0, one half at x = half."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Derivative with respect to x or to half; the exponent must not depend on a state."""
        x, half, n = self.args
        if argindex == 1:
            return hill_slope(x, half, n)
        if argindex == 2:
            return -x / half * hill_slope(x, half, n)
        raise sympy.core.function.ArgumentIndexError(self, argindex)


class hill_slope(sympy.Function):  # noqa: N801
    """d hill / d x."""

    nargs = 3


def positive_part(x: sympy.Expr, width: sympy.Expr) -> sympy.Expr:
    """Smooth max(0, x): exactly 0 at and below 0, x - width / 2 far above it.

    `width` (unit of x, above 0) is the width of the bend. The derivative is continuous and lies between 0 and 1.
    """
    return x * hill(x, width / 2, 1)


def adapt_set_point(
    stage: Stage, level: sympy.Symbol, signal: sympy.Expr, rate_constant: sympy.Expr, *, because: str
) -> None:
    """Let a state of baseline 0 follow a signal of baseline 0 with a first-order rate constant (1/h).

    What a signal exceeds its set point by is transient, so a lasting signal has no lasting effect: the receptor is
    internalised, the channel inactivates, an inhibitor is synthesised. `because` says which of them the state is.
    """
    stage.rate(level, rate_constant * (signal - level), because=because)
