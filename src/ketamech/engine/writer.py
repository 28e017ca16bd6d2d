"""Writes a system out as the source of a compiled kernel: straight-line arithmetic on flat arrays.

What depends on parameters alone is computed once per patient by `prepare`; the rest by `rates`, `jacobian`, `observe`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence

import sympy
from sympy.printing.pycode import PythonCodePrinter

from ketamech.engine import mathematics, rosenbrock, settling
from ketamech.engine.elimination import Elimination, eliminate
from ketamech.stages.declaration import symbol
from ketamech.system import Derivatives, System, derivatives

Assignment = tuple[str, sympy.Expr]
HEADER = '''"""Generated from the equations of KetaMech; do not edit."""

import math

import numpy as np
from numba import njit

'''


class _Printer(PythonCodePrinter):
    """SymPy to Python, with symbols replaced by places in arrays and small powers by products."""

    def __init__(self, places: Mapping[str, str]) -> None:
        super().__init__(
            {"fully_qualified_modules": True, "user_functions": {"hill": "hill", "hill_slope": "hill_slope"}}
        )
        self.places = places

    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        return self.places.get(expr.name, expr.name)

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return f"{int(expr)}.0"

    def _print_Rational(self, expr: sympy.Rational) -> str:
        return f"({int(expr.p)}.0/{int(expr.q)}.0)"

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:
        base, exponent = expr.as_base_exp()
        text = self._print(base)
        if exponent.is_Integer and 1 < abs(int(exponent)) <= 4:
            product = "*".join([f"({text})"] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0/({product}))"
        if exponent == -1:
            return f"(1.0/({text}))"
        if exponent == sympy.Rational(1, 2):
            return f"math.sqrt({text})"
        if exponent == -sympy.Rational(1, 2):
            return f"(1.0/math.sqrt({text}))"
        return f"({text})**({self._print(exponent)})"


def write_kernel(system: System) -> str:
    """The whole kernel as Python source: equations of this system, then the method."""
    slopes = derivatives(system)
    program = _Program(system)
    parts = [HEADER, _source(mathematics.hill), _source(mathematics.hill_slope)]
    parts += [
        program.function("rates", _offers(system), _targets("f", system.rates)),
        program.function(
            "observe", _offers(system), [(f"out[{i}]", symbol(o.name)) for i, o in enumerate(system.watched)]
        ),
    ]
    factors = eliminate(len(system.states), slopes.entries)
    parts.append(program.function("jacobian", [*_offers(system), *_slopes(slopes)], _entries(slopes)))
    parts.insert(3, program.prepare())
    parts += [_factorise(slopes, factors), _substitute(factors)]
    sizes = (
        f"N_CONSTANTS, N_OFFERS = {program.size}, {max(1, len(system.watched))}\n"
        f"N_JACOBIAN, N_FACTORS = {max(1, len(slopes.entries))}, {len(factors.slots)}\n"
        f"PATTERN = {tuple(slopes.entries)!r}\n"
    )
    constants = "\n".join(f"{name} = {getattr(rosenbrock, name)!r}" for name in _METHOD_CONSTANTS)
    parts += [sizes + constants + "\n\n", *(_source(getattr(rosenbrock, name)) for name in _METHOD)]
    parts += [_source(getattr(settling, name)) for name in ("newton", "settle", "settle_all")]
    return "\n".join(parts)


_METHOD = ("stage_slope", "attempt", "step_error", "dense", "stretch", "follow", "follow_all", "watch_all")
_METHOD_CONSTANTS = (
    "OK",
    "TOO_MANY_STEPS",
    "NOT_FINITE",
    "STEP_TOO_SMALL",
    "GAMMA",
    "MAX_GROWTH",
    "MIN_GROWTH",
    "SAFETY",
)
_RELEASED = ("follow_all", "watch_all", "settle_all")


def _source(function: object) -> str:
    text = inspect.getsource(function)  # type: ignore[arg-type]
    released = ", nogil=True" if getattr(function, "__name__", "") in _RELEASED else ""
    return f'@njit(cache=True, error_model="numpy"{released})\n{text}\n'


def _offers(system: System) -> list[Assignment]:
    return [(offer.name, offer.expression) for offer in system.offers]


def _slopes(slopes: Derivatives) -> list[Assignment]:
    return [(name.name, expression) for name, expression in slopes.slopes]


def _targets(array: str, expressions: Sequence[sympy.Expr]) -> list[Assignment]:
    return [(f"{array}[{i}]", expression) for i, expression in enumerate(expressions)]


def _entries(slopes: Derivatives) -> list[Assignment]:
    return _targets("jac", list(slopes.entries.values()))


class _Program:
    """Collects what can be prepared once and prints the functions that use it."""

    def __init__(self, system: System) -> None:
        self.places = {name: f"y[{i}]" for i, name in enumerate(system.state_names)}
        self.inputs = {name: f"p[{i}]" for i, name in enumerate(system.inputs)}
        self.constants: dict[sympy.Expr, str] = {}
        self._needed: list[tuple[str, sympy.Expr]] = []

    @property
    def size(self) -> int:
        return max(1, len(self._needed))

    def function(self, name: str, steps: Sequence[Assignment], targets: Sequence[Assignment]) -> str:
        """One straight-line function: shared sub-expressions first, then the targets."""
        argument = {"rates": "f", "observe": "out", "jacobian": "jac"}[name]
        lines = self._lines(list(steps), list(targets))
        body = "\n".join(f"    {line}" for line in lines) or "    pass"
        return f'@njit(cache=True, error_model="numpy")\ndef {name}(y, q, {argument}):\n{body}\n\n'

    def _lines(self, steps: list[Assignment], targets: list[Assignment]) -> list[str]:
        reached = _reachable(steps, targets)
        steps = [step for step in steps if step[0] in reached]
        expressions = [expression for _, expression in (*steps, *targets)]
        shared, reduced = sympy.cse(expressions, symbols=sympy.numbered_symbols("x"), order="none")
        assignments = [(s.name, e) for s, e in shared]
        assignments += [(name, e) for (name, _), e in zip(steps, reduced, strict=False)]
        ordered = _sorted(assignments)
        places, lines = dict(self.places), []
        printer = _Printer(places)
        for i, (name, expression) in enumerate(ordered):
            if self._is_constant(expression, places):
                places[name] = self._prepared(expression, places)
                continue
            lines.append(f"t{i} = {printer.doprint(self._hoist(expression, places))}")
            places[name] = f"t{i}"
        for (name, _), expression in zip(targets, reduced[len(steps) :], strict=True):
            lines.append(f"{name} = {printer.doprint(self._hoist(expression, places))}")
        return lines

    def _is_constant(self, expression: sympy.Expr, places: Mapping[str, str]) -> bool:
        return all(self._is_input(s.name, places) for s in expression.free_symbols)

    def _is_input(self, name: str, places: Mapping[str, str]) -> bool:
        return name in self.inputs or places.get(name, "").startswith("q[")

    def _hoist(self, expression: sympy.Expr, places: dict[str, str]) -> sympy.Expr:
        """Replace every parameter-only part by a place in the prepared array."""
        if expression.is_Number:
            return expression
        if not expression.free_symbols:
            return expression
        if self._is_constant(expression, places):
            return sympy.Symbol(self._prepared(expression, places))
        if expression.is_Symbol:
            return expression
        if expression.is_Mul or expression.is_Add:
            fixed = [a for a in expression.args if a.free_symbols and self._is_constant(a, places)]
            numbers = [a for a in expression.args if not a.free_symbols]
            moving = [a for a in expression.args if a.free_symbols and not self._is_constant(a, places)]
            if fixed:
                constant = sympy.Symbol(self._prepared(expression.func(*fixed, *numbers), places))
                numbers = [constant]
            return expression.func(*numbers, *(self._hoist(a, places) for a in moving), evaluate=False)
        return expression.func(*(self._hoist(a, places) for a in expression.args))

    def _prepared(self, expression: sympy.Expr, places: Mapping[str, str]) -> str:
        back = {place: sympy.Symbol(place) for place in places.values() if place.startswith("q[")}
        written = expression.xreplace(
            {s: back[places[s.name]] for s in expression.free_symbols if places.get(s.name, "") in back}
        )
        if written.is_Symbol and written.name.startswith("q["):
            return written.name
        if written not in self.constants:
            self.constants[written] = f"q[{len(self._needed)}]"
            self._needed.append((self.constants[written], written))
        return self.constants[written]

    def prepare(self) -> str:
        """The function that fills the prepared array of one patient from the inputs."""
        printer = _Printer(self.inputs)
        lines = [f"    {place} = {printer.doprint(expression)}" for place, expression in self._needed] or ["    pass"]
        return '@njit(cache=True, error_model="numpy")\ndef prepare(p, q):\n' + "\n".join(lines) + "\n\n"


def _reachable(steps: Sequence[Assignment], targets: Sequence[Assignment]) -> set[str]:
    by_name = dict(steps)
    waiting = {s.name for _, expression in targets for s in expression.free_symbols}
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            waiting |= {s.name for s in by_name[name].free_symbols}
    return reached


def _sorted(assignments: Iterable[Assignment]) -> list[Assignment]:
    """Assignments so that each comes after those it uses."""
    waiting = dict(assignments)
    ordered: list[Assignment] = []
    placed: set[str] = set()

    def place(name: str) -> None:
        stack = [(name, iter(sorted(s.name for s in waiting[name].free_symbols)))]
        while stack:
            current, needs = stack[-1]
            for need in needs:
                if need in waiting and need not in placed:
                    stack.append((need, iter(sorted(s.name for s in waiting[need].free_symbols))))
                    break
            else:
                stack.pop()
                if current not in placed:
                    placed.add(current)
                    ordered.append((current, waiting[current]))

    for name in waiting:
        if name not in placed:
            place(name)
    return ordered


def _factorise(slopes: Derivatives, factors: Elimination) -> str:
    """Fill shift * I - J into the factor array and eliminate, all unrolled."""
    place = {entry: k for k, entry in enumerate(slopes.entries)}
    lines = []
    for (r, c), slot in factors.slots.items():
        value = f"-jac[{place[r, c]}]" if (r, c) in place else "0.0"
        lines.append(f"lu[{slot}] = {f'shift{value}' if r == c and (r, c) in place else 'shift' if r == c else value}")
    for pivot, rows in factors.updates:
        diagonal = factors.slots[pivot, pivot]
        lines.append(f"lu[{diagonal}] = 1.0/lu[{diagonal}]")
        for multiplier, pairs in rows:
            lines.append(f"lu[{multiplier}] *= lu[{diagonal}]")
            lines += [f"lu[{target}] -= lu[{multiplier}]*lu[{source}]" for target, source in pairs]
    body = "\n".join(f"    {line}" for line in lines)
    return f'@njit(cache=True, error_model="numpy")\ndef factorise(jac, shift, lu):\n{body}\n\n'


def _substitute(factors: Elimination) -> str:
    """Solve with the factors in place: forward through the multipliers, back through the rows."""
    lines = []
    for pivot in factors.order:
        lines += [f"b[{r}] -= lu[{factors.slots[r, pivot]}]*b[{pivot}]" for r in factors.columns[pivot]]
    for pivot in reversed(factors.order):
        terms = "".join(f" - lu[{factors.slots[pivot, c]}]*b[{c}]" for c in factors.rows[pivot])
        lines.append(f"b[{pivot}] = (b[{pivot}]{terms})*lu[{factors.slots[pivot, pivot]}]")
    body = "\n".join(f"    {line}" for line in lines)
    return f'@njit(cache=True, error_model="numpy")\ndef substitute(lu, b):\n{body}\n\n'
