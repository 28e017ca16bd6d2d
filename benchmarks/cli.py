"""`ketamech bench`: this engine beside others, error beside time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Quick = Annotated[
    bool, typer.Option("--quick", help="A short trial run beside libRoadRunner and COPASI; its figures mean little.")
]
Scale = Annotated[int, typer.Option(help="The most patients in the scaling: a hundred, a thousand ... up to this.")]
Peers = Annotated[str, typer.Option(help="Who to compare with, e.g. roadrunner,pydiffsol,copasi,scipy [default: all]")]
Repeats = Annotated[int | None, typer.Option(help="How often each is measured [default: 5]")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for benchmark.json and the picture")]
Docs = Annotated[
    Path | None,
    typer.Option(help="Page to write [default: docs/benchmarks.md where there is a docs folder, unless --quick]"),
]


App = Annotated[bool, typer.Option("--app", help="Measure the page instead: 50 users on loopback, sliders in Chromium")]


def bench(
    quick: Quick = False,
    scale: Scale = 100_000,
    peers: Peers = "",
    repeats: Repeats = None,
    out: Out = Path("benchmarks"),
    docs: Docs = None,
    app: App = False,
) -> None:
    """Measure this engine beside libRoadRunner, pydiffsol, COPASI and SciPy on the same patients, doses and outputs.

    Example:  ketamech bench --quick

    Prints milliseconds a patient with the error beside them; writes benchmark.json, a picture and a page made from it.
    A program that is not installed is listed with what to type.
    """
    if app:
        from ketamech.cli.serve import bench_app

        return bench_app(out, quick=quick)
    from benchmarks.results_figure import draw_benchmark
    from benchmarks.results_page import benchmark_page
    from benchmarks.suite import benchmark
    from ketamech.cli import terminal

    terminal.refuse_file(out)
    console = terminal.progress()
    names = [name.strip() for name in peers.split(",") if name.strip()]
    with console.status("Starting ...") as status:
        found = benchmark(lambda line: status.update(line), names=names, most=scale, repeats=repeats, quick=quick)
    out.mkdir(parents=True, exist_ok=True)
    data = out / "benchmark.json"
    data.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    written = [data, *draw_benchmark(out, found)]
    page = docs or (Path("docs/benchmarks.md") if Path("docs").is_dir() and not quick else None)
    if page:
        picture = os.path.relpath(out / "benchmark.svg", page.parent)
        page.write_text(benchmark_page(found, Path(picture).as_posix()), encoding="utf-8")
        written.append(page)
    _show(found)
    terminal.wrote(written)


def _show(found: Mapping[str, Any]) -> None:
    from ketamech.cli import terminal

    times = {(row["peer"], row["tolerance"]): row.get("times") for row in found["comparison"]}
    rows: list[dict[str, object]] = []
    for peer in found["peers"]:
        if not peer["installed"]:
            rows.append(
                {"program": peer["label"], "tolerance": "not installed", "ms": None, "error": None, "times": None}
            )
        for one in peer["settings"] if peer["installed"] else ():
            row = {"program": peer["label"], "tolerance": f"{one['tolerance']:.0e}", "ms": one.get("median_ms")}
            rows.append(row | {"error": one["error"], "times": times.get((peer["name"], one["tolerance"]))})
    terminal.table(rows, title="Milliseconds a patient; times: how many patients we solve meanwhile, no less exact")
    aims = [
        {"what": a["what"], "aim": a["aim"], "measured": a["measured"], "reached": a["reached"]} for a in found["aims"]
    ]
    terminal.table(aims, title="Aims")
    for peer in (one for one in found["peers"] if not one["installed"]):
        terminal.progress().print(f"{peer['label']} is not installed: [bold]{peer['type_this']}[/bold]")
