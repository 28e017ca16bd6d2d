"""Tables and figure of the scorecard: one line per source, grouped by stage, largest deviations first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketamech.analysis.scorecard import Scorecard
from ketamech.core.constants import DISCLAIMER
from ketamech.exchange.result_metadata import write_table
from ketamech.report.number_format import number, plain
from ketamech.report.palette import (
    BACKGROUND,
    BLUE,
    DARK_GREY,
    GRID_COLOUR,
    MUTED_COLOUR,
    ORANGE,
    TEXT_COLOUR,
    VERMILLION,
)
from ketamech.report.svg_canvas import LINE_STEP, Canvas, save_png
from ketamech.report.text_width import text_width, wrapped

# verdict -> marker, colour, size; shape and colour carry the same information
MARKS = {
    "inside": ("o", BLUE, 4.7),
    "near": ("^", ORANGE, 5.8),
    "miss": ("X", VERMILLION, 7.2),
    "no result": ("s", DARK_GREY, 4.8),
}
FIGURES = ("scorecard.svg", "scorecard.png")
FOLD_LIMIT, DISTANCE_LIMIT = 8.0, 4.0
_WIDTH, _LINE_HEIGHT, _TOP, _BOTTOM, _MARGIN = 862.0, 15.5, 107.0, 68.0, 16.0
_SOURCE_SIZE, _REMARK_SIZE, _LEGEND_SIZE = 8.0, 7.5, 9.0
_FOLDS = (("÷8", 1 / 8), ("÷4", 1 / 4), ("÷2", 1 / 2), ("1", 1.0), ("×2", 2.0), ("×4", 4.0), ("×8", 8.0))


@dataclass(frozen=True)
class Strip:
    """A column of the figure: position, limits, and the bands inside and near."""

    left: float
    right: float
    edge: float
    bands: tuple[float, ...]
    ticks: tuple[tuple[str, float], ...]
    title: tuple[str, ...]

    def x(self, value: float) -> float:
        """Coordinate of a value, limited to the strip."""
        fraction = (min(max(value, -self.edge), self.edge) / self.edge + 1) / 2
        return self.left + fraction * (self.right - self.left)


STRIPS = {
    "fold": Strip(252, 430, float(np.log(FOLD_LIMIT)), (float(np.log(2)), float(np.log(1.25))),
                  tuple((text, float(np.log(fold))) for text, fold in _FOLDS), ("simulated over published",)),
    "distance": Strip(454, 557, DISTANCE_LIMIT, (1.5, 1.0),
                      tuple((plain(x), x) for x in (-4, -2, -1, 0, 1, 2, 4)),
                      ("distance: 1 is 1.96 SE", "or the edge of the range")),
    "sign": Strip(578, 610, 1.0, (), (), ("yes or no",)),
}  # fmt: skip
_REMARK_LEFT = STRIPS["sign"].right + 10


def scorecard_figure(rows: pd.DataFrame) -> Canvas:
    """Fold errors, distances and signs of every comparison; `rows` as in `Scorecard.rows`."""
    lines = [_Line(stage, source) for stage, source in _lines(rows)]
    canvas = Canvas(_WIDTH, _TOP + sum(line.height for line in lines) + _BOTTOM)
    _draw_strips(canvas)
    top = _TOP
    for line in lines:
        line.draw(canvas, top + line.height / 2)
        top += line.height
    _draw_header(canvas, rows)
    canvas.text(_MARGIN, canvas.height - 10, DISCLAIMER, size=8, colour=MUTED_COLOUR)
    return canvas


def _lines(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame | None]]:
    """A heading and the sources of each stage; stages with the largest share of misses first."""
    miss_shares = rows.assign(bad=~rows.verdict.isin(["inside", "near"])).groupby("stage").bad.mean()
    lines: list[tuple[str, pd.DataFrame | None]] = []
    for stage in miss_shares.sort_values(ascending=False, kind="stable").index:
        lines.append((stage, None))
        sources = [source for _, source in rows[rows.stage == stage].groupby("reference", sort=False)]
        lines += [(stage, source) for source in sorted(sources, key=_distance_order, reverse=True)]
    return lines


def _distance_order(part: pd.DataFrame) -> tuple[bool, float]:
    return bool((part.verdict == "no result").any()), float(part.distance.fillna(0).max())


def _draw_strips(canvas: Canvas) -> None:
    """Draw shaded bands for inside and near, the centre line, the scale and the titles."""
    top, bottom = _TOP, canvas.height - _BOTTOM
    for strip in STRIPS.values():
        for band, opacity in zip(strip.bands, (0.45, 0.9), strict=False):
            left, right = strip.x(-band), strip.x(band)
            canvas.box(left, top, right - left, bottom - top, colour=GRID_COLOUR, opacity=opacity)
        if strip.bands:
            canvas.segments([(strip.x(0), top, strip.x(0), bottom)], colour=MUTED_COLOUR, width=0.6)
        for text, value in strip.ticks:
            canvas.text(strip.x(value), bottom + 4, text, size=8, colour=MUTED_COLOUR, anchor="center", edge="top")
            canvas.text(strip.x(value), top - 3, text, size=8, colour=MUTED_COLOUR, anchor="center")
            canvas.segments(
                [(strip.x(value), y, strip.x(value), y + 3) for y in (top - 2, bottom)], colour=MUTED_COLOUR, width=0.6
            )
        middle = (strip.left + strip.right) / 2
        for i, title in enumerate(strip.title):
            canvas.text(middle, bottom + 17 + 10.5 * i, title, anchor="center", edge="top")
            title_y = top - 16 - 9 * (len(strip.title) - 1 - i)
            canvas.text(middle, title_y, title, size=8, colour=MUTED_COLOUR, anchor="center")


class _Line:
    """The heading of a stage, or one source with its comparisons; as high as its texts need."""

    def __init__(self, stage: str, rows_of_source: pd.DataFrame | None) -> None:
        self.stage = stage
        self.records: list[dict[Any, Any]] = [] if rows_of_source is None else rows_of_source.to_dict("records")
        self.name, self.remark, self.remark_colour = [""], [""], MUTED_COLOUR
        if self.records:
            name_width = STRIPS["fold"].left - _MARGIN - 6 - _SOURCE_SIZE
            self.name = wrapped(self.records[0]["citation"], name_width, _SOURCE_SIZE)
            text, self.remark_colour = _remark(self.records)
            self.remark = wrapped(text, _WIDTH - _MARGIN - _REMARK_LEFT, _REMARK_SIZE)

    @property
    def height(self) -> float:
        """Height in the figure."""
        further = max(_SOURCE_SIZE * (len(self.name) - 1), _REMARK_SIZE * (len(self.remark) - 1))
        return _LINE_HEIGHT + LINE_STEP * further

    def draw(self, canvas: Canvas, y: float) -> None:
        """Draw the line, centred on y."""
        if not self.records:
            canvas.text(_MARGIN, y, self.stage, bold=True, edge="center")
            return
        canvas.lines(_MARGIN + 6, y, self.name, size=_SOURCE_SIZE, edge="center")
        positions: list[tuple[str, float]] = []
        for kind, value in map(_strip_position, self.records):
            n_signs = sum(kind_of_position == "sign" for kind_of_position, _ in positions)
            x = STRIPS["sign"].left + 3 + min(n_signs, 5) * 5.5 if kind == "sign" else STRIPS[kind].x(value)
            positions.append((kind, x))
        for kind in ("fold", "distance"):
            xs = [x for kind_of_position, x in positions if kind_of_position == kind]
            canvas.segments([(min(xs), y, max(xs), y)] if len(xs) > 1 else [], colour=MUTED_COLOUR, width=0.7)
        for (_, x), row in zip(positions, self.records, strict=True):
            _draw_mark(canvas, x, y, row)
        canvas.lines(_REMARK_LEFT, y, self.remark, size=_REMARK_SIZE, colour=self.remark_colour, edge="center")


def _strip_position(row: Mapping[Any, Any]) -> tuple[str, float]:
    """The strip of a comparison and its value."""
    is_beyond = row["comparison"] in ("at_least", "at_most") and row["verdict"] != "inside"
    if (row["comparison"] == "fold" or is_beyond) and np.isfinite(row["log_fold"]):
        return "fold", float(row["log_fold"])
    if np.isfinite(row["z"]):
        return "distance", float(np.sign(row["z"]) * row["distance"])
    return "sign", 0.0


def _draw_mark(canvas: Canvas, x: float, y: float, row: Mapping[str, Any]) -> None:
    kind, colour, size = MARKS[row["verdict"]]
    fill = BACKGROUND if row["fitted"] else colour
    title = f"{row['id']}: {number(row['simulated'])} against {row['expected'] or number(row['published'])}"
    canvas.mark(x, y, kind, size=size, fill=fill, edge=colour, width=0.8, title=title)


def _remark(rows: Sequence[Mapping[Any, Any]]) -> tuple[str, str]:
    """The worst row of a source that is not inside, as text, and the colour of the text."""
    not_inside = [row for row in rows if row["verdict"] != "inside"]
    if not not_inside:
        return "", MUTED_COLOUR
    worst = max(not_inside, key=lambda row: np.inf if np.isnan(row["distance"]) else row["distance"])
    misses = sum(row["verdict"] == "miss" for row in rows)
    text = f"{worst['id']}: {number(worst['simulated'])} against {worst['expected'] or number(worst['published'])}"
    suffix = f" (+{misses - 1} more)" if misses > 1 else ""
    return text + suffix, TEXT_COLOUR if worst["verdict"] in ("miss", "no result") else MUTED_COLOUR


def _draw_header(canvas: Canvas, rows: pd.DataFrame) -> None:
    counts = rows.verdict.value_counts()
    canvas.text(_MARGIN, 27, "Simulated against published", size=15, bold=True)
    verdicts = ", ".join(f"{counts.get(name, 0)} {name}" for name in MARKS if counts.get(name, 0))
    canvas.text(
        _MARGIN, 46, f"{len(rows)} comparisons: {verdicts}. Misses are labelled on the right.", colour=MUTED_COLOUR
    )
    canvas.text(_REMARK_LEFT, _TOP - 8, "worst row of the source", size=8, colour=MUTED_COLOUR)
    legend = {
        **{label: (*style, False) for label, style in MARKS.items()},
        "open: fitted": ("o", MUTED_COLOUR, 4.7, True),
    }
    x = _MARGIN + 4
    for label, (kind, colour, size, hollow) in legend.items():
        canvas.mark(x, 63, kind, size=size, fill=BACKGROUND if hollow else colour, edge=colour, width=0.8)
        canvas.text(x + 7, 63, label, size=_LEGEND_SIZE, edge="center")
        x += 24 + text_width(label, _LEGEND_SIZE)


def write_scorecard(
    folder: str | Path, card: Scorecard, *, png: bool = False, metadata: Mapping[str, object] | None = None
) -> list[Path]:
    """Write scorecard.csv (worst first), by_source, acceptance_criteria, uncovered and scorecard.svg, with `metadata`.

    `png`: also scorecard.png.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tables = {
        "scorecard": card.rows.sort_values("distance", ascending=False, na_position="first"),
        "by_source": card.by_source,
        "acceptance_criteria": card.criteria,
        "uncovered": card.uncovered,
    }
    for name, table in tables.items():
        write_table(table, target / f"{name}.csv", metadata or {}, digits="%.6g")
    canvas = scorecard_figure(card.rows)
    canvas.save(target / "scorecard.svg")
    if png:
        save_png(canvas, target / "scorecard.png")
    return [target / name for name in (*(f"{name}.csv" for name in tables), *FIGURES[: 1 + png])]
