"""`ketamech scale-dose`: one dose in another species."""

from __future__ import annotations

from typing import Annotated

import typer

from ketamech.cli import terminal

Dose = Annotated[str, typer.Argument(help='One dose of ketamine, e.g. "ketamine 10 mg/kg IP"')]
From = Annotated[str, typer.Option("--from", help="Species of the dose: human, rat or mouse")]
To = Annotated[str, typer.Option("--to", help="Species to scale to: human, rat or mouse")]
Route = Annotated[str | None, typer.Option("--as", help="Route in that species [default: IV over 40 min, or IP]")]


def scale_dose(dose: Dose, source: From = "rat", target: To = "human", route: Route = None) -> None:
    """Scale one dose to another species.

    Example:  ketamech scale-dose "ketamine 10 mg/kg IP" --from rat --to human

    Prints the dose with the same unbound ketamine in brain, by area under the curve and by peak, and the dose by body
    surface. The rules differ: a rodent clears the drug within an hour, so that equal peaks do not give equal areas.
    Most animal pharmacokinetics are assumed; the results are accurate to about a factor of two.

    More examples:

      ketamech scale-dose "racemic 0.5 mg/kg IV over 40 min" --from human --to mouse
    """
    from ketamech.analysis.interspecies_dose import equivalent_dose
    from ketamech.dosing.regimen import Regimen

    regimen_text = Regimen.parse(dose).sentence(exact=False)
    equivalents = equivalent_dose(dose, source, target, route=route, model=terminal.model())
    terminal.table(equivalents, title=f"{regimen_text}, from {source} to {target}")
