"""`ketamech claims`: common statements about ketamine, compared with evidence and model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import Resume, Scheduler, Seed, Threads
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    from ketamech.analysis.robustness import ParameterSetAnswers
    from ketamech.simulation.model import Model

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the page and the table")]
One = Annotated[str, typer.Option("--claim", help="Only this claim (its id), printed in full")]
Markdown = Annotated[Path | None, typer.Option(help="Also write the claims to this Markdown file")]
Robust = Annotated[
    int | None,
    typer.Option("--robust", min=1, help="Number of sets of assumed parameters in which every conclusion is tested"),
]
SHOWN = ("kind", "conclusion", "finding", "holds_share", "calibrated_share", "separated_by")


def claims(
    out: Out = Path("runs/claims"), claim: One = "", markdown: Markdown = None, robust: Robust = None, seed: Seed = 1,
    threads: Threads = None, resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Compare statements about ketamine with evidence.

    Example:  ketamech claims --claim esketamine-no-dissociation

    Each common statement gets a verdict from the evidence and the result of the model.
    Every experiment is simulated again. Writes a table and a page with a figure for each statement.

    With --robust N all assumed parameters are drawn jointly N times over their spreads, and every conclusion of the
    model (claims, pathway shares, contrasts of doses and times, published perturbations) is tested in every set.
    A conclusion that holds in less than 90 % of them is the consequence of an assumption. Writes robustness.csv and
    robustness_run.csv; copy both to data/claims for 'ketamech claims' to print them.

    More examples:

      ketamech claims --robust 1000 --out runs/robustness
    """

    model = terminal.model()
    if robust:
        _test_robustness(model, robust, seed, available_threads(threads, scheduler), out, resume, scheduler)
        return
    terminal.check_folder(out)
    _compare(model, out, claim, markdown)


def _compare(model: Model, out: Path, claim: str, markdown: Path | None) -> None:
    """Simulate the experiments of the claims and write or print the results."""
    from ketamech.analysis.claims import evaluate_claims, load_rule
    from ketamech.analysis.robustness import load_robustness
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.report.claims_page import claim_in_full, claim_rows, write_claims, write_claims_document

    console = terminal.progress()
    with console.status("Running the experiments ...") as status:
        answers = evaluate_claims(model, [claim] if claim else [], progress=lambda line: status.update(str(line)))
    remarks = (load_robustness().note(model), assumed_share(model))
    if claim:
        terminal.print_line(claim_in_full(answers[claim], load_rule()[0]).replace("**", ""))
        for remark in remarks:
            terminal.print_note(remark)
        return
    metadata = terminal.provenance("claims", model)
    with atomic_folder(out) as draft:
        paths = [out / path.relative_to(draft) for path in write_claims(draft, answers, metadata)]
    if markdown:
        paths.append(write_claims_document(markdown, answers))
    terminal.table(claim_rows(answers), title="Statements about ketamine")
    for remark in remarks:
        terminal.print_note(remark)
    terminal.print_written_files(paths)


def assumed_share(model: Model) -> str:
    """A sentence with the share of the parameters that is assumed."""
    count, assumed = len(model.parameters), model.parameters.share_of("assumed")
    return f"Of {count} parameters {100 * assumed:.0f} % are assumed; 'ketamech equations' lists them."


def _test_robustness(
    model: Model, sets: int, seed: int, threads: int, out: Path, resume: bool, scheduler: str | None
) -> None:
    """Test every conclusion in `sets` parameter sets, write tables and print the conclusions that are not robust."""
    from ketamech.analysis.robustness import RobustnessProblem, write_robustness
    from ketamech.exchange.output_folder import replace_folder

    terminal.refuse_file(out)
    problem = RobustnessProblem.of(model, seed=seed, threads=threads)
    job = {"command": "claims --robust", "seed": seed, "conclusions": len(problem.conclusions)}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work:
        with terminal.progress_bar("Parameter sets", sets) as update:
            answers = replace(problem, executor=work).evaluate(sets, update)
        with replace_folder(out) as draft:
            paths = [out / path.name for path in write_robustness(draft, answers)]
    _print_robustness(answers)
    terminal.print_written_files(paths)


def _print_robustness(answers: ParameterSetAnswers) -> None:
    """The conclusions below 90 %, and how many of each kind they are."""
    from ketamech.analysis.robustness import ASSUMPTION_LABEL, ROBUST

    table = answers.table()
    not_robust = table[~(table["holds_share"] >= ROBUST)]
    terminal.table(
        not_robust[list(SHOWN)],
        title=f"Holds in less than {100 * ROBUST:g} % of {answers.n_sets} sets: {ASSUMPTION_LABEL}",
    )
    for kind, rows in table.groupby("kind", sort=False):
        count = int((rows["holds_share"] >= ROBUST).sum())
        terminal.print_note(
            f"{kind}: {count} of {len(rows)} conclusions hold in {100 * ROBUST:g} % of the sets or more."
        )
