"""One look for every picture: colours that survive colour blindness, quiet axes, reproducible files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib.figure import Figure  # the backend must be chosen first

INK, QUIET, FAINT, PAPER = "#1b1f24", "#6b7280", "#e3e6ea", "#ffffff"
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
GROUP_COLOURS = ("#0072B2", "#009E73", "#B07800", "#A8508A", "#C04A00")
DPI = 125
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "ketamech",
    "svg.fonttype": "path",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}
SECONDARY = ("#D55E00", "#444444", "#CC79A7", "#56B4E9", "#E69F00", "#009E73")


def save(figure: Figure, folder: Path, name: str, *, vector: bool = True) -> list[Path]:
    """Write NAME.png and, unless not `vector`, NAME.svg, without dates: the same run gives the same files."""
    paths = [folder / f"{name}.png"]
    figure.savefig(paths[0], dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    if vector:
        paths.append(folder / f"{name}.svg")
        figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    return paths


def series_colours(group: int, count: int) -> list[str]:
    """The group's colour for the main curve, then others that differ from it."""
    first = GROUP_COLOURS[group]
    near = {
        "#0072B2": "#56B4E9",
        "#009E73": "#009E73",
        "#B07800": "#E69F00",
        "#A8508A": "#CC79A7",
        "#C04A00": "#D55E00",
    }
    return [first, *(colour for colour in SECONDARY if colour != near[first])][:count]
