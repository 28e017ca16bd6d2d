"""Provenance of a run: versions, hashes, seed, command line, date; and the parameters that affect the run.

The rule for these parameters, in order: switched-off pathways and absent perturbations are set to 0; a state or
output that stays at 0 in every patient is set to 0 and its equation is removed; parameters that remain in an
equation, or in a constant output that an equation uses, are used parameters. So the parameters of a comparator,
enantiomer, route or second blocker count only if it was given. The parameters that convert doses to dose events count
as well: molar masses of the drugs given and absorbed fractions of the routes used. A value set by the user cites no
paper.
"""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import unit
from ketamech.core.constants import DISCLAIMER
from ketamech.core.environment import DATA, package_version, short_hash
from ketamech.dosing.drugs import absorption
from ketamech.evidence import load_evidence
from ketamech.exchange.result_metadata import PAPERS
from ketamech.model.expression_tree import ExpressionTrees, Tree, live_names
from ketamech.parameters import ParameterTable
from ketamech.report.run_description import RunDescription, describe_run
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

SWITCHES = ("pathway.", "perturbation.", "person.")


def used_parameters(dataset: xr.Dataset, run: RunDescription, model: Model) -> tuple[str, ...]:
    """Names of the parameters that affect this run, in model order."""
    zero = {*_always_zero(dataset), *_switched_off(run, model)}
    names: set[str] = set(_dosing(run, model))
    for expression in _equations(model.expression_trees, zero):
        names |= live_names(expression, zero)
    names = _with_fixed(names, model.expression_trees, zero)
    order = dict.fromkeys((*model.layout.parameter_names, *model.parameters))
    return tuple(name for name in order if name in names)


def cited_evidence(names: Iterable[str], run: RunDescription, model: Model) -> tuple[str, ...]:
    """Evidence rows of these parameters without duplicates; set and assumed values cite nothing."""
    ids: dict[str, None] = {}
    for name in names:
        row = model.parameters[name]
        is_changed = name in run.values and not math.isclose(run.values[name], row.canonical, rel_tol=1e-9)
        if not is_changed and row.status not in ("set", "assumed"):
            ids |= dict.fromkeys(row.evidence)
    return tuple(ids)


def _always_zero(dataset: xr.Dataset) -> set[str]:
    return {str(name) for name in dataset.data_vars if not np.nan_to_num(dataset.variables[name].values).any()}


def _switched_off(run: RunDescription, model: Model) -> set[str]:
    names = [name for name in model.layout.parameter_names if name.startswith(SWITCHES)]
    return {name for name in names if run.values.get(name, model.parameters[name].canonical) == 0}


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


def _dosing(run: RunDescription, model: Model) -> set[str]:
    """Parameters that convert the doses of the regimen to dose events."""
    names: set[str] = set()
    for treatment in run.regimen.treatments if run.regimen else ():
        drug = treatment.substance
        if drug.molar_mass:
            names.add(drug.molar_mass)
        if not drug.is_session:
            names.update(name for part in absorption(drug, treatment.route) for name in part.parameters)
    return {name for name in names if name in model.parameters}


PACKAGES = (
    "ketamech", "numpy", "scipy", "numba", "sympy", "pandas", "pyarrow", "xarray", "zarr", "matplotlib", "jinja2",
)  # fmt: skip
_EVIDENCE = DATA / "evidence"
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[/\\](?:[^/\\\s'\"]+[/\\])+([^/\\\s'\"]+)")


def provenance(run: RunDescription, model: Model, command_line: str) -> dict[str, Any]:
    """Versions, hashes of equations, parameters and evidence, seed, command line, date and platform."""
    return {
        "command_line": without_paths(command_line),
        "seed": run.seed,
        "date": _now(),
        "versions": {name: package_version(name, "not installed") for name in PACKAGES},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "equations": model.layout.fingerprint,
        "parameters": _hash_of_values(model.parameters),
        "evidence": _hash_of_files(_EVIDENCE),
        "scenario": short_hash(run.source),
        "changed_parameters": dict(_changed_parameters(run, model)),
        "disclaimer": DISCLAIMER,
    }


def provenance_of(scenario: Scenario, model: Model, seed: int, command_line: str) -> dict[str, str]:
    """Flat provenance for many patients of one scenario."""
    run = RunDescription(scenario.title, (), (), source=scenario.source, seed=seed, values=scenario.values)
    return _with_papers(provenance(run, model, command_line), model)


def provenance_of_many(
    title: str, source: str, model: Model, command_line: str, seed: int | None = None
) -> dict[str, str]:
    """Flat provenance for many patients without a scenario, and the papers of every parameter of the equations."""
    metadata = provenance(RunDescription(title, (), (), source=source, seed=seed), model, command_line)
    return _with_papers(metadata, model)


def _with_papers(metadata: Mapping[str, Any], model: Model) -> dict[str, str]:
    return {f"ketamech {name}": text for name, text in flattened(metadata).items()} | {
        PAPERS: " ".join(papers_behind(model))
    }


def papers_of_run(curves: xr.Dataset, scenario: Scenario, model: Model) -> list[str]:
    """Keys of the papers behind the parameters that shaped the curves of a scenario."""
    run = describe_run(scenario, model)
    ids = cited_evidence(used_parameters(curves, run, model), run, model)
    return [paper.key for paper in load_evidence().cite(ids)]


def papers_behind(model: Model) -> list[str]:
    """Keys of the papers of every parameter that is neither set nor assumed."""
    rows = (model.parameters[name] for name in model.layout.parameter_names)
    ids = [evidence_id for row in rows if row.status not in ("set", "assumed") for evidence_id in row.evidence]
    return [paper.key for paper in load_evidence().cite(ids)]


def flattened(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Provenance as a flat mapping of text, for dataset attributes and tables."""
    result: dict[str, str] = {}
    for name, value in metadata.items():
        items = value.items() if isinstance(value, Mapping) else [("", value)]
        result |= {f"{name} {key}".strip(): str(text) for key, text in items if text is not None}
    return result


def _changed_parameters(run: RunDescription, model: Model) -> Iterable[tuple[str, str]]:
    for name, value in sorted(run.values.items()):
        row = model.parameters[name]
        if not math.isclose(value, row.canonical, rel_tol=1e-9):
            yield name, f"{value / unit(row.unit).factor:g} {row.unit} (usually {row.value:g})"


def today() -> str:
    """Today's date (UTC)."""
    return _now()[:10]


def _now() -> str:
    """UTC, to the second; SOURCE_DATE_EPOCH makes runs repeatable to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _hash_of_values(table: ParameterTable) -> str:
    return short_hash("\n".join(f"{row.name}={row.value!r} {row.unit} {row.status}" for row in table.values()))


def _hash_of_files(folder: Path) -> str:
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".json"))
    return short_hash("\n".join(path.name + path.read_text(encoding="utf-8") for path in paths))


def without_paths(text: str) -> str:
    """Text with absolute paths shortened to their last part; doses such as 0.5 mg/kg are unchanged."""
    return _PATH.sub(r"\1", text)
