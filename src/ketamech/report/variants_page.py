"""The page beside a comparison of wirings, or an average over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.exchange.result_metadata import write_table
from ketamech.report.attribution_page import Section, write_page
from ketamech.report.variants_figures import draw_average, draw_wirings

if TYPE_CHECKING:
    from ketamech.analysis.variants.comparison import Comparison, ModelAverage

COLUMNS = (
    "wiring", "probability", "bayes_factor", "bic", "aic", "known", "right", "met", "clinical", "predicted", "says",
)  # fmt: skip
READ_SO = (
    "Each wiring is a set of rows in data/wirings; the same few values are estimated for each, with the same prior, on"
    " the same clinical and perturbation rows. The probability is that of the wiring, given these rows and equal"
    " priors; the Bayes factor is against the wiring of the tables. Near-copies of one wiring share what one alone"
    " would get.",
    "Perturbation rows are worded 0 abolished, 1 intact: that codes significance, so each counts by its pass band, and"
    " any row may mislead with a chance of 1 in 20. A factor below 3 decides nothing.",
    "right: share of perturbation rows with the right direction; met: inside the band; clinical: mean distance of trial"
    " rows in errors; predicted: share met of rows that were not fitted; known: values that the rows say anything of.",
)


def write_wirings(folder: Path, found: Comparison, command: str, facts: Mapping[str, object]) -> Path:
    """Write tables (with `facts`), picture and `wirings.html`; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(found.table, folder / "wirings.csv", facts)
    write_table(found.rows, folder / "rows.csv", facts)
    draw_wirings(folder, found)
    missed = found.rows[(found.rows["off"].abs() > 1) & (found.rows["kind"] != "unfitted")]
    words = [
        f"{name}: {len(part)} rows more than one error outside, worst"
        f" {', '.join(part.sort_values('off', key=abs, ascending=False)['evidence'].drop_duplicates().head(8))}."
        for name, part in missed.groupby("wiring", sort=False)
    ]
    sections = [
        Section("Side by side", stale(found), "wirings.svg", found.table[list(COLUMNS)].to_dict("records")),
        Section("What each gets wrong", words),
    ]
    return write_page(folder / "wirings.html", "Rival wirings on the same evidence", READ_SO, sections, command)


def write_average(folder: Path, found: ModelAverage, command: str, facts: Mapping[str, object]) -> Path:
    """Write a table (with `facts`), picture and `average.html`; returns the page."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    curves = {name: curve.mean(axis=0) for name, curve in found.curves.items()}
    columns = {"hour": found.hours, "averaged": found.mean, "low": found.low, "high": found.high, **curves}
    write_table(pd.DataFrame(columns), folder / "average.csv", facts)
    draw_average(folder, found)
    words = [
        "Averaged over wirings by their probability, and over the draws of each fit. 'between': the SD between wirings"
        " in points; share_between: its part of all variance; lowest and highest: the means of single wirings."
    ]
    sections = [Section("MADRS", words, "average.svg", found.table.to_dict("records"))]
    return write_page(folder / "average.html", f"Averaged over wirings: {found.title}", (), sections, command)


def stale(found: Comparison) -> list[str]:
    """A warning when the equations have changed since the fit."""
    if not found.stale:
        return []
    names = ", ".join(found.stale)
    return [f"Fitted to other equations than these: {names}. `ketamech variants --refit` fits them again."]
