"""`ketamech import`: doses and models from other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.options import Drug
from ketamech.core import InputError, require_known
from ketamech.core.yaml_lines import YAML_SUFFIXES

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.exchange.sbml.sbml_model import SbmlModel

File = Annotated[
    Path,
    typer.Argument(
        help="A NONMEM-style dose table (.csv, .tsv, .dat), an SBML model (.xml, .sbml), a simulation (.sedml, .omex)"
        " or a PEtab problem (.yaml)"
    ),
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        "-t",
        help="File to write: the doses of one subject as a scenario (.yaml), the simulated values of a model, a"
        " simulation or a problem (.csv), or an archive with its simulated values added (.omex)",
    ),
]
Subject = Annotated[str | None, typer.Option(help="The subject or experiment [default: the only one]")]
End = Annotated[float | None, typer.Option(help="Model: end time of a simulation, in the time unit of the model")]
Steps = Annotated[int, typer.Option(min=1, help="Model: number of steps from 0 to --end")]
Tolerance = Annotated[
    float, typer.Option(min=1e-13, max=0.1, help="Model: relative tolerance of the solver, of each value and its scale")
]
MODELS, SIMULATIONS, PROBLEM = (".xml", ".sbml"), (".sedml", ".omex"), "problem.yaml"
ARCHIVE = ".omex"


def import_(
    file: File, to: To = None, drug: Drug = None, subject: Subject = None, end: End = None, steps: Steps = 100,
    tolerance: Tolerance = 1e-8,
) -> None:  # fmt: skip
    """Read doses or models from other programs.

    Example:  ketamech import doses.csv --drug esketamine

    A dose table or model is summarised, and written as a scenario or simulated.
    Dose tables: columns ID TIME AMT RATE DUR CMT EVID II ADDL SS MDV DV (any case; '.' for a missing value), LAG, F, R
    and D, and the text columns DRUG, ROUTE, UNIT and SALT; times in hours. Models: species, compartments, parameters,
    rules, reactions and events, solved by the engine of KetaMech. Files that KetaMech wrote are read back as scenarios.
    An error names any feature that is not supported.

    More examples:

      ketamech import doses.csv --subject 3 --to scenario.yaml

      ketamech import model.xml --end 24 --to curves.csv

      ketamech import scenario.omex --to scenario.yaml

      ketamech import theirs.omex --to mine.omex
    """
    from ketamech.cli import scenario_argument

    if to is not None and to.suffix.lower() == ARCHIVE:
        return _resaved(file, to)
    if to is not None and to.suffix.lower() == ".csv" and file.suffix.lower() in (*YAML_SUFFIXES, *SIMULATIONS):
        return _simulated(file, to)
    if _reads_scenarios(file, to):
        return _scenarios(file, to, subject)
    if file.suffix.lower() in MODELS:
        return _model(file, to, end, steps, tolerance)
    if not scenario_argument.is_table(str(file)):
        kinds = ", ".join((*scenario_argument.TABLE_SUFFIXES, *MODELS, *SIMULATIONS, PROBLEM))
        raise InputError(f"cannot read '{file}'", expected=f"a dose table or a model ({kinds})", type_this="doses.csv")
    _doses(file, to, drug, subject)
    return None


def _doses(file: Path, to: Path | None, drug: str | None, subject: str | None) -> None:
    from ketamech.cli import scenario_argument
    from ketamech.dosing.treatment import MAX_HORIZON_H
    from ketamech.nonmem.subjects import check_solvable, scenario_of
    from ketamech.parameters import load_parameters
    from ketamech.simulation.scenario_yaml import refuse_target

    if to is not None:
        refuse_target(to)
    parameters = load_parameters()
    table = scenario_argument.doses(str(file), parameters, drug)
    rows: list[dict[str, object]] = []
    for person in table.subjects:
        for occasion in person.occasions:
            check_solvable(occasion.regimen, parameters, person, occasion, MAX_HORIZON_H)
            observations = len(occasion.observations)
            rows.append(
                {
                    "ID": person.name,
                    "from (h)": occasion.begin,
                    "observations": observations,
                    "doses": occasion.description,
                }
            )
    text = None
    if to is not None:
        text = scenario_of(table, scenario_argument.one_of(table, subject), parameters).source
    terminal.table(rows, title=str(file))
    terminal.print_assumptions(table.notes)
    if to is not None and text is not None:
        terminal.write_scenario(to, text)


def _resaved(file: Path, to: Path) -> None:
    """Simulate an archive and write it again with its reports; its other entries stay as they are."""
    from ketamech.exchange.omex import REPORT, write_extended_archive

    if file.suffix.lower() != ARCHIVE or to.is_dir():
        message = f"cannot write '{to}' from '{file}'"
        raise InputError(message, expected="an archive (.omex)", type_this="--to result.csv")
    tables = {REPORT.format(name): values.to_csv(index=False) for name, values in _values(file).items()}
    kept = write_extended_archive(file, to, tables)
    terminal.print_note(f"Written: {to}, {kept} files of {file.name} and its reports as {', '.join(tables)}.")


def _values(file: Path) -> dict[str, pd.DataFrame]:
    """The simulated values of a problem, or of each report of a simulation by name."""
    from ketamech.exchange.petab_simulation import simulate_petab
    from ketamech.exchange.sedml_simulation import SedmlFile

    with terminal.progress().status("Compiling and running the model ..."):
        problem = file.suffix.lower() in YAML_SUFFIXES
        return {"": simulate_petab(file)} if problem else SedmlFile(file).reports()


def _simulated(file: Path, to: Path) -> None:
    """Simulate a problem or a simulation and write the values; of several reports, each to a file with its name."""
    simulated = _values(file)
    for name, values in simulated.items():
        _write_values(values, to if len(simulated) == 1 else to.with_stem(f"{to.stem}_{name}"))


def _write_values(values: pd.DataFrame, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    values.to_csv(to, index=False)
    shape = f"{len(values.columns)} columns, {len(values)} rows"
    terminal.print_note(f"Written: {to}, {shape}.")


def _reads_scenarios(file: Path, to: Path | None) -> bool:
    """Whether to read scenarios: from simulations and problems always, from a model if --to is a scenario file."""
    scenario = to is not None and to.suffix.lower() in YAML_SUFFIXES
    return file.suffix.lower() in SIMULATIONS or file.name == PROBLEM or (scenario and file.suffix.lower() in MODELS)


def _scenarios(file: Path, to: Path | None, subject: str | None) -> None:
    """Print the doses of each subject in a file of another program, and write those of one as a scenario."""
    from ketamech.exchange.import_scenarios import read_scenarios
    from ketamech.parameters import load_parameters
    from ketamech.simulation.scenario_yaml import refuse_target

    if to is not None:
        refuse_target(to)
    scenarios = read_scenarios(file, load_parameters())
    if subject is not None:
        expected = ", ".join(list(scenarios)[:10])
        require_known(subject, scenarios, f"there is no '{subject}'", file=file, expected=expected)
    if to is not None and subject is None and len(scenarios) != 1:
        message = f"the file holds {len(scenarios)} scenarios"
        raise InputError(message, file=file, type_this=f"--subject {next(iter(scenarios), 'NAME')}")
    rows: list[dict[str, object]] = []
    for name, loaded in scenarios.items():
        regimen = loaded.regimen.sentence(exact=False) or "no treatment"
        rows.append({"ID": name, "until (h)": loaded.horizon, "parameters set": len(loaded.values), "doses": regimen})
    terminal.table(rows, title=str(file))
    if to is not None:
        loaded = scenarios[subject or next(iter(scenarios))]
        terminal.print_assumptions(loaded.assumptions)
        terminal.write_scenario(to, loaded.source)


def _model(file: Path, to: Path | None, end: float | None, steps: int, tolerance: float) -> None:
    from ketamech.exchange.sbml.importer import import_sbml

    if to is not None and (to.suffix.lower() != ".csv" or to.is_dir()):
        raise InputError(f"cannot write '{to}'", expected="a file ending in .csv", type_this="--to curves.csv")
    if end is not None and not 0 < end < float("inf"):
        raise InputError(f"an end time of {end:g}", key="--end", expected="a time above 0", type_this="--end 24")
    if to is not None and end is None:
        message = "the end time is missing"
        raise InputError(message, key="--end", expected="a time in the unit of the model", type_this="--end 24")
    model = import_sbml(file)
    counts = {
        "states": len(model.rates) - 1, "computed values": len(model.rules), "constants": len(model.constants),
        "species": len(model.amounts), "events": len(model.events),
    }  # fmt: skip
    terminal.table([{"part": kind, "number": number} for kind, number in counts.items()], title=model.title)
    terminal.print_assumptions(model.notes)
    if end is not None:
        _run(model, to, end, steps, tolerance)


def _run(model: SbmlModel, to: Path | None, end: float, steps: int, tolerance: float) -> None:
    import numpy as np
    import pandas as pd

    from ketamech.exchange.sbml.simulate import simulate_imported

    with terminal.progress().status("Compiling and running the model ..."):
        times = np.linspace(0.0, end, steps + 1)
        table = pd.DataFrame(simulate_imported(model, times, tolerance=tolerance))
    curves = table[["time", *(name for name in table.columns if name != "time")]]
    if to is None:
        final_values = curves.iloc[-1]
        terminal.table([{"value": str(name), f"at {end:g}": float(final_values[name])} for name in curves.columns])
        return
    _write_values(curves, to)
