"""Arithmetic on named outputs, such as "plasma.esketamine + plasma.arketamine", with its unit."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ketamech.core import InputError, UnknownNameError, closest_match, unit
from ketamech.core.units import combine, format_dimensions

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@lru_cache(maxsize=4096)
def names_in(text: str) -> tuple[str, ...]:
    """The outputs in an expression."""
    return tuple(ast.unparse(node) for node in ast.walk(_tree(text)) if isinstance(node, ast.Attribute))


def value_of(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression over `values` {output: number or array}. Raises UnknownNameError."""
    return _value(_tree(text), values)


def unit_of(text: str, units: Mapping[str, str]) -> str:
    """Canonical unit of the expression; raises InputError if a sum mixes dimensions."""
    return format_dimensions(_dimensions(_tree(text), units, text))


@lru_cache(maxsize=4096)
def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as problem:
        raise InputError(f"'{text}' is not an expression of outputs", expected="stage.thing, + - * /") from problem


def _known(node: ast.expr, values: Mapping[str, Any]) -> Any:
    name = ast.unparse(node)
    if name not in values:
        raise UnknownNameError(f"the model has no output '{name}'", nearest=closest_match(name, values))
    return values[name]


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    return _known(node, values)


def _dimensions(node: ast.expr, units: Mapping[str, str], text: str) -> Any:
    if isinstance(node, ast.Constant):
        return ()
    if not isinstance(node, ast.BinOp):
        return unit(_known(node, units)).dims
    left, right = (_dimensions(side, units, text) for side in (node.left, node.right))
    if isinstance(node.op, ast.Mult | ast.Div):
        return combine(left, right, 1 if isinstance(node.op, ast.Mult) else -1)
    if left != right:
        what = f"'{text}' adds {format_dimensions(right)} to {format_dimensions(left)}"
        raise InputError(what, expected="one dimension in a sum")
    return left
