"""From a system's symbols to plain trees."""

from __future__ import annotations

import sympy

from ketamech.system.outline import Outline, Tree
from ketamech.system.system import System

_SIGNS = {"Add": "+", "Mul": "*", "Pow": "^"}


def outline_of(system: System) -> Outline:
    """The equations of a system without SymPy."""
    return Outline(
        tuple((stage.name, stage.about) for stage in system.stages),
        tuple((flux.state, tree_of(flux.term)) for flux in system.fluxes),
        tuple((offer.name, tree_of(offer.expression)) for offer in system.offers),
        frozenset(offer.name for offer in system.offers if offer.fixed),
    )


def tree_of(expression: sympy.Expr) -> Tree:
    """One expression as a tree."""
    if expression.is_Symbol:
        return str(expression.name)
    if expression.is_number:
        return float(expression)
    name = type(expression).__name__
    return [_SIGNS.get(name, name), *(tree_of(part) for part in expression.args)]
