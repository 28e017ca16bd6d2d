"""Attribution as the page draws it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import rounded
from ketamech.app.features import feature_module
from ketamech.app.job_tasks import records
from ketamech.app.jobs import Progress
from ketamech.simulation.scenario import Scenario


def attribution_of(engine: AppState, scenario: Scenario, draws: int, tell: Progress) -> dict[str, Any]:
    """Shapley values, what is lost, what each gives alone; MADRS over time in parts; and what it says in words."""
    room = feature_module("attribution")

    def so_far(done: int, total: int) -> None:
        tell(0.95 * done / total, f"{done} of {total} draws")

    found = room.attribute(engine.model, scenario, draws=draws, threads=2, tell=so_far)
    tell(0.96, "putting it into words")
    return {
        "table": records(found.table),
        "totals": records(found.totals),
        "parts": list(found.parts),
        "times": np.round(found.times, 4).tolist(),
        "course": [rounded(layer[1:].mean(axis=0) if len(layer) > 1 else layer[0]) for layer in found.course],
        "said": _said(found, engine),
        "failed": int(found.failed),
        "skipped": list(found.skipped),
    }


def _said(found: Any, engine: AppState) -> list[str]:
    from ketamech.analysis import attribution_text

    return list(attribution_text.sentences(found, engine.model.parameters))
