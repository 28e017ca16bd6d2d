"""`ketamech check`: the standard examination."""

from __future__ import annotations

from typing import Annotated

import typer

Stage = Annotated[str | None, typer.Argument(help="A stage, e.g. spines; all of them if left out")]


def check(stage: Stage = None) -> None:
    """Examine the model, or one of its stages.

    Example:  ketamech check spines

    Units fit; the model rests, recovers from half and double, conserves drug, stays in bounds and responds; every mode
    decays in the depressed and in the healthy state. Exit code 1 if something fails.
    """
    from ketamech.analysis.model_checks import check as analysis_check
    from ketamech.cli import terminal

    model = terminal.model()
    with terminal.progress().status("Examining ..."):
        findings = analysis_check(model, stage)
    rows = [
        {"stage": f.stage, "examined": f.examined, "": "passed" if f.passed else "FAILED", "figure": f.detail}
        for f in findings
    ]
    terminal.table(rows, title="Standard examination")
    failed = sum(not f.passed for f in findings)
    fluxes, states = len(model.system.fluxes), len(model.system.states)
    terminal.progress().print(
        f"Units of {fluxes} fluxes in {states} states fit. "
        f"{len(findings) - failed} examinations passed, {failed} failed."
    )
    raise typer.Exit(1 if failed else 0)
