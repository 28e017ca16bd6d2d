"""`ketamech design`: search regimens for benefit against adverse effects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import ResultFolder, Resume, Scheduler, Seed, listed_numbers
from ketamech.core import InputError
from ketamech.core.csv_table import parts
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    import pandas as pd

Doses = Annotated[
    list[str] | None,
    typer.Option(
        "--doses",
        help="A regimen with {dose} (and {over}), then amounts: 'racemic {dose} mg/kg IV over {over} = 0.25, 0.5, 1'",
    ),
]
InfusionMinutes = Annotated[str, typer.Option(help="Infusion durations in minutes, joined by ','")]
Schedules = Annotated[str, typer.Option(help="Dosing schedules, joined by ';'")]
Weeks = Annotated[int, typer.Option(min=1, max=52, help="Weeks of treatment of each regimen")]
Patients = Annotated[int, typer.Option(min=10, help="Virtual patients, the same for every regimen")]
Draws = Annotated[
    int,
    typer.Option(min=1, help="Posterior draws for the intervals, which also hold the sampling error of the patients"),
]
Population = Annotated[str, typer.Option(help="A population of 'ketamech population'")]
SHOWN = {  # columns of the table on the terminal, with their units
    "regimen": "regimen", "evidence": "evidence", "benefit": "benefit (points)", "benefit_low": "low",
    "benefit_high": "high", "cadss": "CADSS (points)", "dissociating_share": "dissociating (share)",
    "systolic": "systolic (mmHg)", "systolic_low": "systolic low", "systolic_high": "systolic high", "front": "front",
    "front_share": "front (share)",
}  # fmt: skip
USUAL_SCHEDULES = "weekly; twice weekly"
USUAL = (
    "racemic {dose} mg/kg IV over {over} = 0.25, 0.5, 0.75, 1",
    "esketamine {dose} mg nasal = 28, 56, 84",
    "racemic {dose} mg oral = 50, 100",
)


def design(
    doses: Doses = None, infusion_minutes: InfusionMinutes = "40, 90", schedules: Schedules = USUAL_SCHEDULES,
    weeks: Weeks = 4, patients: Patients = 60, draws: Draws = 20, population: Population = "trd", seed: Seed = 1,
    out: ResultFolder = Path("runs/design"), resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Compare regimens by benefit and adverse effects.

    Example:  ketamech design --schedules "weekly; twice weekly"

    Regimens are combinations of dose, infusion duration, route and schedule; adverse effects are dissociation and blood
    pressure.
    Benefit is the mean difference of MADRS from the same patients with the same visits and no drug. A regimen is on
    the Pareto front if no other regimen is better in one aim and at least as good in all others. The result is not a
    recommendation. The column evidence says whether this dose and schedule was studied in depressed patients
    (data/dosing/studied_regimens.csv); the benefit of a regimen without evidence is an extrapolation of the model.

    More examples:

      ketamech design --doses "esketamine {dose} mg nasal = 28, 56, 84" --schedules "weekly; every 2 weeks"
    """
    from ketamech.analysis import regimen_search
    from ketamech.dosing.regimen import Regimen
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.exchange.result_metadata import write_csv_and_parquet
    from ketamech.report.analysis_figures import draw_front
    from ketamech.trials.posterior_draws import load_posterior, posterior_hash

    terminal.refuse_file(out)
    minutes = listed_numbers(infusion_minutes, "--infusion-minutes", "2, 40", positive=True)
    regimens = regimen_search.candidates(_doses(doses or list(USUAL)), minutes, parts(schedules), weeks)
    for r in regimens:
        Regimen.parse(r.sentence)  # errors show before anything is solved
    model = terminal.model()
    posterior_draws = load_posterior()[:draws]
    job = {"command": "design", "regimens": [r.sentence for r in regimens], "weeks": weeks, "patients": patients}
    job |= {"population": population, "seed": seed, "posterior": posterior_hash(posterior_draws)}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work:
        with terminal.progress_bar("Regimens", len(regimens) * len(posterior_draws)) as update:
            table = regimen_search.compare_regimens(
                model, regimens, weeks=weeks, patients=patients, population=population, seed=seed,
                posterior=posterior_draws, draws=draws, threads=available_threads(None, scheduler), work=work,
                progress=update,
            )  # fmt: skip
        with replace_folder(out) as draft:
            metadata = terminal.provenance("design", model, seed)
            write_csv_and_parquet(table, draft, "design", metadata)
            first_figure = draw_front(draft, table)[0].relative_to(draft)
    _print(table, patients)
    terminal.print_open_hint(out / first_figure)


def _print(table: pd.DataFrame, patients: int) -> None:
    """Print the regimens, the best first, a note on few patients, and how many regimens have evidence."""
    from ketamech.analysis.regimen_search import FEW_PATIENTS

    shown_table = table.sort_values("benefit", ascending=False)[[*SHOWN]].rename(columns=SHOWN)
    terminal.table(shown_table, title="Regimens")
    if patients < FEW_PATIENTS:
        note = f"{patients} patients are few: the intervals hold their sampling error; --patients 200 narrows them"
        terminal.print_note(f"Note: {note}.")
    counts = ", ".join(f"{count} {kind}" for kind, count in table["evidence"].value_counts().items())
    terminal.print_note(f"Evidence of these {len(table)} regimens: {counts}.")


def _doses(texts: list[str]) -> dict[str, list[float]]:
    doses_by_drug, example = {}, "esketamine {dose} mg nasal = 28, 84"
    for text in texts:
        words, sign, amounts = text.rpartition("=")
        if not sign or "{dose}" not in words:
            message = f"'{text}' does not name doses"
            raise InputError(message, key="--doses", type_this=f'--doses "{example}"')
        doses_by_drug[words.strip()] = listed_numbers(amounts, "--doses", example, positive=True)
    return doses_by_drug
