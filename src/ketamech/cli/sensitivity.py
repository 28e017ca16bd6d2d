"""`ketamech sensitivity`: global sensitivity analysis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.long_run import long_run
from ketamech.cli.options import ResultFolder, Resume, ScenarioOrFile, Scheduler, Seed, Threads, listed_names
from ketamech.cli.terminal import require_extra
from ketamech.core import InputError
from ketamech.core.environment import available_threads, short_hash

if TYPE_CHECKING:
    from ketamech.analysis.sensitivity import SensitivityProblem

Endpoints = Annotated[
    str, typer.Option(help="Endpoints, joined by ';': an output at a time, its peak or its lowest value")
]
Parameters = Annotated[str | None, typer.Option(help="Only these parameters or stages, joined by ',' [default: all]")]
Trajectories = Annotated[int, typer.Option(min=4, help="Number of Morris trajectories")]
SobolN = Annotated[int, typer.Option("--sobol-n", min=8, help="Base points of the Sobol analysis, a power of 2")]
SobolTop = Annotated[
    int, typer.Option("--sobol-top", min=0, help="Number of top Morris parameters for Sobol; 0 for no Sobol")
]
Absolute = Annotated[
    bool, typer.Option("--absolute", help="Endpoints of the treated patient instead of treated minus control")
]
USUAL = "mood.madrs at 24 h; mood.madrs at day 28; dissociation.cadss peak"


def sensitivity(
    scenario: ScenarioOrFile = "racemic 0.5 mg/kg IV over 40 min", endpoints: Endpoints = USUAL,
    parameters: Parameters = None, trajectories: Trajectories = 20, sobol_n: SobolN = 1024, sobol_top: SobolTop = 20,
    absolute: Absolute = False, seed: Seed = 1, threads: Threads = None, out: ResultFolder = Path("runs/sensitivity"),
    resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Rank parameters by their influence on the drug effect.

    Example:  ketamech sensitivity "racemic 0.5 mg/kg IV over 40 min"

    Every parameter varies over its spread: one at a time (tornado), by Morris screening, and by Sobol indices of the
    parameters that Morris ranks highest. Endpoints are those of the treated patient minus those of the same patient
    with expectancy and without the drug, so that the ranking is of the drug effect and not of the baseline.

    More examples:

      ketamech sensitivity "esketamine 84 mg nasal twice weekly for 4 weeks" --endpoints "mood.madrs at day 29"

      ketamech sensitivity --parameters pharmacokinetics,dissociation --endpoints "dissociation.cadss peak"
    """
    from ketamech.analysis import sensitivity as sensitivity_analysis
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.simulation.load_scenario import load_scenario

    require_extra("calibrate")
    terminal.refuse_file(out)
    sensitivity_analysis.check_base_points(sobol_n, "--sobol-n 1024")
    loaded = load_scenario(scenario)
    if sobol_top == 1:
        raise InputError("Sobol of one parameter", key="--sobol-top", expected="2 or more, or 0 for no Sobol")
    model = terminal.model()
    names = list(listed_names(parameters)) if parameters else None
    targets, rows = (
        sensitivity_analysis.parse_endpoints(endpoints, model),
        sensitivity_analysis.varied_parameters(model, names, loaded.values),
    )
    analysis = sensitivity_analysis.SensitivityProblem(
        model, loaded, targets, rows, available_threads(threads, scheduler), absolute=absolute
    )
    terminal.print_regimen(loaded)
    key = short_hash(repr((loaded.regimen, loaded.values, loaded.horizon)))
    job = {"command": "sensitivity", "scenario": key, "endpoints": [repr(t) for t in targets], "absolute": absolute}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work, replace_folder(out) as draft:
        running_problem = replace(analysis, executor=work)
        first_figure = _analyse(running_problem, trajectories, sobol_n, sobol_top, seed, draft)[0].relative_to(draft)
    terminal.print_open_hint(out / first_figure)


def _analyse(
    problem: SensitivityProblem, trajectories: int, sobol_n: int, sobol_top: int, seed: int, out: Path
) -> list[Path]:
    """Write tables and figures into `out` and print the tables; returns the figures."""
    from ketamech.analysis import sensitivity as sensitivity_analysis
    from ketamech.exchange.result_metadata import write_csv_and_parquet, write_table
    from ketamech.report.analysis_figures import draw_convergence, draw_indices, draw_tornado
    from ketamech.report.provenance import provenance_of

    loaded, model = problem.scenario, problem.model
    metadata = provenance_of(loaded, model, seed, terminal.command_line())
    with terminal.progress_bar("Tornado") as progress:
        tornado = sensitivity_analysis.tornado(problem, progress)
    with terminal.progress_bar("Morris") as progress:
        morris = sensitivity_analysis.morris(problem, trajectories, seed, progress)
    paths = draw_tornado(out, tornado, problem.title)
    paths += draw_indices(out, morris, f"{problem.title}\nMorris: mean absolute elementary effect and spread", "morris")
    tables = {"tornado": tornado, "morris": morris}
    if sobol_top:
        top = list(dict.fromkeys(morris.sort_values("mu_star", ascending=False)["parameter"]))
        selected = dict.fromkeys(p for _, part in morris.groupby("endpoint") for p in part["parameter"].head(sobol_top))
        reduced_problem = replace(
            problem, parameters=sensitivity_analysis.varied_parameters(model, [p for p in top if p in selected])
        )
        with terminal.progress_bar("Sobol") as progress:
            tables["sobol"] = sensitivity_analysis.sobol(reduced_problem, sobol_n, seed, progress)
        paths += draw_indices(out, tables["sobol"], f"{problem.title}\nSobol: total and first-order index", "sobol")
        convergence = tables["sobol"].attrs.pop("convergence")
        write_table(convergence, out / "convergence.csv", metadata)
        paths += draw_convergence(out, convergence, f"{problem.title}\nSobol: total index, from ever more points")
    for name, table in tables.items():
        write_csv_and_parquet(table, out, name, metadata)
        top_rows = table.groupby("endpoint", sort=False).head(8)
        terminal.table(top_rows, title=f"{name}, {problem.kind}")
        if table.attrs["failed"]:
            message = f"{name}: {table.attrs['failed']} of {table.attrs['solves']} solves failed and are left out"
            terminal.progress().print(message)
    if sobol_top:
        widest = tables["sobol"]["total_half_width"].max()
        message = f"sobol: total indices known within {widest:.2f} (95 %) from {sobol_n} base points"
        terminal.progress().print(f"{message}; for twice as many: --sobol-n {2 * sobol_n}")
    return paths
