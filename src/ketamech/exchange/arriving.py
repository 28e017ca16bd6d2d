"""Scenarios back from the files of other programs: SBML, SED-ML, OMEX archives and PEtab 2 experiments."""

from __future__ import annotations

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
from ketamech.parameters import ParameterTable
from ketamech.study import Scenario
from ketamech.study.regimen import LONGEST
from ketamech.study.scenario import check

MODELS = (".xml", ".sbml")
SIMULATIONS = (".sedml", ".omex")
PROBLEM = "problem.yaml"


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
    regimen = regimen_of(found.entering, parameters, found.values)
    looked = horizon or min(regimen.horizon(), LONGEST)
    check(regimen, parameters, found.values, looked)
    note = () if horizon else ("how long to look, which the file does not say",)
    made = Scenario(name, f"Doses of {path.name}.", regimen, found.values, looked, True, 1, "", note)
    return replace(made, source=scenario_yaml(made, parameters))
