"""The scorecard as one picture: a line a source, grouped by stage, the worst first, every miss named."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ketamech.report.canvas import FAINT, INK, QUIET
from ketamech.report.style import SETTINGS
from ketamech.report.words import DISCLAIMER, number

# verdict -> marker shape, colour, size: shape and colour say the same, so either is enough
MARKS = {
    "inside": ("o", "#0072B2", 22),
    "near": ("^", "#E69F00", 34),
    "miss": ("X", "#D55E00", 52),
    "no result": ("s", "#444444", 30),
}
FOLD_LIMITS, OFF_LIMITS = 8.0, 4.0
_WIDTH, _LINE, _TOP, _BOTTOM = 11.0, 0.215, 1.35, 0.95
_PANELS = {"fold": (0.225, 0.235), "off": (0.48, 0.14), "sign": (0.64, 0.05)}
_TEXT = 0.695
_LABEL = 34


def scorecard_picture(rows: pd.DataFrame) -> Figure:
    """Fold errors, distances and yes-or-no answers of every comparison; `rows` as in `Scorecard.rows`."""
    lines = _lines(rows)
    height = _TOP + _LINE * len(lines) + _BOTTOM
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(_WIDTH, height))
        panels = {name: _panel(figure, place, len(lines), height) for name, place in _PANELS.items()}
        _dress(panels, len(lines))
        for y, (stage, part) in enumerate(lines):
            if part is None:
                panels["fold"].text(-0.92, y, stage, transform=_beside(panels["fold"]), weight="bold", va="center")
            else:
                _source(panels, y, part)
        _header(figure, rows, height)
        figure.text(0.02, 0.12 / height, DISCLAIMER, color=QUIET, size=8)
        return figure


def _lines(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame | None]]:
    """A heading for each stage, then its sources; stages with the larger share of misses first."""
    stages = rows.assign(bad=~rows.verdict.isin(["inside", "near"])).groupby("stage").bad.mean()
    found: list[tuple[str, pd.DataFrame | None]] = []
    for stage in stages.sort_values(ascending=False, kind="stable").index:
        found.append((stage, None))
        parts = [part for _, part in rows[rows.stage == stage].groupby("reference", sort=False)]
        found += [(stage, part) for part in sorted(parts, key=_badness, reverse=True)]
    return found


def _badness(part: pd.DataFrame) -> tuple[bool, float]:
    return bool((part.verdict == "no result").any()), float(part.off.fillna(0).max())


def _panel(figure: Figure, place: tuple[float, float], count: int, height: float) -> Axes:
    left, width = place
    axes = figure.add_axes((left, _BOTTOM / height, width, _LINE * count / height))
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    return axes


def _dress(panels: dict[str, Axes], count: int) -> None:
    fold, off, sign = panels["fold"], panels["off"], panels["sign"]
    edge = np.log(FOLD_LIMITS)
    fold.set_xlim(-edge * 1.04, edge * 1.04)
    fold.set_xticks(np.log([1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]), ["÷8", "÷4", "÷2", "1", "×2", "×4", "×8"])
    off.set_xlim(-OFF_LIMITS * 1.06, OFF_LIMITS * 1.06)
    off.set_xticks([-3, -1, 0, 1, 3])
    sign.set_xlim(-0.6, 5.6)
    sign.set_xticks([])
    for axes, inner, outer in ((fold, np.log(1.25), np.log(2)), (off, 1.0, 1.5)):
        axes.axvspan(-outer, outer, color=FAINT, alpha=0.45, lw=0)
        axes.axvspan(-inner, inner, color=FAINT, alpha=0.9, lw=0)
        axes.axvline(0, color=QUIET, lw=0.6)
    fold.set_xlabel("simulated over published", size=9)
    off.set_xlabel("distance: 1 is 1.96 SE\nor the edge of the range", size=9)
    sign.set_xlabel("yes or no", size=9)


def _source(panels: dict[str, Axes], y: int, part: pd.DataFrame) -> None:
    name = textwrap.shorten(part.citation.iloc[0], _LABEL, placeholder=" …")
    panels["fold"].text(-0.90, y, name, transform=_beside(panels["fold"]), va="center", size=8)
    kinds = part.apply(_kind, axis=1)
    for kind, chosen in part.groupby(kinds):
        x = _places(str(kind), chosen)
        if kind != "sign" and len(x) > 1:
            panels[str(kind)].plot([x.min(), x.max()], [y, y], color=QUIET, lw=0.7, zorder=1)
        _marks(panels[str(kind)], x, y, chosen)
    _remark(panels["sign"], y, part)


def _kind(row: pd.Series) -> str:
    beyond = row.comparison in ("at_least", "at_most") and row.verdict != "inside"
    if (row.comparison == "fold" or beyond) and np.isfinite(row.log_fold):
        return "fold"
    return "off" if np.isfinite(row.z) else "sign"


def _places(kind: str, chosen: pd.DataFrame) -> np.ndarray:
    if kind == "fold":
        return np.clip(chosen.log_fold.to_numpy(), -np.log(FOLD_LIMITS), np.log(FOLD_LIMITS))
    if kind == "off":
        return np.clip(np.sign(chosen.z) * chosen.off, -OFF_LIMITS, OFF_LIMITS).to_numpy()
    return np.minimum(np.arange(len(chosen)), 5.0)


def _marks(axes: Axes, x: np.ndarray, y: int, chosen: pd.DataFrame) -> None:
    for verdict, (shape, colour, size) in MARKS.items():
        for fitted in (True, False):
            pick = ((chosen.verdict == verdict) & (chosen.fitted == fitted)).to_numpy()
            face = "white" if fitted else colour
            axes.scatter(
                x[pick],
                np.full(pick.sum(), y),
                s=size,
                marker=shape,
                c=face,
                edgecolors=colour,
                lw=0.8,
                zorder=3,
            )


def _remark(axes: Axes, y: int, part: pd.DataFrame) -> None:
    """The worst row of a source that is not inside, in words."""
    bad = part[part.verdict != "inside"].sort_values("off", ascending=False, na_position="first")
    if bad.empty:
        return
    worst, misses = bad.iloc[0], int((part.verdict == "miss").sum())
    asked = worst.expected or number(worst.published)
    text = f"{worst.id}: {number(worst.simulated)} against {asked}"
    more = f" (+{misses - 1} more)" if misses > 1 else ""
    colour = INK if worst.verdict in ("miss", "no result") else QUIET
    axes.text(
        1.06,
        y,
        textwrap.shorten(text, 60, placeholder=" …") + more,
        transform=_beside(axes),
        va="center",
        size=7.5,
        color=colour,
    )


def _beside(axes: Axes) -> matplotlib.transforms.Transform:
    """Horizontal in axes widths, vertical in lines."""
    return axes.get_yaxis_transform()


def _header(figure: Figure, rows: pd.DataFrame, height: float) -> None:
    counts = rows.verdict.value_counts()
    figure.text(0.02, 1 - 0.35 / height, "Simulated against published", size=15, weight="bold")
    told = ", ".join(f"{counts.get(word, 0)} {word}" for word in MARKS if counts.get(word, 0))
    figure.text(
        0.02,
        1 - 0.62 / height,
        f"{len(rows)} comparisons: {told}. Misses are named at the right.",
        color=QUIET,
    )
    figure.text(_TEXT, 1 - (_TOP - 0.12) / height, "worst row of the source", size=8, color=QUIET)
    keys = [Line2D([], [], marker=m, color=c, ls="", markersize=6, label=word) for word, (m, c, _) in MARKS.items()]
    keys.append(
        Line2D(
            [],
            [],
            marker="o",
            color=QUIET,
            markerfacecolor="white",
            ls="",
            markersize=6,
            label="open: fitted to",
        )
    )
    figure.legend(handles=keys, loc="upper right", bbox_to_anchor=(0.985, 1 - 0.12 / height), ncol=5, frameon=False)
