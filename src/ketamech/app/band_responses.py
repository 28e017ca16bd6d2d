"""Quantiles of one track over virtual patients, at a low accuracy that is fast enough for a slider."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import (
    available_curves,
    dose_times,
    drug_parameters,
    end_time,
    requested_tracks,
    rounded,
)
from ketamech.app.jobs import deadline
from ketamech.app.request_models import BandRequest
from ketamech.app.scenarios import scenario_of
from ketamech.app.time_grid import output_times
from ketamech.population.cohort import Cohort
from ketamech.report.summary import curve_values

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
ALONG, MOST, TOLERANCE, THREADS = 56, 150, 1e-3, 2


def band_of(app_state: AppState, request: BandRequest) -> dict[str, Any]:
    """The response `responses.Band`. Raises InputError, UnknownNameError, LimitExceeded."""
    began, model = time.perf_counter(), app_state.model
    track = requested_tracks(model, [request.track], ())[0]
    scenario = scenario_of(request.scenario, model)
    starts = dose_times(scenario)
    first = min(starts, default=0.0)
    moments = output_times(end_time(scenario, first, request.until), starts, along=ALONG, most=MOST)
    scenario = replace(scenario, horizon=float(moments[-1]))
    names = tuple(dict.fromkeys(name for series in available_curves(track, model) for name in series.names))
    cohort = Cohort(
        model, scenario, request.patients, names, moments, request.seed,
        tolerance=TOLERANCE, threads=THREADS, chunk=app_state.limits.band_patients,
    )  # fmt: skip
    stop = deadline(app_state.limits.band_seconds, "fewer patients, or fewer doses")
    found = next(iter(cohort.chunks(stop)))
    status = Counter(str(reason).split(" at ")[0] for reason in found["solve_status"].values if reason != "ok")
    masses = drug_parameters(model)
    return {
        "time": np.round(moments - first, 5).tolist(),
        "track": track.key,
        "unit": track.unit,
        "curves": [
            {
                "key": s.outputs,
                "label": s.label or track.label,
                "quantiles": _quantiles(curve_values(s, track, found, masses)),
            }
            for s in available_curves(track, model)
        ],
        "patients": request.patients,
        "failed": sum(status.values()),
        "reasons": dict(status),
        "milliseconds": round(1000 * (time.perf_counter() - began), 2),
    }


def _quantiles(y: np.ndarray) -> dict[str, list[float | None]]:
    whole = y[np.isfinite(y).all(axis=1)]
    if not len(whole):
        return {f"{share:g}": [None] * y.shape[1] for share in SHARES}
    return {f"{share:g}": rounded(row) for share, row in zip(SHARES, np.quantile(whole, SHARES, axis=0), strict=True)}
