"""`ketamech sensitivity`: which parameter moves what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli.checkpoint_options import Resume, Scheduler, long_run, text_hash, threads_of
from ketamech.cli.optional_dependencies import require_extra
from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.analysis.sensitivity import SensitivityProblem

Scenario = Annotated[str, typer.Argument(help="A scenario file (YAML) or a sentence")]
Outcomes = Annotated[str, typer.Option(help="What is looked at, joined by ';': an output at a time, peak or lowest")]
Parameters = Annotated[str | None, typer.Option(help="Only these parameters or stages, joined by ',' [default: all]")]
Number = Annotated[int, typer.Option("--n", min=4, help="Morris trajectories")]
Base = Annotated[int, typer.Option(min=8, help="Sobol base points, a power of 2; 0 parameters below turns it off")]
Keep = Annotated[int, typer.Option(min=0, help="Sobol for so many parameters that Morris ranks highest")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same result")]
Threads = Annotated[int | None, typer.Option(min=1, help="[default: cores]")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for tables and pictures")]
USUAL = "mood.madrs at 24 h; mood.madrs at day 28; dissociation.cadss peak"


def sensitivity(
    scenario: Scenario = "racemic 0.5 mg/kg IV over 40 min", outcomes: Outcomes = USUAL, parameters: Parameters = None,
    n: Number = 20, base: Base = 1024, keep: Keep = 20, seed: Seed = 1, threads: Threads = None,
    out: Out = Path("runs/sensitivity"), resume: Resume = False, scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Rank the parameters by how much an outcome depends on them.

    Example:  ketamech sensitivity "racemic 0.5 mg/kg IV over 40 min"

    Every parameter is moved over its spread: one at a time (tornado), by Morris screening, and by Sobol indices of the
    parameters that matter most.

    More examples:

      ketamech sensitivity "esketamine 84 mg nasal twice weekly for 4 weeks" --outcomes "mood.madrs at day 29"

      ketamech sensitivity --parameters pharmacokinetics,dissociation --outcomes "dissociation.cadss peak"
    """
    from ketamech.analysis import sensitivity as kit
    from ketamech.cli import terminal
    from ketamech.exchange.output_folder import replace_folder
    from ketamech.simulation.load_scenario import load_scenario

    require_extra("calibrate")
    terminal.refuse_file(out)
    if base & (base - 1):
        raise InputError(f"{base} base points", key="--base", expected="a power of 2", type_this="--base 1024")
    asked = load_scenario(scenario)
    if keep == 1:
        raise InputError("Sobol of one parameter", key="--keep", expected="2 or more, or 0 for no Sobol")
    model = terminal.model()
    names = [name.strip() for name in parameters.split(",")] if parameters else None
    looked, rows = kit.parse_endpoints(outcomes, model), kit.varied_parameters(model, names, asked.values)
    question = kit.SensitivityProblem(model, asked, looked, rows, threads_of(threads, scheduler))
    scene = text_hash(repr((asked.regimen, asked.values, asked.horizon)))
    job = {"command": "sensitivity", "scenario": scene, "outcomes": [repr(o) for o in looked]}
    with long_run(out, job, model, resume=resume, scheduler=scheduler) as work, replace_folder(out) as draft:
        first = _answer(replace(question, work=work), n, base, keep, seed, draft)[0].relative_to(draft)
    terminal.opened(out / first)


def _answer(question: SensitivityProblem, n: int, base: int, keep: int, seed: int, out: Path) -> list[Path]:
    """Tables and pictures into `out`, and what is printed; returns the pictures."""
    from ketamech.analysis import sensitivity as kit
    from ketamech.cli import terminal
    from ketamech.cli.progress import counting
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.provenance import provenance_of
    from ketamech.report.sensitivity_figures import draw_convergence, draw_indices, draw_tornado

    asked, model = question.scenario, question.model
    facts = provenance_of(asked, model, seed, terminal.command_line())
    with counting("Tornado") as tell:
        swings = kit.tornado(question, tell)
    with counting("Morris") as tell:
        screened = kit.morris(question, n, seed, tell)
    paths = draw_tornado(out, swings, asked.title)
    paths += draw_indices(out, screened, f"{asked.title}\nMorris: mean absolute elementary effect and spread", "morris")
    tables = {"tornado": swings, "morris": screened}
    if keep:
        top = list(dict.fromkeys(screened.sort_values("mu_star", ascending=False)["parameter"]))
        best = dict.fromkeys(p for _, part in screened.groupby("outcome") for p in part["parameter"].head(keep))
        fewer = replace(question, parameters=kit.varied_parameters(model, [p for p in top if p in best]))
        with counting("Sobol") as tell:
            tables["sobol"] = kit.sobol(fewer, base, seed, tell)
        paths += draw_indices(out, tables["sobol"], f"{asked.title}\nSobol: total and first-order index", "sobol")
        steps = tables["sobol"].attrs.pop("convergence")
        write_table(steps, out / "convergence.csv", facts)
        paths += draw_convergence(out, steps, f"{asked.title}\nSobol: total index, from ever more points")
    for name, table in tables.items():
        write_table(table, out / f"{name}.csv", facts)
        write_table(table, out / f"{name}.parquet", facts)
        shown = table.groupby("outcome", sort=False).head(8)
        terminal.table(shown.to_dict("records"), title=name)
        if table.attrs["failed"]:
            said = f"{name}: {table.attrs['failed']} of {table.attrs['solves']} solves failed and are left out"
            terminal.progress().print(said)
    if keep:
        widest = tables["sobol"]["total_half_width"].max()
        said = f"sobol: total indices known within {widest:.2f} (95 %) from {base} base points; twice as many: --base"
        terminal.progress().print(f"{said} {2 * base}")
    return paths
