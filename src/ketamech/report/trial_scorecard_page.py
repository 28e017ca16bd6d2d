"""Comparison of virtual with published trials as a Markdown page, and the skill tables that other pages show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ketamech.analysis.reference_forecasts import load_references
from ketamech.analysis.skill import (
    NULL_COMPARISONS,
    load_skill,
    load_skill_criteria,
    results_file,
    variants_with_results,
    verdicts,
)
from ketamech.core import InputError
from ketamech.core.atomic_files import atomic_write
from ketamech.core.constants import DISCLAIMER
from ketamech.exchange.result_metadata import csv_with_metadata
from ketamech.report.number_format import markdown_table, number, signed, with_interval

if TYPE_CHECKING:
    from ketamech.analysis.trial_scorecard import TrialScorecard


SKILL_BLOCK, VERDICT_BLOCK = "skill table", "verdicts"
MEASURES = {
    "skill": "skill", "skill_low": "skill, lower limit", "coverage": "coverage", "width_ratio": "width ratio",
    "pit_p": "p of uniformity", "error": "mean error", "accuracy": "share with the right sign",
    "log_skill": "log skill", "chance": "largest chance of p < 0.05, %",
}  # fmt: skip
EXPLANATION = """Each trial is predicted from the posterior without its own data. *Skill* is 1 − CRPS of the model /
CRPS of the reference: above 0 the model is better, below 0 worse. Its 95 % interval is over trials. *Coverage*: share
of published numbers inside the 95 % prediction interval. *Width*: median width of that interval over the published one.
*In sample*: the same skill with the posterior of all trials, which is no prediction."""


def skill_table(skill: pd.DataFrame, *, classes: bool = False) -> str:
    """One line per group of rows and kind of contrast, lowest skill first; `classes`: also one line per class."""
    kinds = ["overall", "family", "difference", "contrast", *(["class"] if classes else [])]
    left_out = skill[(skill["basis"] == "left out") & skill["kind"].isin(kinds)].sort_values("skill", kind="stable")
    in_sample = skill[skill["basis"] == "in sample"].set_index(["kind", "group"])["skill"]
    lines = []
    for row in left_out.to_dict("records"):
        name = f"contrast: {row['group']}" if row["kind"] == "contrast" else str(row["group"])
        counts = f"{row['rows']} ({row['trials']})"
        fitted = float(in_sample.get((row["kind"], row["group"]), np.nan))
        error = f"{signed(row['error'])} {row['unit']}" if np.isfinite(row["error"]) else ""
        sign = f"{row['accuracy']:.2f}" if np.isfinite(row["accuracy"]) else ""
        lines.append([
            name, counts, _with_interval(row), str(row["against"]), f"{row['coverage']:.2f}",
            _number_or_blank(row["width_ratio"]), error, sign, _two_decimals(fitted),
        ])  # fmt: skip
    header = ["predicted", "rows (trials)", "skill (95 %)", "against", "coverage", "width", "mean error", "right sign",
            "in sample"]  # fmt: skip
    return markdown_table(header, lines)


def variant_table(skill: pd.DataFrame, variant: pd.DataFrame) -> str:
    """Skill, coverage, width and mean error of a variant beside the full model (first number), lowest skill first."""
    kinds = ["overall", "family", "difference", "contrast", "significance"]
    full, other = (
        part[(part["basis"] == "left out") & part["kind"].isin(kinds)].set_index(["kind", "group"], drop=False)
        for part in (skill, variant)
    )
    lines = []
    for own in other.sort_values("skill", kind="stable").to_dict("records"):
        row = full.loc[(own["kind"], own["group"])].to_dict()
        name = f"contrast: {row['group']}" if row["kind"] == "contrast" else str(row["group"])
        counts = str(row["rows"]) if row["rows"] == own["rows"] else f"{row['rows']}, {own['rows']}"
        measures = [_pair(row[one], own[one]) for one in ("coverage", "width_ratio", "error", "chance")]
        lines.append([name, counts, _with_interval(row), _with_interval(own), *measures])
    header = ["predicted", "rows", "skill, full (95 %)", "skill, variant (95 %)", "coverage", "width", "mean error",
              MEASURES["chance"]]  # fmt: skip
    return markdown_table(header, lines)


def _pair(full: float, variant: float) -> str:
    return f"{number(full)}, {number(variant)}" if np.isfinite(full) and np.isfinite(variant) else ""


def _with_interval(row: Mapping[Any, Any]) -> str:
    if not np.isfinite(row["skill"]):
        return ""
    text = _two_decimals(row["skill"])
    skill = f"**{text}**" if row["skill"] < 0 else text
    return skill + (
        f" ({_two_decimals(row['skill_low'])} to {_two_decimals(row['skill_high'])})"
        if np.isfinite(row["skill_low"])
        else ""
    )


def _two_decimals(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if np.isfinite(value) else ""


def _number_or_blank(value: float) -> str:
    return number(value) if np.isfinite(value) else ""


def detail_table(skill: pd.DataFrame) -> str:
    """Log scores and uniformity of each group of rows on both bases."""
    rows = skill[skill["kind"].isin(("overall", "family", "difference", "class"))]
    lines = []
    for row in rows.to_dict("records"):
        scores = [_two_decimals(row[name]) for name in ("crps", "skill", "log_skill", "log_gain")]
        lines.append([row["basis"], row["group"], row["rows"], *scores, _number_or_blank(row["pit_p"])])
    header = ["basis", "predicted", "rows", "CRPS", "skill", "log skill", "gain, nats per row", "p of uniformity"]
    return markdown_table(header, lines)


def verdict_table(skill: pd.DataFrame) -> str:
    """The acceptance criteria with their verdicts, misses first."""
    lines = []
    for row in verdicts(skill).to_dict("records"):
        bounds = [f"at least {number(row['low'])}" if np.isfinite(row["low"]) else ""]
        bounds += [f"at most {number(row['high'])}" if np.isfinite(row["high"]) else ""]
        criterion = ", ".join(filter(None, bounds))
        verdict = "met" if row["met"] else "**not met**"
        measure = f"{MEASURES[row['measure']]}, {row['group']}"
        lines.append([row["question"], measure, criterion, _number_or_blank(row["value"]), verdict])
    return markdown_table(["question", "measure", "criterion", "value", "verdict"], lines)


def chance_table(chances: pd.DataFrame) -> str:
    """Chance of p < 0.05 beside each published comparison; the published ones that were least expected first."""
    limit = next(one.high for one in load_skill_criteria() if one.group == NULL_COMPARISONS)
    unexpectedness = np.where(chances["significant"], 100 - chances["chance"], chances["chance"])
    lines = []
    for row in chances.iloc[np.argsort(-unexpectedness, kind="stable")].to_dict("records"):
        published = with_interval(row["published"], row["low"], row["high"])
        chance = f"{row['chance']:.0f} ({row['chance_low']:.0f} to {row['chance_high']:.0f})"
        result = "p < 0.05" if row["significant"] else "not significant"
        comparison = f"{row['name']}: {row['arm']}, {row['visit']}"
        verdict = "" if row["significant"] else "met" if row["chance"] <= limit else "**not met**"
        lines.append([comparison, row["n"], published, row["source"], result, chance, verdict])
    header = ["trial", "patients", "published difference (95 %)", "source", "published", "chance of p < 0.05, %",
              f"at most {number(limit)} %"]  # fmt: skip
    return markdown_table(header, lines)


def left_out_table(methods: pd.DataFrame) -> str:
    """How each trial was left out of the posterior."""
    lines = [
        [row["trial"], row["rows"], f"{row['pareto_k']:.2f}", f"{row['effective_draws']:.0f}", row["method"]]
        for row in methods.sort_values("pareto_k", ascending=False).to_dict("records")
    ]
    return markdown_table(["trial left out", "fitted rows", "Pareto k", "effective draws", "posterior"], lines)


def write_block(path: Path, name: str, text: str) -> Path:
    """Replace the block `name` of a Markdown page. Raises InputError if the page has no such block."""
    begin, end = f"<!-- {name}: written by `ketamech scorecard --publish`; do not edit -->", f"<!-- end of {name} -->"
    page = path.read_text(encoding="utf-8")
    if begin not in page or end not in page:
        raise InputError(f"the page has no block '{name}'", file=path, expected=f"{begin} ... {end}")
    head, tail = page.split(begin, 1)
    after = tail.split(end, 1)[1]
    atomic_write(path, f"{head}{begin}\n{text}\n{end}{after}".encode())
    return path


def read_block(path: Path, name: str) -> str:
    """The text of a block that `write_block` wrote; tests compare it with the tables."""
    page = path.read_text(encoding="utf-8")
    return page.split(f"<!-- {name}:", 1)[1].split("-->\n", 1)[1].split(f"\n<!-- end of {name} -->", 1)[0]


def write_skill(
    checkout: Path, skill: pd.DataFrame, metadata: Mapping[str, object], replicates: int, variant: str = ""
) -> list[Path]:
    """Write the result table of a checkout, and the blocks of its pages that show it.

    That of a variant with equations of its own is shown beside the full model by the page of trials only.
    """
    docs, results = checkout / "docs", results_file(variant)
    text = csv_with_metadata(skill, {"replicates": replicates, **short_facts(metadata)}, digits="%.4g")
    results.write_text(text, encoding="utf-8")
    if variant:
        return [results]
    stored_skill = load_skill()  # with the digits of the file
    write_block(docs / "limits.md", SKILL_BLOCK, skill_table(stored_skill))
    write_block(docs / "credibility.md", VERDICT_BLOCK, verdict_table(stored_skill))
    return [results, docs / "limits.md", docs / "credibility.md"]


def short_facts(metadata: Mapping[str, object]) -> dict[str, object]:
    """The metadata that identify model and data."""
    names = ("date", "equations", "parameters", "evidence")
    return {name: value for name, value in metadata.items() if name.split()[-1] in names}


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
[perturbations](perturbations.md)."""

FIGURES = """![Skill of each group of rows, and histograms of the place of the published number](pictures/skill.png)

![Forest plot of every scored row by trial](pictures/forest.png)

![Predictive checks on true time](pictures/predictive_checks.png)

![Dose-response and time course of the model with all published differences](pictures/dose_and_time.png)"""

CHANCES = """Analysis of covariance in every virtual trial of the published size. A published result that was unlikely
stands first. *Source*: the difference is printed, or follows from the printed means and errors of two arms; one that is
recalled, because its source cannot be opened, does not count for the criterion. The last column is the criterion for
comparisons that were not significant."""

LEFT_OUT = """The posterior of all trials is reweighted by Pareto smoothed importance sampling. Where the Pareto shape k
exceeds 0.7 the weights are not reliable, and the posterior is sampled again on the emulator without the rows of the
trial. Trials that are not listed gave nothing to the posterior. Other diagnostics of the posterior:
[diagnostics of the calibration](made/credibility/calibration.md)."""

VARIANT = """The model variant `{name}` ([decision](decisions/0037-reduced-core.md)) on the same trials, each predicted
without its own data. First the full model, then the variant; rows of trials that the variant cannot record are
missing."""

SPREADS = """Standard deviations of change (or score) behind printed SDs, errors and t values. They are not rows of the
evidence tables and do not count for any goal."""


def write_trial_scorecard(path: Path, card: TrialScorecard) -> Path:
    """Write the page as Markdown: skill and verdicts, goals, every row with the worst first."""
    replicates = next(iter(card.trials.values())).sizes["replicate"]
    rows_by_deviation = card.rows.reindex(card.rows["z"].abs().sort_values(ascending=False).index)
    dates = ", ".join(sorted({reference.date for reference in load_references().values()}))
    parts = [INTRODUCTION.format(disclaimer=DISCLAIMER, replicates=replicates)]
    parts += [SKILL.format(explanation=EXPLANATION, made=dates), skill_table(card.skill, classes=True), CONTRASTS]
    parts += ["### Acceptance criteria", verdict_table(card.skill), FIGURES]
    parts += ["### Scores on both bases", detail_table(card.skill)]
    parts += ["### Contrasts, largest error first", _contrasts(card.contrasts)]
    parts += ["## Chance of p < 0.05", CHANCES, chance_table(card.significance_probabilities)]
    for name in variants_with_results():
        parts += [f"## Variant {name}", VARIANT.format(name=name), variant_table(card.skill, load_skill(name))]
    parts += ["## How trials were left out", LEFT_OUT, left_out_table(card.leave_out_methods)]
    parts += ["## Goals", _goals(card.criteria)]
    parts += ["## By outcome", _outcomes(card.by_stage), "## Variability within arms", SPREADS]
    parts += [_rows(card.spreads), "## All rows, largest deviation first", _rows(rows_by_deviation)]
    atomic_write(path, ("\n\n".join(parts) + "\n").encode())
    return path


def _contrasts(contrasts: pd.DataFrame) -> str:
    """Every predicted contrast on the common scale, in which a MADRS point and 5 percentage points weigh the same."""
    rows = contrasts[contrasts["basis"] == "left out"]
    lines = []
    for row in rows.reindex(rows["error"].abs().sort_values(ascending=False).index).to_dict("records"):
        published = f"{number(row['published'])} (SE {number(row['published_se'])})"
        predicted = with_interval(row["simulated"], row["low"], row["high"])
        sign = "same sign" if row["same_sign"] else "**other sign**"
        inside = "inside" if row["inside"] else "**outside**"
        lines.append([row["kind"], row["what"], published, predicted, sign, inside])
    return markdown_table(["contrast", "", "published", "predicted (95 %)", "", ""], lines)


def _goals(goals: pd.DataFrame) -> str:
    lines = []
    for row in goals.to_dict("records"):
        low, high = (row[k] for k in ("low", "high"))
        target = " to ".join("" if v is None or np.isnan(v) else number(float(v)) for v in (low, high))
        verdict = "yes" if row["reached"] else "**no**"
        lines.append([str(row["goal"]), number(float(row["value"])), target, number(float(row["simulated"])), verdict])
    return markdown_table(["goal", "value", "wanted, or prediction interval", "simulated", "reached"], lines)


def _outcomes(stages: pd.DataFrame) -> str:
    lines = []
    for row in stages.to_dict("records"):
        lines.append([row["stage"], row["role"], row["n"], row["inside"], row["overlaps"], number(row["mean_abs_z"])])
    return markdown_table(["outcome", "role", "rows", "inside", "intervals overlap", "mean abs z"], lines)


def _rows(rows: pd.DataFrame) -> str:
    lines = []
    for r in rows.to_dict("records"):
        simulated = with_interval(r["simulated"], r["sim_low"], r["sim_high"])
        published = with_interval(r["published"], r["low"], r["high"])
        marks = ["inside" if r["inside"] else "**outside**", str(r["role"]), str(r["scored"] or "scored")]
        lines.append([f"`{r['id']}`", str(r["statistic"]), published, simulated, number(r["z"]), *marks])
    return markdown_table(
        ["row", "statistic", "published (95 %)", "simulated (95 % of trials)", "z", "", "", ""], lines
    )
