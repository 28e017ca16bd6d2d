"""Title, doses, group bars and footer of the timeline figure. Sizes in points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.number_format import DISCLAIMER
from ketamech.report.run_description import RunDescription
from ketamech.report.summary import SummaryRow
from ketamech.report.svg_canvas import INK, PAPER, QUIET, Canvas
from ketamech.report.time_axis import Frame, TimeScale
from ketamech.report.tracks import Track, load_groups

if TYPE_CHECKING:
    import xarray as xr

WIDTH, TRACK_HEIGHT, TOP, BOTTOM = 921.6, 51.8, 116.6, 68.4
LEFT, RIGHT, MARGIN = 0.225, 0.79, 11.0
_BAR, _LETTER = 11.5, 5.0  # width of a group's bar, and of a letter in it


@dataclass(frozen=True)
class TimelineData:
    """Data shared by all tracks: results, time scale and summary rows."""

    dataset: xr.Dataset
    run: RunDescription
    clock: TimeScale
    lines: list[SummaryRow]
    values: dict[str, float]

    @property
    def hours(self) -> np.ndarray:
        """Hours since the first treatment."""
        return np.asarray(self.dataset.variables["time"].values - self.run.first_dose_time)


def track_tops(tracks: tuple[Track, ...]) -> list[float]:
    """Upper edge of every track, from the top."""
    heights = [TRACK_HEIGHT * track.relative_height for track in tracks]
    return [TOP + sum(heights[:i]) for i in range(len(tracks))]


def draw_group_bars(canvas: Canvas, tracks: tuple[Track, ...]) -> None:
    """A coloured bar with its name beside every group of tracks."""
    tops = track_tops(tracks)
    for name, group in load_groups().items():
        inside = [i for i, track in enumerate(tracks) if track.group == name]
        if not inside:
            continue
        tall = TRACK_HEIGHT * sum(tracks[i].relative_height for i in inside) - 7
        top = tops[inside[0]] + 3.5
        canvas.box(MARGIN - 2, top, _BAR, tall, colour=group.colour)
        words = name if len(name) * _LETTER < tall else name.split()[0]
        x = MARGIN - 2 + _BAR / 2
        canvas.text(x, top + tall / 2, words, size=8, colour=PAPER, anchor="center", edge="center", bold=True, turn=90)


def draw_header(canvas: Canvas, scene: TimelineData) -> None:
    """Title, legend, time units and doses."""
    canvas.text(MARGIN, 14, scene.run.title, size=16, bold=True, edge="top")
    canvas.text(MARGIN, 42, _legend(scene.run), size=9.5, colour=QUIET, edge="top")
    frame = Frame(WIDTH * LEFT, TOP - 47, WIDTH * (RIGHT - LEFT), 44.6, scene.clock)
    _eras(canvas, frame)
    _doses(canvas, frame, scene)


def _legend(run: RunDescription) -> str:
    parts = ["One typical patient; the horizontal line of each track is the drug-free baseline."]
    if run.index_of_control is not None:
        parts.append("Dashed grey: the same person with the same expectancy and perturbations, without treatment.")
    others = [run.subjects[i].label for i in run.treated if i != run.index_of_main]
    if others:
        parts.append(f"Dotted: {', '.join(others)}.")
    return "  ".join(parts)


def _eras(canvas: Canvas, frame: Frame) -> None:
    for i, (start, end, word) in enumerate(frame.clock.eras()):
        left, right = frame.at(start), frame.at(end)
        canvas.box(left, frame.top, right - left, 0.3 * frame.height, colour=("#eef1f5", "#e2e7ed")[i % 2])
        if right - left > 0.07 * frame.width:
            middle = frame.at(math.sqrt(start * end))
            canvas.text(middle, frame.top + 0.155 * frame.height, word, size=8.5, colour="#4b5563",
                         anchor="center", edge="center")  # fmt: skip


def _doses(canvas: Canvas, frame: Frame, scene: TimelineData) -> None:
    occasions = [(a - scene.run.first_dose_time, b - scene.run.first_dose_time) for a, b in scene.run.occasions()]
    low = float(frame.y(0.14))
    for start, end in occasions:
        left, right = frame.at(start), frame.at(end)
        if right - left > 0.006 * frame.width:
            canvas.box(left, float(frame.y(0.24)), right - left, 0.18 * frame.height, colour=INK)
        else:
            canvas.mark(left, low, "v", size=6, fill=INK)
    words = "; ".join(scene.run.treatments)
    words = words if len(words) < 105 else words[:105].rsplit(" ", 1)[0] + " ..."
    last = max((scene.clock.fraction(end) for _, end in occasions[:1]), default=0.0)
    crowded = len(occasions) > 1 or last > 0.4
    share, height = (0.0, 0.36) if crowded else (min(last, 0.5) + 0.012, 0.08)
    canvas.text(frame.left + share * frame.width, float(frame.y(height)), words, size=9, bold=True)
    canvas.text(frame.left - 0.062 * frame.width, low, "Doses", size=9.5, bold=True, anchor="right", edge="center")


def draw_footer(canvas: Canvas, scene: TimelineData, sources: int | None) -> None:
    """Sources, the name of the axis and the disclaimer."""
    counted = f"Numbers from {sources} papers and labels; see the bibliography of this run.  " if sources else ""
    y = canvas.height - 21.6
    canvas.text(MARGIN, y, counted + "Computed with KetaMech.", size=8.5, colour=QUIET, edge="center")
    canvas.text((RIGHT + 0.19) * WIDTH, y, DISCLAIMER, size=8.5, bold=True, anchor="right", edge="center")
    first = f"time since the first treatment{', logarithmic' if scene.clock.logarithmic else ''}"
    middle = (LEFT + RIGHT) / 2 * WIDTH
    canvas.text(middle, canvas.height - 40, first, size=8.5, colour=QUIET, anchor="center", edge="center")
