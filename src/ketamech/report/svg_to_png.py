"""Conversion of a canvas to PNG with Matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.report.svg_canvas import PAPER, Canvas, Shape, SvgText

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 125


def save_png(canvas: Canvas, path: Path) -> None:
    """Draw the canvas with Matplotlib, without a date, so that the same run gives an identical file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(canvas.width / 72, canvas.height / 72), facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, canvas.width)
    axes.set_ylim(canvas.height, 0)
    for order, shape in enumerate(canvas.shapes):
        _words(axes, shape, order) if isinstance(shape, SvgText) else _outline(axes, shape, order)
    figure.savefig(path, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 1})


def _words(axes: Axes, words: SvgText, order: int) -> None:
    from matplotlib.patheffects import withStroke

    drawn = axes.text(
        words.x, words.y, words.text, fontsize=words.size, color=words.colour, ha=words.anchor, va="baseline",
        rotation=words.turn, rotation_mode="anchor", fontweight="bold" if words.bold else "normal",
        fontstyle="italic" if words.italic else "normal", zorder=order,
    )  # fmt: skip
    if words.halo:
        drawn.set_path_effects([withStroke(linewidth=3, foreground=PAPER, alpha=0.85)])


def _outline(axes: Axes, shape: Shape, order: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    for piece in shape.pieces:
        if shape.fill:
            edge = {"edgecolor": shape.stroke, "linewidth": shape.width} if shape.stroke else {"linewidth": 0.0}
            axes.add_patch(Polygon(piece, facecolor=shape.fill, alpha=shape.opacity, zorder=order, **edge))
        else:
            style: tuple[float, tuple[float, ...]] | None = (0.0, shape.dash) if shape.dash else None
            axes.add_line(Line2D(*piece.T, color=shape.stroke, linewidth=shape.width, alpha=shape.opacity,
                                 linestyle=style, zorder=order))  # fmt: skip
