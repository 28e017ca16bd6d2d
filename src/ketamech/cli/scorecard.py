"""`ketamech scorecard`: simulated against published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.cli.checkpoint_options import Resume, Scheduler, long_run, threads_of
from ketamech.cli.optional_dependencies import require_extra
from ketamech.core.execution import Executor

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and the picture")]
Everything = Annotated[bool, typer.Option("--rows", help="Print every row, not one line a source")]
Replicates = Annotated[int, typer.Option(min=2, help="Virtual trials for each published one")]
Trials = Annotated[bool, typer.Option("--trials/--no-trials", help="Also the rows that need virtual trials")]
Docs = Annotated[Path | None, typer.Option(help="Also write the page of virtual trials, as Markdown, here")]
Png = Annotated[bool, typer.Option("--png", help="Write the picture also as PNG, for slides")]


def scorecard(
    out: Out = Path("runs/scorecard"), rows: Everything = False, png: Png = False, trials: Trials = True,
    replicates: Replicates = 60, docs: Docs = None, resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Simulate the protocol of every published row that can be reached, and compare.

    Example:  ketamech scorecard --no-trials

    First what one typical patient reaches: one line per source with its fold error or z, misses included, then the
    goals. Then clinical rows by virtual trials at their published size, each with a 95 % prediction interval over
    chance, people and the posterior. Writes tables and pictures; misses stay visible, worst first.
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
            written += _by_trials(draft, model, replicates, docs, work, threads_of(None, scheduler))
        found = [out / path.relative_to(draft) if path.is_relative_to(draft) else path for path in written]
    terminal.wrote(found)


def _facts(model: Any) -> dict[str, str]:
    from ketamech.cli import terminal
    from ketamech.report.provenance import provenance_of_many

    return provenance_of_many("scorecard", "", model, terminal.command_line())


def _by_patient(out: Path, model: Any, rows: bool, png: bool) -> list[Path]:
    """What one typical patient reaches: tables, picture, and what is printed."""
    from ketamech.analysis.scorecard import scorecard as analysis_scorecard
    from ketamech.cli import terminal
    from ketamech.report.scorecard_files import write_scorecard

    console = terminal.progress()
    with console.status("Simulating the published protocols ...") as status:
        card = analysis_scorecard(model, progress=lambda line: status.update(str(line)))
    written = write_scorecard(out, card, png=png, facts=_facts(model))
    shown = card.rows if rows else card.by_source
    terminal.table(shown.to_dict("records"), title="Simulated against published")
    terminal.table(card.criteria.to_dict("records"), title="Goals")
    return list(written)


def _by_trials(out: Path, model: Any, replicates: int, docs: Path | None, work: Executor, threads: int) -> list[Path]:
    """The part that needs virtual trials: tables, forest plot, and what is printed."""
    from ketamech.analysis.trial_scorecard import trial_scorecard
    from ketamech.cli import terminal
    from ketamech.estimation.posterior import load_posterior
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.forest_figure import draw_forest
    from ketamech.report.trial_scorecard_page import write_trial_scorecard
    from ketamech.report.vpc_figure import draw_predictive_checks

    with terminal.progress().status("Running virtual trials ...") as status:
        card = trial_scorecard(
            model, load_posterior(), replicates=replicates, threads=threads, work=work,
            progress=lambda line: status.update(str(line)),
        )  # fmt: skip
    ordered = card.rows.reindex(card.rows["z"].abs().sort_values(ascending=False).index)
    paths = [out / "trials.csv", out / "trial_goals.csv"]
    for path, table in zip(paths, (ordered, card.criteria), strict=True):
        write_table(table, path, _facts(model), digits="%.6g")
    shown = ["id", "statistic", "published", "low", "high", "simulated", "sim_low", "sim_high", "z", "inside", "fitted"]
    terminal.table(ordered[shown].to_dict("records"), title="Virtual trials against published ones, worst first")
    terminal.table(card.spreads[shown].to_dict("records"), title="How much patients of an arm differ (SD)")
    terminal.table(card.by_stage.to_dict("records"), title="By outcome")
    terminal.table(card.criteria.to_dict("records"), title="Goals of virtual trials")
    if docs:
        paths.append(write_trial_scorecard(docs, card))
    return [*paths, *draw_forest(out, card.rows), *draw_predictive_checks(out, card.rows)]
