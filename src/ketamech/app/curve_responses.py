"""Curves of a scenario: the typical patient, percentiles of virtual patients, and published values beside them.

Tracks and units are those of the reports; only the outputs drawn are computed. Times are hours since the first
treatment.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.app.app_state import AppState, LimitExceeded, deadline
from ketamech.app.scenarios import scenario_of
from ketamech.app.schemas import CurvesRequest, OutputsRequest, PopulationRequest
from ketamech.core import require_known
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.statistics import percentiles
from ketamech.dosing.dose_events import control_events
from ketamech.parameters import concentration_units
from ketamech.population.cohort import Cohort
from ketamech.population.virtual_population import patients_at_quantiles_of_change
from ketamech.report.number_format import rounded_number, unit_in_words
from ketamech.report.published_points import PublishedPoint, is_partly_model, published_points
from ketamech.report.run_description import describe_run
from ketamech.report.summary import curve_values, drug_values
from ketamech.report.tracks import Track, TrackCurve, load_tracks
from ketamech.simulation.ensemble import OK, Subject, require_solved, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import exists_in, require_outputs
from ketamech.simulation.output_times import curve_times
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_schema import ScenarioFile
from ketamech.simulation.simulate import subjects

if TYPE_CHECKING:
    import xarray as xr

DIGITS = 5
MAX_DECIMALS = 300  # NumPy cannot round to more
PERCENTILES = (5, 25, 50, 75, 95)
POPULATION_TOLERANCE, POPULATION_THREADS = 1e-3, 2  # fast enough for a slider
POPULATION_TIMES, MAX_POPULATION_TIMES = 56, 150
INFUSION_ENDS = 12  # of each treatment; `static/engine/output-times.js` has the same number


def curves_of(app_state: AppState, request: CurvesRequest) -> dict[str, Any]:
    """The response `schemas.CurvesResponse`. Raises UnknownNameError, InputError, SolverError."""
    start_time, model = time.perf_counter(), app_state.model
    scenario = scenario_of(request.scenario, model)
    tracks = [
        track
        for track in requested_tracks(model, request.tracks, request.outputs)
        if all(exists_in(scenario.group, name) for series in track.curves for name in series.names)
    ]
    starts = treatment_times(scenario)
    first_start = min(starts, default=0.0)
    times = curve_times(end_time(scenario, first_start, request.until), starts, infusion_ends(scenario))
    curves = _solve(model, subjects(scenario, model), times, _output_names(tracks, model))
    values = drug_values(model.parameters)
    return {
        "time": np.round(curves["time"].values - first_start, 5).tolist(),
        "tracks": [_track_curves(track, curves, model, values) for track in tracks],
        "treatment_times": np.round(np.array(starts) - first_start, 5).tolist(),
        "horizon": scenario.horizon - first_start,
        "treatments": list(scenario.regimen.sentences(exact=False)),
        "milliseconds": _milliseconds_since(start_time),
    }


def outputs_of(app_state: AppState, request: OutputsRequest) -> dict[str, Any]:
    """The response `schemas.OutputsResponse`. Raises UnknownNameError, InputError, SolverError, LimitExceeded."""
    model = app_state.model
    scenario = scenario_of(request.scenario, model)
    times, names = np.array(request.times), tuple(dict.fromkeys(request.outputs))
    if times.size * len(names) > app_state.limits.output_numbers:
        what = f"{len(names)} outputs at {times.size:,} times"
        raise LimitExceeded(what, f"at most {app_state.limits.output_numbers:,} numbers: fewer outputs or times")
    require_outputs(scenario.group, names)
    curves = _solve(model, subjects(scenario, model), times, names)
    treated, *control = (
        {name: rounded(curves[name].values[i]) for name in names} for i in range(curves.sizes["patient"])
    )
    return {"times": request.times, "values": treated, "control": control[0] if control else None}


def population_of(app_state: AppState, request: PopulationRequest) -> dict[str, Any]:
    """The response `schemas.PopulationResponse`. Raises InputError, UnknownNameError, LimitExceeded."""
    start_time, model, limits = time.perf_counter(), app_state.model, app_state.limits
    is_output = request.track in model.layout.units and request.track not in load_tracks()
    track = requested_tracks(model, [] if is_output else [request.track], [request.track] if is_output else [])[0]
    scenario = scenario_of(request.scenario, model)
    starts = treatment_times(scenario)
    first_start = min(starts, default=0.0)
    end = end_time(scenario, first_start, request.until)
    times = curve_times(end, starts, infusion_ends(scenario), count=POPULATION_TIMES, most=MAX_POPULATION_TIMES)

    def solved(one: Scenario, hours: np.ndarray) -> xr.Dataset:
        cohort = Cohort(
            model, replace(one, horizon=float(hours[-1])), request.patients, _output_names([track], model), hours,
            request.seed, tolerance=POPULATION_TOLERANCE, threads=POPULATION_THREADS, chunk=limits.population_patients,
            change=control_events if request.control else None,
        )  # fmt: skip
        return next(iter(cohort.chunks(deadline(limits.population_seconds, "fewer patients, or fewer doses"))))

    parts = [solved(scenario, times)]
    if request.reference is not None:
        reference = scenario_of(request.reference, model)
        parts.append(solved(reference, times - first_start + min(treatment_times(reference), default=0.0)))
    reasons = [str(reason) for part in parts for reason in part["solve_status"].values if reason != OK]
    failures = Counter(reason.split(" at ")[0] for reason in reasons)
    values = drug_values(model.parameters)

    def patients_of(curve: TrackCurve) -> np.ndarray:
        """The curve of each patient, or the difference of its curve from that on the reference."""
        first, *others = (curve_values(curve, track, part, values) for part in parts)
        return first - others[0] if others else first

    return {
        "time": np.round(times - first_start, 5).tolist(),
        "track": track.key,
        "unit": track.unit,
        "curves": [
            {
                "key": curve.outputs,
                "label": curve.label or track.label,
                "percentiles": _percentiles(y := patients_of(curve)),
                "individuals": _individuals(y, times - first_start, request.ranked_at, request.individuals),
            }
            for curve in available_curves(track, model)
        ],
        "patients": request.patients,
        "failed": sum(failures.values()),
        "failure_reasons": dict(failures),
        "milliseconds": _milliseconds_since(start_time),
    }


def published_values_of(app_state: AppState, keys: ScenarioFile) -> dict[str, Any]:
    """Every published value with the same treatment: `schemas.PublishedValues`. Raises InputError, SolverError."""
    model = app_state.model
    scenario = scenario_of(keys, model)
    run = describe_run(scenario, model)
    times = curve_times(scenario.horizon, treatment_times(scenario), infusion_ends(scenario))
    dataset = _solve(model, run.subjects, times)
    curves = curves_by_sum(model)
    points = published_points(dataset, run, model, app_state.evidence)
    drawable = [(point, curves[key]) for point in points if (key := sorted_sum(point.output)) in curves]
    values = drug_values(model.parameters)
    return {"published_values": [_published_value(point, *place, dataset, values) for point, place in drawable]}


def requested_tracks(model: Model, keys: Sequence[str], outputs: Sequence[str]) -> list[Track]:
    """Tracks by key, then single outputs as tracks; every track by default. Raises UnknownNameError."""
    tracks = load_tracks()
    for kind, names, available in (("track", keys, tracks), ("output", outputs, model.layout.units)):
        for name in names:
            require_known(name, available, f"there is no {kind} '{name}'", key=f"{kind}s")
    selected = [tracks[key] for key in dict.fromkeys(keys)] if keys or outputs else list(tracks.values())
    single = [single_output_track(name, model) for name in dict.fromkeys(outputs)]
    return [track for track in (*selected, *single) if available_curves(track, model)]


def single_output_track(name: str, model: Model) -> Track:
    """One output as a track, in its display unit."""
    layout = model.layout
    _, unit = concentration_units.shown(name, layout.units[name])
    scale = concentration_units.DISPLAY_UNIT if unit == concentration_units.DISPLAY_UNIT else 1.0
    label = layout.descriptions[name] or name
    return Track(name, layout.stage_of[name], label, unit_in_words(unit), (TrackCurve(name),), "unit", scale)


def available_curves(track: Track, model: Model) -> list[TrackCurve]:
    """The curves of a track whose outputs exist in this model."""
    return [curve for curve in track.curves if all(name in model.layout.units for name in curve.names)]


def _output_names(tracks: Sequence[Track], model: Model) -> tuple[str, ...]:
    curves = (curve for track in tracks for curve in available_curves(track, model))
    return tuple(dict.fromkeys(name for curve in curves for name in curve.names))


def _solve(
    model: Model, subjects: Sequence[Subject], times: np.ndarray, outputs: tuple[str, ...] | None = None
) -> xr.Dataset:
    """Treated and control at these times; all outputs by default. Raises SolverError."""
    curves = run_subjects(model, subjects, times, tolerance=SCORE_TOLERANCE, outputs=outputs)
    require_solved(curves)
    return curves


# Times


def end_time(scenario: Scenario, first_start: float, until: float | None) -> float:
    """Last output time (h): the horizon, or at most `until` hours after the first treatment."""
    return scenario.horizon if until is None else min(scenario.horizon, first_start + until)


def treatment_times(scenario: Scenario) -> list[float]:
    """Start times of treatments (h); starts within half an hour count as one."""
    times: list[float] = []
    treatments = scenario.regimen.treatments
    for start in sorted({start + t.lag for t in treatments for start in t.taken(scenario.horizon).values()}):
        if not times or start - times[-1] > 0.5:
            times.append(float(start))
    return times


def infusion_ends(scenario: Scenario) -> list[float]:
    """Ends (h) of the first infusions of each treatment."""
    infusions = [t for t in scenario.regimen.treatments if t.duration]
    first = [(t, list(t.taken(scenario.horizon).values())[:INFUSION_ENDS]) for t in infusions]
    return [float(start + t.lag + t.duration) for t, starts in first for start in starts]


# JSON values


def _track_curves(track: Track, dataset: xr.Dataset, model: Model, values: Mapping[str, float]) -> dict[str, Any]:
    curves = []
    for curve in available_curves(track, model):
        y = curve_values(curve, track, dataset, values)
        control = rounded(y[1]) if len(y) > 1 else None
        label = curve.label or track.label
        curves.append({"key": curve.outputs, "label": label, "treated": rounded(y[0]), "control": control})
    return {"key": track.key, "group": track.group, "label": track.label, "unit": track.unit, "curves": curves}


def _percentiles(y: np.ndarray) -> dict[str, list[float | None]]:
    """Percentiles [time] of the patients [patient, time] whose curves are complete, by per cent."""
    complete = y[np.isfinite(y).all(axis=1)]
    return {
        str(p): rounded(row) for p, row in zip(PERCENTILES, percentiles(complete, PERCENTILES, axis=0), strict=True)
    }


def _individuals(y: np.ndarray, times: np.ndarray, hour: float, count: int) -> list[list[float | None]]:
    """Of the patients [patient, time] whose curves are complete, `count` at even quantiles of their relative fall."""
    chosen = patients_at_quantiles_of_change(y, int(np.abs(times - hour).argmin()), count)
    return [rounded(y[patient]) for patient in chosen]


def _published_value(
    point: PublishedPoint, track: Track, curve: TrackCurve, dataset: xr.Dataset, values: Mapping[str, float]
) -> dict[str, Any]:
    scale = track.factor(curve, values)
    if track.is_relative:
        scale = 1.0 / float(np.sum([dataset.variables[name].values[0, 0] for name in curve.names]))
    return {
        "evidence": point.evidence,
        "track": track.key,
        "curve": curve.outputs,
        "shape": point.shape,
        "start": round(point.start, 5),
        "end": round(point.end, 5),
        **{name: rounded_number(getattr(point, name) * scale) for name in ("value", "low", "high")},
        "translated": point.translated,
        "partly_model": is_partly_model(point.model_part, track.is_relative),
        "fitted": point.fitted,
        "label": point.label,
        "how": point.measure_text,
    }


def curves_by_sum(model: Model) -> dict[str, tuple[Track, TrackCurve]]:
    """The first track and curve that shows a sum of outputs, by that sum."""
    return {
        sorted_sum(curve.outputs): (track, curve)
        for track in reversed(load_tracks().values())
        for curve in available_curves(track, model)
    }


def sorted_sum(expression: str) -> str:
    """A sum of outputs with its terms in alphabetical order."""
    return " + ".join(sorted(term.strip() for term in expression.split("+")))


def rounded(y: np.ndarray) -> list[float | None]:
    """Values rounded to `DIGITS` digits of the largest value; non-finite values become null."""
    finite = np.isfinite(y)
    largest = float(np.max(np.abs(y[finite]), initial=0.0))
    decimals = DIGITS - 1 - (math.floor(math.log10(largest)) if largest > 0 else 0)
    values = np.round(y, min(decimals, MAX_DECIMALS)).tolist()
    return values if finite.all() else [v if ok else None for v, ok in zip(values, finite.tolist(), strict=True)]


def _milliseconds_since(start_time: float) -> float:
    return round(1000 * (time.perf_counter() - start_time), 2)
