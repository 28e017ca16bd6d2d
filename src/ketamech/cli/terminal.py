"""What the commands share: messages, tables and progress on the terminal, the compiled model, missing libraries.

In a table, cells fold between words, and columns that do not fit the width of the terminal follow in a table below.
"""

from __future__ import annotations

import errno
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO
from weakref import WeakSet

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ketamech.core import InputError
from ketamech.core.constants import DISCLAIMER
from ketamech.core.optional_libraries import EXTRAS, how_to_install

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import ProgressColumn

    from ketamech.simulation.scenario import Scenario


COLUMN_GAP = 2  # characters
MIN_COLUMN_WIDTHS = (12, 24)  # characters; of short and of long sentences
MAX_CELL_LINES = 4  # lines of a cell where the width of its column is between these two
WORD_FOLD_POINTS = re.compile(r"(?<=[^\W\d_][._/,-])(?=[^\W\d_])")  # where a word that is longer than a line is folded
NAME_FOLD_POINTS = re.compile(r"(?<=[^\W\d_][._])(?=[^\W\d_])")  # where a name may be folded so that more columns fit
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
    word_widths = {name: _min_width(name, rows, _longest_word) for name in columns}
    folded_widths = {name: _min_width(name, rows, _longest_part) for name in columns}
    natural_widths = {name: max(_cell_lengths(name, rows)) for name in columns}
    for min_widths in (word_widths, folded_widths):
        if _total_width(min_widths.values()) <= width:
            return Layout(_distributed_widths(min_widths, natural_widths, width), ())
    shown: dict[str, int] = {}
    for name in columns:
        if len(shown) >= 2 and _total_width([*shown.values(), word_widths[name]]) > width:
            break
        shown[name] = word_widths[name]
    if _total_width(shown.values()) > width:
        shown = {name: folded_widths[name] for name in shown}
    return Layout(_distributed_widths(shown, natural_widths, width), columns[len(shown) :])


def table_text(
    rows: Sequence[Row], table_layout: Layout, *, title: str | None = None, right: Sequence[str] = ()
) -> Table:
    """The table as rich draws it; every line of a cell is cut to its column beforehand."""
    table = Table(
        title=escape(title) if title else None, header_style="bold", box=SIMPLE_HEAD, show_edge=False,
        padding=(0, COLUMN_GAP - 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for name, width in table_layout.widths.items():
        header = "\n".join(folded_text(_heading(name), width))
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(escape(header), justify=justify, width=width, no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*(escape("\n".join(folded_text(cell(row[n]), w))) for n, w in table_layout.widths.items()))
    return table


def folded_text(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken between words; within one only if it is longer than a line."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            for i, part in enumerate(_word_pieces(word, width)):
                separator = " " if line and not i else ""
                if len(line) + len(separator) + len(part) <= width:
                    line += separator + part
                else:
                    lines.append(line)
                    line = part
        lines.append(line)
    return lines


def _word_pieces(word: str, width: int) -> list[str]:
    """A word in pieces that fit into a line."""
    if len(word) <= width:
        return [word]
    pieces: list[str] = []
    for part in WORD_FOLD_POINTS.split(word):
        if pieces and len(pieces[-1]) + len(part) <= width:
            pieces[-1] += part
        else:
            pieces += [part[i : i + width] for i in range(0, len(part), width)] or [""]
    return pieces


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _cell_lengths(name: str, rows: Sequence[Row]) -> list[int]:
    """Length of the header and of every cell of a column."""
    return [len(_heading(name)), *(len(line) for row in rows for line in cell(row[name]).split("\n"))]


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _longest_part(text: str) -> int:
    return max((len(part) for word in text.split() for part in NAME_FOLD_POINTS.split(word)), default=0)


def _min_width(name: str, rows: Sequence[Row], longest_part: Callable[[str], int]) -> int:
    """The minimum width of a column: its longest word, and more where its cells are sentences."""
    word = max([_longest_word(_heading(name)), *(longest_part(cell(row[name])) for row in rows)])
    sentence = max((len(cell(row[name])) for row in rows if " " in cell(row[name])), default=0)
    return max(word, min(sentence, max(MIN_COLUMN_WIDTHS[0], min(MIN_COLUMN_WIDTHS[1], sentence // MAX_CELL_LINES))), 1)


def _total_width(widths: Collection[int]) -> int:
    return sum(widths) + COLUMN_GAP * (len(widths) - 1)


def _distributed_widths(min_widths: Mapping[str, int], natural_widths: Mapping[str, int], width: int) -> dict[str, int]:
    """The widths [column] with the remaining characters given to the columns where they save most lines."""
    widths = dict(min_widths)
    for _ in range(width - _total_width(widths.values())):
        name = max(widths, key=lambda n: natural_widths[n] / widths[n])
        if natural_widths[name] <= widths[name]:
            break
        widths[name] += 1
    return widths


def require_extra(extra: str) -> None:
    """Raise InputError if a library of an extra is not installed."""
    for name in EXTRAS[extra]:
        if find_spec(name) is None:
            raise missing(name)


def missing(name: str) -> InputError:
    """The error for a library that is not installed, with the command that installs it."""
    return InputError(f"this needs {name}, which is not installed", type_this=how_to_install(name))


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

    left_columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    right_columns = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*left_columns, *columns, *right_columns, console=progress(), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def update(completed: int, total: int | None = None, label: str | None = None) -> None:
            bar.update(task, completed=completed, total=total, description=label)

        yield update


def command_line() -> str:
    """The command line as it is recorded in the provenance of results."""
    return shlex.join(["ketamech", *sys.argv[1:]])


def model(pk_model: Path | None = None, variant: str | None = None) -> Any:
    """The compiled model: with the pharmacokinetics of the file `pk_model`, or of a variant with its own equations."""
    from ketamech.simulation.model import load_model, load_variant

    console = progress()
    if pk_model is not None:
        from ketamech.exchange.custom_pk import load_kinetics_model

        with console.status("Building the model with these pharmacokinetics ..."):
            return load_kinetics_model(pk_model)
    with console.status("Loading the model ...") as status:
        if variant:
            return load_variant(variant, announce=status.update)
        return load_model(announce=status.update)


def print_regimen(scenario: Scenario) -> None:
    """Print the regimen and the perturbations as they were understood."""
    regimen_text = scenario.regimen.sentence(exact=False) or "no treatment"
    perturbations = [perturbation.text for perturbation in scenario.perturbations]
    print_note(f"Regimen: {' with '.join((regimen_text, *perturbations))}")


def print_assumptions(notes: Iterable[str], label: str = "Assumed") -> None:
    """Print one line for each assumption that was made."""
    for note in notes:
        progress().print(f"{label}: {escape_markup(note)}.")


def provenance(title: str, model: Any, seed: int | None = None) -> dict[str, str]:
    """The metadata of results of many patients: versions, hashes, command line, seed, date and papers."""
    from ketamech.report.provenance import provenance_of_many

    return provenance_of_many(title, "", model, command_line(), seed)


def check_folder(folder: Path) -> None:
    """Raise InputError, before any work, if results cannot be written to the folder."""
    from ketamech.exchange.output_folder import require_own_folder

    try:
        folder.stat()
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            expected = "a folder to write to"
            raise InputError(f"'{folder}' is a symbolic link in a circle", key="--out", expected=expected) from None
    require_own_folder(folder.resolve())


def refuse_file(folder: Path) -> None:
    """Raise InputError, before any work, if the folder for the results is a file."""
    if folder.is_file():
        raise InputError(f"'{folder}' is a file", expected="a folder to write to", type_this="--out runs/NAME")


def write_text(to: Path, text: str) -> None:
    """Write a text file, in a new folder where needed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, encoding="utf-8")


def write_scenario(to: Path, text: str) -> None:
    """Write a scenario file, and print the command that simulates it."""
    write_text(to, text)
    print_note(f"Written: {to}. Next: ketamech simulate {to}")


def escape_markup(text: object) -> str:
    """Text from the user with its square brackets escaped, so that they are not read as markup."""
    return escape(str(text))


def print_note(text: str) -> None:
    """Print a line of plain text on the error stream; it is not folded, so that paths stay whole."""
    progress().print(escape_markup(text), soft_wrap=True)


def print_open_hint(path: object, prefix: str = "") -> None:
    """Print which file to open; its path is not folded."""
    progress().print(f"{prefix}Open [bold]{escape_markup(path)}[/bold]", soft_wrap=True)


def print_written_files(paths: Sequence[object]) -> None:
    """Print which files were written."""
    print_note(f"Written: {', '.join(map(str, paths))}")


def print_disclaimer(*_result: object, **_options: object) -> None:
    """Print the disclaimer on the error stream: the last line of every command that ends well."""
    progress().print(DISCLAIMER)


def print_line(text: str, *, fold: bool = True) -> None:
    """Print text on the standard output: unchanged into a pipe, folded between words on a terminal."""
    if not (fold and sys.stdout.isatty()):
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    width = Console().width
    for line in text.rstrip("\n").split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        for folded in folded_text(line, width - len(indent)):
            sys.stdout.write(f"{indent}{folded}".rstrip() + "\n")


_streams_with_tables: WeakSet[TextIO] = WeakSet()


def _is_a_further_table() -> bool:
    """Whether a table was printed to the present standard output before."""
    is_further = sys.stdout in _streams_with_tables
    _streams_with_tables.add(sys.stdout)
    return is_further


def table(
    content: pd.DataFrame | Sequence[Mapping[Any, object]], *, title: str | None = None, right: Sequence[str] = ()
) -> None:
    """Print a table on a terminal, or tab-separated lines into a pipe.

    In a pipe the header of the first table is the first line; a line "# title" separates further ones.
    """
    rows: Sequence[Any] = content if isinstance(content, Sequence) else content.to_dict("records")
    if not rows:
        return
    columns = list(rows[0])
    if not sys.stdout.isatty():
        if _is_a_further_table():
            sys.stdout.write(f"\n# {title}\n" if title else "\n")
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(cell(row[c]) for c in columns) + "\n")
        return
    console = Console(highlight=False)
    table_layout = layout(columns, rows, console.width)
    console.print()
    console.print(table_text(rows, table_layout, title=title, right=right))
    while table_layout.left_out:  # the other columns below, after the first column again
        table_layout = layout([columns[0], *table_layout.left_out], rows, console.width)
        console.print()
        console.print(table_text(rows, table_layout, right=right))
