"""Figures of a non-compartmental analysis: the profiles of one subject on a logarithmic scale, with the regression."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.number_format import number
from ketamech.report.style import draw, panel_page
from ketamech.report.tracks import OKABE_ITO
from ketamech.simulation.nca_tables import AnalysedProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 12  # of one subject
MANY = 40  # levels from which on a profile is a line


def draw_profiles(folder: Path, rows: Sequence[AnalysedProfile], *, vector: bool = True) -> list[Path]:
    """One figure of the profiles of one subject; levels of the regression are filled."""
    subject = rows[0].profile.subject
    name = re.sub(r"[^\w-]+", "-", subject).strip("-")
    if name != subject:  # two subjects must not share a file
        name += f"-{hashlib.sha256(subject.encode()).hexdigest()[:6]}"
    return draw(folder, name, lambda: _figure(rows[:MOST_PANELS], f"ID {subject}"), vector=vector)


def _figure(rows: Sequence[AnalysedProfile], title: str) -> Figure:
    words = f"{title}: levels (those of the terminal regression are filled) and regression line"
    figure, panels = panel_page(len(rows), min(2, len(rows)), 8.0, 3.0, words)
    for axes, row in zip(panels, rows, strict=True):
        _panel(axes, row)
    return figure


def _panel(axes: Axes, row: AnalysedProfile) -> None:
    profile, result = row.profile, row.result
    t, c = result.time, result.level
    shown = c > 0
    many = int(shown.sum()) > MANY
    axes.plot(t[shown], c[shown], "-" if many else "o-", color=OKABE_ITO[0], mfc="white", ms=4, lw=1.0)
    if (fit := result.terminal) is not None:
        used = shown & (t >= fit.first) & (t <= fit.last)
        if not many:
            axes.plot(t[used], c[used], "o", color=OKABE_ITO[0], ms=4)
        ends = np.array([fit.first, fit.last + 0.1 * (fit.last - fit.first)])
        axes.plot(ends, [fit.level(end) for end in ends], "--", color=OKABE_ITO[1], lw=1.4)
    if shown.any():
        axes.set_yscale("log")
    axes.set_xlabel("h after the dose", fontsize=8)
    axes.set_ylabel(f"{profile.analyte} ({profile.level_unit})", fontsize=8)
    axes.set_title(_title(row), fontsize=8, loc="left")


def _title(row: AnalysedProfile) -> str:
    """Which dose, and the main results."""
    profile, result = row.profile, row.result
    parts = [f"dose {profile.dose_number} at {number(profile.dose_time)} h"]
    if profile.occasion > 1:
        parts.insert(0, f"occasion {profile.occasion}")
    if result.terminal is not None:
        area = f"AUCIFO {number(result['AUCIFO'])} {profile.unit('AUCIFO')}"
        parts += [f"half-life {number(result['LAMZHL'])} h from {result.terminal.points} levels", area]
    else:
        parts.append(next(iter(result.reasons.values()), ""))
    return ", ".join(parts)
