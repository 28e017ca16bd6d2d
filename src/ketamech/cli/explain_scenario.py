"""`ketamech explain SCENARIO`: attribution on the terminal, and a folder of tables, pictures and a page."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ketamech.cli import terminal

FOLDER = Path("runs/explain")
SHOWN = ("shapley", "shapley_low", "shapley_high", "lost", "alone")


def explain_scenario(
    target: str, outcomes: str | None, draws: int | None, seed: int, threads: int | None, out: Path | None
) -> None:
    """Share out a scenario among its pathways, print the main outcome in words and all outcomes as a table."""
    from ketamech import report, study
    from ketamech.analysis import attribution, attribution_words
    from ketamech.cli.progress import counting

    folder = out or FOLDER
    terminal.refuse_file(folder)
    model = terminal.model()
    asked = study.load_scenario(target, model.parameters)
    attribution.players(model, asked)  # a slip shows before anything is solved
    number = attribution.DRAWS if draws is None else draws
    with counting("Coalitions of pathways") as tell:
        found = attribution.attribute(
            model, asked, wanted=outcomes, draws=number, seed=seed, threads=threads or os.cpu_count() or 1, tell=tell
        )
    console = terminal.progress()
    for note in (*asked.assumptions, *_notes(found)):
        console.print(f"Note: {terminal.written(note)}.")
    with console.status("Drawing and writing the page ..."):
        page = report.write_attribution(folder, found, model.parameters, shlex.join(["ketamech", *sys.argv[1:]]))
    kept = set(report.reached(found))
    rows = found.table[found.table["outcome"].isin(kept)] if kept else found.table
    shown = rows.assign(pathway=rows["pathway"].map(attribution_words.in_words))
    terminal.table(shown[["outcome", "pathway", *SHOWN]].to_dict("records"), title="Who carries what")
    for sentence in attribution_words.told(found, model.parameters):
        console.print(terminal.written(sentence))
    console.print(f"Open [bold]{terminal.written(page)}[/bold]   {terminal.DISCLAIMER}")


def _notes(found: object) -> list[str]:
    from ketamech.analysis.attribution import Attribution

    assert isinstance(found, Attribution)
    notes = []
    if found.skipped:
        notes.append(f"after the horizon and left out: {', '.join(found.skipped)}")
    if found.failed:
        notes.append(f"{found.failed} draws could not be solved and are left out")
    return notes
