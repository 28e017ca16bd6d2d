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

    `tied` {parameter: typical canonical value} change by the same factor, as the clearance of the other enantiomer.
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
        """Canonical values on the free scale."""
        number = np.asarray(value, dtype=float)
        return np.asarray(logit(np.clip(number, 1e-6, 1 - 1e-6))) if self.is_share else np.log(number)

    def canonical(self, free: np.ndarray | float) -> np.ndarray:
        """Values on the free scale in canonical units."""
        return np.asarray(expit(free) if self.is_share else np.exp(np.clip(free, -500, 500)))

    def shown(self, free: np.ndarray | float) -> np.ndarray:
        """Values on the free scale in the unit of the table."""
        return self.canonical(free) / self.factor


def candidates(population: Population, parameters: ParameterTable) -> dict[str, FittedParameter]:
    """Every positive parameter that varies between people of a population, without those tied to another."""
    found = {name: _with_variability(name, population, parameters) for name in _varying(population, parameters)}
    known = {name: one for name, one in found.items() if one is not None}
    partners = {second for first, second in _strong_pairs(population) if first in known}
    return {name: _tied(one, population, known) for name, one in known.items() if name not in partners}


def _strong_pairs(population: Population) -> list[tuple[str, str]]:
    return [pair for pair, rho in population.tables.correlations.items() if rho >= SHARED_FACTOR_CORRELATION]


def _tied(
    one: FittedParameter, population: Population, known: Mapping[str, FittedParameter], named: Sequence[str] = ()
) -> FittedParameter:
    """The parameter with those that share its factor, but for `named` ones."""
    others = [second if first == one.name else first for first, second in _strong_pairs(population)
              if one.name in (first, second)]  # fmt: skip
    tied = ((name, known[name].typical) for name in others if name in known and name not in named)
    return replace(one, shared_factors=tuple(tied))


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
    between = {one.parameter: one.person for one in population.tables.between}
    usual = row.canonical
    if name in population.marginals:

        def value(other: str) -> float:
            return parameters[other].canonical

        low, middle, high = population.marginals[name].quantile(np.array([LOWER, MIDDLE, UPPER]), value)
        if not 0 < low < high:
            return None
        usual, sd = float(middle), float(np.log(high / low) / 2)
    else:
        sd = between[name]
    if not usual > 0 or (is_share and not usual < 1):
        return None
    wide = 1 / (1 - usual) if is_share else 1.0  # from the logarithm to the logit
    return _fitted(row, usual, sd * wide, is_share, f"variability of population '{population.name}'")


def _fitted(row: Parameter, usual: float, sd: float, is_share: bool, origin: str) -> FittedParameter:
    mean_sd = _relative_spread(row) or FIXED_SD
    return FittedParameter(row.name, usual, sd, mean_sd / ((1 - usual) if is_share else 1.0), is_share, row.unit,
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
    full = [_full_name(written.strip(), parameters, list(varying)) for written in names]
    known = {name: one for name, one in varying.items() if one is not None}
    found = []
    for name in full:
        if name in known:
            found.append(_tied(known[name], population, known, full))
            continue
        row = parameters[name]
        sd = _relative_spread(row)
        if not sd or not row.value > 0:
            what = f"{name} cannot be fitted: it {'has no spread' if row.value > 0 else 'is not positive'}"
            raise InputError(what, key="--parameters", expected="a positive parameter with a spread")
        is_share = row.is_fraction and row.canonical < 1
        wide = 1 / (1 - row.canonical) if is_share else 1.0
        found.append(_fitted(row, row.canonical, sd * wide, is_share, "spread of the parameter table"))
    if doubled := next((one.name for i, one in enumerate(found) if one in found[:i]), None):
        raise InputError(f"{doubled} is named twice", key="--parameters", expected="each parameter once")
    return tuple(found)


def _full_name(written: str, parameters: ParameterTable, varying: Sequence[str]) -> str:
    """The parameter of a name or of last words. Raises UnknownNameError that suggests one of `varying` first.

    Last words of one parameter that are part of the name of a varying one ("clearance") name neither.
    """
    if written in parameters:
        return written
    same = [name for name in parameters if name.rpartition(".")[2] == written]
    last = written.rpartition(".")[2]
    longer = [name for name in varying if set(last.split("_")) <= set(name.rpartition(".")[2].split("_"))]
    if len(same) == 1 and (same[0] in longer or not longer or same[0].startswith("person.")):
        return same[0]
    if longer:
        what, known = f"'{written}' does not name one parameter", list(dict.fromkeys([*longer, *same]))
        raise UnknownNameError(what, key="--parameters", nearest=longer[0], expected=f"one of {', '.join(known)}")
    ends = {name.rpartition(".")[2]: name for name in reversed(varying)}
    words = {word: name for end, name in ends.items() for word in end.split("_")}
    nearest = ends.get(closest_match(last, ends) or "") or words.get(closest_match(last, words) or "")
    nearest = nearest or closest_match(written, parameters)
    expected = f"one of {', '.join(same)}" if same else None
    raise UnknownNameError(f"there is no parameter '{written}'", key="--parameters", nearest=nearest, expected=expected)


def prior_covariance(parameters: Sequence[FittedParameter], population: Population) -> np.ndarray:
    """Covariance [parameter, parameter] between people on the free scale, with the correlations of the tables."""
    matrix = np.eye(len(parameters))
    names = [one.name for one in parameters]
    for (a, b), rho in population.tables.correlations.items():
        if a in names and b in names:
            i, j = names.index(a), names.index(b)
            matrix[i, j] = matrix[j, i] = rho
    sd = np.array([one.sd for one in parameters])
    return matrix * sd * sd[:, None]


def typical_values(parameters: Sequence[FittedParameter], persons: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Population values [person, parameter] on the free scale; a person's own value (of a species, say) comes first."""
    rows = [[float(one.free(own.get(one.name, one.typical))) for one in parameters] for own in persons]
    return np.array(rows).reshape(len(persons), len(parameters))


def canonical_values(
    parameters: Sequence[FittedParameter], free: np.ndarray, typical: np.ndarray
) -> dict[str, np.ndarray]:
    """Canonical values {parameter: [...]} of values [..., parameter] on the free scale, with tied parameters.

    `typical` [..., parameter]: population values, whose ratio to the tables tied parameters do not follow.
    """
    found = {}
    for i, one in enumerate(parameters):
        found[one.name] = one.canonical(free[..., i])
        ratio = found[one.name] / one.canonical(typical[..., i])
        found |= {name: usual * ratio for name, usual in one.shared_factors}
    return found


def informed(effects: np.ndarray, most: int, least: float = MIN_PRIOR_EFFECT) -> list[int]:
    """The parameters that the data inform, most informative first, by pivoted QR decomposition.

    `effects` [measurement, parameter]: change of a prediction by one prior SD, in SDs of the residual error. Each
    parameter counts with the part of its effect that those before it do not explain.
    """
    usable = np.nan_to_num(effects)
    _, triangle, order = qr(usable, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    return [int(order[i]) for i in range(min(most, len(size))) if size[i] >= least]
