"""`ketamech explain wirings`: rival roads from dose to mood, compared on the same evidence, and averaged."""

from __future__ import annotations

import os
from pathlib import Path

from ketamech.cli import terminal

FOLDER = Path("runs/wirings")
SHOWN = ("wiring", "probability", "bayes_factor", "bic", "right", "met", "clinical", "predicted", "known", "says")


def explain_wirings(average: str | None, fit: bool, seed: int, threads: int | None, out: Path | None) -> None:
    """Print the comparison of all wirings, or a scenario averaged over them; `fit` estimates them anew first."""
    from ketamech.analysis.variants import comparison
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.variants_page import outdated_fits_warning, write_average, write_variants
    from ketamech.simulation.load_scenario import load_scenario

    folder, workers = out or FOLDER, threads or os.cpu_count() or 1
    terminal.refuse_file(folder)
    if average:
        load_scenario(average)  # a slip shows before anything is solved
    model = terminal.model()
    console, command = terminal.progress(), terminal.command_line()
    if fit:
        _fit(model, workers, seed)
    facts = provenance_of_many(average or "wirings", average or "", model, command)
    with console.status("Simulating every wiring ..."):
        if average:
            averaged = comparison.average_variants(model, average, workers)
            page, rows, title = write_average(folder, averaged, command, facts), averaged.table, averaged.title
        else:
            found = comparison.compare_variants(model, workers)
            page, title = write_variants(folder, found, command, facts), "Rival wirings"
            rows = found.table[list(SHOWN)]
            for line in outdated_fits_warning(found):
                console.print(f"Note: {line}")
    terminal.table([{str(k): v for k, v in row.items()} for row in rows.to_dict("records")], title=title)
    terminal.opened(page)


def _fit(model: object, threads: int, seed: int) -> None:
    """Fit every wiring and write data/wirings/fitted.csv, compared.csv and draws.csv."""
    from ketamech.analysis.variants.fit import FitProblem
    from ketamech.analysis.variants.predictions import VariantPredictor
    from ketamech.analysis.variants.tables import write_fits
    from ketamech.cli.progress import counting
    from ketamech.simulation.model import Model
    from ketamech.simulation.model_variants import DIRECTORY, load_model_variants

    assert isinstance(model, Model)
    task, fits = FitProblem.of(VariantPredictor(model, threads)), []
    wirings = load_model_variants(model.parameters)
    with counting("Fitting wirings") as tell:
        tell(0, len(wirings))
        for done, wiring in enumerate(wirings.values(), 1):
            fits.append(task.fit(wiring, seed=seed))
            tell(done, len(wirings))
    for path in write_fits(DIRECTORY, fits, task, model.parameters):
        terminal.progress().print(f"Written: {terminal.escape_markup(path)}", soft_wrap=True)
