"""Tables for a terminal of a given width: cells fold between words, and columns that do not fit are named."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

GAP = 2  # characters between two columns
READABLE = (12, 24)  # characters that a column of short and of long sentences needs at least
LINES = 4  # in which a cell is to be read, where the width is between these two
JOINTS = re.compile(r"(?<=[^\W\d_][._/,-])(?=[^\W\d_])")  # where a word that is longer than a line is folded
DOTS = re.compile(r"(?<=[^\W\d_][._])(?=[^\W\d_])")  # where a name may be folded so that more columns fit
Row = Mapping[str, object]


@dataclass(frozen=True)
class Layout:
    """Columns that fit side by side with their widths, and those that do not."""

    widths: Mapping[str, int]
    left_out: Sequence[str]


def cell(value: object) -> str:
    """A value as text; nothing for None and NaN."""
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def layout(columns: Sequence[str], rows: Sequence[Row], width: int) -> Layout:
    """The first columns that fit into `width` characters; two at least.

    No word is broken where that can be avoided: names of parameters are folded at dots if all columns then fit.
    """
    whole = {name: _least(name, rows, _longest_word) for name in columns}
    folded = {name: _least(name, rows, _longest_part) for name in columns}
    natural = {name: max(_lengths(name, rows)) for name in columns}
    for least in (whole, folded):
        if _total(least.values()) <= width:
            return Layout(_shared_out(least, natural, width), ())
    shown: dict[str, int] = {}
    for name in columns:
        if len(shown) >= 2 and _total([*shown.values(), whole[name]]) > width:
            break
        shown[name] = whole[name]
    if _total(shown.values()) > width:
        shown = {name: folded[name] for name in shown}
    return Layout(_shared_out(shown, natural, width), columns[len(shown) :])


def drawn(rows: Sequence[Row], found: Layout, *, title: str | None = None, right: Sequence[str] = ()) -> Table:
    """The table as rich draws it; every line of a cell is cut to its column beforehand."""
    table = Table(
        title=escape(title) if title else None, header_style="bold", box=SIMPLE_HEAD, show_edge=False,
        padding=(0, GAP - 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for name, width in found.widths.items():
        header = "\n".join(folded_text(_heading(name), width))
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(escape(header), justify=justify, width=width, no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*(escape("\n".join(folded_text(cell(row[n]), w))) for n, w in found.widths.items()))
    return table


def folded_text(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken between words; within one only if it is longer than a line."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            for i, part in enumerate(_parts(word, width)):
                gap = " " if line and not i else ""
                if len(line) + len(gap) + len(part) <= width:
                    line += gap + part
                else:
                    lines.append(line)
                    line = part
        lines.append(line)
    return lines


def _parts(word: str, width: int) -> list[str]:
    """A word that is longer than a line, in pieces that are not."""
    if len(word) <= width:
        return [word]
    pieces: list[str] = []
    for part in JOINTS.split(word):
        if pieces and len(pieces[-1]) + len(part) <= width:
            pieces[-1] += part
        else:
            pieces += [part[i : i + width] for i in range(0, len(part), width)] or [""]
    return pieces


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _lengths(name: str, rows: Sequence[Row]) -> list[int]:
    """Length of the header and of every cell of a column."""
    return [len(_heading(name)), *(len(line) for row in rows for line in cell(row[name]).split("\n"))]


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _longest_part(text: str) -> int:
    return max((len(part) for word in text.split() for part in DOTS.split(word)), default=0)


def _least(name: str, rows: Sequence[Row], longest: Callable[[str], int]) -> int:
    """The narrowest a column may be: its longest word, and room to read where there are sentences."""
    words = max([_longest_word(_heading(name)), *(longest(cell(row[name])) for row in rows)])
    sentences = max((len(cell(row[name])) for row in rows if " " in cell(row[name])), default=0)
    return max(words, min(sentences, max(READABLE[0], min(READABLE[1], sentences // LINES))), 1)


def _total(widths: Collection[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shared_out(least: Mapping[str, int], natural: Mapping[str, int], width: int) -> dict[str, int]:
    """What is left of the width goes where it saves most lines."""
    found = dict(least)
    for _ in range(width - _total(found.values())):
        name = max(found, key=lambda n: natural[n] / found[n])
        if natural[name] <= found[name]:
            break
        found[name] += 1
    return found
