"""Comparison of virtual with published trials as a Markdown page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.analysis.reference_forecasts import load_references
from ketamech.core.atomic_files import atomic_write
from ketamech.report.number_format import DISCLAIMER, markdown_table, number
from ketamech.report.skill_page import (
    EXPLANATION,
    chance_table,
    detail_table,
    left_out_table,
    skill_table,
    verdict_table,
)

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.analysis.trial_scorecard import TrialScorecard


INTRODUCTION = """# Virtual trials compared with published trials

{disclaimer} Written by `ketamech scorecard --publish`; do not edit.

Each published result that a trial file covers, simulated {replicates} times at the published sample size with new
virtual patients, new study effects and a new posterior draw each time. A trial that the posterior used is predicted
from the posterior without it, its sub-analyses and the pools that contain it. What is missed is shown first.
"""

SKILL = """## Skill

{explanation} Not scored: baselines that define the patients, rows that follow by arithmetic from scored rows, pools of
trials that are scored themselves, and rows whose source cannot be opened. *Rows that set no other value*: without rows
that a parameter, population or scale outside the posterior names; leaving their trial out does not undo this. The
references were frozen on {made}."""

CONTRASTS = """Contrasts are differences between two published numbers: the same arm at two times, two doses in one
trial, two routes, two settings. Their reference is no difference, with the error of the published numbers; the class
mean and the meta-analysis have no answer to them. No trial here has an arm with a blocked pathway: see the
[perturbations](experiments.md)."""

FIGURES = """![Skill of each group of rows, and histograms of the place of the published number](pictures/skill.png)

![Forest plot of every scored row by trial](pictures/forest.png)

![Predictive checks on true time](pictures/predictive_checks.png)

![Dose-response and time course of the model with all published differences](pictures/dose_and_time.png)"""

CHANCES = """Analysis of covariance in every virtual trial of the published size. A published result that was unlikely
stands first."""

LEFT_OUT = """The posterior of all trials is reweighted by Pareto smoothed importance sampling. Where the Pareto shape k
exceeds 0.7 the weights are not reliable, and the posterior is sampled again on the emulator without the rows of the
trial. Trials that are not listed gave nothing to the posterior. Other diagnostics of the posterior:
[how the calibration stands](made/standing/calibration.md)."""

SPREADS = """Standard deviations of change (or score) behind printed SDs, errors and t values. They are not rows of the
evidence tables and do not count for any goal."""


def write_trial_scorecard(path: Path, card: TrialScorecard) -> Path:
    """Write the page as Markdown: skill and verdicts, goals, every row with the worst first."""
    replicates = next(iter(card.trials.values())).sizes["replicate"]
    ordered = card.rows.reindex(card.rows["z"].abs().sort_values(ascending=False).index)
    made = ", ".join(sorted({one.made for one in load_references().values()}))
    parts = [INTRODUCTION.format(disclaimer=DISCLAIMER, replicates=replicates)]
    parts += [SKILL.format(explanation=EXPLANATION, made=made), skill_table(card.skill, classes=True), CONTRASTS]
    parts += ["### Acceptance criteria", verdict_table(card.skill), FIGURES]
    parts += ["### Scores on both bases", detail_table(card.skill)]
    parts += ["### Contrasts, largest error first", _contrasts(card.contrasts)]
    parts += ["## Chance of p < 0.05", CHANCES, chance_table(card.chances)]
    parts += ["## How trials were left out", LEFT_OUT, left_out_table(card.without)]
    parts += ["## Goals", _goals(card.criteria)]
    parts += ["## By outcome", _outcomes(card.by_stage), "## Variability within arms", SPREADS]
    parts += [_rows(card.spreads), "## All rows, largest deviation first", _rows(ordered)]
    atomic_write(path, ("\n\n".join(parts) + "\n").encode())
    return path


def _contrasts(contrasts: pd.DataFrame) -> str:
    """Every predicted contrast on the common scale, in which a MADRS point and 5 percentage points weigh the same."""
    rows = contrasts[contrasts["basis"] == "left out"]
    lines = []
    for row in rows.reindex(rows["error"].abs().sort_values(ascending=False).index).to_dict("records"):
        published = f"{number(row['published'])} (SE {number(row['published_se'])})"
        predicted = f"{number(row['simulated'])} ({number(row['low'])} to {number(row['high'])})"
        sign = "same sign" if row["same_sign"] else "**other sign**"
        inside = "inside" if row["inside"] else "**outside**"
        lines.append([row["kind"], row["what"], published, predicted, sign, inside])
    return markdown_table(["contrast", "", "published", "predicted (95 %)", "", ""], lines)


def _goals(goals: pd.DataFrame) -> str:
    lines = []
    for row in goals.to_dict("records"):
        low, high = (row[k] for k in ("low", "high"))
        wanted = " to ".join("" if v is None or np.isnan(v) else number(float(v)) for v in (low, high))
        reached = "yes" if row["reached"] else "**no**"
        lines.append([str(row["goal"]), number(float(row["value"])), wanted, number(float(row["simulated"])), reached])
    return markdown_table(["goal", "value", "wanted, or prediction interval", "simulated", "reached"], lines)


def _outcomes(stages: pd.DataFrame) -> str:
    lines = []
    for row in stages.to_dict("records"):
        lines.append([row["stage"], row["role"], row["n"], row["inside"], row["overlaps"], number(row["mean_abs_z"])])
    return markdown_table(["outcome", "role", "rows", "inside", "intervals overlap", "mean abs z"], lines)


def _rows(rows: pd.DataFrame) -> str:
    lines = []
    for r in rows.to_dict("records"):
        simulated = f"{number(r['simulated'])} ({number(r['sim_low'])} to {number(r['sim_high'])})"
        known = np.isfinite(r["low"])
        published = number(r["published"]) + (f" ({number(r['low'])} to {number(r['high'])})" if known else "")
        marks = ["inside" if r["inside"] else "**outside**", str(r["role"]), str(r["scored"] or "scored")]
        lines.append([f"`{r['id']}`", str(r["statistic"]), published, simulated, number(r["z"]), *marks])
    return markdown_table(
        ["row", "statistic", "published (95 %)", "simulated (95 % of trials)", "z", "", "", ""], lines
    )
