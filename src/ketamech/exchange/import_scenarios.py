"""Scenarios back from the files of other programs: SBML, SED-ML, OMEX archives and PEtab 2 experiments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ketamech.core import InputError
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.exchange.dose_inference.infer_regimen import infer_regimen
from ketamech.exchange.petab.read_doses import doses_of_petab
from ketamech.exchange.sbml.ids import own_name
from ketamech.exchange.sbml.read_doses import ParsedDoses, doses_of_sbml
from ketamech.exchange.sbml.reader import text_of
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.exchange.sedml_doses import model_of_sedml
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, Species, load_species
from ketamech.simulation.scenario import Scenario, validate

MODELS = (".xml", ".sbml")
SIMULATIONS = (".sedml", ".omex")
PROBLEM = "problem.yaml"
REST_TOLERANCE = 1e-9  # of a value that was written and read again


def read_scenarios(path: Path, parameters: ParameterTable) -> dict[str, Scenario]:
    """What each person in a file is given, by name. Raises BadInput, naming it, for what is not told or not known."""
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
        return {path.stem: (doses_of_sbml(text_of(path), parameters), 0.0)}
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
    regimen = infer_regimen(found.entering, parameters, values, species.name)
    looked = horizon or min(regimen.horizon(), MAX_HORIZON_H)
    validate(regimen, parameters, values, looked, species)
    note = () if horizon else ("how long to look, which the file does not say",)
    made = Scenario(name, f"Doses of {path.name}.", regimen, values, looked, True, 1, "", note, species.name)
    return replace(made, source=scenario_yaml(made, parameters))


def _species_of(values: Mapping[str, float]) -> Species:
    """The animal most of whose values (canonical units) these are, or people; the rest was set."""
    for name in SPECIES:
        usual = load_species(name).canonical
        known = {key: value for key, value in values.items() if key in usual}
        alike = [key for key, value in known.items() if math.isclose(value, usual[key], rel_tol=REST_TOLERANCE)]
        if 2 * len(alike) > len(usual):
            return load_species(name)
    return load_species(HUMAN)
