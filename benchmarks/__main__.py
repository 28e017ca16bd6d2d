"""Benchmarks from the command line; `python -m benchmarks --help` lists them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ketamech.core import InputError, KetaMechError

Quick = Annotated[
    bool, typer.Option("--quick", help="A short trial run beside libRoadRunner and COPASI; its figures mean little.")
]
Scale = Annotated[int, typer.Option("--max-patients", help="Largest number of patients in the scaling")]
Peers = Annotated[
    str,
    typer.Option(
        "--engines", help="Engines to compare with, e.g. roadrunner,copasi [default: all but amici and diffrax]"
    ),
]
Repeats = Annotated[int | None, typer.Option(help="How often each is measured [default: 3; kernels: 9]")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results")]
Docs = Annotated[
    Path | None,
    typer.Option(
        "--markdown", help="Markdown page [default: docs/benchmarks.md if there is a docs folder, unless --quick]"
    ),
]


app = typer.Typer(help="Measure KetaMech: its engine beside others, and its page under load.", no_args_is_help=True)


@app.command()
def engines(
    quick: Quick = False,
    scale: Scale = 1_000_000,
    peers: Peers = "",
    repeats: Repeats = None,
    out: Out = Path("benchmarks"),
    docs: Docs = None,
) -> None:
    """Measure this engine beside libRoadRunner, pydiffsol, COPASI, SciPy and C on the same patients, doses and outputs.

    Example:  python -m benchmarks engines --quick

    Also measures slices, a thousand to a million patients, starts, replicates of a trial, and errors of many people:
    every aim of the page. About 15 minutes on two idle cores, of which pydiffsol compiles for some. The page also shows
    what `python -m benchmarks cluster` wrote into the same folder.

    Prints milliseconds a patient with the error beside them; writes benchmark.json, a picture and a page made from it.
    A program that is not installed is listed with what to type.
    """
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
    if (out / "cluster.json").is_file():
        found["cluster"] = json.loads((out / "cluster.json").read_text(encoding="utf-8"))
    data = out / "benchmark.json"
    data.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    written = [data, *draw_benchmark(out, found)]
    page = docs or (Path("docs/benchmarks.md") if Path("docs").is_dir() and not quick else None)
    if page:
        picture = os.path.relpath(out / "benchmark.svg", page.parent)
        page.write_text(benchmark_page(found, Path(picture).as_posix()), encoding="utf-8")
        written.append(page)
    _show(found)
    terminal.print_written_files(written)


def _show(found: Mapping[str, Any]) -> None:
    from ketamech.cli import terminal

    times = {(row["peer"], row["tolerance"]): row.get("times") for row in found["comparison"]}
    rows: list[dict[str, object]] = []
    for peer in found["peers"]:
        if not peer["installed"]:
            rows.append(
                {"program": peer["label"], "tolerance": "not installed", "ms": None, "error": None, "times": None}
            )
        if "failed" in peer:
            rows.append(
                {"program": peer["label"], "tolerance": peer["failed"], "ms": None, "error": None, "times": None}
            )
        for one in peer["settings"] if peer["installed"] and "failed" not in peer else ():
            row = {"program": peer["label"], "tolerance": f"{one['tolerance']:.0e}", "ms": one.get("median_ms")}
            rows.append(row | {"error": one["error"], "times": times.get((peer["name"], one["tolerance"]))})
    terminal.table(rows, title="Milliseconds a patient; times: how many patients we solve meanwhile, no less exact")
    aims = [
        {"what": a["what"], "aim": a["aim"], "measured": a["measured"], "reached": a["reached"]} for a in found["aims"]
    ]
    terminal.table(aims, title="Aims")
    for peer in (one for one in found["peers"] if not one["installed"]):
        terminal.progress().print(f"{peer['label']} is not installed: [bold]{peer['type_this']}[/bold]")


@app.command()
def kernels(
    out: Out = Path("benchmarks"), patients: Annotated[int, typer.Option(help="Patients of the trial")] = 1000,
    repeats: Repeats = None,
) -> None:  # fmt: skip
    """Count the instructions of every kernel and measure runs by the whole model and by slices in turn.

    Writes kernel_size.csv and machine_code.csv, with which tests compare the program, and slices.json. `--repeats 0`
    only counts.
    """
    from benchmarks.kernel_size import kernel_sizes, machine_code, write_sizes
    from benchmarks.slices import measure_slices
    from ketamech.cli import terminal
    from ketamech.simulation.model import load_model

    terminal.refuse_file(out)
    console, model = terminal.progress(), load_model()
    out.mkdir(parents=True, exist_ok=True)
    sizes, written = kernel_sizes(model), [out / "kernel_size.csv", out / "machine_code.csv"]
    write_sizes(sizes, written[0])
    write_sizes(machine_code(model), written[1])
    terminal.table([vars(size) for size in sizes], title="Instructions of a group of four patients")
    if repeats != 0:
        with console.status("Starting ...") as status:
            found = measure_slices(model, lambda line: status.update(line), patients=patients, repeats=repeats or 9)
        written.append(out / "slices.json")
        written[-1].write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        terminal.table(found, title="Seconds, and ratios to the run of all outputs")
    terminal.print_written_files(written)


@app.command()
def cluster(
    patients: Annotated[int, typer.Option(min=100, help="Patients of each run")] = 1_000_000,
    workers: Annotated[str, typer.Option(help="Numbers of workers, joined by ','")] = "1,2,4",
    out: Out = Path("benchmarks"),
) -> None:
    """Run a large cohort on Dask workers of this machine: time, memory of each process, and continuing after a stop.

    Writes cluster.json, from which the page of the benchmark takes a table; each run is added as it ends. Linux only.
    """
    from ketamech.cli import terminal

    terminal.require_extra("distributed")
    from benchmarks.cluster_scaling import cluster_scaling

    terminal.refuse_file(out)
    out.mkdir(parents=True, exist_ok=True)
    target, console = out / "cluster.json", terminal.progress()
    with console.status("Starting ...") as status:
        counts = [int(count) for count in workers.split(",")]
        found = cluster_scaling(patients, counts, lambda line: status.update(line), target)
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    terminal.table(found["rows"], title=f"{patients:,} patients on workers of this machine")
    terminal.print_written_files([target])


@app.command()
def fits(
    count: Annotated[int, typer.Option("--data-sets", min=1, help="Simulated data sets")] = 200,
    periods: Annotated[int, typer.Option(min=1, help="Periods of each person; from 2 on with variability between")] = 1,
    threads: Annotated[int, typer.Option(min=1)] = 2, out: Out = Path("runs/fit-calibration"),
) -> None:  # fmt: skip
    """Simulation-based calibration of the group sampler of fits: ranks of true values among posterior draws.

    A run that was stopped continues with the same command; every data set is a row of ranks-PERIODS.csv.
    """
    from benchmarks.fit_calibration import FitCalibration, calibrate_fits
    from ketamech.cli import terminal
    from ketamech.simulation.model import load_model

    terminal.refuse_file(out)
    out.mkdir(parents=True, exist_ok=True)
    task = FitCalibration(load_model(), periods=periods, threads=threads)
    with terminal.progress_bar("Data sets", count) as update:
        table, line = calibrate_fits(task, count, out / f"ranks-{periods}.csv", update)
    terminal.table(table, title="Ranks of the true values")
    terminal.progress().print(line)


@app.command()
def page(out: Out = Path("benchmarks"), quick: Quick = False) -> None:
    """Measure the page: 50 users on loopback for a minute, and sliders in Chromium where there is one.

    The users are measured twice: the server computes every move; their browsers do, and ask for the rest.
    """
    from ketamech.cli.terminal import require_extra

    require_extra("web")
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
        seconds = 5.0 if quick else 60.0
        for name, in_browser in {"load": False, "load_beside_browsers": True}.items():
            found[name] = load_test(lambda line: status.update(line), seconds=seconds, in_browser=in_browser)
    out.mkdir(parents=True, exist_ok=True)
    target = out / "app.json"
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    terminal.table(_page_aims(found), title="The page")
    console.print(f"Written: {terminal.escape_markup(target)}   {terminal.DISCLAIMER}")
    for one in (found["load"], found["load_beside_browsers"]):
        if one["errors"]:
            raise KetaMechError(f"{one['errors']} requests failed, e.g. {one['first_errors'][0]}")


def _page_aims(found: dict[str, Any]) -> list[dict[str, object]]:
    load, seen = found["load"], found.get("browser", {})
    requests, beside = load["requests"], found["load_beside_browsers"]["requests"]
    users, count = load["users"], requests["all"]["count"]
    rows: list[tuple[str, object, object]] = [
        (f"{users} users, doses at random: requests", "5000", count),
        ("errors", "0", load["errors"]),
        ("slider move that the server computes, 95th percentile, ms", "500", requests["move"].get("p95_ms")),
        ("population that the server computes, 95th percentile, ms", "", requests["band"].get("p95_ms")),
        ("other requests beside browsers that compute, 95th percentile, ms", "500", beside["check"].get("p95_ms")),
        (f"memory after {count} requests, MB", "400", round(load["memory_mb"]["after"] or 0)),
    ]
    if seen:
        rows += [
            ("first paint, ms", "1000", seen["first_paint_ms"]),
            ("first figure from a cold server, ms", "", seen["first_figure_from_start_of_server_ms"]),
            ("first figure on a warm server, ms", "2000", seen["first_figure_from_navigation_ms"]),
            ("slider to curves, 95th percentile, ms", "100", seen["slider_to_curves_ms"].get("p95")),
            ("slider to band of 200, 95th percentile, ms", "500", seen["slider_to_band_ms"].get("p95")),
            ("page, MB", "6", round(seen["page_bytes"] / 1e6, 2)),
        ]
    return [{"what": what, "aim": aim, "measured": measured} for what, aim, measured in rows]


@app.command()
def site(out: Out = Path("benchmarks")) -> None:
    """Measure the static site in Chromium: bytes, first figure, one patient, 200 virtual patients."""
    from ketamech.cli import terminal

    for extra in ("web", "site"):
        terminal.require_extra(extra)
    from benchmarks.site_speed import AIMS, site_speed

    terminal.refuse_file(out)
    console = terminal.progress()
    with console.status("Starting ...") as status:
        found = site_speed(lambda line: status.update(line))
    out.mkdir(parents=True, exist_ok=True)
    target = out / "site.json"
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rows = [{"what": what, "aim": aim, "measured": found[key]} for key, (what, aim) in AIMS.items()]
    terminal.table(rows, title="The static site")
    console.print(f"Written: {terminal.escape_markup(target)}   {terminal.DISCLAIMER}")


@app.command()
def conformance(
    kind: Annotated[str, typer.Argument(help="sbml-suite, biomodels, petab or archives")],
    folder: Annotated[Path, typer.Argument(help="Folder of the cases")], out: Out = Path("runs/conformance"),
    sample: Annotated[int | None, typer.Option(min=1, help="Size of a random sample, the same each time")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the counts to this Markdown file")] = None,
) -> None:  # fmt: skip
    """Run a public collection of SBML, PEtab or SED-ML test cases; each result is written to cases.csv at once.

    Example:  python -m benchmarks conformance sbml-suite sbml-test-suite/cases/semantic --sample 200

    The exit code is 1 if a case has other values than expected, or is neither solved nor refused.
    """
    import csv

    from benchmarks import conformance as suites
    from ketamech.cli import terminal
    from ketamech.core import require_known

    require_known(kind, suites.SUITES, f"no collection '{kind}'", expected=", ".join(suites.SUITES))
    cases = suites.find_cases(kind, folder, sample)
    terminal.refuse_file(out)
    out.mkdir(parents=True, exist_ok=True)
    console = terminal.progress()
    with (
        console.status("Reading the cases ...") as status,
        (out / "cases.csv").open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["case", "result", "reason"])

        def write_result(one: suites.CaseResult) -> None:
            rows.writerow([one.case, one.result, one.reason])
            file.flush()

        results = suites.run_suite(kind, folder, cases, progress=status.update, on_result=write_result)
    if markdown is not None:
        markdown.write_text(suites.suite_page(kind, results), encoding="utf-8")
    terminal.table(suites.summary(results), title=f"{len(results)} cases: {suites.SUITES[kind].title}")
    failures = [one for one in results if one.result not in (suites.PASSED, suites.REFUSED, suites.OTHER)]
    for one in failures[:20]:
        console.print(f"{one.case}: {one.result}, {terminal.escape_markup(one.reason)}")
    if failures:
        raise typer.Exit(1)


@app.command()
def screenshots(folder: Path = Path("docs/pictures")) -> None:
    """Write pictures of the page for the documentation (Chromium)."""
    from benchmarks.browser_test import take_pictures
    from ketamech.cli import terminal

    terminal.refuse_file(folder)
    console = terminal.progress()
    with console.status("Starting ...") as status:
        written = take_pictures(folder, lambda line: status.update(line))
    console.print(f"Written: {terminal.escape_markup(', '.join(map(str, written)))}   {terminal.DISCLAIMER}")


if __name__ == "__main__":
    app()
