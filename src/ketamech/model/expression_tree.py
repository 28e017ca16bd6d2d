"""The equations as plain trees of names and functions, usable without SymPy.

A tree is a number, a name, or a list of a function ("+", "*", "^", "exp", "log", "hill" ...) and its arguments.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ketamech.core.atomic_files import read_json

if TYPE_CHECKING:
    import sympy

    from ketamech.model.system import System

Tree = float | str | list[Any]
Simplified = tuple[float | None, frozenset[str]]
_SIGNS = {"Add": "+", "Mul": "*", "Pow": "^"}
_NO_NAMES: frozenset[str] = frozenset()
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda *parts: sum(parts),
    "*": lambda *parts: math.prod(parts),
    "^": pow,
    "exp": math.exp,
    "log": math.log,
}


@dataclass(frozen=True)
class ExpressionTrees:
    """Stages in causal order as (name, description); fluxes as (state, term); outputs as (name, expression).

    `fixed` are the outputs that depend on parameters alone.
    """

    stages: tuple[tuple[str, str], ...]
    fluxes: tuple[tuple[str, Tree], ...]
    outputs: tuple[tuple[str, Tree], ...]
    fixed: frozenset[str]

    def to_json(self) -> str:
        """The trees as JSON text."""
        return json.dumps(asdict(self) | {"fixed": sorted(self.fixed)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ExpressionTrees:
        """The trees that `to_json` wrote. Raises ValueError for any other text."""
        try:
            plain = read_json(text)
            parts = {name: tuple((a, b) for a, b in plain[name]) for name in ("stages", "fluxes", "outputs")}
            return cls(**parts, fixed=frozenset(plain["fixed"]))
        except (KeyError, TypeError) as problem:
            raise ValueError(f"this text holds no expression trees: {problem}") from problem


def live_names(tree: Tree, zero: Collection[str]) -> frozenset[str]:
    """The names that an expression still depends on once those in `zero` are 0."""
    return _simplified(tree, zero)[1]


def _simplified(tree: Tree, zero: Collection[str]) -> Simplified:
    """The number that an expression has become, or None, and the names that it still depends on."""
    if isinstance(tree, str):
        return (0.0, _NO_NAMES) if tree in zero else (None, frozenset((tree,)))
    if not isinstance(tree, list):
        return float(tree), _NO_NAMES
    parts = [_simplified(part, zero) for part in tree[1:]]
    numbers = [number for number, _ in parts if number is not None]
    if (tree[0] == "*" and 0 in numbers) or (tree[0] == "hill" and parts[0][0] == 0):
        return 0.0, _NO_NAMES
    if len(numbers) == len(parts):
        return _number(tree[0], numbers), _NO_NAMES
    if tree[0] == "^" and (parts[0][0] == 1 or parts[1][0] == 0):
        return 1.0, _NO_NAMES
    return None, _NO_NAMES.union(*(names for _, names in parts))


def _number(function: str, parts: list[float]) -> float | None:
    try:
        return float(_FUNCTIONS[function](*parts))
    except (KeyError, ArithmeticError, ValueError, TypeError):
        return None


def expression_trees_of(system: System) -> ExpressionTrees:
    """The equations of a system without SymPy."""
    return ExpressionTrees(
        tuple((stage.name, stage.description) for stage in system.stages),
        tuple((flux.state, tree_of(flux.term)) for flux in system.fluxes),
        tuple((output.name, tree_of(output.expression)) for output in system.outputs),
        frozenset(output.name for output in system.outputs if output.is_constant),
    )


def tree_of(expression: sympy.Expr) -> Tree:
    """One expression as a tree."""
    if expression.is_Symbol:
        return str(expression.name)
    if expression.is_number:
        return float(expression)
    name = type(expression).__name__
    return [_SIGNS.get(name, name), *(tree_of(part) for part in expression.args)]
