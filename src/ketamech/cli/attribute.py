"""`ketamech attribute`: the contribution of each pathway to the effect of a regimen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.options import ScenarioOrFile, Threads
from ketamech.core import UnknownNameError, closest_match
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    from ketamech.analysis.attribution import Attribution
    from ketamech.parameters import ParameterTable

Endpoints = Annotated[
    str | None, typer.Option(help="Endpoints, joined by ';' [default: mood, ideation, spine density and others]")
]
Draws = Annotated[int | None, typer.Option(min=0, help="Posterior draws for the intervals [default: 200]")]
Variant = Annotated[str | None, typer.Option(help="Model variant to use [default: the one of the parameter tables]")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the draws")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, tables and figures")]
SHOWN = ("shapley", "shapley_low", "shapley_high", "loss_when_off", "single_effect")
OTHER_COMMANDS = ("variants", "perturbations")


def attribute(
    scenario: ScenarioOrFile, endpoints: Endpoints = None, draws: Draws = None, variant: Variant = None, seed: Seed = 1,
    threads: Threads = None, out: Out = Path("runs/attribute"),
) -> None:  # fmt: skip
    """Attribute the effect of a regimen to its pathways.

    Example:  ketamech attribute "racemic 0.5 mg/kg IV over 40 min"

    Every combination of the pathway switches is simulated. For each endpoint and pathway: the Shapley value (these add
    up to the effect), the effect lost when only this pathway is off, and the effect of this pathway alone, each with a
    95 % interval over posterior draws. Sentences state how much rests on assumed parameters.

    More examples:

      ketamech attribute "esketamine 84 mg nasal twice weekly for 4 weeks" --endpoints "mood.madrs at day 29"

      ketamech attribute examples/racemic_iv.yaml --variant opioid-gate --draws 50
    """
    _refuse_other_command(scenario)
    from ketamech.analysis import attribution
    from ketamech.report.attribution_page import write_attribution
    from ketamech.report.provenance import provenance_of
    from ketamech.simulation.load_scenario import load_scenario

    terminal.refuse_file(out)
    model = terminal.model()
    loaded = load_scenario(scenario, model.parameters, variant=variant)
    attribution.switched_on_pathways(model, loaded)  # errors in the scenario show before anything is solved
    terminal.print_regimen(loaded)
    with terminal.progress_bar("Combinations of pathways") as update:
        result = attribution.attribute(
            model, loaded, endpoints=endpoints, draws=attribution.DRAWS if draws is None else draws, seed=seed,
            threads=available_threads(threads), progress=update,
        )  # fmt: skip
    terminal.print_assumptions((*loaded.assumptions, *_notes(result)), "Note")
    with terminal.progress().status("Writing the page ..."):
        line = terminal.command_line()
        page = write_attribution(out, result, model.parameters, line, provenance_of(loaded, model, seed, line))
    _print_attribution(result, model.parameters)
    terminal.print_open_hint(page)


def _print_attribution(result: Attribution, parameters: ParameterTable) -> None:
    """The endpoints that a pathway changes as a table, and the main endpoint in sentences."""
    from ketamech.analysis import attribution_text
    from ketamech.report.attribution_page import endpoints_with_contributions

    changed = set(endpoints_with_contributions(result))
    rows = result.table[result.table["endpoint"].isin(changed)] if changed else result.table
    labelled = rows.assign(pathway=rows["pathway"].map(lambda name: attribution_text.component(name).label))
    terminal.table(labelled[["endpoint", "pathway", *SHOWN]], title="Pathway contributions")
    for sentence in (*attribution_text.describe_attribution(result, parameters), *_assumed_conclusions()):
        terminal.print_note(sentence)


def _assumed_conclusions() -> list[str]:
    """Statements about pathways after the usual infusion that are consequences of assumptions."""
    from ketamech.analysis.robustness import ASSUMPTION_LABEL, load_robustness, percent

    rows = [row for row in load_robustness().rows.values() if row.kind == "pathway" and row.is_consequence]
    return [
        f"{ASSUMPTION_LABEL.capitalize()}: {row.statement}: {row.finding}, in {percent(row.holds_share)} % of"
        f" {row.results:.0f} sets of assumed values."
        for row in rows
    ]


def _notes(result: Attribution) -> list[str]:
    notes = []
    if result.skipped:
        notes.append(f"endpoints after the horizon were left out: {', '.join(result.skipped)}")
    if result.failed:
        notes.append(f"{result.failed} draws could not be solved and were left out")
    return notes


def _refuse_other_command(scenario: str) -> None:
    """Raise UnknownNameError for a single word that is not a file, e.g. the name of a related command."""
    if scenario.isalpha() and not Path(scenario).exists():
        nearest = closest_match(scenario, OTHER_COMMANDS)
        example = f"ketamech {nearest}" if nearest else 'ketamech attribute "racemic 0.5 mg/kg IV over 40 min"'
        message = f"'{scenario}' is neither a regimen nor a scenario file"
        raise UnknownNameError(message, key="SCENARIO", nearest=nearest, type_this=example)
