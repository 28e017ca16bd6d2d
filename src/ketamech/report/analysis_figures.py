"""Figures of sensitivity analysis and regimen search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.analysis.regimen_evidence import WITHOUT
from ketamech.report.style import draw, page
from ketamech.report.tracks import OKABE_ITO

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 15  # parameters in a panel


def draw_tornado(folder: Path, table: pd.DataFrame, title: str) -> list[Path]:
    """Tornado plot of each outcome, largest effect on top."""
    return draw(folder, "tornado", lambda: _tornado(table, title))


def draw_indices(folder: Path, table: pd.DataFrame, title: str, name: str) -> list[Path]:
    """Sobol (first and total) or Morris (mu* and sigma) as bars with their intervals."""
    return draw(folder, name, lambda: _indices(table, title))


def draw_convergence(folder: Path, table: pd.DataFrame, title: str) -> list[Path]:
    """The largest total indices of each outcome with their intervals, against the number of base points."""
    return draw(folder, "convergence", lambda: _convergence(table, title))


def draw_front(folder: Path, table: pd.DataFrame) -> list[Path]:
    """Benefit against dissociation and blood pressure; regimens on the Pareto front are labelled."""
    return draw(folder, "front", lambda: _front(table))


def _outcome_panels(table: pd.DataFrame, height: float, title: str) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A figure with one panel for each outcome, and the axes and the rows of each."""
    parts = [table[table["outcome"] == name] for name in dict.fromkeys(table["outcome"])]
    figure = page(9, height * len(parts) + 0.6, title)
    panels = list(np.atleast_1d(figure.subplots(len(parts), 1)))
    for axes, part in zip(panels, parts, strict=True):
        axes.set_title(part["outcome"].iloc[0], fontsize=8, loc="left")
    return figure, list(zip(panels, parts, strict=True))


def _tornado(table: pd.DataFrame, title: str) -> Figure:
    words = f"{title}\none parameter at its 5th (blue) and 95th (orange) percentile"
    figure, panels = _outcome_panels(table, 3.2, words)
    for axes, part in panels:
        part = part.head(SHOWN)[::-1]
        y, usual = np.arange(len(part)), part["usual"].iloc[0]
        axes.barh(y, part["low"] - usual, left=usual, color=OKABE_ITO[0], height=0.7)
        axes.barh(y, part["high"] - usual, left=usual, color=OKABE_ITO[1], height=0.7)
        axes.axvline(usual, color="#444444", lw=0.8)
        axes.set_yticks(y, part["parameter"], fontsize=7)
    return figure


def _indices(table: pd.DataFrame, title: str) -> Figure:
    pairs = [("total", "total_half_width"), ("first", "first_half_width")]
    if "mu_star" in table:
        pairs = [("mu_star", "half_width"), ("sigma", "")]
    figure, panels = _outcome_panels(table, 3.0, title)
    for axes, part in panels:
        part = part.head(SHOWN)[::-1]
        for k, (column, width) in enumerate(pairs):
            y = np.arange(len(part)) + 0.2 - 0.4 * k
            errors = part[width] if width else None
            axes.barh(y, part[column], height=0.38, color=OKABE_ITO[k], xerr=errors, error_kw={"lw": 0.7}, label=column)
        axes.set_yticks(np.arange(len(part)), part["parameter"], fontsize=7)
        axes.legend(frameon=False, fontsize=7, loc="lower right")
    return figure


def _convergence(table: pd.DataFrame, title: str) -> Figure:
    figure, panels = _outcome_panels(table, 2.8, title)
    for axes, part in panels:
        last = part[part["base"] == part["base"].max()].nlargest(len(OKABE_ITO) - 2, "total")
        for k, parameter in enumerate(last["parameter"]):
            line = part[part["parameter"] == parameter]
            axes.errorbar(
                line["base"] * 1.04 ** (k - 2), line["total"], yerr=line["total_half_width"], fmt="o-", ms=4, lw=1,
                elinewidth=0.8, capsize=2, color=OKABE_ITO[k], label=parameter,
            )  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(set(part["base"])), [str(b) for b in sorted(set(part["base"]))])
        axes.set_ylabel("total index")
        axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_xlabel("base points")
    return figure


def _front(table: pd.DataFrame) -> Figure:
    title = "Regimens: decrease of MADRS beyond expectancy, mean of all days, against adverse effects"
    title += " (bars: 95 % of draws; white centre: dose without evidence in depressed patients)"
    if all(np.allclose(table[f"{c}_low"], table[f"{c}_high"], atol=1e-3) for c in ("cadss", "systolic")):
        title += "\nno drawn parameter affects dissociation or blood pressure, so their uncertainty is not shown"
    figure = page(13, 5.6, title)
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.03, 0.78, 0.97))  # type: ignore[call-arg]
    kinds = table["regimen"].str.extract(r"^(\S+).*?\b(IV|IM|SC|nasal|oral|sublingual)\b").agg(" ".join, axis=1)
    best = table[table["front"]].sort_values("benefit").reset_index(drop=True)
    costs = (("cadss", "mean peak CADSS, points"), ("systolic", "mean peak rise, mmHg systolic"))
    for axes, (cost, label) in zip(figure.subplots(1, 2), costs, strict=True):
        for k, kind in enumerate(dict.fromkeys(kinds)):
            part = table[kinds == kind]
            x, y = part[cost], part["benefit"]
            axes.errorbar(
                x, y, xerr=np.abs([x - part[f"{cost}_low"], part[f"{cost}_high"] - x]),
                yerr=np.abs([y - part["benefit_low"], part["benefit_high"] - y]),
                fmt="osD^vPX"[k % 7], ms=4, color=OKABE_ITO[k % len(OKABE_ITO)], elinewidth=0.4, alpha=0.75, label=kind,
            )  # fmt: skip
        unstudied = table[table["evidence"] == WITHOUT]
        axes.plot(unstudied[cost], unstudied["benefit"], "o", ms=2, mfc="white", mec="white", lw=0)
        axes.plot(best[cost], best["benefit"], "o", ms=10, mfc="none", mec="#222222", lw=0)
        for i, row in best.iterrows():
            place = (row[cost], row["benefit"])
            axes.annotate(
                str(int(str(i)) + 1), place, xytext=(-4, 8), textcoords="offset points", fontsize=8, ha="right"
            )
        axes.set_xlabel(label)
        axes.set_ylabel("benefit, points")
        axes.legend(frameon=False, fontsize=7, loc="lower right")
    named = "\n".join(f"{i + 1}  {row.regimen} ({row.evidence})" for i, row in enumerate(best.itertuples()))
    figure.text(0.79, 0.9, "Pareto front (circled):\n" + named, fontsize=7, va="top")
    return figure
