"""`ketamech simulate`: the main job."""

from __future__ import annotations

import hashlib
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
LONGEST_NAME = 60
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/<title>]")]
Png = Annotated[bool, typer.Option("--png", help="Write the story also as PNG, for slides (a second more)")]


def simulate(scenario: Scenario, out: Out = None, png: Png = False) -> None:
    """Simulate one scenario: curves, summary, figures and an HTML report in one folder.

    Examples:

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

      ketamech simulate "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks" --out runs/nasal

      ketamech simulate examples/crps_infusion.yaml
    """
    from ketamech import report, study
    from ketamech.cli import terminal

    asked = study.load_scenario(scenario)
    folder = out or Path("runs") / _folder_name(asked.title)
    report.refuse_folder(folder)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Simulating ..."):
        curves = study.simulate(asked, model=model)
    with console.status("Drawing and writing the report ..."):
        report.write_run(folder, curves, asked, model, shlex.join(["ketamech", *sys.argv[1:]]), png=png)
    for note in asked.assumptions:
        console.print(f"Assumed: {terminal.written(note)}.")
    terminal.table(report.summary_rows(curves), title=asked.title)
    console.print(f"Open [bold]{terminal.written(folder / 'report.html')}[/bold]   {terminal.DISCLAIMER}")


def _folder_name(title: str) -> str:
    """The title as a folder name; a long one is cut and marked, so that two long titles do not share a folder."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "run"
    mark = hashlib.sha256(title.encode()).hexdigest()
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{mark[:6]}"
