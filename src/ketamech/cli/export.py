"""`ketamech export`: scenarios, the model and results for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.options import Drug
from ketamech.core import InputError
from ketamech.core.deprecated_names import with_current_variables

if TYPE_CHECKING:
    from ketamech.simulation.scenario import Scenario as LoadedScenario

Scenario = Annotated[
    str,
    typer.Argument(
        help="A regimen in words, a scenario file (.yaml) or a dose table (.csv); a folder of results; 'calibration'"
        " (the published rows as PEtab); 'figures' (an archive for every published curve); 'posterior' (shipped draws)"
    ),
]
To = Annotated[
    Path,
    typer.Option(
        "--to", "-t",
        help="File to write: .csv (doses), .xml or .sbml (SBML), .ant (Antimony), .R (rxode2), .cpp (mrgsolve),"
        " .sedml, .omex (archive), a folder .petab, a folder for figures; for results .nc, .zarr, .parquet or .csv",
    ),
]  # fmt: skip
Subject = Annotated[str | None, typer.Option(help="Dose table: the ID of the subject")]
CALIBRATION, FIGURES, POSTERIOR, PETAB = "calibration", "figures", "posterior", "petab"
MODEL_LOST = "SBML cannot carry randomness, spreads, bounds of states, the drug-free control or output times."
FIGURE_LIST = "figures.csv"


def export(scenario: Scenario, to: To, drug: Drug = None, subject: Subject = None) -> None:
    """Write a scenario or results for other programs.

    Example:  ketamech export "racemic 0.5 mg/kg IV over 40 min" --to infusion.xml

    The command also lists what the format cannot carry.
    SBML, SED-ML, OMEX and Antimony contain the whole model of the treated patient, with every dose as an event, so that
    any SBML simulator can run it. States, outputs and parameters keep their names and units.

    More examples:

      ketamech export examples/nasal_esketamine_course.yaml --to doses.csv

      ketamech export examples/racemic_iv.yaml --to infusion.omex

      ketamech export "racemic 0.5 mg/kg IV over 40 min" --to model.R

      ketamech export calibration --to rows.petab

      ketamech export figures --to runs/figures

      ketamech export runs/nasal --to nasal.nc

      ketamech export posterior --to posterior.zarr
    """
    from ketamech.cli import scenario_argument

    if scenario == FIGURES:
        return _figures(to)
    if scenario == POSTERIOR or Path(scenario).is_dir():
        return _results(scenario, to)
    kind = PETAB if to.name == PETAB else to.suffix.lower().removeprefix(".")
    if kind not in WRITERS or (to.is_dir() and kind != PETAB):
        kinds = ", ".join(f".{writer}" for writer in WRITERS)
        raise InputError(f"cannot write '{to}'", expected=f"a name ending in {kinds}", type_this="--to model.xml")
    if scenario == CALIBRATION:
        if kind != PETAB:
            message = f"the calibration cannot be written as .{kind}"
            raise InputError(message, expected="a PEtab folder", type_this="--to rows.petab")
        return _calibration(to)
    if Path(scenario).is_file() and to.exists() and to.samefile(scenario):
        raise InputError(f"'{to}' is the scenario itself", key="--to", expected="another name")
    WRITERS[kind](scenario_argument.scenario(scenario, drug=drug, subject=subject), to)
    return None


def _results(source: str, to: Path) -> None:
    """Write the results of a folder, or the shipped posterior, in the format of the suffix."""
    from ketamech.exchange.result_io import DIMS, names_of, read_results, save_results

    if source == POSTERIOR:
        from ketamech.exchange.arviz_io import shipped_posterior

        model = terminal.model()
        metadata = terminal.provenance("posterior", model)
        tree = shipped_posterior(model.parameters, metadata)
        save_results(tree, to)
        summary = f"groups {', '.join(tree.children)}, as ArviZ names them"
    else:
        results = with_current_variables(read_results(source))
        save_results(results.assign_attrs({"ketamech exported_by": terminal.command_line()}), to)
        is_long_table = to.suffix.lower() in (".csv", ".parquet")
        names = names_of(results) if is_long_table else list(results.data_vars)
        summary = f"{len(names)} variables, " + ", ".join(f"{results.sizes[dim]} {dim}" for dim in DIMS)
        if len(names) < len(results.data_vars):
            summary += f"; a long table leaves out {len(results.data_vars) - len(names)} that have no time"
    terminal.print_note(f"Written: {to}, {summary}")


def _doses(loaded: LoadedScenario, to: Path) -> None:
    from ketamech.nonmem.write import lossy_features

    _exported(loaded, to)
    records = to.read_text(encoding="utf-8").count("\n") - 2
    _report(to, loaded, f"{records} dose records", ["A dose table cannot carry:", *lossy_features(loaded)])


def _sbml(loaded: LoadedScenario, to: Path) -> None:
    summary = f"{_exported(loaded, to)} states and the doses of {loaded.horizon:g} h"
    _report(to, loaded, summary, [MODEL_LOST, *_doses_lost(loaded)])


def _antimony(loaded: LoadedScenario, to: Path) -> None:
    summary = f"{_exported(loaded, to)} states and the doses of {loaded.horizon:g} h"
    lossy = f"{MODEL_LOST} Antimony states units and reasons in comments."
    _report(to, loaded, summary, [lossy, *_doses_lost(loaded, "once it is SBML")])


def _r_model(loaded: LoadedScenario, to: Path) -> None:
    """Write a model file for R, and the table of its doses beside it."""
    program = "mrgsolve" if to.suffix.lower() == ".cpp" else "rxode2"
    what = f"{_exported(loaded, to)} states for {program}, doses in {to.with_suffix('.csv').name}"
    _report(to, loaded, what, [MODEL_LOST.replace("SBML", "A model file")])


def _exported(loaded: LoadedScenario, to: Path) -> int:
    """Write the file; the number of states of the model."""
    from ketamech.exchange.export_scenario import export_scenario

    model = terminal.model()
    with terminal.progress().status("Writing equations and doses ..."):
        export_scenario(loaded, to, model)
    return len(model.layout.states)


def _doses_lost(loaded: LoadedScenario | None, condition: str = "") -> list[str]:
    """Features that are lost when the doses of a scenario (None: of any) are written as events or changes of state."""
    from ketamech.exchange.infer_regimen import lossy_features

    lossy = lossy_features(loaded)
    introduction = f"Doses read back{f' {condition}' if condition else ''} are amounts by state and time"
    return [f"{introduction}; lost are:", *lossy] if lossy else [f"{introduction}."]


MODEL_HEAD = 2000  # characters of an exported model, in which its id stands


def _sedml(loaded: LoadedScenario, to: Path) -> None:
    """Write the simulation, and the model that it refers to beside it."""
    from ketamech.exchange.export_scenario import refuse_other_file
    from ketamech.exchange.omex import shown_outputs, time_courses, write_sedml
    from ketamech.exchange.sbml.reactions import species_ids

    model_path = to.with_suffix(".xml")
    refuse_other_file(model_path, lambda text: 'id="ketamech"' in text[:MODEL_HEAD])
    model = terminal.model()
    outputs, species = shown_outputs(model, loaded.group), species_ids(model.layout.states)
    text = write_sedml(loaded.title, model_path.name, outputs, time_courses(loaded.horizon), species=species)
    _exported(loaded, model_path)
    terminal.write_text(to, text)
    summary = f"a simulation of {model_path.name} with {len(outputs)} outputs"
    _report(to, loaded, summary, [MODEL_LOST, *_doses_lost(loaded)])


def _omex(loaded: LoadedScenario, to: Path) -> None:
    from ketamech.exchange.omex import LOSSY_FEATURES, MODEL, build_archive, write_archive

    model = terminal.model()
    with terminal.progress().status("Writing the model, its simulation and the expected curves ..."):
        archive = build_archive(loaded, model)
        to.parent.mkdir(parents=True, exist_ok=True)
        write_archive(to, archive)
    _report(
        to,
        loaded,
        f"{len(archive.files)} files: {', '.join(archive.files)}",
        [LOSSY_FEATURES, *_doses_lost(loaded, f"from {MODEL}")],
    )


def _petab(loaded: LoadedScenario, to: Path) -> None:
    from ketamech.exchange.petab import lossy_features, petab_files, scenario_case

    model = terminal.model()
    with terminal.progress().status("Writing the problems ..."):
        case = scenario_case(loaded, model)
        _write_folder(to, petab_files([case], model))
    description = f"versions 1 and 2, with {len(case.measurements)} simulated readings in place of measurements"
    _report(
        to, loaded, description, ["PEtab cannot carry:", *lossy_features(model), *_doses_lost(loaded, "from version 2")]
    )


def _calibration(to: Path) -> None:
    from ketamech.exchange.petab import lossy_features, petab_files, scorecard_cases

    model = terminal.model()
    with terminal.progress().status("Writing the problems ..."):
        cases, omitted = scorecard_cases(model)
        _write_folder(to, petab_files(cases, model))
    readings = sum(len(case.measurements) for case in cases)
    lossy = [*lossy_features(model), *(f"{number} rows: {reason}" for reason, number in omitted.items())]
    description = f"versions 1 and 2, {readings} published readings of {len(cases)} courses"
    _report(to, None, description, ["PEtab cannot carry:", *lossy, *_doses_lost(None, "from version 2")])


def _figures(to: Path) -> None:
    """Write an archive for each published figure into the folder `to`, and print which could not be written and why."""
    from ketamech.analysis.reference_protocols import load_protocols
    from ketamech.analysis.scorecard_targets import load_targets
    from ketamech.evidence import load_evidence
    from ketamech.exchange.omex import libcombine, write_archive
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.exchange.published_figures import figure_packages, list_csv, published_figures

    if to.suffix:
        raise InputError(f"cannot write '{to}'", expected="a folder for the archives", type_this="--to runs/figures")
    terminal.check_folder(to)
    libcombine()
    evidence, protocols, model = load_evidence(), load_protocols(), terminal.model()
    figures = published_figures(load_targets(evidence, protocols), evidence, protocols)
    console = terminal.progress()
    with atomic_folder(to) as draft, console.status("Writing archives ...") as status:
        drawable = [f for f in figures if not f.obstacle]
        for f, package in figure_packages(drawable, evidence, model):
            status.update(f.title)
            write_archive(draft / f"{f.name}.omex", package)
        (draft / FIGURE_LIST).write_text(list_csv(drawable, evidence), encoding="utf-8")
    lines = [
        {"archive": f"{f.name}.omex", "points": len(f.targets), "hours": f"{f.hours[0]:g} to {f.hours[-1]:g}"}
        for f in drawable
    ]
    terminal.table(lines, title="Published figures", right=("points",))
    terminal.print_note(f"Written: {len(drawable)} archives and {FIGURE_LIST} in {to}.")
    for figure in figures:
        if figure.obstacle:
            console.print(f"- Not written: {terminal.escape_markup(figure.title)}: {figure.obstacle}")
    omitted = len({evidence[target.evidence].reference for target in load_targets(evidence, protocols)})
    omitted -= len({figure.reference for figure in figures})
    console.print(
        f"- {omitted} papers report fewer than three times of any output, or only peaks, areas and directions."
    )


WRITERS: dict[str, Callable[[LoadedScenario, Path], None]] = {
    "csv": _doses, "xml": _sbml, "sbml": _sbml, "ant": _antimony, "r": _r_model, "cpp": _r_model,
    "sedml": _sedml, "omex": _omex, PETAB: _petab,
}  # fmt: skip


def _write_folder(to: Path, files: dict[str, str]) -> None:
    """Write all files or, if one fails, none."""
    from ketamech.exchange.output_folder import atomic_folder

    with atomic_folder(to) as draft:
        for path, text in files.items():
            terminal.write_text(draft / path, text)


def _report(to: Path, loaded: LoadedScenario | None, summary: str, remarks: list[str]) -> None:
    if loaded:
        terminal.print_regimen(loaded)
        terminal.print_assumptions(loaded.assumptions)
    terminal.print_note(f"Written: {to}, {summary}. {remarks[0]}")
    for remark in remarks[1:]:
        terminal.print_note(f"- {remark}")
