"""`ketamech network`: brain areas and networks over time, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.options import Connectome, Receptors, ResultFolder, ScenarioOrFile, Seed, Threads
from ketamech.core.environment import available_threads

Draws = Annotated[int, typer.Option(help="Parameter draws for the intervals")]


def network(
    scenario: ScenarioOrFile = "racemic 0.5 mg/kg IV over 40 min", draws: Draws = 200, seed: Seed = 1,
    threads: Threads = None, connectome: Connectome = None, receptors: Receptors = None,
    out: ResultFolder = Path("runs/network"),
) -> None:  # fmt: skip
    """Predict changes of brain areas over time.

    Example:  ketamech network "racemic 0.5 mg/kg IV over 40 min"

    Shown are brain areas and imaging readouts of networks with 90 % intervals.
    Every parameter except those of the patient is drawn from its spread. --connectome and --receptors replace the
    shipped couplings and densities (CSV files whose header names the areas).

    More examples:

      ketamech network "esketamine 84 mg nasal" --connectome mine.csv
    """
    from ketamech.analysis.network import predict_network
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.analysis_figures import draw_areas
    from ketamech.report.provenance import provenance_of
    from ketamech.simulation.load_scenario import load_scenario

    terminal.check_folder(out)
    loaded = load_scenario(scenario).with_connectome(connectome, receptors)
    model = terminal.model()
    terminal.print_regimen(loaded)
    with terminal.progress().status("Simulating ..."):
        prediction = predict_network(model, loaded, draws=draws, seed=seed, threads=available_threads(threads))
    table = prediction.table()
    metadata = provenance_of(loaded, model, seed, terminal.command_line())
    with atomic_folder(out) as draft:
        write_table(table, draft / "areas.csv", metadata)
        paths = [out / path.name for path in draw_areas(draft, prediction, loaded.title)]
    shown_columns = ["readout", "hours", "relative_change", "low", "high", "rising_share"]
    terminal.table(table[shown_columns], title=f"{loaded.title}: change relative to the drug-free baseline")
    if prediction.failed:
        terminal.progress().print(f"{prediction.failed} of {draws} draws could not be solved and were left out")
    terminal.print_open_hint(paths[1])
