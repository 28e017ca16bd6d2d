"""Figures of analyses: sensitivity, regimen search, virtual patients, non-compartmental analysis, brain areas."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.analysis.network import QUANTILES, NetworkPrediction, load_readouts
from ketamech.analysis.regimen_search import WITHOUT
from ketamech.core.constants import DISCLAIMER
from ketamech.core.environment import short_hash
from ketamech.core.statistics import percentiles
from ketamech.parameters import load_brain_areas
from ketamech.parameters.concentration_units import shown
from ketamech.report.number_format import number
from ketamech.report.palette import BLUE, DARK_GREY, ERROR_BAR_COLOUR, OKABE_ITO, OUTLINE_COLOUR, UNSTUDIED_COLOUR
from ketamech.report.style import MARKS, POINTS, SETTINGS, draw, figure_file, log_time_axis, page, panel_page
from ketamech.report.svg_canvas import LINE_STEP
from ketamech.report.text_width import text_width, wrapped
from ketamech.simulation.nca_tables import AnalysedProfile

MAX_PARAMETERS_IN_PANEL = 15
MAX_REGIMENS_LISTED = 30  # beside the figure of the front
FRONT_WIDTH, FRONT_HEIGHT, PANELS_SHARE = 13.0, 5.6, 0.78  # of this figure, inches; share of its width
LIST_SIZE, LIST_INDENT = 5.5, "     "
ABOVE_ERROR_BARS = 3  # matplotlib draws the marks of error bars above those of lines


def draw_indices(folder: Path, table: pd.DataFrame, title: str, name: str) -> list[Path]:
    """Sobol (first and total) or Morris (mu* and sigma) as bars with their intervals."""
    return draw(folder, name, lambda: _indices(table, title))


def _endpoint_panels(table: pd.DataFrame, height: float, title: str) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A figure with one panel for each endpoint, and the axes and the rows of each."""
    tables = [table[table["endpoint"] == name] for name in dict.fromkeys(table["endpoint"])]
    figure = page(9, height * len(tables) + 0.6, title)
    panels = list(np.atleast_1d(figure.subplots(len(tables), 1)))
    for axes, part in zip(panels, tables, strict=True):
        unit = part["unit"].iloc[0] if "unit" in part else "1"
        axes.set_title(part["endpoint"].iloc[0] + ("" if unit == "1" else f" ({unit})"), fontsize=8, loc="left")
    return figure, list(zip(panels, tables, strict=True))


@figure_file("tornado")
def draw_tornado(table: pd.DataFrame, title: str) -> Figure:
    """Tornado plot of each endpoint, largest effect on top."""
    heading = f"{title}\none parameter at its 5th (blue) and 95th (orange) percentile"
    figure, panels = _endpoint_panels(table, 3.2, heading)
    for axes, part in panels:
        part = part.head(MAX_PARAMETERS_IN_PANEL)[::-1]
        y, usual_value = np.arange(len(part)), part["usual"].iloc[0]
        axes.barh(y, part["low"] - usual_value, left=usual_value, color=OKABE_ITO[0], height=0.7)
        axes.barh(y, part["high"] - usual_value, left=usual_value, color=OKABE_ITO[1], height=0.7)
        axes.axvline(usual_value, color=DARK_GREY, lw=0.8)
        axes.set_yticks(y, part["parameter"], fontsize=7)
    return figure


def _indices(table: pd.DataFrame, title: str) -> Figure:
    pairs = [("total", "total_half_width"), ("first", "first_half_width")]
    if "mu_star" in table:
        pairs = [("mu_star", "half_width"), ("sigma", "")]
    figure, panels = _endpoint_panels(table, 3.0, title)
    for axes, part in panels:
        part = part.head(MAX_PARAMETERS_IN_PANEL)[::-1]
        for k, (column, width) in enumerate(pairs):
            y = np.arange(len(part)) + 0.2 - 0.4 * k
            errors = part[width] if width else None
            axes.barh(y, part[column], height=0.38, color=OKABE_ITO[k], xerr=errors, error_kw={"lw": 0.7}, label=column)
        axes.set_yticks(np.arange(len(part)), part["parameter"], fontsize=7)
        axes.legend(frameon=False, fontsize=7, loc="lower right")
    return figure


@figure_file("convergence")
def draw_convergence(table: pd.DataFrame, title: str) -> Figure:
    """The largest total indices of each endpoint with their intervals, against the number of base points."""
    figure, panels = _endpoint_panels(table, 2.8, title)
    for axes, part in panels:
        final_rows = part[part["base"] == part["base"].max()].nlargest(len(OKABE_ITO) - 2, "total")
        for k, parameter in enumerate(final_rows["parameter"]):
            rows = part[part["parameter"] == parameter]
            axes.errorbar(
                rows["base"] * 1.04 ** (k - 2), rows["total"], yerr=rows["total_half_width"], fmt="o-", ms=4, lw=1,
                elinewidth=0.8, capsize=2, color=OKABE_ITO[k], label=parameter,
            )  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(set(part["base"])), [str(base) for base in sorted(set(part["base"]))])
        axes.set_ylabel("total index")
        axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_xlabel("base points")
    return figure


@figure_file("front")
def draw_front(table: pd.DataFrame) -> Figure:
    """Benefit against dissociation and blood pressure; regimens on the Pareto front are labelled."""
    title = "Regimens: decrease of MADRS beyond expectancy, mean of all days, against adverse effects"
    title += "\n(bars: 95 % of draws and samples of patients; grey: dose without evidence in depression)"
    if all(np.allclose(table[f"{c}_low"], table[f"{c}_high"], atol=1e-3) for c in ("cadss", "systolic")):
        title += "\nno drawn parameter affects dissociation or blood pressure, so their uncertainty is not shown"
    groups = table["regimen"].str.extract(r"^(\S+).*?\b(IV|IM|SC|nasal|oral|sublingual)\b").agg(" ".join, axis=1)
    front_rows = table[table["front"]].sort_values("benefit").reset_index(drop=True)
    other_rows = table[~table["front"]].sort_values("benefit")
    numbered_rows = pd.concat([front_rows, other_rows], ignore_index=True).head(MAX_REGIMENS_LISTED)
    listed = _listed_regimens(numbered_rows, len(front_rows))
    height = max(FRONT_HEIGHT, 0.8 + LINE_STEP * LIST_SIZE * len(listed) / POINTS)
    figure = page(FRONT_WIDTH, height, title, right=PANELS_SHARE)
    costs = (("cadss", "mean peak CADSS, points"), ("systolic", "mean peak rise, mmHg systolic"))
    for axes, (cost, label) in zip(figure.subplots(1, 2), costs, strict=True):
        for k, kind in enumerate(dict.fromkeys(groups)):
            part = table[groups == kind]
            x, y = part[cost], part["benefit"]
            axes.errorbar(
                x, y, xerr=np.abs([x - part[f"{cost}_low"], part[f"{cost}_high"] - x]),
                yerr=np.abs([y - part["benefit_low"], part["benefit_high"] - y]),
                fmt=MARKS[k % len(MARKS)], ms=4, color=OKABE_ITO[k % len(OKABE_ITO)], ecolor=ERROR_BAR_COLOUR,
                elinewidth=0.4, alpha=0.85, label=kind,
            )  # fmt: skip
            unstudied = part[part["evidence"] == WITHOUT]
            axes.plot(
                unstudied[cost], unstudied["benefit"], MARKS[k % len(MARKS)], ms=4, color=UNSTUDIED_COLOUR, lw=0,
                zorder=ABOVE_ERROR_BARS,
            )  # fmt: skip
        axes.plot(front_rows[cost], front_rows["benefit"], "o", ms=10, mfc="none", mec=OUTLINE_COLOUR, lw=0)
        for i, row in numbered_rows.iterrows():
            position, size = (row[cost], row["benefit"]), 8 if row["front"] else 6
            axes.annotate(
                str(int(str(i)) + 1), position, xytext=(-4, 4), textcoords="offset points", fontsize=size, ha="right"
            )
        axes.set_xlabel(label)
        axes.set_ylabel("benefit, points")
        axes.legend(frameon=False, fontsize=7, loc="lower right")
    figure.text(PANELS_SHARE + 0.01, 1 - 0.4 / height, "\n".join(listed), fontsize=LIST_SIZE, va="top")
    return figure


def _listed_regimens(rows: pd.DataFrame, n_front: int) -> list[str]:
    """The lines beside the figure of the front: the first `n_front` rows are on the front, the others are not."""
    width = POINTS * FRONT_WIDTH * (1 - PANELS_SHARE - 0.02)
    lines = ["Pareto front (circled):"]
    for i, row in enumerate(rows.itertuples()):
        if i == n_front:
            lines.append("Other regimens:")
        first, *others = wrapped(f"{i + 1} {row.regimen} ({row.evidence})", width, LIST_SIZE)
        following = wrapped(" ".join(others), width - text_width(LIST_INDENT, LIST_SIZE), LIST_SIZE) if others else []
        lines += [first, *(LIST_INDENT + line for line in following)]
    return lines


SHARES = (5, 25, 50, 75, 95)
BANDS = ((5, 95, 0.18), (25, 75, 0.35))
COLOUR, WIDTH, ROW = BLUE, 8.0, 2.4
MAX_TIMES_DRAWN, BLOCK_BYTES = 600, 2**27  # times in a figure; bytes per block


def cohort_percentiles(curves: xr.Dataset, name: str, shares: Sequence[float], places: Sequence[int]) -> np.ndarray:
    """Percentiles [share, place] of one output of a cohort (dims patient, time) at some of its times.

    Failed patients are left out; NaN when all failed. Times are read in blocks to bound the memory.
    """
    values = np.full((len(shares), len(places)), np.nan)
    solved = curves["solved"].values == 1
    step = max(1, BLOCK_BYTES // (8 * max(1, solved.size)))
    for first in range(0, len(places) if solved.any() else 0, step):
        block = slice(first, first + step)
        values[:, block] = np.percentile(curves[name].isel(time=list(places[block])).values[solved], shares, axis=0)
    return values


def extremes(curves: xr.Dataset, name: str) -> tuple[str, np.ndarray, float]:
    """Percentiles [share] 5, 50 and 95 of the peak of each patient, or of the lowest value, and its median time (h).

    The lowest value counts where the fall from the first value is larger than the rise in the median patient. Times are
    read in blocks to bound the memory; failed patients are left out.
    """
    solved, hours = curves["solved"].values == 1, curves["time"].values
    if not solved.any():
        return "peak", np.full(3, np.nan), math.nan
    step = max(1, BLOCK_BYTES // (8 * max(1, solved.size)))
    first = curves[name].isel(time=0).values[solved]
    high, low = first.copy(), first.copy()
    high_at, low_at = np.full(first.size, hours[0]), np.full(first.size, hours[0])
    for i in range(0, len(hours), step):
        block, block_hours = curves[name].isel(time=slice(i, i + step)).values[solved], hours[i : i + step]
        for extreme_values, extreme_times, index, is_better in (
            (high, high_at, block.argmax(1), np.greater),
            (low, low_at, block.argmin(1), np.less),
        ):
            values = block[np.arange(len(block)), index]
            is_new = is_better(values, extreme_values)
            extreme_values[is_new], extreme_times[is_new] = values[is_new], block_hours[index][is_new]
    is_peak = np.median(high - first) >= np.median(first - low)
    values, extreme_times = (high, high_at) if is_peak else (low, low_at)
    return "peak" if is_peak else "lowest", np.percentile(values, (5, 50, 95)), float(np.median(extreme_times))


def cohort_figure(path: Path, curves: xr.Dataset, title: str) -> Path:
    """Draw every output of a cohort (dims patient, time) over time into an SVG or PNG file; returns its path."""
    names = [str(name) for name in curves.data_vars if curves[name].dims == ("patient", "time")]
    time_indices = np.unique(np.linspace(0, curves.sizes["time"] - 1, MAX_TIMES_DRAWN).round().astype(int)).tolist()
    days = curves["time"].values[time_indices] / 24
    solved = int((curves["solved"].values == 1).sum())
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, ROW * len(names) + 1.0), layout="constrained")
        figure.suptitle(f"{title}\n{solved} virtual patients: median, 50 % and 90 %")
        for axes, name in zip(np.atleast_1d(figure.subplots(len(names), 1, sharex=True)), names, strict=True):
            factor, unit = shown(name, curves[name].attrs["units"])
            axes.set_ylabel(name if unit == "1" else f"{name}\n({unit})")
            _bands(axes, days, factor * cohort_percentiles(curves, name, SHARES, time_indices))
        axes.set_xlabel("days")
        axes.legend(loc="best", fontsize=7, frameon=False)
        figure.text(0.99, 0.005, DISCLAIMER, ha="right", size=6)
        figure.savefig(path)
    return path


def _bands(axes: Axes, days: np.ndarray, bands: np.ndarray) -> None:
    """Draw 50 % and 90 % bands and the median; `values` [share, time]."""
    edges = dict(zip(SHARES, bands, strict=True))
    for low, high, opacity in BANDS:
        label = f"{low}-{high} %"
        axes.fill_between(days, edges[low], edges[high], color=COLOUR, alpha=opacity, lw=0, label=label)
    axes.plot(days, edges[50], color=COLOUR, lw=1.8, label="median")


@figure_file("people")
def draw_people(table: pd.DataFrame, title: str, columns: Sequence[str]) -> Figure:
    """Write the distributions of variables of a virtual population, one panel each, as people.png and people.svg."""
    figure, panels = panel_page(len(columns), 3, 9.0, 2.1, title)
    weights = table.get("weight_in_target")
    for axes, name in zip(panels, columns, strict=True):
        values = table[name]
        is_integer = np.all(values == np.round(values)) and values.nunique() < 12
        bins = np.arange(values.min() - 0.5, values.max() + 1.5) if is_integer else 40
        bar_width = 0.7 if is_integer else None
        axes.hist(values, bins=bins, color=OKABE_ITO[0], alpha=0.7, density=True, rwidth=bar_width, label="drawn")
        if is_integer:
            axes.set_xticks(sorted(set(values)))
        if weights is not None:
            step_style = {"color": OKABE_ITO[1], "histtype": "step", "label": "weighted"}
            axes.hist(values, bins=bins, weights=weights, density=True, **step_style)
        unit = table.attrs.get("units", {}).get(name, "1")
        axes.set_title(name.removeprefix("person.") + ("" if unit == "1" else f" ({unit})"), fontsize=8)
        axes.set_yticks([])
    if weights is not None:
        panels[0].legend(fontsize=7, frameon=False)
    return figure


MAX_PANELS_OF_SUBJECT = 12
MAX_MARKED_LEVELS = 40  # a profile with more is a line


def draw_profiles(folder: Path, rows: Sequence[AnalysedProfile]) -> list[Path]:
    """One figure of the profiles of one subject; levels of the regression are filled."""
    subject = rows[0].profile.subject
    name = re.sub(r"[^\w-]+", "-", subject).strip("-")
    if name != subject:  # two subjects must not share a file
        name += f"-{short_hash(subject, 6)}"
    return draw(folder, name, lambda: _figure(rows[:MAX_PANELS_OF_SUBJECT], f"ID {subject}"))


def _figure(rows: Sequence[AnalysedProfile], title: str) -> Figure:
    heading = f"{title}: levels (those of the terminal regression are filled) and regression line"
    figure, panels = panel_page(len(rows), min(2, len(rows)), 8.0, 3.0, heading)
    for axes, row in zip(panels, rows, strict=True):
        _panel(axes, row)
    return figure


def _panel(axes: Axes, row: AnalysedProfile) -> None:
    profile, result = row.profile, row.result
    time, level = result.time, result.level
    positive = level > 0
    is_dense = int(positive.sum()) > MAX_MARKED_LEVELS
    axes.plot(time[positive], level[positive], "-" if is_dense else "o-", color=OKABE_ITO[0], mfc="white", ms=4, lw=1.0)
    if (fit := result.terminal) is not None:
        in_regression = positive & (time >= fit.first) & (time <= fit.last)
        if not is_dense:
            axes.plot(time[in_regression], level[in_regression], "o", color=OKABE_ITO[0], ms=4)
        line_times = np.array([fit.first, fit.last + 0.1 * (fit.last - fit.first)])
        axes.plot(line_times, [fit.level(end) for end in line_times], "--", color=OKABE_ITO[1], lw=1.4)
    if positive.any():
        axes.set_yscale("log")
    axes.set_xlabel("h after the dose", fontsize=8)
    axes.set_ylabel(f"{profile.analyte} ({profile.level_unit})", fontsize=8)
    axes.set_title(_title(row), fontsize=8, loc="left")


def _title(row: AnalysedProfile) -> str:
    """Which dose, and the main results."""
    profile, result = row.profile, row.result
    texts = [f"dose {profile.dose_number} at {number(profile.dose_time)} h"]
    if profile.occasion > 1:
        texts.insert(0, f"occasion {profile.occasion}")
    if result.terminal is not None:
        area_text = f"AUCIFO {number(result['AUCIFO'])} {profile.unit('AUCIFO')}"
        texts += [f"half-life {number(result['LAMZHL'])} h from {result.terminal.points} levels", area_text]
    else:
        texts.append(next(iter(result.reasons.values()), ""))
    return ", ".join(texts)


FIRST_TIME = 0.1  # h
LINEAR_LIMIT = 10.0  # percent
PANELS_PER_ROW = 3
MIN_RANGE = 1.0  # percent


@figure_file("areas")
def draw_areas(prediction: NetworkPrediction, title: str) -> Figure:
    """Write areas.svg and areas.png."""
    readouts = load_readouts()
    rows = -(-len(readouts) // PANELS_PER_ROW)
    draws = prediction.curves.sizes["patient"]
    heading = f"{title}\nchange from the drug-free baseline: median, 50 % and 90 % of {draws} parameter draws;"
    heading += f" linear up to {LINEAR_LIMIT:g} %, logarithmic beyond"
    figure = page(11.5, 3.6 + 1.75 * rows, heading)
    grid = figure.add_gridspec(rows + 2, PANELS_PER_ROW, height_ratios=[1.25, 1.25, *[1] * rows])
    _draw_heat_map(figure, figure.add_subplot(grid[:2, :]), prediction)
    for k, (name, label) in enumerate(readouts.items()):
        axes = figure.add_subplot(grid[2 + k // PANELS_PER_ROW, k % PANELS_PER_ROW])
        _area_bands(axes, prediction, name, label)
        if k + PANELS_PER_ROW < len(readouts):
            axes.tick_params(labelbottom=False)
    return figure


def _draw_heat_map(figure: Figure, axes: Axes, prediction: NetworkPrediction) -> None:
    """Median change of the activity of every area."""
    areas, times = load_brain_areas(), prediction.curves["time"].values[1:]
    changes = 100 * np.array(
        [np.median(prediction.relative_change(f"brain_network.{area.area}_activity"), axis=0)[1:] for area in areas]
    )
    limit = max(MIN_RANGE, float(np.abs(changes).max()))
    mesh = axes.pcolormesh(
        times, np.arange(len(areas)), changes, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="nearest"
    )
    axes.set_yticks(range(len(areas)), [f"{area.label} ({area.network})" for area in areas], fontsize=7)
    axes.invert_yaxis()
    axes.set_title("Activity of each area, median", fontsize=9, loc="left")
    figure.colorbar(mesh, ax=axes, label="%", pad=0.01)
    log_time_axis(axes, FIRST_TIME, times[-1])


def _area_bands(axes: Axes, prediction: NetworkPrediction, name: str, label: str) -> None:
    """Median, 50 % and 90 % bands of the draws."""
    times = prediction.curves["time"].values[1:]
    changes = 100 * prediction.relative_change(name)[:, 1:]
    limits = dict(zip(QUANTILES, percentiles(changes, QUANTILES, axis=0), strict=True))
    for low_p, high_p, opacity in BANDS:
        axes.fill_between(times, limits[low_p], limits[high_p], color=OKABE_ITO[0], alpha=opacity, lw=0)
    axes.plot(times, limits[50], color=OKABE_ITO[0], lw=1.6)
    axes.axhline(0, color=DARK_GREY, lw=0.6)
    axes.set_yscale("symlog", linthresh=LINEAR_LIMIT)
    low, high = min(-MIN_RANGE, float(limits[5].min())), max(MIN_RANGE, float(limits[95].max()))
    ticks = [tick for tick in (-100, -30, -10, -5, 0, 5, 10, 30, 100) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks], fontsize=7)
    axes.set_ylim(1.15 * low, 1.15 * high)
    axes.set_title(f"{label}, %", fontsize=8, loc="left")
    log_time_axis(axes, FIRST_TIME, times[-1], min_ratio=4)
