"""What the functions of MathML are in SymPy: numbers in, a number out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy

from ketamech.engine.codegen.lowering import floor_, select_positive

MAX_FACTORIAL = 170  # that of a larger number is beyond what a double can hold
Choose = Callable[[sympy.Expr, sympy.Expr], sympy.Expr]


def number(value: float) -> sympy.Expr:
    """A number; a whole one exactly."""
    return sympy.Integer(int(value)) if float(value).is_integer() and abs(value) < 2**31 else sympy.Float(value)


def choice(x: sympy.Expr, yes: sympy.Expr, no: sympy.Expr) -> sympy.Expr:
    """`yes` where x is above 0, else `no`; decided at once where x is a number."""
    if x.is_Number:
        return yes if x is not sympy.nan and x > 0 else no
    return select_positive(x, yes, no)


def unless_equal(x: sympy.Expr, y: sympy.Expr) -> Choose:
    """The first of two where x and y differ, else the second."""
    return lambda yes, no: choice(x - y, yes, choice(y - x, yes, no))


def real(value: sympy.Expr) -> sympy.Expr:
    """A value as a processor has it: infinite or not a number where mathematics leaves the real numbers."""
    value = value.xreplace({sympy.zoo: sympy.oo})
    if value.has(sympy.I) or (value.is_number and value.is_extended_real is False):
        return sympy.nan
    return value.replace(sympy.Abs, _size) if value.has(sympy.Abs) else value


def factorial(x: sympy.Expr) -> sympy.Expr | None:
    """Of a whole number; None of anything else."""
    if not x.is_Number or not float(x).is_integer() or x < 0:
        return None
    return sympy.oo if x > MAX_FACTORIAL else number(float(sympy.factorial(int(x))))


def _size(x: sympy.Expr) -> sympy.Expr:
    return choice(x, x, -x)


def _larger(*values: sympy.Expr) -> sympy.Expr:
    found = values[0] if values else -sympy.oo
    for y in values[1:]:
        found = choice(found - y, found, y)
    return found


def _smaller(*values: sympy.Expr) -> sympy.Expr:
    found = values[0] if values else sympy.oo
    for y in values[1:]:
        found = choice(y - found, found, y)
    return found


def _minus(x: sympy.Expr, y: sympy.Expr | None = None) -> sympy.Expr:
    return -x if y is None else x - y


def _over(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
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
    return sympy.pi if x == -1 else 2 * sympy.atan(sympy.sqrt(_over(1 - x, 1 + x)))


def _floor(x: sympy.Expr) -> sympy.Expr:
    return sympy.floor(x) if x.is_Number else floor_(x)


def _quotient(x: sympy.Expr, y: sympy.Expr) -> sympy.Expr:
    """Towards 0."""
    ratio = _over(x, y)
    return choice(ratio, _floor(ratio), -_floor(-ratio))


FUNCTIONS: Mapping[str, Callable[..., sympy.Expr]] = {
    "plus": lambda *parts: sympy.Add(*parts),
    "times": lambda *parts: sympy.Mul(*parts),
    "minus": _minus,
    "divide": _over,
    "exp": sympy.exp,
    "ln": _log,
    "log": lambda base, x: _over(_log(x), _log(base)),
    "log10": lambda base, x: _over(_log(x), _log(base)),
    "root": lambda degree, x: x ** (1 / degree),
    "sqrt": lambda degree, x: x ** (1 / degree),
    "abs": _size,
    "max": _larger,
    "min": _smaller,
    "floor": _floor,
    "ceil": lambda x: -_floor(-x),
    "ceiling": lambda x: -_floor(-x),
    "quotient": _quotient,
    "rem": lambda x, y: x - y * _quotient(x, y),
    "sin": _sin,
    "cos": _cos,
    "tan": lambda x: _over(_sin(x), _cos(x)),
    "sec": lambda x: _over(sympy.Integer(1), _cos(x)),
    "csc": lambda x: _over(sympy.Integer(1), _sin(x)),
    "cot": lambda x: _over(_cos(x), _sin(x)),
    "arcsin": _arcsin,
    "arccos": _arccos,
    "arctan": sympy.atan,
    "arcsec": lambda x: _arccos(_over(sympy.Integer(1), x)),
    "arccsc": lambda x: _arcsin(_over(sympy.Integer(1), x)),
    "arccot": lambda x: sympy.atan(_over(sympy.Integer(1), x)),
    "sinh": lambda x: (sympy.exp(x) - sympy.exp(-x)) / 2,
    "cosh": lambda x: (sympy.exp(x) + sympy.exp(-x)) / 2,
    "tanh": lambda x: 1 - 2 / (sympy.exp(2 * x) + 1),
    "sech": lambda x: 2 / (sympy.exp(x) + sympy.exp(-x)),
    "csch": lambda x: 2 / (sympy.exp(x) - sympy.exp(-x)),
    "coth": lambda x: 1 + 2 / (sympy.exp(2 * x) - 1),
    "arcsinh": lambda x: _log(x + sympy.sqrt(x**2 + 1)),
    "arccosh": lambda x: _log(x + sympy.sqrt(x**2 - 1)),
    "arctanh": lambda x: _log((1 + x) / (1 - x)) / 2,
    "arccoth": lambda x: _log((x + 1) / (x - 1)) / 2,
    "arccsch": lambda x: _log(1 / x + sympy.sqrt(1 / x**2 + 1)),
    "arcsech": lambda x: _log(1 / x + sympy.sqrt(1 / x**2 - 1)),
}
