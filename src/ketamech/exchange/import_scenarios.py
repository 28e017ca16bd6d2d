"""Scenarios read from SBML, SED-ML, OMEX archives and PEtab 2 experiments written by KetaMech.

The doses of an SBML model are its initial values, and events that add to a state or set an inflow. The doses of a PEtab
experiment are the conditions of its periods. A regimen is inferred from them (`infer_regimen`).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ketamech.core import InputError
from ketamech.core.atomic_files import read_json, read_text
from ketamech.dosing.dose_events import ANTICIPATION, BELIEF
from ketamech.dosing.drugs import load_drugs
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.exchange.infer_regimen import infer_regimen
from ketamech.exchange.optional_libraries import libsbml
from ketamech.exchange.route_templates import InputProfile
from ketamech.exchange.sbml.ids import INFLOW, own_name, sbml_id
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.exchange.sedml_simulation import SedmlFile
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, Species, load_species
from ketamech.simulation.scenario import Scenario, validate

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
    """The input profile, and the parameters that differ from the tables (canonical units)."""

    profile: InputProfile
    values: Mapping[str, float]


def doses_of_sbml(text: str, parameters: ParameterTable) -> ParsedDoses:
    """The doses and parameter values of a model. Raises InputError for an event that is not a dose."""
    document = libsbml().readSBMLFromString(text)
    model = document.getModel()
    severe = (libsbml().LIBSBML_SEV_ERROR, libsbml().LIBSBML_SEV_FATAL)
    if model is None or any(document.getNumErrors(severity) for severity in severe):
        raise InputError("this is no valid SBML", expected=EXPECTED)
    held = {p.getId(): p.getValue() for p in (model.getParameter(i) for i in range(model.getNumParameters()))}
    ruled = {model.getRule(i).getVariable() for i in range(model.getNumRules()) if model.getRule(i).isRate()}
    for one in (model.getSpecies(i) for i in range(model.getNumSpecies())):
        held[one.getId()] = one.getInitialAmount() if one.isSetInitialAmount() else one.getInitialConcentration()
        ruled.add(one.getId())
    if sbml_id(BELIEF) not in held:
        raise InputError("this is no model of KetaMech", expected=EXPECTED, type_this="--to result.csv")
    found = InputProfile()
    _start(found, {own_name(name): value for name, value in held.items() if name in ruled})
    flowing = {own_name(name): value for name, value in held.items() if name.startswith(f"{INFLOW}__")}
    for state, speed in flowing.items():
        if _number(speed, state):
            found.step(state, 0.0, speed)
    for at, changes in sorted(_changes(model), key=lambda one: one[0]):
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
    others = {drug.compartment for drug in load_drugs() if drug.compartment}
    return frozenset(ketamine | others | {BELIEF, ANTICIPATION})


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


def _changes(model: Any) -> Iterator[tuple[float, list[tuple[str, str, float]]]]:
    for event in (model.getEvent(i) for i in range(model.getNumEvents())):
        label = event.getId() or "an event"
        if event.isSetDelay():
            raise InputError(f"event '{label}' has a delay", key=label, expected=EXPECTED)
        begin = _MOMENT.match(_formula_text(event.getTrigger()))
        if begin is None:
            what = f"event '{label}' does not begin at a time"
            raise InputError(what, key=label, expected="time >= a number of hours")
        changes = [_change(event.getEventAssignment(k), label) for k in range(event.getNumEventAssignments())]
        yield _number(begin[1], label), changes


def _change(assignment: Any, label: str) -> tuple[str, str, float]:
    """(variable, whether an amount or an inflow, size)."""
    variable, text = assignment.getVariable(), _formula_text(assignment)
    if variable.startswith(f"{INFLOW}__") and (found := _SPEED.match(text)):
        return variable, INFLOW, _number(found[1], label)
    if (found := _AMOUNT.match(text)) and found[1] == variable:
        return variable, "amount", _number(found[2], label)
    what = f"event '{label}' does more to {variable} than a dose"
    raise InputError(what, key=label, expected="the state plus a number")


def _formula_text(part: Any) -> str:
    """A formula as text; node types are not used, because libSEDML changes their class."""
    return str(libsbml().formulaToL3String(part.getMath()) or "") if part is not None and part.isSetMath() else ""


def _number(value: float | str, where: str) -> float:
    """A finite number. Raises InputError, naming `where` it stands, for another."""
    with suppress(ValueError):
        if math.isfinite(number := float(value)):
            return number
    what = f"'{where}' has a value that is no number ({str(value)[:60]})"
    raise InputError(what, key=where, expected="a finite number")


def _values(held: Mapping[str, float], parameters: ParameterTable) -> dict[str, float]:
    values = {own_name(name): value for name, value in held.items() if own_name(name) in parameters}
    usual = {name: parameters[name].canonical for name in values}
    return {n: _number(v, n) for n, v in values.items() if abs(v - usual[n]) > VALUE_TOLERANCE * abs(usual[n])}


EXPECTED_PROBLEM = "a problem.yaml of version 2 as KetaMech writes it"
Cells = list[dict[str, str]]


def doses_of_petab(problem: Path, parameters: ParameterTable) -> dict[str, tuple[ParsedDoses, float]]:
    """The input profile and the last measurement time (h) of each experiment. Raises InputError."""
    config = _config(problem)
    models = config.get("model_files")
    first = next(iter(models.values()), None) if isinstance(models, dict) and len(models) == 1 else None
    if not isinstance(first, dict) or not isinstance(first.get("location"), str):
        raise InputError("not one model", key="model_files", expected=EXPECTED_PROBLEM)
    model = read_text(_beside(problem, first["location"]), EXPECTED)
    conditions: dict[str, Cells] = {}
    for row in _tables(problem, config, "condition", ("conditionId", "targetId", "targetValue")):
        conditions.setdefault(row["conditionId"], []).append(row)
    last: dict[str, float] = {}
    for row in _tables(problem, config, "measurement", ("experimentId", "time")):
        last[row["experimentId"]] = max(last.get(row["experimentId"], 0.0), _number(row["time"], row["experimentId"]))
    periods: dict[str, list[tuple[float, str]]] = {}
    for row in _tables(problem, config, "experiment", ("experimentId", "time", "conditionId")):
        name = row["experimentId"]
        periods.setdefault(name, []).append((_number(row["time"], name), row["conditionId"]))
    found = {}
    for name, each in periods.items():
        begun = doses_of_sbml(model, parameters)
        _add_changes(begun, sorted(each), conditions)
        found[name] = (begun, last.get(name, 0.0))
    return found


def _add_changes(found: ParsedDoses, periods: list[tuple[float, str]], conditions: Mapping[str, Cells]) -> None:
    """Add the changes of every period; at time 0 a value is the dose itself, because the dosed states start at 0."""
    flowing: dict[str, float] = {}
    for at, condition in periods:
        if condition and condition not in conditions:
            raise InputError(f"there is no condition '{condition}'", key=condition, expected=EXPECTED_PROBLEM)
        for row in conditions.get(condition, ()):
            target, text = row["targetId"], row["targetValue"]
            state = own_name(target)
            if target.startswith(f"{INFLOW}__"):
                speed = _number(text, target)
                found.profile.step(state, at, speed - flowing.get(state, 0.0))
                flowing[state] = speed
                continue
            same, _, more = text.partition(" + ")
            if (more and same != target) or (not more and at > 0):
                what = f"condition '{condition}' does more to {target} than a dose"
                raise InputError(what, key=condition, expected="the state plus a number")
            found.profile.add(state, at, _number(more or text, target))


def _config(problem: Path) -> dict[str, Any]:
    try:
        config = read_json(read_text(problem, EXPECTED_PROBLEM))
    except ValueError:
        raise InputError("this is no problem of KetaMech", expected=EXPECTED_PROBLEM) from None
    if not isinstance(config, dict) or not str(config.get("format_version", "")).startswith("2"):
        raise InputError("this is no PEtab problem of version 2", key="format_version", expected=EXPECTED_PROBLEM)
    return config


def _tables(problem: Path, config: Mapping[str, Any], kind: str, columns: tuple[str, ...]) -> Cells:
    places = config.get(f"{kind}_files", [])
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise InputError(f"no list of {kind} tables", key=f"{kind}_files", expected=EXPECTED_PROBLEM)
    rows: Cells = []
    for place in places:
        path = _beside(problem, place)
        for row in csv.DictReader(read_text(path, "a table of PEtab").splitlines(), delimiter="\t"):
            if any(not isinstance(row.get(column), str) for column in columns):
                raise InputError("a row lacks a column", file=path, expected=", ".join(columns))
            rows.append({column: row[column].strip() for column in columns})
    return rows


def _beside(path: Path, name: str) -> Path:
    """A file that another file names. Raises InputError for one outside the folder of that file."""
    if Path(name).is_absolute() or ".." in Path(name).parts or "://" in name:
        raise InputError(f"'{name}' is not beside this file", expected="a file in its folder")
    return path.parent / name


MODELS = (".xml", ".sbml")
SIMULATIONS = (".sedml", ".omex")
PROBLEM = "problem.yaml"
REST_TOLERANCE = 1e-9  # relative, of a value that was written and read


def read_scenarios(path: Path, parameters: ParameterTable) -> dict[str, Scenario]:
    """The scenario of each subject in a file, by name. Raises InputError for unsupported or missing content."""
    try:
        courses = _courses_in_file(path, parameters)
        return {name: _scenario(name, path, *course, parameters) for name, course in courses.items()}
    except InputError as problem:
        raise problem.at(path) from None


def _courses_in_file(path: Path, parameters: ParameterTable) -> Mapping[str, tuple[ParsedDoses, float]]:
    if path.name == PROBLEM:
        return doses_of_petab(path, parameters)
    if path.suffix.lower() in MODELS:
        return {path.stem: (doses_of_sbml(read_text(path, EXPECTED), parameters), 0.0)}
    simulation = SedmlFile(path)
    return {path.stem: (doses_of_sbml(simulation.first_model(), parameters), simulation.horizon)}


def _scenario(name: str, path: Path, found: ParsedDoses, horizon: float, parameters: ParameterTable) -> Scenario:
    species = _species_of(found.values)
    values = {**species.canonical, **found.values}
    regimen = infer_regimen(found.profile, parameters, values, species.name)
    looked = horizon or min(regimen.horizon(), MAX_HORIZON_H)
    validate(regimen, parameters, values, looked, species)
    note = () if horizon else ("the horizon, which the file does not contain",)
    made = Scenario(name, f"Doses of {path.name}.", regimen, values, looked, True, 1, "", note, species.name)
    return replace(made, source=scenario_yaml(made, parameters))


def _species_of(values: Mapping[str, float]) -> Species:
    """The species most of whose values (canonical units) these are, else human; other values were set."""
    for name in SPECIES:
        usual = load_species(name).canonical
        known = {key: value for key, value in values.items() if key in usual}
        alike = [key for key, value in known.items() if math.isclose(value, usual[key], rel_tol=REST_TOLERANCE)]
        if 2 * len(alike) > len(usual):
            return load_species(name)
    return load_species(HUMAN)
