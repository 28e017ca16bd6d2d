"""Write a run to a folder: curves, summary, figures, report, bibliography, provenance, scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ketamech.evidence import load_evidence
from ketamech.exchange.curves_io import write_curves
from ketamech.exchange.output_folder import atomic_folder, require_own_folder
from ketamech.exchange.result_metadata import PAPERS, write_table
from ketamech.parameters import Parameter
from ketamech.report import bibliography as papers
from ketamech.report.number_format import stage_in_words
from ketamech.report.page_templates import alternative_text, counts, plain_words, render, sentence
from ketamech.report.panels import panel_plan, stage_panels
from ketamech.report.provenance import cited_evidence, flattened, provenance, used_parameters
from ketamech.report.published_points import PublishedPoint, published_points
from ketamech.report.run_description import RunDescription, describe_run
from ketamech.report.summary import SummaryRow, solver_status, summary, summary_rows_of
from ketamech.report.svg_canvas import save_png
from ketamech.report.timeline_figure import timeline_figure
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunReport:
    """The data of the pages and tables of one run."""

    dataset: xr.Dataset
    run: RunDescription
    model: Model
    lines: list[SummaryRow]
    points: list[PublishedPoint]
    plan: Mapping[str, list[str]]
    used: tuple[Parameter, ...]
    papers: list[dict[str, Any]]
    provenance: Mapping[str, Any]


def check_folder(folder: Path | str) -> None:
    """Raise InputError before the computation if results cannot be written to `folder`."""
    require_own_folder(Path(folder).resolve())


def write_run(
    folder: Path | str, dataset: xr.Dataset, scenario: Scenario, model: Model, command_line: str, *, png: bool = False,
    tables: Mapping[str, tuple[pd.DataFrame, Mapping[str, str]]] | None = None,
) -> list[Path]:  # fmt: skip
    """Write one run to `folder`, with `png` also the timeline as PNG (one second more); returns the paths.

    `tables` are further CSV files, by name, each with the units of its columns.

    The folder is written atomically and replaces an earlier run. Raises InputError when it holds other files.
    """
    found = collect_report(dataset, scenario, model, command_line)
    with atomic_folder(folder) as draft:
        facts = {f"ketamech {k}": v for k, v in flattened(found.provenance).items()}
        paper_keys = {PAPERS: " ".join(entry["key"] for entry in found.papers)}
        marked = dataset.assign_attrs({**dataset.attrs, **facts, **paper_keys})
        write_curves(draft, marked)
        _write_tables(draft, found)
        for name, (table, units) in (tables or {}).items():
            write_table(
                table, draft / name, {**facts, **paper_keys, **{f"units {n}": unit for n, unit in units.items()}}
            )
        (draft / "report.html").write_text(_page(found, _figures(draft, found, png=png)), encoding="utf-8")
    return sorted(path for path in Path(folder).iterdir())


def collect_report(dataset: xr.Dataset, scenario: Scenario, model: Model, command_line: str) -> RunReport:
    """Compute the whole report before any file is written."""
    run, evidence = describe_run(scenario, model), load_evidence()
    points = published_points(dataset, run, model, evidence)
    plan = panel_plan(dataset, run, model, points)
    drawn = {output for outputs in plan.values() for output in outputs}
    names = used_parameters(dataset, run, model)
    behind = {name: cited_evidence([name], run, model) for name in names}
    return RunReport(
        dataset,
        run,
        model,
        summary_rows_of(dataset, run, model.parameters),
        points,
        plan,
        tuple(model.parameters[name] for name in names),
        papers.bibliography(behind, (point.evidence for point in points if point.output in drawn), evidence),
        provenance(run, model, command_line),
    )


def _write_tables(folder: Path, found: RunReport) -> None:
    numbers = summary(found.dataset, found.run, found.lines) | {"provenance": found.provenance}
    for name, content in (
        ("summary.json", numbers),
        (papers.FILE, found.papers),
        ("provenance.json", found.provenance),
    ):
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    known = load_evidence().references
    references = [known[entry["key"]] for entry in found.papers]
    (folder / "bibliography.txt").write_text(papers.as_text(references) + "\n", encoding="utf-8")
    (folder / "bibliography.bib").write_text(papers.as_bibtex(references) + "\n", encoding="utf-8")
    (folder / "scenario.yaml").write_text(_scenario_text(found.run), encoding="utf-8")


def _scenario_text(run: RunDescription) -> str:
    """The scenario file, or a file made from the sentence."""
    if "treatments:" in run.source:
        return run.source
    return (
        "treatments:\n"
        + "".join(f"  - {json.dumps(part.strip())}\n" for part in run.source.split(";"))
        + ("person:\n  weight: 70 kg\n" if "/kg" in run.source else "")
    )


def _figures(folder: Path, found: RunReport, *, png: bool) -> dict[str, Any]:
    """Draw and save every figure; returns the figures for the page."""
    place = folder / "figures"
    place.mkdir()
    return {"timelines": _timelines(place, found, png=png), "panels": _panels(place, found)}


def _timelines(place: Path, found: RunReport, *, png: bool) -> list[dict[str, Any]]:
    """The timeline on a logarithmic axis and, for several treatments, also in days."""
    clocks = [("timeline", True)] + ([("timeline_days", False)] if len(found.run.occasions()) > 1 else [])
    alt, shown = alternative_text(found.run, found.lines), []
    for name, logarithmic in clocks:
        canvas = timeline_figure(
            found.dataset, found.run, found.model.parameters,
            logarithmic=logarithmic, sources=len(found.papers), lines=found.lines,
        )  # fmt: skip
        files = [f"figures/{name}.svg"] + ([f"figures/{name}.png"] if png else [])
        if png:
            save_png(canvas, place / f"{name}.png")
        clock = "logarithmic, from one minute on" if logarithmic else "in days"
        caption = f"Every track over one time axis, {clock}; the dot marks the peak or the lowest point."
        shown.append({"picture": canvas.save(place / f"{name}.svg", alt=alt), "caption": caption, "files": files})
    return shown


def _panels(place: Path, found: RunReport) -> list[dict[str, Any]]:
    shown = []
    drawn = stage_panels(found.dataset, found.run, found.model, found.points, found.plan)
    for number, (stage, canvas) in enumerate(drawn.items(), 1):
        outputs = found.plan[stage]
        title = stage_in_words(stage)
        points = [point for point in found.points if point.output in outputs]
        alt = f"{title}: simulated curves of {', '.join(outputs)}, with {len(points)} published points."
        picture = canvas.save(place / f"stage_{number:02d}_{stage}.svg", alt=alt)
        shown.append({"stage": stage, "title": title, "picture": picture, "points": points})
    return shown


def _page(found: RunReport, pictures: Mapping[str, Any]) -> str:
    lines = found.lines
    moments = list(lines[0].moments) if lines else []
    control = next((name for name in ("24 h", "end") if lines and name in lines[0].difference), "")
    return render(
        "report.html.j2",
        run=found.run,
        plain=plain_words(
            found.run, float(found.dataset.variables["time"].values[-1]), found.provenance["changed_parameters"]
        ),
        failed=[patient for patient in solver_status(found.dataset) if patient["solve"] != "ok"],
        groups=[(group, list(rows)) for group, rows in groupby(lines, key=lambda line: line.group)],
        moments=moments,
        control=control,
        outcomes=[(line, sentence(line)) for line in lines if line.is_primary],
        points=[p for picture in pictures["panels"] for p in picture["points"]],
        used=found.used,
        counts=counts(found.used),
        papers=found.papers,
        provenance=flattened(found.provenance),
        **pictures,
    )
