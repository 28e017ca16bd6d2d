"""`ketamech scorecard`: simulated against published values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run, source_checkout
from ketamech.cli.options import Equations, FigurePng, Resume, Scheduler
from ketamech.cli.terminal import require_extra
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.analysis.trial_scorecard import TrialScorecard
    from ketamech.core.execution import Executor

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and figures")]
Everything = Annotated[bool, typer.Option("--rows", help="Print every row instead of one line per source")]
Replicates = Annotated[int, typer.Option(min=2, help="Virtual trials for each published trial")]
Trials = Annotated[bool, typer.Option("--trials/--no-trials", help="Also compare the rows that need virtual trials")]
Markdown = Annotated[Path | None, typer.Option(help="Also write the comparison of trials to this Markdown file")]
Publish = Annotated[
    bool, typer.Option(help="Also write the tables, pages and pictures of this source checkout that show the results")
]
Freeze = Annotated[
    bool, typer.Option(help="Only write the reference forecasts of data/scorecard/references.csv, with today's date")
]


def scorecard(
    out: Out = Path("runs/scorecard"), rows: Everything = False, png: FigurePng = False, trials: Trials = True,
    replicates: Replicates = 60, markdown: Markdown = None, publish: Publish = False,
    freeze_references: Freeze = False, resume: Resume = False, scheduler: Scheduler = None, variant: Equations = None,
) -> None:  # fmt: skip
    """Compare simulated with published values.

    Example:  ketamech scorecard --no-trials

    The protocol of every published row that the model covers is simulated.
    First the rows that a typical patient can answer: one line per source with its fold error or z, and the acceptance
    criteria. Then clinical rows by virtual trials of the published size, each with a 95 % prediction interval over
    chance, patients and the posterior. A trial that the posterior used is predicted from the posterior without it. The
    skill of these predictions is measured against two reference forecasts: the mean of the other trials in the class,
    and a meta-analysis of the other trials. What the model misses is shown first.

    --publish writes data/scorecard/skill.csv, docs/trials-scorecard.md, the skill table of docs/limits.md, the verdicts
    of docs/credibility.md and the pictures. With --variant it writes only the skill.csv of the variant, which the next
    publication shows beside the full model. --freeze-references is needed after rows were added.
    """
    from ketamech.exchange.output_folder import replace_folder

    if trials:
        require_extra("trials")
    if freeze_references:
        terminal.print_written_files([_freeze()])
        return
    checkout = source_checkout("--publish", "--markdown FILE") if publish else None
    terminal.refuse_file(out)
    model = terminal.model(variant=variant)
    job = {"command": "scorecard", "replicates": replicates}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work, replace_folder(out) as draft:
        drafts = [] if variant else _by_patient(draft, model, rows, png)
        if trials:
            page = checkout / "docs" / "trials-scorecard.md" if checkout and not variant else markdown
            drafts += _by_trials(draft, model, replicates, page, work, available_threads(None, scheduler), checkout)
        final_paths = [out / path.relative_to(draft) if path.is_relative_to(draft) else path for path in drafts]
    terminal.print_written_files(final_paths)


def _by_patient(out: Path, model: Any, rows: bool, png: bool) -> list[Path]:
    """Compare the typical patient: write tables and a figure, print the tables; returns the files."""
    from ketamech.analysis.scorecard import scorecard as analysis_scorecard
    from ketamech.report.scorecard_figure import write_scorecard

    console = terminal.progress()
    with console.status("Simulating the published protocols ...") as status:
        result = analysis_scorecard(model=model, progress=lambda step, *_: status.update(step))
    paths = write_scorecard(out, result, png=png, metadata=terminal.provenance("scorecard", model))
    table = result.rows if rows else result.by_source
    terminal.table(table, title="Simulated against published values")
    terminal.table(result.criteria, title="Acceptance criteria")
    return list(paths)


def _freeze() -> Path:
    from ketamech.analysis.reference_forecasts import freeze
    from ketamech.analysis.skill_rows import scored_rows
    from ketamech.estimation.clinical_targets import load_clinical_targets

    return freeze(scored_rows(load_clinical_targets()))


def _by_trials(
    out: Path, model: Any, replicates: int, markdown: Path | None, work: Executor, threads: int, checkout: Path | None
) -> list[Path]:
    """Compare virtual trials: write tables and figures, print the tables; returns the files."""
    from ketamech.analysis.trial_scorecard import count_of_trials, trial_scorecard
    from ketamech.estimation.leave_one_trial_out import load_left_out
    from ketamech.report.trial_scorecard_figures import draw_trial_scorecard
    from ketamech.report.trial_scorecard_page import write_skill, write_trial_scorecard
    from ketamech.trials.posterior import load_posterior, posterior_folder

    folder, table = posterior_folder(model), model.parameters
    draws = load_posterior(folder / "posterior.csv", table)
    with terminal.progress_bar("Virtual trials", count_of_trials()) as update:
        result = trial_scorecard(
            model, draws, load_left_out(folder, table), replicates=replicates, threads=threads, work=work,
            progress=lambda done, name: update(done, label=f"Virtual trials: {name}"),
        )  # fmt: skip
    paths = _write_tables(out, result, terminal.provenance("scorecard", model))
    _print_trials(result)
    if markdown:
        paths.append(write_trial_scorecard(markdown, result))
    if checkout:
        metadata = terminal.provenance("scorecard", model)
        paths += write_skill(checkout, result.skill, metadata, replicates, model.variant)
    if checkout and not model.variant:
        draw_trial_scorecard(checkout / "docs" / "pictures", result, vector=False)
    return [*paths, *draw_trial_scorecard(out, result)]


def _write_tables(out: Path, result: TrialScorecard, metadata: dict[str, str]) -> list[Path]:
    from ketamech.exchange.result_metadata import write_table

    tables = {
        "skill": result.skill, "skill_rows": result.skill_rows, "contrasts": result.contrasts,
        "chances": result.significance_probabilities,
        "left_out": result.leave_out_methods, "trials": _worst_first(result.rows), "trial_goals": result.criteria,
    }  # fmt: skip
    for name, table in tables.items():
        write_table(table, out / f"{name}.csv", metadata, digits="%.6g")
    return [out / f"{name}.csv" for name in tables]


def _worst_first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reindex(rows["z"].abs().sort_values(ascending=False).index)


def _print_trials(card: TrialScorecard) -> None:
    from ketamech.analysis.skill import verdicts

    skill = ["group", "rows", "trials", "skill", "skill_low", "skill_high", "against", "coverage", "width_ratio"]
    left_out = card.skill[(card.skill["basis"] == "left out") & (card.skill["kind"] != "class")].sort_values("skill")
    terminal.table(left_out[skill], title="Skill, each trial predicted without its data")
    verdict_columns = ["question", "group", "measure", "value", "low", "high", "met"]
    terminal.table(verdicts(card.skill)[verdict_columns], title="Acceptance criteria of skill")
    chance = ["trial", "arm", "visit", "published", "low", "high", "significant", "chance"]
    terminal.table(card.significance_probabilities[chance], title="Chance of p < 0.05, percent of virtual trials")
    shown = ["id", "statistic", "published", "low", "high", "simulated", "sim_low", "sim_high", "z", "inside", "role"]
    terminal.table(_worst_first(card.rows)[shown], title="Virtual against published trials")
    terminal.table(card.spreads[shown], title="Standard deviations within arms")
    terminal.table(card.by_stage, title="By endpoint")
    terminal.table(card.criteria, title="Acceptance criteria of virtual trials")
