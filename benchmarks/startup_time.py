"""Start-up times: a command in a new process, the first compilation, one patient, a trial of a thousand, replicates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import benchmark_case
from benchmarks.scaling import VISITS
from ketamech import Trial
from ketamech.core import SolverError
from ketamech.core.environment import PREBUILT
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
REPLICATES, PER_ARM = 200, 500
DESIGN = {
    "title": "Nasal esketamine or placebo, eight visits",
    "population": "trd",
    "arms": {
        "esketamine": {"treatment": [benchmark_case.REGIMEN], "n": PER_ARM},
        "placebo": {"treatment": [benchmark_case.REGIMEN.replace("esketamine 84 mg", "placebo")], "n": PER_ARM},
    },
    "visits": {"MADRS": ["24 h", "day 4", "day 8", "day 11", "day 15", "day 18", "day 22", "day 28"]},
    "primary": "MADRS at day 28",
}
PROCESS_LIMIT = 600.0  # time limit of a process (s)
Tell = Callable[[str], None]


def starts(repeats: int, tell: Tell, *, quick: bool = False) -> dict[str, Any]:
    """Seconds of each kind of start, for every repeat."""
    tell("Warm: one patient, and a trial of a thousand")
    patients = 100 if quick else TRIAL
    found = {"one_patient_warm": _timed(_single(), 20), "trial_two_threads": _timed(_trial(patients), 5 * repeats)}
    found["trial_two_threads"]["patients"] = patients
    many = 2 if quick else REPLICATES
    tell(f"{many} replicates of a trial with analysis")
    found["replicates"] = _timed(_replicates(many), 1) | {"replicates": many}
    tell("A command from a cold process, compiled before")
    times = 1 if quick else 5
    with tempfile.TemporaryDirectory() as place, nullcontext() if quick else _bytecode(place):
        found["import"] = _timed(lambda: running_process("import ketamech"), times)
        folders = (str(Path(place) / str(number)) for number in count())  # new ones: a disk reuses new inodes slowly
        for name, options in (("simulate_cold_process", ()), ("simulate_without_report", ("--no-report",))):
            simulate = ("simulate", SENTENCE, *options, "--out")
            found[name] = _timed(lambda words=simulate: running_process(COMMAND, *words, next(folders)), times)
    if not quick:
        tell("The first start of a wheel, with an empty cache")
        found["first_compile"] = _first_starts(repeats)
    return found


@contextmanager
def _bytecode(place: str) -> Iterator[None]:
    """Processes find compiled modules, as those of an installed package are, also where Python must not write them."""
    changed = {"PYTHONPYCACHEPREFIX": str(Path(place) / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    with mock.patch.dict(os.environ, changed):
        running_process(COMMAND, "simulate", SENTENCE, "--out", str(Path(place) / "first"))
        yield


def _replicates(many: int) -> Callable[[], object]:
    """Replicates of a trial on two threads, and the tables of its report."""
    model, trial = load_model(), Trial.read(DESIGN)
    trial.run(model=model, replicates=1, threads=2).analyse()
    return lambda: trial.run(model=model, replicates=many, threads=2).analyse()


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
    model.kernel_for(benchmark_case.OUTPUTS).compile_slices(patients)
    return benchmark_case.draw(model, patients, 1)


def _first_starts(repeats: int) -> dict[str, Any]:
    """First starts with the generated files of a wheel, which are removed again where there were none."""
    before = PREBUILT.is_dir()
    try:
        running_process("import runpy; runpy.run_path('scripts/prebuild.py', run_name='__main__')")
        return _timed(_compile, repeats)
    finally:
        if not before:
            shutil.rmtree(PREBUILT, ignore_errors=True)


def _compile() -> None:
    with tempfile.TemporaryDirectory() as place:
        running_process(FIRST, KETAMECH_CACHE=place)


def running_process(code: str, *arguments: str, **environment: str) -> None:
    """Run a Python process to its end."""
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
