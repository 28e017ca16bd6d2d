"""Time and peak memory for a hundred to a million patients, on one and two threads, each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import benchmark_case
from ketamech.core import SolverError
from ketamech.core.concurrency import in_pairs
from ketamech.core.environment import peak_memory
from ketamech.simulation.model import Model, load_model

CHUNK = 1024  # patients in memory at once
START_LIMIT, SECONDS_PER_PATIENT = 600.0, 1.0  # time limits (s): start, and per patient
BOTH = 100_000  # patients up to which every number of threads is measured
FEW, REPEATS = 1000, 5  # runs of at most so many patients are repeated, and the median counts
TOLERANCE, LOWEST = 1e-4, -1e-3  # of the solver; no output is negative but for its error
VISITS = np.array([24.0, 96, 168, 264, 336, 432, 504, 672])  # h


def sizes(most: int) -> list[int]:
    """A hundred, a thousand ... up to `most`."""
    found, size = [], 100
    while size < most:
        found.append(size)
        size *= 10
    return [*found, most]


def scale(most: int, threads: Sequence[int], tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """One record for each number of patients and threads; more than `BOTH` patients on most threads only."""
    rows = []
    for size in sizes(most):
        for many in threads if size <= BOTH else (max(threads),):
            tell(f"{size:,} patients, {many} thread{'s' if many > 1 else ''}")
            rows.append(in_process(size, many))
    return rows


def in_process(patients: int, threads: int) -> dict[str, Any]:
    """The record of one run in its own process, so that its peak memory is separate. Raises SolverError."""
    command = [sys.executable, "-m", "benchmarks.scaling", str(patients), str(threads)]
    limit = START_LIMIT + SECONDS_PER_PATIENT * patients
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        what = f"the run of {patients} patients on {threads} threads has not ended after {limit:g} s"
        raise SolverError(what) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SolverError(f"the run of {patients} patients on {threads} threads ended early: {last}")
    return dict(json.loads(done.stdout))


def run(patients: int, threads: int) -> dict[str, Any]:
    """Draw and solve this many patients chunk by chunk; only a checksum of the curves is stored.

    `failed` patients are reported as such; `silent` ones have a curve that is not finite or negative, and no report.
    """
    model = load_model()
    model.kernel_for(benchmark_case.OUTPUTS).compile_slices(CHUNK)
    benchmark_case.draw(model, CHUNK // 16, 1).solve(
        VISITS, benchmark_case.OUTPUTS, tolerance=TOLERANCE, threads=threads
    )
    records = [_once(model, patients, threads) for _ in range(REPEATS if patients <= FEW else 1)]
    record = sorted(records, key=lambda one: one["seconds"])[len(records) // 2]
    record |= {"patients": patients, "threads": threads, "peak_mib": peak_memory()}
    return record | {"ms_per_patient": record["seconds"] * 1e3 / patients}


def _once(model: Model, patients: int, threads: int) -> dict[str, Any]:
    """The chunks as a cohort computes them, two at a time."""

    def solve(chunk: int, threads: int) -> tuple[int, int, float]:
        drawn = benchmark_case.draw(model, min(CHUNK, patients - chunk * CHUNK), 1, chunk)
        found = drawn.solve(VISITS, benchmark_case.OUTPUTS, tolerance=TOLERANCE, threads=threads)
        solved = found.reasons == "ok"
        plausible = (np.isfinite(found.values) & (found.values > LOWEST)).all(axis=(1, 2))
        return int(np.sum(~solved)), int(np.sum(solved & ~plausible)), float(np.nansum(found.values))

    began = perf_counter()
    sums = [sum(column) for column in zip(*in_pairs(solve, range(-(-patients // CHUNK)), threads), strict=True)]
    seconds = perf_counter() - began
    return {"seconds": seconds, "failed": sums[0], "silent": sums[1], "checksum": sums[2]}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Speed-up of two threads at the largest common size, deviation from linear scaling, peak memory and failures."""
    speed = {(row["patients"], row["threads"]): row["seconds"] for row in rows}
    both = [n for n, threads in speed if threads == 2 and (n, 1) in speed]
    most = max(row["threads"] for row in rows)
    each = [row["ms_per_patient"] for row in rows if row["threads"] == most and row["patients"] >= 1000]
    return {
        "two_over_one": speed[max(both), 1] / speed[max(both), 2] if both else None,
        "linear_within": max(each) / min(each) - 1 if len(each) > 1 else None,
        "peak_mib": max(row["peak_mib"] for row in rows),
        "failed": max(row.get("failed", 0) for row in rows),
        "silent": max(row.get("silent", 0) for row in rows),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))))
