"""A model of one patient as Antimony: short text to read, with its functions, units and reasons as comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ketamech.core import unit
from ketamech.core.units import format_dimensions
from ketamech.exchange.sbml.export import PatientModel, assignments
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
    yield from ("", "// Places of 1 L, one for each stage, so that amounts and concentrations are equal numbers")
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
        behind = _comment(state.unit, state.description)
        if state.name not in patient.kinds:
            yield f"var {identifier} = {value!r};{behind}"
            continue
        word = "species" if patient.kinds[state.name] == CONCENTRATION else "substanceOnly species"
        yield f"{word} {identifier} in {patient.system.stage_of[state.name]} = {value!r};{behind}"


def _fluxes(patient: PatientModel) -> Iterator[str]:
    for one in patient.reactions:
        source, sink = ("" if state is None else sbml_id(state) for state in (one.source, one.sink))
        law = formula(one.rate)
        first = one.source or one.sink
        if patient.kinds[str(first)] == CONCENTRATION:
            law = f"{patient.system.stage_of[str(first)]} * ({law})"
        yield f"{one.identifier}: {source} => {sink}; {law};  // {one.reason}"
    for state in patient.ruled:
        yield f"{sbml_id(state.name)}' = {patient.rate(state.name)};"


def _outputs(patient: PatientModel) -> Iterator[str]:
    for offer in patient.system.outputs:
        equal = "=" if offer.is_constant else ":="
        yield f"{sbml_id(offer.name)} {equal} {formula(offer.expression)};{_comment(offer.unit, offer.description)}"


def _parameters(patient: PatientModel) -> Iterator[str]:
    system = patient.system
    for name in system.parameter_names:
        about = " ".join(" ".join(patient.source_of(name)[:1]).split())
        yield f"{sbml_id(name)} = {patient.values[name]!r};{_comment(system.parameters[name].unit, about)}"
    for name in system.baseline_names:
        rest = f"rest({name})"
        yield f"{sbml_id(rest)} = {patient.values[rest]!r};{_comment(system.units[name], f'drug-free {name}')}"
    for state, value in patient.inflows.items():
        yield f"var {inflow_id(state)} = {value!r};{_comment('', f'constant input into {state}, per h')}"


def _doses(patient: PatientModel) -> Iterator[str]:
    for number, (at, change) in enumerate(patient.doses.changes.items(), 1):
        changes = ", ".join(f"{to} = {text}" for to, text in assignments(patient.system, change, units=False))
        yield f"given_{number}: at time >= {at!r}, t0=false: {changes};"


def _comment(unit_text: str, text: str) -> str:
    """A comment with the canonical unit and a remark; empty where there is neither."""
    measured = format_dimensions(unit(unit_text).dims) if unit_text else ""
    said = ": ".join(part for part in ("" if measured == "1" else measured, text) if part)
    return f"  // {said}" if said else ""
