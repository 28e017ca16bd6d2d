"""The `ketamech` command: its help, its errors, its exit codes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ketamech.cli import (
    calibrate,
    cite,
    claims,
    compare_simulators,
    demo,
    design,
    equations,
    evidence,
    explain,
    export,
    import_,
    network,
    population,
    scale_dose,
    schema,
    scorecard,
    sensitivity,
    serve,
    simulate,
    streams,
    trial,
    verify,
)
from ketamech.cli.optional_dependencies import missing
from ketamech.cli.suggestions import Command, Group
from ketamech.cli.terminal import DISCLAIMER
from ketamech.core import InputError, KetaMechError
from ketamech.core.atomic_files import DISK_FULL_ERRORS, CacheWarning

HELP = f"""How does ketamine work? KetaMech computes it: from a dose to the mood weeks later, with a
published source behind every number.

Start with:  ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

{DISCLAIMER}
"""
app = typer.Typer(cls=Group, help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for command in (
    simulate.simulate,
    population.people,
    trial.trial,
    scale_dose.translate,
    calibrate.calibrate,
    sensitivity.sensitivity,
    design.design,
    network.areas,
    scorecard.scorecard,
    explain.explain,
    claims.claims,
    verify.check,
    equations.describe,
    export.export,
    import_.import_,
    compare_simulators.certify,
    cite.cite,
    demo.demo,
    schema.schema,
    serve.app,
):
    app.command(command.__name__.rstrip("_"), epilog=DISCLAIMER, cls=Command)(command)
app.add_typer(evidence.app, name="evidence", epilog=DISCLAIMER)


def _version(wanted: bool) -> None:
    if wanted:
        from ketamech import __version__

        typer.echo(f"ketamech {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line; an error of ours is printed without a traceback and leaves with code 2."""
    streams.prepare()
    warnings.showwarning = _plain_warning(warnings.showwarning)
    try:
        try:
            app()
        finally:
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
        streams.let_go(sys.stdout)
        sys.exit(0)
    except OSError as problem:
        if "--debug" in sys.argv:
            raise
        streams.let_go(sys.stdout)
        expected = "more room, then the same command" if problem.errno in DISK_FULL_ERRORS else "a place to write to"
        print_error(InputError(f"{problem.strerror or problem}", file=problem.filename, expected=expected))
        sys.exit(2)


def _plain_warning(usual: Callable[..., None]) -> Callable[..., None]:
    """Shows a warning of ours in plain words, and any other as usual."""

    def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, CacheWarning):
            sys.stderr.write(f"Warning: {message}\n")
        else:
            usual(message, category, *rest, **more)

    return show


def print_error(problem: KetaMechError) -> None:
    """One error on the error stream, file and line first; lines are not wrapped, so that paths stay whole."""
    Console(stderr=True).print(Text.assemble(("Error: ", "bold red"), str(problem)), soft_wrap=True)
