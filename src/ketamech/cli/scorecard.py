"""`ketamech scorecard`: simulated against published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and the picture")]
Everything = Annotated[bool, typer.Option("--rows", help="Print every row, not one line a source")]
Png = Annotated[bool, typer.Option("--png", help="Write the picture also as PNG, for slides")]


def scorecard(out: Out = Path("runs/scorecard"), rows: Everything = False, png: Png = False) -> None:
    """Simulate the protocol of every published row that one typical patient can reach, and compare.

    Prints one line per source with its fold error or z, misses included, then the goals; writes tables and a
    picture.
    """
    from ketamech import analysis, report
    from ketamech.cli import terminal

    terminal.refuse_file(out)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Simulating the published protocols ...") as status:
        card = analysis.scorecard(model, progress=lambda line: status.update(str(line)))
    written = report.write_scorecard(out, card, png=png)
    shown = card.rows if rows else card.by_source
    terminal.table(shown.to_dict("records"), title="Simulated against published")
    terminal.table(card.goals.to_dict("records"), title="Goals")
    console.print(f"Written: {terminal.written(', '.join(str(path) for path in written))}   {terminal.DISCLAIMER}")
