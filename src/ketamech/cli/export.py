"""`ketamech export`: doses and the model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ketamech.study import Scenario as Asked

Scenario = Annotated[
    str,
    typer.Argument(help="A sentence, a scenario file (.yaml) or a table of doses (.csv)"),
]
To = Annotated[Path, typer.Option("--to", "-t", help="What to write: a table of doses (.csv) or SBML (.xml, .sbml)")]
Drug = Annotated[str | None, typer.Option("--drug", help="Table of doses: what is given where it has no column DRUG")]
Id = Annotated[str | None, typer.Option("--id", help="Table of doses: which person")]


def export(scenario: Scenario, to: To, drug: Drug = None, id_: Id = None) -> None:
    """Write a scenario for other programs, and say what the format cannot carry.

    .csv: its doses as a NONMEM-style table. .xml or .sbml: the whole model for the treated patient, with every dose
    as an event.

    Examples:

      ketamech export "racemic 0.5 mg/kg IV over 40 min" --to infusion.xml

      ketamech export examples/nasal_esketamine_course.yaml --to doses.csv
    """
    from ketamech.cli import sources
    from ketamech.core import BadInput

    writers = {".csv": _doses, ".xml": _sbml, ".sbml": _sbml}
    if to.suffix.lower() not in writers or to.is_dir():
        kinds = ", ".join(writers)
        raise BadInput(f"cannot write '{to}'", expected=f"a file ending in {kinds}", type_this="--to model.xml")
    writers[to.suffix.lower()](sources.scenario(scenario, drug=drug, subject=id_), to)


def _doses(asked: Asked, to: Path) -> None:
    from ketamech.exchange.dose_writing import doses_csv, not_carried
    from ketamech.parameters import load_parameters

    text = doses_csv(asked.regimen, asked.horizon, asked.values, load_parameters())
    lost = not_carried(asked.regimen, asked.horizon, asked.values)
    _write(to, text, asked, f"{text.count(chr(10)) - 2} dose records", ["A table of doses cannot carry:", *lost])


def _sbml(asked: Asked, to: Path) -> None:
    from ketamech import study
    from ketamech.cli import terminal
    from ketamech.core import BadInput
    from ketamech.exchange import sbml

    if any(treatment.steady for treatment in asked.regimen.treatments):
        what = "an export starts at the drug-free rest state, not at a steady state of doses"
        raise BadInput(what, key="schedule", expected="the same doses without 'at steady state'")
    model = terminal.model()
    with terminal.progress().status("Writing the equations and the doses ..."):
        treated = study.courses(asked, model)[0]
        text = sbml.course_sbml(
            model, treated, name=asked.title, notes=[f"Assumed: {one}." for one in asked.assumptions]
        )
    lost = "SBML cannot carry chance, spreads of parameters, bounds of states, the untreated control or output times."
    _write(to, text, asked, f"{len(model.layout.states)} states and the doses of {asked.horizon:g} h", [lost])


def _write(to: Path, text: str, asked: Asked, what: str, remarks: list[str]) -> None:
    from ketamech.cli import terminal

    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, encoding="utf-8")
    console = terminal.progress()
    for note in asked.assumptions:
        console.print(f"Assumed: {terminal.written(note)}.")
    console.print(f"Written: {terminal.written(to)}, {what}. {terminal.written(remarks[0])}")
    for remark in remarks[1:]:
        console.print(f"- {terminal.written(remark)}")
