"""`ketamech variants`: rival model variants, compared on the same evidence, and a prediction averaged over them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.options import ResultFolder, Threads
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    from ketamech.simulation.model import Model

Average = Annotated[str | None, typer.Option("--model-average", help="A scenario to average over all variants")]
Refit = Annotated[bool, typer.Option("--refit", help="Fit every variant again first (about 15 minutes)")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the fit")]
SHOWN = ("variant", "probability", "bayes_factor", "bic", "right", "met", "clinical", "predicted", "known", "says")


def variants(
    model_average: Average = None, refit: Refit = False, seed: Seed = 1, threads: Threads = None,
    out: ResultFolder = Path("runs/variants"),
) -> None:  # fmt: skip
    """Compare rival model variants on the same evidence.

    Example:  ketamech variants

    Each variant is another hypothesis of how ketamine improves mood, fitted to the same trials and experiments. The
    variant reduced-core has equations of its own and no experiments: ketamech trial NAME --variant reduced-core.

    More examples:

      ketamech variants --model-average "racemic 0.5 mg/kg IV over 40 min"
    """
    from ketamech.analysis.variant_comparison import average_variants, compare_variants
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.variants_page import outdated_fits_warning, write_average, write_variants
    from ketamech.simulation.load_scenario import load_scenario

    workers = available_threads(threads)
    terminal.refuse_file(out)
    loaded = load_scenario(model_average) if model_average else None  # errors show before anything is solved
    model = terminal.model()
    if loaded:
        terminal.print_regimen(loaded)
    console, command = terminal.progress(), terminal.command_line()
    if refit:
        _refit(model, workers, seed)
    metadata = provenance_of_many(model_average or "variants", model_average or "", model, command)
    with console.status("Simulating every variant ..."):
        if model_average:
            averaged = average_variants(model, model_average, workers)
            page, rows, title = write_average(out, averaged, command, metadata), averaged.table, averaged.title
        else:
            comparison = compare_variants(model, workers)
            page, title = write_variants(out, comparison, command, metadata), "Model variants"
            rows = comparison.table[list(SHOWN)]
            for line in outdated_fits_warning(comparison):
                console.print(f"Note: {line}")
    terminal.table(rows, title=title)
    terminal.print_open_hint(page)


def _refit(model: Model, threads: int, seed: int) -> None:
    """Fit every variant and write data/variants/fitted.csv, compared.csv and draws.csv."""
    from ketamech.analysis.variant_fit import FitProblem, write_fits
    from ketamech.analysis.variant_likelihood import VariantPredictor
    from ketamech.simulation.model_variants import DIRECTORY, load_model_variants

    problem, fits = FitProblem.of(VariantPredictor(model, threads)), []
    model_variants = load_model_variants(model.parameters)
    with terminal.progress_bar("Fitting variants", len(model_variants)) as update:
        for done, variant in enumerate(model_variants.values(), 1):
            fits.append(problem.fit(variant, seed=seed))
            update(done)
    for path in write_fits(DIRECTORY, fits, problem, model.parameters):
        terminal.print_note(f"Written: {path}")
