"""The index page of a folder of runs: timelines, scorecard, goals, model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ketamech.analysis.scorecard import Scorecard, counted
from ketamech.report.number_format import number
from ketamech.report.page_templates import render


def write_index(folder: Path | str, runs: Sequence[tuple[str, str]], card: Scorecard) -> Path:
    """Write `index.html` for runs given as (folder name, title); returns its path."""
    place = Path(folder)
    pictures = [{"name": name, "title": title, "data": _picture(place, name)} for name, title in runs]
    page = render(
        "index.html.j2",
        runs=pictures,
        goals=[_goal(row) for row in card.criteria.to_dict("records")],
        sources=[_source(row) for row in card.by_source.to_dict("records")],
        verdicts=counted(card.rows)["verdict"].value_counts().to_dict(),
        fitted=int(counted(card.rows)["fitted"].sum()),
        picture=_scorecard_picture(place),
        has_claims=(place / "claims" / "claims.html").is_file(),
        has_model=(place / "model.html").is_file(),
    )
    target = place / "index.html"
    target.write_text(page, encoding="utf-8")
    return target


def _picture(folder: Path, run: str) -> str:
    """Path of the timeline figure of a run, relative to the index page."""
    days, timeline = (f"{run}/figures/{name}.svg" for name in ("timeline_days", "timeline"))
    return days if (folder / days).is_file() else timeline if (folder / timeline).is_file() else ""


def _scorecard_picture(folder: Path) -> str:
    found = sorted(folder.glob("scorecard/*.svg"))
    return found[0].relative_to(folder).as_posix() if found else ""


def _goal(row: dict[Any, Any]) -> dict[str, str]:
    low, high = (row[name] for name in ("low", "high"))
    wanted = {
        (False, False): f"{number(low)} to {number(high)}",
        (True, False): f"at most {number(high)}",
        (False, True): f"at least {number(low)}",
        (True, True): "",
    }[(_open(low), _open(high))]
    reached = row["reached"]
    known = isinstance(reached, bool) or (reached is not None and not pd.isna(reached) and reached != "")
    verdict = ("reached" if reached else "missed") if known else ""
    return {
        "goal": row["goal"],
        "simulated": number(row["simulated"]),
        "unit": row["unit"],
        "wanted": wanted,
        "reached": verdict,
    }


def _source(row: dict[Any, Any]) -> dict[str, str]:
    return {
        "citation": row["citation"],
        "n": str(row["n"]),
        "fold": "" if _open(row["fold_error"]) else f"{row['fold_error']:.2f}",
        "z": "" if _open(row["mean_abs_z"]) else f"{row['mean_abs_z']:.1f}",
        "inside": str(row.get("inside", "")),
        "near": str(row.get("near", "")),
        "miss": str(row.get("miss", "")),
    }


def _open(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
