"""Provenance of a run: versions, hashes, seed, command line, date."""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ketamech.core import unit
from ketamech.core.constants import DISCLAIMER, PAPERS
from ketamech.core.environment import package_version, short_hash
from ketamech.evidence.load_evidence import DIRECTORY as EVIDENCE
from ketamech.parameters import ParameterTable
from ketamech.report.run_description import RunDescription
from ketamech.simulation.citations import papers_behind
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

PACKAGES = (
    "ketamech", "numpy", "scipy", "numba", "sympy", "pandas", "pyarrow", "xarray", "zarr", "matplotlib", "jinja2",
)  # fmt: skip
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
        "evidence": _hash_of_files(EVIDENCE),
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
