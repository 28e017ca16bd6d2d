"""`ketamech trial`: virtual trials, run and analysed as real ones are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli.checkpoint_options import Resume, Scheduler, long_run, threads_of
from ketamech.cli.optional_dependencies import require_extra
from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.trials.design import Trial

Files = Annotated[list[Path], typer.Argument(help="Trial files (YAML), or names of shipped trials, e.g. murrough2013")]
Replicates = Annotated[int, typer.Option(min=1, help="How often each trial is run, each time with other people")]
Patients = Annotated[int | None, typer.Option(help="Patients in all, in place of the number in the file")]
Seed = Annotated[int | None, typer.Option(min=0, help="Which people are drawn [default: the file's]")]
Threads = Annotated[int | None, typer.Option(min=1, help="The results are the same for any number [default: cores]")]
Posterior = Annotated[str, typer.Option(help="Population values: 'shipped', 'none' (those of the tables), or a file")]
Sizes = Annotated[str | None, typer.Option("--power", help="Power for so many patients an arm, e.g. '20, 40, 80'")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Folder of the results; of several trials, a folder with one for each [default: runs/trials]",
    ),
]
FOLDER = Path("runs/trials")


def trial(
    files: Files, replicates: Replicates = 1, patients: Patients = None, seed: Seed = None, threads: Threads = None,
    posterior: Posterior = "shipped", power: Sizes = None, out: Out = None,
    resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Run a virtual trial and print the difference between its arms.

    Example:  ketamech trial murrough2013 --replicates 100

    Virtual patients are drawn, allocated, dosed and rated at visits with error; the ratings are analysed and drawn.
    Replicate 0 has the middle of the posterior in a typical setting. Later replicates each take a draw of the posterior
    and a setting of their own, so that intervals include chance, uncertainty and differences between trials.

    More examples:

      ketamech trial my_trial.yaml --patients 400 --replicates 200 --power "30, 60, 100, 200"

      ketamech trial withdrawal          # decisions on the way: who remits is drawn to go on or to placebo
    """
    from ketamech.cli import terminal
    from ketamech.estimation.posterior import posterior_hash
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.trial_folder import write_trial
    from ketamech.report.trial_summary import TITLE, difference_rows, relapse_rows, summary_of
    from ketamech.trials.analysis.analyse import analyse
    from ketamech.trials.analysis.power import power as power_of
    from ketamech.trials.run_trial import run_trial

    require_extra("trials")
    asked = [_found(file) for file in files]
    sizes = _sizes(power)
    if sizes and any(len(planned.arms) < 2 for _, planned in asked):
        raise InputError("power of a single arm", key="--power", expected="trials of two arms or more")
    draws = _draws(posterior)
    folders = _folders(out, [name for name, _ in asked])
    model = terminal.model()
    console = terminal.progress()
    for folder, (_, planned) in zip(folders, asked, strict=True):
        mark = posterior_hash(draws)
        job = {"command": "trial", "trial": planned.fingerprint, "patients": patients, "seed": seed, "posterior": mark}
        with long_run(folder, job, model, resume=resume, scheduler=scheduler) as work:
            with _progress(replicates, planned.title) as tick:
                data = run_trial(
                    planned, model, replicates=replicates, patients=patients, seed=seed,
                    threads=threads_of(threads, scheduler), posterior=draws, progress=tick, executor=work,
                )  # fmt: skip
            data = data.assign_attrs(posterior=mark)
            with console.status("Analysing and drawing ..."), replace_folder(folder) as draft:
                found = analyse(data, planned)
                table = power_of(data, *planned.primary, found.reference, sizes) if sizes else None
                line = terminal.command_line()
                data = data.assign_attrs(provenance_of_many(planned.title, planned.fingerprint, model, line))
                page = write_trial(draft, data, planned, found, power=table, command_line=line)
        terminal.table(difference_rows(found, planned), title=TITLE)
        terminal.table(relapse_rows(found), title="Time to relapse, first trial")
        terminal.table(summary_of(found), title=planned.title)
        for name, reason in found.not_estimated.items():
            console.print(f"Not estimated: {terminal.escape_markup(name)}: {terminal.escape_markup(reason)}.")
        if found.failed:
            console.print(f"{100 * found.failed:.2g} % of solves failed; they are missing, with reasons in adsl.csv")
        terminal.opened(folder / page.name)


def _folders(out: Path | None, names: list[str]) -> list[Path]:
    """The folder of each trial: `out` itself for one, a folder in it for each of several. Raises BadInput."""
    from ketamech.cli import terminal
    from ketamech.core.checkpoint import CHECKPOINT_FOLDER
    from ketamech.report.run_folder import check_folder

    terminal.refuse_file(out or FOLDER)
    found = [out] if out is not None and len(names) == 1 else [(out or FOLDER) / name for name in names]
    for folder in found:
        terminal.refuse_file(folder)
        if not (folder / CHECKPOINT_FOLDER).is_dir():
            check_folder(folder)
    return found


def _found(file: Path) -> tuple[str, Trial]:
    from ketamech.estimation.clinical_targets import shipped_trial
    from ketamech.trials.trial_reader import load_trial

    if file.suffix in (".yaml", ".yml") or file.is_file():
        return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()), load_trial(file)
    return file.name, shipped_trial(file.name)


def _draws(posterior: str) -> list[dict[str, float]]:
    from ketamech.estimation.posterior import load_posterior

    if posterior == "none":
        return []
    return load_posterior(None if posterior == "shipped" else posterior)


def _sizes(text: str | None) -> list[int]:
    if text is None:
        return []
    try:
        return [int(part) for part in re.split(r"[,\s]+", text.strip())]
    except ValueError:
        raise InputError(f"'{text}' are no sizes", key="--power", type_this="--power '20, 40, 80'") from None


@contextmanager
def _progress(total: int, title: str) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream: trials done, time gone, time left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ketamech.cli import terminal

    columns = (TextColumn("Trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.progress(), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)
