"""Write a run to a folder: curves, summary, figures, report, bibliography, provenance, scenario; and a page of runs.

Libraries of figures and pages are imported in the functions that need them: a run without a report starts in half the
time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.core.constants import PAPERS
from ketamech.core.csv_table import parts
from ketamech.evidence import load_evidence
from ketamech.exchange.curves_io import write_curves
from ketamech.exchange.output_folder import atomic_folder
from ketamech.exchange.result_metadata import Rows, write_table
from ketamech.parameters import Parameter
from ketamech.report import bibliography as papers
from ketamech.report.number_format import limits_in_words, stage_in_words
from ketamech.report.provenance import flattened, provenance
from ketamech.report.run_description import RunDescription, describe_run
from ketamech.report.summary import (
    SummaryRow,
    compared_times,
    exposure_summary,
    sedation_rows,
    solver_status,
    summary,
    summary_rows_of,
)
from ketamech.simulation.citations import cited_evidence, used_parameters
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.ensemble import OK
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.analysis.scorecard import Scorecard
    from ketamech.report.published_points import PublishedPoint


@dataclass(frozen=True)
class RunReport:
    """The data of the pages and tables of one run."""

    dataset: AnyCurves
    run: RunDescription
    model: Model
    lines: list[SummaryRow]
    points: list[PublishedPoint]
    plan: Mapping[str, list[str]]
    used: tuple[Parameter, ...]
    papers: list[dict[str, Any]]
    provenance: Mapping[str, Any]
    exposure: Sequence[Mapping[str, Any]] = ()


def write_run(
    folder: Path | str, dataset: AnyCurves, scenario: Scenario, model: Model, command_line: str, *, png: bool = False,
    report: bool = True, tables: Mapping[str, tuple[pd.DataFrame | Rows, Mapping[str, str]]] | None = None,
) -> list[Path]:  # fmt: skip
    """Write one run to `folder`, with `png` also the timeline as PNG (one second more); returns the paths.

    Without `report` there are no figures and no page. `tables` are further CSV files, by name, each with the units of
    its columns.

    The folder is written atomically and replaces an earlier run. Raises InputError when it holds other files.
    """
    data = collect_report(dataset, scenario, model, command_line, drawn=report)
    with atomic_folder(folder) as draft:
        metadata = {f"ketamech {k}": v for k, v in flattened(data.provenance).items()}
        metadata[PAPERS] = " ".join(entry["key"] for entry in data.papers)
        write_curves(draft, dataset.assign_attrs({**dataset.attrs, **metadata}))
        _write_tables(draft, data)
        for name, (table, units) in (tables or {}).items():
            write_table(table, draft / name, metadata | {f"units {n}": unit for n, unit in units.items()})
        if report:
            figures = draft / "figures"
            figures.mkdir()
            page = _page(data, _timelines(figures, data, png=png), _panels(figures, data))
            (draft / "report.html").write_text(page, encoding="utf-8")
    return sorted(path for path in Path(folder).iterdir())


def collect_report(
    dataset: AnyCurves, scenario: Scenario, model: Model, command_line: str, *, drawn: bool = True
) -> RunReport:
    """Compute the whole report before any file is written; published points and panels only if it is `drawn`."""
    run, evidence = describe_run(scenario, model), load_evidence()
    points: list[PublishedPoint] = []
    plan: Mapping[str, list[str]] = {}
    if drawn:
        from ketamech.report.panels import outputs_by_stage
        from ketamech.report.published_points import published_points

        points = published_points(dataset, run, model, evidence)
        plan = outputs_by_stage(dataset, run, model, points)
    drawn_outputs = {output for outputs in plan.values() for output in outputs}
    names = used_parameters(dataset, model, run.values, run.regimen)
    ids = {name: cited_evidence([name], model, run.values) for name in names}
    return RunReport(
        dataset,
        run,
        model,
        summary_rows_of(dataset, run, model.parameters),
        points,
        plan,
        tuple(model.parameters[name] for name in names),
        papers.bibliography(ids, (point.evidence for point in points if point.output in drawn_outputs), evidence),
        provenance(run, model, command_line),
        exposure_summary(dataset, scenario, model.parameters),
    )


def _write_tables(folder: Path, report: RunReport) -> None:
    summary_values = summary(report.dataset, report.run, report.lines)
    summary_values |= {"non_compartmental": report.exposure, "provenance": report.provenance}
    contents = {"summary.json": summary_values, papers.FILE: report.papers, "provenance.json": report.provenance}
    for name, content in contents.items():
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    references_by_key = load_evidence().references
    references = [references_by_key[entry["key"]] for entry in report.papers]
    (folder / "bibliography.txt").write_text(papers.as_text(references) + "\n", encoding="utf-8")
    (folder / "bibliography.bib").write_text(papers.as_bibtex(references) + "\n", encoding="utf-8")
    (folder / "scenario.yaml").write_text(_scenario_text(report.run), encoding="utf-8")


def _scenario_text(run: RunDescription) -> str:
    """The scenario file, or a file made from the sentence."""
    if "treatments:" in run.source:
        return run.source
    treatments = "".join(f"  - {json.dumps(part)}\n" for part in parts(run.source))
    weight = "person:\n  weight: 70 kg\n" if any(per in run.source for per in ("/kg", "/m2", "/m^2")) else ""
    return f"treatments:\n{treatments}{weight}"


def _timelines(folder: Path, report: RunReport, *, png: bool) -> list[dict[str, Any]]:
    """The timeline on a logarithmic axis and, for several treatments, also in days."""
    from ketamech.report.page_templates import alternative_text
    from ketamech.report.svg_canvas import save_png
    from ketamech.report.timeline_figure import timeline_figure

    axes = [("timeline", True)] + ([("timeline_days", False)] if len(report.run.occasions()) > 1 else [])
    alt_text, figures = alternative_text(report.run, report.lines), []
    for name, logarithmic in axes:
        canvas = timeline_figure(
            report.dataset, report.run, report.model.parameters,
            logarithmic=logarithmic, sources=len(report.papers), lines=report.lines,
        )  # fmt: skip
        files = [f"figures/{name}.svg"] + ([f"figures/{name}.png"] if png else [])
        if png:
            save_png(canvas, folder / f"{name}.png")
        axis_text = "logarithmic, from one minute on" if logarithmic else "in days"
        caption = f"Every track over one time axis, {axis_text}; the dot marks the peak or the lowest point."
        figures.append(
            {"picture": canvas.save(folder / f"{name}.svg", alt=alt_text), "caption": caption, "files": files}
        )
    return figures


def _panels(folder: Path, report: RunReport) -> list[dict[str, Any]]:
    from ketamech.report.panels import stage_panels

    panels = []
    canvases = stage_panels(report.dataset, report.run, report.model, report.points, report.plan)
    for count, (stage, canvas) in enumerate(canvases.items(), 1):
        outputs = report.plan[stage]
        title = stage_in_words(stage)
        points = [point for point in report.points if point.output in outputs]
        alt = f"{title}: simulated curves of {', '.join(outputs)}, with {len(points)} published points."
        picture = canvas.save(folder / f"stage_{count:02d}_{stage}.svg", alt=alt)
        panels.append({"stage": stage, "title": title, "picture": picture, "points": points})
    return panels


def _page(report: RunReport, timelines: list[dict[str, Any]], panels: list[dict[str, Any]]) -> str:
    from ketamech.report.page_templates import counts, plain_words, render, sentence

    lines, changed = report.lines, report.provenance["changed_parameters"]
    times_shown = list(lines[0].values_at) if lines else []
    return render(
        "report.html.j2",
        run=report.run,
        plain=plain_words(report.run, float(report.dataset.variables["time"].values[-1]), changed),
        failed=[patient for patient in solver_status(report.dataset) if patient["solve"] != OK],
        groups=[(group, list(rows)) for group, rows in groupby(lines, key=lambda line: line.group)],
        moments=times_shown,
        compared=compared_times(lines),
        sedation=sedation_rows(report.dataset),
        tracks=[(line, sentence(line)) for line in lines if line.is_primary],
        points=[p for picture in panels for p in picture["points"]],
        used=report.used,
        counts=counts(report.used),
        papers=report.papers,
        provenance=flattened(report.provenance),
        timelines=timelines,
        panels=panels,
    )


def write_index(folder: Path | str, runs: Sequence[tuple[str, str]], card: Scorecard) -> Path:
    """Write `index.html`, the page of several runs given as (folder name, title); returns its path."""
    from ketamech.analysis.scorecard import counted
    from ketamech.report.page_templates import render

    path, rows = Path(folder), counted(card.rows)
    paths = sorted(path.glob("scorecard/*.svg"))
    page = render(
        "index.html.j2",
        runs=[{"name": name, "title": title, "data": _timeline_of(path, name)} for name, title in runs],
        goals=[
            row | {"wanted": limits_in_words(row["low"], row["high"])}
            for row in card.criteria.sort_values("reached", kind="stable").to_dict("records")  # misses first
        ],
        sources=card.by_source.to_dict("records"),
        verdicts=rows["verdict"].value_counts().to_dict(),
        fitted=int(rows["fitted"].sum()),
        openable=len(rows),
        total=len(card.rows),
        picture=paths[0].relative_to(path).as_posix() if paths else "",
        has_claims=(path / "claims" / "claims.html").is_file(),
        has_model=(path / "model.html").is_file(),
    )
    target = path / "index.html"
    target.write_text(page, encoding="utf-8")
    return target


def _timeline_of(folder: Path, run: str) -> str:
    """Path of the timeline figure of a run, relative to the index page."""
    paths = (f"{run}/figures/{name}.svg" for name in ("timeline_days", "timeline"))
    return next((path for path in paths if (folder / path).is_file()), "")
