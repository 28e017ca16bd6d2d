"""The work of long jobs: the scorecard and an attribution. Each reports its progress and returns JSON values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.analysis.attribution import attribute, shown_hours
from ketamech.analysis.attribution_text import describe_attribution
from ketamech.analysis.scorecard import scorecard
from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import rounded
from ketamech.app.jobs import JobProgress, Work
from ketamech.app.scenarios import scenario_of
from ketamech.app.schemas import AttributionRequest
from ketamech.report.number_format import rounded_number
from ketamech.simulation.output_times import FIRST_HOUR

if TYPE_CHECKING:
    import pandas as pd

THREADS = 2

SCORECARD_COLUMNS = [
    "id", "stage", "citation", "quantity", "protocol", "unit", "simulated", "published", "spread", "expected",
    "comparison", "verdict", "use", "fitted", "role", "distance",
]  # fmt: skip


def scorecard_work(app_state: AppState) -> Work:
    """The scorecard: every published row with its simulated value; computed once and cached."""

    def compare(progress: JobProgress) -> dict[str, Any]:
        messages: list[str] = []

        def report_line(message: str) -> None:
            messages.append(message)
            progress(min(0.95, len(messages) / 40), message)

        result = scorecard(model=app_state.model, progress=lambda step, *_: report_line(step))
        rows = result.rows.sort_values("distance", ascending=False, na_position="first")[SCORECARD_COLUMNS]
        rows = rows.rename(columns={"distance": "deviation"})
        return {"rows": json_rows(rows), "criteria": json_rows(result.criteria), "uncovered": len(result.uncovered)}

    return lambda progress: app_state.cache.get("scorecard", lambda: compare(progress))


def attribution_work(app_state: AppState, request: AttributionRequest) -> Work:
    """Shapley values, loss when off, single effect, MADRS change over time by component, and sentences.

    Raises InputError for an invalid scenario.
    """
    model = replace(app_state.model, max_steps=app_state.limits.attribution_steps)
    scenario = scenario_of(request.scenario, model)

    def work(progress: JobProgress) -> dict[str, Any]:
        def report_draws(count: int, total: int) -> None:
            progress(0.95 * count / total, f"{count} of {total} draws")

        hours = np.union1d(FIRST_HOUR, shown_hours(scenario))
        result = attribute(model, scenario, draws=request.draws, threads=THREADS, progress=report_draws, hours=hours)
        progress(0.96, "writing sentences")
        layers = (draws[1:].mean(axis=0) if len(draws) > 1 else draws[0] for draws in result.madrs_decomposition)
        return {
            "table": json_rows(result.table),
            "totals": json_rows(result.totals),
            "components": list(result.components),
            "times": np.round(result.times, 4).tolist(),
            "contributions": [rounded(layer) for layer in layers],
            "sentences": list(describe_attribution(result, model.parameters)),
            "failed": int(result.failed),
            "skipped": list(result.skipped),
        }

    return work


def json_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as a list of rows; non-finite numbers become null."""
    return [{str(k): json_cell(v) for k, v in row.items()} for row in table.to_dict("records")]


def json_cell(value: Any) -> Any:
    """One cell as a JSON value."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return rounded_number(value)
    return value if isinstance(value, bool | int | str) or value is None else str(value)
