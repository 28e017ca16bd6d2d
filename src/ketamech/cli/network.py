"""`ketamech network`: brain areas and networks over time, with intervals."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.options import FigureFolder, Receptors, ScenarioOrFile, Seed, Threads
from ketamech.core.environment import available_threads

Draws = Annotated[int, typer.Option(help="Parameter draws for the intervals")]
Connectome = Annotated[
    Path | None, typer.Option(help="CSV file of weights between brain areas, instead of the shipped ones")
]
Markdown = Annotated[Path | None, typer.Option(help="Also write a dated page of predictions to this Markdown file")]


def network(
    scenario: ScenarioOrFile = "racemic 0.5 mg/kg IV over 40 min", draws: Draws = 200, seed: Seed = 1,
    threads: Threads = None, connectome: Connectome = None, receptors: Receptors = None,
    out: FigureFolder = Path("runs/network"), markdown: Markdown = None,
) -> None:  # fmt: skip
    """Predict changes of brain areas over time.

    Example:  ketamech network "racemic 0.5 mg/kg IV over 40 min"

    Shown are brain areas and imaging readouts of networks with 90 % intervals.
    Every parameter except those of the patient is drawn from its spread. --connectome and --receptors replace the
    shipped couplings and densities (CSV files whose header names the areas).

    More examples:

      ketamech network "esketamine 84 mg nasal" --connectome mine.csv
    """
    from ketamech.analysis import network as kit
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.network_page import draw_areas, write_areas_page
    from ketamech.report.provenance import provenance_of
    from ketamech.simulation.load_scenario import load_scenario

    terminal.check_folder(out)
    loaded = load_scenario(scenario).with_connectome(connectome, receptors)
    model = terminal.model()
    terminal.print_regimen(loaded)
    with terminal.progress().status("Simulating ..."):
        prediction = kit.predict_network(model, loaded, draws=draws, seed=seed, threads=available_threads(threads))
    table = prediction.table()
    metadata = provenance_of(loaded, model, seed, terminal.command_line())
    with atomic_folder(out) as draft:
        write_table(table, draft / "areas.csv", metadata)
        paths = [out / path.name for path in draw_areas(draft, prediction, loaded.title)]
    if markdown:
        pictures_folder = write_areas_page(markdown, prediction, loaded.title).parents[1] / "pictures"
        pictures_folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "areas.png", pictures_folder / "areas.png")
    shown_columns = ["readout", "hours", "relative_change", "low", "high", "rising_share"]
    terminal.table(table[shown_columns], title=f"{loaded.title}: change relative to the drug-free baseline")
    if prediction.failed:
        terminal.progress().print(f"{prediction.failed} of {draws} draws could not be solved and were left out")
    terminal.print_open_hint(paths[1])
