"""Tables and figure of the scorecard: one line per source, grouped by stage, largest deviations first."""

from __future__ import annotations

import textwrap
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
from ketamech.report.svg_canvas import Canvas, save_png

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
_MAX_SOURCE_LETTERS, _LETTER_WIDTH, _MAX_REMARK_LETTERS = (
    50,
    4.6,
    60,
)  # letters of a source name, letter width, letters of a remark
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
        share = (min(max(value, -self.edge), self.edge) / self.edge + 1) / 2
        return self.left + share * (self.right - self.left)


STRIPS = {
    "fold": Strip(252, 430, float(np.log(FOLD_LIMIT)), (float(np.log(2)), float(np.log(1.25))),
                  tuple((text, float(np.log(fold))) for text, fold in _FOLDS), ("simulated over published",)),
    "distance": Strip(454, 557, DISTANCE_LIMIT, (1.5, 1.0),
                      tuple((plain(x), x) for x in (-4, -2, -1, 0, 1, 2, 4)),
                      ("distance: 1 is 1.96 SE", "or the edge of the range")),
    "sign": Strip(578, 610, 1.0, (), (), ("yes or no",)),
}  # fmt: skip


def scorecard_figure(rows: pd.DataFrame) -> Canvas:
    """Fold errors, distances and signs of every comparison; `rows` as in `Scorecard.rows`."""
    lines = _lines(rows)
    canvas = Canvas(_WIDTH, _TOP + _LINE_HEIGHT * len(lines) + _BOTTOM)
    _draw_strips(canvas)
    for place, (stage, part) in enumerate(lines):
        y = _TOP + _LINE_HEIGHT * (place + 0.5)
        if part is None:
            canvas.text(_MARGIN, y, stage, bold=True, edge="center")
        else:
            _source(canvas, y, part)
    _header(canvas, rows)
    canvas.text(_MARGIN, canvas.height - 10, DISCLAIMER, size=8, colour=MUTED_COLOUR)
    return canvas


def _lines(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame | None]]:
    """A heading and the sources of each stage; stages with the largest share of misses first."""
    stages = rows.assign(bad=~rows.verdict.isin(["inside", "near"])).groupby("stage").bad.mean()
    lines: list[tuple[str, pd.DataFrame | None]] = []
    for stage in stages.sort_values(ascending=False, kind="stable").index:
        lines.append((stage, None))
        parts = [part for _, part in rows[rows.stage == stage].groupby("reference", sort=False)]
        lines += [(stage, part) for part in sorted(parts, key=_distance_order, reverse=True)]
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
        for i, words in enumerate(strip.title):
            canvas.text(middle, bottom + 17 + 10.5 * i, words, anchor="center", edge="top")
            above = top - 16 - 9 * (len(strip.title) - 1 - i)
            canvas.text(middle, above, words, size=8, colour=MUTED_COLOUR, anchor="center")


def _source(canvas: Canvas, y: float, part: pd.DataFrame) -> None:
    name = textwrap.shorten(part.citation.iloc[0], _MAX_SOURCE_LETTERS, placeholder=" …")
    canvas.text(_MARGIN + 6, y, name, size=8, edge="center")
    records: list[dict[Any, Any]] = part.to_dict("records")
    places: list[tuple[str, float]] = []
    for kind, value in map(_strip_position, records):
        before = sum(other == "sign" for other, _ in places)
        x = STRIPS["sign"].left + 3 + min(before, 5) * 5.5 if kind == "sign" else STRIPS[kind].x(value)
        places.append((kind, x))
    for kind in ("fold", "distance"):
        along = [x for other, x in places if other == kind]
        canvas.segments([(min(along), y, max(along), y)] if len(along) > 1 else [], colour=MUTED_COLOUR, width=0.7)
    for (_, x), row in zip(places, records, strict=True):
        _mark(canvas, x, y, row)
    _remark(canvas, y, records)


def _strip_position(row: Mapping[Any, Any]) -> tuple[str, float]:
    """The strip of a comparison and its value."""
    beyond = row["comparison"] in ("at_least", "at_most") and row["verdict"] != "inside"
    if (row["comparison"] == "fold" or beyond) and np.isfinite(row["log_fold"]):
        return "fold", float(row["log_fold"])
    if np.isfinite(row["z"]):
        return "distance", float(np.sign(row["z"]) * row["distance"])
    return "sign", 0.0


def _mark(canvas: Canvas, x: float, y: float, row: Mapping[str, Any]) -> None:
    kind, colour, size = MARKS[row["verdict"]]
    face = BACKGROUND if row["fitted"] else colour
    title = f"{row['id']}: {number(row['simulated'])} against {row['expected'] or number(row['published'])}"
    canvas.mark(x, y, kind, size=size, fill=face, edge=colour, width=0.8, title=title)


def _remark(canvas: Canvas, y: float, rows: Sequence[Mapping[str, Any]]) -> None:
    """Label the worst row of a source that is not inside."""
    bad = [row for row in rows if row["verdict"] != "inside"]
    if not bad:
        return
    worst = max(bad, key=lambda row: np.inf if np.isnan(row["distance"]) else row["distance"])
    misses = sum(row["verdict"] == "miss" for row in rows)
    text = f"{worst['id']}: {number(worst['simulated'])} against {worst['expected'] or number(worst['published'])}"
    more = f" (+{misses - 1} more)" if misses > 1 else ""
    colour = TEXT_COLOUR if worst["verdict"] in ("miss", "no result") else MUTED_COLOUR
    words = textwrap.shorten(text, _MAX_REMARK_LETTERS, placeholder=" …") + more
    canvas.text(STRIPS["sign"].right + 10, y, words, size=7.5, colour=colour, edge="center")


def _header(canvas: Canvas, rows: pd.DataFrame) -> None:
    counts = rows.verdict.value_counts()
    canvas.text(_MARGIN, 27, "Simulated against published", size=15, bold=True)
    verdicts = ", ".join(f"{counts.get(word, 0)} {word}" for word in MARKS if counts.get(word, 0))
    canvas.text(
        _MARGIN, 46, f"{len(rows)} comparisons: {verdicts}. Misses are labelled on the right.", colour=MUTED_COLOUR
    )
    canvas.text(STRIPS["sign"].right + 10, _TOP - 8, "worst row of the source", size=8, colour=MUTED_COLOUR)
    key = {**{word: (*style, False) for word, style in MARKS.items()}, "open: fitted": ("o", MUTED_COLOUR, 4.7, True)}
    x = _MARGIN + 4
    for word, (kind, colour, size, hollow) in key.items():
        canvas.mark(x, 63, kind, size=size, fill=BACKGROUND if hollow else colour, edge=colour, width=0.8)
        canvas.text(x + 7, 63, word, edge="center")
        x += 24 + _LETTER_WIDTH * len(word)


def write_scorecard(
    folder: str | Path, card: Scorecard, *, png: bool = False, facts: Mapping[str, object] | None = None
) -> list[Path]:
    """Write scorecard.csv (worst first), by_source, acceptance_criteria, uncovered (with `facts`), and scorecard.svg.

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
        write_table(table, target / f"{name}.csv", facts or {}, digits="%.6g")
    picture = scorecard_figure(card.rows)
    picture.save(target / "scorecard.svg")
    if png:
        save_png(picture, target / "scorecard.png")
    return [target / name for name in (*(f"{name}.csv" for name in tables), *FIGURES[: 1 + png])]
