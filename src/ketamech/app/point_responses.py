"""Published points of a scenario, scaled to the units of their tracks."""

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
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.scenario_schema import ScenarioFile

if TYPE_CHECKING:
    import xarray as xr


def points_of(app_state: AppState, keys: ScenarioFile) -> dict[str, Any]:
    """Every published point with the same treatment; see `responses.Points`. Raises InputError, SolverError."""
    model = app_state.model
    scenario = scenario_of(keys, model)
    run_description = describe_run(scenario, model)
    found = run_subjects(
        model, run_description.subjects, output_times(scenario.horizon, dose_times(scenario)), tolerance=1e-4
    )
    if any(str(reason) != "ok" for reason in found["solve_status"].values):
        raise SolverError(f"the scenario could not be solved: {found['solve_status'].values[0]}")
    places = _places(model)
    points = published_points(found, run_description, model, app_state.evidence)
    return {"points": [_point(p, *places[_tidy(p.output)], found, model) for p in points if _tidy(p.output) in places]}


def _places(model: Model) -> dict[str, tuple[Track, TrackCurve]]:
    """The track and curve that show each output."""
    return {
        _tidy(s.outputs): (track, s)
        for track in reversed(load_tracks().values())
        for s in available_curves(track, model)
    }


def _tidy(expression: str) -> str:
    return " + ".join(sorted(part.strip() for part in expression.split("+")))


def _point(point: PublishedPoint, track: Track, series: TrackCurve, found: xr.Dataset, model: Model) -> dict[str, Any]:
    masses = drug_parameters(model)
    scale = track.factor(series, masses)
    if track.is_relative:
        scale = 1.0 / float(np.sum([found.variables[name].values[0, 0] for name in series.names]))
    return {
        "evidence": point.evidence,
        "track": track.key,
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
