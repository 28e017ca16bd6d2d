"""`ketamech scorecard`: simulated against published values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import Equations, FigurePng, ResultFolder, Resume, Scheduler
from ketamech.cli.terminal import require_extra
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.analysis.trial_scorecard import TrialScorecard
    from ketamech.core.execution import Executor

Everything = Annotated[bool, typer.Option("--rows", help="Print every row instead of one line per source")]
Replicates = Annotated[int, typer.Option(min=2, help="Virtual trials for each published trial")]
Trials = Annotated[bool, typer.Option("--trials/--no-trials", help="Also compare the rows that need virtual trials")]


def scorecard(
    out: ResultFolder = Path("runs/scorecard"), rows: Everything = False, png: FigurePng = False, trials: Trials = True,
    replicates: Replicates = 60, resume: Resume = False, scheduler: Scheduler = None,
    variant: Equations = None,
) -> None:  # fmt: skip
    """Compare simulated with published values.

    Example:  ketamech scorecard --no-trials

    The protocol of every published row that the model covers is simulated.
    First the rows that a typical patient can answer: one line per source with its fold error or z, and the acceptance
    criteria. Then clinical rows by virtual trials of the published size, each with a 95 % prediction interval over
    chance, patients and the posterior. A trial that the posterior used is predicted from the posterior without it. The
    skill of these predictions is measured against two reference forecasts: the mean of the other trials in the class,
    and a meta-analysis of the other trials. What the model misses is shown first.
    """
    from ketamech.exchange.output_folder import replace_folder

    if trials:
        require_extra("trials")
    terminal.refuse_file(out)
    model = terminal.model(variant=variant)
    job = {"command": "scorecard", "replicates": replicates}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work, replace_folder(out) as draft:
        drafts = [] if variant else _by_patient(draft, model, rows, png)
        if trials:
            drafts += _by_trials(draft, model, replicates, work, available_threads(None, scheduler))
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


def _by_trials(out: Path, model: Any, replicates: int, work: Executor, threads: int) -> list[Path]:
    """Compare virtual trials: write tables and figures, print the tables; returns the files."""
    from ketamech.analysis.trial_scorecard import count_of_trials, trial_scorecard
    from ketamech.calibration.leave_one_trial_out import load_left_out
    from ketamech.report.trial_scorecard_figures import draw_trial_scorecard
    from ketamech.trials.posterior_draws import load_posterior, posterior_folder

    folder, table = posterior_folder(model), model.parameters
    draws = load_posterior(folder / "posterior.csv", table)
    with terminal.progress_bar("Virtual trials", count_of_trials()) as update:
        result = trial_scorecard(
            model, draws, load_left_out(folder, table), replicates=replicates, threads=threads, work=work,
            progress=lambda done, name: update(done, label=f"Virtual trials: {name}"),
        )  # fmt: skip
    paths = write_trial_tables(out, result, terminal.provenance("scorecard", model) | {"replicates": str(replicates)})
    _print_trials(result)
    return [*paths, *draw_trial_scorecard(out, result)]


def write_trial_tables(out: Path, result: TrialScorecard, metadata: dict[str, str]) -> list[Path]:
    """Write every table of the comparison of trials; returns the files."""
    from ketamech.exchange.result_metadata import write_table

    tables = {
        "skill": result.skill, "skill_rows": result.skill_rows, "contrasts": result.contrasts,
        "chances": result.significance_probabilities,
        "left_out": result.leave_out_methods, "trials": _worst_first(result.rows), "trial_goals": result.criteria,
        "by_stage": result.by_stage, "spreads": result.spreads,
    }  # fmt: skip
    for name, table in tables.items():
        write_table(table, out / f"{name}.csv", metadata, digits="%.6g")
    return [out / f"{name}.csv" for name in tables]


def _worst_first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reindex(rows["z"].abs().sort_values(ascending=False).index)


def _print_trials(card: TrialScorecard) -> None:
    from ketamech.analysis.skill import forecaster_scores, reliability, verdicts

    skill = ["group", "rows", "trials", "skill", "skill_low", "skill_high", "against", "coverage", "width_ratio"]
    left_out = card.skill[(card.skill["basis"] == "left out") & (card.skill["kind"] != "class")].sort_values("skill")
    terminal.table(left_out[skill], title="Skill, each trial predicted without its data")
    verdict_columns = ["question", "group", "measure", "value", "low", "high", "met"]
    terminal.table(verdicts(card.skill)[verdict_columns], title="Acceptance criteria of skill")
    chance = ["trial", "arm", "visit", "published", "low", "high", "significant", "chance",
              "chance_pooled", "chance_both", "chance_published"]  # fmt: skip
    chances = card.significance_probabilities
    terminal.table(chances[chance], title="Chance of p < 0.05, share of virtual trials")
    terminal.table(forecaster_scores(chances), title="Forecasts of p < 0.05")
    terminal.table(reliability(chances), title="Stated chances of p < 0.05 and published results")
    shown = ["id", "statistic", "published", "low", "high", "simulated", "sim_low", "sim_high", "z", "inside", "role"]
    terminal.table(_worst_first(card.rows)[shown], title="Virtual against published trials")
    terminal.table(card.spreads[shown], title="Standard deviations within arms")
    terminal.table(card.by_stage, title="By endpoint")
    terminal.table(card.criteria, title="Acceptance criteria of virtual trials")
