"""`ketamech scorecard`: simulated against published values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.cli.checkpoint_options import Resume, Scheduler, long_run, threads_of
from ketamech.cli.terminal import require_extra
from ketamech.core.execution import Executor

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and figures")]
Everything = Annotated[bool, typer.Option("--rows", help="Print every row instead of one line per source")]
Replicates = Annotated[int, typer.Option(min=2, help="Virtual trials for each published trial")]
Trials = Annotated[bool, typer.Option("--trials/--no-trials", help="Also compare the rows that need virtual trials")]
Markdown = Annotated[Path | None, typer.Option(help="Also write the comparison of trials to this Markdown file")]
Png = Annotated[bool, typer.Option("--png", help="Also write the figure as PNG")]


def scorecard(
    out: Out = Path("runs/scorecard"), rows: Everything = False, png: Png = False, trials: Trials = True,
    replicates: Replicates = 60, markdown: Markdown = None, resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Compare simulated with published values.

    Example:  ketamech scorecard --no-trials

    The protocol of every published row that the model covers is simulated.
    First the rows that a typical patient can answer: one line per source with its fold error or z, and the acceptance
    criteria. Then clinical rows by virtual trials of the published size, each with a 95 % prediction interval over
    chance, patients and the posterior. Rows that the model misses are shown, worst first.
    """
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import replace_folder

    if trials:
        require_extra("trials")
    terminal.refuse_file(out)
    model = terminal.model()
    job = {"command": "scorecard", "replicates": replicates}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work, replace_folder(out) as draft:
        written = _by_patient(draft, model, rows, png)
        if trials:
            written += _by_trials(draft, model, replicates, markdown, work, threads_of(None, scheduler))
        found = [out / path.relative_to(draft) if path.is_relative_to(draft) else path for path in written]
    terminal.wrote(found)


def _facts(model: Any) -> dict[str, str]:
    from ketamech.cli import terminal
    from ketamech.report.provenance import provenance_of_many

    return provenance_of_many("scorecard", "", model, terminal.command_line())


def _by_patient(out: Path, model: Any, rows: bool, png: bool) -> list[Path]:
    """Compare the typical patient: write tables and a figure, print the tables; returns the files."""
    from ketamech.analysis.scorecard import scorecard as analysis_scorecard
    from ketamech.cli import terminal
    from ketamech.report.scorecard_figure import write_scorecard

    console = terminal.progress()
    with console.status("Simulating the published protocols ...") as status:
        card = analysis_scorecard(model, progress=lambda line: status.update(str(line)))
    written = write_scorecard(out, card, png=png, facts=_facts(model))
    shown = card.rows if rows else card.by_source
    terminal.table(shown.to_dict("records"), title="Simulated against published values")
    terminal.table(card.criteria.to_dict("records"), title="Acceptance criteria")
    return list(written)


def _by_trials(
    out: Path, model: Any, replicates: int, markdown: Path | None, work: Executor, threads: int
) -> list[Path]:
    """Compare virtual trials: write tables and figures, print the tables; returns the files."""
    from ketamech.analysis.trial_scorecard import trial_scorecard
    from ketamech.cli import terminal
    from ketamech.estimation.posterior import load_posterior
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.trial_scorecard_page import draw_forest, draw_predictive_checks, write_trial_scorecard

    with terminal.progress().status("Running virtual trials ...") as status:
        card = trial_scorecard(
            model, load_posterior(), replicates=replicates, threads=threads, work=work,
            progress=lambda line: status.update(str(line)),
        )  # fmt: skip
    ordered = card.rows.reindex(card.rows["z"].abs().sort_values(ascending=False).index)
    paths = [out / "trials.csv", out / "trial_goals.csv"]
    for path, table in zip(paths, (ordered, card.criteria), strict=True):
        write_table(table, path, _facts(model), digits="%.6g")
    shown = ["id", "statistic", "published", "low", "high", "simulated", "sim_low", "sim_high", "z", "inside", "role"]
    terminal.table(ordered[shown].to_dict("records"), title="Virtual against published trials, worst first")
    terminal.table(card.spreads[shown].to_dict("records"), title="Standard deviations within arms")
    terminal.table(card.by_stage.to_dict("records"), title="By endpoint")
    terminal.table(card.criteria.to_dict("records"), title="Acceptance criteria of virtual trials")
    if markdown:
        paths.append(write_trial_scorecard(markdown, card))
    return [*paths, *draw_forest(out, card.rows), *draw_predictive_checks(out, card.rows)]
