"""`ketamech site`: the pages as a folder of static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ketamech.cli import terminal

SiteFolder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the site")]


def site(out: SiteFolder = Path("site")) -> None:
    """Write story, workbench and exercises as static files that need no server.

    Example:  ketamech site --out site

    The model is compiled to WebAssembly and runs in the browser. Any web server can serve the folder, below any path;
    after the first visit the page works without a connection.
    """
    terminal.require_extra("web")
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
