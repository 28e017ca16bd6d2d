"""`ketamech serve`: the local web page."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from ketamech.core import InputError

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for any free port")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser")]


def serve(port: Port = 8321, browser: Browser = True) -> None:
    """Start the local web page and open it in the browser.

    Example:  ketamech serve

    The server accepts connections from this machine only; no internet connection is needed.
    """
    refuse_without_web()
    from ketamech.app import run_server
    from ketamech.cli import terminal

    console = terminal.progress()
    run_server.serve(
        port,
        browser=browser,
        announce=lambda address: console.print(
            f"Open [bold]{address}[/bold]   Ctrl-C stops it.   {terminal.DISCLAIMER}"
        ),
    )


def refuse_without_web() -> None:
    """Raise InputError if a package that the web page needs is not installed."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the web page needs {' and '.join(missing)}", expected="the extra 'web'",
            type_this="pip install 'ketamech[web]'",
        )  # fmt: skip
