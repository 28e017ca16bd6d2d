"""Pages and tables of a comparison of model variants and of the average over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.exchange.result_metadata import write_table
from ketamech.report.attribution_page import Section, write_page
from ketamech.report.variants_figures import draw_average, draw_variants

if TYPE_CHECKING:
    from ketamech.analysis.variants.comparison import Comparison, ModelAverage

COLUMNS = (
    "wiring", "probability", "bayes_factor", "bic", "aic", "known", "right", "met", "clinical", "predicted", "says",
)  # fmt: skip
INTRODUCTION = (
    "Each model variant is a set of rows in data/wirings; the same few parameters are estimated for each, with the same"
    " prior, on the same clinical and perturbation rows. The probability is that of the variant, given these rows and"
    " equal priors; the Bayes factor compares it with the default variant. Variants that are nearly equal share the"
    " probability of one variant.",
    "Perturbation rows are coded 0 (abolished) or 1 (intact) by statistical significance, so each is scored by its pass"
    " band, with a probability of 1 in 20 that a row is wrong. A Bayes factor below 3 is inconclusive.",
    "right: share of perturbation rows with the correct direction; met: share inside the band; clinical: mean distance"
    " of trial rows in standard errors; predicted: share inside the band of rows that were not fitted; known: number of"
    " parameters that the rows inform.",
)


def write_variants(folder: Path, found: Comparison, command: str, facts: Mapping[str, object]) -> Path:
    """Write tables (with `facts`), figure and `variants.html`; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(found.table, folder / "variants.csv", facts)
    write_table(found.rows, folder / "rows.csv", facts)
    draw_variants(folder, found)
    missed = found.rows[(found.rows["off"].abs() > 1) & (found.rows["kind"] != "unfitted")]
    words = [
        f"{name}: {len(part)} rows more than one standard error outside the band, worst"
        f" {', '.join(part.sort_values('off', key=abs, ascending=False)['evidence'].drop_duplicates().head(8))}."
        for name, part in missed.groupby("wiring", sort=False)
    ]
    sections = [
        Section(
            "Comparison", outdated_fits_warning(found), "variants.svg", found.table[list(COLUMNS)].to_dict("records")
        ),
        Section("Rows outside the band", words),
    ]
    return write_page(folder / "variants.html", "Model variants on the same evidence", INTRODUCTION, sections, command)


def write_average(folder: Path, found: ModelAverage, command: str, facts: Mapping[str, object]) -> Path:
    """Write a table (with `facts`), figure and `average.html`; returns the page."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    curves = {name: curve.mean(axis=0) for name, curve in found.curves.items()}
    columns = {"hour": found.hours, "averaged": found.mean, "low": found.low, "high": found.high, **curves}
    write_table(pd.DataFrame(columns), folder / "average.csv", facts)
    draw_average(folder, found)
    words = [
        "Average over model variants, weighted by probability, and over the draws of each fit. 'between': the SD"
        " between variants in points; share_between: its share of the variance; lowest and highest: means of single variants."
    ]
    sections = [Section("MADRS", words, "average.svg", found.table.to_dict("records"))]
    return write_page(folder / "average.html", f"Average over model variants: {found.title}", (), sections, command)


def outdated_fits_warning(found: Comparison) -> list[str]:
    """A warning when the equations have changed since the fit."""
    if not found.stale:
        return []
    names = ", ".join(found.stale)
    return [
        f"The equations have changed since these variants were fitted: {names}."
        " `ketamech explain wirings --fit` fits them again."
    ]
