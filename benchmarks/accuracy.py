"""Error of the default tolerance over many people who differ in every parameter that has a spread."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import benchmark_case
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.engine.solve import TOLERANCE
from ketamech.population.cohort import drawn_values
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import load_model

REFERENCE, CHUNK, ALLOWED = 1e-11, 500, 1e-4


def accuracy(people: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Largest error of all outputs by person, relative to the largest value of the output, and the seconds it took."""
    model, began = load_model(), perf_counter()
    events = dose_events(Regimen.parse(benchmark_case.REGIMEN), model.parameters, {}, benchmark_case.HORIZON)
    size, errors, failed = np.zeros(len(model.layout.output_names)), [], 0
    for first in range(0, people, CHUNK):
        tell(f"Error of the default tolerance: {first:,} of {people:,} people")
        ids = range(first, min(people, first + CHUNK))
        drawn = Ensemble.of(model, drawn_values(model, model.parameters, 1, ids), events, len(ids))
        usual, exact = (
            drawn.solve(np.array(benchmark_case.TIMES), tolerance=one, threads=2) for one in (TOLERANCE, REFERENCE)
        )
        solved = (usual.reasons == "ok") & (exact.reasons == "ok")
        failed += int(np.sum(~solved))
        errors.append(np.abs(usual.values - exact.values)[solved].max(axis=1))
        size = np.maximum(size, np.abs(exact.values[solved]).max(axis=(0, 1)))
    each = (np.concatenate(errors) / np.where(size > 0, size, 1)).max(axis=1)
    found = {"people": people, "tolerance": TOLERANCE, "reference": REFERENCE, "failed": failed}
    found |= {"largest": float(each.max()), "above": int(np.sum(each > ALLOWED)), "allowed": ALLOWED}
    return found | {"percentile_99": float(np.percentile(each, 99)), "seconds": perf_counter() - began}
