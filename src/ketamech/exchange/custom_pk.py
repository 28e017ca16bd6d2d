"""A user's pharmacokinetic model instead of the built-in one: an SBML model and a YAML file that maps its names.

The imported model becomes the stage `pharmacokinetics`: its species and rates, without unit checking, under the names
that the other stages need. Doses are converted as usual (weight, salt, bioavailability) and enter the species named in
the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sympy
from pydantic import BaseModel, ConfigDict, Field

from ketamech.core import InputError, ModelError, convert, unit
from ketamech.core.environment import short_hash
from ketamech.core.units import GRAMS_PER_MOLE
from ketamech.core.yaml_lines import YamlSource, read_yaml
from ketamech.engine import load_kernel
from ketamech.exchange.document_libraries import libsbml
from ketamech.exchange.population_pk import is_population_pk, load_population_pk
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.mathml import Formulas
from ketamech.exchange.sbml.sbml_model import CLOCK, STAGE, SbmlModel
from ketamech.model.assemble import build_system
from ketamech.model.kinetics import MOIETIES, add_venous_total
from ketamech.model.stage import Stage, declare_stage, symbol
from ketamech.model.stages import all_stages
from ketamech.parameters import Distribution, Parameter, ParameterTable, load_parameters
from ketamech.simulation.model import Model
from ketamech.simulation.scenario_schema import FileSchema, validated

REPLACED_STATES = "pharmacokinetics"
REQUIRED_PREFIXES = ("plasma.", "venous.")
KETAMINE = "drug.ketamine_molar_mass"


class KineticOutput(BaseModel):
    """An output of the stage: a formula of ids of the model, its unit, and for a mass the molar mass (g/mol)."""

    model_config = ConfigDict(extra="forbid")
    formula: str | float
    unit: str = "umol/L"
    molar_mass: float | None = Field(None, gt=0)


class KineticsFile(BaseModel):
    """The keys of a kinetics file."""

    model_config = ConfigDict(extra="forbid", title="KetaMech kinetics")
    model: str = Field(description="the SBML file, in the same folder")
    time: str = Field("h", description="unit of time of the model: min, h, day")
    amounts: str = Field("umol", description="unit of amounts of the model that doses enter: umol, mg")
    doses: dict[str, str] = Field(description="dosed state (such as pharmacokinetics.central_s) -> species id")
    outputs: dict[str, KineticOutput | float] = Field(description="outputs, such as plasma.esketamine")


KINETICS_FILE = FileSchema("kinetics", KineticsFile, {"outputs": KineticOutput})


@dataclass(frozen=True)
class CustomPk:
    """An imported model and the mapping of its names."""

    sbml_model: SbmlModel
    settings: KineticsFile
    path: Path
    fingerprint: str

    @property
    def shared_states(self) -> dict[str, str]:
        """Dosed states that share a species with an earlier one: {name: the first name}."""
        first = self.initial_state
        return {name: first[species] for name, species in self.settings.doses.items() if first[species] != name}

    @property
    def initial_state(self) -> dict[str, str]:
        """{species: the first dosed state that enters it}."""
        return {species: name for name, species in reversed(self.settings.doses.items())}

    def stage(self, parameters: ParameterTable) -> Callable[[Stage], None]:
        """The stage function that replaces the built-in one."""

        def pharmacokinetics(m: Stage) -> None:
            _write(m, self, parameters)

        pharmacokinetics.__doc__ = f"Kinetics of {self.sbml_model.title}, from {self.settings.model}."
        return pharmacokinetics


def load_kinetics_model(path: Path | str) -> Model:
    """The model with the kinetics of a file: of an SBML model, or a population model with `compartments`.

    Raises InputError for missing or unknown outputs.
    """
    table = load_parameters()
    if is_population_pk(Path(path)):
        return load_population_pk(Path(path), table)[0]
    kinetics = read_kinetics(Path(path))
    _refuse_missing(kinetics, table)
    note, fixed = "Gives numbers of an imported model their unit", Distribution("fixed")
    units = {n: Parameter(n, 1.0, unit, fixed, "set", (), "", note, "", 1) for n, unit in _units(kinetics).items()}
    rows = ParameterTable({**dict(table), **units})
    stages = [kinetics.stage(rows) if stage.__name__ == REPLACED_STATES else stage for stage in all_stages()]
    try:
        system = build_system(rows, stages)
    except ModelError as problem:
        raise InputError(str(problem), file=path, key="outputs", expected="every name that the stages need") from None
    kernel = load_kernel(system.layout, lambda: system)
    return Model(system.layout, rows, kernel, lambda: system, kinetics.shared_states, tuple(stages))


def read_kinetics(path: Path) -> CustomPk:
    """A file of kinetics and its model. Raises InputError with file, line and key."""
    content, lines = read_yaml(path)
    settings: KineticsFile = validated(content, YamlSource(path, lines), KINETICS_FILE)
    imported = import_sbml(path.parent / settings.model)
    if imported.events:
        message = f"'{settings.model}' has events: doses come from the scenario"
        raise InputError(message, file=path, key="model", expected="the model without doses")
    for name, species in settings.doses.items():
        if species not in imported.state_of_id:
            message, line = (
                f"'{species}' is no species of '{settings.model}' that an amount can enter",
                lines.get(("doses", name)),
            )
            raise InputError(message, file=path, line=line, key=name, expected=", ".join(imported.state_of_id))
    file_contents = (path.parent / settings.model).read_bytes() + path.read_bytes()
    return CustomPk(imported, settings, path, short_hash(file_contents, 8))


def _refuse_missing(kinetics: CustomPk, parameters: ParameterTable) -> None:
    required = [name for name in _required_concentrations(parameters) if name.removeprefix("venous.") not in MOIETIES]
    missing = [name for name in required if name not in kinetics.settings.outputs]
    unknown = [name for name in kinetics.settings.outputs if name not in _required_concentrations(parameters)]
    if missing:
        message, expected, example = (
            f"kinetics without {', '.join(missing)}",
            "a formula or 0 for each",
            f"{missing[0]}: 0",
        )
        raise InputError(message, file=kinetics.path, key="outputs", expected=expected, type_this=example)
    if unknown:
        expected = ", ".join(required)
        raise InputError(f"no stage knows '{unknown[0]}'", file=kinetics.path, key="outputs", expected=expected)


def _required_concentrations(parameters: ParameterTable) -> list[str]:
    """Concentrations that the built-in kinetics provide."""
    built_in = declare_stage(next(stage for stage in all_stages() if stage.__name__ == REPLACED_STATES), parameters)
    return [name for name in (*built_in.states, *built_in.outputs) if name.startswith(REQUIRED_PREFIXES)]


def _units(kinetics: CustomPk) -> dict[str, str]:
    """Parameters equal to 1 that give the numbers of the model a unit; the fingerprint distinguishes models."""
    units = {"amount": "umol", "level": "umol/L", "pace": "1/h"}
    return {f"kinetics.{quantity}_{kinetics.fingerprint}": unit_text for quantity, unit_text in units.items()}


def _write(m: Stage, kinetics: CustomPk, parameters: ParameterTable) -> None:
    """States, rates and outputs of the imported model, in the stage language."""
    amount, level, pace = (m.parameter(name) for name in _units(kinetics))
    model, settings = kinetics.sbml_model, kinetics.settings
    per_micromole = convert(1.0, "umol", settings.amounts, molar_mass=parameters[KETAMINE].canonical * GRAMS_PER_MOLE)
    hours = unit(settings.time).factor
    dosed_states = {model.state_of_id[into][0]: (name, into) for into, name in kinetics.initial_state.items()}
    substitutions: dict[sympy.Symbol, sympy.Expr] = {
        symbol(name): sympy.Float(v) for name, v in model.constants.items()
    }
    converted: dict[str, tuple[sympy.Symbol, sympy.Expr]] = {}
    rates = {name: rate for name, rate in model.rates.items() if name != CLOCK}
    used = {s.name for e in (*rates.values(), *model.rules.values()) for s in sympy.sympify(e).free_symbols}
    if model.delays:
        raise InputError("the model has delays", file=kinetics.path, expected="kinetics without delays")
    if CLOCK in used:
        raise InputError("the model depends on time itself", file=kinetics.path, expected="kinetics that do not")
    for name, rate in rates.items():
        if rate == 0 and name not in dosed_states:
            substitutions[symbol(name)] = sympy.Float(model.values_at_start[name])
            continue
        dosed_state = dosed_states.get(name)
        is_sink = name not in used
        if dosed_state:
            state = m.state(dosed_state[0], "umol", description=f"{dosed_state[1]} of {model.title}", is_sink=is_sink)
            volume = model.state_of_id[dosed_state[1]][1]
            assert volume is None or name.endswith(".amount")
            substitutions[symbol(name)], from_symbol = state / amount * per_micromole, amount / per_micromole
        else:
            initial_value = model.values_at_start[name]
            state = m.state(
                _imported_name(name), "1", initial_guess=initial_value, bounds=(None, None), scale=model.scales[name],
                is_sink=is_sink, description=f"{name.removeprefix(f'{STAGE}.')} of {model.title}",
            )  # fmt: skip
            substitutions[symbol(name)], from_symbol = state, sympy.Integer(1)
        converted[name] = (state, from_symbol)
    for name in model.rules:
        substitutions[symbol(name)] = symbol(_imported_name(name))
    for output in model.system.outputs:
        description = f"{output.name.removeprefix(f'{STAGE}.')} of {model.title}"
        m.output(
            _imported_name(output.name),
            sympy.sympify(output.expression).xreplace(substitutions),
            "1",
            description=description,
        )
    for name, (state, from_symbol) in converted.items():
        rate = sympy.sympify(rates[name]).xreplace(substitutions)
        m.rate(state, rate * from_symbol * pace / hours, because=f"as in {model.title}")
    _outputs(m, kinetics, substitutions, level, parameters)


def _outputs(
    m: Stage, kinetics: CustomPk, substitutions: Mapping[sympy.Symbol, sympy.Expr], level: sympy.Symbol,
    parameters: ParameterTable,
) -> None:  # fmt: skip
    """The required concentrations as formulas of the ids of the model."""
    names, model = libsbml(), kinetics.sbml_model
    for name, declared in kinetics.settings.outputs.items():
        output = declared if isinstance(declared, KineticOutput) else KineticOutput(formula=declared, molar_mass=None)
        formulas = Formulas(names, model.symbol_of_id, {}, f"the formula of {name}")
        node = names.parseL3Formula(str(output.formula))
        if node is None:
            message = f"'{output.formula}' is no formula"
            raise InputError(message, file=kinetics.path, key=name, expected="ids, + - * / ( )")
        mass = output.molar_mass or parameters[KETAMINE].canonical * GRAMS_PER_MOLE
        factor = convert(1.0, output.unit, "umol/L", molar_mass=mass)
        value = formulas.value(node).xreplace(dict(substitutions)) * factor * level
        m.output(name, value, "umol/L", description=_output_description(name, model))
    for moiety in MOIETIES:
        if f"venous.{moiety}" not in kinetics.settings.outputs:
            add_venous_total(m, moiety, f"by {model.title}")


def _output_description(name: str, model: SbmlModel) -> str:
    site, _, substance = name.partition(".")
    return f"{substance.replace('_', '-')} in {site}, by {model.title}"


def _imported_name(name: str) -> str:
    """The name of an imported quantity in the stage."""
    words = re.findall(r"[A-Za-z0-9]+", name.removeprefix(f"{STAGE}."))
    return f"{REPLACED_STATES}.imported_{'_'.join(words) or 'x'}"
