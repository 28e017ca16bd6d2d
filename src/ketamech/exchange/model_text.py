"""A model of one patient as text for other programs: Antimony, rxode2 and mrgsolve (R).

Names are the SBML ids, time is in hours, every value is in its canonical unit. Antimony has functions, units and
reasons as comments. The files for R come with a table of the doses: NONMEM records (TIME, EVID, AMT, RATE, CMT) of
amounts into states, so that both programs stop at every dose. Doses up to time 0 are part of the initial values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator

import sympy

from ketamech.core import unit
from ketamech.core.units import format_dimensions
from ketamech.exchange.sbml.exporter import PatientModel, assignments
from ketamech.exchange.sbml.ids import Formula, formula, inflow_id, sbml_id
from ketamech.exchange.sbml.reactions import CONCENTRATION

ANTIMONY_FUNCTIONS = (
    "function positive(x)  // x above 0, otherwise 0",
    "  (x + abs(x + 1e-150)) / 2",
    "end",
    "function hill(x, half, n)  // x^n / (x^n + half^n)",
    "  1 - 1 / (1 + positive(x / half)^n)",
    "end",
)
ANTIMONY_UNITS = (
    "unit time_unit = 3600 second",
    "unit substance = 1e-6 mole",
    "unit extent = 1e-6 mole",
    "unit volume = litre",
)


def antimony_text(patient: PatientModel) -> str:
    """Antimony text of a model; time in hours, every value in its canonical unit, which stands behind it."""
    lines = [
        *(f"// {line}" for line in patient.about),
        *ANTIMONY_FUNCTIONS,
        "model ketamech()",
        *_indented(_model(patient)),
        "end",
    ]
    return "\n".join(lines) + "\n"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" if line else "" for line in lines)


def _model(patient: PatientModel) -> Iterator[str]:
    yield from (f"{line};" for line in ANTIMONY_UNITS)
    yield from ("", "// Compartments of 1 L, one for each stage, so that amounts and concentrations are equal numbers")
    yield from (f"compartment {stage} = 1;" for stage in dict.fromkeys(map(patient.system.stage_of.get, patient.kinds)))
    yield from ("", "// States")
    yield from _states(patient)
    yield from ("", "// Fluxes, per h")
    yield from _fluxes(patient)
    yield from ("", "// Outputs")
    yield from _outputs(patient)
    yield from ("", "// Parameters of this patient")
    yield from _antimony_parameters(patient)
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


def _antimony_parameters(patient: PatientModel) -> Iterator[str]:
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


EVENT_COLUMNS = ("ID", "TIME", "EVID", "AMT", "RATE", "CMT")


class _R(Formula):
    """Prints SymPy in the language of rxode2, which is Formula with hill and its positive part written out."""

    size = "abs"

    def _print_log(self, expr: sympy.Expr) -> str:
        return f"log({self._print(expr.args[0])})"

    def _print_hill(self, expr: sympy.Expr) -> str:
        x, half, n = (self._print(argument) for argument in expr.args)
        ratio = f"({x})/({half})"
        return f"(1 - 1/(1 + {self._raised(f'({ratio} + {self.size}({ratio} + 1e-150))/2', n)}))"

    def _raised(self, base: str, exponent: str) -> str:
        return f"({base})^({exponent})"


class _Cpp(_R):
    """Prints SymPy in C++, the language of mrgsolve: pow for powers, no division of integers."""

    size = "fabs"

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return f"{int(expr)}.0"

    def _print_Rational(self, expr: sympy.Rational) -> str:
        return f"{int(expr.p)}.0/{int(expr.q)}.0"

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:
        if expr.exp.is_Number and expr.exp.is_negative:
            return f"(1.0/{self._print_Pow(1 / expr) if (1 / expr).is_Pow else f'({self._print(1 / expr)})'})"
        return self._raised(self._print(expr.base), self._print(expr.exp))

    def _raised(self, base: str, exponent: str) -> str:
        return f"pow({base}, {exponent})"


def rxode2_text(patient: PatientModel) -> str:
    """R code that defines the model, its parameters and its initial state, and simulates the table of doses."""
    write: Callable[[sympy.Expr], str] = _R().doprint
    lines = [
        *(f"# {line}" for line in patient.about),
        "library(rxode2)",
        "ketamech <- rxode2({",
        *(f"  {line}" for line in _equations(patient, write, "d/dt({0}) <- {1}", "{0} <- {1}")),
        "})",
        "parameters <- c(",
        *_list_items([f"{name} = {value!r}" for name, value, _ in _parameters(patient)]),
        ")",
        "initial <- c(",
        *_list_items([f"{sbml_id(name)} = {value!r}" for name, value in patient.starts.items()]),
        ")",
        "# doses <- read.csv('doses.csv')",
        "# run <- rxSolve(ketamech, parameters, doses, inits = initial, atol = 1e-10, rtol = 1e-8)",
    ]
    return "\n".join(lines) + "\n"


def mrgsolve_text(patient: PatientModel) -> str:
    """A model file of mrgsolve: mread('model.cpp'), then data_set of the table of doses."""
    write: Callable[[sympy.Expr], str] = _Cpp().doprint
    lines = [
        "$PROB",
        *patient.about,
        "$PARAM @annotated",
        *(f"{name} : {value!r} : {about}" for name, value, about in _parameters(patient)),
        "$INIT @annotated",
        *(
            f"{sbml_id(state.name)} : {patient.starts[state.name]!r} : {_remark(state.unit, state.description)}"
            for state in patient.system.states
        ),
        "$ODE",
        *(f"{line};" for line in _equations(patient, write, "dxdt_{0} = {1}", "double {0} = {1}")),
        "$CAPTURE",
        *(sbml_id(offer.name) for offer in patient.system.time_varying_outputs),
        "$SET delta = 0.5, rtol = 1e-8, atol = 1e-10",
    ]
    return "\n".join(lines) + "\n"


def doses_table(patient: PatientModel) -> str:
    """The doses after time 0 as records: boluses, and infusions by their rate until it changes."""
    rows: list[tuple[float, dict[str, object]]] = []
    inflow_since: dict[str, tuple[float, float]] = {}
    names = patient.system.state_names
    for time, change in patient.doses.changes.items():
        rows += [(time, _record(time, names[i], amount, 0.0)) for i, amount in change.amounts.items()]
        for i, rate in change.inflows.items():
            begin, previous_rate = inflow_since.get(names[i], (0.0, patient.inflows[names[i]]))
            rows += _infused(names[i], begin, time, previous_rate)
            inflow_since[names[i]] = (time, rate)
    for name, rate in patient.inflows.items():
        begin, final_rate = inflow_since.get(name, (0.0, rate))
        rows += _infused(name, begin, begin + UNENDED_DURATION, final_rate)
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, EVENT_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(row for _, row in sorted(rows, key=lambda item: item[0]))
    return buffer.getvalue()


def is_doses_table(text: str) -> bool:
    """Whether a text is a table of doses into states of the model, as `doses_table` writes it."""
    header, *records = text.splitlines() or [""]
    return header == ",".join(EVENT_COLUMNS) and all("__" in record for record in records)


UNENDED_DURATION = 1e5  # h: the length of an infusion that does not end


def _infused(state: str, begin: float, end: float, rate: float) -> list[tuple[float, dict[str, object]]]:
    return [(begin, _record(begin, state, rate * (end - begin), rate))] if rate else []


def _record(time: float, state: str, amount: float, rate: float) -> dict[str, object]:
    return dict(zip(EVENT_COLUMNS, (1, time, 1, amount, rate, sbml_id(state)), strict=True))


def _equations(patient: PatientModel, write: Callable[[sympy.Expr], str], rate: str, rule: str) -> Iterator[str]:
    """Constant values, outputs in the order in which they need one another, and rates of change."""
    system = patient.system
    for offer in system.outputs:
        yield rule.format(sbml_id(offer.name), write(offer.expression))
    for state, expression in zip(system.states, system.rates, strict=True):
        yield rate.format(sbml_id(state.name), write(expression))  # infusions come from the table of doses


def _parameters(patient: PatientModel) -> Iterator[tuple[str, float, str]]:
    """(id, value, remark) of every parameter and baseline value."""
    system = patient.system
    for name in system.parameter_names:
        remark = " ".join(patient.source_of(name)[0].replace(":", ",").split())
        yield sbml_id(name), patient.values[name], _remark(system.parameters[name].unit, remark)
    for name in system.baseline_names:
        label = f"rest({name})"
        yield sbml_id(label), patient.values[label], _remark(system.units[name], f"drug-free value of {name}")


def _remark(unit_text: str, text: str) -> str:
    return f"{' '.join(text.replace(':', ',').split())} ({format_dimensions(unit(unit_text).dims)})"


def _list_items(items: list[str]) -> list[str]:
    return [f"  {item}," for item in items[:-1]] + [f"  {item}" for item in items[-1:]]
