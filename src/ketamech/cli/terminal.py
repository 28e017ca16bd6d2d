"""What the commands share: messages and progress on the error stream, the compiled model, plain tables."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from ketamech.cli.tables import cell, drawn, folded_text, layout
from ketamech.core import InputError

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from ketamech.simulation.scenario import Scenario

DISCLAIMER = "For research and education only: not treatment or dosing advice."


def progress() -> Console:
    """The console of the error stream, for progress and remarks; lines are folded on a terminal only."""
    console = Console(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


@contextmanager
def progress_bar(
    label: str, total: int | None = None, *, columns: Sequence[ProgressColumn] = ()
) -> Iterator[Callable[..., None]]:
    """A progress bar on the error stream, removed at the end; yields `update(completed, total=None, label=None)`."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    usual = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*usual, *columns, *times, console=progress(), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def update(completed: int, total: int | None = None, label: str | None = None) -> None:
            bar.update(task, completed=completed, total=total, description=label)

        yield update


def command_line() -> str:
    """The command line as it is recorded in the provenance of results."""
    return shlex.join(["ketamech", *sys.argv[1:]])


def model(pk_model: Path | None = None) -> Any:
    """The compiled model, with the pharmacokinetics of the file `pk_model` if there is one."""
    from ketamech.simulation.model import load_model

    console = progress()
    if pk_model is not None:
        from ketamech.exchange.custom_pk import load_kinetics_model

        with console.status("Building the model with these pharmacokinetics ..."):
            return load_kinetics_model(pk_model)
    with console.status("Loading the model ...") as status:
        return load_model(announce=lambda line: status.update(line))


def print_regimen(scenario: Scenario) -> None:
    """Print the regimen and the perturbations as they were understood."""
    words = scenario.regimen.sentence(exact=False) or "no treatment"
    beside = [one.text for one in scenario.perturbations]
    progress().print(f"Regimen: {escape_markup(' with '.join((words, *beside)))}", soft_wrap=True)


def print_assumptions(notes: Iterable[str], label: str = "Assumed") -> None:
    """Print one line for each assumption that was made."""
    for note in notes:
        progress().print(f"{label}: {escape_markup(note)}.")


def refuse_file(folder: Path) -> None:
    """Raise InputError, before any work, if the folder for the results is a file."""
    if folder.is_file():
        raise InputError(f"'{folder}' is a file", expected="a folder to write to", type_this="--out runs/NAME")


def escape_markup(what: object) -> str:
    """Text from the user with its square brackets escaped, so that they are not read as markup."""
    return escape(str(what))


def opened(path: object, before: str = "") -> None:
    """Print which file to open; its path is not folded."""
    console = progress()
    console.print(f"{before}Open [bold]{escape_markup(path)}[/bold]", soft_wrap=True)
    console.print(DISCLAIMER)


def wrote(paths: Sequence[object], before: str = "Written: ") -> None:
    """Print which files were written; their paths are not folded."""
    console = progress()
    console.print(before + escape_markup(", ".join(map(str, paths))), soft_wrap=True)
    console.print(DISCLAIMER)


def say(text: str, *, fold: bool = True) -> None:
    """Print text on the standard output: unchanged into a pipe, folded between words on a terminal."""
    if not (fold and sys.stdout.isatty()):
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    width = Console().width
    for line in text.rstrip("\n").split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        for folded in folded_text(line, width - len(indent)):
            sys.stdout.write(f"{indent}{folded}".rstrip() + "\n")


def table(rows: Sequence[Mapping[Any, object]], *, title: str | None = None, right: Sequence[str] = ()) -> None:
    """Print rows as a table on a terminal, or as tab-separated lines into a pipe."""
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
