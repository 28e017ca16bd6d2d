"""`ketamech perturbations`: published blockers, gene deletions and other interventions, predicted against observed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.cli import terminal
from ketamech.cli.options import FigurePng, ResultFolder

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("evidence", "observed", "predicted", "size", "low", "high", "verdict", "inside", "statistic", "with", "why")


def perturbations(out: ResultFolder = Path("runs/perturbations"), png: FigurePng = False) -> None:
    """Compare published perturbations with predictions.

    Example:  ketamech perturbations

    Perturbations are blockers, gene deletions and other interventions; wrong predictions are printed first.
    A row is right if its direction is. `inside` states whether its size lies in the published interval or, where the
    row codes only significance, in the acceptance band that was set before the comparison. Rows that were written down
    before they were compared, and to which nothing is fitted (data/perturbations/predictions.csv), are counted apart.
    The counts are repeated without the terms of data/perturbations/single_experiment.csv, which exist for one
    experiment each. Writes perturbations.csv and perturbations.svg.
    """
    import pandas as pd

    from ketamech.analysis.perturbation_scorecard import (
        load_predictions,
        perturbation_counts,
        score_perturbations,
        tally_by_evidence,
        without_single_experiment_terms,
    )
    from ketamech.report.perturbation_figure import save_perturbations

    terminal.refuse_file(out)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Running the experiments ..."):
        rows, reduced_rows = (
            pd.concat([score_perturbations(model, values, rows=targets) for targets in (None, load_predictions())])
            for values in (None, without_single_experiment_terms())
        )
    reduced_summary = f"Without the terms that exist for one experiment: {perturbation_counts(reduced_rows)}"
    summary = f"{perturbation_counts(rows)}.\n{reduced_summary}"
    metadata = terminal.provenance("perturbations", model)
    paths = save_perturbations(out, rows, summary, png=png, metadata=metadata)
    terminal.table(_wrong_first(rows)[list(SHOWN)], title="Predicted against observed, wrong first")
    terminal.table(tally_by_evidence(rows), title="By evidence row")
    console.print(summary)
    terminal.print_written_files(paths)


def _wrong_first(rows: pd.DataFrame) -> pd.DataFrame:
    order = {"wrong": 0, "undecided": 1, "right": 2}
    return rows.assign(_o=rows.verdict.map(order)).sort_values("_o", kind="stable").drop(columns="_o")
