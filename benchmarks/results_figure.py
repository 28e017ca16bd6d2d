"""The benchmark as one picture: time against error for everybody, and many patients on one thread and on two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ketamech.core.constants import DISCLAIMER
from ketamech.report.number_format import number
from ketamech.report.palette import GRID_COLOUR, MUTED_COLOUR, TEXT_COLOUR
from ketamech.report.style import SETTINGS, save

# colour and shape say the same, so either is enough
MARKS = {
    "ours": ("#0072B2", "o"),
    "roadrunner": ("#D55E00", "s"),
    "pydiffsol": ("#009E73", "^"),
    "copasi": ("#CC79A7", "D"),
    "scipy": ("#E69F00", "v"),
}
OTHERS = ("#444444", "X")
THREADS = {1: ("#0072B2", "o", "-"), 2: ("#56B4E9", "s", "--")}
WIDTH, HEIGHT = 11.0, 5.2


def draw_benchmark(folder: Path, found: Mapping[str, Any], name: str = "benchmark") -> list[Path]:
    """Write NAME.png and NAME.svg into a folder and return their paths."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        _header(figure, found)
        _against_error(figure.add_axes((0.065, 0.14, 0.46, 0.64)), found["peers"])
        _many(figure.add_axes((0.66, 0.14, 0.31, 0.64)), found["scaling"])
        figure.text(0.98, 0.015, DISCLAIMER, ha="right", size=7, color=MUTED_COLOUR)
        return save(figure, folder, name)


def _header(figure: Figure, found: Mapping[str, Any]) -> None:
    task = found["task"]
    figure.text(0.02, 0.925, "Milliseconds a patient, with the error beside them", size=15, weight="bold")
    told = (
        f"{task['states']} states, {task['horizon_h'] / 24:.0f} days, {task['regimen']}; "
        f"every patient different; one core of {found['machine']['processor']}"
    )
    figure.text(0.02, 0.875, told, color=MUTED_COLOUR)


def _against_error(axes: Axes, peers: Sequence[Mapping[str, Any]]) -> None:
    for peer in peers:
        done = [s for s in peer["settings"] if s["ms"]]
        if not done:
            continue
        colour, shape = MARKS.get(peer["name"], OTHERS)
        x, y = [s["error"] for s in done], [s["median_ms"] for s in done]
        spread = [[m - s["least_ms"] for m, s in zip(y, done, strict=True)]]
        spread.append([s["most_ms"] - m for m, s in zip(y, done, strict=True)])
        line: dict[str, Any] = {"color": colour, "marker": shape, "ms": 6, "lw": 1.4}
        axes.errorbar(x, y, yerr=spread, elinewidth=0.8, capsize=2, label=peer["label"], **line)
    _logarithmic(axes)
    axes.invert_xaxis()
    axes.legend(frameon=False, loc="best")
    axes.set_xlabel("largest error, relative to the size of the output (more exact to the right)")
    axes.set_title("ms a patient, one core", loc="left", size=9, color=TEXT_COLOUR)


def _many(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for threads, (colour, shape, line) in THREADS.items():
        mine = [row for row in rows if row["threads"] == threads]
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        x, y = [row["patients"] for row in mine], [row["seconds"] for row in mine]
        axes.plot(x, y, color=colour, marker=shape, ls=line, ms=5, lw=1.4, label=label)
    _logarithmic(axes)
    axes.set_xlabel("patients")
    most = max(row["peak_mib"] for row in rows)
    axes.set_title(f"seconds in all; at most {number(most)} MiB", loc="left", size=9, color=TEXT_COLOUR)
    axes.legend(frameon=False, loc="upper left")


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(color=GRID_COLOUR, lw=0.6)
    axes.tick_params(length=0, which="both")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_axisbelow(True)
