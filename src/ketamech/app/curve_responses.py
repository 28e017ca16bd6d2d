"""Curves of the typical patient in the tracks and units of the reports; only the outputs drawn are computed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.app.app_state import AppState
from ketamech.app.request_models import CurvesRequest
from ketamech.app.scenarios import scenario_of
from ketamech.app.time_grid import output_times
from ketamech.core import SolverError, UnknownNameError, closest_match
from ketamech.parameters import concentration_units
from ketamech.report.number_format import unit_in_words
from ketamech.report.summary import curve_values
from ketamech.report.tracks import Track, TrackCurve, load_tracks
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import exists_in
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

if TYPE_CHECKING:
    import xarray as xr

TOLERANCE = 1e-4  # a hundredth of a MADRS point: less than the width of a line
DIGITS = 5


def curves_of(app_state: AppState, request: CurvesRequest) -> dict[str, Any]:
    """The response `responses.CurvesResponse`. Raises UnknownNameError, InputError, SolverError."""
    began, model = time.perf_counter(), app_state.model
    scenario = scenario_of(request.scenario, model)
    tracks = [
        track
        for track in requested_tracks(model, request.tracks, request.outputs)
        if all(exists_in(scenario.species, name) for series in track.curves for name in series.names)
    ]
    both = subjects(scenario, model)
    starts = dose_times(scenario)
    first = min(starts, default=0.0)
    found = solve_tracks(model, both, tracks, output_times(end_time(scenario, first, request.until), starts))
    return {
        "time": np.round(found["time"].values - first, 5).tolist(),
        "figures": figures(found, tracks, model),
        "doses": np.round(np.array(starts) - first, 5).tolist(),
        "horizon": scenario.horizon - first,
        "given": list(scenario.regimen.sentences(exact=False)),
        "milliseconds": round(1000 * (time.perf_counter() - began), 2),
    }


def requested_tracks(model: Model, keys: Sequence[str], outputs: Sequence[str]) -> list[Track]:
    """Tracks by key, then single outputs as tracks; every track by default. Raises UnknownNameError."""
    layout, tracks = model.layout, load_tracks()
    for key in keys:
        if key not in tracks:
            raise UnknownNameError(f"there is no track '{key}'", key="tracks", nearest=closest_match(key, tracks))
    for name in outputs:
        if name not in layout.units:
            raise UnknownNameError(
                f"there is no output '{name}'", key="outputs", nearest=closest_match(name, layout.units)
            )
    chosen = [tracks[key] for key in dict.fromkeys(keys)] if keys or outputs else list(tracks.values())
    single = [_single_output_track(name, model) for name in dict.fromkeys(outputs)]
    return [track for track in (*chosen, *single) if available_curves(track, model)]


def _single_output_track(name: str, model: Model) -> Track:
    """One output as a track, in its display unit."""
    layout = model.layout
    _, unit = concentration_units.shown(name, layout.units[name])
    scale = concentration_units.SHOWN if unit == concentration_units.SHOWN else 1.0
    about = layout.descriptions[name] or name
    return Track(name, layout.stage_of[name], about, unit_in_words(unit), (TrackCurve(name),), "unit", scale)


def available_curves(track: Track, model: Model) -> list[TrackCurve]:
    """The curves of a track whose outputs exist in this model."""
    return [s for s in track.curves if all(name in model.layout.units for name in s.names)]


def solve_tracks(model: Model, subjects: Sequence[Subject], tracks: Sequence[Track], times: np.ndarray) -> xr.Dataset:
    """Solve treated and control for the outputs of these tracks. Raises SolverError."""
    names = tuple(dict.fromkeys(n for track in tracks for s in available_curves(track, model) for n in s.names))
    found = run_subjects(model, subjects, times, tolerance=TOLERANCE, outputs=names)
    bad = [str(reason) for reason in found["solve_status"].values if reason != "ok"]
    if bad:
        raise SolverError(f"the scenario could not be solved: {bad[0]}")
    return found


def end_time(scenario: Scenario, first: float, until: float | None) -> float:
    """Last output time (h): the horizon, or at most `until` hours after the first treatment."""
    return scenario.horizon if until is None else min(scenario.horizon, first + until)


def dose_times(scenario: Scenario) -> list[float]:
    """Start times of treatments (h); starts within half an hour count as one."""
    found: list[float] = []
    treatments = scenario.regimen.treatments
    for at in sorted({at + t.lag for t in treatments for at in t.starts(scenario.horizon)}):
        if not found or at - found[-1] > 0.5:
            found.append(float(at))
    return found


def figures(found: xr.Dataset, tracks: Sequence[Track], model: Model) -> list[dict[str, Any]]:
    """The tracks as JSON values."""
    masses = drug_parameters(model)
    return [
        {
            "key": track.key,
            "group": track.group,
            "label": track.label,
            "unit": track.unit,
            "curves": [_curve(series, track, found, masses) for series in available_curves(track, model)],
        }
        for track in tracks
    ]


def drug_parameters(model: Model) -> dict[str, float]:
    """Drug parameters in the units of their tables; tracks use them as scale factors."""
    return {name: model.parameters[name].value for name in model.parameters if name.startswith("drug.")}


def _curve(series: TrackCurve, track: Track, found: xr.Dataset, masses: dict[str, float]) -> dict[str, Any]:
    y = curve_values(series, track, found, masses)
    return {
        "key": series.outputs,
        "label": series.label or track.label,
        "unit": track.unit,
        "treated": rounded(y[0]),
        "control": rounded(y[1]) if len(y) > 1 else None,
    }


def rounded(y: np.ndarray, digits: int = DIGITS) -> list[float | None]:
    """Values rounded to `digits` digits of the largest value; non-finite values become null."""
    finite = np.isfinite(y)
    largest = float(np.max(np.abs(y[finite]), initial=0.0))
    places = digits - 1 - (math.floor(math.log10(largest)) if largest > 0 else 0)
    listed = np.round(y, places).tolist()
    return listed if finite.all() else [v if ok else None for v, ok in zip(listed, finite.tolist(), strict=True)]
