"""Provenance of a run: versions, hashes, seed, command line, date; no paths of the local machine."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import xarray as xr

from ketamech.core import unit
from ketamech.core.paths import DATA
from ketamech.exchange.result_metadata import PAPERS
from ketamech.parameters import ParameterTable
from ketamech.report.number_format import DISCLAIMER
from ketamech.report.run_description import RunDescription
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

PACKAGES = (
    "ketamech",
    "numpy",
    "scipy",
    "numba",
    "sympy",
    "pandas",
    "pyarrow",
    "xarray",
    "zarr",
    "matplotlib",
    "jinja2",
)
_EVIDENCE = DATA / "evidence"
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[/\\](?:[^/\\\s'\"]+[/\\])+([^/\\\s'\"]+)")


def provenance(run: RunDescription, model: Model, command_line: str) -> dict[str, Any]:
    """Versions, hashes of equations, parameters and evidence, seed, command line, date and platform."""
    return {
        "command_line": without_paths(command_line),
        "seed": run.seed,
        "date": _now(),
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "equations": model.layout.fingerprint,
        "parameters": _hash_of_values(model.parameters),
        "evidence": _hash_of_files(_EVIDENCE),
        "scenario": _hash(run.source),
        "changed_parameters": {
            name: _changed(name, value, model)
            for name, value in sorted(run.values.items())
            if _differs(name, value, model)
        },
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
    found = provenance(RunDescription(title, (), (), source=source, seed=seed), model, command_line)
    return _with_papers(found, model)


def _with_papers(found: Mapping[str, Any], model: Model) -> dict[str, str]:
    return {f"ketamech {name}": text for name, text in flattened(found).items()} | {
        PAPERS: " ".join(papers_behind(model))
    }


def papers_of_run(curves: xr.Dataset, scenario: Scenario, model: Model) -> list[str]:
    """Keys of the papers behind the parameters that shaped the curves of a scenario."""
    from ketamech.evidence import load_evidence
    from ketamech.report.parameters_used import cited_evidence, used_parameters
    from ketamech.report.run_description import describe_run

    told = describe_run(scenario, model)
    ids = cited_evidence(used_parameters(curves, told, model), told, model)
    return [paper.key for paper in load_evidence().cite(ids)]


def papers_behind(model: Model) -> list[str]:
    """Keys of the papers of every parameter that is neither set nor assumed."""
    from ketamech.evidence import load_evidence

    rows = (model.parameters[name] for name in model.layout.parameter_names)
    ids = [one for row in rows if row.status not in ("set", "assumed") for one in row.evidence]
    return [paper.key for paper in load_evidence().cite(ids)]


def flattened(found: Mapping[str, Any]) -> dict[str, str]:
    """Provenance as a flat mapping of text, for dataset attributes and tables."""
    result: dict[str, str] = {}
    for name, value in found.items():
        inside = value.items() if isinstance(value, Mapping) else [("", value)]
        result |= {f"{name} {key}".strip(): str(text) for key, text in inside if text is not None}
    return result


def _differs(name: str, value: float, model: Model) -> bool:
    return not math.isclose(value, model.parameters[name].canonical, rel_tol=1e-9)


def _changed(name: str, value: float, model: Model) -> str:
    row = model.parameters[name]
    return f"{value / unit(row.unit).factor:g} {row.unit} (usually {row.value:g})"


def today() -> str:
    """Today's date (UTC)."""
    return _now()[:10]


def _now() -> str:
    """UTC, to the second; SOURCE_DATE_EPOCH makes runs repeatable to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hash_of_values(table: ParameterTable) -> str:
    return _hash("\n".join(f"{row.name}={row.value!r} {row.unit} {row.status}" for row in table.values()))


def _hash_of_files(folder: Path) -> str:
    return _hash("\n".join(path.name + path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.csv"))))


def without_paths(text: str) -> str:
    """Text with absolute paths shortened to their last part; doses such as 0.5 mg/kg are unchanged."""
    return _PATH.sub(r"\1", text)
