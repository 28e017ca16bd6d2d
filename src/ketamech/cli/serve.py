"""`ketamech app`: the page."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.core import InputError, KetaMechError

Port = Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on 127.0.0.1; 0 takes a free port")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser")]


Pictures = Annotated[Path | None, typer.Option(help="Write pictures of the pages to this folder instead (Chromium)")]


def app(port: Port = 8321, browser: Browser = True, pictures: Pictures = None) -> None:
    """Open the web page in the browser: a story to scroll through and a bench to try treatments on.

    Example:  ketamech app

    Runs on this machine only and needs no internet.
    """
    refuse_without_web()
    from ketamech.app.run_server import serve
    from ketamech.cli import terminal

    console = terminal.progress()
    if pictures is not None:
        from benchmarks.browser_test import take_pictures

        terminal.refuse_file(pictures)
        with console.status("Starting ...") as status:
            written = take_pictures(pictures, lambda line: status.update(line))
        terminal.wrote(written)
        return
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


def bench_app(out: Path, *, quick: bool) -> None:
    """Measure the page: 50 users on loopback for a minute, and sliders in Chromium where there is one."""
    refuse_without_web()
    from benchmarks.browser_test import browser_test
    from benchmarks.load_test import load_test

    from ketamech.cli import terminal

    terminal.refuse_file(out)
    console = terminal.progress()
    found: dict[str, Any] = {}
    with console.status("Starting ...") as status:
        try:
            found["browser"] = browser_test(lambda line: status.update(line))
        except InputError as problem:
            console.print(f"Not measured in a browser: {terminal.escape_markup(problem)}")
        found["load"] = load_test(lambda line: status.update(line), seconds=5.0 if quick else 60.0)
    out.mkdir(parents=True, exist_ok=True)
    target = out / "app.json"
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    terminal.table(_aims(found), title="The page")
    terminal.wrote([target])
    if found["load"]["errors"]:
        raise KetaMechError(f"{found['load']['errors']} requests failed, e.g. {found['load']['first_errors'][0]}")


def _aims(found: dict[str, Any]) -> list[dict[str, object]]:
    load, seen = found["load"], found.get("browser", {})
    held = load["memory_mb"]
    rows: list[tuple[str, object, object]] = [
        (f"{load['users']} users: requests", "", load["requests"]["all"]["count"]),
        ("errors", "0", load["errors"]),
        ("request, 95th percentile, ms", "500", load["requests"]["all"]["p95_ms"]),
        ("memory before, middle, after, MB", "flat", ", ".join(f"{v:.0f}" for v in held.values() if v is not None)),
    ]
    if seen:
        rows += [
            ("first paint, ms", "1000", seen["first_paint_ms"]),
            ("first figure from a cold server, ms", "", seen["first_figure_from_start_of_server_ms"]),
            ("first figure on a warm server, ms", "2000", seen["first_figure_from_navigation_ms"]),
            ("slider to curves, 95th percentile, ms", "100", seen["slider_to_curves_ms"].get("p95")),
            ("slider to band of 1,000, 95th percentile, ms", "500", seen["slider_to_band_ms"].get("p95")),
            ("page, MB", "6", round(seen["page_bytes"] / 1e6, 2)),
        ]
    return [{"what": what, "aim": aim, "measured": measured} for what, aim, measured in rows]
