"""`ketamech certify`: whether the exported model says elsewhere what it says here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Scenarios = Annotated[Path, typer.Option(help="A scenario file or an archive (.omex), or a folder of them")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the archives and the table")]
Suite = Annotated[
    Path | None, typer.Option("--sbml-suite", help="Instead: judge the import on a folder of SBML semantic cases")
]
Docs = Annotated[
    Path | None, typer.Option("--docs", help="Also write the certificate as a page, e.g. docs/certificate.md")
]
Amici = Annotated[
    bool, typer.Option("--amici", help="Also AMICI, which compiles C++ for two minutes a scenario (ketamech[amici])")
]


def certify(
    scenarios: Scenarios = Path("examples"),
    out: Out = Path("runs/certificate"),
    docs: Docs = None,
    amici: Amici = False,
    sbml_suite: Suite = None,
) -> None:
    """Run the archive of every scenario in libRoadRunner and COPASI and list the largest difference of every output.

    Example:  ketamech certify --scenarios examples/racemic_iv.yaml

    Leaves with code 1 when a difference is above 1e-4 of the scale of its output.

    More examples:

      ketamech certify --scenarios runs/figures

      ketamech certify --amici --docs docs/certificate.md

      ketamech certify --sbml-suite sbml-test-suite/cases/semantic
    """
    if sbml_suite is not None:
        return _suite(sbml_suite, out)
    from ketamech.cli import terminal
    from ketamech.core import InputError
    from ketamech.exchange.cross_simulator_check import compare_archives
    from ketamech.exchange.cross_simulator_check import compare_simulators as compared
    from ketamech.exchange.external_simulators import ENGINES, SLOW_ENGINES
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
    model, archives = terminal.model(), files[0].suffix.lower() == ".omex"
    asked = {} if archives else {file.stem: load_scenario(file, model.parameters) for file in files}
    report_refuse_folder(out)
    console = terminal.progress()
    with atomic_folder(out) as folder, console.status("Archives ...") as status:
        if archives:
            found = compare_archives(files, model, engines=engines, tell=status.update)
        else:
            found = compared(asked, model, folder, engines=engines, tell=status.update)
        facts = provenance_of_many("certificate", "", model, terminal.command_line())
        write_table(found.table, folder / "differences.csv", facts)
    if docs is not None:
        write_certificate(docs, found)
    terminal.table(certificate_rows(found), title="Largest difference, as a share of the output's scale")
    word = "within" if found.within_goal else "ABOVE"
    console.print(f"Largest of all: {found.largest:.2g}, {word} the goal of 1e-4. {terminal.DISCLAIMER}")
    if not found.within_goal:
        sys.exit(1)


def _suite(folder: Path, out: Path) -> None:
    """Every case, a table of how it ended, and the counts."""
    import pandas as pd

    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.sbml.conformance import PASSED, REFUSED, run_suite, summary
    from ketamech.report.run_folder import check_folder

    check_folder(out)
    console = terminal.progress()
    with console.status("Reading the cases ...") as status:
        found = run_suite(folder, tell=status.update)
    with atomic_folder(out) as place:
        pd.DataFrame([vars(one) for one in found]).to_csv(place / "sbml_cases.csv", index=False)
    terminal.table(summary(found), title=f"{len(found)} semantic cases")
    wrong = [one for one in found if one.outcome not in (PASSED, REFUSED)]
    for one in wrong[:20]:
        console.print(f"{one.case}: {one.outcome}, {terminal.escape_markup(one.reason)}")
    if wrong:
        sys.exit(1)
