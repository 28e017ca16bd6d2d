"""`ketamech nca`: non-compartmental analysis of measured or simulated concentrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketamech.cli import terminal
from ketamech.cli.options import folder_name, listed_names
from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.exchange.nca_profiles import Profiles
    from ketamech.simulation.nca import NcaRules
    from ketamech.simulation.nca_tables import AnalysedProfile

Source = Annotated[
    str,
    typer.Argument(
        help="A data table (.csv, with columns ID, TIME, AMT, DV and a route) or a scenario to simulate: a regimen in"
        " words or a scenario file (.yaml)"
    ),
]
Unit = Annotated[str | None, typer.Option(help="Table: unit of the levels, e.g. ng/mL [default: column DVU]")]
Column = Annotated[str | None, typer.Option("--dv", help="Table: column with the levels [default: DV]")]
RouteName = Annotated[
    str | None, typer.Option("--route", help="Table: route of all doses, e.g. IV, oral [default: column ROUTE or CMT]")
]
DrugName = Annotated[str | None, typer.Option("--drug", help="Table: the drug whose doses count, if there are several")]
MolarMass = Annotated[float | None, typer.Option(help="Table: g/mol, for molar levels of a drug not in the model")]
Tau = Annotated[float | None, typer.Option(help="Table: dosing interval in h [default: as the doses say]")]
Steady = Annotated[bool, typer.Option("--steady-state", help="Table: later doses are at steady state")]
Subject = Annotated[str | None, typer.Option(help="Table: only the subject with this ID")]
Analytes = Annotated[str | None, typer.Option(help="Table: only these analytes (DVID), joined by ',' [default: all]")]
Outputs = Annotated[
    str | None, typer.Option(help="Scenario: outputs to analyse, joined by ',' [default: the drug in venous blood]")
]
Times = Annotated[
    str | None, typer.Option(help="Scenario: sampling times in h, e.g. '0.5, 1, 2, 4, 8' [default: dense]")
]
Patients = Annotated[int | None, typer.Option(min=1, help="Scenario: virtual patients instead of the typical patient")]
Seed = Annotated[int, typer.Option(min=0, help="Scenario: seed of the virtual patients")]
Lloq = Annotated[float | None, typer.Option(help="Limit of quantification in the unit of the levels; lower is BLQ")]
Window = Annotated[
    str | None, typer.Option("--lambda-z", help="Hours of the terminal regression, e.g. 12-36 [default: best fit]")
]
Trapezoids = Annotated[str, typer.Option(help="linear-up-log-down or linear")]
ZeroBetween = Annotated[bool, typer.Option("--blq-zero", help="BLQ between two levels is 0 [default: left out]")]
Adam = Annotated[bool, typer.Option("--adam", help="Also write adpp.csv and .parquet: one row a parameter (ADaM)")]
Figures = Annotated[bool, typer.Option("--figures/--no-figures", help="Draw one figure per subject")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results [default: runs/nca-<title>]")]
SHOWN, MAX_FIGURES = 20, 50


def nca(
    source: Source, unit: Unit = None, column: Column = None, route: RouteName = None, drug: DrugName = None,
    molar_mass: MolarMass = None, tau: Tau = None, steady_state: Steady = False, subject: Subject = None,
    analytes: Analytes = None,
    outputs: Outputs = None, times: Times = None, patients: Patients = None, seed: Seed = 1, lloq: Lloq = None,
    lambda_z: Window = None, trapezoids: Trapezoids = "linear-up-log-down", blq_zero: ZeroBetween = False,
    adam: Adam = False, figures: Figures = True, out: Out = None,
) -> None:  # fmt: skip
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

    _refuse_folder(Path(source))
    rules = _rules(lloq, lambda_z, trapezoids, zero_between=blq_zero)
    of_table = {
        "--unit": unit, "--dv": column, "--route": route, "--drug": drug, "--molar-mass": molar_mass, "--tau": tau,
        "--steady-state": steady_state or None, "--subject": subject,
        "--analytes": analytes,
    }  # fmt: skip
    of_scenario = {"--outputs": outputs, "--times": times, "--patients": patients}
    if scenario_argument.is_table(source):
        _refuse(of_scenario, "a scenario", "one of the columns of the table; options of tables: ketamech nca --help")
        title = Path(source).stem
        folder = _folder(out, title)
        profiles = _of_table(source, of_table)
    else:
        _refuse(of_table, "a data table", "a file such as levels.csv")
        title, folder, profiles = _of_scenario(source, outputs, times, patients, seed, out, lloq=lloq is not None)
    _write(profiles, rules, folder, title, adam=adam, figures=figures)


def _refuse_folder(folder: Path) -> None:
    """Raise InputError for a folder of results, with the file in it that can be analysed."""
    if not folder.is_dir():
        return
    inside = [folder / name for name in ("simulated.csv", "scenario.yaml") if (folder / name).is_file()]
    more = " --dv venous.ketamine" if inside and inside[0].suffix == ".csv" else ""
    command = f"ketamech nca {inside[0]}{more}" if inside else None
    raise InputError(f"'{folder}' is a folder", expected="a data table, or a scenario file", type_this=command)


def _refuse(options: dict[str, Any], of: str, expected: str) -> None:
    """Raise InputError for an option that this source does not have."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} is for {of}", key=name, expected=expected)


def _rules(lloq: float | None, window: str | None, trapezoids: str, *, zero_between: bool) -> NcaRules:
    from ketamech.simulation.nca import LINEAR, LINEAR_UP_LOG_DOWN, NcaRules

    known = (LINEAR_UP_LOG_DOWN, LINEAR)
    if trapezoids not in known:
        raise InputError(f"'{trapezoids}' is no rule for areas", key="--trapezoids", expected=" or ".join(known))
    if lloq is not None and not lloq >= 0:
        raise InputError(f"a limit of quantification of {lloq:g}", key="--lloq", expected="0 or more")
    span = None
    if window is not None:
        try:
            first, last = (float(part) for part in window.split("-"))
        except ValueError:
            first, last = 0.0, 0.0
        if not first < last:
            what = f"'{window}' is not a span of hours"
            raise InputError(what, key="--lambda-z", expected="two hours", type_this="--lambda-z 12-36")
        span = (first, last)
    return NcaRules(trapezoids, lloq or 0.0, zero_between, span)


def _folder(out: Path | None, title: str) -> Path:
    folder = out or Path("runs") / folder_name(f"nca {title}")
    terminal.check_folder(folder)
    return folder


def _of_table(source: str, options: dict[str, Any]) -> Profiles:
    from ketamech.core import closest_match
    from ketamech.core.csv_table import parts
    from ketamech.exchange.nonmem.concentration_profiles import TableSettings, profiles_of_table
    from ketamech.exchange.nonmem.measurements import DV
    from ketamech.parameters import load_parameters

    settings = TableSettings(
        options["--unit"], options["--dv"] or DV, options["--route"], options["--drug"], options["--molar-mass"],
        options["--tau"], bool(options["--steady-state"]),
        parts(options["--analytes"] or "", ","),
    )  # fmt: skip
    for name in ("--molar-mass", "--tau"):
        if options[name] is not None and not options[name] > 0:
            raise InputError(f"{name} {options[name]:g}", key=name, expected="a number above 0")
    profiles = profiles_of_table(source, load_parameters(), settings)
    wanted = options["--subject"]
    if wanted is None:
        return profiles
    names = list(dict.fromkeys(profile.subject for profile in profiles.profiles))
    if wanted not in names:
        near = closest_match(wanted, names)
        raise InputError(f"there is no ID {wanted}", file=source, expected=", ".join(names[:10]), nearest=near)
    return replace(profiles, profiles=[profile for profile in profiles.profiles if profile.subject == wanted])


def _of_scenario(
    source: str, outputs: str | None, times: str | None, patients: int | None, seed: int, out: Path | None, *,
    lloq: bool,
) -> tuple[str, Path, Profiles]:  # fmt: skip
    from ketamech.cli import scenario_argument
    from ketamech.cli.simulate_cohort import output_times
    from ketamech.core.environment import available_threads
    from ketamech.engine.solve import validate_outputs
    from ketamech.exchange.nca_profiles import dosed_outputs, profiles_of_curves
    from ketamech.exchange.simulate_any import select_outputs
    from ketamech.population.cohort import Cohort
    from ketamech.simulation.output_ranges import require_outputs
    from ketamech.simulation.simulate import simulate, subjects, times_of_scenario

    loaded = scenario_argument.scenario(source)
    folder = _folder(out, loaded.title)
    grid = None if times is None else output_times(times, None, loaded)
    names = listed_names(outputs) if outputs else dosed_outputs(loaded)
    if not names:
        what, expected = "the scenario gives no ketamine", "outputs to analyse"
        raise InputError(what, key="--outputs", expected=expected, type_this="--outputs venous.ketamine")
    model = terminal.model()
    require_outputs(loaded.group, validate_outputs(model.kernel, names))
    terminal.print_regimen(loaded)
    with terminal.progress().status("Simulating ..."):
        if patients is None:
            hours = None if grid is None else grid.tolist()
            curves = select_outputs(simulate(loaded, model=model, times=hours), model, names)
        else:
            dense = times_of_scenario(loaded, subjects(loaded, model)[0]) if grid is None else grid
            cohort = Cohort(model, loaded, patients, names, dense, seed, threads=available_threads())
            curves = cohort.solve_patients(range(patients))
    profiles = profiles_of_curves(
        curves, loaded, model.parameters, names, lloq=lloq, per_kilogram=patients is not None
    )  # fmt: skip
    profiles.notes += [note for note in loaded.assumptions if patients is None or "--patients" not in note]
    return loaded.title, folder, profiles


def _write(profiles: Profiles, rules: NcaRules, folder: Path, title: str, *, adam: bool, figures: bool) -> None:
    from ketamech.core.environment import environment
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.result_metadata import write_table
    from ketamech.report.analysis_figures import draw_profiles
    from ketamech.simulation.nca_tables import adpp, analysed, statistics, wide_table

    rows = analysed(profiles.profiles, rules)
    several = len({row.profile.subject for row in rows}) > 1
    tables = {"nca": wide_table(rows)} | ({"adpp": adpp(rows, title)} if adam else {})
    tables |= {"statistics": statistics(rows)} if several else {}
    facts = {"title": title, "command_line": terminal.command_line(), "rules": repr(rules), **environment()}
    facts |= {"notes": "; ".join(profiles.notes)}
    with atomic_folder(folder) as draft:
        for name, table in tables.items():
            write_table(table, draft / f"{name}.csv", facts)
            write_table(table, draft / f"{name}.parquet", facts)
        if figures:
            own = [list(group) for _, group in groupby(sorted(rows, key=_subject), key=_subject)]
            for group in own[:MAX_FIGURES]:
                draw_profiles(draft / "figures", group)
            if len(own) > MAX_FIGURES:
                profiles.note(f"figures of the first {MAX_FIGURES} of {len(own)} subjects")
    terminal.print_assumptions(profiles.notes, "Note")
    _print(rows, title, statistics_of=tables.get("statistics"))
    terminal.print_open_hint(folder / "nca.csv")


def _subject(row: AnalysedProfile) -> str:
    return row.profile.subject


def _print(rows: Sequence[AnalysedProfile], title: str, statistics_of: Any) -> None:
    """The main parameters of the first profiles, and their statistics over subjects."""
    from ketamech.simulation.nca_tables import nca_parameters, wide_table

    shown = [code for code, parameter in nca_parameters().items() if parameter.is_shown]
    table = wide_table(rows[:SHOWN], shown)
    constant = [name for name in ("OCC", "DOSENO", "DOSETIME (h)", "ANALYTE") if table[name].nunique() == 1]
    empty = [name for name in ("missing because", "flags") if (table[name] == "").all()]
    terminal.table(table.drop(columns=[*constant, *empty]), title=title)
    if len(rows) > SHOWN:
        terminal.progress().print(f"{len(rows) - SHOWN} more profiles are in nca.csv.")
    if statistics_of is not None:
        some = statistics_of[statistics_of["PARAMCD"].isin(shown)]
        same = [name for name in ("ANALYTE", "OCC", "DOSENO") if some[name].nunique() == 1]
        terminal.table(some.drop(columns=same), title=f"{title}: all subjects")
