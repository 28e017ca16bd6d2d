"""Texts of figures that are cut, leave the figure or cover each other, for every figure that a test writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from unittest import mock

from matplotlib.figure import Figure
from matplotlib.text import Text

from ketamech.report.svg_canvas import Canvas, SvgGroup, SvgText
from ketamech.report.text_width import text_width

TOLERANCE = 1.5  # points beyond the edge; antialiasing and side bearings of letters
ELLIPSES = ("...", "…")
MIN_COVERED_LETTERS = 7  # tick labels and numbers of points may stand close together


@contextmanager
def faults_of_written_figures() -> Iterator[list[str]]:
    """A list to which every figure that is written meanwhile adds its texts that are cut, leave it or cover others."""
    faults: list[str] = []
    savefig, svg = Figure.savefig, Canvas.svg

    def checked_savefig(figure: Figure, target: object, **options: object) -> None:
        with mock.patch.object(Text, "draw", _recording(Text.draw, boxes := {})):
            savefig(figure, target, **options)
        faults.extend(f"{_name(target)}: {fault}" for fault in _matplotlib_faults(boxes))

    def checked_svg(canvas: Canvas, **options: str) -> str:
        faults.extend(f"canvas: {fault}" for fault in _canvas_faults(canvas))
        return svg(canvas, **options)

    with mock.patch.object(Figure, "savefig", checked_savefig), mock.patch.object(Canvas, "svg", checked_svg):
        yield faults


def _canvas_faults(canvas: Canvas) -> list[str]:
    """Texts of a canvas that are cut, leave it or cover each other."""
    shapes = [one for shape in canvas.shapes for one in (shape.shapes if isinstance(shape, SvgGroup) else (shape,))]
    texts = [(shape.text, _svg_text_box(shape), not shape.rotation) for shape in shapes if isinstance(shape, SvgText)]
    return _faults(texts, (canvas.width, canvas.height), TOLERANCE)


def _svg_text_box(text: SvgText) -> tuple[float, float, float, float]:
    """Left, upper, right and lower edge (points)."""
    width = text_width(text.text, text.size, bold=text.bold)
    before = {"left": 0.0, "center": 0.5, "right": 1.0}[text.anchor] * width
    ascent, descent = 0.76 * text.size, 0.24 * text.size
    if text.rotation == 90:
        return text.x - ascent, text.y - (width - before), text.x + descent, text.y + before
    assert text.rotation == 0
    return text.x - before, text.y - ascent, text.x - before + width, text.y + descent


def _recording(draw, boxes):
    """`Text.draw` that notes the last box [text] in pixels; only texts that are really drawn come here."""

    def recorded(text, renderer, *args, **options):
        if text.get_visible() and text.get_text().strip():
            figure = text.get_figure(root=True)
            box = tuple(map(float, text.get_window_extent(renderer).extents))
            size = tuple(map(float, figure.bbox.extents[2:]))
            boxes[id(text)] = (text.get_text(), box, not text.get_rotation()), size, figure.dpi
        return draw(text, renderer, *args, **options)

    return recorded


def _matplotlib_faults(boxes) -> list[str]:
    if not boxes:
        return []
    texts, sizes, resolutions = zip(*boxes.values(), strict=True)
    return _faults(texts, sizes[0], TOLERANCE * resolutions[0] / 72)


def _faults(texts, size, tolerance: float) -> list[str]:
    """Faults of texts (text, box, whether it is upright) in a figure of a size (width, height)."""
    faults = []
    for text, box, _ in texts:
        (left, low, right, high), (width, height) = box, size
        faults += [f"cut: {text!r}"] if text.rstrip().endswith(ELLIPSES) else []
        if left < -tolerance or low < -tolerance or right > width + tolerance or high > height + tolerance:
            faults.append(f"outside: {text!r} at {_rounded(box)} of {_rounded(size)}")
    upright = [(text, box) for text, box, is_upright in texts if is_upright and len(text) >= MIN_COVERED_LETTERS]
    for (one, a), (other, b) in combinations(upright, 2):
        covered = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        if min(covered) > 2 * tolerance:
            faults.append(f"covered: {one!r} at {_rounded(a)} and {other!r} at {_rounded(b)}")
    return faults


def _rounded(numbers) -> str:
    return ", ".join(f"{number:.0f}" for number in numbers)


def _name(target: object) -> str:
    return Path(target).name if isinstance(target, str | Path) else "figure"
