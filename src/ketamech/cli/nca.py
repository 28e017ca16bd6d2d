"""`ketamech nca`: non-compartmental analysis of measured or simulated concentrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.options import folder_name, listed_names, with_options
from ketamech.core import InputError, require_known

if TYPE_CHECKING:
    from ketamech.exchange.nca_profiles import Profiles
    from ketamech.simulation.nca import NcaRules
    from ketamech.simulation.nca_tables import AnalysedProfile

SHOWN, MAX_FIGURES = 20, 50


@dataclass(frozen=True)
class NcaOptions:
    """The argument and the options of `ketamech nca`; None where an option was not given."""

    source: Annotated[
        str,
        typer.Argument(
            help="A data table (.csv, with columns ID, TIME, AMT, DV and a route) or a scenario to simulate: a regimen"
            " in words or a scenario file (.yaml)"
        ),
    ]
    unit: Annotated[str | None, typer.Option(help="Table: unit of the levels, e.g. ng/mL [default: column DVU]")] = None
    column: Annotated[str | None, typer.Option("--dv", help="Table: column with the levels [default: DV]")] = None
    route: Annotated[
        str | None,
        typer.Option("--route", help="Table: route of all doses, e.g. IV, oral [default: column ROUTE or CMT]"),
    ] = None
    drug: Annotated[
        str | None, typer.Option("--drug", help="Table: the drug whose doses count, if there are several")
    ] = None
    molar_mass: Annotated[
        float | None, typer.Option(help="Table: g/mol, for molar levels of a drug not in the model")
    ] = None
    tau: Annotated[float | None, typer.Option(help="Table: dosing interval in h [default: as the doses say]")] = None
    steady_state: Annotated[bool, typer.Option("--steady-state", help="Table: later doses are at steady state")] = False
    subject: Annotated[str | None, typer.Option(help="Table: only the subject with this ID")] = None
    analytes: Annotated[
        str | None, typer.Option(help="Table: only these analytes (DVID), joined by ',' [default: all]")
    ] = None
    outputs: Annotated[
        str | None, typer.Option(help="Scenario: outputs to analyse, joined by ',' [default: the drug in venous blood]")
    ] = None
    times: Annotated[
        str | None, typer.Option(help="Scenario: sampling times in h, e.g. '0.5, 1, 2, 4, 8' [default: dense]")
    ] = None
    patients: Annotated[
        int | None, typer.Option(min=1, help="Scenario: virtual patients instead of the typical patient")
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Scenario: seed of the virtual patients")] = 1
    lloq: Annotated[
        float | None, typer.Option(help="Limit of quantification in the unit of the levels; lower is BLQ")
    ] = None
    lambda_z: Annotated[
        str | None, typer.Option("--lambda-z", help="Hours of the terminal regression, e.g. 12-36 [default: best fit]")
    ] = None
    trapezoids: Annotated[str, typer.Option(help="linear-up-log-down or linear")] = "linear-up-log-down"
    blq_zero: Annotated[bool, typer.Option("--blq-zero", help="BLQ between two levels is 0 [default: left out]")] = (
        False
    )
    adam: Annotated[
        bool, typer.Option("--adam", help="Also write adpp.csv and .parquet: one row a parameter (ADaM)")
    ] = False
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw one figure per subject")] = True
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/nca-<title>]")
    ] = None

    @property
    def table_options(self) -> dict[str, Any]:
        """Options that apply to a data table only, by name."""
        return {
            "--unit": self.unit, "--dv": self.column, "--route": self.route, "--drug": self.drug,
            "--molar-mass": self.molar_mass, "--tau": self.tau, "--steady-state": self.steady_state or None,
            "--subject": self.subject, "--analytes": self.analytes,
        }  # fmt: skip

    @property
    def scenario_options(self) -> dict[str, Any]:
        """Options that apply to a scenario only, by name."""
        return {"--outputs": self.outputs, "--times": self.times, "--patients": self.patients}


@with_options(NcaOptions)
def nca(options: NcaOptions) -> None:
    """Compute exposure without a model: peak, area, half-life, clearance, volume.

    Example:  ketamech nca "racemic 0.5 mg/kg IV over 40 min"

    The rules are those of Phoenix WinNonlin: linear-up log-down trapezoids; the terminal slope from the regression with
    the best adjusted R squared, of those within 0.0001 the one with the most levels; C0 of a bolus by extrapolation.
    Parameters have CDISC codes (CMAX, AUCIFO, LAMZHL, CLFO ...), and every column states its unit. A value that cannot
    be estimated is empty, with the reason. docs/nca.md explains every rule.

    The results are nca.csv and nca.parquet (one row for each subject, analyte and dose), statistics.csv for several
    subjects, and a figure per subject.

    More examples:

      ketamech nca levels.csv --unit ng/mL --drug ketamine

      ketamech nca levels.csv --unit umol/L --route oral --lloq 0.01 --adam

      ketamech nca levels.csv --unit ng/mL --analytes "1"

      ketamech nca runs/doses/simulated.csv --dv venous.ketamine

      ketamech nca "esketamine 84 mg nasal twice weekly for 4 weeks" --outputs venous.esketamine,venous.norketamine

      ketamech nca "racemic 0.5 mg/kg IV over 40 min" --patients 50 --times "0.67, 1, 2, 4, 8, 12, 24"
    """
    from ketamech.cli import scenario_argument

    _refuse_folder(Path(options.source))
    rules = _rules(options)
    if scenario_argument.is_table(options.source):
        expected = "one of the columns of the table; options of tables: ketamech nca --help"
        _refuse(options.scenario_options, "a scenario", expected)
        title = Path(options.source).stem
        folder = _folder(options.out, title)
        profiles = _table_profiles(options)
    else:
        _refuse(options.table_options, "a data table", "a file such as levels.csv")
        title, folder, profiles = _scenario_profiles(options)
    _write(profiles, rules, folder, title, options)


def _refuse_folder(folder: Path) -> None:
    """Raise InputError for a folder of results, with the file in it that can be analysed."""
    if not folder.is_dir():
        return
    readable = [folder / name for name in ("simulated.csv", "scenario.yaml") if (folder / name).is_file()]
    column_option = " --dv venous.ketamine" if readable and readable[0].suffix == ".csv" else ""
    command = f"ketamech nca {readable[0]}{column_option}" if readable else None
    raise InputError(f"'{folder}' is a folder", expected="a data table, or a scenario file", type_this=command)


def _refuse(options: dict[str, Any], of: str, expected: str) -> None:
    """Raise InputError for an option that this source does not have."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} is for {of}", key=name, expected=expected)


def _rules(options: NcaOptions) -> NcaRules:
    from ketamech.simulation.nca import LINEAR, LINEAR_UP_LOG_DOWN, NcaRules

    rules, lloq, text = (LINEAR_UP_LOG_DOWN, LINEAR), options.lloq, options.lambda_z
    if options.trapezoids not in rules:
        message = f"'{options.trapezoids}' is no rule for areas"
        raise InputError(message, key="--trapezoids", expected=" or ".join(rules))
    if lloq is not None and not lloq >= 0:
        raise InputError(f"a limit of quantification of {lloq:g}", key="--lloq", expected="0 or more")
    span = None
    if text is not None:
        try:
            first, last = (float(part) for part in text.split("-"))
        except ValueError:
            first, last = 0.0, 0.0
        if not first < last:
            message = f"'{text}' is not a span of hours"
            raise InputError(message, key="--lambda-z", expected="two hours", type_this="--lambda-z 12-36")
        span = (first, last)
    return NcaRules(options.trapezoids, lloq or 0.0, options.blq_zero, span)


def _folder(out: Path | None, title: str) -> Path:
    folder = out or Path("runs") / folder_name(f"nca {title}")
    terminal.check_folder(folder)
    return folder


def _table_profiles(options: NcaOptions) -> Profiles:
    from ketamech.core.csv_table import parts
    from ketamech.exchange.concentration_profiles import TableSettings, profiles_of_table
    from ketamech.nonmem.measurements import DV
    from ketamech.parameters import load_parameters

    settings = TableSettings(
        options.unit, options.column or DV, options.route, options.drug, options.molar_mass, options.tau,
        options.steady_state, parts(options.analytes or "", ","),
    )  # fmt: skip
    for name, value in (("--molar-mass", options.molar_mass), ("--tau", options.tau)):
        if value is not None and not value > 0:
            raise InputError(f"{name} {value:g}", key=name, expected="a number above 0")
    profiles = profiles_of_table(options.source, load_parameters(), settings)
    subject = options.subject
    if subject is None:
        return profiles
    names = list(dict.fromkeys(profile.subject for profile in profiles.profiles))
    require_known(subject, names, f"there is no ID {subject}", file=options.source, expected=", ".join(names[:10]))
    return replace(profiles, profiles=[profile for profile in profiles.profiles if profile.subject == subject])


def _scenario_profiles(options: NcaOptions) -> tuple[str, Path, Profiles]:
    from ketamech.cli import scenario_argument
    from ketamech.cli.simulate_cohort import output_times
    from ketamech.core.environment import available_threads
    from ketamech.exchange.nca_profiles import dosed_outputs, profiles_of_curves
    from ketamech.population.cohort import Cohort
    from ketamech.simulation.output_ranges import require_outputs
    from ketamech.simulation.simulate import simulate_scenario, subjects, times_of_scenario

    loaded, patients = scenario_argument.scenario(options.source), options.patients
    folder = _folder(options.out, loaded.title)
    grid = None if options.times is None else output_times(options.times, None, loaded)
    names = listed_names(options.outputs) if options.outputs else dosed_outputs(loaded)
    if not names:
        message, expected = "the scenario gives no ketamine", "outputs to analyse"
        raise InputError(message, key="--outputs", expected=expected, type_this="--outputs venous.ketamine")
    model = terminal.model()
    require_outputs(loaded.group, model.known_outputs(names))
    terminal.print_regimen(loaded)
    with terminal.progress().status("Simulating ..."):
        if patients is None:
            hours = None if grid is None else grid.tolist()
            curves = simulate_scenario(loaded, model, outputs=names, times=hours)
        else:
            dense = times_of_scenario(loaded, subjects(loaded, model)[0]) if grid is None else grid
            cohort = Cohort(model, loaded, patients, names, dense, options.seed, threads=available_threads())
            curves = cohort.solve_patients(range(patients))
    profiles = profiles_of_curves(
        curves, loaded, model.parameters, names, lloq=options.lloq is not None, per_kilogram=patients is not None
    )  # fmt: skip
    profiles.notes += loaded.assumptions if patients is None else loaded.of_people().assumptions
    return loaded.title, folder, profiles


def _write(profiles: Profiles, rules: NcaRules, folder: Path, title: str, options: NcaOptions) -> None:
    from ketamech.core.environment import environment
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_csv_and_parquet
    from ketamech.report.analysis_figures import draw_profiles
    from ketamech.simulation.nca_tables import adpp, analysed, statistics, wide_table

    rows = analysed(profiles.profiles, rules)
    has_several = len({row.profile.subject for row in rows}) > 1
    tables = {"nca": wide_table(rows)} | ({"adpp": adpp(rows, title)} if options.adam else {})
    tables |= {"statistics": statistics(rows)} if has_several else {}
    metadata = {"title": title, "command_line": terminal.command_line(), "rules": repr(rules), **environment()}
    metadata |= {"notes": "; ".join(profiles.notes)}
    with atomic_folder(folder) as draft:
        for name, table in tables.items():
            write_csv_and_parquet(table, draft, name, metadata)
        if options.figures:
            rows_by_subject = [list(group) for _, group in groupby(sorted(rows, key=_subject), key=_subject)]
            for group in rows_by_subject[:MAX_FIGURES]:
                draw_profiles(draft / "figures", group)
            if len(rows_by_subject) > MAX_FIGURES:
                profiles.note(f"figures of the first {MAX_FIGURES} of {len(rows_by_subject)} subjects")
    terminal.print_assumptions(profiles.notes, "Note")
    _print(rows, title, statistics_of=tables.get("statistics"))
    terminal.print_open_hint(folder / "nca.csv")


def _subject(row: AnalysedProfile) -> str:
    return row.profile.subject


def _print(rows: Sequence[AnalysedProfile], title: str, statistics_of: Any) -> None:
    """The main parameters of the first profiles, and their statistics over subjects."""
    from ketamech.simulation.nca_tables import nca_parameters, wide_table

    codes = [code for code, parameter in nca_parameters().items() if parameter.is_shown]
    table = wide_table(rows[:SHOWN], codes)
    constant = [name for name in ("OCC", "DOSENO", "DOSETIME (h)", "ANALYTE") if table[name].nunique() == 1]
    empty = [name for name in ("missing because", "flags") if (table[name] == "").all()]
    terminal.table(table.drop(columns=[*constant, *empty]), title=title)
    if len(rows) > SHOWN:
        terminal.progress().print(f"{len(rows) - SHOWN} more profiles are in nca.csv.")
    if statistics_of is not None:
        shown_statistics = statistics_of[statistics_of["PARAMCD"].isin(codes)]
        constant_columns = [name for name in ("ANALYTE", "OCC", "DOSENO") if shown_statistics[name].nunique() == 1]
        terminal.table(shown_statistics.drop(columns=constant_columns), title=f"{title}: all subjects")
