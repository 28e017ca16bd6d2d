"""HTML page and tables of an attribution, and the page writer shared with model variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.analysis.attribution import Attribution
from ketamech.analysis.attribution_text import component, dependence, describe_attribution
from ketamech.core.atomic_files import atomic_write
from ketamech.core.statistics import INTERVAL_95, percentiles
from ketamech.exchange.result_metadata import write_table
from ketamech.parameters import ParameterTable
from ketamech.report.number_format import number
from ketamech.report.page_templates import render
from ketamech.report.palette import TEXT_COLOUR
from ketamech.report.style import draw, log_time_axis, page, panel_page

SHOWN = (
    "endpoint", "pathway", "shapley", "shapley_low", "shapley_high", "loss_when_off", "single_effect", "shapley_tables",
    "share",
)  # fmt: skip
INTRODUCTION = (
    "A Shapley value is the mean effect of adding a pathway, over all orders in which the pathways can be switched on;"
    " the Shapley values of all pathways add up to their joint effect. Lost when off: the effect lost when only this"
    " pathway is switched off. Alone: its effect when all other pathways are off. Expectancy: the change in the same"
    " person without the drug.",
    "Intervals are over posterior draws; values of a pathway that are not in the posterior are drawn from their"
    " spreads. The intervals hold for this model variant only: a calibrated value does not show that its pathway"
    " exists. `ketamech variants` compares model variants.",
)
MIN_SHARE_DRAWN = 0.005  # of the total effect
PANELS_PER_ROW = 3


@dataclass(frozen=True)
class Section:
    """A section of a page: heading, sentences, a figure file and a table."""

    title: str
    words: Sequence[str] = ()
    picture: str = ""
    rows: Sequence[Mapping[Any, Any]] = ()


def write_page(path: Path, title: str, opening: Sequence[str], sections: Sequence[Section], closing: str) -> Path:
    """Write an HTML page; figure paths are relative to it."""
    text = render("sections.html.j2", title=title, opening=opening, sections=sections, closing=closing)
    atomic_write(path, text.encode())
    return path


def write_attribution(
    folder: Path, attribution: Attribution, parameters: ParameterTable, command: str, metadata: Mapping[str, object]
) -> Path:
    """Write tables (CSV, with `metadata`), figures and `attribution.html` of an attribution; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    dependence_table = dependence(attribution, parameters)
    for name, table in {
        "shapley": attribution.table,
        "totals": attribution.totals,
        "dependence": dependence_table,
    }.items():
        write_table(table, folder / f"{name}.csv", metadata)
    write_table(_course_table(attribution), folder / "course.csv", metadata)
    draw_attribution(folder, attribution)
    endpoints = list(attribution.totals["endpoint"])
    labels = attribution.table["pathway"].map(lambda name: component(name).label)
    rows = attribution.table[list(SHOWN)].assign(pathway=labels).to_dict("records")
    first_sentences = [describe_attribution(attribution, parameters, name)[0] for name in endpoints]
    sections = [
        Section("MADRS over time", describe_attribution(attribution, parameters), "course.svg"),
        Section("All endpoints", first_sentences, "shares.svg", rows),
    ]
    title = f"Pathway contributions: {attribution.scenario.title}"
    return write_page(folder / "attribution.html", title, INTRODUCTION, sections, command)


def _course_table(attribution: Attribution) -> Any:
    """MADRS change by component and hour: mean of the draws, and at the table values."""
    points = attribution.madrs_decomposition
    component_means = points[:, 1:].mean(axis=1) if points.shape[1] > 1 else points[:, 0]
    columns = {"hour": attribution.times, **dict(zip(attribution.components, component_means, strict=True))}
    return pd.DataFrame(columns | {f"{name} (tables)": points[i, 0] for i, name in enumerate(attribution.components)})


def draw_attribution(folder: Path, attribution: Attribution) -> list[Path]:
    """Write `course` (MADRS over time) and `shares` (every endpoint with contributions) as PNG and SVG."""
    return draw(folder, "course", lambda: course_figure(attribution)) + draw(
        folder, "shares", lambda: _shares(attribution)
    )


def endpoints_with_contributions(attribution: Attribution) -> list[str]:
    """Endpoints with a pathway contribution large enough to draw."""
    rows = attribution.totals
    size = rows[["pathways", "pathways_tables"]].abs().max(axis=1)
    total = (rows["full"] - rows["baseline"]).abs()
    return list(rows.loc[(size > MIN_SHARE_DRAWN * total) & (size > 1e-6), "endpoint"])


def course_figure(attribution: Attribution) -> Figure:
    """MADRS change by component over time: the mean of the draws, and at the table values."""
    draws = attribution.madrs_decomposition.shape[1] - 1
    figure = page(
        10.5, 4.6, f"{attribution.scenario.title}\nMADRS change by expectancy and by each pathway (Shapley values)"
    )
    panels = figure.subplots(1, 2 if draws else 1, sharey=True, squeeze=False)[0]
    if draws:
        samples = attribution.madrs_decomposition[:, 1:]
        _stack(panels[0], attribution, samples.mean(axis=1), f"mean of {draws} draws; dashed: 95 % of the sum")
        for limit in percentiles(samples.sum(axis=0), INTERVAL_95, axis=0):
            panels[0].plot(attribution.times, limit, color=TEXT_COLOUR, lw=0.8, ls="--")
    _stack(panels[-1], attribution, attribution.madrs_decomposition[:, 0], "at the table values")
    legend = panels[-1].get_legend_handles_labels()
    figure.legend(*legend, loc="outside right center", frameon=False, fontsize=8)
    panels[0].set_ylabel("change in MADRS from baseline, points")
    return figure


def _stack(axes: Axes, attribution: Attribution, parts: np.ndarray, heading: str) -> None:
    """Parts [part, time] stacked from zero, decreases below and increases above; the line is their sum."""
    below, above = np.zeros(parts.shape[1]), np.zeros(parts.shape[1])
    for name, values in zip(attribution.components, parts, strict=True):
        down, up = np.minimum(values, 0), np.maximum(values, 0)
        colour, label = component(name).colour, component(name).label
        axes.fill_between(attribution.times, below, below + down, color=colour, lw=0, label=label)
        axes.fill_between(attribution.times, above, above + up, color=colour, lw=0)
        below, above = below + down, above + up
    axes.plot(attribution.times, parts.sum(axis=0), color=TEXT_COLOUR, lw=1.6, label="sum")
    axes.set_title(heading, fontsize=8, loc="left")
    time_axis(axes, attribution.times, attribution.n_doses)
    axes.axhline(0, color=TEXT_COLOUR, lw=0.6)


def time_axis(axes: Axes, times: np.ndarray, doses: int) -> None:
    """A logarithmic axis in hours after one dose, a linear axis in days after several."""
    if doses < 2:
        log_time_axis(axes, times[0], times[-1])
        return
    days = np.arange(0, times[-1] / 24 + 1, 7 * max(1, round(times[-1] / 24 / 56)))
    axes.set_xticks(24 * days, [f"{day:.0f} d" for day in days], fontsize=7)
    axes.set_xlim(times[0], times[-1])


def _shares(attribution: Attribution) -> Figure:
    names = endpoints_with_contributions(attribution) or list(attribution.totals["endpoint"])[:1]
    unaffected = [name for name in attribution.totals["endpoint"] if name not in names]
    legend = "bar, Shapley value; line, 95 % of draws; circle, lost when off; triangle, alone"
    title = f"{attribution.scenario.title}\nPathway contributions: {legend}"
    title += f"\nno pathway contributes to: {'; '.join(unaffected)}" if unaffected else ""
    figure, panels = panel_page(len(names), PANELS_PER_ROW, 11, 1.95, title, 1.1)
    order = _order(attribution, names)
    for k, (axes, name) in enumerate(zip(panels, names, strict=True)):
        _bars(axes, attribution, name, order, labels=k % PANELS_PER_ROW == 0)
    return figure


def _order(attribution: Attribution, names: Sequence[str]) -> list[str]:
    """Pathways ordered by the median of their shares; the largest is on top."""
    rows = attribution.table[attribution.table["endpoint"].isin(names)]
    return list(rows["share"].abs().groupby(rows["pathway"]).median().sort_values().index)


def _bars(axes: Axes, attribution: Attribution, endpoint: str, order: Sequence[str], *, labels: bool) -> None:
    rows = attribution.table[attribution.table["endpoint"] == endpoint].set_index("pathway").loc[list(order)]
    y = np.arange(len(rows))
    axes.barh(y, rows["shapley"], color=[component(name).colour for name in order], height=0.62)
    axes.hlines(y, rows["shapley_low"], rows["shapley_high"], color=TEXT_COLOUR, lw=1.0)
    axes.plot(rows["loss_when_off"], y, "o", mfc="none", mec=TEXT_COLOUR, ms=4.5, lw=0, clip_on=False)
    axes.plot(rows["single_effect"], y, "^", mfc="none", mec=TEXT_COLOUR, ms=4.5, lw=0, clip_on=False)
    axes.axvline(0, color=TEXT_COLOUR, lw=0.6)
    axes.set_yticks(y, [component(name).label for name in order] if labels else [""] * len(y), fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.locator_params(axis="x", nbins=5)
    total = next(row for row in attribution.totals.to_dict("records") if row["endpoint"] == endpoint)
    unit = "" if total["unit"] == "1" else f" {total['unit']}"
    axes.set_title(f"{endpoint}: {number(total['pathways'])}{unit} by pathways", fontsize=8, loc="left")
