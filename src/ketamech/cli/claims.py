"""`ketamech claims`: what people say, what the model shows, what the evidence allows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the page and the table")]
One = Annotated[str, typer.Option("--claim", help="Print one claim in full instead, by its id")]
Docs = Annotated[Path | None, typer.Option(help="Also write the claims as Markdown here")]


def claims(out: Out = Path("runs/claims"), claim: One = "", docs: Docs = None) -> None:
    """Print common statements about ketamine, each with a verdict from evidence and the model's own result.

    Example:  ketamech claims --claim esketamine-no-dissociation

    Every experiment is run anew. Writes a page with a live figure for each statement, and a table.
    """
    from ketamech import exchange, report
    from ketamech.analysis.claims import answer_claims, load_rule
    from ketamech.cli import terminal

    report.refuse_folder(out)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Running the experiments ...") as status:
        answers = answer_claims(model, [claim] if claim else [], progress=lambda line: status.update(str(line)))
    if claim:
        terminal.say(report.claim_in_full(answers[claim], load_rule()[0]).replace("**", ""))
        console.print(terminal.DISCLAIMER)
        return
    facts = report.provenance_of_many("claims", "", model, terminal.command_line())
    with exchange.whole_folder(out) as draft:
        written = [out / path.relative_to(draft) for path in report.write_claims(draft, answers, facts)]
    if docs:
        written.append(report.write_claims_document(docs, answers))
    terminal.table(report.claim_rows(answers), title="What people say about ketamine")
    terminal.wrote(written)
