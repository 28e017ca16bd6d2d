"""The page that compares virtual with published trials, from a run of the trial scorecard.

Forest plot of published and simulated values with their 95 % intervals.

Visual predictive checks: intervals of simulated trials over time, and published points.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.colours import OKABE_ITO
from ketamech.report.number_format import DISCLAIMER, number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ketamech.analysis.trial_scorecard import TrialScorecard


def draw_forest(folder: Path, rows: pd.DataFrame, name: str = "forest") -> list[Path]:
    """Write the forest of clinical rows: one panel per kind of value, largest deviations on top, fitted rows hollow."""
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    with matplotlib.rc_context(SETTINGS):
        return save(_forest(rows), folder, name)


def _forest(rows: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    shares = rows["statistic"].str.match("response|remission|still well|above|share")
    sizes = rows["statistic"].isin(("effect size", "odds ratio"))
    kinds = [
        ("percent of patients", rows[shares]),
        ("points or days", rows[~shares & ~sizes]),
        ("effect size or odds ratio (cut at 8)", rows[sizes]),
    ]
    heights = [max(4, len(part)) for _, part in kinds]
    figure = Figure(figsize=(15, 0.19 * max(heights) + 1.4), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.02, 1, 0.98))  # type: ignore[call-arg]
    figure.suptitle(
        "Virtual trials against published ones: 95 % prediction interval (blue) and published 95 % (orange); "
        "hollow: fitted, not a test; largest deviation on top", fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    figure.text(0.99, 0.004, DISCLAIMER, ha="right", size=6)
    for axes, (title, part) in zip(figure.subplots(1, 3, width_ratios=[1.3, 1.1, 0.8]), kinds, strict=True):
        ordered = part.reindex(part["z"].abs().sort_values().index)
        y = np.arange(len(ordered))
        axes.hlines(y + 0.17, ordered["sim_low"], ordered["sim_high"], color=OKABE_ITO[0], lw=2.2)
        axes.plot(ordered["simulated"], y + 0.17, "|", color=OKABE_ITO[0], ms=7)
        axes.hlines(y - 0.17, ordered["low"], ordered["high"], color=OKABE_ITO[1], lw=1.2)
        for fitted, face in ((True, "white"), (False, OKABE_ITO[1])):
            mask = (ordered["fitted"] == fitted).to_numpy()
            axes.plot(
                ordered["published"][mask], y[mask] - 0.17, "o", ms=3.6, mfc=face, mec=OKABE_ITO[1], ls="none",
            )  # fmt: skip
        marks = np.where(ordered["overlaps"], "", "  (miss)")
        axes.set_yticks(y, [f"{name}{mark}" for name, mark in zip(ordered["id"], marks, strict=True)], fontsize=6)
        axes.set_ylim(-0.8, len(ordered) - 0.2)
        axes.set_xlabel(title)
        if "cut" in title:
            axes.set_xlim(-2, 8)
        axes.grid(axis="x", color="#EEEEEE", lw=0.6)
    return figure


FEWEST, ACROSS = 2, 4


def draw_predictive_checks(folder: Path, rows: pd.DataFrame, name: str = "predictive_checks") -> list[Path]:
    """Write one panel for each trial, arm, scale and statistic that has points at two times or more."""
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    with matplotlib.rc_context(SETTINGS):
        return save(_figure(rows), folder, name)


def _figure(rows: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    keys = ["trial", "arm", "scale", "statistic"]
    timed = rows[np.isfinite(rows["hour"])]
    groups = [
        (key, part.sort_values("hour"))
        for key, part in timed.groupby(keys, sort=False)
        if part["hour"].nunique() >= FEWEST
    ]
    down = -(-len(groups) // ACROSS)
    figure = Figure(figsize=(13, 2.3 * down + 0.8), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.02, 1, 0.98))  # type: ignore[call-arg]
    title = "Visual predictive checks: 95 % of virtual trials (blue) and published points with 95 % (hollow: fitted)"
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.text(0.99, 0.003, DISCLAIMER, ha="right", size=6)
    panels = np.atleast_1d(figure.subplots(down, ACROSS)).ravel()
    for axes, (key, part) in zip(panels, groups, strict=False):
        _panel(axes, key, part)
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, key: tuple[str, ...], part: pd.DataFrame) -> None:
    hours = sorted(set(part["hour"]))
    x = np.array([hours.index(hour) for hour in part["hour"]], dtype=float)
    axes.fill_between(x, part["sim_low"], part["sim_high"], color=OKABE_ITO[0], alpha=0.25, lw=0)
    axes.plot(x, part["simulated"], color=OKABE_ITO[0], lw=1.4)
    errors = np.abs([part["published"] - part["low"], part["high"] - part["published"]])
    axes.errorbar(x, part["published"], yerr=np.nan_to_num(errors), fmt="none", ecolor=OKABE_ITO[1], elinewidth=0.9)
    for fitted, face in ((True, "white"), (False, OKABE_ITO[1])):
        mask = (part["fitted"] == fitted).to_numpy()
        axes.plot(x[mask], part["published"][mask], "o", ms=4, mfc=face, mec=OKABE_ITO[1], ls="none")
    names = [str(part[part["hour"] == hour]["visit"].iloc[0]) for hour in hours]
    axes.set_xticks(range(len(hours)), names, fontsize=6)
    trial, arm, scale, statistic = key
    axes.set_title(f"{trial}: {arm}\n{statistic}, {scale}", fontsize=7, loc="left")


INTRODUCTION = """# Virtual trials compared with published trials

{disclaimer} Written by `ketamech scorecard --markdown`; do not edit.

Each published result that a trial file covers, simulated {replicates} times at the published sample size with new
virtual patients and a new posterior draw each time. *Inside*: the published value lies in the 95 % prediction interval.
*Fitted* rows set a value of the model, or follow by arithmetic from rows that did, and are no test. Rows of the *same
trial* as a fitted row are a weak test. *Independent* rows come from trials that set no value.

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
            str(r["role"]),
            *(str(r[k]) for k in ("n", "inside", "overlaps")),
            number(r["mean_abs_z"]),
        ]
        for r in stages.to_dict("records")
    ]
    return _table(["outcome", "role", "rows", "inside", "intervals overlap", "mean abs z"], lines)


def _rows(rows: pd.DataFrame) -> str:
    lines = []
    for r in rows.to_dict("records"):
        simulated = f"{number(r['simulated'])} ({number(r['sim_low'])} to {number(r['sim_high'])})"
        known = np.isfinite(r["low"])
        published = number(r["published"]) + (f" ({number(r['low'])} to {number(r['high'])})" if known else "")
        marks = ["inside" if r["inside"] else "**outside**", str(r["role"])]
        lines.append([f"`{r['id']}`", str(r["statistic"]), published, simulated, number(r["z"]), *marks])
    return _table(["row", "statistic", "published (95 %)", "simulated (95 % of trials)", "z", "", ""], lines)
