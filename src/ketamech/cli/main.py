"""The `ketamech` command: its help, errors and exit codes, and standard streams of any encoding."""

from __future__ import annotations

import codecs
import gc
import os
import sys
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.text import Text

from ketamech.cli.suggestions import Command, Group, current_arguments
from ketamech.cli.terminal import missing, print_disclaimer
from ketamech.core import InputError, KetaMechError
from ketamech.core.atomic_files import DISK_FULL_ERRORS, CacheWarning
from ketamech.core.constants import DISCLAIMER
from ketamech.core.deprecated_names import RenamedWarning

HELP = f"""Simulate ketamine from a dose to mood weeks later: in one patient, a virtual population or a virtual trial.

Start with:  ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

Every parameter states its source or is marked as assumed; about three in four are assumed ('ketamech equations').

{DISCLAIMER}
"""
OBJECTS_BETWEEN_COLLECTIONS = 100_000  # imports create no garbage; this saves a tenth of a cold start
COMMANDS: Mapping[str, tuple[str, ...]] = {  # modules of ketamech.cli with their commands, in the order of the help
    "simulate": ("simulate",), "population": ("population",), "trial": ("trial",), "scale_dose": ("scale_dose",),
    "calibrate": ("calibrate",), "fit": ("fit", "vpc"),
    "individualise": ("individualise", "sampling_times", "target_infusion"), "sensitivity": ("sensitivity",),
    "design": ("design",), "nca": ("nca",), "network": ("network",), "scorecard": ("scorecard",),
    "attribute": ("attribute",), "perturbations": ("perturbations",), "variants": ("variants",),
    "claims": ("claims",), "verify": ("verify",), "equations": ("equations",), "export": ("export",),
    "import_": ("import_",), "compare_simulators": ("compare_simulators",), "evidence": ("cite",), "demo": ("demo",),
    "schema": ("schema",), "serve": ("serve", "site"),
}  # fmt: skip


def command_line(only: str | None = None) -> typer.Typer:
    """The program with all its commands, or with `only` one of COMMANDS, which starts in less time."""
    made = typer.Typer(
        cls=Group, help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    made.callback(result_callback=print_disclaimer)(_root)
    for module, functions in COMMANDS.items():
        for function in functions:
            name = command_name(function)
            if only in (None, name):
                command = getattr(import_module(f"ketamech.cli.{module}"), function)
                made.command(name, epilog=DISCLAIMER, cls=Command)(command)
    if only is None:
        from ketamech.cli import evidence

        made.add_typer(evidence.app, name="evidence", epilog=DISCLAIMER)
    return made


def command_name(function: str) -> str:
    """The name of a command as it is typed."""
    return function.rstrip("_").replace("_", "-")


def __getattr__(name: str) -> Any:
    """`app`, the program with all its commands, which is built when it is first read."""
    if name == "app":
        globals()[name] = command_line()
        return globals()[name]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def _version(is_set: bool) -> None:
    if is_set:
        from ketamech import __version__

        typer.echo(f"ketamech {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line. A KetaMechError is printed without a traceback; the exit code is then 2."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    prepare_streams()
    warnings.showwarning = _show_warning(warnings.showwarning)
    try:
        try:
            sys.argv[1:] = current_arguments(sys.argv[1:])
            command_line(_typed_command(sys.argv[1:]))()
        finally:
            gc.freeze()  # at its exit Python would search all objects for garbage: a fifth of a cold start
            sys.stdout.flush()
    except KetaMechError as problem:
        if "--debug" in sys.argv:
            raise
        print_error(problem)
        sys.exit(2)
    except ModuleNotFoundError as problem:
        if "--debug" in sys.argv or (problem.name or "").startswith("ketamech"):
            raise
        print_error(missing(problem.name or str(problem)))
        sys.exit(2)
    except BrokenPipeError:
        close_broken_pipe(sys.stdout)
        sys.exit(0)
    except OSError as problem:
        if "--debug" in sys.argv:
            raise
        close_broken_pipe(sys.stdout)
        expected = (
            "more disk space, then the same command"
            if problem.errno in DISK_FULL_ERRORS
            else "a path that can be written to"
        )
        print_error(InputError(f"{problem.strerror or problem}", file=problem.filename, expected=expected))
        sys.exit(2)


def _typed_command(arguments: Sequence[str]) -> str | None:
    """The first word, where it is a command of COMMANDS."""
    known = {command_name(function) for functions in COMMANDS.values() for function in functions}
    return arguments[0] if arguments and arguments[0] in known else None


def _show_warning(default_show: Callable[..., None]) -> Callable[..., None]:
    """A function that shows warnings for users as one plain line, and any other warning as usual."""

    def show(message: Warning | str, category: type[Warning], *arguments: Any, **keywords: Any) -> None:
        if issubclass(category, CacheWarning | RenamedWarning):
            sys.stderr.write(f"Warning: {message}\n")
        else:
            default_show(message, category, *arguments, **keywords)

    return show


def print_error(problem: KetaMechError) -> None:
    """Print an error on the error stream, file and line first; lines are not folded, so that paths stay whole."""
    Console(stderr=True).print(Text.assemble(("Error: ", "bold red"), str(problem)), soft_wrap=True)


ASCII_EQUIVALENTS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "…": "...", "×": "x", "·": "*", "→": "->", "←": "<-", "≤": "<=",
    "≥": ">=", "≈": "~", "±": "+/-", "µ": "u", "μ": "u", "α": "alpha", "β": "beta", "κ": "kappa", "Δ": "delta",
    "°": " deg", "’": "'", "‘": "'", "“": '"', "”": '"', "•": "-", "─": "-", "━": "-", "│": "|", "✓": "ok", "✗": "x",
    "≠": "!=", "²": "^2", "³": "^3", "½": "1/2", "¼": "1/4", "™": "(TM)", "®": "(R)", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
HANDLER = "ketamech_plain"


def prepare_streams() -> None:
    """Make the standard streams safe to write to, before anything else is opened.

    A character that the encoding of a stream lacks is written in ASCII (a minus sign as '-', a letter without its
    accent, else '?'). A stream that is closed is replaced by the null device.
    """
    codecs.register_error(HANDLER, _in_ascii)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (open until exit)
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def close_broken_pipe(stream: TextIO) -> None:
    """Discard the buffer of a stream, so that Python does not try to write it again at exit."""
    try:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, stream.fileno())
        os.close(null_device)
    except (OSError, ValueError):  # no stream of the system, as in a test
        return


def plain(text: str) -> str:
    """The text in ASCII."""
    return "".join(_plain(letter) for letter in text)


def _plain(letter: str) -> str:
    if letter.isascii() or letter in ASCII_EQUIVALENTS:
        return ASCII_EQUIVALENTS.get(letter, letter)
    base_letter = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return (
        base_letter if letter.isalpha() and base_letter else "?"
    )  # the ASCII part of a symbol may have another meaning


def _in_ascii(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return plain(problem.object[problem.start : problem.end]), problem.end
