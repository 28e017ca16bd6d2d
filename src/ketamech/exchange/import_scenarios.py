"""Scenarios read from SBML, SED-ML, OMEX archives and PEtab 2 experiments written by KetaMech."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from pathlib import Path

from ketamech.core import InputError
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.exchange.dose_inference.infer_regimen import infer_regimen
from ketamech.exchange.omex import read_archive
from ketamech.exchange.optional_libraries import libsedml
from ketamech.exchange.petab.read_doses import doses_of_petab
from ketamech.exchange.sbml.ids import own_name
from ketamech.exchange.sbml.importer import read_text
from ketamech.exchange.sbml.read_doses import ParsedDoses, doses_of_sbml
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.exchange.sedml import read_time_courses
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, Species, load_species
from ketamech.simulation.scenario import Scenario, validate

MODELS = (".xml", ".sbml")
SIMULATIONS = (".sedml", ".omex")
PROBLEM = "problem.yaml"
REST_TOLERANCE = 1e-9  # relative, of a value that was written and read


def read_scenarios(path: Path, parameters: ParameterTable) -> dict[str, Scenario]:
    """The scenario of each subject in a file, by name. Raises InputError for unsupported or missing content."""
    try:
        return {
            name: _scenario(name, path, *told, parameters) for name, told in _courses_in_file(path, parameters).items()
        }
    except InputError as problem:
        if problem.file is not None:
            raise
        told = {name: getattr(problem, name) for name in ("key", "expected", "nearest", "type_this")}
        raise InputError(problem.what, file=path, **told) from None


def _courses_in_file(path: Path, parameters: ParameterTable) -> Mapping[str, tuple[ParsedDoses, float]]:
    if path.name == PROBLEM:
        return doses_of_petab(path, parameters)
    if path.suffix.lower() in MODELS:
        return {path.stem: (doses_of_sbml(read_text(path), parameters), 0.0)}
    text, horizon, changed = model_of_sedml(path)
    found = doses_of_sbml(text, parameters)
    own = {own_name(name): value for name, value in changed.items()}
    unknown = next((name for name in own if name not in parameters), None)
    if unknown is not None:
        raise InputError(f"the SED-ML changes '{unknown}', which is no parameter", expected="parameters of KetaMech")
    return {path.stem: (replace(found, values={**found.values, **own}), horizon)}


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


ARCHIVE = ".omex"
_TARGET = re.compile(r".*parameter\[@id='(\w+)'\](/@value)?$")


def model_of_sedml(path: Path) -> tuple[str, float, dict[str, float]]:
    """SBML text, last simulated hour, and changed values by SBML id.

    Raises InputError for a change other than a value, and for a model outside the folder of the file.
    """
    files = read_archive(path) if path.suffix.lower() == ARCHIVE else {}
    place = next((name for name in files if name.endswith(".sedml")), "")
    if files and not place:
        raise InputError("the archive holds no SED-ML", file=path, expected="a file ending in .sedml")
    text = files[place] if files else read_text(path)
    source, courses = read_time_courses(text)
    if not courses:
        raise InputError("nothing is simulated", file=path, expected="a uniform time course")
    changed = _changed_values(text, path)
    name = source.removeprefix("./")
    if files and name not in files:
        raise InputError(f"the archive holds no '{name}'", file=path, expected="the model that its SED-ML names")
    if not files and (Path(name).is_absolute() or ".." in Path(name).parts or "://" in name):
        raise InputError(f"the model '{name}' is not beside this file", file=path, expected="a file beside it")
    return files[name] if files else read_text(path.parent / name), max(one.end for one in courses), changed


def _changed_values(text: str, path: Path) -> dict[str, float]:
    document = libsedml().readSedMLFromString(text)  # keep a reference: its parts are freed with it
    model = document.getModel(0)
    found = {}
    for one in (model.getChange(i) for i in range(model.getNumChanges())):
        kind, where = one.getElementName(), one.getTarget()
        target, value = _TARGET.match(where), None
        if target and kind == "changeAttribute":
            with suppress(ValueError):
                value = float(one.getNewValue())
        if target is None or value is None or not isfinite(value):
            what = f"the SED-ML changes more than a value ({kind} of {where[:80]})"
            raise InputError(what, file=path, expected="changeAttribute of the value of a parameter")
        found[target[1]] = value
    return found
