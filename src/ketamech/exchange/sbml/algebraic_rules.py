"""Algebraic rules of SBML (0 = formula): which variable each determines, and what that variable must then be."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import sympy

from ketamech.core import InputError

EXPECTED = "a rule that is linear in the one variable that nothing else determines"


def algebraic_unknowns(names: Any, model: Any, taken: Collection[str]) -> dict[str, Any]:
    """{variable: the algebraic rule that determines it}; `taken` is what rules, reactions and events determine.

    `names` is libSBML. Raises BadInput where a rule leaves open which variable it is about.
    """
    rules = [model.getRule(i) for i in range(model.getNumRules())]
    waiting = [(rule, set(_ids(names, rule.getMath()))) for rule in rules if rule.isAlgebraic() and rule.isSetMath()]
    free = set(_moving(model)) - set(taken)
    found: dict[str, Any] = {}
    while waiting:
        rule, ids = min(waiting, key=lambda one: abs(len(one[1] & free) - 1))
        if len(ids & free) != 1:
            among = ", ".join(sorted(ids & free)) or "nothing"
            raise InputError(f"an algebraic rule that determines one of: {among}", expected=EXPECTED)
        (variable,) = ids & free
        found[variable] = rule
        free.remove(variable)
        waiting.remove((rule, ids))
    return found


def solved(formula: sympy.Expr, variable: sympy.Symbol, name: str) -> sympy.Expr:
    """What makes a formula 0. Raises BadInput where it is not linear in the variable."""
    slope = sympy.expand(sympy.diff(formula, variable))
    if slope == 0 or slope.has(variable):
        raise InputError(f"an algebraic rule that is not linear in '{name}'", key=name, expected=EXPECTED)
    return -formula.xreplace({variable: sympy.Integer(0)}) / slope


def _ids(names: Any, node: Any) -> Iterator[str]:
    if names.ASTNode.getType(node) == names.AST_NAME:
        yield str(node.getName())
    for i in range(node.getNumChildren()):
        yield from _ids(names, node.getChild(i))


def _moving(model: Any) -> Iterator[str]:
    """Ids of what may change."""
    for things in (model.getListOfCompartments(), model.getListOfSpecies(), model.getListOfParameters()):
        yield from (things.get(i).getId() for i in range(things.size()) if not things.get(i).getConstant())
