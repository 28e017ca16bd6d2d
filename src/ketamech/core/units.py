"""Units: text at the edges, one canonical system inside (hours, litres, micromoles, kilograms).

A `Unit` is a factor to the canonical system and the exponents of its base dimensions. Text is parsed once, at the
edges: common units from a table (Pint takes most of a second to start; a test compares every entry with Pint), all
others by Pint. Inside the program only floats and `Unit`s are used. Masses of substance stay masses until a molar mass
converts them to micromoles. Every reader of times uses the units of time and their spellings in this module (hours).
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ketamech.core.errors import InputError

SECOND, MINUTE, HOUR, DAY, WEEK = 1 / 3600, 1 / 60, 1.0, 24.0, 168.0
YEAR = 365.25 * DAY
MONTH = YEAR / 12  # 30.4375 days
LONG_UNITS = ((YEAR, "year"), (MONTH, "month"), (WEEK, "week"), (DAY, "day"))
GRAMS_PER_MOLE = 1e9  # g/mol in 1 kg/umol, the canonical unit of a molar mass
MAX_COUNT = 1e6
DECIMALS = {True: 4, False: 2}  # decimals of a short number, exact or rounded
ROUNDING_TOLERANCE = 1e-6  # relative

TIME_UNIT_SPELLINGS: dict[float, tuple[str, ...]] = {
    SECOND: ("s", "sec", "secs", "seconds"),
    MINUTE: ("min", "mins", "minute", "minutes"),
    HOUR: ("h", "hr", "hrs", "hour", "hours"),
    DAY: ("d", "day", "days"),
    WEEK: ("w", "wk", "wks", "week", "weeks"),
    MONTH: ("mo", "mos", "month", "months"),
    YEAR: ("y", "yr", "yrs", "year", "years"),
}
HOURS_PER_UNIT: dict[str, float] = {word: size for size, words in TIME_UNIT_SPELLINGS.items() for word in words}


def duration_text(hours: float, *, exact: bool = True) -> str:
    """A duration (h) as short text, e.g. "40 min", "4 weeks".

    With `exact` it reads back as the same float; otherwise the number is rounded to four digits.
    """
    short = [(MINUTE, "min"), (HOUR, "h")] if hours < HOUR else [(HOUR, "h"), (MINUTE, "min")]
    short = [(SECOND, "s"), *short] if hours < MINUTE else short
    for size, name in [*LONG_UNITS, *short] if hours >= 2 * DAY else short:
        count = round(hours / size, DECIMALS[exact]) if hours / size < MAX_COUNT else 0.0
        same = count * size == hours if exact else abs(count * size - hours) < ROUNDING_TOLERANCE * hours
        if count and same and (size < DAY or count.is_integer()):
            return f"{number_text(count)} {name}" + ("s" if size >= DAY and count != 1 else "")
    return f"{number_text(hours, exact=exact)} h"


def time_text(hours: float) -> str:
    """A time after the dose (h), as the web page writes it: 38 min, 2.3 h, 1.5 days, 12 days."""
    if not math.isfinite(hours):
        return "never"
    if abs(hours) < 0.5 * MINUTE:
        return "the start"
    if hours < 1.5:
        return f"{_half_up(60 * hours, 0)} min"
    count, name = (hours, "h") if hours < 1.5 * DAY else (hours / DAY, "days")
    return f"{_half_up(count, 1 if abs(count) < 9.95 else 0).removesuffix('.0')} {name}"


def _half_up(value: float, decimals: int) -> str:
    """A number with fixed decimals; a tie is rounded up, as in JavaScript."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def number_text(value: float, *, exact: bool = True) -> str:
    """A number as short as possible: the same float if `exact`, else rounded to four digits."""
    return repr(float(value)).removesuffix(".0") if exact else f"{value:.4g}"


Dimensions = tuple[tuple[str, Fraction], ...]
FastUnit = tuple[float, dict[str, int]]

_PREFIXES = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_LONG_PREFIXES = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "": 1.0}
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
COMMON_UNITS: dict[str, FastUnit] = {
    **{name: (size, _HOUR) for size, names in _TIMES.items() for name in names},
    **{f"{p}g": (size * 1e-3, _MASS) for p, size in _PREFIXES.items()},
    **{f"{p}L": (size, _LITRE) for p, size in _PREFIXES.items()},
    **{f"{p}mol": (size * 1e6, _MOLE) for p, size in _PREFIXES.items()},
    **{f"{p}M": (size * 1e6, _MOLAR) for p, size in _PREFIXES.items()},
    **{f"{p}molar": (size * 1e6, _MOLAR) for p, size in _LONG_PREFIXES.items()},
    "kg": (1.0, _MASS),
    "m": (10.0, {"dm": 1}),
    "cm": (0.1, {"dm": 1}),
    "Hz": (3600.0, {"h": -1}),
    "hertz": (3600.0, {"h": -1}),
    "percent": (0.01, {}),
    "mmHg": (1.0, {"mmHg": 1}),
    "membrane_millivolt": (1.0, {"mV": 1}),
    **{name: (1.0, {name: 1}) for name in ("points", "beats", "sessions")},
}

# pint base unit -> (name here, how many canonical units one pint base unit is).
# Length enters only as volume and current only as a potential: both are derived below.
_CANONICAL: dict[str, tuple[str, float]] = {
    "[time]": ("h", 1 / 3600.0),
    "[substance]": ("umol", 1e6),
    "[mass]": ("kg", 1.0),
    "[length]": ("dm", 10.0),
    "[current]": ("A", 1.0),
    "[points]": ("points", 1.0),
    "[pressure_mercury]": ("mmHg", 1.0),
    "[beats]": ("beats", 1.0),
    "[sessions]": ("sessions", 1.0),
    "[membrane_potential]": ("mV", 1.0),
}
UNIT_SPELLINGS = (
    (r"\bper\b", "/"),
    (r"/70\s*kg\b", ""),
    (r"\bpercent\b", "percent"),
    (r"µ|μ", "u"),
    (r"\bd\b", "day"),
    (r"\bmV\b", "membrane_millivolt"),
)
_NUMBERS_IN_UNITS = re.compile(r"^1(?=\s*/)|(?:\*\*|\^)\s*\(?-?\d+(?:/\d+)?\)?")  # 1/h, L**2
_PINT_DEFINITIONS = (
    "points = [points] = point", "mmHg = [pressure_mercury]", "beats = [beats] = beat",
    "sessions = [sessions] = session", "membrane_millivolt = [membrane_potential]",
)  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """A unit as `factor` canonical units with exponents `dims`, e.g. 1 L/min = 60 L/h."""

    text: str
    factor: float
    dims: Dimensions

    def same_kind(self, other: Unit) -> bool:
        """Whether the two can be added after scaling."""
        return self.dims == other.dims

    def equals(self, other: Unit) -> bool:
        """Whether both are the same unit, however it is written: ng/mL and ug/L."""
        return self.same_kind(other) and math.isclose(self.factor, other.factor, rel_tol=1e-12)

    def __mul__(self, other: Unit) -> Unit:
        return from_dimensions(combine(self.dims, other.dims, 1))

    def __truediv__(self, other: Unit) -> Unit:
        return from_dimensions(combine(self.dims, other.dims, -1))


def combine(a: Dimensions, b: Dimensions, sign: int | Fraction) -> Dimensions:
    """Dimensions of a * b**sign."""
    total = dict(a)
    for name, power in b:
        total[name] = total.get(name, Fraction(0)) + power * sign
    return tuple(sorted((name, power) for name, power in total.items() if power))


def power(dims: Dimensions, exponent: Fraction) -> Dimensions:
    """Dimensions of a quantity raised to a number."""
    return tuple((name, p * exponent) for name, p in dims if p * exponent)


def from_dimensions(dims: Dimensions) -> Unit:
    """The canonical unit with these dimensions, spelled in canonical symbols."""
    return Unit(format_dimensions(dims), 1.0, dims)


def format_dimensions(dims: Dimensions) -> str:
    """Dimensions as canonical text, e.g. umol/L or L/h."""
    folded = dict(dims)
    if "dm" in folded:
        folded["L"] = folded.pop("dm") / 3
    top = [_factor_text(n, p) for n, p in sorted(folded.items()) if p > 0]
    bottom = [_factor_text(n, -p) for n, p in sorted(folded.items()) if p < 0]
    return ("*".join(top) or "1") + "".join(f"/{part}" for part in bottom)


def _factor_text(name: str, exponent: Fraction) -> str:
    return name if exponent == 1 else f"{name}**{exponent}" if exponent.denominator == 1 else f"{name}**({exponent})"


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    for line in _PINT_DEFINITIONS:
        registry.define(line)
    return registry


@lru_cache(maxsize=4096)
def unit(text: str) -> Unit:
    """Parse a unit such as "L/min", "1/h", "umol/L", "percent", "points/h".

    Raises InputError when the text is not a unit.
    """
    cleaned = text.strip()
    if cleaned in ("1", "", "dimensionless", "fraction", "ratio"):
        return Unit(cleaned or "1", 1.0, ())
    for pattern, replacement in UNIT_SPELLINGS:
        cleaned = re.sub(pattern, replacement, cleaned)
    if re.search(r"\d", _NUMBERS_IN_UNITS.sub("", cleaned)) or cleaned.startswith((",", ".")):
        raise InputError(f"'{text}' contains a number, not only a unit", expected="a unit such as L/h, umol/L, ng/mL")
    if plain := fast_unit(cleaned.replace("^", "**")):
        return Unit(text, float(f"{plain[0]:.14g}"), plain[1])
    return parse_with_pint(text, cleaned)


def fast_unit(text: str) -> tuple[float, Dimensions] | None:
    """Factor and dimensions of products and quotients of common units; None for anything else."""
    try:
        evaluated = _evaluate_unit(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if evaluated is None:
        return None
    dims = tuple(sorted((name, Fraction(power)) for name, power in evaluated[1].items() if power))
    return evaluated[0], dims


def _evaluate_unit(node: ast.expr) -> FastUnit | None:
    if isinstance(node, ast.Name):
        return COMMON_UNITS.get(node.id)
    if isinstance(node, ast.Constant) and node.value == 1 and type(node.value) is int:
        return 1.0, {}
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult | ast.Div | ast.Pow):
        return None
    left = _evaluate_unit(node.left)
    if isinstance(node.op, ast.Pow):
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        if left is None or type(power) is not int or power >= 10:
            return None
        return left[0] ** power, {name: size * power for name, size in left[1].items()}
    right = _evaluate_unit(node.right)
    if left is None or right is None:
        return None
    times = isinstance(node.op, ast.Mult)
    size = left[0] * right[0] if times else left[0] / right[0]
    names = {**left[1], **right[1]}
    return size, {n: left[1].get(n, 0) + (1 if times else -1) * right[1].get(n, 0) for n in names}


def parse_with_pint(text: str, cleaned: str) -> Unit:
    """The unit of a text without blanks around it, by Pint. Raises InputError."""
    try:
        quantity = _registry().parse_expression(cleaned)
        base = (1.0 * quantity).to_base_units()
        return _canonical(text, float(base.magnitude), base.dimensionality)
    except Exception as problem:
        what = f"'{text}' is not a unit"
        raise InputError(what, expected="a unit such as L/h, umol/L, ng/mL, 1/min, percent, points, mmHg") from problem


def _canonical(text: str, magnitude: float, dimensionality: Any) -> Unit:
    factor, dims = magnitude, {}
    for base, exponent in dimensionality.items():
        name, size = _CANONICAL[base]
        # pint's base units are metre, second, kilogram, mole, ampere: `size` canonical units each
        factor *= size ** float(exponent)
        dims[name] = Fraction(exponent).limit_denominator(12)
    return Unit(text, float(f"{factor:.14g}"), tuple(sorted(dims.items())))


def convert(value: float, source: str, target: str, *, molar_mass: float | None = None) -> float:
    """`value` in `source` units expressed in `target` units; `molar_mass` (g/mol) converts between mass and amount.

    Raises InputError when the two are different kinds of quantity.
    """
    a, b = unit(source), unit(target)
    if a.same_kind(b):
        return value * a.factor / b.factor
    if molar_mass is not None:
        per_kilogram = GRAMS_PER_MOLE / molar_mass  # umol in a kilogram
        for sign in (1, -1):
            if combine(a.dims, (("kg", Fraction(-1)), ("umol", Fraction(1))), sign) == b.dims:
                return value * a.factor * per_kilogram**sign / b.factor
    hint = "the molar mass, to convert between mass and moles" if molar_mass is None else "the same kind of quantity"
    raise InputError(f"cannot convert {source} to {target}", expected=hint)
