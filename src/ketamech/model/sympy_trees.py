"""From a system's symbols to plain trees."""

from __future__ import annotations

import sympy

from ketamech.model.expression_tree import ExpressionTrees, Tree
from ketamech.model.system import System

_SIGNS = {"Add": "+", "Mul": "*", "Pow": "^"}


def outline_of(system: System) -> ExpressionTrees:
    """The equations of a system without SymPy."""
    return ExpressionTrees(
        tuple((stage.name, stage.description) for stage in system.stages),
        tuple((flux.state, tree_of(flux.term)) for flux in system.fluxes),
        tuple((offer.name, tree_of(offer.expression)) for offer in system.outputs),
        frozenset(offer.name for offer in system.outputs if offer.is_constant),
    )


def tree_of(expression: sympy.Expr) -> Tree:
    """One expression as a tree."""
    if expression.is_Symbol:
        return str(expression.name)
    if expression.is_number:
        return float(expression)
    name = type(expression).__name__
    return [_SIGNS.get(name, name), *(tree_of(part) for part in expression.args)]
