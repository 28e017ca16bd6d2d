"""Figures of the trial scorecard: forest plot, predictive checks, skill and calibration, and curves of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.analysis.reference_forecasts import PublishedDifference, trial_names
from ketamech.analysis.skill import PIT_BINS
from ketamech.analysis.skill_rows import NEGATED
from ketamech.core.constants import Z95
from ketamech.core.units import DAY
from ketamech.report.palette import DARK_GREY, FINE_GRID_COLOUR, GREY, OKABE_ITO
from ketamech.report.style import draw, log_time_ticks, page, panel_page

if TYPE_CHECKING:
    from ketamech.analysis.trial_scorecard import TrialScorecard

MODEL, PUBLISHED = OKABE_ITO[0], OKABE_ITO[1]
MIN_TIMES, PANELS_PER_ROW = 2, 3  # times of a predictive check; panels
FOREST_ROW_INCHES = 0.2
# title of an axis: its statistics, and the first letters of its scales; every axis has one statistic in one unit
MOOD, PERCENT = ("MADRS", "HDRS"), ("",)
FOREST: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Response, % of patients": (("response",), PERCENT),
    "Difference in MADRS from control, points": (("difference",), MOOD),
    "Change of MADRS or HDRS from baseline, points": (("change", "fall"), MOOD),
    "Mean MADRS or HDRS, points": (("mean",), MOOD),
    "Remission, % of patients": (("remission", "still well"), PERCENT),
    "Effect size, SD": (("effect size",), PERCENT),
    "Difference in ideation (SSI) from control, points": (("extra fall",), ("SSI",)),
    "Mean pain (NRS), points": (("mean",), ("NRS",)),
    "Change of dissociation (CADSS), points": (("change",), ("CADSS",)),
    "Odds ratio of response": (("odds ratio",), PERCENT),
    "Median days to relapse": (("median relapse",), PERCENT),
}
LOGARITHMIC = ("Odds ratio of response", "Median days to relapse")
FOREST_COLUMNS = ((0,), (1, 2, 6, 8), (3, 4, 5, 7, 9, 10))  # axes of each column
FIRST_TIME, LAST_TIME = 2.0, 672.0  # h: labelled times of the figures over time


def draw_trial_scorecard(folder: Path, card: TrialScorecard) -> list[Path]:
    """Write every figure of the scorecard; returns the files."""
    paths = draw(folder, "forest", lambda: _forest(card.rows))
    paths += draw(folder, "predictive_checks", lambda: _checks(card.rows))
    paths += draw(folder, "skill", lambda: _skill(card.skill, card.skill_rows))
    if len(card.curves):
        paths += draw(folder, "dose_and_time", lambda: _curves(card.curves, card.published))
    return paths


def _signed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with falls as negative changes."""
    signed = rows.copy()
    negated = signed["statistic"].isin(NEGATED)
    for column, opposite in (
        ("published", "published"),
        ("simulated", "simulated"),
        ("low", "high"),
        ("sim_low", "sim_high"),
    ):
        values, opposites = signed[column].copy(), signed[opposite].copy()
        signed.loc[negated, column], signed.loc[negated, opposite] = -opposites[negated], -values[negated]
    return signed


def _forest(rows: pd.DataFrame) -> Figure:
    scored = _signed(rows[rows["scored"] == ""])
    tables = [
        scored[scored["statistic"].isin(statistics) & scored["scale"].str.startswith(scales)]
        for statistics, scales in FOREST.values()
    ]
    lines = [
        sum(len(part) + part["trial"].nunique() + 3 for part in (tables[i] for i in column))
        for column in FOREST_COLUMNS
    ]
    title = (
        "Published trials (orange, 95 %) and their predictions without their own data (blue, 95 % of virtual trials)"
    )
    title += "\ncross: published number outside the prediction interval"
    figure = page(17, 0.88 * FOREST_ROW_INCHES * max(lines) + 1.2, title)
    for number, column in enumerate(FOREST_COLUMNS):
        axes_shown = [i for i in column if len(tables[i])]
        heights = [len(tables[i]) + tables[i]["trial"].nunique() + 1.5 for i in axes_shown]
        free_height = max(lines) - sum(heights)
        grid = figure.add_gridspec(1, len(FOREST_COLUMNS))[number].subgridspec(
            len(axes_shown) + 1, 1, height_ratios=[*heights, max(free_height, 0.01)]
        )
        for row_of_axis, i in enumerate(axes_shown):
            name = list(FOREST)[i]
            _forest_axis(figure.add_subplot(grid[row_of_axis]), name, tables[i])
    return figure


def _forest_axis(axes: Axes, title: str, table: pd.DataFrame) -> None:
    """One statistic: a heading for each trial, and below it a line for each arm and visit."""
    names = trial_names()
    y, ticks, labels = 0.0, [], []
    for trial, rows in table.groupby("trial", sort=False):
        ticks.append(y)
        labels.append(names.get(str(trial), str(trial)))
        y += 1
        for row in rows.to_dict("records"):
            _forest_row(axes, y, row)
            ticks.append(y)
            n = f" (n {row['n']:.0f})" if np.isfinite(row["n"]) else ""
            scale = "" if str(row["scale"]).startswith("MADRS") or "MADRS or" not in title else f", {row['scale']}"
            labels.append(f"{row['arm']}, {row['visit']}{scale}{n}")
            y += 1
    axes.set_yticks(ticks, labels, fontsize=6.5)
    for label in axes.get_yticklabels():
        if label.get_text() in names.values():
            label.set_fontweight("bold")
    axes.set_ylim(y - 0.3, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=8.5, loc="left")
    axes.tick_params(axis="x", labelsize=7)
    if title in LOGARITHMIC:
        axes.set_xscale("log")
        ticks_shown = [
            x for x in (1, 2, 5, 10, 20, 50) if 0.9 * table["sim_low"].min() <= x <= 1.1 * table["sim_high"].max()
        ]
        axes.set_xticks(ticks_shown, [str(x) for x in ticks_shown])
        axes.minorticks_off()
    if "Difference" in title or "Change" in title or "Effect" in title:
        axes.axvline(0, color=GREY, lw=0.7)
    axes.grid(axis="x", color=FINE_GRID_COLOUR, lw=0.6)
    axes.set_axisbelow(True)


def _forest_row(axes: Axes, y: float, row: dict[Any, Any]) -> None:
    axes.hlines(y - 0.16, row["sim_low"], row["sim_high"], color=MODEL, lw=2.4)
    axes.plot(row["simulated"], y - 0.16, "|", color=MODEL, ms=7)
    if np.isfinite(row["low"]):
        axes.hlines(y + 0.2, row["low"], row["high"], color=PUBLISHED, lw=1.1)
    mark = "o" if row["inside"] else "X"
    axes.plot(row["published"], y + 0.2, mark, ms=3.6 if row["inside"] else 5.5, color=PUBLISHED, mew=0.4, mec="white")


def _checks(rows: pd.DataFrame) -> Figure:
    keys = ["trial", "arm", "scale", "statistic"]
    with_time = rows[np.isfinite(rows["hour"]) & (rows["scored"].isin(("", "follows by arithmetic from scored rows")))]
    groups_by_series = with_time.groupby(keys, sort=False)
    groups = [(key, part.sort_values("hour")) for key, part in groups_by_series if part["hour"].nunique() >= MIN_TIMES]
    title = "Predictive checks on true time: 95 % of virtual trials, predicted without the data of their trial (blue;"
    title += "\nline: mean), and published numbers with 95 % intervals (orange); n: patients of the published arm"
    figure, panels = panel_page(len(groups), PANELS_PER_ROW, 13, 2.5, title)
    for axes, (key, part) in zip(panels, groups, strict=True):
        _check(axes, key, part)
    return figure


def _check(axes: Axes, key: tuple[str, ...], table: pd.DataFrame) -> None:
    trial, arm, scale, statistic = key
    days = table["hour"].to_numpy() / DAY
    axes.fill_between(days, table["sim_low"], table["sim_high"], color=MODEL, alpha=0.2, lw=0)
    axes.plot(days, table["simulated"], "-", color=MODEL, lw=1.4, marker="|", ms=6)
    errors = np.nan_to_num(np.abs([table["published"] - table["low"], table["high"] - table["published"]]))
    axes.errorbar(days, table["published"], yerr=errors, fmt="o", ms=4, color=PUBLISHED, elinewidth=1, capsize=2)
    counts = sorted({int(n) for n in table["n"].dropna()})
    n = f"n {counts[0]}" if len(counts) == 1 else f"n {counts[0]} to {counts[-1]}" if counts else "n unknown"
    axes.set_title(f"{trial_names().get(trial, trial)}\n{arm} ({n})", fontsize=7.5, loc="left")
    is_share = statistic.startswith(("response", "remission", "share"))
    unit = "% of patients" if is_share else "SD" if statistic == "effect size" else f"{scale} points"
    axes.set_ylabel(f"{statistic}, {unit}", fontsize=7)
    axes.set_xlabel("days since the first dose", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.margins(x=0.04)


def _skill(skill: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    figure = page(13, 6.2, "Skill and calibration of predicted trials")
    left, upper, lower = figure.subplot_mosaic([["skill", "out"], ["skill", "in"]], width_ratios=[1.5, 1]).values()
    _skill_axis(left, skill)
    for axes, basis in ((upper, "left out"), (lower, "in sample")):
        heading = "predicted without the trial" if basis == "left out" else "in sample, no prediction"
        _pit_axis(axes, rows[(rows["basis"] == basis) & (rows["group"] == "level")]["pit"].to_numpy(), heading)
    lower.set_xlabel("place of the published number in its prediction")
    return figure


def _skill_axis(axes: Axes, skill: pd.DataFrame) -> None:
    """Skill of each group on both bases, lowest first, with 95 % intervals."""
    scored = skill[skill["kind"].isin(("overall", "family", "difference", "contrast")) & np.isfinite(skill["skill"])]
    left_out = scored[scored["basis"] == "left out"].sort_values("skill")
    in_sample = scored[scored["basis"] == "in sample"].set_index(["kind", "group"])
    for y, row in enumerate(left_out.to_dict("records")):
        in_sample_row = in_sample.loc[(row["kind"], row["group"])]
        for shift, row_of_basis, colour, mark in ((-0.13, row, MODEL, "o"), (0.17, in_sample_row, GREY, "D")):
            if np.isfinite(row_of_basis["skill_low"]):
                axes.hlines(
                    y + shift, max(row_of_basis["skill_low"], -1.5), row_of_basis["skill_high"], color=colour, lw=1.3
                )
            label = {"o": "predicted without the trial", "D": "in sample"}[mark] if y == 0 else None
            axes.plot(
                row_of_basis["skill"],
                y + shift,
                mark,
                color=colour,
                ms=5 if mark == "o" else 3.5,
                label=label,
                ls="none",
            )
    axes.axvline(0, color=DARK_GREY, lw=0.8)
    names = [
        f"{'contrast: ' if r['kind'] == 'contrast' else ''}{r['group']}\nagainst {r['against']}, {r['rows']} rows"
        for r in left_out.to_dict("records")
    ]
    axes.set_yticks(range(len(left_out)), names, fontsize=6.8)
    axes.set_ylim(len(left_out) - 0.4, -0.6)
    axes.set_xlim(-1.55, 1.05)
    label = "skill: 1 − CRPS of the model / CRPS of the reference"
    axes.set_xlabel(f"{label}\n0: no better than the reference; bars: 95 % over trials, cut at −1.5", fontsize=8)
    axes.grid(axis="x", color=FINE_GRID_COLOUR, lw=0.6)
    axes.legend(fontsize=7, frameon=False, loc="lower left")


def _pit_axis(axes: Axes, pit: np.ndarray, heading: str) -> None:
    counts, edges = np.histogram(pit, bins=PIT_BINS, range=(0, 1))
    axes.bar(edges[:-1], counts, width=1 / PIT_BINS, align="edge", color=MODEL, alpha=0.6, edgecolor="white", zorder=2)
    expected = len(pit) / PIT_BINS
    half = Z95 * np.sqrt(expected * (1 - 1 / PIT_BINS))
    axes.axhline(expected, color=DARK_GREY, lw=0.9, ls="--", label="uniform", zorder=3)
    axes.axhspan(
        max(expected - half, 0), expected + half, color=GREY, alpha=0.2, lw=0, label="95 % if independent", zorder=1
    )
    axes.set_xlim(0, 1)
    axes.set_ylabel("rows")
    axes.set_title(f"{len(pit)} levels, {heading}", fontsize=8, loc="left")
    axes.set_ylim(0, 1.35 * max(counts.max(), expected + half))
    axes.legend(fontsize=6.5, frameon=False, ncols=2, loc="upper right")


def _curves(curves: pd.DataFrame, published: Sequence[PublishedDifference]) -> Figure:
    title = (
        "Difference in MADRS from control: every published difference with its 95 % interval, and the model (blue line;"
    )
    title += "\nband: 95 % of virtual trials of 60 patients an arm, with the posterior of all trials)"
    figure = page(13, 9.6, title)
    panels = figure.subplots(2, 3)
    _dose_panel(panels[0, 0], curves, published, "infusion", "racemic ketamine, mg/kg IV, at 24 h", (12.0, 36.0))
    _dose_panel(panels[0, 1], curves, published, "spray", "esketamine, mg nasal, at 24 h", (12.0, 36.0))
    _dose_panel(panels[0, 2], curves, published, "spray", "esketamine, mg nasal, at 2 to 4 h", (1.0, 6.0))
    _time_panel(panels[1, 0], curves, published, "infusion", 0.5, "one infusion of 0.5 mg/kg")
    _time_panel(panels[1, 1], curves, published, "spray", 84, "after the first spray, 84 mg")
    _time_panel(panels[1, 2], curves, published, "series", 84, "spray twice weekly, 84 mg")
    return figure


def _dose_panel(
    axes: Axes, curves: pd.DataFrame, published: Sequence[PublishedDifference], curve: str, label: str,
    hours: tuple[float, float],
) -> None:  # fmt: skip
    hour = 24.0 if hours[0] > 6 else 2.0
    _model_curve(axes, curves[(curves["curve"] == curve) & (curves["hour"] == hour)], "dose")
    differences = [d for d in published if d.curve == curve and hours[0] <= d.hour <= hours[1] and np.isfinite(d.dose)]
    _points(axes, differences, [difference.dose for difference in differences])
    axes.set_xlabel(label, fontsize=8)


def _time_panel(
    axes: Axes, curves: pd.DataFrame, published: Sequence[PublishedDifference], curve: str, dose: float, label: str
) -> None:
    _model_curve(axes, curves[(curves["curve"] == curve) & (curves["dose"] == dose)], "hour")
    differences = [d if d.dose == dose else replace(d, name=f"{d.name}, {d.dose_text}") for d in published
             if d.curve == curve]  # fmt: skip
    _points(axes, differences, [difference.hour for difference in differences], factor=1.06)
    log_time_ticks(axes, FIRST_TIME, LAST_TIME)
    axes.set_title(label, fontsize=8, loc="left")
    axes.set_xlabel("time since the first dose", fontsize=8)


def _model_curve(axes: Axes, points: pd.DataFrame, column: str) -> None:
    """Mean and band of the model in MADRS points against a column."""
    rows = points.sort_values(column)
    axes.fill_between(rows[column], rows["low"], rows["high"], color=MODEL, alpha=0.2, lw=0)
    axes.plot(rows[column], rows["mean"], "o-", color=MODEL, ms=4, lw=1.5)
    axes.set_ylabel("MADRS points", fontsize=8)


def _points(axes: Axes, differences: Sequence[PublishedDifference], x: Sequence[float], factor: float = 1.0) -> None:
    """Published differences, each trial with its own mark; those at one place are moved apart."""
    names = list(dict.fromkeys(difference.name for difference in differences))
    counts: dict[float, int] = {}
    span = (max(x) - min(x)) if len(x) > 1 else 1.0
    for difference, position in zip(differences, x, strict=True):
        number = counts.setdefault(position, -1) + 1
        counts[position] = number
        shifted = position * factor**number if factor != 1.0 else position + 0.025 * number * (span or abs(position))
        k = names.index(difference.name)
        label = difference.name if not any(t.get_label() == difference.name for t in axes.containers) else None
        axes.errorbar(
            shifted, difference.value, yerr=Z95 * difference.error, fmt="os^Dv<>PX*"[k % 10], ms=4.5, elinewidth=0.9,
            capsize=2, color=OKABE_ITO[(k + 1) % len(OKABE_ITO)], label=label,
        )  # fmt: skip
    axes.axhline(0, color=GREY, lw=0.7)
    axes.tick_params(labelsize=7)
    if differences:
        axes.legend(fontsize=6.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
