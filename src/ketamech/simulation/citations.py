"""The parameters that affect a run, and the papers behind their values.

The rule for these parameters, in order: switched-off pathways and absent perturbations are set to 0; a state or
output that stays at 0 in every patient is set to 0 and its equation is removed; parameters that remain in an
equation, or in a constant output that an equation uses, are used parameters. So the parameters of a comparator,
enantiomer, route or second blocker count only if it was given. The parameters that convert doses to dose events count
as well: molar masses of the drugs given and absorbed fractions of the routes used. A value set by the user cites no
paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core.constants import PAPERS
from ketamech.dosing.drugs import absorption
from ketamech.dosing.regimen import Regimen
from ketamech.evidence import load_evidence
from ketamech.model.expression_tree import ExpressionTrees, Tree, live_names
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

if TYPE_CHECKING:
    import xarray as xr


SWITCHES = ("pathway.", "perturbation.", "person.")


def used_parameters(
    dataset: AnyCurves, model: Model, values: Mapping[str, float], regimen: Regimen | None
) -> tuple[str, ...]:
    """Names of the parameters that affect the curves of a regimen (None: of no doses), in model order.

    `values` are the parameters that differ from the table (canonical units).
    """
    zero = {*_always_zero(dataset), *_switched_off(values, model)}
    names: set[str] = set(_dosing(regimen, model))
    for expression in _equations(model.expression_trees, zero):
        names |= live_names(expression, zero)
    names = _with_fixed(names, model.expression_trees, zero)
    order = dict.fromkeys((*model.layout.parameter_names, *model.parameters))
    return tuple(name for name in order if name in names)


def cited_evidence(names: Iterable[str], model: Model, values: Mapping[str, float]) -> tuple[str, ...]:
    """Evidence rows of these parameters without duplicates; set and assumed values cite nothing."""
    ids: dict[str, None] = {}
    for name in names:
        row = model.parameters[name]
        is_changed = name in values and not math.isclose(values[name], row.canonical, rel_tol=1e-9)
        if not is_changed and row.status not in ("set", "assumed"):
            ids |= dict.fromkeys(row.evidence)
    return tuple(ids)


def _always_zero(dataset: AnyCurves) -> set[str]:
    return {str(name) for name, variable in dataset.data_vars.items() if not np.nan_to_num(variable.values).any()}


def _switched_off(values: Mapping[str, float], model: Model) -> set[str]:
    names = [name for name in model.layout.parameter_names if name.startswith(SWITCHES)]
    return {name for name in names if values.get(name, model.parameters[name].canonical) == 0}


def _equations(outline: ExpressionTrees, zero: set[str]) -> Iterable[Tree]:
    yield from (term for state, term in outline.fluxes if state not in zero)
    yield from (expression for name, expression in outline.outputs if name not in zero and name not in outline.fixed)


def _with_fixed(names: set[str], outline: ExpressionTrees, zero: set[str]) -> set[str]:
    """Names, and the names in the expressions of outputs that are constant for a person."""
    fixed_expressions = {name: expression for name, expression in outline.outputs if name in outline.fixed}
    queue, found_names = list(names), set(names)
    while queue:
        name = queue.pop()
        new_names = live_names(fixed_expressions[name], zero) - found_names if name in fixed_expressions else set()
        queue += new_names
        found_names |= new_names
    return found_names


def _dosing(regimen: Regimen | None, model: Model) -> set[str]:
    """Parameters that convert the doses of the regimen to dose events."""
    names: set[str] = set()
    for treatment in regimen.treatments if regimen else ():
        drug = treatment.substance
        if drug.molar_mass:
            names.add(drug.molar_mass)
        if not drug.is_session:
            names.update(name for part in absorption(drug, treatment.route) for name in part.parameters)
    return {name for name in names if name in model.parameters}


def papers_of_run(curves: AnyCurves, scenario: Scenario, model: Model) -> list[str]:
    """Keys of the papers behind the parameters that shaped the curves of a scenario."""
    names = used_parameters(curves, model, scenario.values, scenario.regimen)
    ids = cited_evidence(names, model, scenario.values)
    return [paper.key for paper in load_evidence().cite(ids)]


def papers_behind(model: Model) -> list[str]:
    """Keys of the papers of every parameter that is neither set nor assumed."""
    rows = (model.parameters[name] for name in model.layout.parameter_names)
    ids = [evidence_id for row in rows if row.status not in ("set", "assumed") for evidence_id in row.evidence]
    return [paper.key for paper in load_evidence().cite(ids)]


def with_papers(result: xr.Dataset, papers: Sequence[str]) -> xr.Dataset:
    """The result with the keys of the papers behind it, which `ketamech.cite` reads."""
    return result.assign_attrs({PAPERS: " ".join(papers)})
