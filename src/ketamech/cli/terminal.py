"""What the commands share: the error stream for progress, the model with its compile line, plain tables."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ketamech.cli.tables import cell, drawn, folded_text, layout
from ketamech.core import InputError

DISCLAIMER = "For research and education only: not treatment or dosing advice."


def progress() -> Console:
    """Progress and remarks go to the error stream, results to the output; only a terminal has lines that end."""
    console = Console(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


def command_line() -> str:
    """What was typed, as it stands in the provenance of results."""
    return shlex.join(["ketamech", *sys.argv[1:]])


def model(kinetics: Path | None = None) -> Any:
    """The compiled model, with a line and a spinner while it compiles; with the kinetics of a file, if there is one."""
    from ketamech.simulation.model import load_model

    console = progress()
    if kinetics is not None:
        from ketamech.exchange.custom_pk import load_kinetics_model

        with console.status("Building the model with its kinetics ..."):
            return load_kinetics_model(kinetics)
    with console.status("Loading the model ...") as status:
        return load_model(announce=lambda line: status.update(line))


def refuse_file(folder: Path) -> None:
    """Raise BadInput before hours of work when results are to go into something that is a file."""
    if folder.is_file():
        raise InputError(f"'{folder}' is a file", expected="a folder to write to", type_this="--out runs/NAME")


def escape_markup(what: object) -> str:
    """A name that the user chose, safe to print beside markup."""
    return escape(str(what))


def opened(path: object, before: str = "") -> None:
    """Say which file to open; its name stays on one line, however long it is."""
    console = progress()
    console.print(f"{before}Open [bold]{escape_markup(path)}[/bold]", soft_wrap=True)
    console.print(DISCLAIMER)


def wrote(paths: Sequence[object], before: str = "Written: ") -> None:
    """Say which files were written, likewise."""
    console = progress()
    console.print(before + escape_markup(", ".join(map(str, paths))), soft_wrap=True)
    console.print(DISCLAIMER)


def say(text: str, *, fold: bool = True) -> None:
    """Text on the output: as it is into a pipe, folded between words on a terminal."""
    if not (fold and sys.stdout.isatty()):
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    width = Console().width
    for line in text.rstrip("\n").split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        for folded in folded_text(line, width - len(indent)):
            sys.stdout.write(f"{indent}{folded}".rstrip() + "\n")


def table(rows: Sequence[Mapping[Any, object]], *, title: str | None = None, right: Sequence[str] = ()) -> None:
    """Rows as a table on the terminal, or as tab-separated lines into a pipe."""
    if not rows:
        return
    columns = list(rows[0])
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(cell(row[c]) for c in columns) + "\n")
        return
    console = Console(highlight=False)
    found = layout(columns, rows, console.width)
    console.print()
    console.print(drawn(rows, found, title=title, right=right))
    if found.left_out:
        console.print(f"A wider terminal also shows: {escape(', '.join(found.left_out))}")
