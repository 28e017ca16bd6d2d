"""The sparse Jacobian of a system, by the chain rule through its offers.

Offers stay intermediate results: their slopes are symbols of their own, so that no expression swells.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from ketamech.model.stage import symbol
from ketamech.model.system import System


@dataclass(frozen=True)
class SparseJacobian:
    """`slopes`: (symbol, expression) of d offer / d state; `entries`: {(row, column): expression} of the Jacobian."""

    partials: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    entries: dict[tuple[int, int], sympy.Expr]


def sparse_jacobian(system: System) -> SparseJacobian:
    """Slopes of offers and Jacobian entries that are not identically zero."""
    index = {name: i for i, name in enumerate(system.state_names)}
    offer_slopes: dict[str, dict[int, sympy.Symbol]] = {}
    slopes: list[tuple[sympy.Symbol, sympy.Expr]] = []
    for offer in system.outputs:
        row = _row(offer.expression, index, offer_slopes)
        offer_slopes[offer.name] = {}
        for column, slope in row.items():
            name = symbol(f"d({offer.name})/d({system.state_names[column]})")
            slopes.append((name, slope))
            offer_slopes[offer.name][column] = name
    entries = {
        (i, column): slope
        for i, rate in enumerate(system.rates)
        for column, slope in _row(rate, index, offer_slopes).items()
    }
    return SparseJacobian(tuple(slopes), entries)


def _row(
    expression: sympy.Expr, index: dict[str, int], offer_slopes: dict[str, dict[int, sympy.Symbol]]
) -> dict[int, sympy.Expr]:
    """Total derivative of one expression by every state it depends on."""
    total: dict[int, list[sympy.Expr]] = {}
    for name in sorted(expression.free_symbols, key=lambda s: s.name):
        if name.name in index:
            total.setdefault(index[name.name], []).append(expression.diff(name))
        elif offer_slopes.get(name.name):
            outer = expression.diff(name)
            for column, inner in offer_slopes[name.name].items():
                total.setdefault(column, []).append(outer * inner)
    sums = {column: sympy.Add(*parts) for column, parts in total.items()}
    return {column: slope for column, slope in sorted(sums.items()) if slope != 0}
