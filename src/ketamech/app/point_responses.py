"""Published points over a scenario's curves, scaled into the units of their lanes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import available_curves, dose_times, drug_parameters
from ketamech.app.scenarios import scenario_of
from ketamech.app.time_grid import output_times
from ketamech.core import SolverError
from ketamech.report.published_points import PublishedPoint, published_points
from ketamech.report.run_description import describe_run
from ketamech.report.tracks import Track, TrackCurve, load_tracks
from ketamech.simulation.model import Model
from ketamech.simulation.run_subjects import run
from ketamech.simulation.scenario_schema import ScenarioFile

if TYPE_CHECKING:
    import xarray as xr


def points_of(engine: AppState, keys: ScenarioFile) -> dict[str, Any]:
    """Every published point whose protocol gave the same; see `told.Points`. Raises BadInput, SolveFailed."""
    model = engine.model
    scenario = scenario_of(keys, model)
    asked = describe_run(scenario, model)
    found = run(model, asked.subjects, output_times(scenario.horizon, dose_times(scenario)), tolerance=1e-4)
    if any(str(reason) != "ok" for reason in found["solve_status"].values):
        raise SolverError(f"the scenario could not be solved: {found['solve_status'].values[0]}")
    places = _places(model)
    points = published_points(found, asked, model, engine.evidence)
    return {"points": [_point(p, *places[_tidy(p.output)], found, model) for p in points if _tidy(p.output) in places]}


def _places(model: Model) -> dict[str, tuple[Track, TrackCurve]]:
    """Which curve of which lane shows an output."""
    return {
        _tidy(s.outputs): (lane, s) for lane in reversed(load_tracks().values()) for s in available_curves(lane, model)
    }


def _tidy(expression: str) -> str:
    return " + ".join(sorted(part.strip() for part in expression.split("+")))


def _point(point: PublishedPoint, lane: Track, series: TrackCurve, found: xr.Dataset, model: Model) -> dict[str, Any]:
    masses = drug_parameters(model)
    scale = lane.factor(series, masses)
    if lane.is_relative:
        scale = 1.0 / float(np.sum([found.variables[name].values[0, 0] for name in series.names]))
    return {
        "evidence": point.evidence,
        "lane": lane.key,
        "curve": series.outputs,
        "shape": point.shape,
        "start": round(point.start, 5),
        "end": round(point.end, 5),
        **{name: _number(getattr(point, name) * scale) for name in ("value", "low", "high")},
        "translated": point.translated,
        "label": point.label,
    }


def _number(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
