"""Figures of a trial: mean change by arm, response, relapse, and power."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.colours import OKABE_ITO
from ketamech.report.number_format import DISCLAIMER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ketamech.trials.analysis.analyse import TrialAnalysis

MARKS, _MEDIAN = "osD^vPX", ("median_days", "low", "high")


def trial_figures(found: TrialAnalysis, title: str) -> dict[str, Figure]:
    """Figures by file name: change by scale, response shares, and time to relapse if the trial has it."""
    import matplotlib

    from ketamech.report.style import SETTINGS

    with matplotlib.rc_context(SETTINGS):
        figures = {"change": _change(found, title)}
        if found.shares:
            figures["response"] = _response(found, title)
        if found.relapse is not None and len(found.relapse.curves):
            figures["relapse"] = _relapse(found, title)
    return figures


def _sheet(rows: int, title: str, width: float = 8.0, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows + 0.8), layout="constrained")
    _leave_room(figure)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.text(0.99, 0.002, DISCLAIMER, ha="right", size=6)
    return figure, list(np.atleast_1d(figure.subplots(rows, 1)))


def _leave_room(figure: Figure) -> None:
    """Reserve space at the bottom for the disclaimer."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.03, 1, 0.97))  # type: ignore[call-arg]


def _change(found: TrialAnalysis, title: str) -> Figure:
    figure, panels = _sheet(len(found.means), f"{title}\nmean change from baseline; bars: 95 % of simulated trials")
    for axes, (scale, table) in zip(panels, found.means.items(), strict=True):
        arms = list(dict.fromkeys(table["arm"]))
        moments = sorted(set(table["hour"]))
        for k, arm in enumerate(arms):
            part = table[table["arm"] == arm].sort_values("hour")
            places = np.array([moments.index(hour) for hour in part["hour"]]) + 0.08 * (k - (len(arms) - 1) / 2)
            errors = np.abs(np.array([part["change"] - part["low"], part["high"] - part["change"]]))
            axes.errorbar(
                places, part["change"], yerr=errors, color=OKABE_ITO[k % len(OKABE_ITO)], marker=MARKS[k % len(MARKS)],
                ms=4, lw=1.4, elinewidth=0.8, capsize=2, label=f"{arm} (n {part['n'].max():.0f})",
            )  # fmt: skip
        axes.axhline(0, color="#999999", lw=0.8)
        names = [str(table[table["hour"] == hour]["visit"].iloc[0]) for hour in moments]
        axes.set_xticks(range(len(moments)), [_short(name) for name in names], rotation=40, ha="right", fontsize=7)
        axes.set_ylabel(scale)
        axes.legend(loc="best", fontsize=7, frameon=False)
    return figure


def _response(found: TrialAnalysis, title: str) -> Figure:
    figure, panels = _sheet(
        len(found.shares), f"{title}\nresponse (full) and remission (pale), percent of all; bars: 95 % of trials"
    )
    for axes, (scale, table) in zip(panels, found.shares.items(), strict=True):
        arms, visits = list(dict.fromkeys(table["arm"])), list(dict.fromkeys(table["visit"]))
        wide = 0.8 / len(arms)
        for k, arm in enumerate(arms):
            part = table[table["arm"] == arm].set_index("visit").reindex(visits)
            x, colour = np.arange(len(visits)) + (k - (len(arms) - 1) / 2) * wide, OKABE_ITO[k % len(OKABE_ITO)]
            errors = np.abs([part["response"] - part["response_low"], part["response_high"] - part["response"]])
            axes.bar(x, part["response"], 0.9 * wide, color=colour, label=arm, yerr=errors, error_kw={"lw": 0.7})
            axes.bar(x, part["remission"], 0.45 * wide, color="white", alpha=0.55, edgecolor=colour, lw=0.6)
        axes.set_xticks(range(len(visits)), [_short(v) for v in visits], rotation=40, ha="right", fontsize=7)
        axes.set_ylabel(f"{scale}, %")
        axes.set_ylim(0, 100)
        axes.legend(loc="best", fontsize=7, frameon=False)
    return figure


def _relapse(found: TrialAnalysis, title: str) -> Figure:
    assert found.relapse is not None
    figure, (axes,) = _sheet(1, f"{title}\nresponders without relapse (Kaplan-Meier, all trials together)", height=3.4)
    curves = found.relapse.curves
    for k, group in enumerate(dict.fromkeys(curves["group"])):
        part, colour = curves[curves["group"] == group], OKABE_ITO[k % len(OKABE_ITO)]
        median = found.relapse.median.set_index("group").loc[group]
        days = [f"{median[name]:.0f}" if np.isfinite(median[name]) else "not reached" for name in _MEDIAN]
        label = f"{group[:44]}: median {days[0]} d ({days[1]} to {days[2]})"
        axes.step(part["day"], 100 * part["without_relapse"], where="post", color=colour, lw=1.6, label=label)
        axes.fill_between(
            part["day"], 100 * part["low"], 100 * part["high"], step="post", color=colour, alpha=0.15, lw=0
        )
    axes.set_xlabel("days since response was counted")
    axes.set_ylabel("without relapse, %")
    axes.set_ylim(0, 100)
    axes.legend(loc="lower left", fontsize=7, frameon=False)
    return figure


def power_figure(table: pd.DataFrame, title: str) -> Figure:
    """Power against patients per arm, with Monte-Carlo intervals."""
    figure, (axes,) = _sheet(1, f"{title}\npower of the primary comparison (two-sided 5 %)", height=3.2)
    for k, (arm, part) in enumerate(table.groupby("arm")):
        errors = np.abs([part["power"] - part["low"], part["high"] - part["power"]])
        colour = OKABE_ITO[k % len(OKABE_ITO)]
        axes.errorbar(
            part["n_per_arm"], part["power"], yerr=errors, marker=MARKS[k % len(MARKS)], color=colour, label=str(arm)
        )
    axes.axhline(80, color="#999999", lw=0.8, ls="--")
    axes.set_xlabel("patients per arm")
    axes.set_ylabel("power, %")
    axes.set_ylim(0, 100)
    axes.legend(fontsize=7, frameon=False)
    return figure


def people_figure(table: pd.DataFrame, title: str, columns: Sequence[str]) -> Figure:
    """Distributions of variables of a virtual population, one panel each."""
    from matplotlib.figure import Figure

    rows = -(-len(columns) // 3)
    figure = Figure(figsize=(9.0, 2.1 * rows + 0.8), layout="constrained")
    _leave_room(figure)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.text(0.99, 0.002, DISCLAIMER, ha="right", size=6)
    panels = np.atleast_1d(figure.subplots(rows, 3)).ravel()
    weights = table.get("weight_in_target")
    for axes, name in zip(panels, columns, strict=False):
        whole = np.all(table[name] == np.round(table[name])) and table[name].nunique() < 12
        bins = np.arange(table[name].min() - 0.5, table[name].max() + 1.5) if whole else 40
        axes.hist(table[name], bins=bins, color=OKABE_ITO[0], alpha=0.7, density=True, label="drawn")
        if weights is not None:
            axes.hist(
                table[name],
                bins=bins,
                weights=weights,
                color=OKABE_ITO[1],
                histtype="step",
                density=True,
                label="weighted",
            )
        axes.set_title(name.removeprefix("person."), fontsize=8)
        axes.set_yticks([])
    for axes in panels[len(columns) :]:
        axes.set_visible(False)
    if weights is not None:
        panels[0].legend(fontsize=7, frameon=False)
    return figure


def save_people(folder: Path, table: pd.DataFrame, title: str, columns: Sequence[str]) -> list[Path]:
    """The distributions as people.png and people.svg."""
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    with matplotlib.rc_context(SETTINGS):
        return save(people_figure(table, title, columns), folder, "people")


def _short(name: str) -> str:
    return name.replace("period ", "P")
