"""`ketamech compare-simulators`: the exported model in other simulators, compared with KetaMech."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.options import Resume
from ketamech.core import InputError
from ketamech.core.constants import DISCLAIMER
from ketamech.core.environment import short_hash

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.exchange.cross_simulator_check import CrossSimulatorCheck

Scenarios = Annotated[Path, typer.Option(help="A scenario file, an archive (.omex) or a folder of either")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the archives and the table")]
SbmlSuite = Annotated[
    Path | None,
    typer.Option("--sbml-suite", help="Instead, test the SBML import on a folder of the SBML semantic test cases"),
]
Biomodels = Annotated[
    Path | None, typer.Option("--biomodels", help="Instead, compare a folder of SBML models with libRoadRunner")
]
Petab = Annotated[
    Path | None, typer.Option("--petab", help="Instead, simulate a folder of PEtab problems with simulated data")
]
Archives = Annotated[
    Path | None,
    typer.Option("--archives", help="Instead, simulate a folder of SED-ML files and archives (.sedml, .omex)"),
]
Sample = Annotated[
    int | None, typer.Option(min=1, help="With a folder of cases: a random sample of this size, the same each time")
]
Markdown = Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file")]
Amici = Annotated[
    bool,
    typer.Option("--amici", help="Also compare with AMICI, which compiles two minutes per scenario (ketamech[amici])"),
]
Tellurium = Annotated[
    bool,
    typer.Option("--tellurium", help="Also let Tellurium execute the archives (ketamech[tellurium])"),
]
ENGINE_NAMES = {
    "libRoadRunner": "libRoadRunner (CVODE)",
    "COPASI": "COPASI (LSODA)",
    "AMICI": "AMICI (CVODES)",
}
TELLURIUM_NOTE = """\
Tellurium executed each archive itself: its integrator and tolerances (1e-9, absolute 1e-10) are those of the
SED-ML, and outputs that an archive does not report (amounts in compartments of the kinetics) have no number.
"""
INTRODUCTION = """# Certificate: the exported model in other engines

{disclaimer} Written by `ketamech compare-simulators{options} --markdown docs/certificate.md`; do not edit.

The OMEX archive of every example scenario was written and read again, and its SBML was run by {engines}
at the times of its SED-ML: every minute of the first day and every hour afterwards, without the times of dose
events. A difference is the largest deviation from the engine of KetaMech (tolerance 1e-9), as a share of
the output's scale: the declared scale of a state; of an output that is computed from states, the largest value in any
of these scenarios or after 0.5 mg/kg of racemic ketamine over 40 min. Goal: {goal:g}.
{note}**Largest difference: {largest:.2g}: {verdict}.**

Equations `{fingerprint}`.
{versions}.
"""


def compare_simulators(
    scenarios: Scenarios = Path("examples"), out: Out = Path("runs/compare-simulators"), markdown: Markdown = None,
    amici: Amici = False, tellurium: Tellurium = False, resume: Resume = False, sbml_suite: SbmlSuite = None,
    biomodels: Biomodels = None, petab: Petab = None, archives: Archives = None, sample: Sample = None,
) -> None:  # fmt: skip
    """Run exported scenarios in other simulators.

    Example:  ketamech compare-simulators --scenarios examples/racemic_iv.yaml

    The archive of every scenario is run in libRoadRunner and COPASI; the largest difference of each output is listed.
    The exit code is 1 if a difference is above 1e-4 of the scale of its output. Each archive in each simulator is
    stored when it is finished; the same command with --resume continues after an interruption.

    More examples:

      ketamech compare-simulators --scenarios runs/figures

      ketamech compare-simulators --amici --tellurium --markdown docs/certificate.md

      ketamech compare-simulators --sbml-suite sbml-test-suite/cases/semantic

      ketamech compare-simulators --biomodels BiomodelsStore/biomodels --sample 200
    """
    suites = {"sbml-suite": sbml_suite, "biomodels": biomodels, "petab": petab, "archives": archives}
    for kind, where in suites.items():
        if where is not None:
            return _suite(kind, where, out, sample, markdown)
    from ketamech.cli.long_run import long_run
    from ketamech.exchange import cross_simulator_check as kit
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.simulation.load_scenario import load_scenario

    files = [scenarios]
    if scenarios.is_dir():
        files = sorted(scenarios.glob("*.yaml")) or sorted(scenarios.glob("*.omex"))
    if not files:
        raise InputError("no scenario files", file=scenarios, expected="a .yaml or .omex file or a folder of them")
    engines = {**kit.ENGINES, **(kit.SLOW_ENGINES if amici else {}), **(kit.ARCHIVE_ENGINES if tellurium else {})}
    if amici:
        kit.require_amici()
    if tellurium:
        kit.import_tellurium()
    model, written = terminal.model(), files[0].suffix.lower() == ".omex"
    loaded = {} if written else {file.stem: load_scenario(file, model.parameters) for file in files}
    terminal.refuse_file(out)
    console = terminal.progress()
    job = {"command": "compare-simulators", "versions": kit.package_versions(engines), "engines": list(engines),
           "scenarios": {file.name: short_hash(file.read_bytes()) for file in files}}  # fmt: skip
    with long_run(out, job, model, resume=resume) as work, replace_folder(out) as folder:
        with console.status("Archives ...") as status:
            how: dict[str, Any] = {"engines": engines, "executor": work, "progress": status.update}
            if written:
                comparison = kit.compare_archives(files, model, **how)
            else:
                comparison = kit.compare_simulators(loaded, model, folder, **how)
        write_table(comparison.table, folder / "differences.csv", terminal.provenance("certificate", model))
    if markdown is not None:
        _write_certificate(markdown, comparison)
    terminal.table(_largest_differences(comparison), title="Largest difference, relative to the scale of the output")
    for (name, _), reason in comparison.failures.items():
        console.print(f"{name}: {terminal.escape_markup(reason)}")
    word = "within" if comparison.within_goal else "ABOVE"
    console.print(f"Largest difference: {comparison.largest:.2g}, {word} the limit of 1e-4.")
    if not comparison.within_goal:
        sys.exit(1)


def _largest_differences(comparison: CrossSimulatorCheck) -> pd.DataFrame:
    """One row per scenario and engine: the largest difference, its output and hour."""
    largest = comparison.table.groupby(["scenario", "engine"], sort=False)["difference"].idxmax()
    return comparison.table.loc[largest, ["scenario", "engine", "difference", "output", "hour"]]


def _write_certificate(path: Path, comparison: CrossSimulatorCheck) -> None:
    """Write the page as Markdown."""
    from ketamech.core.atomic_files import atomic_write
    from ketamech.report.number_format import markdown_table

    versions = ",\n".join(f"{name} {version}" for name, version in comparison.versions.items())
    used = list(comparison.table["engine"].unique())
    *first, last = [ENGINE_NAMES[one] for one in used if one in ENGINE_NAMES]
    head = INTRODUCTION.format(
        engines=f"{', '.join(first)} and {last}", note=TELLURIUM_NOTE if "Tellurium" in used else "",
        options="".join(f" --{one.lower()}" for one in ("AMICI", "Tellurium") if one in used),
        disclaimer=DISCLAIMER, goal=1e-4, largest=comparison.largest, fingerprint=comparison.fingerprint,
        versions=versions, verdict="reached" if comparison.within_goal else "missed",
    )  # fmt: skip
    rows = [
        [f"{value:.2g}" if isinstance(value, float) else value for value in row]
        for row in _largest_differences(comparison).itertuples(index=False)
    ]
    scenarios = markdown_table(["scenario", "engine", "largest difference", "output", "hour"], rows)
    by_output = comparison.table.pivot_table(
        index="output", columns="engine", values="difference", aggfunc="max", sort=False
    )
    ordered = by_output.loc[by_output.max(axis=1).sort_values(ascending=False, kind="stable").index]
    lines = zip(ordered.index, ordered.to_numpy(), strict=True)
    outputs = [[f"`{name}`", *("" if share != share else f"{share:.1e}" for share in line)] for name, line in lines]
    failures = [f"{name}: {reason}." for (name, _), reason in comparison.failures.items()]
    parts = [head, "## By scenario", scenarios, *failures, "## By output, worst first"]
    parts.append(markdown_table(["output", *map(str, ordered.columns)], outputs))
    atomic_write(path, ("\n\n".join(parts) + "\n").encode())


def _suite(kind: str, folder: Path, out: Path, sample: int | None, markdown: Path | None) -> None:
    """Run the test cases of a folder; write each result to a table as it comes, and print the counts."""
    import csv

    from ketamech.exchange.conformance import (
        OTHER,
        PASSED,
        REFUSED,
        SUITES,
        CaseResult,
        find_cases,
        run_suite,
        suite_page,
        summary,
    )

    cases = find_cases(kind, folder, sample)
    terminal.check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    console = terminal.progress()
    with (
        console.status("Reading the cases ...") as status,
        (out / "cases.csv").open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["case", "result", "reason"])

        def write_result(one: CaseResult) -> None:
            rows.writerow([one.case, one.result, one.reason])
            file.flush()

        results = run_suite(kind, folder, cases, progress=status.update, on_result=write_result)
    if markdown is not None:
        markdown.write_text(suite_page(kind, results), encoding="utf-8")
    terminal.table(summary(results), title=f"{len(results)} cases: {SUITES[kind].title}")
    failures = [result for result in results if result.result not in (PASSED, REFUSED, OTHER)]
    for one in failures[:20]:
        console.print(f"{one.case}: {one.result}, {terminal.escape_markup(one.reason)}")
    if failures:
        sys.exit(1)
