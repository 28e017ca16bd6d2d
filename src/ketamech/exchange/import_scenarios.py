"""Scenarios read from SBML, SED-ML, OMEX archives and PEtab 2 experiments written by KetaMech.

The doses of an SBML model are its initial values, and events that add to a state or set an inflow. The doses of a PEtab
experiment are the conditions of its periods. A regimen is inferred from them (`infer_regimen`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sympy

from ketamech.core import InputError
from ketamech.core.atomic_files import read_text
from ketamech.dosing.dose_events import ANTICIPATION, BELIEF
from ketamech.dosing.drugs import load_drugs
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.exchange.document_libraries import libsbml
from ketamech.exchange.infer_regimen import infer_regimen
from ketamech.exchange.petab_simulation import changes_of, read_problem
from ketamech.exchange.route_templates import InputProfile
from ketamech.exchange.sbml.ids import INFLOW, own_name, sbml_id
from ketamech.exchange.sedml_simulation import SedmlFile
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, Species, load_species
from ketamech.simulation.scenario import Scenario, validate
from ketamech.simulation.scenario_yaml import scenario_yaml

# compartments that doses of ketamine enter
SITES = ("central", "gut", "nose", "racemic_nose", "mouth", "muscle", "skin", "rectum", "peritoneum")
KINETICS = "pharmacokinetics."
EXPECTED = "a model as KetaMech writes it"
_SIZE = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?: [A-Za-z]\w*)?"
_MOMENT = re.compile(rf"time >= {_SIZE}\Z")
_SPEED = re.compile(rf"{_SIZE}\Z")
_AMOUNT = re.compile(rf"(\w+) \+ {_SIZE}\Z")
VALUE_TOLERANCE = 1e-12  # relative; values have 15 digits


@dataclass(frozen=True)
class ParsedDoses:
    """The input profile, and the parameters that differ from the parameter tables (canonical units)."""

    profile: InputProfile
    values: Mapping[str, float]


def doses_of_sbml(text: str, parameters: ParameterTable) -> ParsedDoses:
    """The doses and parameter values of a model. Raises InputError for an event that is not a dose."""
    document = libsbml().readSBMLFromString(text)
    model = document.getModel()
    severe = (libsbml().LIBSBML_SEV_ERROR, libsbml().LIBSBML_SEV_FATAL)
    if model is None or any(document.getNumErrors(severity) for severity in severe):
        raise InputError("this is no valid SBML", expected=EXPECTED)
    values = {p.getId(): p.getValue() for p in (model.getParameter(i) for i in range(model.getNumParameters()))}
    state_ids = {model.getRule(i).getVariable() for i in range(model.getNumRules()) if model.getRule(i).isRate()}
    for species in (model.getSpecies(i) for i in range(model.getNumSpecies())):
        is_amount = species.isSetInitialAmount()
        values[species.getId()] = species.getInitialAmount() if is_amount else species.getInitialConcentration()
        state_ids.add(species.getId())
    if sbml_id(BELIEF) not in values:
        raise InputError("this is no model of KetaMech", expected=EXPECTED, type_this="--to result.csv")
    profile = InputProfile()
    _add_initial_doses(profile, {own_name(name): value for name, value in values.items() if name in state_ids})
    flowing = {own_name(name): value for name, value in values.items() if name.startswith(f"{INFLOW}__")}
    for state, speed in flowing.items():
        if _number(speed, state):
            profile.step(state, 0.0, speed)
    for time, changes in sorted(_changes(model), key=lambda item: item[0]):
        for variable, kind, size in changes:
            state = own_name(variable)
            if kind == INFLOW:
                _set_inflow(profile, flowing, time, state, size)
            else:
                profile.add(state, time, size)
    return ParsedDoses(profile, _changed_values(values, parameters))


def _set_inflow(profile: InputProfile, inflows: dict[str, float], time: float, state: str, speed: float) -> None:
    """Change the inflow into a state from a time on; `inflows`: the rates before it."""
    profile.step(state, time, speed - inflows.get(state, 0.0))
    inflows[state] = speed


def dosed_states() -> frozenset[str]:
    """States that doses enter; all are 0 at baseline."""
    ketamine = {f"{KINETICS}{site}_{side}" for site in SITES for side in "sr"}
    others = {drug.compartment for drug in load_drugs() if drug.compartment}
    return frozenset(ketamine | others | {BELIEF, ANTICIPATION})


def _add_initial_doses(profile: InputProfile, initial_values: Mapping[str, float]) -> None:
    """Doses at 0 h are part of the initial values."""
    dosed = dosed_states()
    for state, value in initial_values.items():
        if state in dosed:
            if _number(value, state):
                profile.add(state, 0.0, value)
        elif state.startswith(KINETICS) and _number(value, state):
            message = f"the model starts with a drug in the body ({state}): a steady state whose schedule is unknown"
            raise InputError(message, key=state, expected="a drug-free start")


def _changes(model: Any) -> Iterator[tuple[float, list[tuple[str, str, float]]]]:
    for event in (model.getEvent(i) for i in range(model.getNumEvents())):
        label = event.getId() or "an event"
        if event.isSetDelay():
            raise InputError(f"event '{label}' has a delay", key=label, expected=EXPECTED)
        trigger_match = _MOMENT.match(_formula_text(event.getTrigger()))
        if trigger_match is None:
            message = f"event '{label}' does not begin at a time"
            raise InputError(message, key=label, expected="time >= a number of hours")
        changes = [_change(event.getEventAssignment(k), label) for k in range(event.getNumEventAssignments())]
        yield _number(trigger_match[1], label), changes


def _change(assignment: Any, label: str) -> tuple[str, str, float]:
    """Variable, kind (amount or INFLOW) and size of an event assignment."""
    variable, text = assignment.getVariable(), _formula_text(assignment)
    if variable.startswith(f"{INFLOW}__") and (match := _SPEED.match(text)):
        return variable, INFLOW, _number(match[1], label)
    if (match := _AMOUNT.match(text)) and match[1] == variable:
        return variable, "amount", _number(match[2], label)
    message = f"event '{label}' changes {variable} in another way than a dose"
    raise InputError(message, key=label, expected="the state plus a number")


def _formula_text(node: Any) -> str:
    """A formula as text; node types are not used, because libSEDML changes their class."""
    return str(libsbml().formulaToL3String(node.getMath()) or "") if node is not None and node.isSetMath() else ""


def _number(value: float | str | sympy.Expr, label: str) -> float:
    """A finite number. Raises InputError, which names `label`, for another value."""
    with suppress(ValueError, TypeError):
        if math.isfinite(number := float(value)):
            return number
    message = f"'{label}' has a value that is no number ({str(value)[:60]})"
    raise InputError(message, key=label, expected="a finite number")


def _changed_values(values_by_id: Mapping[str, float], parameters: ParameterTable) -> dict[str, float]:
    values = {own_name(name): value for name, value in values_by_id.items() if own_name(name) in parameters}
    defaults = {name: parameters[name].canonical for name in values}
    return {n: _number(v, n) for n, v in values.items() if abs(v - defaults[n]) > VALUE_TOLERANCE * abs(defaults[n])}


def doses_of_petab(path: Path, parameters: ParameterTable) -> dict[str, tuple[ParsedDoses, float]]:
    """The input profile and the last measurement time (h) of each experiment. Raises InputError.

    Measurements without an experiment have the doses of the model, under the name of the file.
    """
    problem = read_problem(path)
    model = libsbml().writeSBMLToString(problem.model.sbml_model.getSBMLDocument())
    last_time: dict[str, float] = {}
    for measurement in problem.measurements:
        name = measurement.experiment_id or path.stem
        last_time[name] = max(last_time.get(name, 0.0), _number(measurement.time, name))
    doses_by_experiment = {}
    if path.stem in last_time:
        doses_by_experiment[path.stem] = (doses_of_sbml(model, parameters), last_time[path.stem])
    for experiment in problem.experiments:
        doses, inflows = doses_of_sbml(model, parameters), dict[str, float]()
        for period in experiment.sorted_periods:
            time = _number(period.time, experiment.id)
            for change in changes_of(problem, period):
                _add_change(doses.profile, inflows, time, change.target_id, change.target_value)
        doses_by_experiment[experiment.id] = (doses, last_time.get(experiment.id, 0.0))
    return doses_by_experiment


def _add_change(profile: InputProfile, inflows: dict[str, float], time: float, target: str, value: sympy.Expr) -> None:
    """Add a change of a period; at time 0 a value is the dose itself, because the dosed states start at 0."""
    added_amount = value - sympy.Symbol(target, real=True)  # as the PEtab library reads names
    if target.startswith(f"{INFLOW}__") and value.is_number:
        _set_inflow(profile, inflows, time, own_name(target), _number(value, target))
    elif added_amount.is_number or (value.is_number and time == 0):
        profile.add(own_name(target), time, _number(added_amount if added_amount.is_number else value, target))
    else:
        message = f"a condition changes {target} in another way than a dose"
        raise InputError(message, key=target, expected="the state plus a number")


MODELS = (".xml", ".sbml")
SIMULATIONS = (".sedml", ".omex")
PROBLEM = "problem.yaml"
REST_TOLERANCE = 1e-9  # relative, of a value that was written and read


def read_scenarios(path: Path, parameters: ParameterTable) -> dict[str, Scenario]:
    """The scenario of each subject in a file, by name. Raises InputError for unsupported or missing content."""
    try:
        doses_by_name = _courses_in_file(path, parameters)
        return {name: scenario_of_doses(name, path, *entry, parameters) for name, entry in doses_by_name.items()}
    except InputError as problem:
        raise problem.at(path) from None


def _courses_in_file(path: Path, parameters: ParameterTable) -> Mapping[str, tuple[ParsedDoses, float]]:
    if path.name == PROBLEM:
        return doses_of_petab(path, parameters)
    if path.suffix.lower() in MODELS:
        return {path.stem: (doses_of_sbml(read_text(path, EXPECTED), parameters), 0.0)}
    simulation = SedmlFile(path)
    return {path.stem: (doses_of_sbml(simulation.first_model(), parameters), simulation.horizon)}


def scenario_of_doses(
    name: str, path: Path, doses: ParsedDoses, horizon: float, parameters: ParameterTable
) -> Scenario:
    """The scenario of doses and parameter values. Raises InputError where no regimen expresses the doses."""
    species = _species_of(doses.values)
    values = {**species.canonical, **doses.values}
    regimen = infer_regimen(doses.profile, parameters, values, species.name)
    end = horizon or min(regimen.horizon(), MAX_HORIZON_H)
    validate(regimen, parameters, values, end, species)
    assumptions = () if horizon else ("the horizon, which the file does not contain",)
    scenario = Scenario(name, f"Doses of {path.name}.", regimen, values, end, True, 1, "", assumptions, species.name)
    return replace(scenario, source=scenario_yaml(scenario, parameters))


def _species_of(values: Mapping[str, float]) -> Species:
    """The species whose values (canonical units) most of `values` equal; human where there is none."""
    for name in SPECIES:
        species = load_species(name).canonical
        shared = {key: value for key, value in values.items() if key in species}
        equal = [key for key, value in shared.items() if math.isclose(value, species[key], rel_tol=REST_TOLERANCE)]
        if 2 * len(equal) > len(species):
            return load_species(name)
    return load_species(HUMAN)
