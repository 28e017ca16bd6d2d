"""`ketamech perturbations`: published blockers, gene deletions and other interventions, predicted against observed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.cli import terminal
from ketamech.cli.options import FigureFolder, FigurePng

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("evidence", "observed", "predicted", "size", "low", "high", "verdict", "inside", "statistic", "with", "why")


def perturbations(out: FigureFolder = Path("runs/perturbations"), png: FigurePng = False) -> None:
    """Compare published perturbations with predictions.

    Example:  ketamech perturbations

    Perturbations are blockers, gene deletions and other interventions; wrong predictions are printed first.
    A row is right if its direction is. `inside` states whether its size lies in the published interval or, where the
    row codes only significance, in the acceptance band that was set before the comparison. The counts are repeated
    without the terms of data/perturbations/single_experiment.csv, which exist for one experiment each. Writes
    experiments.csv and experiments.svg.
    """
    from ketamech.analysis.perturbation_scorecard import (
        perturbation_counts,
        score_perturbations,
        tally_by_evidence,
        without_single_experiment_terms,
    )
    from ketamech.report.perturbation_figure import save_experiments

    terminal.refuse_file(out)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Running the experiments ..."):
        lines = score_perturbations(model)
        reduced = score_perturbations(model, without_single_experiment_terms())
    without = f"Without the terms that exist for one experiment: {perturbation_counts(reduced)}"
    summary = f"{perturbation_counts(lines)}.\n{without}"
    facts = terminal.provenance("experiments", model)
    written = save_experiments(out, lines, summary, png=png, facts=facts)
    terminal.table(_wrong_first(lines)[list(SHOWN)], title="Predicted against observed, wrong first")
    terminal.table(tally_by_evidence(lines), title="By evidence row")
    console.print(summary)
    terminal.print_written_files(written)


def _wrong_first(lines: pd.DataFrame) -> pd.DataFrame:
    order = {"wrong": 0, "undecided": 1, "right": 2}
    return lines.assign(_o=lines.verdict.map(order)).sort_values("_o", kind="stable").drop(columns="_o")
