"""`ketamech simulate`: one scenario, a virtual population or a dose table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.cli import terminal
from ketamech.cli.options import SimulateOptions, folder_name, listed_names, with_options
from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.cli.simulate_cohort import Records

CURVES, MAX_ROWS = "curves.csv", 12
OF_MANY_PATIENTS = (
    "population", "seed", "outputs", "times", "output_interval", "varying", "threads", "chunk", "tolerance", "device",
    "scheduler", "resume", "dry_run",
)  # fmt: skip
OF_TABLES = ("replicates", "every_record")
OF_SCENARIOS = ("outputs", "times", "output_interval")


@with_options(SimulateOptions)
def simulate(options: SimulateOptions) -> None:
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
    from ketamech.cli.scenario_argument import is_table

    if not options.report and (options.png or options.patients is not None):
        message = f"--no-report with {'--png' if options.png else '--patients'}"
        raise InputError(message, key="--no-report", expected="--no-report alone, for one scenario")
    if options.patients is None and is_table(options.scenario):
        return _simulate_table(options)
    _refuse_without_table(options.given(*OF_TABLES))
    if options.patients is None:
        return _simulate_scenario(options, options.given(*OF_MANY_PATIENTS))
    from ketamech.cli.simulate_cohort import simulate_cohort

    return simulate_cohort(options)


def _simulate_table(options: SimulateOptions) -> None:
    """Simulate every subject of a dose table, or the only one with a report."""
    from ketamech.cli.scenario_argument import refuse_additions
    from ketamech.cli.simulate_cohort import Records, simulate_table

    refuse_additions(options.species, options.perturb, options.variant, options.person, options.set_)
    records = Records.read(options)
    applied = records.applied_options
    others = {k: v for k, v in options.given(*OF_MANY_PATIENTS, *OF_TABLES).items() if k not in applied}
    if records.single_scenario:
        return _simulate_scenario(options, others, records)
    return simulate_table(records, options, others | options.given("connectome", "receptors"))


def _simulate_scenario(options: SimulateOptions, options_given: dict[str, Any], records: Records | None = None) -> None:
    """Simulate one scenario and write its report; `options_given` are the options that remain to be applied."""
    output_options = {name: options_given.pop(name, None) for name in OF_SCENARIOS}
    _refuse_without_patients(options_given)
    from ketamech.report.run_folder import write_run
    from ketamech.report.summary import exposure_rows, sedation_rows, summary_rows

    scenario = options.loaded_scenario()
    folder = options.out or Path("runs") / folder_name(scenario.title)
    terminal.check_folder(folder)
    model = terminal.model(options.pk_model)
    terminal.print_regimen(scenario)
    console = terminal.progress()
    with console.status("Simulating ..."):
        curves, scenario, requested = _simulated(scenario, model, **output_options)
        tables = {CURVES: requested} | (records.report_tables(model) if records else {})
    with console.status("Writing the report ..." if options.report else "Writing the results ..."):
        command_text = terminal.command_line()
        write_run(folder, curves, scenario, model, command_text, png=options.png, report=options.report, tables=tables)
    terminal.print_assumptions(scenario.assumptions)
    terminal.table(summary_rows(curves), title=scenario.title)
    if output_options["times"] or output_options["output_interval"]:
        terminal.table(requested[0][:MAX_ROWS])
    if sedation := sedation_rows(curves):
        terminal.table(sedation)
    terminal.table(exposure_rows(curves, scenario, model.parameters))
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

    from ketamech.engine.solve import validate_times
    from ketamech.exchange.curves_io import shown_curves
    from ketamech.simulation.output_ranges import exists_in, require_outputs
    from ketamech.simulation.simulate import DEFAULT_OUTPUTS, curves_of_scenario, subjects, times_of_scenario

    names = model.known_outputs(listed_names(outputs)) if outputs else DEFAULT_OUTPUTS
    if outputs:
        require_outputs(scenario.group, names)
    hours = None
    if times is not None or output_interval is not None:
        from ketamech.cli.simulate_cohort import output_times

        hours = validate_times(output_times(times, output_interval, scenario), 1)
        if hours.min() < 0:
            raise InputError("output times must not be negative", key="--times", expected="hours, e.g. 0, 0.5, 24")
        scenario = scenario.lasting_until(float(hours.max()))
    grid = times_of_scenario(scenario, subjects(scenario, model)[0])
    all_times = None if hours is None else np.union1d(grid, hours).tolist()
    curves = curves_of_scenario(scenario, model, all_times)
    present = [name for name in names if exists_in(scenario.group, name)]
    return curves, scenario, shown_curves(curves, present, grid if hours is None else hours)


def _refuse_without_table(options_given: dict[str, Any]) -> None:
    """Raise InputError for an option that only a dose table has."""
    for name in options_given:
        option = f"--{name.replace('_', '-')}"
        message = f"{option} is for a dose table"
        raise InputError(
            message, key=option, expected="a file such as doses.csv; many patients of a scenario: --patients"
        )


def _refuse_without_patients(options_given: dict[str, Any]) -> None:
    """Raise InputError for an option that is valid only with --patients."""
    for name, value in options_given.items():
        option = f"--{name.replace('_', '-')}"
        typed_option = option if value is True else f"{option} {value}"
        message = f"{typed_option} is for many patients"
        raise InputError(message, key=option, expected="also --patients", type_this=f"--patients 1000 {typed_option}")
