"""Write the scorecard: tables and figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ketamech.analysis.scorecard import Scorecard
from ketamech.exchange.result_metadata import write_table
from ketamech.report.scorecard_figure import scorecard_figure
from ketamech.report.svg_to_png import save_png


def write_scorecard(
    folder: str | Path, card: Scorecard, *, png: bool = False, facts: Mapping[str, object] | None = None
) -> list[Path]:
    """Write scorecard.csv (worst first), by_source.csv, goals.csv, uncovered.csv (with `facts`) and scorecard.svg.

    `png`: also scorecard.png.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tables = {
        "scorecard": card.rows.sort_values("off", ascending=False, na_position="first"),
        "by_source": card.by_source,
        "goals": card.criteria,
        "uncovered": card.uncovered,
    }
    written = []
    for name, table in tables.items():
        path = target / f"{name}.csv"
        write_table(table, path, facts or {}, digits="%.6g")
        written.append(path)
    picture = scorecard_figure(card.rows)
    picture.save(target / "scorecard.svg")
    written.append(target / "scorecard.svg")
    if png:
        save_png(picture, target / "scorecard.png")
        written.append(target / "scorecard.png")
    return written
