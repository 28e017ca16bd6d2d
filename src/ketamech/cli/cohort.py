"""`ketamech simulate --patients N`: many patients, streamed to disk with a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ketamech.core import BadInput

if TYPE_CHECKING:
    from ketamech.study import Scenario

OUTPUTS = "mood.madrs"
SHARES = (5, 50, 95)
SOON, LATER, MOST_SHOWN = 2 / 3, 2.0, 40  # h after a dose that are always shown; for how many doses


@dataclass(frozen=True)
class Asked:
    """What the command line said about a cohort."""

    patients: int
    seed: int
    outputs: str | None
    times: str | None
    vary: str | None
    threads: int
    chunk: int
    tolerance: float
    device: str


def simulate_cohort(scenario: str, folder: Path | None, asked: Asked, folder_name: Callable[[str], str]) -> None:
    """Draw, solve and stream a cohort, then print what happened to it."""
    from ketamech import exchange, report, study
    from ketamech.cli import terminal

    given = study.load_scenario(scenario)
    place = folder or Path("runs") / folder_name(f"{given.title} {asked.patients} patients seed {asked.seed}")
    model = terminal.model()
    cohort = study.Cohort(
        model, given, asked.patients, _names(asked.outputs), _times(asked.times, given), asked.seed,
        vary=_names(asked.vary) if asked.vary else None, tolerance=asked.tolerance, threads=asked.threads,
        chunk=asked.chunk, device=asked.device,
    )  # fmt: skip
    exchange.refuse_small_disk(place, cohort.size)
    facts = {
        "outputs": cohort.outputs,
        "title": given.title,
        "seed": asked.seed,
        "tolerance": asked.tolerance,
        "command": sys.argv[1:],
    }
    with _progress(asked.patients) as progress, _kept(place, terminal):
        state = exchange.stream(place, cohort.chunks(progress), asked.patients, facts, chunk=asked.chunk)
    curves = exchange.read_cohort(place)
    picture = report.cohort_picture(place / "bands.svg", curves, given.title)
    terminal.table(_summary(curves), title=given.title)
    console = terminal.progress()
    share = 100 * state["failed"] / state["finished"]
    console.print(f"{state['finished']} patients; {state['failed']} failed ({share:.2g} %), see failures.csv")
    console.print(f"Open [bold]{terminal.written(picture)}[/bold]   {terminal.DISCLAIMER}")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in (text or OUTPUTS).split(",") if name.strip()))


def _times(text: str | None, scenario: Scenario) -> np.ndarray:
    """Hours from text such as '0, 2, 24'; default: every day, and just before and after each of the first doses."""
    if text is None:
        return _usual_times(scenario)
    try:
        return np.array([float(word) for word in text.split(",") if word.strip()])
    except ValueError:
        raise BadInput(f"times '{text}'", key="times", expected="hours", type_this="--times '0, 2, 24, 672'") from None


def _usual_times(scenario: Scenario) -> np.ndarray:
    horizon = scenario.horizon
    starts = sorted({at for treatment in scenario.regimen.treatments for at in treatment.starts(horizon)})[:MOST_SHOWN]
    around = np.array([[at, at + SOON, at + LATER] for at in starts]).ravel()
    every = np.concatenate([np.arange(0.0, horizon, 24.0), around, [horizon]])
    return np.unique(every[every <= horizon])


def _summary(curves: object) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    times = np.asarray(curves["time"].values)  # type: ignore[index]
    shown = np.unique(np.linspace(0, times.size - 1, min(times.size, 6)).astype(int))
    for name in curves.data_vars:  # type: ignore[attr-defined]
        values = curves[name].isel(time=shown).values  # type: ignore[index]
        for column, i in enumerate(shown):
            low, middle, high = np.nanpercentile(values[:, column], SHARES)
            unit = curves[name].attrs["units"]  # type: ignore[index]
            rows.append({"output": name, "hours": times[i], "5 %": low, "median": middle, "95 %": high, "unit": unit})
    return rows


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream: patients begun, time gone, time left."""
    from ketamech.cli import terminal

    columns = (TextColumn("Patients"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.progress(), transient=True) as bar:
        task = bar.add_task("patients", total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _kept(place: Path, terminal: object) -> Iterator[None]:
    """Ctrl-C: say what is kept and how to read it, and leave with the usual code."""
    began = time.monotonic()
    try:
        yield
    except KeyboardInterrupt:
        kept = f"finished chunks are kept: ketamech.exchange.read_cohort({str(place)!r})"
        sys.stderr.write(f"\nStopped after {time.monotonic() - began:.0f} s; {kept}\n")
        sys.exit(130)
