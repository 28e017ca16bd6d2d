"""Visual predictive checks: intervals of simulated trials over time, and published points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.colours import OKABE_ITO
from ketamech.report.number_format import DISCLAIMER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST, ACROSS = 2, 4


def draw_predictive_checks(folder: Path, rows: pd.DataFrame, name: str = "predictive_checks") -> list[Path]:
    """Write one panel for each trial, arm, scale and statistic that has points at two times or more."""
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    with matplotlib.rc_context(SETTINGS):
        return save(_figure(rows), folder, name)


def _figure(rows: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    keys = ["trial", "arm", "scale", "statistic"]
    timed = rows[np.isfinite(rows["hour"])]
    groups = [
        (key, part.sort_values("hour"))
        for key, part in timed.groupby(keys, sort=False)
        if part["hour"].nunique() >= FEWEST
    ]
    down = -(-len(groups) // ACROSS)
    figure = Figure(figsize=(13, 2.3 * down + 0.8), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.02, 1, 0.98))  # type: ignore[call-arg]
    title = "Visual predictive checks: 95 % of virtual trials (blue) and published points with 95 % (hollow: fitted)"
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.text(0.99, 0.003, DISCLAIMER, ha="right", size=6)
    panels = np.atleast_1d(figure.subplots(down, ACROSS)).ravel()
    for axes, (key, part) in zip(panels, groups, strict=False):
        _panel(axes, key, part)
    for axes in panels[len(groups) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, key: tuple[str, ...], part: pd.DataFrame) -> None:
    hours = sorted(set(part["hour"]))
    x = np.array([hours.index(hour) for hour in part["hour"]], dtype=float)
    axes.fill_between(x, part["sim_low"], part["sim_high"], color=OKABE_ITO[0], alpha=0.25, lw=0)
    axes.plot(x, part["simulated"], color=OKABE_ITO[0], lw=1.4)
    errors = np.abs([part["published"] - part["low"], part["high"] - part["published"]])
    axes.errorbar(x, part["published"], yerr=np.nan_to_num(errors), fmt="none", ecolor=OKABE_ITO[1], elinewidth=0.9)
    for fitted, face in ((True, "white"), (False, OKABE_ITO[1])):
        mask = (part["fitted"] == fitted).to_numpy()
        axes.plot(x[mask], part["published"][mask], "o", ms=4, mfc=face, mec=OKABE_ITO[1], ls="none")
    names = [str(part[part["hour"] == hour]["visit"].iloc[0]) for hour in hours]
    axes.set_xticks(range(len(hours)), names, fontsize=6)
    trial, arm, scale, statistic = key
    axes.set_title(f"{trial}: {arm}\n{statistic}, {scale}", fontsize=7, loc="left")
