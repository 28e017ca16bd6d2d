"""The sparse Jacobian of a system, by the chain rule through its outputs.

Outputs stay intermediate results: their partial derivatives are symbols of their own, so that expressions stay small.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from ketamech.model.stage import symbol
from ketamech.model.system import System


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
