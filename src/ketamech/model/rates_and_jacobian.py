"""The equations of a system in two forms: rates as a plain function, and the sparse Jacobian.

The plain function has every output substituted: slow, simple, and a second method for tests and export. The Jacobian
follows the chain rule through the outputs, which stay intermediate results: their partial derivatives are symbols of
their own, so that expressions stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from ketamech.model.stage import symbol
from ketamech.model.system import System


def plain_function(system: System) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """f(state vector, input vector) -> rates, evaluated by NumPy from the substituted equations."""
    return plain_values(system, system.rates)


def plain_values(system: System, wanted: Sequence[sympy.Expr]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """f(state vector, input vector) -> values of any expressions in the names of the system."""
    names = [*system.state_names, *system.inputs]
    plain_symbols = {symbol(name): sympy.Symbol(f"v{i}") for i, name in enumerate(names)}
    replacements = {**plain_symbols, sympy.zoo: sympy.oo}  # 1 / 0, once constants stand in place of their names
    plain = [expression.xreplace(replacements) for expression in _substituted(system, wanted)]
    evaluate = sympy.lambdify(list(plain_symbols.values()), plain, modules=[NUMPY, "numpy"], cse=True)
    return lambda y, p: np.array(evaluate(*y, *p), dtype=float)


def _substituted(system: System, wanted: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
    known: dict[sympy.Symbol, sympy.Expr] = {}
    for output in system.outputs:
        known[symbol(output.name)] = output.expression.xreplace(known)
    return tuple(expression.xreplace(known) for expression in wanted)


def _hill(x: float, half: float, n: float) -> float:
    return 0.0 if x <= 0 else 1.0 / (1.0 + (half / x) ** n)


def _hill_slope(x: float, half: float, n: float) -> float:
    if x <= 0:
        return 1.0 / half if n == 1 and x == 0 else 0.0
    share = _hill(x, half, n)
    return n / x * share * (1 - share)


def _where_positive(x: float, yes: float, no: float) -> float:
    return np.float64(yes if x > 0 else no)  # not Python's own number, which dividing by 0 would stop


NUMPY = {"hill": _hill, "hill_slope": _hill_slope, "select_positive": _where_positive, "floor_": np.floor}


@dataclass(frozen=True)
class SparseJacobian:
    """`partials`: (symbol, expression) of d output / d state; `entries`: {(row, column): expression}."""

    partials: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    entries: dict[tuple[int, int], sympy.Expr]


def sparse_jacobian(system: System) -> SparseJacobian:
    """Partial derivatives of outputs, and Jacobian entries that are not identically zero."""
    index = {name: i for i, name in enumerate(system.state_names)}
    output_partials: dict[str, dict[int, sympy.Symbol]] = {}
    partials: list[tuple[sympy.Symbol, sympy.Expr]] = []
    for output in system.outputs:
        row = _row(output.expression, index, output_partials)
        output_partials[output.name] = {}
        for column, derivative in row.items():
            name = symbol(f"d({output.name})/d({system.state_names[column]})")
            partials.append((name, derivative))
            output_partials[output.name][column] = name
    entries = {
        (i, column): derivative
        for i, rate in enumerate(system.rates)
        for column, derivative in _row(rate, index, output_partials).items()
    }
    return SparseJacobian(tuple(partials), entries)


def _row(
    expression: sympy.Expr, index: dict[str, int], output_partials: dict[str, dict[int, sympy.Symbol]]
) -> dict[int, sympy.Expr]:
    """Total derivative of one expression with respect to every state that it depends on."""
    total: dict[int, list[sympy.Expr]] = {}
    for name in sorted(expression.free_symbols, key=lambda s: s.name):
        if name.name in index:
            total.setdefault(index[name.name], []).append(expression.diff(name))
        elif output_partials.get(name.name):
            outer = expression.diff(name)
            for column, inner in output_partials[name.name].items():
                total.setdefault(column, []).append(outer * inner)
    sums = {column: sympy.Add(*parts) for column, parts in total.items()}
    return {column: derivative for column, derivative in sorted(sums.items()) if derivative != 0}
