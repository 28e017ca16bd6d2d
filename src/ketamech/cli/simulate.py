"""`ketamech simulate`: one scenario, a virtual population or a dose table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.options import Drug, Receptors, Resume, Scheduler, SimulateOptions, Threads, folder_name
from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.cli.simulate_cohort import Records

Scenario = Annotated[
    str,
    typer.Argument(
        help='A regimen in words ("esketamine 84 mg nasal twice weekly for 4 weeks"), a scenario file (.yaml) or a'
        " NONMEM-style dose table (.csv)"
    ),
]
CURVES, MAX_ROWS = "curves.csv", 12
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/<title>]")]
Png = Annotated[bool, typer.Option("--png", help="Also write the overview figure as PNG")]
Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Draw figures and write report.html; without, curves and tables")
]
Perturb = Annotated[
    list[str] | None,
    typer.Option("--perturb", help='A perturbation: "NBQX 10 mg/kg IP at -30 min", "BDNF knock-out"; may be repeated'),
]
Person = Annotated[
    list[str] | None,
    typer.Option(
        "--person",
        help='A value of the person: "weight=90 kg", age=75, "cyp2b6=*6/*6", "liver_function=Child-Pugh B"; more joined'
        " by ',' or in further options; a bare number is in the unit of the parameter table",
    ),
]
SetValue = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any parameter by its full name: mood.expectancy_weight=0; may be repeated"),
]
Species = Annotated[str | None, typer.Option(help="human, rat or mouse [default: as the file says, or human]")]
Variant = Annotated[str | None, typer.Option(help="A model variant; 'ketamech variants' lists them [default: none]")]
Patients = Annotated[
    int | None, typer.Option(help="Simulate this many virtual patients instead of the typical patient")
]
Population = Annotated[
    str | None,
    typer.Option(
        help="With --patients: people of this population (trd, mdd, bipolar, suicidal, elderly, healthy, crps or"
        " surgical), with covariates and correlations [default: each parameter is drawn from its own spread,"
        " independently; such bands are not those of a clinical sample]"
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Seed of the virtual patients; patient i is the same for any number [default: as the file says, or 1]",
    ),
]
Outputs = Annotated[
    str | None,
    typer.Option(
        help="Names of the outputs to write, joined by ',' [default: mood.madrs; one patient: also venous levels]"
    ),
]
Times = Annotated[
    str | None,
    typer.Option(help="Output times in hours, e.g. '0, 2, 24, 672' [default: every day and around doses]"),
]
OutputInterval = Annotated[float | None, typer.Option(help="Hours between output times, instead of --times")]
Varying = Annotated[
    str | None,
    typer.Option(help="Parameters or stages that vary between patients, joined by ',' [default: all with a spread]"),
]
Chunk = Annotated[
    int | None, typer.Option(help="Patients per chunk on disk; does not change the results [default: 4096]")
]
RecordReplicates = Annotated[
    int | None,
    typer.Option(
        "--replicates",
        help="Dose table: solve each subject this many times with parameters drawn from their spreads; see --seed",
    ),
]
EveryRecord = Annotated[
    bool, typer.Option("--every-record", help="Dose table: a row for every record, also for those of doses")
]
Subject = Annotated[str | None, typer.Option(help="Dose table: only the subject with this ID")]
PkModel = Annotated[
    Path | None,
    typer.Option(help="Your own pharmacokinetics (.yaml): names of an SBML model, or a model of 1 to 3 compartments"),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="With --patients: print the time, disk and memory that it needs, and stop")
]
Tolerance = Annotated[float | None, typer.Option(help="Relative tolerance of the solver [default: 6e-7]")]
Connectome = Annotated[Path | None, typer.Option(help="CSV file of weights between brain areas (rows and columns)")]
Device = Annotated[str | None, typer.Option(help="Device of the solver, cpu or cuda [default: cpu]")]


def simulate(
    scenario: Scenario, out: Out = None, png: Png = False, perturb: Perturb = None, species: Species = None,
    variant: Variant = None, patients: Patients = None, population: Population = None, seed: Seed = None,
    outputs: Outputs = None, times: Times = None, output_interval: OutputInterval = None, varying: Varying = None,
    threads: Threads = None, chunk: Chunk = None, tolerance: Tolerance = None, device: Device = None,
    resume: Resume = False, scheduler: Scheduler = None, person: Person = None, set_: SetValue = None,
    drug: Drug = None, subject: Subject = None, replicates: RecordReplicates = None, every_record: EveryRecord = False,
    dry_run: DryRun = False,
    pk_model: PkModel = None, connectome: Connectome = None, receptors: Receptors = None, report: Report = True,
) -> None:  # fmt: skip
    """Simulate one scenario and write a report with curves.

    Example:  ketamech simulate "racemic 0.5 mg/kg IV over 40 min"

    The results are a folder with curves (curves.csv holds --outputs at --times), a summary, figures and an HTML report.
    A dose table gives simulated.csv: the outputs of every subject at the observation times (EVID 0); for a single
    subject also the report. With --replicates it also gives bands.csv: percentiles at each record.
    With --patients, the results are quantile bands and a Zarr store of the curves of virtual patients. By default each
    parameter is drawn from its own spread, independently of the others; a spread may also hold the uncertainty of a
    mean. Bands of receptors and synapses are then several times as wide as in a sample of people, those of mood about
    as wide, those of concentrations narrower. With --population, the patients are people with covariates and correlated
    parameters, as `ketamech population` and `ketamech trial` draw them.

    More examples:

      ketamech simulate "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks" --out runs/nasal

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min" --person "weight=90 kg" --times 0.67,2,24

      ketamech simulate examples/crps_infusion.yaml

      ketamech simulate "racemic 10 mg/kg IP" --species rat --perturb "NBQX 10 mg/kg IP at -30 min"

      ketamech simulate doses.csv --drug esketamine

      ketamech simulate doses.csv --drug esketamine --replicates 200 --outputs venous.esketamine

      ketamech simulate "racemic 35 mg IV" --pk-model my_kinetics.yaml

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min" --patients 10000 --outputs mood.madrs,dissociation.cadss

      ketamech simulate "racemic 0.5 mg/kg IV over 40 min" --patients 1000 --population trd
    """
    run(SimulateOptions(**locals()))


OF_MANY_PATIENTS = (
    "population", "seed", "outputs", "times", "output_interval", "varying", "threads", "chunk", "tolerance", "device",
    "scheduler", "resume", "dry_run",
)  # fmt: skip
OF_TABLES = ("replicates", "every_record")
OF_SCENARIOS = ("outputs", "times", "output_interval")


def run(options: SimulateOptions) -> None:
    """Simulate virtual patients, a dose table or one scenario. Raises InputError for options that do not apply."""
    from ketamech.cli.scenario_argument import is_table

    if not options.report and (options.png or options.patients is not None):
        what = f"--no-report with {'--png' if options.png else '--patients'}"
        raise InputError(what, key="--no-report", expected="--no-report alone, for one scenario")
    if options.patients is None and is_table(options.scenario):
        return _simulate_table(options)
    _refuse_without_table(options.given(*OF_TABLES))
    if options.patients is None:
        return _simulate_scenario(options, options.given(*OF_MANY_PATIENTS))
    from ketamech.cli.simulate_cohort import simulate_cohort

    return simulate_cohort(options)


def _simulate_table(options: SimulateOptions) -> None:
    """Simulate every subject of a dose table, or the only one with a report."""
    from ketamech.cli.scenario_argument import refuse_for_table
    from ketamech.cli.simulate_cohort import Records, simulate_table

    refuse_for_table({
        "--species": options.species, "--perturb": options.perturb, "--variant": options.variant,
        "--person": options.person, "--set": options.set_,
    })  # fmt: skip
    records = Records.read(options)
    applied = records.applied_options
    others = {k: v for k, v in options.given(*OF_MANY_PATIENTS, *OF_TABLES).items() if k not in applied}
    if records.single_scenario:
        return _simulate_scenario(options, others, records)
    return simulate_table(records, options, others | options.given("connectome", "receptors"))


def _simulate_scenario(options: SimulateOptions, given: dict[str, Any], records: Records | None = None) -> None:
    """Simulate one scenario and write its report; `given` are the options that remain to be applied."""
    chosen = {name: given.pop(name, None) for name in OF_SCENARIOS}
    _refuse_without_patients(given)
    from ketamech.report.run_folder import write_run
    from ketamech.report.summary import exposure_rows, summary_rows

    loaded = options.loaded_scenario()
    folder = options.out or Path("runs") / folder_name(loaded.title)
    terminal.check_folder(folder)
    model = terminal.model(options.pk_model)
    terminal.print_regimen(loaded)
    console = terminal.progress()
    with console.status("Simulating ..."):
        curves, loaded, requested = _simulated(loaded, model, **chosen)
        tables = {CURVES: requested} | (records.report_tables(model) if records else {})
    with console.status("Writing the report ..." if options.report else "Writing the results ..."):
        line = terminal.command_line()
        write_run(folder, curves, loaded, model, line, png=options.png, report=options.report, tables=tables)
    terminal.print_assumptions(loaded.assumptions)
    terminal.table(summary_rows(curves), title=loaded.title)
    if chosen["times"] or chosen["output_interval"]:
        terminal.table(requested[0].head(MAX_ROWS).to_dict("records"))
    terminal.table(exposure_rows(curves, loaded, model.parameters))
    for name, (table, _) in tables.items():
        if name != CURVES:
            console.print(f"{len(table)} records of the dose table: {terminal.escape_markup(folder / name)}")
    if options.report:
        terminal.print_open_hint(folder / "report.html")
    else:
        terminal.print_written_files([folder])


def _simulated(
    scenario: Any, model: Any, *, outputs: str | None, times: str | None, output_interval: float | None
) -> tuple[Any, Any, tuple[Any, dict[str, str]]]:
    """Curves of one patient, the scenario (which lasts until the last time), and the table of --outputs at --times."""
    import numpy as np

    from ketamech.cli.simulate_cohort import listed_names, output_times
    from ketamech.engine.solve import validate_outputs, validate_times
    from ketamech.exchange.curves_io import shown_curves
    from ketamech.simulation.output_ranges import exists_in, require_outputs
    from ketamech.simulation.simulate import DEFAULT_OUTPUTS, simulate_scenario, subjects, times_of_scenario

    names = validate_outputs(model.kernel, listed_names(outputs)) if outputs else DEFAULT_OUTPUTS
    if outputs:
        require_outputs(scenario.group, names)
    hours = None
    if times is not None or output_interval is not None:
        hours = validate_times(output_times(times, output_interval, scenario), 1)
        if hours.min() < 0:
            raise InputError("output times must not be negative", key="--times", expected="hours, e.g. 0, 0.5, 24")
        scenario = scenario.lasting_until(float(hours.max()))
    grid = times_of_scenario(scenario, subjects(scenario, model)[0])
    both = None if hours is None else np.union1d(grid, hours).tolist()
    curves = simulate_scenario(scenario, model, times=both)
    present = [name for name in names if exists_in(scenario.group, name)]
    return curves, scenario, shown_curves(curves, present, grid if hours is None else hours)


def _refuse_without_table(options_given: dict[str, Any]) -> None:
    """Raise InputError for an option that only a dose table has."""
    for name in options_given:
        option = f"--{name.replace('_', '-')}"
        what = f"{option} is for a dose table"
        raise InputError(what, key=option, expected="a file such as doses.csv; many patients of a scenario: --patients")


def _refuse_without_patients(options_given: dict[str, Any]) -> None:
    """Raise InputError for an option that is valid only with --patients."""
    for name, value in options_given.items():
        option = f"--{name.replace('_', '-')}"
        words = option if value is True else f"{option} {value}"
        what = f"{words} is for many patients"
        raise InputError(what, key=option, expected="also --patients", type_this=f"--patients 1000 {words}")
