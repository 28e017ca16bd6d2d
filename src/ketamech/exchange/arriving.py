"""Scenarios back from the files of other programs: SBML, SED-ML, OMEX archives and PEtab 2 experiments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ketamech.core import BadInput
from ketamech.exchange.dose_explaining import regimen_of
from ketamech.exchange.petab_doses import doses_of_petab
from ketamech.exchange.sbml_doses import Found, doses_of_sbml
from ketamech.exchange.sbml_reading import text_of
from ketamech.exchange.sbml_words import own_name
from ketamech.exchange.scenario_writing import scenario_yaml
from ketamech.exchange.sedml_doses import model_of_sedml
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, Species, load_species
from ketamech.study import Scenario
from ketamech.study.regimen import LONGEST
from ketamech.study.scenario import check

MODELS = (".xml", ".sbml")
SIMULATIONS = (".sedml", ".omex")
PROBLEM = "problem.yaml"
ALIKE = 1e-9  # of a value that was written and read again


def arriving(path: Path, parameters: ParameterTable) -> dict[str, Scenario]:
    """What each person in a file is given, by name. Raises BadInput, naming it, for what is not told or not known."""
    try:
        return {name: _scenario(name, path, *told, parameters) for name, told in _told(path, parameters).items()}
    except BadInput as problem:
        if problem.file is not None:
            raise
        told = {name: getattr(problem, name) for name in ("key", "expected", "nearest", "type_this")}
        raise BadInput(problem.what, file=path, **told) from None


def _told(path: Path, parameters: ParameterTable) -> Mapping[str, tuple[Found, float]]:
    if path.name == PROBLEM:
        return doses_of_petab(path, parameters)
    if path.suffix.lower() in MODELS:
        return {path.stem: (doses_of_sbml(text_of(path), parameters), 0.0)}
    text, horizon, changed = model_of_sedml(path)
    found = doses_of_sbml(text, parameters)
    own = {own_name(name): value for name, value in changed.items()}
    unknown = next((name for name in own if name not in parameters), None)
    if unknown is not None:
        raise BadInput(f"the SED-ML changes '{unknown}', which is no parameter", expected="parameters of KetaMech")
    return {path.stem: (replace(found, values={**found.values, **own}), horizon)}


def _scenario(name: str, path: Path, found: Found, horizon: float, parameters: ParameterTable) -> Scenario:
    species = _species_of(found.values)
    values = {**species.canonical, **found.values}
    regimen = regimen_of(found.entering, parameters, values, species.name)
    looked = horizon or min(regimen.horizon(), LONGEST)
    check(regimen, parameters, values, looked, species)
    note = () if horizon else ("how long to look, which the file does not say",)
    made = Scenario(name, f"Doses of {path.name}.", regimen, values, looked, True, 1, "", note, species.name)
    return replace(made, source=scenario_yaml(made, parameters))


def _species_of(values: Mapping[str, float]) -> Species:
    """The animal most of whose values (canonical units) these are, or people; the rest was set."""
    for name in SPECIES:
        usual = load_species(name).canonical
        known = {key: value for key, value in values.items() if key in usual}
        alike = [key for key, value in known.items() if math.isclose(value, usual[key], rel_tol=ALIKE)]
        if 2 * len(alike) > len(usual):
            return load_species(name)
    return load_species(HUMAN)
