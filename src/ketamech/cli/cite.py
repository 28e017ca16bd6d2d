"""`ketamech cite`: the papers behind a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="A folder of results or a file of results (.nc, .zarr, .parquet, .csv)")]
Bibtex = Annotated[bool, typer.Option("--bibtex", help="Print BibTeX instead of text")]


def cite(run: Run, bibtex: Bibtex = False) -> None:
    """Print the papers whose values a run used.

    Example:  ketamech cite runs/nasal --bibtex > nasal.bib

    More examples:

      ketamech cite nasal.nc
    """
    from ketamech.cli import terminal
    from ketamech.report.bibliography import cite as report_cite

    terminal.say(report_cite(run, bibtex=bibtex), fold=not bibtex)
