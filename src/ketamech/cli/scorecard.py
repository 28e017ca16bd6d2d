"""`ketamech scorecard`: simulated against published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.cli.extras import need
from ketamech.cli.long_run import Resume, Scheduler, long_run, threads_of
from ketamech.core.work import Work

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
    from ketamech import exchange
    from ketamech.cli import terminal

    if trials:
        need("trials")
    terminal.refuse_file(out)
    model = terminal.model()
    job = {"command": "scorecard", "replicates": replicates}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work, exchange.renewed(out) as draft:
        written = _by_patient(draft, model, rows, png)
        if trials:
            written += _by_trials(draft, model, replicates, docs, work, threads_of(None, scheduler))
        found = [out / path.relative_to(draft) if path.is_relative_to(draft) else path for path in written]
    terminal.wrote(found)


def _facts(model: Any) -> dict[str, str]:
    from ketamech import report
    from ketamech.cli import terminal

    return report.provenance_of_many("scorecard", "", model, terminal.command_line())


def _by_patient(out: Path, model: Any, rows: bool, png: bool) -> list[Path]:
    """What one typical patient reaches: tables, picture, and what is printed."""
    from ketamech import analysis, report
    from ketamech.cli import terminal

    console = terminal.progress()
    with console.status("Simulating the published protocols ...") as status:
        card = analysis.scorecard(model, progress=lambda line: status.update(str(line)))
    written = report.write_scorecard(out, card, png=png, facts=_facts(model))
    shown = card.rows if rows else card.by_source
    terminal.table(shown.to_dict("records"), title="Simulated against published")
    terminal.table(card.goals.to_dict("records"), title="Goals")
    return list(written)


def _by_trials(out: Path, model: Any, replicates: int, docs: Path | None, work: Work, threads: int) -> list[Path]:
    """The part that needs virtual trials: tables, forest plot, and what is printed."""
    from ketamech import analysis, report
    from ketamech.cli import terminal
    from ketamech.exchange.facts import write_table

    with terminal.progress().status("Running virtual trials ...") as status:
        card = analysis.population_card(
            model, analysis.load_posterior(), replicates=replicates, threads=threads, work=work,
            progress=lambda line: status.update(str(line)),
        )  # fmt: skip
    ordered = card.rows.reindex(card.rows["z"].abs().sort_values(ascending=False).index)
    paths = [out / "trials.csv", out / "trial_goals.csv"]
    for path, table in zip(paths, (ordered, card.goals), strict=True):
        write_table(table, path, _facts(model), digits="%.6g")
    shown = ["id", "statistic", "published", "low", "high", "simulated", "sim_low", "sim_high", "z", "inside", "fitted"]
    terminal.table(ordered[shown].to_dict("records"), title="Virtual trials against published ones, worst first")
    terminal.table(card.spreads[shown].to_dict("records"), title="How much patients of an arm differ (SD)")
    terminal.table(card.by_stage.to_dict("records"), title="By outcome")
    terminal.table(card.goals.to_dict("records"), title="Goals of virtual trials")
    if docs:
        paths.append(report.write_trial_scorecard(docs, card))
    return [*paths, *report.draw_forest(out, card.rows), *report.draw_predictive_checks(out, card.rows)]
