"""The page of the cross-simulator check: differences by scenario, engine and output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.core.atomic_files import atomic_write
from ketamech.report.number_format import DISCLAIMER, markdown_table

if TYPE_CHECKING:
    from ketamech.exchange.cross_simulator_check import CrossSimulatorCheck

ENGINES = {"libRoadRunner": "libRoadRunner (CVODE)", "COPASI": "COPASI (LSODA)", "AMICI": "AMICI (CVODES)"}
INTRODUCTION = """# Certificate: the exported model in other engines

{disclaimer} Written by `ketamech compare-simulators{options} --markdown docs/certificate.md`; do not edit.

The OMEX archive of every example scenario was written and read again, and its SBML was run by {engines}
at the times of its SED-ML: every minute of the first day and every hour afterwards, without the times of dose
events. A difference is the largest deviation from the engine of KetaMech (tolerance 1e-9), as a share of
the output's scale: the declared scale of a state; of an output that is computed from states, the largest value in any
of these scenarios or after 0.5 mg/kg of racemic ketamine over 40 min. Goal: {goal:g}.
**Largest difference: {largest:.2g}: {verdict}.**

Equations `{fingerprint}`.
{versions}.
"""


def certificate_rows(found: CrossSimulatorCheck) -> list[dict[str, object]]:
    """One row per scenario and engine: the largest difference, its output and hour."""
    worst = found.table.loc[found.table.groupby(["scenario", "engine"], sort=False)["difference"].idxmax()]
    columns = ["scenario", "engine", "difference", "output", "hour"]
    return [{str(k): v for k, v in row.items()} for row in worst[columns].to_dict("records")]


def write_certificate(path: Path, found: CrossSimulatorCheck) -> Path:
    """Write the page as Markdown."""
    versions = ",\n".join(f"{name} {version}" for name, version in found.versions.items())
    used = list(found.table["engine"].unique())
    head = INTRODUCTION.format(
        engines=" and ".join([", ".join(ENGINES[one] for one in used[:-1]), ENGINES[used[-1]]]),
        options=" --amici" if "AMICI" in used else "",
        disclaimer=DISCLAIMER, goal=1e-4, largest=found.largest, fingerprint=found.fingerprint, versions=versions,
        verdict="reached" if found.within_goal else "missed",
    )  # fmt: skip
    rows = [
        [f"{value:.2g}" if isinstance(value, float) else value for value in row.values()]
        for row in certificate_rows(found)
    ]
    scenarios = markdown_table(["scenario", "engine", "largest difference", "output", "hour"], rows)
    by_output = found.table.pivot_table(
        index="output", columns="engine", values="difference", aggfunc="max", sort=False
    )
    ordered = by_output.loc[by_output.max(axis=1).sort_values(ascending=False, kind="stable").index]
    lines = zip(ordered.index, ordered.to_numpy(), strict=True)
    outputs = [[f"`{name}`", *(f"{share:.1e}" for share in line)] for name, line in lines]
    parts = [head, "## By scenario", scenarios, "## By output, worst first"]
    parts.append(markdown_table(["output", *map(str, ordered.columns)], outputs))
    atomic_write(path, ("\n\n".join(parts) + "\n").encode())
    return path
