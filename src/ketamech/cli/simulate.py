"""`ketamech simulate`: the main job."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.cli.checkpoint_options import Resume, Scheduler
from ketamech.core import InputError

Scenario = Annotated[
    str,
    typer.Argument(
        help='A sentence ("esketamine 84 mg nasal twice weekly for 4 weeks"), a scenario file (.yaml), or a'
        " NONMEM-style table of doses (.csv)"
    ),
]
LONGEST_NAME = 60
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/<title>]")]
Png = Annotated[bool, typer.Option("--png", help="Write the story also as PNG, for slides (a second more)")]


Beside = Annotated[
    list[str] | None,
    typer.Option(
        "--with", help='What is done beside: "NBQX 10 mg/kg IP at -30 min", "BDNF knock-out"; may be repeated'
    ),
]
Species = Annotated[str | None, typer.Option(help="human, rat or mouse [default: human, or the file's]")]
Wiring = Annotated[
    str | None, typer.Option(help="A rival wiring: 'ketamech explain wirings' lists them [default: none]")
]
Patients = Annotated[int | None, typer.Option(help="Draw this many virtual patients instead of the typical one")]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0, help="Which patients are drawn: patient i is the same in any cohort [default: 1, or the file's]"
    ),
]
Outputs = Annotated[str | None, typer.Option(help="Outputs to keep, by name [default: mood.madrs]")]
Times = Annotated[
    str | None, typer.Option(help="Hours to keep, e.g. '0, 2, 24, 672' [default: every day and around doses]")
]
Every = Annotated[float | None, typer.Option(help="Hours between two times to keep, in place of --times")]
Vary = Annotated[str | None, typer.Option(help="Only these parameters or stages differ [default: all with a spread]")]
Threads = Annotated[int | None, typer.Option(min=1, help="The results are the same for any number [default: cores]")]
Chunk = Annotated[int | None, typer.Option(help="Patients between two writes; changes no number [default: 4096]")]
Drug = Annotated[str | None, typer.Option("--drug", help="Table of doses: what is given where it has no column DRUG")]
Id = Annotated[str | None, typer.Option("--id", help="Table of doses: only this person")]
Kinetics = Annotated[
    Path | None, typer.Option(help="Kinetics of your own: a file (.yaml) that says what is what in an SBML model")
]
Tolerance = Annotated[float | None, typer.Option(help="Relative tolerance of the solver [default: 2e-6]")]
Connectome = Annotated[Path | None, typer.Option(help="CSV file of weights between brain areas, area by area")]
Receptors = Annotated[Path | None, typer.Option(help="CSV file: area, and any of nmda, glun2b, ampa")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda [default: cpu]")]


def simulate(
    scenario: Scenario,
    out: Out = None,
    png: Png = False,
    beside: Beside = None,
    species: Species = None,
    wiring: Wiring = None,
    patients: Patients = None,
    seed: Seed = None,
    outputs: Outputs = None,
    times: Times = None,
    every: Every = None,
    vary: Vary = None,
    threads: Threads = None,
    chunk: Chunk = None,
    tolerance: Tolerance = None,
    device: Device = None,
    resume: Resume = False,
    scheduler: Scheduler = None,
    drug: Drug = None,
    id_: Id = None,
    kinetics: Kinetics = None,
    connectome: Connectome = None,
    receptors: Receptors = None,
) -> None:
    """Simulate one scenario and write curves, a summary, figures and an HTML report into one folder.

    Example:  ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

    A table of doses gives simulated.csv: everybody at the times of the observations (EVID 0), with --outputs; for one
    person it stands beside the report.
    With --patients, many virtual patients drawn from the spreads of the parameters: bands, and a Zarr store of curves.

    More examples:

      ketamech simulate "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks" --out runs/nasal

      ketamech simulate examples/crps_infusion.yaml

      ketamech simulate "racemic 10 mg/kg IP" --species rat --with "NBQX 10 mg/kg IP at -30 min"

      ketamech simulate doses.csv --drug esketamine

      ketamech simulate "racemic 35 mg IV" --kinetics my_kinetics.yaml

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min" --patients 10000 --outputs mood.madrs,dissociation.cadss
    """
    of_many: dict[str, Any] = {
        "seed": seed, "outputs": outputs, "times": times, "every": every, "vary": vary, "threads": threads,
        "chunk": chunk, "tolerance": tolerance, "device": device, "scheduler": scheduler, "resume": resume or None,
    }  # fmt: skip
    given = {name: value for name, value in of_many.items() if value is not None}
    if patients is not None:
        from ketamech.cli.simulate_cohort import CohortOptions, simulate_cohort

        given |= {"png": png, "connectome": connectome, "receptors": receptors}
        given |= {"species": species, "beside": tuple(beside or ()), "wiring": wiring}
        given |= {"drug": drug, "subject": id_, "kinetics": kinetics}
        return simulate_cohort(scenario, out, CohortOptions(patients, **given), _folder_name)
    from ketamech.cli import scenario_argument

    records = None
    if scenario_argument.is_table(scenario):
        from ketamech.cli.dose_table import Records, simulate_table

        records = Records.read(scenario, drug, id_, given.pop("outputs", None))
        if not records.one_story:
            given |= {k: v for k, v in (("connectome", connectome), ("receptors", receptors)) if v is not None}
            return simulate_table(records, out, kinetics, _folder_name, given)
    _refuse_without_patients(given)
    from ketamech.cli import terminal
    from ketamech.report.run_folder import check_folder, write_run
    from ketamech.report.summary import summary_rows
    from ketamech.simulation.simulate import simulate as study_simulate

    asked = scenario_argument.scenario(
        scenario, drug=drug, subject=id_, species=species, beside=tuple(beside or ()), wiring=wiring
    ).with_connectome(connectome, receptors)
    folder = out or Path("runs") / _folder_name(asked.title)
    check_folder(folder)
    model = terminal.model(kinetics)
    console = terminal.progress()
    with console.status("Simulating ..."):
        curves = study_simulate(asked, model=model)
        tables = records.beside_report(model) if records else {}
    with console.status("Drawing and writing the report ..."):
        write_run(folder, curves, asked, model, terminal.command_line(), png=png, tables=tables)
    for note in asked.assumptions:
        console.print(f"Assumed: {terminal.escape_markup(note)}.")
    terminal.table(summary_rows(curves), title=asked.title)
    for name, (found, _) in tables.items():
        console.print(f"{len(found)} records of the table: {terminal.escape_markup(folder / name)}")
    terminal.opened(folder / "report.html")


def _refuse_without_patients(given: dict[str, Any]) -> None:
    """Say so rather than take no notice."""
    for name, value in given.items():
        words = f"--{name}" if value is True else f"--{name} {value}"
        what = f"{words} is for many patients"
        raise InputError(what, key=f"--{name}", expected="also --patients", type_this=f"--patients 1000 {words}")


def _folder_name(title: str) -> str:
    """The title as a folder name; a long one is cut and marked, so that two long titles do not share a folder."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "run"
    mark = hashlib.sha256(title.encode()).hexdigest()
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{mark[:6]}"
