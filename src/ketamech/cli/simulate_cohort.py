"""`ketamech simulate --patients N`: many patients, streamed to disk with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ketamech.cli.checkpoint_options import long_run, text_hash, threads_of
from ketamech.cli.cohort_options import names, times

if TYPE_CHECKING:
    import xarray as xr

SHARES, ROWS = (5, 50, 95), 6


@dataclass(frozen=True)
class CohortOptions:
    """What the command line said about a cohort."""

    patients: int
    seed: int | None = None
    outputs: str = "mood.madrs"
    times: str | None = None
    every: float | None = None
    vary: str | None = None
    threads: int | None = None
    chunk: int = 4096
    tolerance: float = 2e-6
    device: str = "cpu"
    png: bool = False
    resume: bool = False
    scheduler: str | None = None
    species: str | None = None
    beside: tuple[str, ...] = ()
    wiring: str | None = None
    drug: str | None = None
    subject: str | None = None
    kinetics: Path | None = None
    connectome: Path | None = None
    receptors: Path | None = None


def simulate_cohort(
    scenario: str, folder: Path | None, asked: CohortOptions, folder_name: Callable[[str], str]
) -> None:
    """Draw, solve and stream a cohort, then print what happened to it."""
    from ketamech.cli import scenario_argument, terminal
    from ketamech.exchange.cohort_store import read_cohort, require_disk_space, require_empty_folder, write_cohort
    from ketamech.population.cohort import Cohort
    from ketamech.report.provenance import provenance_of
    from ketamech.report.quantile_bands import cohort_figure

    found = scenario_argument.scenario(
        scenario, drug=asked.drug, subject=asked.subject,
        species=asked.species, beside=asked.beside, wiring=asked.wiring,
    )  # fmt: skip
    given = found.with_connectome(asked.connectome, asked.receptors)
    seed = given.seed if asked.seed is None else asked.seed
    place = folder or Path("runs") / folder_name(f"{given.title} {asked.patients} patients seed {seed}")
    model = terminal.model(asked.kinetics)
    cohort = Cohort(
        model, given, asked.patients, names(asked.outputs), times(asked.times, asked.every, given), seed,
        vary=names(asked.vary) if asked.vary else None, tolerance=asked.tolerance,
        threads=threads_of(asked.threads, asked.scheduler), chunk=asked.chunk, device=asked.device,
    )  # fmt: skip
    require_disk_space(place, cohort.result_bytes)
    require_empty_folder(place)
    facts = {"outputs": cohort.outputs, "title": given.title, "seed": seed, "tolerance": asked.tolerance}
    facts |= provenance_of(given, model, seed, terminal.command_line())
    how: dict[str, Any] = {"resume": asked.resume, "scheduler": asked.scheduler, "about": facts, "replace": False}
    with _kept(place), long_run(place, _job(cohort), model, **how) as work, _progress(asked.patients) as progress:
        chunks = partial(cohort.chunks, progress, cluster=work.cluster)
        assert work.checkpoint is not None
        state = write_cohort(work.checkpoint, chunks, asked.patients, chunk=cohort.chunk_size)
    curves = read_cohort(place)
    pictures = [cohort_figure(place / f"bands.{kind}", curves, given.title) for kind in _kinds(asked.png)]
    terminal.table(_summary(curves), title=given.title)
    console = terminal.progress()
    for note in (note for note in given.assumptions if "--patients" not in note):
        console.print(f"Assumed of the typical person: {terminal.escape_markup(note)}.")
    console.print(terminal.escape_markup(_outcome(state)))
    terminal.opened(pictures[0])


def _job(cohort: Any) -> dict[str, Any]:
    """All that decides on the numbers, beside the model."""
    given = cohort.scenario
    return {
        "command": "simulate",
        "scenario": text_hash(repr((given.regimen, given.values, given.horizon, given.source))),
        **{name: getattr(cohort, name) for name in ("patients", "outputs", "seed", "vary", "tolerance", "device")},
        "times": text_hash(cohort.times.tobytes().hex()),
        "chunk": cohort.chunk_size,
    }


def _kinds(png: bool) -> tuple[str, ...]:
    return ("svg", "png") if png else ("svg",)


def _outcome(state: dict[str, Any]) -> str:
    """How many were solved, how many not, and why."""
    words = f"{state['finished']} patients; {state['failed']} failed"
    if not state["failed"]:
        return words
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(state["reasons"].items()))
    return f"{words} ({100 * state['failed'] / state['finished']:.2g} %): {why}; see failures.csv"


def _summary(curves: xr.Dataset) -> list[dict[str, object]]:
    """Median and what nine in ten lie between, at a few times."""
    from ketamech.parameters.concentration_units import shown
    from ketamech.report.quantile_bands import percentiles

    moments = curves["time"].values
    places = np.unique(np.linspace(0, moments.size - 1, min(moments.size, ROWS)).astype(int)).tolist()
    rows: list[dict[str, object]] = []
    for name in map(str, curves.data_vars):
        factor, unit = shown(name, curves[name].attrs["units"])
        for i, found in zip(places, factor * percentiles(curves, name, SHARES, places).T, strict=True):
            numbers = dict(zip(("5 %", "median", "95 %"), map(float, found), strict=True))
            rows.append({"output": name, "hours": float(moments[i]), **numbers, "unit": unit})
    return rows


class _PatientsPerSecond(ProgressColumn):
    """Patients a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} a second", style="progress.data.speed")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream: patients begun, how many a second, time gone, time left."""
    from ketamech.cli import terminal

    columns = (
        TextColumn("Patients"), BarColumn(), MofNCompleteColumn(), _PatientsPerSecond(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=terminal.progress(), transient=True) as bar:
        task = bar.add_task("patients", total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _kept(place: Path) -> Iterator[None]:
    """When stopped, say also how to read what is there."""
    try:
        yield
    except SystemExit:
        sys.stderr.write(f"Or read what is there: ketamech.exchange.cohort_store.read_cohort({str(place)!r})\n")
        raise
