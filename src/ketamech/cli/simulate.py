"""`ketamech simulate`: the main job."""

from __future__ import annotations

import hashlib
import os
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
LONGEST_NAME, CORES = 60, os.cpu_count() or 1
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/<title>]")]
Png = Annotated[bool, typer.Option("--png", help="Write the story also as PNG, for slides (a second more)")]


Patients = Annotated[int | None, typer.Option(help="Draw this many virtual patients instead of the typical one")]
Seed = Annotated[int, typer.Option(min=0, help="Which patients are drawn: patient i is the same in any cohort")]
Outputs = Annotated[str | None, typer.Option(help="Outputs to keep, by name [default: mood.madrs]")]
Times = Annotated[str | None, typer.Option(help="Hours to keep, e.g. '0, 2, 24, 672' [default: every day]")]
Vary = Annotated[str | None, typer.Option(help="Only these parameters or stages differ [default: all with a spread]")]
Threads = Annotated[int, typer.Option(min=1, help="Threads; the results are the same for any number")]
Chunk = Annotated[int, typer.Option(help="Patients between two writes to disk; changes no number")]
Tolerance = Annotated[float, typer.Option(help="Relative tolerance of the solver")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]


def simulate(
    scenario: Scenario,
    out: Out = None,
    png: Png = False,
    patients: Patients = None,
    seed: Seed = 1,
    outputs: Outputs = None,
    times: Times = None,
    vary: Vary = None,
    threads: Threads = CORES,
    chunk: Chunk = 4096,
    tolerance: Tolerance = 5e-6,
    device: Device = "cpu",
) -> None:
    """Simulate one scenario: curves, summary, figures and an HTML report in one folder.

    With --patients, many virtual patients drawn from the spreads of the parameters: bands, and a Zarr store of curves.

    Examples:

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

      ketamech simulate "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks" --out runs/nasal

      ketamech simulate examples/crps_infusion.yaml

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min" --patients 10000 --outputs mood.madrs,dissociation.cadss
    """
    if patients is not None:
        from ketamech.cli.cohort import Asked, simulate_cohort

        asked_for = Asked(patients, seed, outputs, times, vary, threads, chunk, tolerance, device)
        return simulate_cohort(scenario, out, asked_for, _folder_name)
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
