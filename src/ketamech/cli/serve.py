"""`ketamech serve`: the local web page."""

from __future__ import annotations

from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.terminal import require_extra

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for any free port")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser")]


def serve(port: Port = 8321, browser: Browser = True) -> None:
    """Start the local web page and open it in the browser.

    Example:  ketamech serve

    The server accepts connections from this machine only; no internet connection is needed.
    """
    require_extra("web")
    from ketamech.app import server

    console = terminal.progress()
    server.serve(
        port,
        browser=browser,
        announce=lambda address: console.print(
            f"Open [bold]{address}[/bold]   Ctrl-C stops it.   {terminal.DISCLAIMER}"
        ),
    )
