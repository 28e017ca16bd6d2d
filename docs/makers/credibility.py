"""Credibility: the scorecard of the typical patient run anew, and counts of the sources of its values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ketamech.analysis.scorecard import Scorecard, counted, scorecard
from ketamech.analysis.scorecard_targets import ROLES
from ketamech.core.constants import DISCLAIMER
from ketamech.evidence import load_evidence
from ketamech.model.system import System
from ketamech.report.number_format import number
from ketamech.report.page_templates import counts
from ketamech.report.scorecard_figure import scorecard_figure
from makers.markdown import NOTICE, code, table

SHOWN = ("inside", "near", "miss", "no result")


def write_credibility(system: System, folder: Path) -> dict[str, str]:
    """{page: Markdown} of the scorecard and the counts; the picture is written into `folder`."""
    card = scorecard()
    folder.mkdir(parents=True, exist_ok=True)
    scorecard_figure(card.rows).save(folder / "scorecard.svg")
    return {"credibility/rows": _rows(card), "credibility/counts": _counts(system, card)}


def _rows(card: Scorecard) -> str:
    rows = card.rows.sort_values("distance", ascending=False, na_position="first").to_dict("records")
    found = Counter(counted(card.rows)["verdict"])
    lines = [NOTICE, "", "# One typical patient against published numbers", "", DISCLAIMER, ""]
    verdicts = ", ".join(f"{found[verdict]} {verdict}" for verdict in SHOWN)
    n = found.total()
    lines += [f"{n} rows whose source can be opened, run when this page was made: {verdicts}.", ""]
    lines += [f"{len(rows) - n} rows without such a source are compared below and not counted.", ""]
    lines += ["How a row is read and judged: [the scorecard](../../scorecard.md).", ""]
    lines += ["## By stage", "", *_by_stage(rows), "## Goals", "", *_goals(card), "## Every row, worst first", ""]
    lines += ["As a picture: {download}`scorecard.svg`.", ""]
    head = ("row", "stage", "simulated", "published", "unit", "verdict", "", "source")
    return "\n".join([*lines, *table(head, map(_row, rows))]) + "\n"


def _by_stage(rows: list[dict[str, Any]]) -> list[str]:
    stages = dict.fromkeys(sorted(row["stage"] for row in rows))
    tally = Counter((row["stage"], row["verdict"]) for row in rows)
    fitted = Counter(row["stage"] for row in rows if row["fitted"])
    lines = [(stage, *(tally[stage, verdict] or "" for verdict in SHOWN), fitted[stage] or "") for stage in stages]
    return table(("stage", *SHOWN, "of these fitted"), lines)


def _goals(card: Scorecard) -> list[str]:
    kept = ["goal", "simulated", "unit", "low", "high", "reached"]
    rows = card.criteria[kept].to_dict("records")
    return table(kept, [tuple(_plain(row[column]) for column in kept) for row in rows])


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if value is None or value != value:
        return ""
    return number(float(value)) if isinstance(value, int | float) else str(value)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    marks = " ".join(word for word in ("fitted", "translated") if row[word])
    verdict = row["verdict"] if row["verdict"] == "inside" else f"**{row['verdict']}**"
    values = (_plain(row["simulated"]), _plain(row["published"]))
    return code(row["id"]), row["stage"], *values, row["unit"], verdict, marks, row["citation"]


def _counts(system: System, card: Scorecard) -> str:
    used = [system.parameters[name] for name in system.parameter_names]
    evidence = load_evidence()
    observations = list(evidence.observations.values())
    read = Counter((row.use, row.reading_source) for row in observations)
    ways = sorted({row.reading_source for row in observations})
    rated = counted(card.rows)
    verdicts = Counter(zip(rated["role"], rated["verdict"], strict=True))
    lines = [NOTICE, "", "**Values**", "", *table(("status", "parameters", "meaning"), counts(used))]
    lines += ["**Evidence rows**, by how they were read", ""]
    uses = sorted({row.use for row in observations})
    lines += table(("use", *ways), [(use, *(read[use, way] for way in ways)) for use in uses])
    titled = sum(bool(paper.title) for paper in evidence.references.values())
    lines += [f"**Papers**: {len(evidence.references)}, of which {titled} with their title.", ""]
    lines += ["**Published numbers against the typical patient**", ""]
    rows = [(role, *(verdicts[role, v] for v in SHOWN)) for role in reversed(ROLES)]
    return "\n".join([*lines, *table(("", *SHOWN), rows)]) + "\n"
