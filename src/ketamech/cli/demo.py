"""`ketamech demo`: example scenarios, scorecard, claims and equations in one folder with an index page."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.analysis.scorecard import Scorecard
    from ketamech.simulation.model import Model

Folder = Annotated[Path, typer.Argument(help="Folder for the results")]
Examples = Annotated[Path, typer.Option(help="Folder of scenario files")]


def demo(folder: Folder = Path("runs/demo"), examples: Examples = Path("examples")) -> None:
    """Run all examples and write an index page.

    Example:  ketamech demo runs/demo

    The folder contains every example scenario, the scorecard, the claims and the equations.
    """
    from ketamech.report.run_folder import write_index

    files = sorted(examples.glob("*.yaml"))
    if not files:
        message = "no scenario files"
        raise InputError(message, file=examples, expected="a folder with .yaml files", type_this="--examples examples")
    terminal.refuse_file(folder)
    start_time = time.perf_counter()
    model = terminal.model()
    scenarios, result = _write_folder(folder, files, model)
    index = write_index(folder, scenarios, result)
    terminal.table(result.criteria, title="Acceptance criteria")
    seconds = time.perf_counter() - start_time
    terminal.print_open_hint(index, f"{seconds:.0f} s. ")
    terminal.print_note(next_command())


def _write_folder(folder: Path, files: Sequence[Path], model: Model) -> tuple[list[tuple[str, str]], Scorecard]:
    """Write runs, scorecard, claims and model page; returns name and title of each run, and the scorecard."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from ketamech.analysis.claims import evaluate_claims
    from ketamech.analysis.scorecard import scorecard
    from ketamech.report.claims_page import write_claims
    from ketamech.report.model_page import describe
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.scorecard_figure import write_scorecard

    columns = (
        TextColumn("{task.description:40}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=terminal.progress()) as bar:
        task = bar.add_task("starting", total=len(files) + 3)
        scenarios = []
        for file in files:
            bar.update(task, description=file.stem.replace("_", " "))
            scenarios.append((file.stem, _write_example(folder, file, model)))
            bar.advance(task)
        bar.update(task, description="scorecard")
        result = scorecard(model=model)
        metadata = provenance_of_many("scorecard", "", model, "ketamech scorecard --no-trials")
        write_scorecard(folder / "scorecard", result, metadata=metadata)
        bar.advance(task)
        bar.update(task, description="claims")
        metadata = provenance_of_many("claims", "", model, "ketamech claims")
        write_claims(folder / "claims", evaluate_claims(model), metadata)
        bar.advance(task)
        bar.update(task, description="model page")
        (folder / "model.html").write_text(describe(model.system, html=True), encoding="utf-8")
        bar.advance(task)
    return scenarios, result


def _write_example(folder: Path, file: Path, model: Model) -> str:
    """Simulate one scenario file and write its run; returns its title."""
    from ketamech.report.run_folder import write_run
    from ketamech.simulation.load_scenario import load_scenario
    from ketamech.simulation.simulate import simulate_scenario

    scenario = load_scenario(file, model.parameters)
    command = f"ketamech simulate {file.parent.name}/{file.name}"
    write_run(folder / file.stem, simulate_scenario(scenario, model), scenario, model, command)
    return scenario.title


def next_command() -> str:
    """The next command to type; with its path if the shell does not find it."""
    arguments = 'simulate "racemic 0.5 mg/kg IV over 40 min"'
    folder = Path(sys.executable).parent
    command, activate = folder / "ketamech", folder / "activate"
    if shutil.which("ketamech") or not command.exists():
        return f"Next, type:  ketamech {arguments}"
    if not activate.exists():
        return f"Next, type:  {_relative_path(command)} {arguments}"
    text = f"Next, type:  source {_relative_path(activate)}  and then  ketamech {arguments}"
    return f"{text}\nor, without activation:  {_relative_path(command)} {arguments}"


def _relative_path(path: Path) -> Path:
    """The path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
