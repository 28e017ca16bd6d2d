"""`ketamech explain SCENARIO`: attribution on the terminal, and a folder of tables, pictures and a page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ketamech.cli import terminal

FOLDER = Path("runs/explain")
SHOWN = ("shapley", "shapley_low", "shapley_high", "lost", "alone")


@dataclass(frozen=True)
class ExplainOptions:
    """What the command line said."""

    outcomes: str | None
    draws: int | None
    wiring: str | None
    seed: int
    threads: int | None
    out: Path | None


def explain_scenario(target: str, said: ExplainOptions) -> None:
    """Share out a scenario among its pathways, print the main outcome in words and all outcomes as a table."""
    from ketamech.analysis import attribution, attribution_text, pathways
    from ketamech.cli.progress import counting
    from ketamech.report.attribution_page import outcomes_with_contributions, write_attribution
    from ketamech.report.provenance import provenance_of
    from ketamech.simulation.load_scenario import load_scenario

    folder = said.out or FOLDER
    terminal.refuse_file(folder)
    model = terminal.model()
    asked = load_scenario(target, model.parameters, wiring=said.wiring)
    attribution.switched_on_pathways(model, asked)  # a slip shows before anything is solved
    number = attribution.DRAWS if said.draws is None else said.draws
    with counting("Coalitions of pathways") as tell:
        found = attribution.attribute(
            model, asked, wanted=said.outcomes, draws=number, seed=said.seed,
            threads=said.threads or os.cpu_count() or 1, tell=tell,
        )  # fmt: skip
    console = terminal.progress()
    for note in (*asked.assumptions, *_notes(found)):
        console.print(f"Note: {terminal.escape_markup(note)}.")
    with console.status("Drawing and writing the page ..."):
        line = terminal.command_line()
        facts = provenance_of(asked, model, said.seed, line)
        page = write_attribution(folder, found, model.parameters, line, facts)
    kept = set(outcomes_with_contributions(found))
    rows = found.table[found.table["outcome"].isin(kept)] if kept else found.table
    shown = rows.assign(pathway=rows["pathway"].map(lambda name: pathways.component(name).label))
    kept_rows = shown[["outcome", "pathway", *SHOWN]].to_dict("records")
    terminal.table([{str(k): v for k, v in row.items()} for row in kept_rows], title="Who carries what")
    for sentence in attribution_text.describe_attribution(found, model.parameters):
        console.print(terminal.escape_markup(sentence), soft_wrap=True)
    terminal.opened(page)


def _notes(found: object) -> list[str]:
    from ketamech.analysis.attribution import Attribution

    assert isinstance(found, Attribution)
    notes = []
    if found.skipped:
        notes.append(f"after the horizon and left out: {', '.join(found.skipped)}")
    if found.failed:
        notes.append(f"{found.failed} draws could not be solved and are left out")
    return notes
