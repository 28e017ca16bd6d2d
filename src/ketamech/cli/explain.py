"""`ketamech explain`: why it works, as the model has it, and what else would explain as much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[str, typer.Argument(help="A scenario file (YAML), a regimen sentence, or 'wirings'")]
Outcomes = Annotated[
    str | None, typer.Option(help="Share out these, joined by ';' [default: mood, ideation, spines ...]")
]
Draws = Annotated[int | None, typer.Option(min=0, help="Draws of the posterior, for the intervals [default: 200]")]
Seed = Annotated[int, typer.Option(min=0)]
Threads = Annotated[int | None, typer.Option(min=1, help="The results are the same for any number [default: cores]")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for page, tables and pictures [default: runs/explain]")
]


def explain(
    target: Target, outcomes: Outcomes = None, draws: Draws = None, seed: Seed = 1, threads: Threads = None,
    out: Out = None,
) -> None:  # fmt: skip
    """Say which pathway carries how much of each outcome of a scenario, when, and how sure that is.

    Every combination of the pathway switches is simulated. For each outcome and pathway: the Shapley value (shares that
    add up), what is lost with the pathway off, what it gives alone, and 95 % intervals over the posterior. In words:
    what follows from values that are assumed.

    Examples:

      ketamech explain "racemic 0.5 mg/kg IV over 40 min"

      ketamech explain "esketamine 84 mg nasal twice weekly for 4 weeks" --outcomes "mood.madrs at day 29"

      ketamech explain examples/racemic_iv.yaml --draws 50 --out runs/why
    """
    from ketamech.cli.explain_scenario import explain_scenario

    explain_scenario(target, outcomes, draws, seed, threads, out)
