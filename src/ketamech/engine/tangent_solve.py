"""Solves patients together with the derivatives of their states and outputs (tangents) in several directions.

A direction is a change of the inputs and of the dose events. Steps, retries and convergence follow the values alone,
which are those of `solve` to the last bit; the tangents are the exact derivatives of the numbers so computed. Each lane
computes one patient in TANGENTS directions; a patient with more directions is solved several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketamech.engine.events import EventTable
from ketamech.engine.kernel import CompiledSystem, Kernel
from ketamech.engine.solve import (
    FIRST_STEP,
    STEADY_STATE_TOLERANCE,
    TOLERANCE,
    IntegrationState,
    Solution,
    follow,
    run_on_cpu,
    validate_times,
)


@dataclass(frozen=True)
class EventTangents:
    """Tangents of the `time` (h) and `size` of the rows of an event table, each [row, direction]."""

    time: np.ndarray
    size: np.ndarray


def steady_state_with_tangents(
    kernel: Kernel, inputs: np.ndarray, tangents: np.ndarray, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drug-free steady state of each patient and its tangents; `tangents` of the inputs is [patient, direction, input].

    Baseline values and their tangents are filled in place. Returns states [patient, state], their tangents
    [patient, direction, state] and a flag per patient that is True where a steady state was found.
    """
    code, layout = kernel.compiled_with_tangents, kernel.layout
    packed = _packed(inputs, tangents, code)
    y = np.empty((*packed.shape[:2], len(layout.states)))
    guess = np.array([state.initial_guess for state in layout.states], dtype=float)
    change = np.full(len(packed), np.inf)
    source = code.output_rows(tuple(layout.baseline_names))
    run_on_cpu(code, "settle", code.sizes(), (packed, y, guess, source), change, len(packed), threads)
    count = tangents.shape[1]
    inputs[...], tangents[...] = _unpacked(packed, count)
    chunks = len(packed) // len(inputs)
    return *_unpacked(y, count), change[::chunks] < STEADY_STATE_TOLERANCE


def solve_with_tangents(
    kernel: Kernel, start: tuple[np.ndarray, np.ndarray], inputs: tuple[np.ndarray, np.ndarray],
    events: EventTable, event_tangents: EventTangents, times: np.ndarray, *, begin: np.ndarray | float = np.inf,
    outputs: Sequence[str] | None = None, tolerance: float = TOLERANCE, threads: int = 1,
) -> tuple[Solution, np.ndarray, np.ndarray]:  # fmt: skip
    """As `solve`, with tangents: `start` and `inputs` are values [patient, ...] and tangents [patient, direction, ...].

    Integration starts at the first output time, the first event or `begin` (h), whichever is earliest. Where the time
    of an event has a tangent, an output at this time has the derivative of the state just after the moving event.
    Returns the solution, the tangents of the outputs [patient, direction, time, output], and those of the final state
    [patient, direction, state].
    """
    code, count = kernel.compiled_with_tangents, inputs[1].shape[1]
    requested_times = validate_times(times, len(start[0]))
    chunks = _chunks(count, code)
    y = _packed(*start, code)
    clock = np.minimum(np.minimum(begin, requested_times[..., 0]), events.earliest(len(start[0])))
    patients = IntegrationState(
        _packed(*inputs, code), y, np.zeros_like(y), np.repeat(np.broadcast_to(clock, len(start[0])), chunks),
        np.full(len(y), FIRST_STEP),
    )  # fmt: skip
    own_times = requested_times if requested_times.ndim == 1 else np.repeat(requested_times, chunks, axis=0)
    table = _packed_events(events, event_tangents, code, len(start[0]), chunks)
    found = follow(
        kernel, code, patients, table, own_times, outputs=outputs, tolerance=tolerance, threads=threads
    )  # fmt: skip
    values, tangents = _unpacked(found.values, count)  # [patient, time, output], [patient, direction, time, output]
    state, state_tangents = _unpacked(y, count)
    first = slice(None, None, chunks)
    solution = replace(
        found, times=requested_times, values=values, final_state=state, status=found.status[first],
        steps=found.steps[first], tries=found.tries[first], failed_at=found.failed_at[first],
        state_at_fault=found.state_at_fault[first], term_at_fault=lambda i: found.term_at_fault(i * chunks),
    )  # fmt: skip
    return solution, tangents, state_tangents


def _chunks(count: int, code: CompiledSystem) -> int:
    """How many times a patient with `count` directions is solved."""
    return max(1, -(-count // code.rows.tangents))


def _packed(values: np.ndarray, tangents: np.ndarray, code: CompiledSystem) -> np.ndarray:
    """Values [patient, n] and tangents [patient, direction, n] as [patient and chunk, value and its tangents, n]."""
    width, chunks = code.rows.tangents, _chunks(tangents.shape[1], code)
    filled = np.zeros((len(values), chunks * width, values.shape[1]))
    filled[:, : tangents.shape[1]] = tangents
    packed = np.empty((len(values), chunks, 1 + width, values.shape[1]))
    packed[:, :, 0], packed[:, :, 1:] = values[:, None], filled.reshape(len(values), chunks, width, -1)
    return packed.reshape(len(values) * chunks, 1 + width, -1)


def _unpacked(packed: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Values [patient, ...] and the tangents [patient, direction, ...] of `_packed`, for `count` directions."""
    width = packed.shape[1] - 1
    chunks = max(1, -(-count // width))
    split = packed.reshape(len(packed) // chunks, chunks, *packed.shape[1:])
    tangents = split[:, :, 1:].reshape(len(split), chunks * width, *packed.shape[2:])
    return split[:, 0, 0].copy(), tangents[:, :count].copy()


def _packed_events(
    events: EventTable, tangents: EventTangents, code: CompiledSystem, count: int, chunks: int
) -> EventTable:
    """The events of each patient and chunk; times and sizes are [row, value and its tangents]."""
    copied = replace(events, size=np.arange(len(events.time))).of(np.repeat(np.arange(count), chunks))
    rows, chunk = copied.size, copied.owner % chunks
    directions = chunk[:, None] * code.rows.tangents + np.arange(code.rows.tangents)

    def packed(values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        filled = np.zeros((len(values), chunks * code.rows.tangents))
        filled[:, : slopes.shape[1]] = slopes
        return np.ascontiguousarray(np.column_stack([values[rows], filled[rows[:, None], directions]]), dtype=float)

    return replace(copied, time=packed(events.time, tangents.time), size=packed(events.size, tangents.size))
