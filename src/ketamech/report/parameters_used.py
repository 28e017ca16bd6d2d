"""The parameters that affect a run: terms that are zero throughout the run cite no paper.

The rule, in order: switched-off pathways and absent perturbations are set to 0; a state or output that stays at 0 in
every patient is set to 0 and its equation is removed; parameters that remain in an equation, or in a constant output
that an equation uses, are used parameters. So the parameters of a comparator, enantiomer, route or second blocker count
only if it was given. The parameters that convert doses to dose events count as well: molar masses of the drugs given
and absorbed fractions of the routes used. A value set by the user cites no paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ketamech.model.expression_tree import ExpressionTrees, live_names
from ketamech.report.run_description import RunDescription
from ketamech.simulation.model import Model

if TYPE_CHECKING:
    import xarray as xr

    from ketamech.model.expression_tree import Tree

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
    "memantine.": "drug.memantine_molar_mass",
    "other_treatments.midazolam": "drug.midazolam_molar_mass",
}


def used_parameters(dataset: xr.Dataset, run: RunDescription, model: Model) -> tuple[str, ...]:
    """Names of the parameters that affect this run, in model order."""
    zero = {*_always_zero(dataset), *_switched_off(run, model)}
    found: set[str] = set(_dosing(run, model))
    for expression in _equations(model.expression_trees, zero):
        found |= live_names(expression, zero)
    found = _with_fixed(found, model.expression_trees, zero)
    order = dict.fromkeys((*model.layout.parameter_names, *model.parameters))
    return tuple(name for name in order if name in found)


def cited_evidence(names: Iterable[str], run: RunDescription, model: Model) -> tuple[str, ...]:
    """Evidence rows of these parameters without duplicates; set and assumed values cite nothing."""
    ids: dict[str, None] = {}
    for name in names:
        row = model.parameters[name]
        replaced = name in run.values and not math.isclose(run.values[name], row.canonical, rel_tol=1e-9)
        if not replaced and row.status not in ("set", "assumed"):
            ids |= dict.fromkeys(row.evidence)
    return tuple(ids)


def _always_zero(dataset: xr.Dataset) -> set[str]:
    return {str(name) for name in dataset.data_vars if not np.nan_to_num(dataset.variables[name].values).any()}


def _switched_off(run: RunDescription, model: Model) -> set[str]:
    names = [name for name in model.layout.parameter_names if name.startswith(SWITCHES)]
    return {name for name in names if run.values.get(name, model.parameters[name].canonical) == 0}


def _equations(outline: ExpressionTrees, zero: set[str]) -> Iterable[Tree]:
    yield from (term for state, term in outline.fluxes if state not in zero)
    yield from (how for name, how in outline.outputs if name not in zero and name not in outline.fixed)


def _with_fixed(found: set[str], outline: ExpressionTrees, zero: set[str]) -> set[str]:
    """Names, and the names in the expressions of outputs that are constant for a person."""
    behind = {name: how for name, how in outline.outputs if name in outline.fixed}
    waiting, seen = list(found), set(found)
    while waiting:
        name = waiting.pop()
        new = live_names(behind[name], zero) - seen if name in behind else set()
        waiting += new
        seen |= new
    return seen


def _dosing(run: RunDescription, model: Model) -> set[str]:
    states = {entry.compartment for course in run.subjects for entry in course.events}
    found = {mass for prefix, mass in _DRUGS.items() if any(state.startswith(prefix) for state in states)}
    for site, starts in ROUTES.items():
        if any(state.startswith(f"pharmacokinetics.{site}") for state in states):
            wanted = tuple(f"pharmacokinetics.{start}" for start in starts)
            found |= {name for name in model.parameters if name.startswith(wanted)}
    return {name for name in found if name in model.parameters}
