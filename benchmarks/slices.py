"""Time of runs by the whole model and by slices, in turn on the same patients: medians, and medians of ratios.

taskset -c 0,1 python -m benchmarks kernels
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest import mock

from benchmarks import benchmark_case
from benchmarks.scaling import VISITS
from ketamech.engine import Kernel, drug_free_steady_state, solve
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import Model, scope_of

OUTPUTS = ("mood.madrs", "dissociation.cadss", "venous.esketamine")
TOLERANCE, THREADS = 1e-4, 2
Tell = Callable[[str], None]
Run = Callable[[], object]


def measure_slices(model: Model, tell: Tell, *, patients: int = 1000, repeats: int = 9) -> list[dict[str, Any]]:
    """A row for each task and kernel: median of wall and processor seconds, and of the ratio to the whole model."""
    scope = scope_of(model.scopes, OUTPUTS)
    assert scope is not None
    tasks = {f"trial of {patients}, 8 visits, 2 threads": _trial(model, patients), "one patient": _trial(model, 1)}
    kernels: dict[str, int | None] = {"all outputs": None, "scope, whole model": None}
    kernels |= {part.name: i for i, part in enumerate(scope.slices)}
    tell("Compiling slices that are not compiled yet")
    for count in (1, patients):
        model.kernel.within(scope).compile_slices(count)
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for repeat in range(repeats + 1):
        tell(f"Round {repeat} of {repeats}")
        for task, run in tasks.items():
            for name, place in kernels.items():
                kernel = model.kernel if name == "all outputs" else model.kernel.within(scope)
                with _only(place):
                    found = _seconds(partial(run, kernel))
                if repeat:  # the first round warms up
                    seconds.setdefault((task, name), []).append(found)
    return [_row(task, name, seconds) for task, name in seconds]


def _row(task: str, name: str, seconds: dict[tuple[str, str], list[tuple[float, float]]]) -> dict[str, Any]:
    own, whole = seconds[task, name], seconds[task, "all outputs"]
    return {
        "task": task,
        "kernel": name,
        "wall_s": median(wall for wall, _ in own),
        "processor_s": median(busy for _, busy in own),
        "wall_ratio": median(a[0] / b[0] for a, b in zip(own, whole, strict=True)),
        "processor_ratio": median(a[1] / b[1] for a, b in zip(own, whole, strict=True)),
    }


def _trial(model: Model, patients: int) -> Callable[[Kernel], object]:
    """Drug-free steady states and 28 days of patients, as a run of an ensemble does them."""
    drawn: Ensemble = benchmark_case.draw(model, patients, 1)
    inputs = drawn.inputs()

    def run(kernel: Kernel) -> object:
        own = inputs.copy()
        start, _ = drug_free_steady_state(kernel, own, threads=THREADS)
        return solve(kernel, start, own, drawn.events, VISITS, outputs=OUTPUTS, tolerance=TOLERANCE, threads=THREADS)

    return run


def _seconds(act: Run) -> tuple[float, float]:
    wall, busy = perf_counter(), process_time()
    act()
    return perf_counter() - wall, process_time() - busy


@contextmanager
def _only(place: int | None) -> Iterator[None]:
    """Only one slice of each scope may run, or none."""

    def fitting(kernel: Kernel, device: str, receivers: object) -> list[Any]:
        return [kernel.scope.slices[place]] if kernel.scope and place is not None else []

    with mock.patch.object(Kernel, "fitting_slices", fitting):
        yield
