"""Integrates patients over time, on CPU threads or on a GPU, and reports the solver status of each.

Each thread works on a group of lanes and takes patients from a shared counter. After a failure, the term of the
equation that made the solve fail is identified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Thread
from time import perf_counter

import numpy as np

from ketamech.core import InputError, SolverError, require_known
from ketamech.core.progress import CountProgress
from ketamech.engine.codegen.native_code import NativeModule
from ketamech.engine.events import Events, EventTable, to_table
from ketamech.engine.gpu_kernel import PtxModule, run_on_gpu
from ketamech.engine.kernel import ARGUMENTS, CompiledSystem, Kernel
from ketamech.engine.lane_layout import N_WHOLE, OK, REPORT, SETTINGS

ALIGNMENT_BYTES = 64  # a full cache line, and the widest register
POLL_SECONDS = 0.1  # s, between two reports of progress


def run_task(
    kernel: CompiledSystem, task: str, sizes: np.ndarray, arrays: Sequence[np.ndarray | int], report: np.ndarray,
    count: int, threads: int, progress: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """Run a task of the kernel over `count` patients on `threads` threads; the number of threads changes no number.

    A kernel for a GPU runs on the GPU instead. On Ctrl-C the started patients are finished, no others are started, and
    KeyboardInterrupt is raised.
    """
    if threads < 1:
        raise InputError(f"{threads} threads", expected="at least 1")
    if isinstance(kernel.code, PtxModule):
        return run_on_gpu(kernel, kernel.code, task, sizes, arrays, report, count, progress)
    assert isinstance(kernel.code, NativeModule)
    function = kernel.code.function(task, ARGUMENTS[task])
    counter, stop = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    errors: list[BaseException] = []

    def run_thread() -> None:
        try:
            run_group()
        except BaseException as problem:
            errors.append(problem)

    def run_group() -> None:  # keeps references to the arrays while any thread runs
        floats, integers = workspace(kernel), np.zeros(N_WHOLE * kernel.lanes, dtype=np.int64)
        thread_pointers = [floats.ctypes.data, integers.ctypes.data, sizes.ctypes.data]
        shared_pointers = [a if isinstance(a, int) else a.ctypes.data for a in arrays]
        function(*thread_pointers, *shared_pointers, counter.ctypes.data, stop.ctypes.data, count, report.ctypes.data)

    workers = [Thread(target=run_thread) for _ in range(min(threads, max(1, -(-count // kernel.lanes))))]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(POLL_SECONDS)
                if progress:
                    progress(min(int(counter[0]), count))
        if errors:
            raise errors[0]
    except BaseException:
        stop[0] = 1  # started patients are finished; the interpreter waits for the threads at exit
        for worker in workers:
            if worker.is_alive():
                worker.join()
        raise


def workspace(kernel: CompiledSystem) -> np.ndarray:
    """The zero-filled workspace of a group, aligned to a cache line."""
    size = kernel.rows.total * kernel.lanes
    unaligned = np.zeros(size + ALIGNMENT_BYTES // 8)
    offset = (-unaligned.ctypes.data % ALIGNMENT_BYTES) // 8
    aligned = unaligned[offset : offset + size]
    if kernel.left_out is not None:
        start, count = kernel.rows.starts["LEFT_OUT"], len(kernel.left_out)
        aligned.reshape(-1, kernel.lanes)[start : start + count] = kernel.left_out[:, None]
    if kernel.stretched:
        aligned.reshape(-1, kernel.lanes)[kernel.rows.starts["STRETCHED"]] = kernel.rows.tangents
    return aligned


Evaluate = Callable[[np.ndarray, np.ndarray], np.ndarray]


@lru_cache(maxsize=32)
def _terms(kernel: Kernel, state: str) -> tuple[list[str], Evaluate]:
    from ketamech.model.rates_and_jacobian import plain_values

    system = kernel.build_system()
    fluxes = [flux for flux in system.fluxes if flux.state == state]
    return [flux.because for flux in fluxes], plain_values(system, [flux.term for flux in fluxes])


def failing_term(kernel: Kernel, state: str, y: np.ndarray, inputs: np.ndarray) -> str:
    """The reason of the flux of `state` that is not finite at state vector `y`, or of the largest flux."""
    reasons, evaluate = _terms(kernel, state)
    with np.errstate(all="ignore"):
        sizes = np.abs(evaluate(y, inputs))
    return reasons[int(np.argmax(np.where(np.isfinite(sizes), sizes, np.inf)))]


SOLVER_STATUS = ("ok", "too many steps", "not finite", "step too small", "no steady state", "not reached")
STEADY_STATE_TOLERANCE = 1e-8  # relative correction below which a steady state is accepted
TOLERANCE, FIRST_STEP, MAX_STEPS = 6e-7, 0.03, 100_000
MAX_GROWTH, MIN_GROWTH, RETRY_TOLERANCES = 10.0, 0.2, 2


@dataclass(frozen=True)
class Solution:
    """`values` [patient, time, output] of the outputs `names`; NaN where a solve failed, with the reason.

    `final_state` [patient, state] is the state at the end (or where a solve failed); `steps`, `tries` and `status` by
    patient.
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
        """The solver status of one patient as text."""
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
    """Patients during integration: inputs, state, constant inputs, clock (h) and next step (h); updated in place.

    With tangents, y and `inflow` are [patient, value and its tangents, state], and the inputs of a patient are followed
    by the tangents of the inputs `moving` (indices), direction by direction.
    """

    inputs: np.ndarray
    y: np.ndarray
    inflow: np.ndarray
    clock: np.ndarray
    step: np.ndarray
    moving: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def tangents(self) -> int:
        """Number of tangents of each number."""
        return 0 if self.y.ndim == 2 else self.y.shape[1] - 1

    @classmethod
    def at(cls, start: np.ndarray, inputs: np.ndarray, clock: np.ndarray, first_step: float) -> IntegrationState:
        """All patients at `start` [patient, state], without constant inputs."""
        y = np.array(start, dtype=float, order="C")
        return cls(
            np.ascontiguousarray(inputs, dtype=float),
            y,
            np.zeros_like(y),
            np.array(np.broadcast_to(clock, len(y)), dtype=float),
            np.full(len(y), first_step),
        )

    def of_states(self, states: np.ndarray) -> IntegrationState:
        """The same patients with some of the states (indices); clock and step are shared."""
        y, inflow = (np.ascontiguousarray(level[..., states]) for level in (self.y, self.inflow))
        return replace(self, y=y, inflow=inflow)


def drug_free_steady_state(
    kernel: Kernel, inputs: np.ndarray, *, receivers: Iterable[int] = (), threads: int = 1, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Drug-free steady state of each patient; `inputs` is [patient, input] and its baseline values are filled in place.

    Returns states [patient, state] and a flag per patient that is True where a steady state was found. `receivers` are
    states (indices) that will receive doses, by which code is chosen. `device` as in `solve`.
    """
    code = kernel.code_for_run(device, receivers, patients=len(inputs))
    patient_inputs = np.ascontiguousarray(inputs, dtype=float)  # the same memory where its form allows
    patient_inputs[:, len(kernel.layout.parameter_names) :] = 0.0
    guess = np.array([state.initial_guess for state in code.layout.states], dtype=float)
    y = np.empty((len(patient_inputs), len(guess)))
    change = np.full(len(patient_inputs), np.inf)
    source = code.baseline_rows(kernel.scope)
    run_task(code, "settle", code.sizes(), (patient_inputs, y, guess, source), change, len(patient_inputs), threads)
    if patient_inputs is not inputs:
        inputs[...] = patient_inputs
    return all_states(kernel, code, y), change < STEADY_STATE_TOLERANCE


def all_states(kernel: Kernel, code: CompiledSystem, y: np.ndarray) -> np.ndarray:
    """Drug-free states [patient, state] of the whole system; those outside the scope of the kernel are guesses."""
    if kernel.scope is None:
        return y
    guess = [state.initial_guess for state in kernel.layout.states]
    found = np.full((len(y), len(guess)), guess)
    states = np.arange(found.shape[1]) if code.states is None else code.states
    counted = kernel.scope.states[states]
    found[:, states[counted]] = y[:, counted]
    return found


def solve(
    kernel: Kernel, start: np.ndarray, inputs: np.ndarray, events: Sequence[Events] | EventTable, times: np.ndarray, *,
    outputs: Sequence[str] | None = None, tolerance: float = TOLERANCE, max_steps: int = MAX_STEPS,
    first_step: float = FIRST_STEP, threads: int = 1, device: str = "cpu", progress: CountProgress | None = None,
) -> Solution:  # fmt: skip
    """Integrate each patient from `start` [patient, state] with their events to the last of `times` (h, rising).

    `times` is [time] for all or [patient, time]; `outputs` are names (default: all). An output at the time of an event
    has the state just after it. `tolerance` is relative to each state's size plus its declared scale; a failed patient
    is retried twice, each time with a ten times smaller tolerance. A start that is not finite is reported as no steady
    state. `progress` is called with the number of started patients. `device` is cpu, or cuda for an NVIDIA GPU, which
    gives the same numbers and uses no `threads`. Raises InputError for an invalid tolerance, times, outputs or device.
    """
    requested_times = validate_times(times, len(start))
    table = to_table(events)
    begin = np.minimum(requested_times[..., 0], table.earliest(len(start)))
    patients = IntegrationState.at(start, inputs, begin, first_step)
    return integrate(
        kernel, patients, table, requested_times, outputs=outputs, tolerance=tolerance, max_steps=max_steps,
        first_step=first_step, threads=threads, device=device, progress=progress,
    )  # fmt: skip


def integrate(
    kernel: Kernel, patients: IntegrationState, events: EventTable, times: np.ndarray, *,
    outputs: Sequence[str] | None = None, tolerance: float = TOLERANCE, max_steps: int = MAX_STEPS,
    first_step: float = FIRST_STEP, threads: int = 1, device: str = "cpu", progress: CountProgress | None = None,
) -> Solution:  # fmt: skip
    """Continue patients to the last of `times`, updating them; `events` must not contain events before their clock.

    With a scope of the kernel, events of states outside it are ignored and these states are not valid afterwards.
    """
    requested_times = validate_times(times, len(patients.y))
    scoped_events = events if kernel.scope is None else events.where(kernel.scope.states[events.state])
    receivers = scoped_events.receivers.tolist()
    code = kernel.code_for_run(device, receivers, (patients.y, patients.inflow), patients=len(patients.y))
    held = patients if code.states is None else patients.of_states(code.states)
    started = perf_counter()
    solution = follow(
        kernel, code, held, scoped_events, requested_times, lambda i: (patients.y[i], patients.inputs[i]),
        outputs=outputs, tolerance=tolerance, max_steps=max_steps, first_step=first_step, threads=threads,
        progress=progress,
    )  # fmt: skip
    kernel.count_time(code, receivers, len(patients.y), perf_counter() - started)
    if code.states is None:
        return solution
    patients.y[:, code.states], patients.inflow[:, code.states] = held.y, held.inflow
    return replace(solution, final_state=patients.y)


def follow(
    kernel: Kernel, code: CompiledSystem, patients: IntegrationState, events: EventTable, times: np.ndarray,
    whole: Callable[[int], tuple[np.ndarray, np.ndarray]], *, outputs: Sequence[str] | None = None,
    tolerance: float = TOLERANCE, max_steps: int = MAX_STEPS, first_step: float = FIRST_STEP, threads: int = 1,
    progress: CountProgress | None = None,
) -> Solution:  # fmt: skip
    """As `integrate`, with the code for a device, a slice or tangents, checked `times` and events within the scope.

    `patients` hold the states of the code; `whole` returns all states and the inputs of one of them afterwards.
    With tangents, times and sizes of events are [row, value and its tangents], and the values found are [patient, value
    and its tangents, time, output].
    """
    if not 1e-14 < tolerance < 1.0:
        raise InputError(f"a tolerance of {tolerance} is invalid", expected="a number above 1e-14 and below 1")
    names, tangents = validate_outputs(kernel, outputs), patients.tangents
    computed = tuple(name for name in names if name in code.layout.output_names)
    run_events = events if code.states is None else events.within(code.states)
    out = np.full((len(patients.y), times.shape[-1], *([1 + tangents] if tangents else []), len(computed)), np.nan)
    report = np.full((len(patients.y), len(REPORT)), [float(len(SOLVER_STATUS) - 1), 0.0, np.nan, -1.0, 0.0])
    rows, stride = code.output_rows(computed), 0 if times.ndim == 1 else times.shape[1]
    setting_values = (tolerance, first_step, max_steps, MAX_GROWTH, MIN_GROWTH, code.gamma, RETRY_TOLERANCES)
    settings = np.array([value for _, value in zip(SETTINGS, setting_values, strict=True)], dtype=float)
    arrays = (
        settings, patients.inputs, patients.y, patients.inflow, patients.clock, patients.step,
        run_events.first, run_events.time, run_events.kind, run_events.state, run_events.size, times, stride, rows, out,
    )  # fmt: skip
    sizes = code.sizes(times.shape[-1], len(computed), tangents, patients.moving)
    run_task(code, "follow", sizes, arrays, report, len(patients.y), threads, progress)
    return _solution(kernel, code, times, names, np.swapaxes(out, 1, 2) if tangents else out, patients.y, report, whole)


def _solution(
    kernel: Kernel, code: CompiledSystem, times: np.ndarray, names: tuple[str, ...], out: np.ndarray,
    final_state: np.ndarray, report: np.ndarray, whole: Callable[[int], tuple[np.ndarray, np.ndarray]],
) -> Solution:  # fmt: skip
    columns = dict(zip(REPORT, report.T, strict=True))
    status = columns["status"].astype(int)
    if out.shape[-1] < len(names):  # states that the code needs to be 0
        indices = [i for i, name in enumerate(names) if name in code.layout.output_names]
        out, values = np.zeros((*out.shape[:-1], len(names))), out
        out[..., indices] = values
    out[status != OK] = np.nan
    states = code.layout.state_names
    failed_states = tuple(states[i] if i >= 0 else None for i in columns["state"].astype(int).tolist())
    return Solution(
        times, names, out, final_state, status, columns["steps"].astype(int), columns["tries"].astype(int),
        columns["time"], failed_states, lambda i: failing_term(kernel, str(failed_states[i]), *whole(i)),
    )  # fmt: skip


def validate_times(times: np.ndarray, count: int) -> np.ndarray:
    """Output times (h, they may start before 0) in the form of the kernel. Raises InputError."""
    requested_times = np.ascontiguousarray(times, dtype=float)
    shaped = requested_times.ndim == 1 or (requested_times.ndim == 2 and len(requested_times) == count)
    if not shaped or requested_times.size == 0 or not np.all(np.isfinite(requested_times)):
        raise InputError("output times must be finite numbers", expected="hours, e.g. 0, 0.5, 24")
    if np.any(np.diff(requested_times, axis=-1) < 0):
        raise InputError("output times must be in ascending order", expected="hours, e.g. 0, 0.5, 24")
    return requested_times


def validate_outputs(kernel: Kernel, outputs: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the requested outputs, all that may be read when None. Raises UnknownNameError."""
    readable = kernel.layout.output_names
    if kernel.scope is not None:
        readable = tuple(name for name in readable if name in kernel.scope.output_names)
    if outputs is None:
        return readable
    for name in outputs:
        require_known(name, readable, f"there is no output '{name}'")
    return tuple(outputs)


def raise_on_failure(solution: Solution) -> None:
    """Raise SolverError when the only patient of a run failed."""
    if solution.status.size == 1 and solution.status[0]:
        raise SolverError(f"the integration failed: {solution.reason(0)}")


def jacobian(kernel: Kernel, state: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Dense Jacobian [state, state] (1/h) of one patient at a state."""
    code, n = kernel.compiled, state.size
    floats, starts = workspace(code), code.rows.starts
    rows = floats.reshape(-1, code.lanes)
    rows[starts["P"] : starts["P"] + inputs.size] = np.asarray(inputs)[:, None]
    rows[starts["Y"] : starts["Y"] + n] = np.asarray(state)[:, None]
    assert isinstance(code.code, NativeModule)
    for block in ("prepare", "slopes"):
        code.code.function(block, "r")(floats.ctypes.data)
    dense = np.zeros((n, n))
    for index, (row, column) in enumerate(code.pattern):
        dense[row, column] = rows[starts["J"] + index, 0]
    return dense
