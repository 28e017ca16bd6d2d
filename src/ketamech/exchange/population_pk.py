"""A published population model of 1 to 3 compartments instead of the built-in pharmacokinetics, as a YAML file.

Volumes, clearances and rates (THETA) are parameters `poppk.cl`, `poppk.v1` ... that can be fitted; the variability
between people and its correlations (OMEGA) replace those of the built-in kinetics in a population. Both enantiomers
follow the same equations, so that racemic doses and doses of one enantiomer are possible. There are no metabolites.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import sympy
from pydantic import BaseModel, ConfigDict, Field

from ketamech.core import InputError, closest_match, unit
from ketamech.core.yaml_lines import YamlSource, read_yaml
from ketamech.engine import load_kernel
from ketamech.model.assemble import build_system
from ketamech.model.kinetics import MOIETIES, NAMES, add_venous_total
from ketamech.model.stage import Stage
from ketamech.model.stages import all_stages
from ketamech.parameters import Distribution, Parameter, ParameterTable, load_parameters
from ketamech.population.population_tables import Variability
from ketamech.population.virtual_population import Population
from ketamech.simulation.model import Model
from ketamech.simulation.scenario_schema import FileSchema, validated

REPLACED, OWN = "pharmacokinetics", "poppk"
UNITS = {"cl": "L/h", "q2": "L/h", "q3": "L/h", "v1": "L", "v2": "L", "v3": "L", "ka": "1/h", "f": "1"}
NEEDED = ("cl", "v1", "q2", "v2", "q3", "v3")  # the first 2, 4 or 6 for 1, 2 or 3 compartments
ABSENT = ("plasma.{0}_norketamine", "plasma.{0}_dehydronorketamine", "plasma.{0}_hydroxynorketamine",
          "venous.{0}_norketamine")  # fmt: skip


Positive = Annotated[float, Field(gt=0, lt=10)]


class PowerEffect(BaseModel):
    """A parameter is multiplied by (covariate / reference) to a power; covariate such as person.weight."""

    model_config = ConfigDict(extra="forbid")
    covariate: str = "person.weight"
    reference: float = Field(gt=0, description="in the unit of the covariate")
    power: float


class PopulationPkFile(BaseModel):
    """The keys of a population model."""

    model_config = ConfigDict(extra="forbid", title="KetaMech population model of kinetics")
    title: str = Field("population model", description="the publication")
    compartments: int = Field(ge=1, le=3)
    parameters: dict[str, str | float] = Field(description="CL, V1, Q2, V2, Q3, V3, KA, F with units: 80 L/h")
    standard_errors: dict[str, Positive] = Field({}, description="relative standard errors of the parameters")
    between: dict[str, Positive] = Field({}, description="SD of the logarithm between people (square root of OMEGA)")
    correlations: dict[str, Annotated[float, Field(gt=-1, lt=1)]] = Field(
        {}, description='"CL V1": 0.5, correlation between people'
    )
    covariates: dict[str, PowerEffect] = Field({}, description="power effects on parameters")


SCHEMA = FileSchema("population model", PopulationPkFile, {"covariates": PowerEffect})


def is_population_pk(path: Path) -> bool:
    """Whether a file of kinetics is a population model and not the mapping of an SBML model."""
    return "compartments" in read_yaml(path)[0]


@dataclass(frozen=True)
class PopulationPk:
    """A checked population model; names of parameters are in lower case."""

    path: Path
    file: PopulationPkFile
    values: Mapping[str, tuple[float, str]]

    def rows(self, table: ParameterTable) -> dict[str, Parameter]:
        """Parameter rows by name."""
        errors = {name.lower(): value for name, value in self.file.standard_errors.items()}
        rows_by_name = {}
        for name, (value, unit_text) in self.values.items():
            spread = Distribution("lognormal", errors[name]) if errors.get(name) else Distribution("fixed")
            rows_by_name[f"{OWN}.{name}"] = self._row(name, value, unit_text, spread)
        for name, effect in self.file.covariates.items():
            covariate_unit, fixed = table[effect.covariate].unit, Distribution("fixed")
            rows_by_name[f"{OWN}.{name.lower()}_power"] = self._row(f"{name.lower()}_power", effect.power, "1", fixed)
            rows_by_name[f"{OWN}.{name.lower()}_reference"] = self._row(
                f"{name.lower()}_reference", effect.reference, covariate_unit, fixed
            )
        return rows_by_name

    def _row(self, name: str, value: float, text: str, spread: Distribution) -> Parameter:
        return Parameter(f"{OWN}.{name}", value, text, spread, "set", (), "", self.file.title, str(self.path), 1)

    @property
    def stage(self) -> Callable[[Stage], None]:
        """The stage function that replaces the built-in one."""

        def pharmacokinetics(m: Stage) -> None:
            self._write(m)

        pharmacokinetics.__doc__ = f"Kinetics of {self.file.title}."
        return pharmacokinetics

    def _write(self, m: Stage) -> None:
        for letter, drug in NAMES.items():
            self._write_enantiomer(m, letter, drug)
            for name in ABSENT:
                m.output(name.format(letter), sympy.Integer(0), "umol/L", description="not in the population model")
        for moiety in MOIETIES:
            add_venous_total(m, moiety, "by the population model")

    def _write_enantiomer(self, m: Stage, letter: str, drug: str) -> None:
        value = {name: self._individual(m, name) for name in self.values}
        central = m.state(f"{REPLACED}.central_{letter}", "umol", description=f"{drug} in the central compartment")
        m.rate(central, -value["cl"] / value["v1"] * central, because="elimination")
        for number in range(2, self.file.compartments + 1):
            peripheral = m.state(
                f"{REPLACED}.peripheral_{number}_{letter}", "umol", description=f"{drug} in compartment {number}"
            )
            flow, volume = value[f"q{number}"], value[f"v{number}"]
            m.transfer(central, peripheral, flow / value["v1"] * central, because="distribution")
            m.transfer(peripheral, central, flow / volume * peripheral, because="return from the tissue")
        if "ka" in value:
            gut = m.state(f"{REPLACED}.gut_{letter}", "umol", description=f"{drug} that was swallowed")
            m.rate(gut, -value["ka"] * gut, because="absorption")
            m.rate(central, value["ka"] * value.get("f", sympy.Integer(1)) * gut, because="absorption of the share F")
        for place in ("plasma", "venous"):
            m.output(f"{place}.{drug}", central / value["v1"], "umol/L", description=f"{drug} in {place}")

    def _individual(self, m: Stage, name: str) -> sympy.Expr:
        """A parameter with the effect of its covariate."""
        effect = next((power_effect for key, power_effect in self.file.covariates.items() if key.lower() == name), None)
        value = m.parameter(f"{OWN}.{name}")
        if effect is None:
            return value
        ratio = m.parameter(effect.covariate) / m.parameter(f"{OWN}.{name}_reference")
        return value * ratio ** m.parameter(f"{OWN}.{name}_power")

    def population(self, base: Population) -> Population:
        """A population with the variability of the model in place of that of the built-in kinetics."""
        other_rows = tuple(row for row in base.tables.between if not row.parameter.startswith(f"{REPLACED}."))
        variabilities = tuple(Variability(f"{OWN}.{name.lower()}", sd, 0.0) for name, sd in self.file.between.items())
        pairs = {tuple(f"{OWN}.{n.lower()}" for n in key.split()): rho for key, rho in self.file.correlations.items()}
        correlations = {pair: rho for pair, rho in base.tables.correlations.items()
                if not any(name.startswith(f"{REPLACED}.") for name in pair)}  # fmt: skip
        marginals = {name: one for name, one in base.marginals.items() if not name.startswith(f"{REPLACED}.")}
        tables = replace(base.tables, between=(*other_rows, *variabilities), correlations={**correlations, **pairs})  # type: ignore[dict-item]
        return replace(base, marginals=marginals, tables=tables)


def load_population_pk(path: Path, parameters: ParameterTable | None = None) -> tuple[Model, PopulationPk]:
    """The model with the kinetics of a file. Raises InputError with file, line and key."""
    table, source = parameters or load_parameters(), read_population_pk(path)
    rows = ParameterTable({**dict(table), **source.rows(table)})
    stages = [source.stage if stage.__name__ == REPLACED else stage for stage in all_stages()]
    system = build_system(rows, stages)
    kernel = load_kernel(system.layout, lambda: system)
    return Model(system.layout, rows, kernel, lambda: system, stages=tuple(stages)), source


def read_population_pk(path: Path) -> PopulationPk:
    """A checked file. Raises InputError."""
    content, lines = read_yaml(path)
    file: PopulationPkFile = validated(content, YamlSource(path, lines), SCHEMA)

    def refuse(message: str, key_path: tuple[str, ...], **details: Any) -> InputError:
        return InputError(message, file=path, line=lines.get(key_path), key=key_path[-1], **details)

    values = {}
    for name, text in file.parameters.items():
        if name.lower() not in UNITS:
            expected = ", ".join(UNITS).upper()
            raise refuse(f"there is no parameter '{name}'", ("parameters", name), expected=expected,
                         nearest=closest_match(name.upper(), [known.upper() for known in UNITS]))  # fmt: skip
        values[name.lower()] = _value(text, UNITS[name.lower()], refuse, name)
    required = NEEDED[: 2 * file.compartments]
    missing = [name.upper() for name in required if name not in values]
    if missing:
        message = f"a model of {file.compartments} compartments without {', '.join(missing)}"
        raise refuse(message, ("parameters",), expected=", ".join(required).upper())
    for key in ("standard_errors", "between", "covariates"):
        unknown_name = next((name for name in getattr(file, key) if name.lower() not in values), None)
        if unknown_name is not None:
            raise refuse(f"'{unknown_name}' has no value", (key, unknown_name), expected=", ".join(values).upper())
    for pair in file.correlations:
        if not all(name in file.between for name in pair.split()) or len(pair.split()) != 2:
            raise refuse(f"'{pair}' is no pair of parameters that vary", ("correlations", pair), expected='"CL V1"')
    if np.linalg.eigvalsh(_correlations(file)).min() <= 0:
        raise refuse(
            "correlations that contradict each other", ("correlations",), expected="a positive definite matrix"
        )
    parameter_table = load_parameters()
    for name, effect in file.covariates.items():
        if effect.covariate not in parameter_table:
            closest_name = closest_match(effect.covariate, parameter_table)
            raise refuse(f"there is no covariate '{effect.covariate}'", ("covariates", name), nearest=closest_name)
    return PopulationPk(path, file, values)


def _correlations(file: PopulationPkFile) -> np.ndarray:
    """The matrix of correlations of the parameters that vary."""
    names = list(file.between)
    matrix = np.eye(max(len(names), 1))
    for pair, rho in file.correlations.items():
        i, j = (names.index(name) for name in pair.split())
        matrix[i, j] = matrix[j, i] = rho
    return matrix


def _value(text: str | float, usual: str, refuse: Any, name: str) -> tuple[float, str]:
    """Value and unit of a text such as "80 L/h"; a share has no unit."""
    number, _, words = str(text).strip().partition(" ")
    try:
        value, parsed = float(number), unit(words.strip() or "1")
    except (ValueError, InputError):
        value, parsed = -1.0, unit("1")
    if not 0 < value < math.inf or not parsed.same_kind(unit(usual)):
        raise refuse(
            f"{name} of '{text}'", ("parameters", name), expected=f"a number above 0 in a unit such as {usual}"
        )
    return value, words.strip() or "1"
