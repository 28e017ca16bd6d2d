"""Dimensional analysis of every expression; an error underlines the part that does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from ketamech.core import UnitError
from ketamech.core.units import Dimensions, combine, format_dimensions, power
from ketamech.model.functions import hill, hill_slope

DIMENSIONLESS: Dimensions = ()


class _UnitMismatch(Exception):
    """Internal: the place inside an expression where two units do not fit."""

    def __init__(self, why: str, inside: sympy.Expr, subexpression: sympy.Expr, actual: Dimensions) -> None:
        super().__init__(why)
        self.why, self.inside, self.subexpression, self.found = why, inside, subexpression, actual


def check_dimensions(
    expression: sympy.Expr, expected: Dimensions, known: Mapping[str, Dimensions], *, stage: str, term: str
) -> None:
    """Refuse an expression whose unit is not `expected`. Raises UnitError."""
    try:
        actual = dimensions(expression, known)
    except _UnitMismatch as mismatch:
        place = (mismatch.inside, mismatch.subexpression, mismatch.found)
        raise UnitError(_message(stage, term, mismatch.why, *place)) from None
    if actual != expected and expression != 0:
        why = f"gives {format_dimensions(actual)} where {format_dimensions(expected)} is expected"
        raise UnitError(_message(stage, term, why, expression, expression, actual))


def dimensions(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    """Dimensions of an expression whose symbols have `known` dimensions."""
    if expression.is_Symbol:
        return known[expression.name]
    if expression.is_Number or expression.is_NumberSymbol:
        return DIMENSIONLESS
    if expression.is_Add:
        return _sum(expression, known)
    if expression.is_Mul:
        total = DIMENSIONLESS
        for factor in expression.args:
            total = combine(total, dimensions(factor, known), 1)
        return total
    if expression.is_Pow:
        return _power(expression, known)
    return _function(expression, known)


def _sum(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    parts = [(part, dimensions(part, known)) for part in expression.args]
    first_part, first = next(((p, d) for p, d in parts if not p.is_Number), parts[0])
    for part, dims in parts:
        if dims != first:
            why = f"adds {format_dimensions(dims)} to {format_dimensions(first)} ({first_part})"
            raise _UnitMismatch(why, expression, part, dims)
    return first


def _power(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    base, exponent = expression.as_base_exp()
    if expression.func is sympy.exp:
        base, exponent = sympy.E, expression.args[0]
    inner = DIMENSIONLESS if base is sympy.E else dimensions(base, known)
    if exponent.is_Rational:
        return power(inner, Fraction(int(exponent.p), int(exponent.q)))
    if exponent.is_Float and inner == DIMENSIONLESS:
        return DIMENSIONLESS
    raised = dimensions(exponent, known)
    if raised != DIMENSIONLESS:
        raise _UnitMismatch(f"has an exponent in {format_dimensions(raised)}", expression, exponent, raised)
    if inner != DIMENSIONLESS:
        why = f"raises {format_dimensions(inner)} to a power that is not a number"
        raise _UnitMismatch(why, expression, base, inner)
    return DIMENSIONLESS


def _function(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    if isinstance(expression, hill | hill_slope):
        x, half, n = expression.args
        top, bottom = dimensions(x, known), dimensions(half, known)
        if top != bottom:
            why = f"compares {format_dimensions(top)} with a half point in {format_dimensions(bottom)}"
            raise _UnitMismatch(why, expression, half, bottom)
        _must_be_number(expression, n, known)
        return DIMENSIONLESS if isinstance(expression, hill) else power(top, Fraction(-1))
    for argument in expression.args:
        _must_be_number(expression, argument, known)
    return DIMENSIONLESS


def _must_be_number(inside: sympy.Expr, argument: sympy.Expr, known: Mapping[str, Dimensions]) -> None:
    actual = dimensions(argument, known)
    if actual != DIMENSIONLESS:
        raise _UnitMismatch(
            f"takes {format_dimensions(actual)} where a pure number is needed", inside, argument, actual
        )


def _message(stage: str, term: str, why: str, inside: sympy.Expr, subexpression: sympy.Expr, actual: Dimensions) -> str:
    text, part = str(inside), str(subexpression)
    at = text.find(part)
    underline = " " * max(at, 0) + "~" * (len(part) if at >= 0 else len(text)) + f" {format_dimensions(actual)}"
    return f"stage '{stage}', term '{term}': {why}\n  {text}\n  {underline}"
