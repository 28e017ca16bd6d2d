"""`ketamech evidence`: the published values; `ketamech cite`: the papers behind a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.suggestions import Command, Group
from ketamech.core import require_known
from ketamech.core.constants import DISCLAIMER

HELP = """List or show published values.

Example:  ketamech evidence list --stage nmda
"""
app = typer.Typer(cls=Group, help=HELP, no_args_is_help=True)


@app.command("list", epilog=DISCLAIMER, cls=Command)
def list_rows(
    stage: Annotated[str | None, typer.Option(help="Only rows of this stage, e.g. nmda")] = None,
    drug: Annotated[str | None, typer.Option(help="Only rows whose drug contains this text")] = None,
    use: Annotated[str | None, typer.Option(help="Only rows with this use: calibrate or context")] = None,
    text: Annotated[str | None, typer.Option(help="Only rows that contain this text")] = None,
) -> None:
    """List evidence rows.

    Example:  ketamech evidence list --stage nmda --text IC50
    """
    from ketamech import evidence

    evidence_tables = evidence.load_evidence()
    for key, filter_text in (("stage", stage), ("use", use)):
        if filter_text is not None:
            valid = sorted({getattr(row, key) for row in evidence_tables.observations.values()})
            require_known(
                filter_text, valid, f"no evidence has {key} '{filter_text}'", key=f"--{key}", expected=", ".join(valid)
            )
    rows = evidence_tables.select(stage=stage, drug=drug, use=use, text=text)
    if not rows:
        terminal.progress().print("No row matches.")
    terminal.table(evidence.format_listing(rows), title=f"{len(rows)} rows")


@app.command("show", epilog=DISCLAIMER, cls=Command)
def show(id: Annotated[str, typer.Argument(help="The id of a row, e.g. shaffer-ket-ic50")]) -> None:
    """Show one evidence row in full, with its source.

    Example:  ketamech evidence show shaffer-ket-ic50
    """
    from ketamech import evidence

    terminal.print_line(evidence.format_row(evidence.load_evidence(), id))


Run = Annotated[Path, typer.Argument(help="A folder of results or a file of results (.nc, .zarr, .parquet, .csv)")]
Bibtex = Annotated[bool, typer.Option("--bibtex", help="Print BibTeX instead of text")]


def cite(run: Run, bibtex: Bibtex = False) -> None:
    """Print the papers whose values a run used.

    Example:  ketamech cite runs/nasal --bibtex > nasal.bib

    More examples:

      ketamech cite nasal.nc
    """
    from ketamech.report.bibliography import cite as report_cite

    terminal.print_line(report_cite(run, bibtex=bibtex), fold=not bibtex)
