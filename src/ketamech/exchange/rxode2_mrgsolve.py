"""A model of one patient for R: model files for rxode2 and mrgsolve, and the table of doses that both read.

Names are the SBML ids, time is in hours, every value is in its canonical unit. The table of doses holds NONMEM records
(TIME, EVID, AMT, RATE, CMT) of amounts into states, so that both programs stop at every dose. Doses up to time 0 are
part of the initial values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

import sympy

from ketamech.core import unit
from ketamech.core.units import format_dimensions
from ketamech.exchange.sbml.exporter import PatientModel
from ketamech.exchange.sbml.ids import Formula, sbml_id

EVENT_COLUMNS = ("ID", "TIME", "EVID", "AMT", "RATE", "CMT")
UNENDED_DURATION = 1e5  # h: the length of an infusion that does not end


class _RPrinter(Formula):
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


class _CppPrinter(_RPrinter):
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
    write: Callable[[sympy.Expr], str] = _RPrinter().doprint
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
    write: Callable[[sympy.Expr], str] = _CppPrinter().doprint
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
