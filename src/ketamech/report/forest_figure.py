"""Forest plot of published and simulated values with their 95 % intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.colours import OKABE_ITO
from ketamech.report.number_format import DISCLAIMER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_forest(folder: Path, rows: pd.DataFrame, name: str = "forest") -> list[Path]:
    """Write the forest of clinical rows: one panel per kind of value, largest deviations on top, fitted rows hollow."""
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    with matplotlib.rc_context(SETTINGS):
        return save(_forest(rows), folder, name)


def _forest(rows: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    shares = rows["statistic"].str.match("response|remission|still well|above|share")
    sizes = rows["statistic"].isin(("effect size", "odds ratio"))
    kinds = [
        ("percent of patients", rows[shares]),
        ("points or days", rows[~shares & ~sizes]),
        ("effect size or odds ratio (cut at 8)", rows[sizes]),
    ]
    heights = [max(4, len(part)) for _, part in kinds]
    figure = Figure(figsize=(15, 0.19 * max(heights) + 1.4), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.02, 1, 0.98))  # type: ignore[call-arg]
    figure.suptitle(
        "Virtual trials against published ones: 95 % prediction interval (blue) and published 95 % (orange); "
        "hollow: fitted, not a test; largest deviation on top", fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    figure.text(0.99, 0.004, DISCLAIMER, ha="right", size=6)
    for axes, (title, part) in zip(figure.subplots(1, 3, width_ratios=[1.3, 1.1, 0.8]), kinds, strict=True):
        ordered = part.reindex(part["z"].abs().sort_values().index)
        y = np.arange(len(ordered))
        axes.hlines(y + 0.17, ordered["sim_low"], ordered["sim_high"], color=OKABE_ITO[0], lw=2.2)
        axes.plot(ordered["simulated"], y + 0.17, "|", color=OKABE_ITO[0], ms=7)
        axes.hlines(y - 0.17, ordered["low"], ordered["high"], color=OKABE_ITO[1], lw=1.2)
        for fitted, face in ((True, "white"), (False, OKABE_ITO[1])):
            mask = (ordered["fitted"] == fitted).to_numpy()
            axes.plot(
                ordered["published"][mask], y[mask] - 0.17, "o", ms=3.6, mfc=face, mec=OKABE_ITO[1], ls="none",
            )  # fmt: skip
        marks = np.where(ordered["overlaps"], "", "  (miss)")
        axes.set_yticks(y, [f"{name}{mark}" for name, mark in zip(ordered["id"], marks, strict=True)], fontsize=6)
        axes.set_ylim(-0.8, len(ordered) - 0.2)
        axes.set_xlabel(title)
        if "cut" in title:
            axes.set_xlim(-2, 8)
        axes.grid(axis="x", color="#EEEEEE", lw=0.6)
    return figure
