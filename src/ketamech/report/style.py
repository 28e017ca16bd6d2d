"""Shared Matplotlib settings, and saving of reproducible figure files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import matplotlib
import numpy as np

from ketamech.core.constants import DISCLAIMER
from ketamech.report.palette import BACKGROUND, GRID_COLOUR, MUTED_COLOUR, TEXT_COLOUR
from ketamech.report.svg_canvas import PNG_DPI
from ketamech.report.text_width import wrapped
from ketamech.report.time_axis import time_ticks

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure  # the backend must be chosen first

P = ParamSpec("P")
POINTS, TITLE_SIZE = 72.0, 10.0  # points per inch; of the title of a page
MARKS = "osD^vPX"  # of groups, in turn
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": GRID_COLOUR,
    "axes.labelcolor": TEXT_COLOUR,
    "text.color": TEXT_COLOUR,
    "xtick.color": MUTED_COLOUR,
    "ytick.color": MUTED_COLOUR,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "ketamech",
    "svg.fonttype": "path",
    "figure.facecolor": BACKGROUND,
    "axes.facecolor": BACKGROUND,
}


def draw(folder: Path, name: str, make: Callable[[], Figure], *, vector: bool = True) -> list[Path]:
    """Make a figure with the shared settings and save it in `folder`; arguments and result as in `save`."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(SETTINGS):
        return save(make(), folder, name, vector=vector)


def figure_file(name: str) -> Callable[[Callable[P, Figure]], Callable[Concatenate[Path, P], list[Path]]]:
    """A decorator for a function that returns a figure: it writes the figure to a folder, its new first argument."""

    def decorate(make: Callable[P, Figure]) -> Callable[Concatenate[Path, P], list[Path]]:
        @wraps(make)
        def write(folder: Path, /, *args: P.args, **kwargs: P.kwargs) -> list[Path]:
            return draw(folder, name, lambda: make(*args, **kwargs))

        return write

    return decorate


def save(figure: Figure, folder: Path, name: str, *, vector: bool = True) -> list[Path]:
    """Write NAME.png and, unless not `vector`, NAME.svg, without dates, so that the same run gives identical files."""
    paths = [folder / f"{name}.png"]
    figure.savefig(paths[0], dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    if vector:
        paths.append(folder / f"{name}.svg")
        figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    return paths


def page(width: float, height: float, title: str, *, right: float = 1.0) -> Figure:
    """A figure with a title and the disclaimer at the bottom; panels extend to the share `right` of the width."""
    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0.03, right, 0.97))  # type: ignore[call-arg]
    lines = [line for part in title.splitlines() for line in wrapped(part, 0.96 * width * POINTS, TITLE_SIZE)]
    figure.suptitle("\n".join(lines), fontsize=TITLE_SIZE, x=0.01, ha="left")
    figure.text(0.99, 0.004, DISCLAIMER, ha="right", size=6)
    return figure


def log_time_axis(
    axes: Axes, first: float, last: float, *, min_ratio: float = 2.0, long: bool = False
) -> None:  # fmt: skip
    """A logarithmic time axis (h) from `first` to `last` with the ticks of `time_ticks`."""
    log_time_ticks(axes, first, last, min_ratio=min_ratio, long=long)
    axes.set_xlim(first, last)


def log_time_ticks(axes: Axes, first: float, last: float, *, min_ratio: float = 2.0, long: bool = False) -> None:
    """A logarithmic time axis (h) with the ticks of `time_ticks`, whose limits are those of the curves."""
    ticks = time_ticks(first, last, min_ratio=min_ratio, long=long)
    axes.set_xscale("log")
    axes.set_xticks(list(ticks), list(ticks.values()), fontsize=7)
    axes.minorticks_off()


def panel_page(count: int, columns: int, width: float, row: float, title: str, rest: float = 0.8) -> tuple[Figure, Any]:
    """A page of `count` panels, `columns` in a row, and its axes [panel]; heights `row` and `rest` in inches."""
    rows = -(-count // columns)
    figure = page(width, row * rows + rest, title)
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]
