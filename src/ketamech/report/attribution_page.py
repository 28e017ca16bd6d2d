"""The page beside an explanation: what it says, its pictures, its tables."""

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
READ_SO = (
    "A Shapley value is the mean of what a pathway adds over all orders in which the pathways could be switched on:"
    " the values of all pathways add up to what they do together. Lost when off: what goes missing when only this one"
    " is switched off. Alone: what it does when all others are off. Hope: what the same person gains without the drug.",
    "Intervals are over draws of the posterior, and of the spreads of the values that carry a pathway where the"
    " posterior does not know them. They are intervals within this wiring of the model: that a value is calibrated does"
    " not prove the road it weighs. `ketamech variants` compares rival roads.",
)


@dataclass(frozen=True)
class Section:
    """A heading with sentences, a picture beside the page, and a table."""

    title: str
    words: Sequence[str] = ()
    picture: str = ""
    rows: Sequence[Mapping[Any, Any]] = ()


def write_page(path: Path, title: str, opening: Sequence[str], sections: Sequence[Section], closing: str) -> Path:
    """Write an HTML page; pictures are named as seen from it."""
    text = render("explain.html.j2", title=title, opening=opening, sections=sections, closing=closing)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_attribution(
    folder: Path, found: Attribution, parameters: ParameterTable, command: str, facts: Mapping[str, object]
) -> Path:
    """Write tables (CSV, with `facts`), pictures and `explain.html` of an attribution; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    leaning = dependence(found, parameters)
    for name, table in {"shapley": found.table, "totals": found.totals, "dependence": leaning}.items():
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
        Section("Mood over time", sentences(found, parameters), "course.svg"),
        Section("Every outcome", [sentences(found, parameters, name)[0] for name in outcomes], "shares.svg", rows),
    ]
    return write_page(folder / "explain.html", f"Why: {found.scenario.title}", READ_SO, sections, command)


def _course_table(found: Attribution) -> Any:
    """MADRS points of every part at every hour: mean of draws and the tables' own."""
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
