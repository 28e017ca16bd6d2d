"""`ketamech export`: the model for other simulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Scenario = Annotated[
    str,
    typer.Argument(help='A scenario file (YAML) or a sentence: "esketamine 84 mg nasal twice weekly for 4 weeks"'),
]
To = Annotated[Path, typer.Option("--to", "-t", help="The file to write: .xml or .sbml")]
SUFFIXES = (".xml", ".sbml")


def export(scenario: Scenario, to: To) -> None:
    """Write the whole model for the treated patient of a scenario as SBML, with every dose as an event.

    Any SBML simulator can then run it; states, outputs and parameters keep their names and units.

    Examples:

      ketamech export "racemic 0.5 mg/kg IV over 40 min" --to infusion.xml

      ketamech export examples/nasal_esketamine_course.yaml --to nasal.xml
    """
    from ketamech import study
    from ketamech.cli import terminal
    from ketamech.core import BadInput
    from ketamech.exchange import sbml

    if to.suffix.lower() not in SUFFIXES or to.is_dir():
        raise BadInput(f"cannot write '{to}'", expected="a file ending in .xml or .sbml", type_this="--to model.xml")
    asked = study.load_scenario(scenario)
    if any(treatment.steady for treatment in asked.regimen.treatments):
        what = "an export starts at the drug-free rest state, not at a steady state of doses"
        raise BadInput(what, key="schedule", expected="the same doses without 'at steady state'")
    model = terminal.model()
    console = terminal.progress()
    with console.status("Writing the equations and the doses ..."):
        treated = study.courses(asked, model)[0]
        text = sbml.course_sbml(
            model, treated, name=asked.title, notes=[f"Assumed: {one}." for one in asked.assumptions]
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, encoding="utf-8")
    for note in asked.assumptions:
        console.print(f"Assumed: {terminal.written(note)}.")
    states = len(model.layout.states)
    console.print(
        f"Written: {terminal.written(to)}, {states} states and the doses of {asked.horizon:g} h. SBML cannot carry"
        " chance, spreads of parameters, bounds of states, the untreated control or output times."
    )
