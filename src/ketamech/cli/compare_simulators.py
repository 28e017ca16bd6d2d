"""`ketamech compare-simulators`: the exported model in other simulators, compared with KetaMech."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.options import ResultFolder, Resume
from ketamech.core import InputError
from ketamech.core.environment import short_hash

if TYPE_CHECKING:
    from ketamech.exchange.cross_simulator_check import CrossSimulatorCheck, Simulate

Scenarios = Annotated[Path, typer.Option(help="A scenario file, an archive (.omex) or a folder of either")]
Amici = Annotated[
    bool,
    typer.Option("--amici", help="Also compare with AMICI, which compiles two minutes per scenario (ketamech[amici])"),
]
Tellurium = Annotated[
    bool,
    typer.Option("--tellurium", help="Also let Tellurium execute the archives (ketamech[tellurium])"),
]


def compare_simulators(
    scenarios: Scenarios = Path("examples"), out: ResultFolder = Path("runs/compare-simulators"), amici: Amici = False,
    tellurium: Tellurium = False, resume: Resume = False,
) -> None:  # fmt: skip
    """Run exported scenarios in other simulators.

    Example:  ketamech compare-simulators --scenarios examples/racemic_iv.yaml

    The archive of every scenario is run in libRoadRunner and COPASI; the largest difference of each output is listed.
    The exit code is 1 if a difference is above 1e-4 of the scale of its output. Each archive in each simulator is
    stored when it is finished; the same command with --resume continues after an interruption.

    More examples:

      ketamech compare-simulators --scenarios runs/figures

      ketamech compare-simulators --amici --tellurium
    """
    from ketamech.cli.long_run import long_run
    from ketamech.exchange import cross_simulator_check
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.simulation.load_scenario import load_scenario

    files = _scenario_files(scenarios)
    engines = _engines(amici, tellurium)
    model, written = terminal.model(), files[0].suffix.lower() == ".omex"
    loaded = {} if written else {file.stem: load_scenario(file, model.parameters) for file in files}
    terminal.refuse_file(out)
    versions = cross_simulator_check.package_versions(engines)
    job = {"command": "compare-simulators", "versions": versions, "engines": list(engines),
           "scenarios": {file.name: short_hash(file.read_bytes()) for file in files}}  # fmt: skip
    with long_run(out, job, model, resume=resume) as work, replace_folder(out) as folder:
        with terminal.progress().status("Archives ...") as status:
            how: dict[str, Any] = {"engines": engines, "executor": work, "progress": status.update}
            if written:
                comparison = cross_simulator_check.compare_archives(files, model, **how)
            else:
                comparison = cross_simulator_check.compare_simulators(loaded, model, folder, **how)
        metadata = terminal.provenance("certificate", model) | comparison.metadata
        write_table(comparison.table, folder / "differences.csv", metadata)
    _print(comparison)
    if not comparison.within_goal:
        sys.exit(1)


def _scenario_files(scenarios: Path) -> list[Path]:
    """The file, or the scenario files of a folder, else its archives. Raises InputError for a folder without any."""
    files = [scenarios]
    if scenarios.is_dir():
        files = sorted(scenarios.glob("*.yaml")) or sorted(scenarios.glob("*.omex"))
    if not files:
        raise InputError("no scenario files", file=scenarios, expected="a .yaml or .omex file or a folder of them")
    return files


def _engines(amici: bool, tellurium: bool) -> dict[str, Simulate]:
    """The simulators that are asked for, by name. Raises InputError where one is not installed."""
    from ketamech.exchange import cross_simulator_check

    engines = dict(cross_simulator_check.ENGINES)
    if amici:
        cross_simulator_check.require_amici()
        engines |= cross_simulator_check.SLOW_ENGINES
    if tellurium:
        cross_simulator_check.import_tellurium()
        engines |= cross_simulator_check.ARCHIVE_ENGINES
    return engines


def _print(comparison: CrossSimulatorCheck) -> None:
    """Print the largest difference of each output, what failed and why, and whether the goal is met."""
    from ketamech.exchange.cross_simulator_check import largest_differences

    console, word = terminal.progress(), "within" if comparison.within_goal else "ABOVE"
    title = "Largest difference, relative to the scale of the output"
    terminal.table(largest_differences(comparison.table), title=title)
    for (name, _), reason in comparison.failures.items():
        console.print(f"{name}: {terminal.escape_markup(reason)}")
    console.print(f"Largest difference: {comparison.largest:.2g}, {word} the limit of 1e-4.")
