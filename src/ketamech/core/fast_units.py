"""The units that the tables are full of, read at once: Pint, which knows all others, takes most of a second to start.

Sizes are in the canonical units hours, litres (as cubed decimetres), micromoles and kilograms. A test compares every
one of them with Pint.
"""

from __future__ import annotations

import ast
from fractions import Fraction

from ketamech.core.time_units import DAY, HOUR, MINUTE, MONTH, SECOND, WEEK, YEAR

Dims = tuple[tuple[str, Fraction], ...]
FastUnit = tuple[float, dict[str, int]]

_PREFIXES = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_WORDS = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "": 1.0}
_HOUR, _LITRE, _MOLE, _MASS = {"h": 1}, {"dm": 3}, {"umol": 1}, {"kg": 1}
_MOLAR = {"umol": 1, "dm": -3}
_TIMES = {
    SECOND / 1000: ("ms",),
    SECOND: ("s", "second", "seconds"),
    MINUTE: ("min", "minute", "minutes"),
    HOUR: ("h", "hour", "hours"),
    DAY: ("day", "days"),
    WEEK: ("week", "weeks"),
    MONTH: ("month", "months"),
    YEAR: ("year", "years"),
}
_SIZES: dict[str, FastUnit] = {
    **{name: (size, _HOUR) for size, names in _TIMES.items() for name in names},
    **{f"{p}g": (size * 1e-3, _MASS) for p, size in _PREFIXES.items()},
    **{f"{p}L": (size, _LITRE) for p, size in _PREFIXES.items()},
    **{f"{p}mol": (size * 1e6, _MOLE) for p, size in _PREFIXES.items()},
    **{f"{p}M": (size * 1e6, _MOLAR) for p, size in _PREFIXES.items()},
    **{f"{p}molar": (size * 1e6, _MOLAR) for p, size in _WORDS.items()},
    "kg": (1.0, _MASS),
    "cm": (0.1, {"dm": 1}),
    "Hz": (3600.0, {"h": -1}),
    "hertz": (3600.0, {"h": -1}),
    "percent": (0.01, {}),
    "mmHg": (1.0, {"mmHg": 1}),
    "membrane_millivolt": (1.0, {"mV": 1}),
    **{name: (1.0, {name: 1}) for name in ("points", "beats", "sessions")},
}


def fast_unit(text: str) -> tuple[float, Dims] | None:
    """Size in canonical units and dimensions of products and quotients of well-known units; None for anything else."""
    try:
        found = _read(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if found is None:
        return None
    dims = tuple(sorted((name, Fraction(power)) for name, power in found[1].items() if power))
    return found[0], dims


def _read(node: ast.expr) -> FastUnit | None:
    if isinstance(node, ast.Name):
        return _SIZES.get(node.id)
    if isinstance(node, ast.Constant) and node.value == 1 and type(node.value) is int:
        return 1.0, {}
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult | ast.Div):
        return None
    left, right = _read(node.left), _read(node.right)
    if left is None or right is None:
        return None
    times = isinstance(node.op, ast.Mult)
    size = left[0] * right[0] if times else left[0] / right[0]
    names = {**left[1], **right[1]}
    return size, {n: left[1].get(n, 0) + (1 if times else -1) * right[1].get(n, 0) for n in names}
