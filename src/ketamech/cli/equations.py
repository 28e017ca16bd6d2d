"""`ketamech equations`: equations and parameters as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.core import InputError

Out = Annotated[Path | None, typer.Option("--out", "-o", help="A .html or .md file [default: print as text]")]

Outputs = Annotated[
    bool, typer.Option("--outputs", help="List the names of all outputs, with the unit in tables and the meaning")
]


def equations(out: Out = None, outputs: Outputs = False) -> None:
    """Write the equations and parameters with their sources.

    Example:  ketamech equations --out model.html

    Every flux has its reason, every parameter its source or the reason of its assumption.

    More examples:

      ketamech equations --outputs | grep hydroxynorketamine
    """
    if outputs:
        if out is not None:
            raise InputError("--outputs together with --out", key="--outputs", expected="one of them")
        table = terminal.model().outputs()[["output", "shown", "meaning"]].rename(columns={"shown": "unit"})
        terminal.table(table.to_dict("records"))
        return
    from ketamech.model.assemble import build_system
    from ketamech.report.model_page import describe as report_describe

    if out is not None and out.suffix not in (".html", ".md"):
        message = f"cannot write '{out}'"
        raise InputError(message, expected="a name ending in .html or .md", type_this="--out model.html")
    with terminal.progress().status("Building the equations ..."):
        system = build_system()
        text = report_describe(system, html=out is not None and out.suffix == ".html")
    if out is None:
        terminal.print_line(text, fold=False)
        return
    terminal.write_text(out, text)
    terminal.print_note(f"Written: {out}")
