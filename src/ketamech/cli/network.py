"""`ketamech areas`: brain areas and networks over time, with intervals."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

Scenario = Annotated[str, typer.Argument(help="A scenario file (YAML) or a sentence")]
Draws = Annotated[int, typer.Option(help="Draws of the parameters, for the intervals")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result")]
Threads = Annotated[int | None, typer.Option(min=1, help="[default: cores]")]
Connectome = Annotated[
    Path | None, typer.Option(help="CSV file of weights between areas, in place of the shipped ones")
]
Receptors = Annotated[Path | None, typer.Option(help="CSV file: area, and any of nmda, glun2b, ampa")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the table and the picture")]
Docs = Annotated[Path | None, typer.Option(help="Also write the dated page of predictions, as Markdown, here")]


def areas(
    scenario: Scenario = "racemic 0.5 mg/kg IV over 40 min", draws: Draws = 200, seed: Seed = 1,
    threads: Threads = None, connectome: Connectome = None, receptors: Receptors = None,
    out: Out = Path("runs/areas"), docs: Docs = None,
) -> None:  # fmt: skip
    """Show which brain areas change when, and what imaging would read of networks, with 90 % intervals.

    Example:  ketamech areas "racemic 0.5 mg/kg IV over 40 min"

    Every parameter but the person's own is drawn from its spread. A connectome or a receptor map of your own replaces
    the shipped couplings (a CSV file whose header names the areas).

    More examples:

      ketamech areas "esketamine 84 mg nasal" --connectome mine.csv
    """
    from ketamech.analysis import network as kit
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.network_page import draw_areas, write_areas_page
    from ketamech.report.provenance import provenance_of
    from ketamech.report.run_folder import check_folder
    from ketamech.simulation.load_scenario import load_scenario

    check_folder(out)
    asked = load_scenario(scenario).with_connectome(connectome, receptors)
    model = terminal.model()
    with terminal.progress().status("Drawing and solving ..."):
        found = kit.predict_network(model, asked, draws=draws, seed=seed, threads=threads or os.cpu_count() or 1)
    table = found.table()
    facts = provenance_of(asked, model, seed, terminal.command_line())
    with atomic_folder(out) as draft:
        write_table(table, draft / "areas.csv", facts)
        paths = [out / path.name for path in draw_areas(draft, found, asked.title)]
    if docs:
        picture = write_areas_page(docs, found, asked.title).parents[1] / "pictures"
        picture.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "areas.png", picture / "areas.png")
    shown = ["readout", "hours", "change", "low", "high", "rising"]
    terminal.table(
        [dict(zip(shown, row, strict=True)) for row in table[shown].to_numpy()],
        title=f"{asked.title}: change from own rest, %",
    )
    if found.failed:
        terminal.progress().print(f"{found.failed} of {draws} draws could not be solved and are left out")
    terminal.opened(paths[1])
