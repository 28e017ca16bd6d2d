"""`ketamech verify`: standard checks of the model."""

from __future__ import annotations

from typing import Annotated

import typer

from ketamech.cli import terminal

Stage = Annotated[str | None, typer.Argument(help="A stage, e.g. spines [default: all stages]")]


def verify(stage: Stage = None) -> None:
    """Run the standard checks of the model or of one stage.

    Example:  ketamech verify spines

    Checked are units, the drug-free steady state, recovery from halved and doubled states, conservation of drug,
    bounds, the response to a dose and the eigenvalues in the depressed and the healthy state. The exit code is 1 if a
    check fails.
    """
    from ketamech.analysis.model_checks import run_checks

    model = terminal.model()
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
