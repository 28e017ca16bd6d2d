"""`ketamech app`: the page."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from ketamech.core import InputError

Port = Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 takes a free port")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser")]


def app(port: Port = 8321, browser: Browser = True) -> None:
    """Open the web page in the browser: a story to scroll through and a workbench to try treatments on.

    Example:  ketamech app

    Runs on this machine only and needs no internet.
    """
    refuse_without_web()
    from ketamech.app.run_server import serve
    from ketamech.cli import terminal

    console = terminal.progress()
    serve(
        port,
        browser=browser,
        announce=lambda address: console.print(
            f"Open [bold]{address}[/bold]   Ctrl-C ends it.   {terminal.DISCLAIMER}"
        ),
    )


def refuse_without_web() -> None:
    """Raise BadInput when what the page needs is not installed."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the page needs {' and '.join(missing)}", expected="the extra 'web'",
            type_this="pip install 'ketamech[web]'",
        )  # fmt: skip
