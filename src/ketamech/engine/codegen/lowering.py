"""From SymPy expressions to instructions: fused multiply-add, powers as products, one division per term."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy

from ketamech.engine.codegen.ir import Instruction, Operand, Slot
from ketamech.model.functions import hill, hill_slope

MAX_FACTORS = 4  # largest power written as a chain of products; a larger one is a product of squares
MAX_EXPONENT = 300.0  # of exp in a derivative: the square of exp(300) is finite


class unfused_exp(sympy.Function):  # noqa: N801  (reads as a function)
    """exp, distinct from SymPy's own so that exp(n log x) is not folded back into a power."""

    nargs = 1


class unfused_log(sympy.Function):  # noqa: N801
    """log, distinct from SymPy's own."""

    nargs = 1


class select_positive(sympy.Function):  # noqa: N801
    """Second argument where the first is above 0, else the third."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Derivative on either side; the jump between them has none."""
        if argindex == 1:
            return sympy.S.Zero
        return select_positive(self.args[0], *((1, 0) if argindex == 2 else (0, 1)))


class floor_(sympy.Function):  # noqa: N801
    """The largest integer that is not above the argument."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Zero between the jumps, which have no derivative."""
        return sympy.S.Zero


INSTRUCTIONS = {
    "unfused_exp": "exp", "unfused_log": "log", "select_positive": "if_positive", "floor_": "floor",
    "sin": "sin", "cos": "cos", "atan": "atan",
}  # fmt: skip


def bound_exponents(derivative: sympy.Expr) -> sympy.Expr:
    """A derivative with every exp of at most MAX_EXPONENT: a logistic curve has the slope exp(x) / (1 + exp(x))^2.

    Without the bound, infinity is divided by infinity where the curve is flat.
    """
    return derivative.replace(lambda part: isinstance(part, sympy.exp) and bool(part.free_symbols), _bounded_exp)


def _bounded_exp(expression: sympy.Expr) -> sympy.Expr:
    x = expression.args[0]
    return sympy.exp(select_positive(x - MAX_EXPONENT, sympy.Float(MAX_EXPONENT), x))


def expand_functions(expression: sympy.Expr) -> sympy.Expr:
    """Hill functions and powers in terms of exp, log and selections, so that common subexpressions can be found."""
    return expression.replace(hill, _hill).replace(hill_slope, _hill_slope).replace(_needs_log, _power)


def _curve(x: sympy.Expr, half: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
    if n == 1:
        return x / (x + half)
    return 1 / (1 + unfused_exp(n * unfused_log(half) - n * unfused_log(x)))


def _hill(x: sympy.Expr, half: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
    return select_positive(x, _curve(x, half, n), sympy.S.Zero)


def _hill_slope(x: sympy.Expr, half: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
    """n x^(n-1) half^n / (x^n + half^n)^2; share / x first, so that a vanishing x cannot give 0 times infinity."""
    if n == 1:
        return select_positive(-x, sympy.S.Zero, half / (x + half) ** 2)
    share = _curve(x, half, n)
    return select_positive(x, share / x * (n * (1 - share)), sympy.S.Zero)


def _needs_log(expression: sympy.Expr) -> bool:
    if isinstance(expression, sympy.exp | sympy.log):
        return True
    return bool(expression.is_Pow) and not (expression.exp.is_Integer or abs(expression.exp) == sympy.S.Half)


def _power(expression: sympy.Expr) -> sympy.Expr:
    if isinstance(expression, sympy.exp):
        return unfused_exp(expression.args[0])
    if isinstance(expression, sympy.log):
        return unfused_log(expression.args[0])
    return unfused_exp(expression.exp * unfused_log(expression.base))


class Lowering:
    """Writes expressions as instructions; `operands` {symbol name: operand} holds the values of symbols."""

    def __init__(self, operands: Mapping[str, Operand]) -> None:
        self.operands = dict(operands)
        self.ops: list[Instruction] = []
        self._known: dict[tuple[str, tuple[Operand, ...]], str] = {}

    def assign(self, target: Slot | str, expression: sympy.Expr) -> None:
        """Store the value of an expression in a slot, or give it a name."""
        self.ops.append(Instruction(target, "copy", (self.value(expression),)))

    def value(self, expression: sympy.Expr) -> Operand:
        """Instructions for an expression; returns the operand of its value."""
        if expression.is_Symbol:
            return self.operands[expression.name]
        if expression.is_Number or expression.is_NumberSymbol:
            return float(expression)
        if expression is sympy.zoo:
            return math.inf  # 1 / 0, after substitution of constants
        if expression.is_Add:
            return self._sum(expression)
        if expression.is_Mul or expression.is_Pow:
            return self._quotient(expression)
        return self._function(expression)

    def _emit(self, kind: str, *arguments: Operand) -> str:
        key = (kind, arguments)
        if key not in self._known:
            self._known[key] = f"t{len(self._known)}"
            self.ops.append(Instruction(self._known[key], kind, arguments))
        return self._known[key]

    def _sum(self, expression: sympy.Expr) -> Operand:
        plain, products = list[sympy.Expr](), list[sympy.Expr]()
        for term in expression.args:
            (products if _is_product(term) else plain).append(term)
        total = self._plain_sum(plain) if plain else None
        for term in products:
            total = self._accumulate(total, term)
        assert total is not None
        return total

    def _plain_sum(self, terms: list[sympy.Expr]) -> Operand:
        ordered = sorted(terms, key=_is_negative)  # a stable sort: positive terms first, then negative ones
        first = ordered[0]
        total = self._emit("neg", self.value(-first)) if _is_negative(first) else self.value(first)
        for term in ordered[1:]:
            if _is_negative(term):
                total = self._emit("sub", total, self.value(-term))
            else:
                total = self._emit("add", total, self.value(term))
        return total

    def _accumulate(self, total: Operand | None, term: sympy.Expr) -> Operand:
        if total is None:
            return self.value(term)
        *first, last = _drop_unit_factor(-term if _is_negative(term) else term)
        kind = "fnma" if _is_negative(term) else "fma"
        return self._emit(kind, self._product(first), self.value(last), total)

    def _quotient(self, expression: sympy.Expr) -> Operand:
        above, below = [], []
        for factor in sympy.Mul.make_args(expression):
            base, exponent = factor.as_base_exp()
            if exponent.is_Number and exponent < 0:
                below.append(sympy.Pow(base, -exponent, evaluate=False) if exponent != -1 else base)
            else:
                above.append(factor)
        if above and above[0] == -1:
            rest = self._fraction(above[1:], below)
            return self._emit("neg", rest)
        return self._fraction(above, below)

    def _fraction(self, above: list[sympy.Expr], below: list[sympy.Expr]) -> Operand:
        top = self._product(above)
        return self._emit("div", top, self._product(below)) if below else top

    def _product(self, factors: list[sympy.Expr]) -> Operand:
        if not factors:
            return 1.0
        total = self._factor(factors[0])
        for factor in factors[1:]:
            total = self._emit("mul", total, self._factor(factor))
        return total

    def _factor(self, factor: sympy.Expr) -> Operand:
        if not factor.is_Pow:
            return self.value(factor)
        base, exponent = factor.args
        if exponent == sympy.S.Half:
            return self._emit("sqrt", self.value(base))
        if exponent.is_Integer and exponent >= 1:
            return self._integer_power(base, int(exponent))
        if exponent.is_Number and exponent < 0:
            return self._emit("div", 1.0, self._factor(sympy.Pow(base, -exponent, evaluate=False)))
        return self.value(unfused_exp(exponent * unfused_log(base)))

    def _integer_power(self, base: sympy.Expr, exponent: int) -> Operand:
        """An integer power by multiplication, exact in sign also for a negative base."""
        if exponent <= MAX_FACTORS:
            return self._product([base] * exponent)
        square, total = self.value(base), None
        while exponent:
            if exponent % 2:
                total = square if total is None else self._emit("mul", total, square)
            exponent //= 2
            square = self._emit("mul", square, square) if exponent else square
        assert total is not None
        return total

    def _function(self, expression: sympy.Expr) -> Operand:
        arguments = [self.value(argument) for argument in expression.args]
        name = INSTRUCTIONS.get(expression.func.__name__)
        if name is None:
            raise NotImplementedError(f"no instruction for {expression.func.__name__}")
        return self._emit(name, *arguments)


def _is_negative(term: sympy.Expr) -> bool:
    return bool(term.could_extract_minus_sign()) and term.is_Mul and term.args[0] == -1


def _is_product(term: sympy.Expr) -> bool:
    """A product without a division: it can be folded into an addition."""
    if not term.is_Mul:
        return False
    factors = _drop_unit_factor(-term if _is_negative(term) else term)
    return len(factors) > 1 and not any(f.is_Pow and f.exp.is_Number and f.exp < 0 for f in factors)


def _drop_unit_factor(term: sympy.Expr) -> list[sympy.Expr]:
    return list(term.args) if term.is_Mul else [term]
