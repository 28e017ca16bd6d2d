"""`ketamech verify`: standard checks of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ketamech.cli import terminal
from ketamech.core.environment import available_threads

if TYPE_CHECKING:
    from ketamech.simulation.model import Model

Stage = Annotated[str | None, typer.Argument(help="A stage, e.g. spines [default: all stages]")]
Identifiability = Annotated[
    bool,
    typer.Option(
        "--identifiability", help="Name the combinations of parameters that no scored output can separate (minutes)"
    ),
]


def verify(stage: Stage = None, identifiability: Identifiability = False) -> None:
    """Run the standard checks of the model or of one stage.

    Example:  ketamech verify spines

    Checked are units, the drug-free steady state, recovery from halved and doubled states, conservation of drug,
    bounds, the response to a dose and the eigenvalues in the depressed and the healthy state. The exit code is 1 if a
    check fails.

    With --identifiability two other questions are answered instead. Which products, ratios and sums of parameters can
    change together without changing any output that is compared with data? This follows from the equations. How many
    directions of all parameters change a scored reading by 1 % of its size or more? This is the rank of a matrix of
    simulated sensitivities.

    More examples:

      ketamech verify mood --identifiability
    """
    from ketamech.analysis.model_checks import run_checks

    model = terminal.model()
    if identifiability:
        _print_identifiability(model, stage)
        return
    with terminal.progress().status("Checking ..."):
        findings = run_checks(model, stage)
    rows = [
        {"stage": f.stage, "check": f.examined, "result": "passed" if f.passed else "FAILED", "detail": f.detail}
        for f in findings
    ]
    terminal.table(rows, title="Standard checks")
    failed = sum(not f.passed for f in findings)
    fluxes, states = len(model.system.fluxes), len(model.system.states)
    terminal.progress().print(
        f"Units of {fluxes} fluxes in {states} states are consistent. "
        f"{len(findings) - failed} checks passed, {failed} failed."
    )
    raise typer.Exit(1 if failed else 0)


def _print_identifiability(model: Model, stage: str | None) -> None:
    """Exact invariances of the equations, then the numerical rank; of one stage only its parameters."""
    from ketamech.analysis.identifiability import redundant_blocks, shipped_invariances, shipped_sensitivity_rank
    from ketamech.analysis.model_checks import check_stage

    check_stage(model, stage)
    with terminal.progress().status("Invariances of the equations ..."):
        symmetries = shipped_invariances(model)

    def is_relevant(names: object) -> bool:
        return stage is None or any(str(name).startswith(f"{stage}.") for name in names)  # type: ignore[attr-defined]

    rows = [
        {"kind": symmetry.kind, "parameters": symmetry.product}
        for symmetry in symmetries
        if symmetry.kind != "combination" and is_relevant(symmetry.exponents)
    ]
    for count, names in redundant_blocks(symmetries):
        if is_relevant(names):
            rows.append({"kind": f"{count} of {len(names)} redundant", "parameters": ", ".join(names)})
    terminal.table(rows, title="What no observed output can separate")
    with terminal.progress_bar("Sensitivities") as update:
        rank = shipped_sensitivity_rank(model, threads=available_threads(), progress=update)
    terminal.print_note(
        f"Numerical rank over {rank.readings} scored readings: {rank.rank} of {rank.parameters} directions. "
        f"{len(rank.invisible)} parameters change no reading by 1 % of its size when moved by a standard deviation."
    )
    lines = [{"parallel effects on all readings": ", ".join(group)} for group in rank.parallel if is_relevant(group)]
    lines += [
        {"parallel effects on all readings": f"no effect: {name}"} for name in rank.invisible if is_relevant([name])
    ]
    terminal.table(lines, title="What the readings cannot separate in practice")
