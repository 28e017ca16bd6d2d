"""A canvas of shapes and text that is written as SVG, or as PNG with Matplotlib.

Coordinates and sizes are points (1/72 inch) from the upper left corner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.report.palette import BACKGROUND, TEXT_COLOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
PNG_DPI = 125
LINE_STEP = 1.25  # distance of lines of text, in font sizes
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BASELINE_SHIFTS = {
    "top": 0.78,
    "center": 0.35,
    "bottom": -0.22,
    "baseline": 0.0,
}  # baseline below the named edge, in letters
_MARKS = {
    "o": None,
    "s": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "D": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "X": ((0, -0.55), (0.6, -1.15), (1.15, -0.6), (0.55, 0), (1.15, 0.6), (0.6, 1.15),
          (0, 0.55), (-0.6, 1.15), (-1.15, 0.6), (-0.55, 0), (-1.15, -0.6), (-0.6, -1.15)),
    "^": ((0, -1.2), (1.2, 1), (-1.2, 1)),
    "v": ((0, 1.2), (1.2, -1), (-1.2, -1)),
    "P": ((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4),
          (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)),
}  # fmt: skip


@dataclass(frozen=True)
class SvgText:
    """Text whose baseline starts, is centred or ends (`anchor`) at (x, y); turned by `rotation` degrees."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: str
    bold: bool
    italic: bool
    halo: bool
    rotation: float


@dataclass(frozen=True)
class Shape:
    """A polyline or, when `fill` is set, an area. Several pieces if the curve has gaps."""

    paths: tuple[np.ndarray, ...]
    stroke: str
    width: float
    fill: str
    opacity: float
    dash: tuple[float, ...]
    title: str


@dataclass(frozen=True)
class SvgGroup:
    """Shapes in one SVG group with attributes of its own."""

    shapes: tuple[SvgText | Shape, ...]
    attributes: Mapping[str, object]


@dataclass
class Canvas:
    """Shapes in the order they were drawn."""

    width: float
    height: float
    shapes: list[SvgText | Shape | SvgGroup] = field(default_factory=list)

    @contextmanager
    def group(self, **attributes: object) -> Iterator[None]:
        """What is drawn meanwhile becomes one SVG group with these attributes; "_" in their names stands for "-"."""
        first = len(self.shapes)
        yield
        drawn = tuple(shape for shape in self.shapes[first:] if not isinstance(shape, SvgGroup))
        self.shapes[first:] = [SvgGroup(drawn, {name.replace("_", "-"): value for name, value in attributes.items()})]

    def text(
        self, x: float, y: float, text: str, *, size: float = 9.0, colour: str = TEXT_COLOUR, anchor: str = "left",
        edge: str = "baseline", bold: bool = False, italic: bool = False, halo: bool = False, turn: float = 0.0,
    ) -> None:  # fmt: skip
        """Add text with its `anchor` (left, center, right) and `edge` (top, center, bottom, baseline) at (x, y)."""
        shift = _BASELINE_SHIFTS[edge] * size
        x, y = (x + shift, y) if turn else (x, y + shift)
        self.shapes.append(SvgText(x, y, text, size, colour, anchor, bold, italic, halo, turn))

    def lines(
        self, x: float, y: float, texts: Sequence[str], *, size: float = 9.0, edge: str = "baseline", **style: Any
    ) -> None:
        """Add texts below each other: centred on y with `edge` center, else the first of them at y."""
        step = LINE_STEP * size
        first = y - step * (len(texts) - 1) / 2 if edge == "center" else y
        for i, text in enumerate(texts):
            if text:
                self.text(x, first + step * i, text, size=size, edge=edge, **style)

    def line(
        self, x: Any, y: Any, *, colour: str = TEXT_COLOUR, width: float = 1.0, dash: tuple[float, ...] = (),
        opacity: float = 1.0, title: str = "",
    ) -> None:  # fmt: skip
        """Add a curve with gaps at NaN. `title` is its tooltip."""
        pieces = _pieces(np.asarray(x, float), np.asarray(y, float))
        self.shapes.append(Shape(pieces, colour, width, "", opacity, dash, title))

    def segments(
        self, segments: Sequence[tuple[float, float, float, float]], *, colour: str = TEXT_COLOUR, width: float = 0.8
    ) -> None:
        """Straight lines, each from (x, y) to (x, y), as one shape."""
        if segments:
            pieces = tuple(np.array(segments, dtype=float).reshape(-1, 2, 2))
            self.shapes.append(Shape(pieces, colour, width, "", 1.0, (), ""))

    def area(self, x: Any, y: Any, base: float, *, colour: str, opacity: float = 1.0) -> None:
        """Add the area between a curve and a horizontal line."""
        pieces = _pieces(np.asarray(x, float), np.asarray(y, float))
        closed = tuple(np.vstack([[p[0, 0], base], p, [p[-1, 0], base]]) for p in pieces)
        self.shapes.append(Shape(closed, "", 0.0, colour, opacity, (), ""))

    def box(self, x: float, y: float, width: float, height: float, *, colour: str, opacity: float = 1.0) -> None:
        """A filled rectangle."""
        corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
        self.shapes.append(Shape((corners,), "", 0.0, colour, opacity, (), ""))

    def mark(
        self, x: float, y: float, kind: str = "o", *, size: float = 6.0, fill: str = TEXT_COLOUR,
        edge: str = BACKGROUND, width: float = 1.0, title: str = "",
    ) -> None:  # fmt: skip
        """A point of a kind: o s D ^ v P X; `size` is its width."""
        corners = _MARKS[kind]
        turns = np.linspace(0, 2 * np.pi, 25)[:-1]
        shape = np.column_stack([np.cos(turns), np.sin(turns)]) if corners is None else np.array(corners, float)
        self.shapes.append(Shape((np.array([x, y]) + shape * size / 2,), edge, width, fill, 1.0, (), title))

    def svg(self, *, alt: str = "", paper: str = BACKGROUND) -> str:
        """The canvas as an SVG element for a page, on the colour `paper`."""
        size = f'width="{self.width:g}pt" height="{self.height:g}pt" viewBox="0 0 {self.width:g} {self.height:g}"'
        label = f' role="img" aria-label="{escape(alt)}"' if alt else ""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}"{label}>'
        background = f'<rect width="100%" height="100%" fill="{paper}"/>'
        return "\n".join([head, background, *filter(None, map(_element, self.shapes)), "</svg>\n"])

    def save(self, path: Path, *, alt: str = "") -> str:
        """Write the SVG to a file; returns it."""
        text = self.svg(alt=alt)
        path.write_text(text, encoding="utf-8")
        return text


def _pieces(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Continuous pieces of a curve, thinned to visible points."""
    is_finite = np.isfinite(x) & np.isfinite(y)
    breaks = np.flatnonzero(np.diff(is_finite.astype(np.int8))) + 1
    runs = (np.column_stack([x[i], y[i]]) for i in np.split(np.arange(len(x)), breaks) if len(i) and is_finite[i[0]])
    return tuple(thinned(run) for run in runs)


def thinned(points: np.ndarray) -> np.ndarray:
    """First, lowest, highest and last point of every 0.4 points of width: the same picture from fewer points."""
    if len(points) < 300:
        return points
    column = np.floor(points[:, 0] / 0.4).astype(int)
    starts = np.flatnonzero(np.r_[True, np.diff(column) != 0])
    ends = np.r_[starts[1:], len(points)] - 1
    order = np.lexsort((points[:, 1], np.cumsum(np.r_[False, np.diff(column) != 0])))
    visible = np.unique(np.concatenate([starts, ends, order[starts], order[ends]]))
    return points[visible]


def _path(points: np.ndarray, is_closed: bool) -> str:
    flat = points.round(1).ravel().tolist()
    return "M" + ("%g %g " * len(points) % tuple(flat)).strip() + ("Z" if is_closed else "")


def _element(shape: SvgText | Shape | SvgGroup) -> str:
    if isinstance(shape, SvgGroup):
        return f"<g{_attributes(shape.attributes)}>{''.join(map(_element, shape.shapes))}</g>"
    return _text_element(shape) if isinstance(shape, SvgText) else _path_element(shape)


def _path_element(shape: Shape) -> str:
    path_data = "".join(_path(piece, bool(shape.fill)) for piece in shape.paths)
    attributes: dict[str, object] = {"fill": shape.fill or "none"}
    if shape.stroke and shape.width:
        attributes |= {"stroke": shape.stroke, "stroke-width": f"{shape.width:g}", "stroke-linejoin": "round"}
    if shape.dash:
        attributes["stroke-dasharray"] = " ".join(f"{part * shape.width:g}" for part in shape.dash)
    if shape.opacity < 1:
        attributes["opacity"] = f"{shape.opacity:g}"
    title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    return f'<path d="{path_data}"{_attributes(attributes)}>{title}</path>' if path_data else ""


def _text_element(text: SvgText) -> str:
    attributes: dict[str, object] = {"x": f"{text.x:.1f}", "y": f"{text.y:.1f}", "font-size": f"{text.size:g}"}
    attributes |= {"fill": text.colour, "text-anchor": _ANCHORS[text.anchor]}
    if text.bold:
        attributes["font-weight"] = "bold"
    if text.italic:
        attributes["font-style"] = "italic"
    if text.halo:
        attributes |= {"stroke": BACKGROUND, "stroke-width": 3, "stroke-opacity": 0.85, "paint-order": "stroke"}
    if text.rotation:
        attributes["transform"] = f"rotate({-text.rotation:g} {text.x:.1f} {text.y:.1f})"
    return f"<text{_attributes(attributes)}>{escape(text.text, quote=False)}</text>"


def _attributes(attributes: Mapping[str, object]) -> str:
    return "".join(f' {name}="{value}"' for name, value in attributes.items())


def save_png(canvas: Canvas, path: Path) -> None:
    """Draw the canvas with Matplotlib, without a date, so that the same run gives an identical file."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(canvas.width / 72, canvas.height / 72), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, canvas.width)
    axes.set_ylim(canvas.height, 0)
    shapes = (one for shape in canvas.shapes for one in (shape.shapes if isinstance(shape, SvgGroup) else (shape,)))
    for order, shape in enumerate(shapes):
        _draw_text(axes, shape, order) if isinstance(shape, SvgText) else _draw_shape(axes, shape, order)
    with rc_context({"text.hinting": "none"}):  # hinting makes texts wider than in the SVG file
        figure.savefig(path, dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 1})


def _draw_text(axes: Axes, text: SvgText, order: int) -> None:
    from matplotlib.patheffects import withStroke

    artist = axes.text(
        text.x, text.y, text.text, fontsize=text.size, color=text.colour, ha=text.anchor, va="baseline",
        rotation=text.rotation, rotation_mode="anchor", fontweight="bold" if text.bold else "normal",
        fontstyle="italic" if text.italic else "normal", zorder=order,
    )  # fmt: skip
    if text.halo:
        artist.set_path_effects([withStroke(linewidth=3, foreground=BACKGROUND, alpha=0.85)])


def _draw_shape(axes: Axes, shape: Shape, order: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    for piece in shape.paths:
        if shape.fill:
            edge = {"edgecolor": shape.stroke, "linewidth": shape.width} if shape.stroke else {"linewidth": 0.0}
            axes.add_patch(Polygon(piece, facecolor=shape.fill, alpha=shape.opacity, zorder=order, **edge))
        else:
            style: tuple[float, tuple[float, ...]] | None = (0.0, shape.dash) if shape.dash else None
            axes.add_line(Line2D(*piece.T, color=shape.stroke, linewidth=shape.width, alpha=shape.opacity,
                                 linestyle=style, zorder=order))  # fmt: skip
