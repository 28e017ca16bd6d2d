"""Converts MathML, as read by libSBML, to SymPy; unsupported operations are refused with their name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import sympy

from ketamech.core import InputError
from ketamech.engine.codegen.lowering import floor_, select_positive

MAX_FACTORIAL = 170  # a larger factorial exceeds a double
Choose = Callable[[sympy.Expr, sympy.Expr], sympy.Expr]


def number(value: float) -> sympy.Expr:
    """A number; integers are exact."""
    return sympy.Integer(int(value)) if float(value).is_integer() and abs(value) < 2**31 else sympy.Float(value)


def choice(x: sympy.Expr, yes: sympy.Expr, no: sympy.Expr) -> sympy.Expr:
    """`yes` where x is above 0, else `no`; evaluated at once for a number."""
    if x.is_Number:
        return yes if x is not sympy.nan and x > 0 else no
    return select_positive(x, yes, no)


def real(value: sympy.Expr) -> sympy.Expr:
    """A value in floating-point arithmetic: infinite or NaN outside the real numbers."""
    value = value.xreplace({sympy.zoo: sympy.oo})
    if value.has(sympy.I) or (value.is_number and value.is_extended_real is False):
        return sympy.nan
    return value.replace(sympy.Abs, _abs) if value.has(sympy.Abs) else value


def factorial(x: sympy.Expr) -> sympy.Expr | None:
    """The factorial of an integer; None for anything else."""
    if not x.is_Number or not float(x).is_integer() or x < 0:
        return None
    return sympy.oo if x > MAX_FACTORIAL else number(float(sympy.factorial(int(x))))


def _abs(x: sympy.Expr) -> sympy.Expr:
    return choice(x, x, -x)


def _max(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    return choice(x - y, x, y)


def _min(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    return choice(y - x, x, y)


def _divide(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    return x / y if y != 0 else x * sympy.oo


def _log(x: sympy.Expr) -> sympy.Expr:
    return sympy.log(x) if x != 0 else -sympy.oo


def _sin(x: sympy.Expr) -> sympy.Expr:
    return sympy.nan if x.is_infinite else sympy.sin(x)


def _cos(x: sympy.Expr) -> sympy.Expr:
    return sympy.nan if x.is_infinite else sympy.cos(x)


def _arcsin(x: sympy.Expr) -> sympy.Expr:
    return 2 * sympy.atan(x / (1 + sympy.sqrt(1 - x**2)))


def _arccos(x: sympy.Expr) -> sympy.Expr:
    return sympy.pi if x == -1 else 2 * sympy.atan(sympy.sqrt(_divide(1 - x, 1 + x)))


def _arcsinh(x: sympy.Expr) -> sympy.Expr:
    return _log(x + sympy.sqrt(x**2 + 1))


def _floor(x: sympy.Expr) -> sympy.Expr:
    return sympy.floor(x) if x.is_Number else floor_(x)


def _quotient(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    """The quotient rounded towards 0."""
    ratio = _divide(x, y)
    return choice(ratio, _floor(ratio), -_floor(-ratio))


FUNCTIONS: Mapping[str, Callable[..., sympy.Expr]] = {
    "plus": lambda *parts: sympy.Add(*parts),
    "times": lambda *parts: sympy.Mul(*parts),
    "minus": lambda x, y=None: -x if y is None else x - y,
    "divide": _divide,
    "exp": sympy.exp,
    "ln": _log,
    "log": lambda base, x: _divide(_log(x), _log(base)),
    "log10": lambda base, x: _divide(_log(x), _log(base)),
    "root": lambda degree, x: x ** (1 / degree),
    "sqrt": lambda degree, x: x ** (1 / degree),
    "abs": _abs,
    "max": lambda *values: reduce(_max, values) if values else -sympy.oo,
    "min": lambda *values: reduce(_min, values) if values else sympy.oo,
    "floor": _floor,
    "ceil": lambda x: -_floor(-x),
    "ceiling": lambda x: -_floor(-x),
    "quotient": _quotient,
    "rem": lambda x, y: x - y * _quotient(x, y),
    "sin": _sin,
    "cos": _cos,
    "tan": lambda x: _divide(_sin(x), _cos(x)),
    "sec": lambda x: _divide(sympy.Integer(1), _cos(x)),
    "csc": lambda x: _divide(sympy.Integer(1), _sin(x)),
    "cot": lambda x: _divide(_cos(x), _sin(x)),
    "arcsin": _arcsin,
    "arccos": _arccos,
    "arctan": sympy.atan,
    "arcsec": lambda x: _arccos(_divide(sympy.Integer(1), x)),
    "arccsc": lambda x: _arcsin(_divide(sympy.Integer(1), x)),
    "arccot": lambda x: sympy.atan(_divide(sympy.Integer(1), x)),
    "sinh": lambda x: (sympy.exp(x) - sympy.exp(-x)) / 2,
    "cosh": lambda x: (sympy.exp(x) + sympy.exp(-x)) / 2,
    "tanh": lambda x: 1 - 2 / (sympy.exp(2 * x) + 1),
    "sech": lambda x: 2 / (sympy.exp(x) + sympy.exp(-x)),
    "csch": lambda x: 2 / (sympy.exp(x) - sympy.exp(-x)),
    "coth": lambda x: 1 + 2 / (sympy.exp(2 * x) - 1),
    "arcsinh": lambda x: choice(x, _arcsinh(x), -_arcsinh(-x)),  # without cancellation below 0
    "arccosh": lambda x: _log(x + sympy.sqrt(x**2 - 1)),
    "arctanh": lambda x: _log((1 + x) / (1 - x)) / 2,
    "arccoth": lambda x: _log((x + 1) / (x - 1)) / 2,
    "arccsch": lambda x: _log(1 / x + sympy.sqrt(1 / x**2 + 1)),
    "arcsech": lambda x: _log(1 / x + sympy.sqrt(1 / x**2 - 1)),
}


AVOGADRO = 6.02214179e23  # as SBML Level 3 defines it
TIME = "the time"  # the symbol of the clock: with a blank it is no id
COMPARISONS: Mapping[str, Callable[..., sympy.Expr]] = {  # the third value where true, else the fourth
    "gt": lambda x, y, yes, no: choice(x - y, yes, no),
    "lt": lambda x, y, yes, no: choice(y - x, yes, no),
    "geq": lambda x, y, yes, no: choice(y - x, no, yes),
    "leq": lambda x, y, yes, no: choice(x - y, no, yes),
    "eq": lambda x, y, yes, no: choice(x - y, no, choice(y - x, no, yes)),
    "neq": lambda x, y, yes, no: choice(x - y, yes, choice(y - x, yes, no)),
}
JOINED: Mapping[str, Callable[[Choose, Choose], Choose]] = {  # two conditions as one
    "and": lambda one, other: lambda yes, no: one(other(yes, no), no),
    "or": lambda one, other: lambda yes, no: one(yes, other(yes, no)),
    "implies": lambda one, other: lambda yes, no: one(other(yes, no), yes),
    "xor": lambda one, other: lambda yes, no: one(other(no, yes), other(yes, no)),
}
RateOf = Callable[[str], sympy.Expr]
Delayed = Callable[[sympy.Expr, sympy.Expr, str], sympy.Expr]


class Formulas:
    """Reads formulas of one model: `symbols` {id: expression}, `numbers` {name of a symbol: constant}.

    `rate_of` gives the rate of change of an id, `delayed` the value of an expression some time ago, for a formula with
    a name; without them rateOf and delay are refused. `functions` {id: function definition of libSBML}.
    """

    def __init__(
        self,
        libsbml: Any,
        symbols: Mapping[str, sympy.Expr],
        numbers: Mapping[str, float],
        where: str,
        rate_of: RateOf | None = None,
        delayed: Delayed | None = None,
        functions: Mapping[str, Any] | None = None,
    ) -> None:
        self._libsbml, self._symbols, self._numbers, self._where = libsbml, symbols, numbers, where
        self._rate_of, self._delayed, self._functions = rate_of, delayed, functions or {}

    def value(self, node: Any) -> sympy.Expr:
        """A numeric formula. Raises InputError, with its name, for an unsupported operation."""
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
        return self._apply(node)

    def condition(self, node: Any) -> Choose:
        """A condition as a function of the values for true and for false."""
        if (call := self._call(node)) is not None:
            reader, body = call
            return reader.condition(body)
        kind = self._kind(node)
        if kind in ("true", "false"):
            return lambda yes, no: yes if kind == "true" else no
        children = [node.getChild(i) for i in range(node.getNumChildren())]
        if kind == "not":
            (part,) = map(self.condition, children)
            return lambda yes, no: part(no, yes)
        if kind in JOINED:
            return self._joined(kind, [self.condition(child) for child in children])
        if node.isRelational():
            pairs = list(pairwise(map(self.value, children)))
            pairs = pairs[:1] if kind == "neq" else pairs
            return self._joined("and", [partial(COMPARISONS[kind], x, y) for x, y in pairs])
        # a number where a condition is expected: true unless 0
        return partial(COMPARISONS["neq"], self.value(node), sympy.Integer(0))

    def _type(self, node: Any) -> int:
        """The type of a node, from libSBML: once libSEDML is loaded, nodes may have a class of its own."""
        return int(self._libsbml.ASTNode.getType(node))

    def _kind(self, node: Any) -> str:
        code, names = self._type(node), self._libsbml
        kinds = {
            names.AST_CONSTANT_TRUE: "true", names.AST_CONSTANT_FALSE: "false", names.AST_LOGICAL_AND: "and",
            names.AST_LOGICAL_OR: "or", names.AST_LOGICAL_XOR: "xor", names.AST_LOGICAL_NOT: "not",
            names.AST_LOGICAL_IMPLIES: "implies",
            names.AST_RELATIONAL_GT: "gt", names.AST_RELATIONAL_LT: "lt", names.AST_RELATIONAL_GEQ: "geq",
            names.AST_RELATIONAL_LEQ: "leq", names.AST_RELATIONAL_EQ: "eq", names.AST_RELATIONAL_NEQ: "neq",
            names.AST_PLUS: "plus", names.AST_MINUS: "minus", names.AST_TIMES: "times", names.AST_DIVIDE: "divide",
            names.AST_POWER: "power", names.AST_FUNCTION_POWER: "power", names.AST_FUNCTION_DELAY: "delay",
            names.AST_FUNCTION_RATE_OF: "rateof",
        }  # fmt: skip
        return kinds.get(code) or str(node.getName() or node.getOperatorName() or f"operation {code}").lower()

    def _joined(self, kind: str, parts: list[Choose]) -> Choose:
        if not parts:
            return lambda yes, no: yes if kind == "and" else no
        return reduce(lambda combined, condition: JOINED[kind](condition, combined), reversed(parts))

    def _name(self, node: Any) -> sympy.Expr:
        if self._type(node) == self._libsbml.AST_NAME_TIME:
            return self._symbols[TIME]
        if self._type(node) == self._libsbml.AST_NAME_AVOGADRO:
            return sympy.Float(AVOGADRO)
        name = node.getName()
        if name not in self._symbols:
            raise InputError(f"{self._where} names '{name}', which is not in the model", expected="an id of the model")
        return self._symbols[name]

    def _constant(self, node: Any) -> sympy.Expr:
        names = self._libsbml
        value = {names.AST_CONSTANT_PI: sympy.pi, names.AST_CONSTANT_E: sympy.E}.get(self._type(node))
        return self.condition(node)(sympy.Integer(1), sympy.Integer(0)) if value is None else value

    def _call(self, node: Any) -> tuple[Formulas, Any] | None:
        """The body of a function of the model, and its reader, in which the arguments have their values."""
        name = str(node.getName())
        if self._type(node) != self._libsbml.AST_FUNCTION or name not in self._functions:
            return None
        function = self._functions[name]
        count = function.getNumArguments()
        if function.getBody() is None or count != node.getNumChildren():
            message = f"{self._where} calls '{name}' with {node.getNumChildren()} values"
            raise InputError(message, expected=f"a function with a formula, and its {count} values")
        arguments = {function.getArgument(i).getName(): self.value(node.getChild(i)) for i in range(count)}
        others = {other: one for other, one in self._functions.items() if other != name}  # no function calls itself
        symbols = {**self._symbols, **arguments}
        reader = Formulas(self._libsbml, symbols, self._numbers, self._where, self._rate_of, self._delayed, others)
        return reader, function.getBody()

    def _apply(self, node: Any) -> sympy.Expr:
        if (call := self._call(node)) is not None:
            reader, body = call
            return reader.value(body)
        kind = self._kind(node)
        if kind == "piecewise":
            return self._piecewise(node)
        if kind == "delay":
            return self._delay(node)
        if kind == "rateof":
            return self._rate(node)
        values = [self.value(node.getChild(i)) for i in range(node.getNumChildren())]
        if kind == "factorial":
            return self._factorial(values)
        if kind == "power":
            return real(values[0] ** self._exponent(values[1]))
        return self._apply_builtin(kind, values)

    def _apply_builtin(self, kind: str, values: list[sympy.Expr]) -> sympy.Expr:
        if kind not in FUNCTIONS:
            message = f"{self._where} uses {kind}, which is not supported"
            raise InputError(message, expected="functions of docs/exchange.md")
        try:
            return real(FUNCTIONS[kind](*values))
        except TypeError:
            message = f"{self._where} uses {kind} of {len(values)} values"
            raise InputError(message, expected="the number of values that SBML defines") from None

    def _delay(self, node: Any) -> sympy.Expr:
        """The value of an expression some time ago."""
        if self._delayed is None or node.getNumChildren() != 2:
            raise InputError(f"{self._where} uses delays", expected="a model without delays")
        value, lag = (self.value(node.getChild(i)) for i in range(2))
        return self._delayed(value, lag, self._where)

    def _rate(self, node: Any) -> sympy.Expr:
        """The rate of change of an id."""
        name = str(node.getChild(0).getName()) if node.getNumChildren() == 1 else ""
        expression = self._symbols.get(name)
        if self._rate_of is None or expression is None or not expression.is_Symbol:
            message = f"{self._where} uses rateOf of {name or 'no single name'}"
            raise InputError(message, expected="rateOf of an id of the model")
        return self._rate_of(expression.name.partition(".")[2])

    def _factorial(self, values: list[sympy.Expr]) -> sympy.Expr:
        """The factorial of a constant; the engine has no factorial of a variable."""
        value = factorial(self._with_numbers(values[0])) if len(values) == 1 else None
        if value is None:
            raise InputError(
                f"{self._where} uses factorials of a value that is not constant", expected="of a whole number"
            )
        return value

    def _exponent(self, value: sympy.Expr) -> sympy.Expr:
        """A constant exponent as a number, so that a negative base can have an integer exponent."""
        constant = self._with_numbers(value)
        return number(float(constant)) if constant.is_Float or constant.is_Integer else value

    def _with_numbers(self, value: sympy.Expr) -> sympy.Expr:
        """An expression with the numbers of its constants."""
        return value.xreplace({s: number(self._numbers[s.name]) for s in value.free_symbols if s.name in self._numbers})

    def _piecewise(self, node: Any) -> sympy.Expr:
        count = node.getNumChildren()
        value = self.value(node.getChild(count - 1)) if count % 2 else sympy.Integer(0)
        for i in reversed(range(0, count - 1, 2)):
            value = self.condition(node.getChild(i + 1))(self.value(node.getChild(i)), value)
        return value
