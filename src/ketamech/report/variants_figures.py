"""Figures of model variants: probability, misfit, and MADRS over time under every variant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.attribution_figures import time_axis
from ketamech.report.colours import OKABE_ITO
from ketamech.report.style import page
from ketamech.report.svg_canvas import FAINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ketamech.analysis.variants.comparison import Comparison, ModelAverage

MAX_ROWS, MIN_DIFFERENCE, COLOUR_LIMIT = 40, 1.0, 3.0  # rows; differences and colours in standard errors
DASHES = ("-", "--", ":")


def draw_variants(folder: Path, found: Comparison) -> list[Path]:
    """Write `variants` as PNG and SVG: scores on the left, the rows on which the variants differ on the right."""
    return _saved(folder, "variants", _variants, found)


def draw_average(folder: Path, found: ModelAverage) -> list[Path]:
    """Write `average` as PNG and SVG: MADRS under each variant, the average and its 95 % interval."""
    return _saved(folder, "average", _average, found)


def _saved(folder: Path, name: str, make: object, found: object) -> list[Path]:
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(SETTINGS):
        return save(make(found), folder, name)  # type: ignore[operator]


def _variants(found: Comparison) -> Figure:
    names = list(found.table["wiring"])
    from matplotlib import colormaps

    far = found.rows.assign(key=found.rows["evidence"] + "   " + found.rows["what"])
    grid = far.pivot_table(index="key", columns="wiring", values="off", aggfunc="first", sort=False).abs()[names]
    single = grid.drop(columns="averaged", errors="ignore").clip(upper=COLOUR_LIMIT)
    apart = (
        single.std(axis=1)
        .where(single.max(axis=1) - single.min(axis=1) >= MIN_DIFFERENCE, 0.0)
        .sort_values(ascending=False)
    )
    shown = grid.loc[[key for key in apart.index[:MAX_ROWS] if apart[key] > 0]]
    title = f"Model variants on the same evidence: scores, and the {len(shown)} rows on which they differ most"
    figure = page(13.5, max(4.5, 0.19 * len(shown) + 2.4), title)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.35])
    _scores(left, found)
    colours = colormaps["Blues"].with_extremes(bad=OKABE_ITO[4])
    image = right.imshow(
        np.minimum(shown.to_numpy(), COLOUR_LIMIT),
        aspect="auto",
        cmap=colours,
        vmin=0,
        vmax=COLOUR_LIMIT,
        interpolation="nearest",
    )
    right.set_xticks(np.arange(-0.5, len(names)), minor=True)
    right.set_yticks(np.arange(-0.5, len(shown)), minor=True)
    right.grid(which="minor", color=FAINT, lw=0.6)
    right.tick_params(which="minor", length=0)
    right.set_xticks(range(len(names)), names, rotation=55, ha="right", fontsize=7)
    right.set_yticks(range(len(shown)), [_shortened(key) for key in shown.index], fontsize=6)
    figure.colorbar(
        image, ax=right, shrink=0.5, label="standard errors outside the band (white: inside; orange: no value)"
    )
    return figure


def _scores(axes: object, found: Comparison) -> None:
    """Probability as bars; shares of correct directions and of rows inside the band as marks."""
    rows = found.table.iloc[::-1]
    y = np.arange(len(rows))
    axes.barh(y, rows["probability"].fillna(0), color=OKABE_ITO[0], alpha=0.35, height=0.7, label="probability")  # type: ignore[attr-defined]
    marks = (
        ("right", "o", "correct directions"),
        ("met", "s", "rows inside the band"),
        ("predicted", "^", "unfitted rows inside the band"),
    )
    for k, (column, mark, label) in enumerate(marks):
        axes.plot(rows[column], y, mark, color=OKABE_ITO[k + 1], ms=5, label=label)  # type: ignore[attr-defined]
    axes.set_yticks(y, rows["wiring"], fontsize=8)  # type: ignore[attr-defined]
    axes.set_xlim(0, 1)  # type: ignore[attr-defined]
    axes.set_xlabel("share, or probability with equal priors")  # type: ignore[attr-defined]
    axes.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=2)  # type: ignore[attr-defined]


def _shortened(text: str) -> str:
    return text if len(text) <= 92 else text[:90] + " ..."


def _average(found: ModelAverage) -> Figure:
    figure = page(9.5, 4.6, f"{found.title}\nMADRS under model variants, each fitted to the same evidence")
    axes = figure.subplots()
    axes.fill_between(found.hours, found.low, found.high, color="#1b1f24", alpha=0.1, lw=0, label="average, 95 %")
    order = sorted(found.curves, key=lambda name: -found.probability[name])
    for k, name in enumerate(order):
        mean, chance = found.curves[name].mean(axis=0), found.probability[name]
        colour, dash = OKABE_ITO[k % len(OKABE_ITO)], DASHES[k // len(OKABE_ITO) % len(DASHES)]
        axes.plot(found.hours, mean, color=colour, ls=dash, lw=1.2, label=f"{name} ({100 * chance:.0f} %)")
    axes.plot(found.hours, found.mean, color="#1b1f24", lw=2.4, label="average by probability")
    time_axis(axes, found.hours, found.doses)
    axes.set_ylabel("MADRS, points")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    return figure
