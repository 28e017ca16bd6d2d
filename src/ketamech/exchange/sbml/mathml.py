"""MathML of an SBML model, as libSBML reads it, -> SymPy; what the engine cannot compute is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import sympy

from ketamech.core import InputError
from ketamech.exchange.sbml.mathml_functions import FUNCTIONS, Choose, choice, factorial, number, real, unless_equal

AVOGADRO = 6.02214179e23  # as SBML Level 3 defines it
TIME = "time"
_ORDERED = {
    "gt": lambda x, y, a, b: choice(x - y, a, b),
    "lt": lambda x, y, a, b: choice(y - x, a, b),
    "geq": lambda x, y, a, b: choice(y - x, b, a),
    "leq": lambda x, y, a, b: choice(x - y, b, a),
}
RateOf = Callable[[str], sympy.Expr]


class Formulas:
    """Reads formulas of one model: `symbols` {id: expression} says what an id means, `numbers` what is constant.

    `rate_of` gives the rate of change of an id; without it rateOf is refused.
    """

    def __init__(
        self,
        libsbml: Any,
        symbols: Mapping[str, sympy.Expr],
        numbers: Mapping[str, float],
        where: str,
        rate_of: RateOf | None = None,
    ) -> None:
        self._libsbml, self._symbols, self._numbers, self._where = libsbml, symbols, numbers, where
        self._rate_of = rate_of

    def value(self, node: Any) -> sympy.Expr:
        """A formula that is a number. Raises BadInput, naming it, for one that is not supported."""
        if node.isInteger():
            return sympy.Integer(node.getInteger())
        if node.isNumber():
            return number(node.getReal())
        if node.isName():
            return self._name(node)
        if node.isConstant():
            return self._constant(node)
        if node.isLogical() or node.isRelational():
            return self.condition(node)(sympy.Integer(1), sympy.Integer(0))
        return self._applied(node)

    def condition(self, node: Any) -> Choose:
        """A condition, as the function that takes what holds if it is true and what holds if not."""
        kind = self._kind(node)
        if kind in ("true", "false"):
            return lambda yes, no: yes if kind == "true" else no
        parts = [node.getChild(i) for i in range(node.getNumChildren())]
        if kind in ("and", "or", "xor", "not", "implies"):
            return self._joined(kind, [self.condition(part) for part in parts])
        if node.isRelational():
            return self._compared(kind, [self.value(part) for part in parts])
        found = self.value(node)  # a number where a condition is expected: true unless 0
        return unless_equal(found, sympy.Integer(0))

    def _type(self, node: Any) -> int:
        """The type of a node, asked of libSBML itself: once libSEDML is loaded, nodes may come as its own class."""
        return int(self._libsbml.ASTNode.getType(node))

    def _kind(self, node: Any) -> str:
        code, names = self._type(node), self._libsbml
        known = {
            names.AST_CONSTANT_TRUE: "true", names.AST_CONSTANT_FALSE: "false", names.AST_LOGICAL_AND: "and",
            names.AST_LOGICAL_OR: "or", names.AST_LOGICAL_XOR: "xor", names.AST_LOGICAL_NOT: "not",
            names.AST_LOGICAL_IMPLIES: "implies",
            names.AST_RELATIONAL_GT: "gt", names.AST_RELATIONAL_LT: "lt", names.AST_RELATIONAL_GEQ: "geq",
            names.AST_RELATIONAL_LEQ: "leq", names.AST_RELATIONAL_EQ: "eq", names.AST_RELATIONAL_NEQ: "neq",
            names.AST_PLUS: "plus", names.AST_MINUS: "minus", names.AST_TIMES: "times", names.AST_DIVIDE: "divide",
            names.AST_POWER: "power", names.AST_FUNCTION_POWER: "power", names.AST_FUNCTION_DELAY: "delay",
            names.AST_FUNCTION_RATE_OF: "rateof",
        }  # fmt: skip
        return known.get(code) or str(node.getName() or node.getOperatorName() or f"operation {code}").lower()

    def _joined(self, kind: str, parts: list[Choose]) -> Choose:
        if kind == "not":
            (part,) = parts
            return lambda yes, no: part(no, yes)
        if not parts:
            return lambda yes, no: yes if kind == "and" else no
        first, rest = parts[0], parts[1:]
        if not rest:
            return first
        others = self._joined(kind, rest)
        if kind == "and":
            return lambda yes, no: first(others(yes, no), no)
        if kind == "or":
            return lambda yes, no: first(yes, others(yes, no))
        if kind == "implies":
            return lambda yes, no: first(others(yes, no), yes)
        return lambda yes, no: first(others(no, yes), others(yes, no))

    def _compared(self, kind: str, values: list[sympy.Expr]) -> Choose:
        """Two or more values, each compared with the next."""
        pairs = list(pairwise(values))
        if kind == "neq" and pairs:
            return unless_equal(*pairs[0])
        each: list[Choose] = []
        for x, y in pairs:
            if kind == "eq":
                each.append(lambda yes, no, x=x, y=y: unless_equal(x, y)(no, yes))  # type: ignore[misc]
            else:
                each.append(lambda yes, no, x=x, y=y: _ORDERED[kind](x, y, yes, no))  # type: ignore[misc]
        return self._joined("and", each)

    def _name(self, node: Any) -> sympy.Expr:
        if self._type(node) == self._libsbml.AST_NAME_TIME:
            return self._symbols[TIME]
        if self._type(node) == self._libsbml.AST_NAME_AVOGADRO:
            return sympy.Float(AVOGADRO)
        name = node.getName()
        if name not in self._symbols:
            raise InputError(
                f"{self._where} names '{name}', which the model does not hold", expected="an id of the model"
            )
        return self._symbols[name]

    def _constant(self, node: Any) -> sympy.Expr:
        names = self._libsbml
        found = {names.AST_CONSTANT_PI: sympy.pi, names.AST_CONSTANT_E: sympy.E}.get(self._type(node))
        return self.condition(node)(sympy.Integer(1), sympy.Integer(0)) if found is None else found

    def _applied(self, node: Any) -> sympy.Expr:
        kind = self._kind(node)
        if kind == "piecewise":
            return self._piecewise(node)
        if kind == "delay":
            raise InputError(f"{self._where} uses delays (values of the past)", expected="a model without them")
        if kind == "rateof":
            return self._rate(node)
        values = [self.value(node.getChild(i)) for i in range(node.getNumChildren())]
        if kind == "factorial":
            return self._factorial(values)
        if kind == "power":
            return real(values[0] ** self._exponent(node.getChild(1), values[1]))
        return self._called(kind, values)

    def _called(self, kind: str, values: list[sympy.Expr]) -> sympy.Expr:
        if kind not in FUNCTIONS:
            raise InputError(
                f"{self._where} uses {kind}, which is not known here", expected="functions of docs/exchange.md"
            )
        try:
            return real(FUNCTIONS[kind](*values))
        except TypeError:
            raise InputError(
                f"{self._where} uses {kind} of {len(values)} values", expected="what SBML defines"
            ) from None

    def _rate(self, node: Any) -> sympy.Expr:
        """The rate of change of what an id means."""
        name = str(node.getChild(0).getName()) if node.getNumChildren() == 1 else "no single name"
        if self._rate_of is None or name not in self._symbols:
            raise InputError(f"{self._where} uses rateOf of {name}", expected="rateOf of an id of the model")
        return self._rate_of(name)

    def _factorial(self, values: list[sympy.Expr]) -> sympy.Expr:
        """Of a constant; the engine has none of what moves."""
        known = {self._symbols[name]: number(value) for name, value in self._numbers.items() if name in self._symbols}
        found = factorial(values[0].xreplace(known)) if len(values) == 1 else None
        if found is None:
            raise InputError(f"{self._where} uses factorials of what is not constant", expected="of a whole number")
        return found

    def _exponent(self, node: Any, value: sympy.Expr) -> sympy.Expr:
        """A constant exponent as its number, so that a negative base can be raised to a whole one."""
        if node.isName() and node.getName() in self._numbers:
            return number(self._numbers[node.getName()])
        return number(float(value)) if value.is_Float else value

    def _piecewise(self, node: Any) -> sympy.Expr:
        count = node.getNumChildren()
        found = self.value(node.getChild(count - 1)) if count % 2 else sympy.Integer(0)
        for i in reversed(range(0, count - 1, 2)):
            found = self.condition(node.getChild(i + 1))(self.value(node.getChild(i)), found)
        return found
