"""`ketamech translate`: one dose in another species."""

from __future__ import annotations

from typing import Annotated

import typer

Dose = Annotated[str, typer.Argument(help='One dose of ketamine: "ketamine 10 mg/kg IP"')]
From = Annotated[str, typer.Option("--from", help="The species it was given to: human, rat, mouse")]
To = Annotated[str, typer.Option("--to", help="The species it is wanted for")]
Given = Annotated[str | None, typer.Option("--as", help="How it is given there [default: IV over 40 min, or IP]")]


def translate(dose: Dose, source: From = "rat", target: To = "human", given: Given = None) -> None:
    """Translate one dose to another species.

    Example:  ketamech translate "ketamine 10 mg/kg IP" --from rat --to human

    Prints the dose that gives the same unbound ketamine in brain, by area and by peak, and the dose by body surface.
    The three rules disagree: a rodent clears the drug within an hour, so equal peaks are not equal areas. Animal
    kinetics are mostly recalled, so take the numbers as good to about a factor of two.

    More examples:

      ketamech translate "racemic 0.5 mg/kg IV over 40 min" --from human --to mouse
    """
    from ketamech.analysis.interspecies_dose import equivalent_dose
    from ketamech.cli import terminal

    found = equivalent_dose(dose, source, target, given=given, model=terminal.model())
    terminal.table(found.to_dict("records"), title=f"{dose} in the {source}, for a {target}")
    terminal.progress().print(terminal.DISCLAIMER)
