"""Comparison of virtual with published trials as a Markdown page, and the skill tables that other pages show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketamech.analysis.reference_forecasts import load_references
from ketamech.analysis.skill import forecaster_scores, null_limit, reliability, verdicts
from ketamech.core.constants import DISCLAIMER
from ketamech.core.environment import DATA
from ketamech.exchange.result_metadata import read_csv_metadata
from ketamech.report.number_format import limits_in_words, markdown_table, number, signed, with_interval

VARIANTS = DATA / "variants"
TEXT_COLUMNS = ("scored", "unit", "against")  # these may be empty in every row
MEASURES = {
    "skill": "skill", "skill_low": "skill, lower limit", "coverage": "coverage", "width_ratio": "width ratio",
    "pit_p": "p of uniformity", "error": "mean error", "accuracy": "share with the right sign",
    "log_skill": "log skill", "chance": "largest chance of p < 0.05",
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
    """Skill, coverage, width and mean error of a variant beside the full model (first number), lowest skill first.

    Groups of rows that only one of them has are left out.
    """
    kinds = ["overall", "family", "difference", "contrast", "significance"]
    full, other = (
        part[(part["basis"] == "left out") & part["kind"].isin(kinds)].set_index(["kind", "group"], drop=False)
        for part in (skill, variant)
    )
    lines = []
    for own in other[other.index.isin(full.index)].sort_values("skill", kind="stable").to_dict("records"):
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
        criterion = limits_in_words(row["low"], row["high"])
        verdict = "met" if row["met"] else "**not met**"
        measure = f"{MEASURES[row['measure']]}, {row['group']}"
        lines.append([row["question"], measure, criterion, _number_or_blank(row["value"]), verdict])
    return markdown_table(["question", "measure", "criterion", "value", "verdict"], lines)


def chance_table(chances: pd.DataFrame) -> str:
    """Chance of p < 0.05 beside each published comparison; the published ones that were least expected first."""
    limit = null_limit()
    unexpectedness = np.where(chances["significant"], 1 - chances["chance"], chances["chance"])
    lines = []
    for row in chances.iloc[np.argsort(-unexpectedness, kind="stable")].to_dict("records"):
        published = with_interval(row["published"], row["low"], row["high"])
        chance, low, high = (100 * row[name] for name in ("chance", "chance_low", "chance_high"))
        result = "p < 0.05" if row["significant"] else "not significant"
        comparison = f"{row['name']}: {row['arm']}, {row['visit']}"
        verdict = "" if row["significant"] else "met" if row["chance"] <= limit else "**not met**"
        others = [_percent(row[name]) for name in ("chance_pooled", "chance_both", "chance_published")]
        cells = [row["source"], result, f"{chance:.0f} ({low:.0f} to {high:.0f})", verdict, *others]
        lines.append([comparison, row["n"], published, *cells])
    header = ["trial", "patients", "published difference (95 %)", "source", "published", "chance of p < 0.05, %",
              f"at most {number(100 * limit)} %", "other trials, %", "and this one, %",
              "published effect true, %"]  # fmt: skip
    return markdown_table(header, lines)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if np.isfinite(share) else ""


def forecaster_table(chances: pd.DataFrame) -> str:
    """Brier scores of the chances of p < 0.05 of each forecaster, and the criterion for null results."""
    lines = []
    for row in forecaster_scores(chances).to_dict("records"):
        brier, own = (f"{row[name]:.3f}" for name in ("brier", "brier_model"))
        counts = [f"{row['rows']} ({row['trials']})", brier, own, _with_interval(row)]
        happened = f"{row['expected']:.1f}, {row['observed']}"
        null = [f"{row['met']} of {row['null']}", _percent(row["largest"]), f"{100 * row['possible']:.1f}"]
        lines.append([row["forecaster"], *counts, happened, *null])
    header = ["forecaster", "comparisons (trials)", "Brier score", "model on the same", "skill of the model (95 %)",
              "p < 0.05: expected, published", "null results met", "largest chance of these, %",
              "criterion met if its chances are right, at most %"]  # fmt: skip
    return markdown_table(header, lines)


def reliability_table(chances: pd.DataFrame) -> str:
    """Stated chance of p < 0.05 against the share that happened, by thirds."""
    lines = []
    for row in reliability(chances).to_dict("records"):
        bounds = f"{_percent(row['low'])} to {_percent(row['high'])}"
        happened = f"{row['observed']} of {row['rows']}: {_percent(row['observed'] / row['rows'])}"
        lines.append([row["forecaster"], bounds, row["trials"], _percent(row["stated"]), happened])
    return markdown_table(["forecaster", "stated, %", "trials", "mean stated, %", "published p < 0.05, %"], lines)


def left_out_table(methods: pd.DataFrame) -> str:
    """How each trial was left out of the posterior."""
    lines = [
        [row["trial"], row["rows"], f"{row['pareto_k']:.2f}", f"{row['effective_draws']:.0f}", row["method"]]
        for row in methods.sort_values("pareto_k", ascending=False).to_dict("records")
    ]
    return markdown_table(["trial left out", "fitted rows", "Pareto k", "effective draws", "posterior"], lines)


INTRODUCTION = """# Virtual trials compared with published trials

{disclaimer} Written by scripts/publish.py from `ketamech scorecard`; do not edit.

Each published result that a trial file covers, simulated {replicates} times at the published sample size with new
virtual patients, new study effects and a new posterior draw each time. A trial that the posterior used is predicted
from the posterior without it, its sub-analyses and the pools that contain it. What is missed is shown first; aims
that are not reached stand in the [limits of use](limits.md#aims-not-reached).
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
recalled, because its source cannot be opened, does not count for the criterion. *At most*: the criterion for
comparisons that were not significant. The last three columns are chances without the model, at the published standard
error (two-sided, normal). *Other trials*: random-effects meta-analysis of mood in the other trials, without dose or
time. *And this one*: a repetition of the trial, from that meta-analysis and the published result. *Published effect
true*: a repetition if the true effect is the published one. The last two know the result and are no predictions."""

FORECASTS = """Every published comparison whose source can be opened, significant or not. *Brier score*: mean squared
distance of the chance from what was published, 1 for p < 0.05 and 0 otherwise; 0 is perfect, 0.25 is always 50 %. That
of the model is corrected for the number of replicates. *Skill of the model*: 1 − Brier score of the model / Brier score
of the forecaster on the same comparisons, 95 % over trials. *Null results met*: comparisons without significance that
had at most the chance of the criterion. *Criterion met if its chances are right*: the criterion looks only at results
that were not significant. It is therefore met only if each comparison with more than that chance becomes significant.
The probability of this, if the chances are exact and trials are independent, is at most the product over trials of the
smallest such chance. The smaller this number, the less a miss of the criterion says against a forecaster. Brier score
and reliability do not penalise exact chances ([decision 41](decisions/0041-null-results.md))."""

RELIABILITY = """Chances in thirds, without the forecasters that know the result. Comparisons of one trial share
patients, so that there are fewer independent results than comparisons."""

LEFT_OUT = """The posterior of all trials is reweighted by Pareto smoothed importance sampling. Where the Pareto shape k
exceeds 0.7 the weights are not reliable, and the posterior is sampled again on the emulator without the rows of the
trial. Trials that are not listed gave nothing to the posterior. Other diagnostics of the posterior:
[diagnostics of the calibration](made/credibility/calibration.md)."""

VARIANT = """The model variant `{name}` ([decision](decisions/0037-reduced-core.md)) on the same trials, each predicted
without its own data. First the full model, then the variant; rows of trials that the variant cannot record are
missing."""

SPREADS = """Standard deviations of change (or score) behind printed SDs, errors and t values. They are not rows of the
evidence tables and do not count for any goal."""


def scorecard_page(folder: Path, skill: pd.DataFrame) -> str:
    """The tables of a folder of `ketamech scorecard`: skill and verdicts, goals, every row with the worst first.

    `skill` is its skill table with the digits that are stored, so that no page rounds another number.
    """
    names = ("contrasts", "chances", "left_out", "trial_goals", "by_stage", "spreads", "trials")
    tables = {name: _read(folder / f"{name}.csv") for name in names}
    replicates = read_csv_metadata(folder / "skill.csv")["replicates"]
    dates = ", ".join(sorted({reference.date for reference in load_references().values()}))
    parts = [INTRODUCTION.format(disclaimer=DISCLAIMER, replicates=replicates)]
    parts += [SKILL.format(explanation=EXPLANATION, made=dates), skill_table(skill, classes=True), CONTRASTS]
    parts += ["### Acceptance criteria", verdict_table(skill), FIGURES]
    parts += ["### Scores on both bases", detail_table(skill)]
    parts += ["### Contrasts, largest error first", _contrasts(tables["contrasts"])]
    chances = tables["chances"]
    parts += ["## Chance of p < 0.05", CHANCES, chance_table(chances)]
    parts += ["### Forecasts of p < 0.05", FORECASTS, forecaster_table(chances)]
    parts += ["### Stated chances and published results", RELIABILITY, reliability_table(chances)]
    for path in sorted(VARIANTS.glob("*/skill.csv")):
        name = path.parent.name.replace("_", "-")
        parts += [f"## Variant {name}", VARIANT.format(name=name), variant_table(skill, pd.read_csv(path, comment="#"))]
    parts += ["## How trials were left out", LEFT_OUT, left_out_table(tables["left_out"])]
    parts += ["## Goals", _goals(tables["trial_goals"])]
    parts += ["## By clinical outcome", _outcomes(tables["by_stage"]), "## Variability within arms", SPREADS]
    parts += [_rows(tables["spreads"]), "## All rows, largest deviation first", _rows(tables["trials"])]
    return "\n\n".join(parts) + "\n"


def _read(path: Path) -> pd.DataFrame:
    """A table with empty cells of text as empty text."""
    table = pd.read_csv(path, dtype=dict.fromkeys(TEXT_COLUMNS, object))
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{name: table[name].fillna("") for name in texts})


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
        target = limits_in_words(row["low"], row["high"])
        verdict = "yes" if row["reached"] else "**no**"
        lines.append([str(row["goal"]), number(float(row["value"])), target, number(float(row["simulated"])), verdict])
    return markdown_table(["goal", "value", "wanted, or prediction interval", "simulated", "reached"], lines)


def _outcomes(stages: pd.DataFrame) -> str:
    names = ("stage", "role", "n", "inside", "overlaps")
    lines = [[*(row[name] for name in names), number(row["mean_abs_z"])] for row in stages.to_dict("records")]
    return markdown_table(["clinical outcome", "role", "rows", "inside", "intervals overlap", "mean abs z"], lines)


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
