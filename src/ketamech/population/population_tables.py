"""The tables from which virtual patients are drawn, and the distributions in them, which are written as text.

"normal 33 5 in 20 56" is a mean and an SD before the bounds cut the tails off, "lognormal 78 0.2" a median and the SD
of the logarithm, "uniform 0 1", "bernoulli 0.4", "binomial 2 0.25" (count), "fixed 0", "mixture 0.6 lognormal 1.4 0.2 |
lognormal 0.3 0.2" (the first is the share of the first part). A number may be the name of a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import comb, inf
from pathlib import Path

import numpy as np

from ketamech.core import InputError, require_known, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA

DIRECTORY = DATA / "people"
BASE_POPULATION = "adult"
NUMBERS = {"normal": 2, "lognormal": 2, "uniform": 2, "bernoulli": 1, "binomial": 2, "fixed": 1}
Value = Callable[[str], float]


@dataclass(frozen=True)
class MixtureComponent:
    """One distribution of a kind in NUMBERS; `numbers` are floats or names of parameters."""

    kind: str
    numbers: tuple[float | str, ...]
    low: float = -inf
    high: float = inf

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value; for a uniform distribution its two numbers where they are not names."""
        if self.kind != "uniform":
            return self.low, self.high
        low, high = self.numbers
        return (low if isinstance(low, float) else -inf), (high if isinstance(high, float) else inf)

    def quantile(self, u: np.ndarray, value: Value) -> np.ndarray:
        """Quantiles [patient] of probabilities `u` [patient]; `value` looks up a parameter by name."""
        from scipy.special import ndtr, ndtri

        a, b = (*(value(n) if isinstance(n, str) else n for n in self.numbers), 0.0)[:2]
        if self.kind == "fixed":
            return np.full_like(u, a)
        if self.kind == "uniform":
            return a + (b - a) * u
        if self.kind == "bernoulli":
            return (u > 1 - a).astype(float)
        if self.kind == "binomial":
            return _binomial(u, int(a), b)
        low, high = np.log([self.low or 1e-300, self.high]) if self.kind == "lognormal" else (self.low, self.high)
        middle = np.log(a) if self.kind == "lognormal" else a
        if b == 0:
            return np.full_like(u, a)
        first, last = ndtr((low - middle) / b), ndtr((high - middle) / b)
        quantiles = middle + b * ndtri(first + u * (last - first))
        return np.exp(quantiles) if self.kind == "lognormal" else quantiles


@dataclass(frozen=True)
class MarginalDistribution:
    """Distribution of one variable: one part, or two with the `share` of the first; `factor` to canonical units."""

    parts: tuple[MixtureComponent, ...]
    share: float | str = 1.0
    factor: float = 1.0

    @property
    def fixed(self) -> bool:
        """Whether all patients have the same value."""
        return len(self.parts) == 1 and self.parts[0].kind == "fixed"

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest canonical value that may be drawn."""
        lows, highs = zip(*(part.bounds for part in self.parts), strict=True)
        return self.factor * min(lows), self.factor * max(highs)

    def quantile(self, u: np.ndarray, value: Value) -> np.ndarray:
        """Values [patient], canonical units, of probabilities `u` [patient] in (0, 1)."""
        if len(self.parts) == 1:
            return self.factor * self.parts[0].quantile(u, value)
        share = value(self.share) if isinstance(self.share, str) else self.share
        share = min(max(share, 1e-9), 1 - 1e-9)
        upper = u > 1 - share  # the first part is the upper one, so that the order of ranks is preserved
        first = self.parts[0].quantile(np.where(upper, (u - 1 + share) / share, 0.5), value)
        second = self.parts[1].quantile(np.where(upper, 0.5, u / (1 - share)), value)
        return self.factor * np.where(upper, first, second)


@dataclass(frozen=True)
class Variability:
    """Variability of a parameter between patients and between occasions: SD of the logarithm."""

    parameter: str
    person: float
    occasion: float


@dataclass(frozen=True)
class CovariateEffect:
    """A parameter is multiplied by exp(log_effect (covariate - reference)): at the reference its table value holds."""

    covariate: str
    parameter: str
    log_effect: float
    reference: float


@dataclass(frozen=True)
class StudyEffect:
    """How the mean of a parameter differs between studies.

    `sd`: SD of the logarithm of the mean, or the parameter that holds it. The mean changes with the number of patients
    of the study, relative to `people.reference_study_size`, to the power of `size_sign` times `size_exponent` (a number
    or the parameter that holds it).
    """

    sd: float | str
    size_exponent: float | str = 0.0
    size_sign: int = 1


@dataclass(frozen=True)
class PeopleTables:
    """The tables of data/people: `marginals` {population: {variable: distribution}}, covariate effects, variabilities.

    `correlations` {(variable, variable): rho}; `study_effects` {parameter: how its mean differs between studies}.
    """

    marginals: Mapping[str, Mapping[str, MarginalDistribution]]
    effects: tuple[CovariateEffect, ...]
    between: tuple[Variability, ...]
    correlations: Mapping[tuple[str, str], float]
    study_effects: Mapping[str, StudyEffect]

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables, in the order in which their numbers are drawn from the stream of a patient."""
        named = {name for known in self.marginals.values() for name in known}
        return (*sorted(named), *(row.parameter for row in self.between))


@cache
def load_tables(folder: Path = DIRECTORY) -> PeopleTables:
    """Read and check the tables. Raises InputError with file, line and column."""
    columns = ("population", "variable", "distribution", "unit", "status", "evidence", "why")
    marginals: dict[str, dict[str, MarginalDistribution]] = {}
    for row in read_table(folder / "populations.csv", columns):
        marginals.setdefault(row.required("population", "a name"), {})[row["variable"]] = _marginal(row)
    effect_columns = ("covariate", "parameter", "log_effect", "reference", "status", "evidence", "why")
    effects = [
        CovariateEffect(row["covariate"], row["parameter"], row.number("log_effect"), row.number("reference"))
        for row in read_table(folder / "effects.csv", effect_columns)
    ]
    spreads = ("parameter", "iiv_sd", "iov_sd", *columns[4:])
    between = [_between(row) for row in read_table(folder / "variability.csv", spreads)]
    rows = read_table(folder / "correlations.csv", ("a", "b", "rho", *columns[4:]))
    rhos = {(r["a"], r["b"]): _rho(r) for r in rows}
    made = PeopleTables(marginals, tuple(effects), tuple(between), rhos, _study_effects(folder / "study_effects.csv"))
    for row in rows:
        for column in ("a", "b"):
            row.known(column, made.variables, "a variable", what="there is no variable")
    return made


def marginal(words: str, factor: float = 1.0) -> MarginalDistribution:
    """A distribution from its text. Raises InputError."""
    if not words.startswith("mixture"):
        return MarginalDistribution((_part(words),), factor=factor)
    share, _, rest = words.removeprefix("mixture").strip().partition(" ")
    parts = tuple(_part(part) for part in rest.split("|"))
    number = _number(share)
    if len(parts) != 2 or (isinstance(number, float) and not 0 <= number <= 1):
        what = f"'{words}' is not a mixture"
        expected = "a share from 0 to 1 of the first of two parts; the rest is the second's"
        raise InputError(what, expected=expected, type_this="mixture 0.6 lognormal 1.4 0.2 | lognormal 0.3 0.2")
    return MarginalDistribution(parts, number, factor)


def _marginal(row: CsvRow) -> MarginalDistribution:
    try:
        return marginal(row.required("distribution", "normal 33 5 in 20 56"), unit(row["unit"]).factor)
    except InputError as problem:
        raise row.error("distribution", problem.what, expected=problem.expected or "", near=problem.nearest) from None


def _part(text: str) -> MixtureComponent:
    words, _, bounds = text.strip().partition(" in ")
    kind, *numbers = words.split() or [""]
    require_known(kind, NUMBERS, f"'{kind}' is not a distribution", expected=", ".join(NUMBERS))
    if len(numbers) != NUMBERS[kind]:
        raise InputError(f"'{text.strip()}' has {len(numbers)} numbers", expected=f"{kind} takes {NUMBERS[kind]}")
    values = tuple(_number(word) for word in numbers)
    low, high = _bounds(bounds) if bounds else (-inf, inf)
    if kind == "lognormal" and not bounds:
        low = 0.0
    _check_distribution(kind, values, low, high, text)
    return MixtureComponent(kind, values, low, high)


def _bounds(text: str) -> tuple[float, float]:
    try:
        low, high = (float(word) for word in text.split())
    except ValueError:
        what = f"'in {text}' does not name two bounds"
        raise InputError(what, expected="in LOW HIGH", type_this="normal 33 5 in 20 56") from None
    return low, high


def _check_distribution(kind: str, numbers: tuple[float | str, ...], low: float, high: float, text: str) -> None:
    known = [n for n in numbers if isinstance(n, float)]
    impossible = (
        not low < high
        or not np.all(np.isfinite(known))
        or (kind == "uniform" and len(known) == 2 and known[0] > known[1])
    )
    impossible |= kind in ("normal", "lognormal") and isinstance(numbers[1], float) and numbers[1] < 0
    impossible |= kind == "lognormal" and isinstance(numbers[0], float) and numbers[0] <= 0
    impossible |= kind in ("bernoulli", "binomial") and isinstance(numbers[-1], float) and not 0 <= numbers[-1] <= 1
    if kind in ("normal", "lognormal") and len(known) == 2 and not impossible:
        middle, width = (np.log(known[0]), known[1]) if kind == "lognormal" else known
        edges = np.log([max(low, 1e-300), high]) if kind == "lognormal" else (low, high)
        impossible = edges[1] < middle - 6 * width or edges[0] > middle + 6 * width
    if impossible:
        what = f"the distribution '{text.strip()}' is impossible"
        raise InputError(what, expected="a possible range: normal 33 5 in 20 56")


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _between(row: CsvRow) -> Variability:
    sizes = [row.number(column) for column in ("iiv_sd", "iov_sd")]
    for column, size in zip(("iiv_sd", "iov_sd"), sizes, strict=True):
        if not 0 <= size <= 2:
            raise row.error(column, f"{size:g} is not a valid variability", expected="0 to 2, SD of the logarithm")
    return Variability(row.required("parameter", "a parameter"), *sizes)


def _study_effects(file: Path) -> dict[str, StudyEffect]:
    """The rows of study_effects.csv; a cell may name the parameter that holds its number."""
    columns = ("parameter", "inter_study_sd", "size_exponent", "size_sign", "status", "evidence", "why")
    return {
        row.required("parameter", "a parameter"): StudyEffect(
            _number_or_parameter(row, "inter_study_sd"),
            _number_or_parameter(row, "size_exponent"),
            int(row.number("size_sign")) if row["size_sign"] else 1,
        )
        for row in read_table(file, columns)
    }


def _number_or_parameter(row: CsvRow, column: str) -> float | str:
    """A number from 0 to 1, or the name of a parameter; 0 for an empty cell."""
    cell = row[column]
    if "." in cell and cell[0].isalpha():
        return cell
    size = row.number(column) if cell else 0.0
    if not 0 <= size <= 1:
        raise row.error(column, f"{size:g} is outside 0 to 1", expected="0 to 1, or the name of a parameter")
    return size


def _rho(row: CsvRow) -> float:
    rho = row.number("rho")
    if not -1 < rho < 1:
        raise row.error("rho", f"{rho:g} is not a correlation", expected="between -1 and 1")
    return rho


def _binomial(u: np.ndarray, n: int, p: float) -> np.ndarray:
    steps = np.cumsum([comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n)])
    return np.searchsorted(steps, u, side="right").astype(float)
