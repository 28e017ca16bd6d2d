"""`ketamech design`: which regimen buys most for least."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli.checkpoint_options import Resume, Scheduler, long_run, threads_of
from ketamech.core import InputError

Doses = Annotated[
    list[str] | None,
    typer.Option(
        "--doses",
        help="Words with {dose} (and {over}) and amounts: 'racemic {dose} mg/kg IV over {over} = 0.25, 0.5, 1'",
    ),
]
Over = Annotated[str, typer.Option(help="Infusion times in minutes")]
Rhythms = Annotated[str, typer.Option(help="Rhythms, joined by ';'")]
Weeks = Annotated[int, typer.Option(min=1, max=52, help="How long each regimen is given")]
Persons = Annotated[int, typer.Option(min=10, help="Virtual people, the same for every regimen")]
Draws = Annotated[int, typer.Option(min=1, help="Draws of the posterior, for the bars")]
Population = Annotated[str, typer.Option(help="A population of `ketamech people`")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the table and the picture")]
USUAL = (
    "racemic {dose} mg/kg IV over {over} = 0.25, 0.5, 0.75, 1",
    "esketamine {dose} mg nasal = 28, 56, 84",
    "racemic {dose} mg oral = 50, 100",
)


def design(
    doses: Doses = None, over: Over = "40, 90", rhythms: Rhythms = "weekly; twice weekly", weeks: Weeks = 4,
    persons: Persons = 60, draws: Draws = 20, population: Population = "trd", seed: Seed = 1,
    out: Out = Path("runs/design"), resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Search dose, rate, route and interval for the best benefit against dissociation and blood pressure.

    Example:  ketamech design --rhythms "weekly; twice weekly"

    Benefit is the fall of MADRS below the same people with the same hopes and no drug, averaged over the days. The
    front holds what nothing else beats in one aim without losing in another. Nothing here is a recommendation.

    More examples:

      ketamech design --doses "esketamine {dose} mg nasal = 28, 56, 84" --rhythms "weekly; twice weekly; every 2 weeks"
    """
    from rich.progress import Progress

    from ketamech.analysis import regimen_search as kit
    from ketamech.cli import terminal
    from ketamech.estimation.posterior import load_posterior, posterior_hash
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.sensitivity_figures import draw_front

    terminal.refuse_file(out)
    asked = kit.candidates(
        _doses(doses or list(USUAL)), _numbers(over, "--over"), [r.strip() for r in rhythms.split(";")], weeks
    )
    from ketamech.dosing.regimen import Regimen
    from ketamech.exchange.result_metadata import write_table

    for candidate in asked:
        Regimen.parse(candidate.sentence)  # a slip shows before anything is solved
    model = terminal.model()
    known = load_posterior()[:draws]
    job = {"command": "design", "regimens": [r.sentence for r in asked], "weeks": weeks, "persons": persons}
    job |= {"population": population, "seed": seed, "posterior": posterior_hash(known)}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work:
        with Progress(console=terminal.progress(), transient=True) as bar:
            task = bar.add_task("Regimens", total=len(asked) * len(known))
            table = kit.compare_regimens(
                model, asked, weeks=weeks, persons=persons, population=population, seed=seed,
                posterior=known, draws=draws, threads=threads_of(None, scheduler), work=work,
                progress=lambda done: bar.update(task, completed=done),
            )  # fmt: skip
        with replace_folder(out) as draft:
            line = terminal.command_line()
            facts = provenance_of_many("design", "", model, line, seed)
            write_table(table, draft / "design.csv", facts)
            write_table(table, draft / "design.parquet", facts)
            first = draw_front(draft, table)[0].relative_to(draft)
    shown = [
        "regimen",
        "benefit",
        "benefit_low",
        "benefit_high",
        "cadss",
        "dissociating",
        "systolic",
        "front",
        "front_share",
    ]
    terminal.table(table.sort_values("benefit", ascending=False)[shown].to_dict("records"), title="Regimens")
    terminal.opened(out / first)


def _doses(given: list[str]) -> dict[str, list[float]]:
    found = {}
    for text in given:
        words, sign, amounts = text.rpartition("=")
        if not sign or "{dose}" not in words:
            raise InputError(
                f"'{text}' names no doses", key="--doses", type_this='--doses "esketamine {dose} mg nasal = 28, 84"'
            )
        found[words.strip()] = _numbers(amounts, "--doses")
    return found


def _numbers(text: str, key: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"'{text}' are no numbers", key=key, expected="numbers joined by ','") from None
    if min(found) <= 0:
        raise InputError(f"'{text}' holds a number that is not positive", key=key, expected="positive numbers")
    return found
