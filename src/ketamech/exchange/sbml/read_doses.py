"""Doses of an SBML model written by KetaMech: initial values, and events that add to a state or set an inflow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ketamech.core import InputError
from ketamech.dosing.dose_events import BELIEF
from ketamech.dosing.drugs import DRUGS
from ketamech.exchange.dose_inference.route_templates import InputProfile
from ketamech.exchange.optional_libraries import libsbml
from ketamech.exchange.sbml.ids import INFLOW, own_name
from ketamech.parameters import ParameterTable

# compartments that doses of ketamine enter
SITES = ("central", "gut", "nose", "racemic_nose", "mouth", "muscle", "skin", "peritoneum")
KINETICS = "pharmacokinetics."
EXPECTED = "a model as KetaMech writes it"
_SIZE = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?: [A-Za-z]\w*)?"
_MOMENT = re.compile(rf"time >= {_SIZE}\Z")
_SPEED = re.compile(rf"{_SIZE}\Z")
_AMOUNT = re.compile(rf"(\w+) \+ {_SIZE}\Z")
VALUE_TOLERANCE = 1e-12  # relative; values have 15 digits


@dataclass(frozen=True)
class ParsedDoses:
    """The input profile, and the parameters that differ from the tables (canonical units)."""

    profile: InputProfile
    values: Mapping[str, float]


def doses_of_sbml(text: str, parameters: ParameterTable) -> ParsedDoses:
    """The doses and parameter values of a model. Raises InputError for an event that is not a dose."""
    names = libsbml()
    document = names.readSBMLFromString(text)
    model = document.getModel()
    if (
        model is None
        or document.getNumErrors(names.LIBSBML_SEV_ERROR)
        or document.getNumErrors(names.LIBSBML_SEV_FATAL)
    ):
        raise InputError("this is no valid SBML", expected=EXPECTED)
    held = {p.getId(): p.getValue() for p in (model.getParameter(i) for i in range(model.getNumParameters()))}
    ruled = {model.getRule(i).getVariable() for i in range(model.getNumRules()) if model.getRule(i).isRate()}
    if f"{BELIEF.replace('.', '__')}" not in held:
        raise InputError("this is no model of KetaMech", expected=EXPECTED, type_this="--to result.csv")
    found = InputProfile()
    _start(found, {own_name(name): value for name, value in held.items() if name in ruled})
    flowing = {own_name(name): value for name, value in held.items() if name.startswith(f"{INFLOW}__")}
    for state, speed in flowing.items():
        if _number(speed, state):
            found.step(state, 0.0, speed)
    for at, changes in sorted(_changes(names, model), key=lambda one: one[0]):
        for variable, kind, size in changes:
            state = own_name(variable)
            if kind == INFLOW:
                found.step(state, at, size - flowing.get(state, 0.0))
                flowing[state] = size
            else:
                found.add(state, at, size)
    return ParsedDoses(found, _values(held, parameters))


def dosed_states() -> frozenset[str]:
    """States that doses enter; all are 0 at baseline."""
    ketamine = {f"{KINETICS}{site}_{side}" for site in SITES for side in "sr"}
    return frozenset(ketamine | {drug.compartment for drug in DRUGS if drug.compartment} | {BELIEF})


def _start(found: InputProfile, starts: Mapping[str, float]) -> None:
    """Doses at 0 h are part of the initial values."""
    dosed = dosed_states()
    for state, value in starts.items():
        if state in dosed:
            if _number(value, state):
                found.add(state, 0.0, value)
        elif state.startswith(KINETICS) and _number(value, state):
            what = f"the model starts with a drug in the body ({state}): a steady state whose schedule is unknown"
            raise InputError(what, key=state, expected="a drug-free start")


def _changes(names: Any, model: Any) -> Iterator[tuple[float, list[tuple[str, str, float]]]]:
    for event in (model.getEvent(i) for i in range(model.getNumEvents())):
        label = event.getId() or "an event"
        if event.isSetDelay():
            raise InputError(f"event '{label}' has a delay", key=label, expected=EXPECTED)
        changes = [_change(names, event.getEventAssignment(k), label) for k in range(event.getNumEventAssignments())]
        yield _event_time(names, event.getTrigger(), label), changes


def _event_time(names: Any, trigger: Any, label: str) -> float:
    found = _MOMENT.match(_formula_text(names, trigger))
    if found is None:
        raise InputError(f"event '{label}' does not begin at a time", key=label, expected="time >= a number of hours")
    return _number(float(found[1]), label)


def _change(names: Any, assignment: Any, label: str) -> tuple[str, str, float]:
    """(variable, whether an amount or an inflow, size)."""
    variable, text = assignment.getVariable(), _formula_text(names, assignment)
    if variable.startswith(f"{INFLOW}__") and (found := _SPEED.match(text)):
        return variable, INFLOW, _number(float(found[1]), label)
    if (found := _AMOUNT.match(text)) and found[1] == variable:
        return variable, "amount", _number(float(found[2]), label)
    raise InputError(
        f"event '{label}' does more to {variable} than a dose", key=label, expected="the state plus a number"
    )


def _formula_text(names: Any, part: Any) -> str:
    """A formula as text; node types are not used, because libSEDML changes their class."""
    return str(names.formulaToL3String(part.getMath()) or "") if part is not None and part.isSetMath() else ""


def _number(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise InputError(f"'{where}' has a value that is no number", key=where, expected=EXPECTED)
    return float(value)


def _values(held: Mapping[str, float], parameters: ParameterTable) -> dict[str, float]:
    values = {own_name(name): value for name, value in held.items() if own_name(name) in parameters}
    usual = {name: parameters[name].canonical for name in values}
    return {n: _number(v, n) for n, v in values.items() if abs(v - usual[n]) > VALUE_TOLERANCE * abs(usual[n])}
