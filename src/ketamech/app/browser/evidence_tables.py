"""Published values that the figures may show, with the treatments of their studies, for the browser."""

from __future__ import annotations

import math
from typing import Any

from ketamech.analysis.reference_protocols import Protocol, load_protocols
from ketamech.analysis.scorecard_targets import Target, load_targets
from ketamech.app.app_state import AppState
from ketamech.app.curves import curves_by_sum, sorted_sum
from ketamech.core import unit
from ketamech.report.published_points import (
    MAX_AGE_DIFFERENCE,
    SAME_PERSON,
    SHAPE_OF_STATISTIC,
    drug_events_in_order,
    how_drawn,
    is_drawable,
    is_translated,
    part_of_model,
    published_numbers,
    short_citation,
)
from ketamech.report.tracks import Track, TrackCurve
from ketamech.simulation.model import Model

CONTRASTS = ("", "difference")  # differences from a control that a curve can show
RELATIVE_TO = ("value", "of_rest", "change", "fall", "rise")


def published_tables(app_state: AppState) -> dict[str, Any]:
    """Values with the track and curve that shows each, and the dose events and parameters of their protocols."""
    model = app_state.model
    curves, protocols = curves_by_sum(model), load_protocols()
    shown = [
        (target, curves[key])
        for target in load_targets(app_state.evidence, protocols)
        if is_drawable(target) and _has_times(target) and (key := sorted_sum(target.measure.output)) in curves
    ]
    used = dict.fromkeys(target.protocol for target, _ in shown)
    return {
        "protocols": {name: _protocol(protocols[name], model) for name in used},
        "values": [_value(target, *curve, app_state) for target, curve in shown],
        "same_person": SAME_PERSON,
        "age_difference": MAX_AGE_DIFFERENCE * unit("year").factor,
    }


def _has_times(target: Target) -> bool:
    measure = target.measure
    plain = not set("<>;") & set(measure.time)
    return plain and measure.control_contrast in CONTRASTS and measure.relative_to in RELATIVE_TO


def _protocol(protocol: Protocol, model: Model) -> dict[str, Any]:
    events = drug_events_in_order(e for e in protocol.events(model.parameters) if e.time <= protocol.horizon)
    rows = [(float(e.time), e.compartment, float(e.amount), float(e.duration)) for e in events]
    return {"events": rows, "values": protocol.values(model.parameters)}


def _value(target: Target, track: Track, curve: TrackCurve, app_state: AppState) -> dict[str, Any]:
    measure, row = target.measure, app_state.evidence[target.evidence]
    names = ("value", "low", "high")
    numbers = dict(zip(names, published_numbers(target, row), strict=True))
    return {
        "evidence": row.id,
        "protocol": target.protocol,
        "track": track.key,
        "curve": curve.outputs,
        "output": measure.output,
        "shape": SHAPE_OF_STATISTIC[measure.statistic],
        "statistic": measure.statistic,
        "times": [float(part) for part in measure.time.split("-")] if measure.time else [],
        "relative_to": measure.relative_to,
        "contrast": measure.control_contrast,
        "factor": measure.factor,
        **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
        "translated": is_translated(target, row),
        "model_part": part_of_model(target, 1.0),
        "fitted": row.id in app_state.fitted,
        "label": short_citation(app_state.evidence.references[row.reference].citation),
        "how": how_drawn(target, row),
    }
