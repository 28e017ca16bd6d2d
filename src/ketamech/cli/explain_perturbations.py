"""`ketamech explain experiments`: what laboratories did to animals and people, done to the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("evidence", "observed", "predicted", "size", "low", "high", "verdict", "inside", "statistic", "with", "why")


def explain_experiments(out: Path | None = None, *, png: bool = False) -> None:
    """Run every perturbation row of the evidence and print predicted beside observed, worst first; nothing is hidden.

    Writes experiments.csv and experiments.svg. A row is right when its direction is; `inside` says whether its size
    lies in the published interval or, where the row codes only significance, in the band set before the comparison.
    """
    from ketamech.analysis.perturbation_scorecard import perturbation_counts, score_perturbations, tally_by_evidence
    from ketamech.cli import terminal
    from ketamech.report.perturbation_figure import save_experiments
    from ketamech.report.provenance import provenance_of_many

    folder = out or Path("runs/experiments")
    terminal.refuse_file(folder)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Running the experiments ..."):
        lines = score_perturbations(model)
    summary = perturbation_counts(lines)
    facts = provenance_of_many("experiments", "", model, terminal.command_line())
    written = save_experiments(folder, lines, summary, png=png, facts=facts)
    terminal.table(_ordered(lines)[list(SHOWN)].to_dict("records"), title="Predicted against observed, wrong first")
    terminal.table(tally_by_evidence(lines).to_dict("records"), title="By row of the evidence")
    console.print(summary)
    terminal.wrote(written)


def _ordered(lines: pd.DataFrame) -> pd.DataFrame:
    order = {"wrong": 0, "undecided": 1, "right": 2}
    return lines.assign(_o=lines.verdict.map(order)).sort_values("_o", kind="stable").drop(columns="_o")
