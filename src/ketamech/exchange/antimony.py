"""A model of one patient as Antimony text.

Names are the SBML ids, time is in hours, every value is in its canonical unit. Functions, units and reasons are
written out; reasons, units and sources stand in comments. Doses up to time 0 are part of the initial values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ketamech.core import unit
from ketamech.core.units import format_dimensions
from ketamech.exchange.sbml.exporter import PatientModel, assignments
from ketamech.exchange.sbml.ids import formula, inflow_id, sbml_id
from ketamech.exchange.sbml.reactions import CONCENTRATION

FUNCTIONS = (
    "function positive(x)  // x above 0, otherwise 0",
    "  (x + abs(x + 1e-150)) / 2",
    "end",
    "function hill(x, half, n)  // x^n / (x^n + half^n)",
    "  1 - 1 / (1 + positive(x / half)^n)",
    "end",
)
UNITS = (
    "unit time_unit = 3600 second",
    "unit substance = 1e-6 mole",
    "unit extent = 1e-6 mole",
    "unit volume = litre",
)


def antimony_text(patient: PatientModel) -> str:
    """Antimony text of a model; time in hours, every value in its canonical unit, which stands behind it."""
    lines = [
        *(f"// {line}" for line in patient.about),
        *FUNCTIONS,
        "model ketamech()",
        *_indented(_model(patient)),
        "end",
    ]
    return "\n".join(lines) + "\n"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" if line else "" for line in lines)


def _model(patient: PatientModel) -> Iterator[str]:
    yield from (f"{line};" for line in UNITS)
    yield from ("", "// Compartments of 1 L, one for each stage, so that amounts and concentrations are equal numbers")
    yield from (f"compartment {stage} = 1;" for stage in dict.fromkeys(map(patient.system.stage_of.get, patient.kinds)))
    yield from ("", "// States")
    yield from _states(patient)
    yield from ("", "// Fluxes, per h")
    yield from _fluxes(patient)
    yield from ("", "// Outputs")
    yield from _outputs(patient)
    yield from ("", "// Parameters of this patient")
    yield from _parameters(patient)
    yield from ("", "// Doses")
    yield from _doses(patient)


def _states(patient: PatientModel) -> Iterator[str]:
    for state in patient.system.states:
        identifier, value = sbml_id(state.name), patient.starts[state.name]
        comment = _comment(state.unit, state.description)
        if state.name not in patient.kinds:
            yield f"var {identifier} = {value!r};{comment}"
            continue
        declaration = "species" if patient.kinds[state.name] == CONCENTRATION else "substanceOnly species"
        yield f"{declaration} {identifier} in {patient.system.stage_of[state.name]} = {value!r};{comment}"


def _fluxes(patient: PatientModel) -> Iterator[str]:
    for reaction in patient.reactions:
        source, sink = ("" if state is None else sbml_id(state) for state in (reaction.source, reaction.sink))
        rate_law = formula(reaction.rate)
        main_species = reaction.source or reaction.sink
        if patient.kinds[str(main_species)] == CONCENTRATION:
            rate_law = f"{patient.system.stage_of[str(main_species)]} * ({rate_law})"
        yield f"{reaction.identifier}: {source} => {sink}; {rate_law};  // {reaction.reason}"
    for state in patient.ruled:
        yield f"{sbml_id(state.name)}' = {patient.rate(state.name)};"


def _outputs(patient: PatientModel) -> Iterator[str]:
    for offer in patient.system.outputs:
        operator = "=" if offer.is_constant else ":="
        yield f"{sbml_id(offer.name)} {operator} {formula(offer.expression)};{_comment(offer.unit, offer.description)}"


def _parameters(patient: PatientModel) -> Iterator[str]:
    system = patient.system
    for name in system.parameter_names:
        remark = " ".join(" ".join(patient.source_of(name)[:1]).split())
        yield f"{sbml_id(name)} = {patient.values[name]!r};{_comment(system.parameters[name].unit, remark)}"
    for name in system.baseline_names:
        rest = f"rest({name})"
        yield f"{sbml_id(rest)} = {patient.values[rest]!r};{_comment(system.units[name], f'drug-free {name}')}"
    for state, value in patient.inflows.items():
        yield f"var {inflow_id(state)} = {value!r};{_comment('', f'constant input into {state}, per h')}"


def _doses(patient: PatientModel) -> Iterator[str]:
    for number, (time, change) in enumerate(patient.doses.changes.items(), 1):
        changes = ", ".join(f"{target} = {text}" for target, text in assignments(patient.system, change, units=False))
        yield f"given_{number}: at time >= {time!r}, t0=false: {changes};"


def _comment(unit_text: str, text: str) -> str:
    """A comment with the canonical unit and a remark; empty where there is neither."""
    unit_name = format_dimensions(unit(unit_text).dims) if unit_text else ""
    comment = ": ".join(part for part in ("" if unit_name == "1" else unit_name, text) if part)
    return f"  // {comment}" if comment else ""
