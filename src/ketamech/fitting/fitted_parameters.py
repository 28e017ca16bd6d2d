"""The parameters of a fit: scale, prior distribution between people, and which of them the data can inform.

A parameter is fitted on the log scale, one that cannot exceed 1 on the logit scale ("free" scale). Its variability
between people is that of the tables of the population; a parameter without a row there has the spread of its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import qr
from scipy.special import expit, logit

from ketamech.core import InputError, UnknownNameError, closest_match, unit
from ketamech.parameters import Parameter, ParameterTable
from ketamech.population.virtual_population import Population

MIDDLE, UPPER, LOWER = 0.5, 0.8413, 0.1587  # probabilities of the median and of one SD about it
MIN_PRIOR_EFFECT = 0.5  # effect of one prior SD, in SDs of the residual error of one measurement, that is worth fitting
MAX_PERSON_PARAMETERS, MAX_GROUP_PARAMETERS = 8, 5  # parameters chosen by default
SHARED_FACTOR_CORRELATION = 0.8  # correlation from which two parameters share one factor, unless both are named
FIXED_SD = 0.1  # of the population mean of a parameter whose row has no spread


@dataclass(frozen=True)
class FittedParameter:
    """A parameter on the free scale: `sd` between people, `mean_sd` of the population mean; `factor` to canonical.

    `shared_factors` (parameter, typical canonical value) change by the same factor, as the clearance of the other
    enantiomer does.
    """

    name: str
    typical: float
    sd: float
    mean_sd: float
    is_share: bool
    unit: str
    factor: float
    origin: str
    shared_factors: tuple[tuple[str, float], ...] = ()

    def free(self, value: np.ndarray | float) -> np.ndarray:
        """Canonical values of any shape on the free scale."""
        canonical = np.asarray(value, dtype=float)
        return np.asarray(logit(np.clip(canonical, 1e-6, 1 - 1e-6))) if self.is_share else np.log(canonical)

    def canonical(self, free: np.ndarray | float) -> np.ndarray:
        """Values of any shape on the free scale in canonical units."""
        return np.asarray(expit(free) if self.is_share else np.exp(np.clip(free, -500, 500)))

    def shown(self, free: np.ndarray | float) -> np.ndarray:
        """Values of any shape on the free scale in the unit of the table."""
        return self.canonical(free) / self.factor


def candidates(population: Population, parameters: ParameterTable) -> dict[str, FittedParameter]:
    """Every positive parameter that varies between people, without those that share the factor of another."""
    by_name = {name: _with_variability(name, population, parameters) for name in _varying(population, parameters)}
    usable = {name: one for name, one in by_name.items() if one is not None}
    partners = {second for first, second in _strong_pairs(population) if first in usable}
    return {
        name: _with_shared_factors(parameter, population, usable)
        for name, parameter in usable.items()
        if name not in partners
    }


def _strong_pairs(population: Population) -> list[tuple[str, str]]:
    return [pair for pair, rho in population.tables.correlations.items() if rho >= SHARED_FACTOR_CORRELATION]


def _with_shared_factors(
    p: FittedParameter, population: Population, known: Mapping[str, FittedParameter], named: Sequence[str] = ()
) -> FittedParameter:
    """The parameter with those that share its factor, except `named` ones."""
    others = [second if first == p.name else first for first, second in _strong_pairs(population)
              if p.name in (first, second)]  # fmt: skip
    factors = ((name, known[name].typical) for name in others if name in known and name not in named)
    return replace(p, shared_factors=tuple(factors))


def _varying(population: Population, parameters: ParameterTable) -> list[str]:
    """Names of the parameters whose variability between people is in the tables of the population."""
    names = [row.parameter for row in population.tables.between if row.person]
    names += [name for name in population.marginals if name in parameters and not _is_measured(name)]
    return list(dict.fromkeys(names))


def _is_measured(name: str) -> bool:
    """Whether a variable of a population is a covariate rather than something to be estimated."""
    return name in ("person.weight", "person.age", "person.asian", "person.japanese") or name.startswith("covariate.")


def _with_variability(name: str, population: Population, parameters: ParameterTable) -> FittedParameter | None:
    row, is_share = parameters[name], parameters[name].is_fraction
    between = {row_of_table.parameter: row_of_table.person for row_of_table in population.tables.between}
    typical = row.canonical
    if name in population.marginals:

        def value(other: str) -> float:
            return parameters[other].canonical

        low, median, high = population.marginals[name].quantile(np.array([LOWER, MIDDLE, UPPER]), value)
        if not 0 < low < high:
            return None
        typical, sd = float(median), float(np.log(high / low) / 2)
    else:
        sd = between[name]
    if not typical > 0 or (is_share and not typical < 1):
        return None
    scale = 1 / (1 - typical) if is_share else 1.0  # from the logarithm to the logit
    return _fitted_parameter(row, typical, sd * scale, is_share, f"variability of population '{population.name}'")


def _fitted_parameter(row: Parameter, typical: float, sd: float, is_share: bool, origin: str) -> FittedParameter:
    mean_sd = _relative_spread(row) or FIXED_SD
    return FittedParameter(row.name, typical, sd, mean_sd / ((1 - typical) if is_share else 1.0), is_share, row.unit,
                           unit(row.unit).factor, origin)  # fmt: skip


def _relative_spread(row: Parameter) -> float:
    """SD of the logarithm that corresponds to the spread of a row; 0 for a fixed value."""
    spread = row.spread
    if spread.kind == "lognormal":
        return float(spread.a or 0.0)
    if spread.kind == "normal":
        return abs(float(spread.a or 0.0) / row.value)
    if spread.kind == "uniform":
        return (float(spread.b or 0.0) - float(spread.a or 0.0)) / np.sqrt(12) / abs(row.value)
    return 0.0


def named_parameters(
    names: Sequence[str], population: Population, parameters: ParameterTable
) -> tuple[FittedParameter, ...]:
    """The parameters with these names, or with these last words ("central_volume").

    Raises UnknownNameError; InputError for a parameter that is fixed or not positive.
    """
    varying = {name: _with_variability(name, population, parameters) for name in _varying(population, parameters)}
    full = [_full_name(word.strip(), parameters, list(varying)) for word in names]
    usable = {name: one for name, one in varying.items() if one is not None}
    fitted = []
    for name in full:
        if name in usable:
            fitted.append(_with_shared_factors(usable[name], population, usable, full))
            continue
        row = parameters[name]
        sd = _relative_spread(row)
        if not sd or not row.value > 0:
            message = f"{name} cannot be fitted: it {'has no spread' if row.value > 0 else 'is not positive'}"
            raise InputError(message, key="--parameters", expected="a positive parameter with a spread")
        is_share = row.is_fraction and row.canonical < 1
        scale = 1 / (1 - row.canonical) if is_share else 1.0
        fitted.append(_fitted_parameter(row, row.canonical, sd * scale, is_share, "spread of the parameter table"))
    if duplicate := next((parameter.name for i, parameter in enumerate(fitted) if parameter in fitted[:i]), None):
        raise InputError(f"{duplicate} is named twice", key="--parameters", expected="each parameter once")
    return tuple(fitted)


def _full_name(text: str, parameters: ParameterTable, varying: Sequence[str]) -> str:
    """The parameter of a name or of last words. Raises UnknownNameError that suggests one of `varying` first.

    Last words that also are part of the name of a varying parameter ("clearance") are ambiguous.
    """
    if text in parameters:
        return text
    exact = [name for name in parameters if name.rpartition(".")[2] == text]
    last = text.rpartition(".")[2]
    partial = [name for name in varying if set(last.split("_")) <= set(name.rpartition(".")[2].split("_"))]
    if len(exact) == 1 and (exact[0] in partial or not partial or exact[0].startswith("person.")):
        return exact[0]
    if partial:
        message, alternatives = f"'{text}' does not name one parameter", list(dict.fromkeys([*partial, *exact]))
        raise UnknownNameError(
            message, key="--parameters", nearest=partial[0], expected=f"one of {', '.join(alternatives)}"
        )
    last_words = {name.rpartition(".")[2]: name for name in reversed(varying)}
    words = {word: name for end, name in last_words.items() for word in end.split("_")}
    nearest = last_words.get(closest_match(last, last_words) or "") or words.get(closest_match(last, words) or "")
    nearest = nearest or closest_match(text, parameters)
    expected = f"one of {', '.join(exact or varying)}"
    raise UnknownNameError(f"there is no parameter '{text}'", key="--parameters", nearest=nearest, expected=expected)


def prior_covariance(parameters: Sequence[FittedParameter], population: Population) -> np.ndarray:
    """Covariance [parameter, parameter] between people on the free scale, with the correlations of the tables."""
    matrix = np.eye(len(parameters))
    names = [parameter.name for parameter in parameters]
    for (first, second), rho in population.tables.correlations.items():
        if first in names and second in names:
            i, j = names.index(first), names.index(second)
            matrix[i, j] = matrix[j, i] = rho
    sd = np.array([parameter.sd for parameter in parameters])
    return matrix * sd * sd[:, None]


def typical_values(parameters: Sequence[FittedParameter], persons: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Population values [person, parameter] on the free scale; a person's own value (of a species, say) comes first."""
    rows = [[float(p.free(values.get(p.name, p.typical))) for p in parameters] for values in persons]
    return np.array(rows).reshape(len(persons), len(parameters))


def canonical_values(
    parameters: Sequence[FittedParameter], free: np.ndarray, typical: np.ndarray
) -> dict[str, np.ndarray]:
    """Canonical values {parameter: [...]} of values [..., parameter] on the free scale, with those of shared factors.

    `typical` [..., parameter]: population values; shared factors are relative to them.
    """
    values = {}
    for i, parameter in enumerate(parameters):
        values[parameter.name] = parameter.canonical(free[..., i])
        ratio = values[parameter.name] / parameter.canonical(typical[..., i])
        values |= {name: typical_value * ratio for name, typical_value in parameter.shared_factors}
    return values


def free_rates(parameters: Sequence[FittedParameter], values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Derivatives [..., parameter, value] by the free scale of the canonical `values` {name: [...]} that it changes."""
    names, shape = list(values), next(iter(values.values())).shape if values else ()
    rates = np.zeros((*shape, len(parameters), len(names)))
    for i, parameter in enumerate(parameters):
        scale = 1 - values[parameter.name] if parameter.is_share else 1.0  # change of the logarithm
        for name in (parameter.name, *dict(parameter.shared_factors)):
            rates[..., i, names.index(name)] = scale * values[name]
    return rates


def informed(effects: np.ndarray, max_count: int, min_effect: float = MIN_PRIOR_EFFECT) -> list[int]:
    """The parameters that the data inform, most informative first, by pivoted QR decomposition.

    `effects` [measurement, parameter]: change of a prediction by one prior SD, in SDs of the residual error. Each
    parameter counts with the part of its effect that those before it do not explain.
    """
    usable = np.nan_to_num(effects)
    _, triangle, order = qr(usable, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    return [int(order[i]) for i in range(min(max_count, len(size))) if size[i] >= min_effect]
