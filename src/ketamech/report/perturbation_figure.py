"""Figure of the perturbation experiments: predicted and observed effect of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ketamech.core.constants import DISCLAIMER
from ketamech.exchange.result_metadata import write_table
from ketamech.report.number_format import number, plain
from ketamech.report.palette import BACKGROUND, BLUE, GREY, GRID_COLOUR, MUTED_COLOUR, TEXT_COLOUR, VERMILLION
from ketamech.report.svg_canvas import LINE_STEP, Canvas, save_png
from ketamech.report.text_width import wrapped

# verdict -> marker and colour; shape and colour carry the same information
MARKS = {"right": ("o", BLUE), "wrong": ("X", VERMILLION), "undecided": ("s", GREY)}
PANELS = {
    "left": "remaining share of the ketamine effect",
    "effect": "effect relative to ketamine one day later",
    "harm": "remaining share of the harm of a protocol",
    "ratio": "ratio to the same animal without the drug",
    "points": "points compared with no treatment",
    "responds": "decrease relative to baseline",
}
SCALES = {
    "left": (0.0, 2.0), "harm": (0.0, 2.0), "effect": (0.0, 1.6), "ratio": (0.0, 2.5), "points": (-15.0, 5.0),
    "responds": (0.0, 1.0),
}  # fmt: skip
_WIDTH, _LINE_HEIGHT, _COUNTS_TOP, _MARGIN, _GAP = 900.0, 14.0, 44.0, 16.0, 40.0
_LEFT, _RIGHT, _RESULT_LEFT = 430.0, 640.0, 660.0
_COUNTS_SIZE, _LABEL_SIZE, _RESULT_SIZE = 9.0, 8.0, 7.5


def perturbations_figure(table: pd.DataFrame, counts: str) -> Canvas:
    """One panel per statistic, one line per experiment; grey bar: published interval or predefined band."""
    panels = [(kind, _rows_of_kind(table, kind)) for kind in PANELS]
    undecided = _records(table[table.verdict == "undecided"])
    sentences = [part for line in counts.splitlines() for part in line.split(". ")]
    counts_lines = [line for part in sentences for line in wrapped(part, _WIDTH - 2 * _MARGIN, _COUNTS_SIZE)]
    legend_top = _COUNTS_TOP + LINE_STEP * _COUNTS_SIZE * len(counts_lines) + 8
    top = legend_top + 14
    panels_height = sum(_GAP - _LINE_HEIGHT + _height(rows) for _, rows in panels if rows)
    height = top + panels_height + _GAP + _height(undecided) + 30
    canvas = Canvas(_WIDTH, height)
    canvas.text(_MARGIN, 27, "Experiments: predicted against observed", size=15, bold=True)
    canvas.lines(_MARGIN, _COUNTS_TOP, counts_lines, size=_COUNTS_SIZE, colour=MUTED_COLOUR)
    _draw_legend(canvas, legend_top)
    y = top
    for kind, rows in panels:
        if rows:
            y = _draw_panel(canvas, kind, rows, y)
    y += _GAP - _LINE_HEIGHT
    canvas.text(_MARGIN, y, "undecided: the model cannot represent these experiments", bold=True, edge="center")
    for row, y_of_row in _with_middles(undecided, y + _LINE_HEIGHT / 2):
        _draw_label(canvas, y_of_row, row)
        reason = _reason_lines(row)
        canvas.lines(_LEFT, y_of_row, reason, size=_RESULT_SIZE, colour=MUTED_COLOUR, edge="center")
    canvas.text(_MARGIN, height - 10, DISCLAIMER, size=8, colour=MUTED_COLOUR)
    return canvas


def _label_lines(row: Mapping[str, Any]) -> list[str]:
    """Id and intervention of an experiment."""
    intervention = " + ".join(part for part in (row["regimen"], row["with"]) if part)
    text = f"{row['evidence']}: {intervention}" if intervention else row["evidence"]
    return wrapped(text, _LEFT - _MARGIN - 6 - _LABEL_SIZE, _LABEL_SIZE)


def _reason_lines(row: Mapping[str, Any]) -> list[str]:
    """Why an experiment is undecided; empty for others."""
    reason = row["why"] if row["verdict"] == "undecided" else ""
    return wrapped(reason, _WIDTH - _MARGIN - _LEFT, _RESULT_SIZE)


def _row_height(row: Mapping[str, Any]) -> float:
    further = max(_LABEL_SIZE * (len(_label_lines(row)) - 1), _RESULT_SIZE * (len(_reason_lines(row)) - 1))
    return _LINE_HEIGHT + LINE_STEP * further


def _height(rows: Sequence[Mapping[str, Any]]) -> float:
    return sum(map(_row_height, rows))


def _with_middles(rows: Sequence[Mapping[str, Any]], top: float) -> Iterator[tuple[Mapping[str, Any], float]]:
    """Rows below each other from `top` on, each with its middle."""
    for row in rows:
        height = _row_height(row)
        yield row, top + height / 2
        top += height


def save_perturbations(
    folder: Path, table: pd.DataFrame, counts: str, *, png: bool = False, metadata: Mapping[str, object] | None = None
) -> list[Path]:
    """Write perturbations.csv (with `metadata`), perturbations.svg and, with `png`, perturbations.png."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "perturbations.csv", folder / "perturbations.svg"]
    write_table(table, paths[0], metadata or {}, digits="%.6g")
    canvas = perturbations_figure(table, counts)
    canvas.save(paths[1])
    if png:
        paths.append(folder / "perturbations.png")
        save_png(canvas, paths[-1])
    return paths


def _rows_of_kind(table: pd.DataFrame, kind: str) -> list[dict[str, Any]]:
    selected = table[table.statistic.str.split().str[0].eq(kind) & table.verdict.ne("undecided")]
    sorted_rows = selected.assign(bad=selected.verdict.eq("wrong")).sort_values(
        ["bad", "observed"], ascending=False, kind="stable"
    )
    return _records(sorted_rows)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _draw_panel(canvas: Canvas, kind: str, rows: Sequence[Mapping[str, Any]], top: float) -> float:
    low, high = SCALES[kind]
    y = top + _GAP - _LINE_HEIGHT
    canvas.text(_MARGIN, y, PANELS[kind], bold=True, edge="center")
    bottom = y + _LINE_HEIGHT / 2 + _height(rows)
    for tick in (low, 0.0, 1.0, high):
        if low <= tick <= high:
            x = _x(tick, kind)
            canvas.segments([(x, y + 8, x, bottom)], colour=GRID_COLOUR, width=0.7)
            canvas.text(x, y, plain(tick), size=7.5, colour=MUTED_COLOUR, anchor="center", edge="center")
    for row, y_of_row in _with_middles(rows, y + _LINE_HEIGHT / 2):
        _draw_row(canvas, y_of_row, kind, row)
    return bottom - _LINE_HEIGHT / 2


def _x(value: float, kind: str) -> float:
    low, high = SCALES[kind]
    return _LEFT + (min(max(value, low), high) - low) / (high - low) * (_RIGHT - _LEFT)


def _draw_row(canvas: Canvas, y: float, kind: str, row: Mapping[str, Any]) -> None:
    _draw_label(canvas, y, row)
    low = SCALES[kind][0] if math.isnan(row["low"]) else row["low"]
    high = SCALES[kind][1] if math.isnan(row["high"]) else row["high"]
    if row["band"]:
        left, right = _x(low, kind), _x(high, kind)
        canvas.box(left, y - 4, max(right - left, 2), 8, colour=GRID_COLOUR, opacity=0.9)
    mark, colour = MARKS[row["verdict"]]
    fill = colour if row["inside"] or row["inside"] is None else BACKGROUND
    title = f"{row['evidence']}: predicted {row['predicted']} ({number(row['size'])}), observed {row['observed']}"
    canvas.mark(_x(row["size"], kind), y, mark, size=5.5, fill=fill, edge=colour, width=0.9, title=title)
    text = f"{number(row['size'])}  predicted {row['predicted']}, observed {row['observed']}"
    canvas.text(
        _RESULT_LEFT,
        y,
        text,
        size=_RESULT_SIZE,
        colour=TEXT_COLOUR if row["verdict"] == "wrong" else MUTED_COLOUR,
        edge="center",
    )


def _draw_label(canvas: Canvas, y: float, row: Mapping[str, Any]) -> None:
    canvas.lines(_MARGIN + 6, y, _label_lines(row), size=_LABEL_SIZE, edge="center")


def _draw_legend(canvas: Canvas, y: float) -> None:
    x = _MARGIN + 4
    for verdict, (mark, colour) in MARKS.items():
        canvas.mark(x, y, mark, size=5.5, fill=colour, edge=colour, width=0.9)
        canvas.text(x + 8, y, f"{verdict} direction", edge="center")
        x += 118
    canvas.mark(x, y, "o", size=5.5, fill=BACKGROUND, edge=MUTED_COLOUR, width=0.9)
    canvas.text(x + 8, y, "open: size outside", edge="center")
    canvas.box(x + 112, y - 4, 18, 8, colour=GRID_COLOUR, opacity=0.9)
    canvas.text(x + 136, y, "published interval, or predefined band", edge="center")
