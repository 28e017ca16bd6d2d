"""`ketamech serve` and `ketamech site`: the web page, from this machine or as a folder of static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal
from ketamech.cli.terminal import require_extra
from ketamech.core.constants import DISCLAIMER

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for any free port")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser")]
SiteFolder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the site")]


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
        announce=lambda address: console.print(f"Open [bold]{address}[/bold]   Ctrl-C stops it.   {DISCLAIMER}"),
    )


def site(out: SiteFolder = Path("site")) -> None:
    """Write story, workbench and exercises as static files that need no server.

    Example:  ketamech site --out site

    The model is compiled to WebAssembly and runs in the browser. Any web server can serve the folder, below any path;
    after the first visit the page works without a connection.
    """
    require_extra("web")
    from ketamech.app.app_state import AppState
    from ketamech.exchange.output_folder import atomic_folder
    from ketamech.site.build_site import build_site

    console = terminal.progress()
    app_state = AppState(terminal.model())
    with atomic_folder(out) as draft:
        size = build_site(draft, app_state, console.print)
    first, total = size.before_first_figure / 1e3, size.compressed / 1e3
    console.print(
        f"{size.files} files in {out}: {first:.0f} kB compressed before the first figure, {total:.0f} kB in all.\n"
        f"To look at it:  python -m http.server --directory {out}"
    )
