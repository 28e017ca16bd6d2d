"""The equations with every output substituted: slow, simple, and a second method for tests and export."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy

from ketamech.model.stage import symbol
from ketamech.model.system import System


def plain_function(system: System) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """f(state vector, input vector) -> rates, evaluated by NumPy from the substituted equations."""
    return plain_values(system, system.rates)


def plain_values(system: System, wanted: Sequence[sympy.Expr]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """f(state vector, input vector) -> values of any expressions in the names of the system."""
    names = [*system.state_names, *system.inputs]
    plain_symbols = {symbol(name): sympy.Symbol(f"v{i}") for i, name in enumerate(names)}
    replacements = {**plain_symbols, sympy.zoo: sympy.oo}  # 1 / 0, once constants stand in place of their names
    plain = [expression.xreplace(replacements) for expression in _substituted(system, wanted)]
    evaluate = sympy.lambdify(list(plain_symbols.values()), plain, modules=[NUMPY, "numpy"], cse=True)
    return lambda y, p: np.array(evaluate(*y, *p), dtype=float)


def _substituted(system: System, wanted: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
    known: dict[sympy.Symbol, sympy.Expr] = {}
    for output in system.outputs:
        known[symbol(output.name)] = output.expression.xreplace(known)
    return tuple(expression.xreplace(known) for expression in wanted)


def _hill(x: float, half: float, n: float) -> float:
    return 0.0 if x <= 0 else 1.0 / (1.0 + (half / x) ** n)


def _hill_slope(x: float, half: float, n: float) -> float:
    if x <= 0:
        return 1.0 / half if n == 1 and x == 0 else 0.0
    share = _hill(x, half, n)
    return n / x * share * (1 - share)


def _where_positive(x: float, yes: float, no: float) -> float:
    return np.float64(yes if x > 0 else no)  # not Python's own number, which dividing by 0 would stop


NUMPY = {"hill": _hill, "hill_slope": _hill_slope, "select_positive": _where_positive, "floor_": np.floor}
