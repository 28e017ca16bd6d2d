"""Start-up times: a command in a new process, the first compilation, one patient, a trial of a thousand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import benchmark_case
from benchmarks.scaling import VISITS
from ketamech.core import SolverError
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import load_model

COMMAND = "from ketamech.cli.main import main; main()"
SENTENCE = "racemic 0.5 mg/kg IV over 40 min"
FIRST = """
import numpy as np
from benchmarks import benchmark_case
from ketamech.simulation.model import load_model
benchmark_case.draw(load_model(), 8, 1).solve(np.array(benchmark_case.TIMES), tolerance=1e-3)
"""  # all outputs: the whole model
TRIAL, TRIAL_TOLERANCE = 1000, 1e-4
PROCESS_LIMIT = 600.0  # time limit of a process (s)
Tell = Callable[[str], None]


def starts(repeats: int, tell: Tell, *, quick: bool = False) -> dict[str, Any]:
    """Seconds of each kind of start, for every repeat."""
    tell("Warm: one patient, and a trial of a thousand")
    patients = 100 if quick else TRIAL
    found = {"one_patient_warm": _timed(_single(), 20), "trial_two_threads": _timed(_trial(patients), repeats)}
    found["trial_two_threads"]["patients"] = patients
    tell("A command from a cold process, compiled before")
    found["import"] = _timed(lambda: _process("import ketamech"), repeats)
    with tempfile.TemporaryDirectory() as place:
        simulate = ("simulate", SENTENCE, "--out", str(Path(place) / "run"))
        found["simulate_cold_process"] = _timed(lambda: _process(COMMAND, *simulate), 1 if quick else repeats)
    if not quick:
        tell("The first compilation, with an empty cache")
        found["first_compile"] = _timed(_compile, 1)
    return found


def _single() -> Callable[[], object]:
    """One new patient: steady state and 28 days."""
    drawn = _drawn(1)
    return lambda: drawn.solve(np.array(benchmark_case.TIMES), benchmark_case.OUTPUTS, tolerance=TRIAL_TOLERANCE)


def _trial(patients: int) -> Callable[[], object]:
    """Patients of a trial, 28 days, eight visits, on two threads: steady states and curves."""
    drawn = _drawn(patients)
    return lambda: drawn.solve(VISITS, benchmark_case.OUTPUTS, tolerance=TRIAL_TOLERANCE, threads=2)


def _drawn(patients: int) -> Ensemble:
    """Patients of a model of which the slices for their outputs are compiled."""
    model = load_model()
    model.kernel_for(benchmark_case.OUTPUTS).compile_slices()
    return benchmark_case.draw(model, patients, 1)


def _compile() -> None:
    with tempfile.TemporaryDirectory() as place:
        _process(FIRST, KETAMECH_CACHE=place)


def _process(code: str, *arguments: str, **environment: str) -> None:
    command = [sys.executable, "-c", code, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, env=os.environ | environment, timeout=PROCESS_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise SolverError(f"'{code}' has not ended after {PROCESS_LIMIT:g} s") from None
    if done.returncode:
        told = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
        raise SolverError(f"'{code}' ended early: {(told or ['no reason given'])[-1]}")


def _timed(act: Callable[[], object], repeats: int) -> dict[str, Any]:
    seconds = []
    for _ in range(repeats):
        began = perf_counter()
        act()
        seconds.append(perf_counter() - began)
    return {"seconds": seconds, "median_s": median(seconds)}
