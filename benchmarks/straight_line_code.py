"""The equations of a system as straight-line arithmetic, ready to be printed in another program's language.

What depends on a patient's inputs alone is set apart and computed once, and shared parts are computed once a call:
every peer gets equations as lean as our own engine's. A slice leaves out the same states as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy

from ketamech.model.assemble import topological_order
from ketamech.model.functions import hill, hill_slope
from ketamech.model.stage import Output, symbol
from ketamech.model.system import System

Assignment = tuple[sympy.Symbol, sympy.Expr]
MAX_PRODUCT = 4  # largest whole power that is written as a product


class unexpanded_hill(sympy.Function):  # noqa: N801  (reads as a function in an equation)
    """Hill saturation, its constant part apart: 1 / (1 + exp(w - n log x)) with w = n log half; 0 at and below 0."""

    nargs = 3


class SmallPowers:
    """For printers of SymPy: numbers as decimals, whole powers up to the fourth as products, others as functions.

    `root` and `power` are the texts of a square root and of a power in the language of the printer.
    """

    root, power = "sqrt({base})", "pow({base}, {exponent})"

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return f"{int(expr)}.0"

    def _print_Float(self, expr: sympy.Float) -> str:
        return repr(float(expr))

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:
        base, exponent = self._print(expr.base), expr.exp  # type: ignore[attr-defined]
        if exponent.is_Integer and abs(int(exponent)) <= MAX_PRODUCT:
            product = "*".join([f"({base})"] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0/({product}))"
        if exponent == sympy.S.Half:
            return self.root.format(base=base)
        return self.power.format(base=base, exponent=self._print(exponent))  # type: ignore[attr-defined]


@dataclass
class Program:
    """Collects what can be prepared once per patient while straight-line parts are written.

    Symbols: `y{i}` states, `p{i}` inputs, `q{i}` prepared values, `v{i}` what is computed at every call.
    """

    system: System
    prepared: list[Assignment] = field(default_factory=list)
    _known: dict[sympy.Expr, sympy.Symbol] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self.places = {symbol(n): sympy.Symbol(f"y{i}") for i, n in enumerate(self.system.state_names)}
        self.places |= {symbol(n): sympy.Symbol(f"p{i}") for i, n in enumerate(self.system.inputs)}
        self._inputs = {sympy.Symbol(f"p{i}") for i in range(len(self.system.inputs))}
        self._fixed = set(self._inputs)

    def lines(
        self, targets: Sequence[sympy.Expr], extra: Sequence[Assignment] = ()
    ) -> tuple[list[Assignment], list[sympy.Expr]]:
        """Assignments in order, and what is left of each target once they are made.

        `extra` are intermediate results beyond the offers that targets may use.
        """
        steps = [(symbol(offer.name), offer.expression) for offer in self.system.outputs] + list(extra)
        steps = _reached(steps, targets)
        written = [_plain(expression) for _, expression in steps] + [_plain(target) for target in targets]
        shared, reduced = sympy.cse(written, symbols=sympy.numbered_symbols("shared"), order="none")
        assigned = dict(shared) | dict(zip((name for name, _ in steps), reduced, strict=False))
        places, made = dict(self.places), []
        needs = {name: sorted(e.free_symbols, key=lambda s: s.name) for name, e in assigned.items()}
        for name in topological_order(needs):
            expression = self._lean(assigned[name].xreplace(places))
            if expression.is_Symbol or expression.is_Number:
                places[name] = expression
                continue
            places[name] = sympy.Symbol(f"v{self._count}")
            self._count += 1
            made.append((places[name], expression))
        return made, [self._lean(target.xreplace(places)) for target in reduced[len(steps) :]]

    def _lean(self, expression: sympy.Expr) -> sympy.Expr:
        """The expression with every part that is fixed for a patient replaced by a prepared value."""
        if not expression.args and expression not in self._inputs:
            return expression
        if expression.free_symbols <= self._fixed:
            return self._prepare(expression) if expression.free_symbols else expression
        if expression.is_Add or expression.is_Mul:
            fixed = [part for part in expression.args if part.free_symbols <= self._fixed]
            moving = [self._lean(part) for part in expression.args if not part.free_symbols <= self._fixed]
            constant = [self._lean(expression.func(*fixed))] if fixed else []
            return expression.func(*constant, *moving)
        return expression.func(*(self._lean(part) for part in expression.args))

    def _prepare(self, expression: sympy.Expr) -> sympy.Symbol:
        if expression not in self._known:
            name = sympy.Symbol(f"q{len(self.prepared)}")
            self._known[expression] = name
            self._fixed.add(name)
            self.prepared.append((name, expression))
        return self._known[expression]


def _plain(expression: sympy.Expr) -> sympy.Expr:
    """Hill functions and their slopes written through `rise`."""
    expression = expression.replace(hill, lambda x, half, n: unexpanded_hill(x, n, n * sympy.log(half)))
    return expression.replace(hill_slope, _slope)


def _slope(x: sympy.Expr, half: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
    """d hill / d x. At x = 0 it reads 0: a Jacobian may be a little wrong, rates may not."""
    share = unexpanded_hill(x, n, n * sympy.log(half))
    return n * share * (1 - share) / sympy.Max(x, sympy.Float(1e-300))


def _reached(steps: Sequence[Assignment], targets: Iterable[sympy.Expr]) -> list[Assignment]:
    """The steps that the targets need, in their order."""
    wanted = {name for target in targets for name in target.free_symbols}
    kept = []
    for name, expression in reversed(steps):
        if name in wanted:
            wanted |= expression.free_symbols
            kept.append((name, expression))
    return kept[::-1]


def text_of(printer: Any) -> Callable[[sympy.Expr], str]:
    """A printer's own text for one expression, on one line."""
    return lambda expression: str(printer.doprint(expression))


def part_of(system: System, states: Sequence[int], absent: Sequence[int], outputs: Sequence[str]) -> System:
    """The equations of some of the states; the `absent` ones (indices) are 0."""
    gone = {symbol(system.state_names[i]): sympy.S.Zero for i in absent}
    kept = {system.state_names[i] for i in states}

    def without(expression: sympy.Expr) -> sympy.Expr:
        return expression.xreplace(gone).replace(lambda part: part.func == hill and part.args[0] == 0, _zero)

    fluxes = tuple(replace(flux, term=without(flux.term)) for flux in system.fluxes if flux.state in kept)
    reached = {*map(symbol, outputs)}.union(*(flux.term.free_symbols for flux in fluxes))
    written: list[Output] = []
    for output in reversed(system.outputs):
        if symbol(output.name) in reached:
            written.append(replace(output, expression=without(output.expression)))
            reached |= written[-1].expression.free_symbols
    baselines = tuple(name for name in system.baseline_names if symbol(f"rest({name})") in reached)
    chosen = tuple(system.states[i] for i in states)
    return replace(system, states=chosen, outputs=tuple(written[::-1]), fluxes=fluxes, baseline_names=baselines)


def _zero(expression: sympy.Expr) -> sympy.Expr:
    return sympy.S.Zero
