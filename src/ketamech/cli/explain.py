"""`ketamech explain`: why it works, as the model has it, and what else would explain as much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.core import InputError, UnknownNameError, closest_match

TARGETS = ("wirings", "experiments")
Target = Annotated[
    str, typer.Argument(help="A regimen sentence, a scenario file (YAML), 'experiments' or 'wirings'", metavar="TARGET")
]
Outcomes = Annotated[
    str | None, typer.Option(help="Share out these, joined by ';' [default: mood, ideation, spines ...]")
]
Draws = Annotated[int | None, typer.Option(min=0, help="Draws of the posterior, for the intervals [default: 200]")]
Wiring = Annotated[str | None, typer.Option(help="Explain the scenario under a rival wiring [default: the tables]")]
Average = Annotated[str | None, typer.Option(help="With 'wirings': a scenario to average over all of them")]
Fit = Annotated[bool, typer.Option("--fit", help="With 'wirings': estimate them anew (a quarter of an hour)")]
Seed = Annotated[int | None, typer.Option(min=0, help="Which draws [default: 1]")]
Threads = Annotated[int | None, typer.Option(min=1, help="The results are the same for any number [default: cores]")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for page, tables and pictures [default: runs/explain ...]")
]


def explain(
    target: Target, outcomes: Outcomes = None, draws: Draws = None, wiring: Wiring = None, average: Average = None,
    fit: Fit = False, seed: Seed = None, threads: Threads = None, out: Out = None,
) -> None:  # fmt: skip
    """Say which pathway contributes how much to the effect, which experiments agree, and which variants do as well.

    Example:  ketamech explain "racemic 0.5 mg/kg IV over 40 min"

    SCENARIO: every combination of the pathway switches is simulated. For each outcome and pathway: the Shapley value
    (shares that add up), what is lost with the pathway off, what it gives alone, 95 % over the posterior, and in words
    what follows from values that are assumed. 'experiments': every published perturbation, predicted against observed.
    'wirings': rival roads fitted to the same evidence and compared; --average gives a scenario averaged over them.

    More examples:

      ketamech explain "esketamine 84 mg nasal twice weekly for 4 weeks" --outcomes "mood.madrs at day 29"

      ketamech explain examples/racemic_iv.yaml --wiring opioid-gate --draws 50

      ketamech explain experiments

      ketamech explain wirings

      ketamech explain wirings --average "racemic 0.5 mg/kg IV over 40 min"
    """
    given = {
        "outcomes": outcomes,
        "draws": draws,
        "wiring": wiring,
        "average": average,
        "fit": fit or None,
        "seed": seed,
    }
    if target == "wirings":
        _refuse(given, target, ("average", "fit", "seed"))
        from ketamech.cli.explain_variants import explain_wirings

        return explain_wirings(average, fit, 1 if seed is None else seed, threads, out)
    if target == "experiments":
        _refuse(given, target, ())
        from ketamech.cli.explain_perturbations import explain_experiments

        return explain_experiments(out)
    _refuse_slip(target)
    _refuse(given, target, ("outcomes", "draws", "wiring", "seed"))
    from ketamech.cli.explain_scenario import ExplainOptions, explain_scenario

    explain_scenario(target, ExplainOptions(outcomes, draws, wiring, 1 if seed is None else seed, threads, out))


def _refuse_slip(target: str) -> None:
    """A single word that is no file was meant as a target of its own."""
    if target.isalpha() and not Path(target).exists():
        raise UnknownNameError(
            f"'{target}' is nothing that can be explained", key="target", nearest=closest_match(target, TARGETS),
            expected="a scenario, or " + " or ".join(TARGETS),
            type_this='ketamech explain "racemic 0.5 mg/kg IV over 40 min"',
        )  # fmt: skip


def _refuse(given: dict[str, Any], target: str, known: tuple[str, ...]) -> None:
    """Say so rather than take no notice of an option that belongs to another target."""
    for name, value in given.items():
        if value is not None and name not in known:
            other = "wirings" if name in ("average", "fit") else "SCENARIO"
            raise InputError(
                f"--{name} says nothing about '{target}'", key=f"--{name}",
                expected=" ".join(f"--{option}" for option in known),
                type_this=f"ketamech explain {other} --{name} ...",
            )  # fmt: skip
