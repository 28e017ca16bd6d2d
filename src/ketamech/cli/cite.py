"""`ketamech cite`: the papers a run owes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="A folder written by `ketamech simulate`")]
Bibtex = Annotated[bool, typer.Option("--bibtex", help="BibTeX instead of text")]


def cite(run: Run, bibtex: Bibtex = False) -> None:
    """Print only the papers whose numbers that run used.

    Example:  ketamech cite runs/nasal --bibtex > nasal.bib
    """
    from ketamech import report

    typer.echo(report.cite(run, bibtex=bibtex))
