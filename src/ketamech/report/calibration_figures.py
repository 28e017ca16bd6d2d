"""Figures of a calibration: chain, posterior against prior, correlations, and profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.colours import OKABE_ITO
from ketamech.report.style import page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_calibration(
    folder: Path, names: Sequence[str], chain: np.ndarray, logs: np.ndarray, draws: np.ndarray,
    profiles: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[Path]:  # fmt: skip
    """Write chain, posterior and profiles as PNG and SVG.

    `chain` [step, walker, parameter] and `draws` [draw, parameter] in SD of the prior from its median.
    """
    import matplotlib

    from ketamech.report.style import SETTINGS, save

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(SETTINGS):
        paths = save(_chain(chain, logs), folder, "chain", vector=False)
        paths += save(_posterior(names, draws), folder, "posterior")
        if profiles:
            paths += save(_profiles(profiles), folder, "profiles")
    return paths


def _chain(chain: np.ndarray, logs: np.ndarray) -> Figure:
    figure = page(8, 3, "Log posterior of every walker")
    axes = figure.subplots()
    axes.plot(logs, color=OKABE_ITO[0], lw=0.5, alpha=0.5)
    axes.plot(np.median(logs, axis=1), color=OKABE_ITO[1], lw=1.5, label="median")
    axes.set_ylim(np.percentile(logs, 1), logs.max() + 2)
    axes.set_xlabel("step")
    axes.legend(frameon=False, fontsize=7)
    return figure


def _posterior(names: Sequence[str], draws: np.ndarray) -> Figure:
    """Marginals against the prior on the left, correlations on the right."""
    figure = page(11, 0.3 * len(names) + 2.0, "Posterior (in SD of the prior from its median) and correlations")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2])
    low, middle, high = np.percentile(draws, [2.5, 50, 97.5], axis=0)
    y = np.arange(len(names))
    left.axvspan(-1.96, 1.96, color="#DDDDDD", lw=0, label="prior, 95 %")
    left.hlines(y, low, high, color=OKABE_ITO[0], lw=3, label="posterior, 95 %")
    left.plot(middle, y, "o", color=OKABE_ITO[1], ms=4, label="median")
    numbered = [f"{name}  {i}" for i, name in enumerate(names, 1)]  # as in the matrix on the right
    left.set_yticks(y, numbered, fontsize=7)
    left.invert_yaxis()
    left.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3)
    matrix = np.corrcoef(draws.T)
    shown = right.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    right.set_xticks(y, [str(i + 1) for i in y], fontsize=6)
    right.set_yticks(y, [str(i + 1) for i in y], fontsize=6)
    figure.colorbar(shown, ax=right, shrink=0.7, label="correlation")
    return figure


def _profiles(profiles: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    rows = -(-len(profiles) // 4)
    figure = page(
        10, 2.0 * rows + 0.8, "Profiles: increase of the misfit with one parameter fixed (dashed: 95 % limit)"
    )
    panels = np.atleast_1d(figure.subplots(rows, 4)).ravel()
    for axes, (name, (grid, misfit)) in zip(panels, profiles.items(), strict=False):
        axes.plot(grid, misfit - np.nanmin(misfit), "o-", color=OKABE_ITO[0], ms=3, lw=1)
        axes.axhline(3.84, color="#999999", lw=0.8, ls="--")
        axes.set_ylim(-0.5, 15)
        axes.set_title(name, fontsize=7)
    for axes in panels[len(profiles) :]:
        axes.set_visible(False)
    return figure
