"""Runs courses of treatment on one model and returns labelled curves with units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ketamech.dosing.subject import DoseEvent, Quantity, Subject
from ketamech.engine.solve import TOLERANCE
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import Model, load_model

__all__ = ["DoseEvent", "Model", "Quantity", "Subject", "load_model", "output_times", "run"]


def run(
    model: Model, courses: Sequence[Subject], times: np.ndarray, *, tolerance: float = TOLERANCE,
    outputs: Sequence[str] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Solve every course from its own drug-free rest (or steady) state at `times` (h), which may begin before 0.

    `outputs` are names (default: everything). Returns a Dataset with dims (patient, time); a failed patient is NaN
    with its reason in `solve_status`.
    """
    everybody = Ensemble.of_subjects(model, courses)
    return everybody.solve(times, outputs, tolerance=tolerance).dataset([course.label for course in courses])


def output_times(horizon: float, starts: Sequence[float] = (0.0,), *, per_dose: int = 60) -> np.ndarray:
    """Output times (h): after each start closely spaced from one minute on, then ever wider, to the horizon."""
    grid = [np.array([0.0, horizon])]
    ordered = sorted({s for s in starts if s < horizon}) or [0.0]
    per_start = max(12, min(per_dose, 4000 // len(ordered)))
    for begin, end in zip(ordered, [*ordered[1:], horizon], strict=True):
        if end - begin > 1 / 60:
            grid.append(begin + np.geomspace(1 / 60, end - begin, per_start)[:-1])
        grid.append(np.array([begin]))
    grid.append(np.arange(0.0, horizon, 24.0))
    return np.unique(np.round(np.concatenate(grid), 6))
