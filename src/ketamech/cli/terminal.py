"""What the commands share: the error stream for progress, the model with its compile line, plain tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ketamech.core import BadInput

DISCLAIMER = "For research and education only: not treatment or dosing advice."


def progress() -> Console:
    """Progress and remarks go to the error stream, results to the output."""
    return Console(stderr=True, highlight=False)


def model() -> Any:
    """The compiled model, with a line and a spinner while it compiles."""
    from ketamech.study import load_model

    console = progress()
    with console.status("Building the equations and checking their units ...") as status:
        return load_model(announce=lambda line: status.update(line))


def refuse_file(folder: Path) -> None:
    """Raise BadInput before hours of work when results are to go into something that is a file."""
    if folder.is_file():
        raise BadInput(f"'{folder}' is a file", expected="a folder to write to", type_this="--out runs/NAME")


def written(what: object) -> str:
    """A name that the user chose, safe to print beside markup."""
    return escape(str(what))


def table(rows: Sequence[Mapping[str, object]], *, title: str | None = None, right: Sequence[str] = ()) -> None:
    """Rows as a table on the terminal, or as tab-separated lines into a pipe."""
    if not rows:
        return
    columns = list(rows[0])
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(_text(row[c]) for c in columns) + "\n")
        return
    drawn = Table(title=escape(title) if title else None, header_style="bold")
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(_text(row[c])) for c in columns))
    Console(highlight=False).print(drawn)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
