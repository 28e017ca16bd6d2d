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
    from ketamech.analysis.claims.evaluate_claims import evaluate_claims
    from ketamech.analysis.claims.tables import load_rule
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.report.claims_markdown import claim_in_full, write_claims_document
    from ketamech.report.claims_page import claim_rows, write_claims
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.run_folder import check_folder

    check_folder(out)
    model = terminal.model()
    console = terminal.progress()
    with console.status("Running the experiments ...") as status:
        answers = evaluate_claims(model, [claim] if claim else [], progress=lambda line: status.update(str(line)))
    if claim:
        terminal.say(claim_in_full(answers[claim], load_rule()[0]).replace("**", ""))
        console.print(terminal.DISCLAIMER)
        return
    facts = provenance_of_many("claims", "", model, terminal.command_line())
    with atomic_folder(out) as draft:
        written = [out / path.relative_to(draft) for path in write_claims(draft, answers, facts)]
    if docs:
        written.append(write_claims_document(docs, answers))
    terminal.table(claim_rows(answers), title="What people say about ketamine")
    terminal.wrote(written)
