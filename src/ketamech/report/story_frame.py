"""What stands around the lanes of the story figure: title, doses, groups, footer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ketamech.report.lanes import GROUPS, Lane
from ketamech.report.style import GROUP_COLOURS, INK, PAPER, QUIET
from ketamech.report.summary import Line
from ketamech.report.time_axis import Clock
from ketamech.report.told import Told
from ketamech.report.words import DISCLAIMER

WIDTH, LANE, TOP, BOTTOM = 12.8, 0.72, 1.62, 0.95
LEFT, RIGHT = 0.225, 0.79


@dataclass(frozen=True)
class Scene:
    """What every lane needs: the results, the clock and the numbers."""

    dataset: xr.Dataset
    told: Told
    clock: Clock
    lines: list[Line]
    values: dict[str, float]

    @property
    def hours(self) -> np.ndarray:
        """Hours since the first treatment."""
        return self.dataset["time"].values - self.told.first


def bottoms_of(lanes: tuple[Lane, ...]) -> list[float]:
    """Lower edge of every lane in inches, the first lane on top."""
    found, at = [], BOTTOM
    for lane in reversed(lanes):
        found.append(at)
        at += LANE * lane.tall
    return found[::-1]


def group_bars(figure: Figure, lanes: tuple[Lane, ...], height: float) -> None:
    """A coloured bar with its name beside every group of lanes."""
    bottoms = bottoms_of(lanes)
    for group, name in enumerate(GROUPS):
        inside = [i for i, lane in enumerate(lanes) if lane.group == name]
        if inside:
            inches = LANE * sum(lanes[i].tall for i in inside)
            bottom, tall = (bottoms[inside[-1]] + 0.05) / height, (inches - 0.10) / height
            colour = GROUP_COLOURS[group]
            figure.add_artist(Rectangle((0.012, bottom), 0.016, tall, color=colour, linewidth=0))
            words = name if len(inside) > 1 or len(name) < 6 else name.split()[0]
            words = words if len(words) * 0.085 < inches else words.replace(" and ", "\nand ")
            figure.text(0.020, bottom + tall / 2, words, rotation=90, ha="center", va="center", fontsize=8, color=PAPER,
                        fontweight="bold", linespacing=0.9)  # fmt: skip


def header(figure: Figure, scene: Scene, height: float) -> None:
    """Title, legend, eras of the clock and what was given when."""
    figure.text(0.012, 1 - 0.20 / height, scene.told.title, fontsize=16, fontweight="bold", va="top")
    what = _legend(scene.told)
    figure.text(0.012, 1 - 0.58 / height, what, fontsize=9.5, color=QUIET, va="top")
    axes = figure.add_axes((LEFT, 1 - (TOP - 0.04) / height, RIGHT - LEFT, 0.62 / height), label="doses")
    scene.clock.dress(axes, words=False)
    axes.grid(visible=False)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    _doses(axes, scene)
    _eras(axes, scene.clock)


def _legend(told: Told) -> str:
    parts = ["One typical patient; the line under each ribbon is the drug-free rest."]
    if told.control_place is not None:
        parts.append("Dashed grey: the same person, the same hopes, no treatment.")
    others = [told.courses[i].label for i in told.treated if i != told.main]
    if others:
        parts.append(f"Dotted: {', '.join(others)}.")
    return "  ".join(parts)


def _eras(axes: Axes, clock: Clock) -> None:
    for i, (start, end, word) in enumerate(clock.eras()):
        axes.axvspan(start, end, 0.70, 1.0, color=("#eef1f5", "#e2e7ed")[i % 2], linewidth=0)
        if clock.fraction(end) - clock.fraction(start) > 0.07:
            axes.text(np.sqrt(start * end), 0.845, word, ha="center", va="center", fontsize=8.5, color="#4b5563")


def _doses(axes: Axes, scene: Scene) -> None:
    occasions = [(a - scene.told.first, b - scene.told.first) for a, b in scene.told.occasions()]
    for start, end in occasions:
        left = float(scene.clock.place(start))
        right = max(float(scene.clock.place(end)), left)
        if scene.clock.fraction(end) - scene.clock.fraction(start) > 0.006:
            axes.fill_between([left, right], 0.06, 0.24, color=INK, linewidth=0)
        else:
            axes.plot([left], [0.14], marker="v", markersize=7, color=INK, clip_on=False, linestyle="none")
    words = "; ".join(scene.told.given)
    words = words if len(words) < 105 else words[:105].rsplit(" ", 1)[0] + " ..."
    last = max((scene.clock.fraction(end) for _, end in occasions[:1]), default=0.0)
    crowded = len(occasions) > 1 or last > 0.4
    place = (0.0, 0.30) if crowded else (min(last, 0.5) + 0.012, 0.02)
    axes.annotate(words, place, xycoords="axes fraction", fontsize=9, fontweight="bold", va="bottom")
    axes.text(-0.062, 0.14, "Given", transform=axes.transAxes, ha="right", va="center", fontsize=9.5, fontweight="bold")


def footer(figure: Figure, scene: Scene, sources: int | None, height: float) -> None:
    """Sources, the name of the axis and the disclaimer."""
    counted = f"Numbers from {sources} papers and labels; see the bibliography of this run.  " if sources else ""
    figure.text(0.012, 0.30 / height, counted + "Computed with KetaMech.", fontsize=8.5, color=QUIET, va="center")
    figure.text(
        RIGHT + 0.19, 0.30 / height, DISCLAIMER, fontsize=8.5, color=INK, va="center", ha="right", fontweight="bold"
    )
    first = f"time since the first treatment{', logarithmic' if scene.clock.logarithmic else ''}"
    figure.text((LEFT + RIGHT) / 2, 0.56 / height, first, fontsize=8.5, color=QUIET, ha="center", va="center")
