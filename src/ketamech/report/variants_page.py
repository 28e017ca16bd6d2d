"""Pages and tables of a comparison of model variants and of the average over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.exchange.result_metadata import write_table
from ketamech.report.attribution_page import Section, time_axis, write_page
from ketamech.report.palette import GRID_COLOUR, OKABE_ITO, TEXT_COLOUR, line_style
from ketamech.report.style import figure_file, page
from ketamech.report.text_width import wrapped

if TYPE_CHECKING:
    from ketamech.analysis.variant_comparison import Comparison, ModelAverage

COLUMNS = (
    "variant", "probability", "bayes_factor", "bic", "aic", "known", "right", "met", "clinical", "predicted", "says",
)  # fmt: skip
INTRODUCTION = (
    "Each model variant is a set of rows in data/variants; the same few parameters are estimated for each, with the"
    " same prior, on the same clinical and perturbation rows. The probability is that of the variant, given these rows"
    " and equal priors; the Bayes factor compares it with the default variant. Variants that are nearly equal share the"
    " probability of one variant.",
    "Perturbation rows are coded 0 (abolished) or 1 (intact) by statistical significance, so each is scored by its pass"
    " band, with a probability of 1 in 20 that a row is wrong. A Bayes factor below 3 is inconclusive.",
    "right: share of perturbation rows with the correct direction; met: share inside the band; clinical: mean distance"
    " of trial rows in standard errors; predicted: share inside the band of rows that were not fitted; known: number of"
    " parameters that the rows inform.",
)
MAX_ROWS, MIN_DIFFERENCE, COLOUR_LIMIT = 40, 1.0, 3.0  # rows; differences and colours in standard errors
KEY_WIDTH, KEY_SIZE = 320.0, 6.0  # of the labels of rows, points


def write_variants(folder: Path, comparison: Comparison, command: str, metadata: Mapping[str, object]) -> Path:
    """Write tables (with `metadata`), figure and `variants.html`; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(comparison.table, folder / "variants.csv", metadata)
    write_table(comparison.rows, folder / "rows.csv", metadata)
    draw_variants(folder, comparison)
    outside_band = comparison.rows[(comparison.rows["distance"].abs() > 1) & (comparison.rows["kind"] != "unfitted")]
    sentences = [
        f"{name}: {len(rows)} rows more than one standard error outside the band, worst"
        f" {', '.join(rows.sort_values('distance', key=abs, ascending=False)['evidence'].drop_duplicates().head(8))}."
        for name, rows in outside_band.groupby("variant", sort=False)
    ]
    rows_shown = comparison.table[list(COLUMNS)].to_dict("records")
    section = Section("Comparison", outdated_fits_warning(comparison), "variants.svg", rows_shown)
    evidence = [
        f"{row['variant']}: for it {row['supported_by'] or 'none'}; against it {row['opposed_by'] or 'none'}."
        for row in comparison.table.to_dict("records")
        if row["supported_by"] or row["opposed_by"]
    ]
    sections = [
        section, Section("Rows outside the band", sentences), Section("Evidence behind each variant", evidence)
    ]  # fmt: skip
    return write_page(folder / "variants.html", "Model variants on the same evidence", INTRODUCTION, sections, command)


def write_average(folder: Path, average: ModelAverage, command: str, metadata: Mapping[str, object]) -> Path:
    """Write a table (with `metadata`), figure and `average.html`; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = {name: curve.mean(axis=0) for name, curve in average.curves.items()}
    columns = {"hour": average.hours, "averaged": average.mean, "low": average.low, "high": average.high, **curves}
    write_table(pd.DataFrame(columns), folder / "average.csv", metadata)
    draw_average(folder, average)
    sentences = [
        "Average over model variants, weighted by probability, and over the draws of each fit. 'between': the SD"
        " between variants in points; share_between: its share of the variance; lowest, highest: means of variants."
    ]
    sections = [Section("MADRS", sentences, "average.svg", average.table.to_dict("records"))]
    return write_page(folder / "average.html", f"Average over model variants: {average.title}", (), sections, command)


def outdated_fits_warning(comparison: Comparison) -> list[str]:
    """A warning when the equations have changed since the fit."""
    if not comparison.stale:
        return []
    names = ", ".join(comparison.stale)
    return [
        f"The equations have changed since these variants were fitted: {names}."
        " `ketamech variants --refit` fits them again."
    ]


@figure_file("variants")
def draw_variants(comparison: Comparison) -> Figure:
    """Write `variants` as PNG and SVG: scores on the left, the rows on which the variants differ on the right."""
    names = list(comparison.table["variant"])
    table = comparison.rows.assign(key=comparison.rows["evidence"] + "   " + comparison.rows["what"])
    grid = table.pivot_table(index="key", columns="variant", values="distance", aggfunc="first", sort=False).abs()[
        names
    ]
    single = grid.drop(columns="averaged", errors="ignore").clip(upper=COLOUR_LIMIT)
    differs = single.max(axis=1) - single.min(axis=1) >= MIN_DIFFERENCE
    spread = single.std(axis=1).where(differs, 0.0).sort_values(ascending=False)
    shown = grid.loc[[key for key in spread.index[:MAX_ROWS] if spread[key] > 0]]
    title = f"Model variants on the same evidence: scores, and the {len(shown)} rows on which they differ most"
    labels = [wrapped(key, KEY_WIDTH, KEY_SIZE) for key in shown.index]
    row_height = 0.09 + 0.1 * max(map(len, labels), default=1)  # inches
    figure = page(13.5, max(4.5, row_height * len(shown) + 2.4), title)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.35])
    _scores(left, comparison)
    colours = colormaps["Blues"].with_extremes(bad=OKABE_ITO[4])
    cells = np.minimum(shown.to_numpy(), COLOUR_LIMIT)
    image = right.imshow(cells, aspect="auto", cmap=colours, vmin=0, vmax=COLOUR_LIMIT, interpolation="nearest")
    right.set_xticks(np.arange(-0.5, len(names)), minor=True)
    right.set_yticks(np.arange(-0.5, len(shown)), minor=True)
    right.grid(which="minor", color=GRID_COLOUR, lw=0.6)
    right.tick_params(which="minor", length=0)
    right.set_xticks(range(len(names)), names, rotation=55, ha="right", fontsize=7)
    right.set_yticks(range(len(shown)), ["\n".join(lines) for lines in labels], fontsize=KEY_SIZE)
    label = "standard errors outside the band (white: inside; orange: no value)"
    figure.colorbar(image, ax=right, shrink=0.5, label=label)
    return figure


def _scores(axes: Axes, comparison: Comparison) -> None:
    """Probability as bars; shares of correct directions and of rows inside the band as marks."""
    rows = comparison.table.iloc[::-1]
    y = np.arange(len(rows))
    axes.barh(y, rows["probability"].fillna(0), color=OKABE_ITO[0], alpha=0.35, height=0.7, label="probability")
    marks = (
        ("right", "o", "correct directions"),
        ("met", "s", "rows inside the band"),
        ("predicted", "^", "unfitted rows inside the band"),
    )
    for k, (column, mark, label) in enumerate(marks):
        axes.plot(rows[column], y, mark, color=OKABE_ITO[k + 1], ms=5, label=label)
    axes.set_yticks(y, rows["variant"], fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share, or probability with equal priors")
    axes.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=2)


@figure_file("average")
def draw_average(average: ModelAverage) -> Figure:
    """Write `average` as PNG and SVG: MADRS under each variant, the average and its 95 % interval."""
    figure = page(9.5, 4.6, f"{average.title}\nMADRS under model variants, each fitted to the same evidence")
    axes = figure.subplots()
    axes.fill_between(
        average.hours, average.low, average.high, color=TEXT_COLOUR, alpha=0.1, lw=0, label="average, 95 %"
    )
    order = sorted(average.curves, key=lambda name: -average.probability[name])
    for k, name in enumerate(order):
        mean, probability = average.curves[name].mean(axis=0), average.probability[name]
        axes.plot(average.hours, mean, **line_style(k), lw=1.2, label=f"{name} ({100 * probability:.0f} %)")
    axes.plot(average.hours, average.mean, color=TEXT_COLOUR, lw=2.4, label="average by probability")
    time_axis(axes, average.hours, average.doses)
    axes.set_ylabel("MADRS, points")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    return figure
