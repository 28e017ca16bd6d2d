"""`ketamech compare-simulators`: the exported model in other simulators, compared with KetaMech."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.core import InputError

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


def compare_simulators(
    scenarios: Scenarios = Path("examples"), out: Out = Path("runs/compare-simulators"), markdown: Markdown = None,
    amici: Amici = False, sbml_suite: SbmlSuite = None, biomodels: Biomodels = None, petab: Petab = None,
    archives: Archives = None, sample: Sample = None,
) -> None:  # fmt: skip
    """Run exported scenarios in other simulators.

    Example:  ketamech compare-simulators --scenarios examples/racemic_iv.yaml

    The archive of every scenario is run in libRoadRunner and COPASI; the largest difference of each output is listed.
    The exit code is 1 if a difference is above 1e-4 of the scale of its output.

    More examples:

      ketamech compare-simulators --scenarios runs/figures

      ketamech compare-simulators --amici --markdown docs/certificate.md

      ketamech compare-simulators --sbml-suite sbml-test-suite/cases/semantic

      ketamech compare-simulators --biomodels BiomodelsStore/biomodels --sample 200
    """
    suites = {"sbml-suite": sbml_suite, "biomodels": biomodels, "petab": petab, "archives": archives}
    for kind, where in suites.items():
        if where is not None:
            return _suite(kind, where, out, sample, markdown)
    from ketamech.exchange.cross_simulator_check import ENGINES, SLOW_ENGINES, compare_archives
    from ketamech.exchange.cross_simulator_check import compare_simulators as compared
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.cross_simulator_page import certificate_rows, write_certificate
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.run_folder import check_folder as report_refuse_folder
    from ketamech.simulation.load_scenario import load_scenario

    files = [scenarios]
    if scenarios.is_dir():
        files = sorted(scenarios.glob("*.yaml")) or sorted(scenarios.glob("*.omex"))
    if not files:
        raise InputError("no scenario files", file=scenarios, expected="a .yaml or .omex file or a folder of them")
    engines = {**ENGINES, **SLOW_ENGINES} if amici else ENGINES
    model, written = terminal.model(), files[0].suffix.lower() == ".omex"
    loaded = {} if written else {file.stem: load_scenario(file, model.parameters) for file in files}
    report_refuse_folder(out)
    console = terminal.progress()
    with atomic_folder(out) as folder, console.status("Archives ...") as status:
        if written:
            found = compare_archives(files, model, engines=engines, tell=status.update)
        else:
            found = compared(loaded, model, folder, engines=engines, tell=status.update)
        facts = provenance_of_many("certificate", "", model, terminal.command_line())
        write_table(found.table, folder / "differences.csv", facts)
    if markdown is not None:
        write_certificate(markdown, found)
    terminal.table(certificate_rows(found), title="Largest difference, relative to the scale of the output")
    word = "within" if found.within_goal else "ABOVE"
    console.print(f"Largest difference: {found.largest:.2g}, {word} the limit of 1e-4. {terminal.DISCLAIMER}")
    if not found.within_goal:
        sys.exit(1)


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
    from ketamech.report.run_folder import check_folder

    cases = find_cases(kind, folder, sample)
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    console = terminal.progress()
    with (
        console.status("Reading the cases ...") as status,
        (out / "cases.csv").open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["case", "outcome", "reason"])

        def done(one: CaseResult) -> None:
            rows.writerow([one.case, one.outcome, one.reason])
            file.flush()

        found = run_suite(kind, folder, cases, tell=status.update, done=done)
    if markdown is not None:
        markdown.write_text(suite_page(kind, found), encoding="utf-8")
    terminal.table(summary(found), title=f"{len(found)} cases: {SUITES[kind].title}")
    wrong = [one for one in found if one.outcome not in (PASSED, REFUSED, OTHER)]
    for one in wrong[:20]:
        console.print(f"{one.case}: {one.outcome}, {terminal.escape_markup(one.reason)}")
    if wrong:
        sys.exit(1)
