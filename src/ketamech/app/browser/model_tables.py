"""Tables of the compiled model for the browser: workspace, parameters, outputs, tracks, species, virtual patients."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from ketamech.analysis.attribution import default_endpoints
from ketamech.app.curve_responses import (
    MAX_POPULATION_TIMES,
    PERCENTILES,
    POPULATION_TIMES,
    POPULATION_TOLERANCE,
    available_curves,
    single_output_track,
)
from ketamech.app.scenarios import MAX_OCCASIONS
from ketamech.core import unit
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.units import YEAR
from ketamech.engine.lane_layout import N_WHOLE, OK, REPORT, SIZES
from ketamech.engine.solve import (
    FIRST_STEP,
    MAX_GROWTH,
    MAX_STEPS,
    MIN_GROWTH,
    RETRY_TOLERANCES,
    SOLVER_STATUS,
    STEADY_STATE_TOLERANCE,
)
from ketamech.parameters import HUMAN, SPECIES, Parameter, load_species
from ketamech.parameters.species_tables import SPECIES_ALIASES
from ketamech.population.cohort import drawn_values
from ketamech.report.summary import drug_values
from ketamech.report.tracks import Track, load_tracks
from ketamech.simulation import output_times
from ketamech.simulation import periodic_steady_state as steady
from ketamech.simulation.model import Model
from ketamech.simulation.model_variants import load_model_variants
from ketamech.simulation.output_ranges import YOUNGEST_RATED, exists_in
from ketamech.simulation.parameter_overrides import bounds, named_values

PEOPLE, SEED = 200, 1


def kernel_tables(model: Model) -> dict[str, Any]:
    """What `kernel.js` needs beside the module: sizes, rows of outputs, settings, initial guess."""
    layout, code = model.layout, model.kernel.webassembly()
    outputs = dict(zip(layout.output_names, code.output_rows(layout.output_names).tolist(), strict=True))
    return {
        "lanes": code.lanes,
        "rows": code.rows.total,
        "lane_integers": N_WHOLE,
        "sizes": code.sizes().tolist(),
        "size_of": {name: SIZES.index(name) for name in ("times", "wanted")},
        "settings": [0.0, FIRST_STEP, MAX_STEPS, MAX_GROWTH, MIN_GROWTH, code.gamma, RETRY_TOLERANCES],
        "report": list(REPORT),
        "not_reached": len(SOLVER_STATUS) - 1,
        "status": list(SOLVER_STATUS),
        "ok": OK,
        "steady_state_tolerance": STEADY_STATE_TOLERANCE,
        "periodic": {
            "relative_tolerance": steady.RELATIVE_TOLERANCE, "remaining_change": steady.MAX_REMAINING_CHANGE,
            "cycles": steady.MAX_CYCLES, "tolerance_divisor": steady.TOLERANCE_DIVISOR, "same_time": steady.SAME_TIME,
        },
        "guess": [state.initial_guess for state in layout.states],
        "scales": [state.scale for state in layout.states],
        "sinks": [state.is_sink for state in layout.states],
        "baseline_rows": code.baseline_rows(None).tolist(),
        "left_out": [False] * len(layout.states),
        "left_out_row": code.rows.starts["LEFT_OUT"],
        "scopes": [
            {
                "outputs": sorted(scope.output_names),
                "baseline_rows": code.baseline_rows(scope).tolist(),
                "left_out": (~scope.states).tolist(),
            }
            for scope in model.scopes
        ],
        "inputs": list(layout.parameter_names),
        "outputs": outputs,
        "compartments": dict(model.compartment_index),
    }  # fmt: skip


def scenario_tables(model: Model) -> dict[str, Any]:
    """What `scenario.js` and `curves.js` need: parameters with bounds, species, tracks, output times, tolerances."""
    values = drug_values(model.parameters)
    return {
        "parameters": {name: _parameter(row) for name, row in model.parameters.items()},
        "species": {name: _species(name, model) for name in SPECIES},
        "species_aliases": SPECIES_ALIASES,
        "variants": {name: one.parameter_values for name, one in load_model_variants(model.parameters).items()},
        "tracks": [_track(track, model, values) for track in load_tracks().values() if available_curves(track, model)],
        "human_only": [name for name in model.layout.output_names if not exists_in("rat", name)],
        "youngest_rated": {"hours": YOUNGEST_RATED, "years": YOUNGEST_RATED / YEAR},
        "curves": {"tolerance": SCORE_TOLERANCE, "most_doses": MAX_OCCASIONS},
        "population": {
            "tolerance": POPULATION_TOLERANCE, "percentiles": PERCENTILES, "times": POPULATION_TIMES,
            "most_times": MAX_POPULATION_TIMES, "patients": PEOPLE, "seed": SEED,
        },
        "times": {
            "after_a_dose": output_times.CURVE_HOURS.tolist(), "long_horizon": output_times.LONG_HORIZON_TIMES,
            "daily": output_times.DAILY_HOURS, "most_daily": output_times.MAX_DAILY_TIMES,
            "peaks": output_times.PEAK_HOURS, "first_hour": output_times.FIRST_HOUR.tolist(),
        },
    }  # fmt: skip


def output_tables(model: Model) -> dict[str, Any]:
    """Every output as a track {output name: track, with the unit of the model}."""
    values = drug_values(model.parameters)
    return {
        name: {**_track(single_output_track(name, model), model, values), "model_unit": unit_text}
        for name, unit_text in model.layout.units.items()
    }


def endpoint_table(model: Model) -> list[dict[str, Any]]:
    """Endpoints of an attribution, each with its output and the unit of the model."""
    units = model.layout.units
    return [{**asdict(endpoint), "unit": units[endpoint.output]} for endpoint in default_endpoints(model)]


def people_tables(model: Model) -> tuple[dict[str, Any], bytes]:
    """Parameter draws of virtual patients: names with their spread, and values [name, patient] as 32-bit floats."""
    varied = drawn_values(model, model.parameters, SEED, range(PEOPLE))
    matrix = np.array(list(varied.values()), dtype="<f4")
    kinds = {name: model.parameters[name].spread.kind for name in varied}
    return {"patients": PEOPLE, "seed": SEED, "spreads": kinds}, matrix.tobytes()


def _parameter(row: Parameter) -> dict[str, Any]:
    low, high = bounds(row)
    row_values: dict[str, Any] = {"value": row.canonical, "unit": row.unit, "factor": unit(row.unit).factor}
    if names := named_values().get(row.name):
        row_values["names"] = names
    return row_values | {key: edge for key, edge in (("low", low), ("high", high)) if math.isfinite(edge)}


def _species(name: str, model: Model) -> dict[str, Any]:
    species = load_species(name)
    low, high = bounds(model.parameters["person.weight"], name)
    return {"values": species.canonical, "routes": species.routes, "human": name == HUMAN, "weight": [low, high]}


def _track(track: Track, model: Model, values: dict[str, float]) -> dict[str, Any]:
    """A track as in the response `TrackCurves`, with what converts outputs into its curves."""
    curves = [
        {"key": c.outputs, "label": c.label or track.label, "outputs": c.names, "factor": track.factor(c, values)}
        for c in available_curves(track, model)
    ]
    fields = {name: value for name, value in asdict(track).items() if name in ("key", "group", "label", "unit")}
    return {**fields, "curves": curves, "relative": track.is_relative, "baseline": track.fixed_baseline}
