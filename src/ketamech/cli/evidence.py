"""`ketamech evidence`: the published numbers."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="The published numbers behind the model.", no_args_is_help=True)


@app.command("list")
def list_rows(
    stage: Annotated[str | None, typer.Option(help="Only this stage of the tables, e.g. nmda")] = None,
    drug: Annotated[str | None, typer.Option(help="Only rows whose drug contains this")] = None,
    use: Annotated[str | None, typer.Option(help="calibrate or context")] = None,
    text: Annotated[str | None, typer.Option(help="Only rows that contain this text")] = None,
) -> None:
    """List evidence rows.

    Example:  ketamech evidence list --stage nmda --text IC50
    """
    from ketamech import evidence
    from ketamech.cli import terminal

    found = evidence.load_evidence().select(stage=stage, drug=drug, use=use, text=text)
    terminal.table(evidence.listing(found), title=f"{len(found)} rows")


@app.command("show")
def show(id: Annotated[str, typer.Argument(help="The id of a row, e.g. shaffer-ket-ic50")]) -> None:
    """Show one row whole, with its source.

    Example:  ketamech evidence show shaffer-ket-ic50
    """
    from ketamech import evidence

    typer.echo(evidence.describe(evidence.load_evidence(), id))
