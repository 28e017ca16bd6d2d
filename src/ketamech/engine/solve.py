"""Moves patients through time and says how each solve ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.core import InputError, SolverError, UnknownNameError, closest_match
from ketamech.engine.codegen.native_code import NativeModule
from ketamech.engine.cpu_threads import run_on_cpu, workspace
from ketamech.engine.events import Events, EventTable, to_table
from ketamech.engine.failure_diagnosis import failing_term
from ketamech.engine.kernel import Kernel
from ketamech.engine.lane_layout import OK, REPORT, SETTINGS

SOLVER_STATUS = ("ok", "too many steps", "not finite", "step too small", "no rest state", "not reached")
STEADY_STATE_TOLERANCE = 1e-8  # relative correction below which a rest state counts as found
TOLERANCE, FIRST_STEP, MAX_STEPS = 2e-6, 0.03, 100_000
MAX_GROWTH, MIN_GROWTH, RETRY_TOLERANCES = 10.0, 0.2, 2
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Solution:
    """`values` [patient, time, output] of the outputs `names`; NaN where a solve failed, with the reason.

    `last` [patient, state] is the state at the end (or where a solve failed); `steps`, `tries` and `status` by patient.
    """

    times: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    final_state: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    tries: np.ndarray
    failed_at: np.ndarray
    state_at_fault: tuple[str | None, ...]
    term_at_fault: Callable[[int], str]

    def reason(self, patient: int) -> str:
        """How the solve of one patient ended, in words."""
        code = int(self.status[patient])
        state = self.state_at_fault[patient]
        if state is None:
            return SOLVER_STATUS[code]
        where = f"at {self.failed_at[patient]:.4g} h, state {state}, term '{self.term_at_fault(patient)}'"
        return f"{SOLVER_STATUS[code]} {where}"

    def of(self, name: str) -> np.ndarray:
        """Values [patient, time] of one output."""
        return self.values[:, :, self.names.index(name)]


@dataclass
class IntegrationState:
    """Patients under way: inputs, state, constant inputs, clock (h) and proposed step (h), changed as they move."""

    inputs: np.ndarray
    y: np.ndarray
    inflow: np.ndarray
    clock: np.ndarray
    step: np.ndarray

    @classmethod
    def at(cls, start: np.ndarray, inputs: np.ndarray, clock: np.ndarray, first_step: float) -> IntegrationState:
        """Everybody at `start` [patient, state], nothing running in."""
        y = np.array(start, dtype=float, order="C")
        return cls(
            np.ascontiguousarray(inputs, dtype=float),
            y,
            np.zeros_like(y),
            np.array(np.broadcast_to(clock, len(y)), dtype=float),
            np.full(len(y), first_step),
        )


def drug_free_steady_state(
    kernel: Kernel, inputs: np.ndarray, *, threads: int = 1, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Drug-free state of each patient; `inputs` is [patient, input] and its resting values are filled in place.

    Returns states [patient, state] and a flag per patient that is True where a rest state was found. `device` as in
    `solve`.
    """
    layout, code = kernel.layout, kernel.compiled_for(device)
    people = np.ascontiguousarray(inputs, dtype=float)
    y = np.empty((len(people), len(layout.states)))
    guess = np.array([state.initial_guess for state in layout.states], dtype=float)
    change = np.full(len(people), np.inf)
    source = code.output_rows(tuple(layout.baseline_names))
    run_on_cpu(code, "settle", code.sizes(), (people, y, guess, source), change, len(people), threads)
    inputs[...] = people
    return y, change < STEADY_STATE_TOLERANCE


def solve(
    kernel: Kernel,
    start: np.ndarray,
    inputs: np.ndarray,
    events: Sequence[Events] | EventTable,
    times: np.ndarray,
    *,
    outputs: Sequence[str] | None = None,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    first_step: float = FIRST_STEP,
    threads: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Solution:
    """Integrate each patient from `start` [patient, state] through their events to the last of `times` (h, rising).

    `times` is [time] for all or [patient, time]; `outputs` are names (default: everything). An output at the time of
    an event shows the state just after it. `tolerance` is relative to each state's size plus its declared scale; a
    patient who fails tries again twice, each time ten times more carefully. A start that is not finite is reported as
    no rest state. `progress` is told now and then how many patients have been begun.
    `device` is cpu, or cuda for an NVIDIA GPU, which gives the same numbers and uses no `threads`.
    Raises BadInput for a tolerance, times, outputs or a device that make no sense.
    """
    asked = validate_times(times, len(start))
    table = to_table(events)
    begin = np.minimum(asked[..., 0], table.earliest(len(start)))
    patients = IntegrationState.at(start, inputs, begin, first_step)
    return integrate(
        kernel, patients, table, asked, outputs=outputs, tolerance=tolerance, max_steps=max_steps,
        first_step=first_step, threads=threads, device=device, progress=progress,
    )  # fmt: skip


def integrate(
    kernel: Kernel,
    patients: IntegrationState,
    given: EventTable,
    times: np.ndarray,
    *,
    outputs: Sequence[str] | None = None,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    first_step: float = FIRST_STEP,
    threads: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Solution:
    """Take patients under way on to the last of `times`, changing them; events before their clock must be gone."""
    if not 1e-14 < tolerance < 1.0:
        raise InputError(f"a tolerance of {tolerance} cannot be met", expected="a number between 1e-13 and 0.1")
    asked = validate_times(times, len(patients.y))
    names, code = validate_outputs(kernel, outputs), kernel.compiled_for(device)
    out = np.full((len(patients.y), asked.shape[-1], len(names)), np.nan)
    report = np.tile([float(len(SOLVER_STATUS) - 1), 0.0, np.nan, -1.0, 0.0], (len(patients.y), 1))
    wanted, stride = code.output_rows(names), 0 if asked.ndim == 1 else asked.shape[1]
    chosen = (tolerance, first_step, max_steps, MAX_GROWTH, MIN_GROWTH, code.gamma, RETRY_TOLERANCES)
    settings = np.array([value for _, value in zip(SETTINGS, chosen, strict=True)], dtype=float)
    arrays = (
        settings, patients.inputs, patients.y, patients.inflow, patients.clock, patients.step,
        given.first, given.time, given.kind, given.state, given.size, asked, stride, wanted, out,
    )  # fmt: skip
    run_on_cpu(
        code, "follow", code.sizes(asked.shape[-1], len(names)), arrays, report, len(patients.y), threads, progress
    )
    return _solution(kernel, asked, names, out, patients, report)


def _solution(
    kernel: Kernel,
    times: np.ndarray,
    names: tuple[str, ...],
    out: np.ndarray,
    patients: IntegrationState,
    report: np.ndarray,
) -> Solution:
    found = dict(zip(REPORT, report.T, strict=True))
    status = found["status"].astype(int)
    out[status != OK] = np.nan
    states = kernel.layout.state_names
    fault = tuple(states[int(i)] if i >= 0 else None for i in found["state"])
    return Solution(
        times, names, out, patients.y, status, found["steps"].astype(int), found["tries"].astype(int), found["time"],
        fault, lambda i: failing_term(kernel, str(fault[i]), patients.y[i], patients.inputs[i]),
    )  # fmt: skip


def validate_times(times: np.ndarray, count: int) -> np.ndarray:
    """Output times (h, they may begin before 0) as the kernel takes them. Raises BadInput."""
    asked = np.ascontiguousarray(times, dtype=float)
    shaped = asked.ndim == 1 or (asked.ndim == 2 and len(asked) == count)
    if not shaped or asked.size == 0 or not np.all(np.isfinite(asked)):
        raise InputError("output times must be finite numbers", expected="hours, e.g. 0, 0.5, 24")
    if np.any(np.diff(asked, axis=-1) < 0):
        raise InputError("output times must rise", expected="hours, e.g. 0, 0.5, 24")
    return asked


def validate_outputs(kernel: Kernel, outputs: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the outputs asked for, all when None. Raises UnknownName."""
    known = kernel.layout.output_names
    if outputs is None:
        return known
    for name in outputs:
        if name not in known:
            raise UnknownNameError(f"there is no output '{name}'", nearest=closest_match(name, known))
    return tuple(outputs)


def raise_on_failure(solution: Solution) -> None:
    """Raise SolveFailed when the only patient of a run could not be solved."""
    if solution.status.size == 1 and solution.status[0]:
        raise SolverError(f"the solve ended early: {solution.reason(0)}")


def jacobian(kernel: Kernel, state: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Dense Jacobian [state, state] (1/h) of one patient at a state."""
    code, n = kernel.compiled, state.size
    w, starts = workspace(code), code.rows.starts
    rows = w.reshape(-1, code.lanes)
    rows[starts["P"] : starts["P"] + inputs.size] = np.asarray(inputs)[:, None]
    rows[starts["Y"] : starts["Y"] + n] = np.asarray(state)[:, None]
    assert isinstance(code.code, NativeModule)
    for block in ("prepare", "slopes"):
        code.code.function(block, "r")(w.ctypes.data)
    dense = np.zeros((n, n))
    for place, (row, column) in enumerate(code.pattern):
        dense[row, column] = rows[starts["J"] + place, 0]
    return dense
