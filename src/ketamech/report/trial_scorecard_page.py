"""The page that compares virtual with published trials, from a run of the trial scorecard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.number_format import DISCLAIMER, number

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.analysis.trial_scorecard import TrialScorecard

INTRODUCTION = """# Virtual trials compared with published trials

{disclaimer} Written by `ketamech scorecard --markdown`; do not edit.

Each published result that a trial file covers, simulated {replicates} times at the published sample size with new
virtual patients and a new posterior draw each time. *Inside*: the published value lies in the 95 % prediction interval.
Fitted rows were used to estimate parameters and are not a test.

![Forest plot](pictures/forest.png)

![Visual predictive checks](pictures/predictive_checks.png)
"""

SPREADS = """Standard deviations of change (or score) behind printed SDs, errors and t values. They are not rows of the
evidence tables and do not count for any goal."""


def write_trial_scorecard(path: Path, card: TrialScorecard) -> Path:
    """Write the page as Markdown: goals, coverage by outcome, every row with the worst first."""
    replicates = next(iter(card.trials.values())).sizes["replicate"]
    ordered = card.rows.reindex(card.rows["z"].abs().sort_values(ascending=False).index)
    parts = [INTRODUCTION.format(disclaimer=DISCLAIMER, replicates=replicates), "## Goals", _goals(card.criteria)]
    parts += ["## By outcome", _outcomes(card.by_stage), "## Variability within arms", SPREADS]
    parts += [_rows(card.spreads), "## All rows, largest deviation first", _rows(ordered)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *lines]]
    return "\n".join(rows)


def _goals(goals: pd.DataFrame) -> str:
    lines = []
    for row in goals.to_dict("records"):
        low, high = (row[k] for k in ("low", "high"))
        wanted = " to ".join("" if v is None or np.isnan(v) else number(float(v)) for v in (low, high))
        reached = "yes" if row["reached"] else "**no**"
        lines.append([str(row["goal"]), number(float(row["value"])), wanted, number(float(row["simulated"])), reached])
    return _table(["goal", "value", "wanted, or prediction interval", "simulated", "reached"], lines)


def _outcomes(stages: pd.DataFrame) -> str:
    lines = [
        [
            str(r["stage"]),
            "fitted" if r["fitted"] else "not fitted",
            *(str(r[k]) for k in ("n", "inside", "overlaps")),
            number(r["mean_abs_z"]),
        ]
        for r in stages.to_dict("records")
    ]
    return _table(["outcome", "", "rows", "inside", "intervals overlap", "mean abs z"], lines)


def _rows(rows: pd.DataFrame) -> str:
    lines = []
    for r in rows.to_dict("records"):
        simulated = f"{number(r['simulated'])} ({number(r['sim_low'])} to {number(r['sim_high'])})"
        known = np.isfinite(r["low"])
        published = number(r["published"]) + (f" ({number(r['low'])} to {number(r['high'])})" if known else "")
        marks = ["inside" if r["inside"] else "**outside**", "fitted" if r["fitted"] else ""]
        lines.append([f"`{r['id']}`", str(r["statistic"]), published, simulated, number(r["z"]), *marks])
    return _table(["row", "statistic", "published (95 %)", "simulated (95 % of trials)", "z", "", ""], lines)
