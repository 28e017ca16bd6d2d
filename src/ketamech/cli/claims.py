"""`ketamech claims`: common statements about ketamine, compared with evidence and model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the page and the table")]
One = Annotated[str, typer.Option("--claim", help="Only this claim (its id), printed in full")]
Markdown = Annotated[Path | None, typer.Option(help="Also write the claims to this Markdown file")]


def claims(out: Out = Path("runs/claims"), claim: One = "", markdown: Markdown = None) -> None:
    """Compare statements about ketamine with evidence.

    Example:  ketamech claims --claim esketamine-no-dissociation

    Each common statement gets a verdict from the evidence and the result of the model.
    Every experiment is simulated again. Writes a table and a page with a figure for each statement.
    """
    from ketamech.analysis.claims import load_rule
    from ketamech.analysis.evaluate_claims import evaluate_claims
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.report.claims_page import claim_in_full, claim_rows, write_claims, write_claims_document
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
    if markdown:
        written.append(write_claims_document(markdown, answers))
    terminal.table(claim_rows(answers), title="Statements about ketamine")
    terminal.wrote(written)
