"""HTML page and tables of an attribution, and the page writer shared with model variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.analysis.attribution_text import dependence, sentences
from ketamech.analysis.pathways import component
from ketamech.exchange.result_metadata import write_table
from ketamech.report.attribution_figures import draw_attribution
from ketamech.report.page_templates import render

if TYPE_CHECKING:
    from ketamech.analysis.attribution import Attribution
    from ketamech.parameters import ParameterTable

SHOWN = ("outcome", "pathway", "shapley", "shapley_low", "shapley_high", "lost", "alone", "shapley_tables", "share")
INTRODUCTION = (
    "A Shapley value is the mean effect of adding a pathway, over all orders in which the pathways can be switched on;"
    " the Shapley values of all pathways add up to their joint effect. Lost when off: the effect lost when only this"
    " pathway is switched off. Alone: its effect when all other pathways are off. Expectancy: the change in the same"
    " person without the drug.",
    "Intervals are over posterior draws; values of a pathway that are not in the posterior are drawn from their"
    " spreads. The intervals hold for this model variant only: a calibrated value does not show that its pathway"
    " exists. `ketamech explain wirings` compares model variants.",
)


@dataclass(frozen=True)
class Section:
    """A section of a page: heading, sentences, a figure file and a table."""

    title: str
    words: Sequence[str] = ()
    picture: str = ""
    rows: Sequence[Mapping[Any, Any]] = ()


def write_page(path: Path, title: str, opening: Sequence[str], sections: Sequence[Section], closing: str) -> Path:
    """Write an HTML page; figure paths are relative to it."""
    text = render("explain.html.j2", title=title, opening=opening, sections=sections, closing=closing)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_attribution(
    folder: Path, found: Attribution, parameters: ParameterTable, command: str, facts: Mapping[str, object]
) -> Path:
    """Write tables (CSV, with `facts`), figures and `explain.html` of an attribution; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    sensitivities = dependence(found, parameters)
    for name, table in {"shapley": found.table, "totals": found.totals, "dependence": sensitivities}.items():
        write_table(table, folder / f"{name}.csv", facts)
    write_table(_course_table(found), folder / "course.csv", facts)
    draw_attribution(folder, found)
    outcomes = list(found.totals["outcome"])
    rows = (
        found.table[list(SHOWN)]
        .assign(pathway=found.table["pathway"].map(lambda name: component(name).label))
        .to_dict("records")
    )
    sections = [
        Section("MADRS over time", sentences(found, parameters), "course.svg"),
        Section("All outcomes", [sentences(found, parameters, name)[0] for name in outcomes], "shares.svg", rows),
    ]
    return write_page(
        folder / "explain.html", f"Pathway contributions: {found.scenario.title}", INTRODUCTION, sections, command
    )


def _course_table(found: Attribution) -> Any:
    """MADRS change by component and hour: mean of the draws, and at the table values."""
    import pandas as pd

    own = (
        found.madrs_decomposition[:, 1:].mean(axis=1)
        if found.madrs_decomposition.shape[1] > 1
        else found.madrs_decomposition[:, 0]
    )
    columns = {"hour": found.times, **{part: own[i] for i, part in enumerate(found.components)}}
    return pd.DataFrame(
        columns | {f"{part} (tables)": found.madrs_decomposition[i, 0] for i, part in enumerate(found.components)}
    )
