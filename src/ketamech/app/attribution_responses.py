"""The response of an attribution job: tables, the MADRS change by component and sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import rounded
from ketamech.app.features import feature_module
from ketamech.app.job_tasks import records
from ketamech.app.jobs import Progress
from ketamech.simulation.scenario import Scenario


def attribution_of(app_state: AppState, scenario: Scenario, draws: int, progress: Progress) -> dict[str, Any]:
    """Shapley values, effect lost when off, effect alone, MADRS change over time by component, and sentences."""
    module = feature_module("attribution")

    def report_draws(done: int, total: int) -> None:
        progress(0.95 * done / total, f"{done} of {total} draws")

    found = module.attribute(app_state.model, scenario, draws=draws, threads=2, tell=report_draws)
    progress(0.96, "writing sentences")
    return {
        "table": records(found.table),
        "totals": records(found.totals),
        "parts": list(found.components),
        "times": np.round(found.times, 4).tolist(),
        "course": [
            rounded(layer[1:].mean(axis=0) if len(layer) > 1 else layer[0]) for layer in found.madrs_decomposition
        ],
        "sentences": _sentences(found, app_state),
        "failed": int(found.failed),
        "skipped": list(found.skipped),
    }


def _sentences(found: Any, app_state: AppState) -> list[str]:
    from ketamech.analysis import attribution_text

    return list(attribution_text.describe_attribution(found, app_state.model.parameters))
