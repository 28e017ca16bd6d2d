"""What the commands share: the error stream for progress, the model with its compile line, plain tables."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ketamech.core import BadInput

SHORT, READABLE, GAP = 9, 13, 3  # letters: what is kept whole, what a column of words needs, room between columns
DISCLAIMER = "For research and education only: not treatment or dosing advice."


def progress() -> Console:
    """Progress and remarks go to the error stream, results to the output."""
    return Console(stderr=True, highlight=False)


def command_line() -> str:
    """What was typed, as it stands in the provenance of results."""
    return shlex.join(["ketamech", *sys.argv[1:]])


def model(kinetics: Path | None = None) -> Any:
    """The compiled model, with a line and a spinner while it compiles; with the kinetics of a file, if there is one."""
    from ketamech.study import load_model

    console = progress()
    if kinetics is not None:
        from ketamech.exchange.kinetics import load_kinetics_model

        with console.status("Building the model with its kinetics ..."):
            return load_kinetics_model(kinetics)
    with console.status("Loading the model ...") as status:
        return load_model(announce=lambda line: status.update(line))


def refuse_file(folder: Path) -> None:
    """Raise BadInput before hours of work when results are to go into something that is a file."""
    if folder.is_file():
        raise BadInput(f"'{folder}' is a file", expected="a folder to write to", type_this="--out runs/NAME")


def written(what: object) -> str:
    """A name that the user chose, safe to print beside markup."""
    return escape(str(what))


def table(rows: Sequence[Mapping[Any, object]], *, title: str | None = None, right: Sequence[str] = ()) -> None:
    """Rows as a table on the terminal, or as tab-separated lines into a pipe."""
    if not rows:
        return
    columns = list(rows[0])
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(_text(row[c]) for c in columns) + "\n")
        return
    console = Console(highlight=False)
    shown = _fitting(columns, rows, console.width)
    drawn = Table(title=escape(title) if title else None, header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in shown:
        short = _widest(column, rows) <= SHORT  # numbers stay whole, words fold
        header = escape(column.replace(" ", "\n") if short and len(column) > SHORT else column)
        drawn.add_column(header, justify="right" if column in right else "left", overflow="fold", no_wrap=short)
    for row in rows:
        drawn.add_row(*(escape(_text(row[c])) for c in shown))
    console.print(drawn)
    if len(shown) < len(columns):
        console.print(f"A wider terminal also shows: {escape(', '.join(columns[len(shown) :]))}")


def _fitting(columns: Sequence[str], rows: Sequence[Mapping[str, object]], width: int) -> list[str]:
    """The first columns that fit side by side with their numbers whole; two at least."""
    shown: list[str] = []
    for column in columns:
        widest = _widest(column, rows)
        header = len(column) if len(column) <= SHORT else max(len(word) for word in column.split())
        width -= (max(widest, header) if widest <= SHORT else max(READABLE, header)) + GAP
        if width < -GAP and len(shown) >= 2:
            break
        shown.append(column)
    return shown


def _widest(column: str, rows: Sequence[Mapping[str, object]]) -> int:
    return max(len(_text(row[column])) for row in rows)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
