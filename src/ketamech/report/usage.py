"""Which parameters a run really used: what an equation multiplies by zero throughout carries no number of any paper.

The rule, in order: a pathway switched off and a perturbation not asked for are put at 0; a quantity (state or offer)
that stays at 0 in every patient throughout the run is put at 0 and its own equation is left out; what then still
stands in an equation, or behind a fixed quantity of one, was used. So the numbers of a comparator, of arketamine, of a
route or of a second blocker count only when they were given. Besides, the parameters that turn this run's doses into
what enters the body count: molar mass of the drugs given, and the absorbed fractions of the routes used. A value the
user set replaces its paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import sympy
import xarray as xr

from ketamech.report.told import Told
from ketamech.stages.declaration import hill, symbol
from ketamech.study import Model
from ketamech.system import System

SWITCHES = ("pathway.", "perturbation.", "person.")
ROUTES = {
    "nose_": ("nasal_", "spray_", "swallowed_"),
    "muscle_": ("intramuscular_",),
    "skin_": ("subcutaneous_",),
    "mouth_": ("sublingual_",),
    "gut_": ("oral_",),
}
_DRUGS = {
    "pharmacokinetics.": "drug.ketamine_molar_mass",
    "second_blocker.": "drug.memantine_molar_mass",
    "comparators.midazolam": "drug.midazolam_molar_mass",
}


def used_parameters(dataset: xr.Dataset, told: Told, model: Model) -> tuple[str, ...]:
    """Names of the parameters whose values shaped this run, in story order."""
    zero = {symbol(name): sympy.Integer(0) for name in (*_still_zero(dataset), *_switched_off(told, model))}
    found: set[str] = set(_dosing(told, model))
    for expression in _equations(model.system, zero):
        found |= _names(expression, zero)
    found = _with_fixed(found, model.system, zero)
    order = (
        *model.system.parameter_names,
        *(name for name in model.parameters if name not in model.system.parameter_names),
    )
    return tuple(name for name in order if name in found)


def cited_evidence(names: Iterable[str], told: Told, model: Model) -> tuple[str, ...]:
    """Evidence rows behind these parameters, each once; values set by the user or only assumed cite nothing."""
    ids: dict[str, None] = {}
    for name in names:
        row = model.parameters[name]
        replaced = name in told.values and not math.isclose(told.values[name], row.canonical, rel_tol=1e-9)
        if not replaced and row.status not in ("set", "assumed"):
            ids |= dict.fromkeys(row.evidence)
    return tuple(ids)


def _still_zero(dataset: xr.Dataset) -> set[str]:
    found = {str(name): np.abs(variable.values) for name, variable in dataset.data_vars.items()}
    return {name for name, size in found.items() if np.nanmax(size, initial=0.0) == 0.0}


def _switched_off(told: Told, model: Model) -> set[str]:
    chosen = {name: told.values.get(name, model.parameters[name].canonical) for name in model.system.parameter_names}
    return {name for name, value in chosen.items() if name.startswith(SWITCHES) and value == 0}


def _equations(system: System, zero: dict[sympy.Symbol, sympy.Expr]) -> Iterable[sympy.Expr]:
    for flux in system.fluxes:
        if symbol(flux.state) not in zero:
            yield flux.term
    for offer in system.watched:
        if symbol(offer.name) not in zero:
            yield offer.expression


def _with_fixed(found: set[str], system: System, zero: dict[sympy.Symbol, sympy.Expr]) -> set[str]:
    """Names, and what stands behind those that are fixed for a person."""
    behind = {offer.name: offer.expression for offer in system.offers if offer.fixed}
    waiting, seen = list(found), set(found)
    while waiting:
        name = waiting.pop()
        new = _names(behind[name], zero) - seen if name in behind else set()
        waiting += new
        seen |= new
    return seen


def _names(expression: sympy.Expr, zero: dict[sympy.Symbol, sympy.Expr]) -> set[str]:
    return {leaf.name for leaf in _simplified(expression, zero).free_symbols}


def _simplified(expression: sympy.Expr, zero: dict[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
    """Zeros put in; a Hill term of zero is zero."""
    if not expression.free_symbols & zero.keys():
        return expression
    put_in = expression.xreplace(zero)
    return put_in.replace(lambda e: isinstance(e, hill) and e.args[0] == 0, lambda e: sympy.Integer(0))


def _dosing(told: Told, model: Model) -> set[str]:
    states = {entry.state for course in told.courses for entry in course.entries}
    found = {mass for prefix, mass in _DRUGS.items() if any(state.startswith(prefix) for state in states)}
    for site, starts in ROUTES.items():
        if any(state.startswith(f"pharmacokinetics.{site}") for state in states):
            wanted = tuple(f"pharmacokinetics.{start}" for start in starts)
            found |= {name for name in model.parameters if name.startswith(wanted)}
    return {name for name in found if name in model.parameters}
