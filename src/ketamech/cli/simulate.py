"""`ketamech simulate`: the main job."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

Scenario = Annotated[
    str,
    typer.Argument(help='A scenario file (YAML) or a sentence: "esketamine 84 mg nasal twice weekly for 4 weeks"'),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/<title>]")]


def simulate(scenario: Scenario, out: Out = None) -> None:
    """Simulate one scenario: curves, summary, figures and an HTML report in one folder.

    Examples:

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

      ketamech simulate "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks" --out runs/nasal

      ketamech simulate examples/crps_infusion.yaml

    For research and education only: not treatment or dosing advice.
    """
    from ketamech import report, study
    from ketamech.cli import terminal

    asked = study.load_scenario(scenario)
    folder = out or Path("runs") / (re.sub(r"[^a-z0-9]+", "-", asked.title.lower()).strip("-")[:60] or "run")
    report.refuse_folder(folder)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Simulating ..."):
        curves = study.simulate(asked, model=model)
    with console.status("Drawing and writing the report ..."):
        report.write_run(folder, curves, asked, model, shlex.join(["ketamech", *sys.argv[1:]]))
    for note in asked.assumptions:
        console.print(f"Assumed: {note}.")
    terminal.table(report.summary_rows(curves), title=asked.title)
    console.print(f"Open [bold]{folder / 'report.html'}[/bold]   {terminal.DISCLAIMER}")
