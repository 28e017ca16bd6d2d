"""Solves patients together with the derivatives of their states and outputs (tangents) in several directions.

A direction is a change of the inputs and of the dose events. Steps, retries and convergence follow the values alone,
which are those of `solve` to the last bit; the tangents are the exact derivatives of the numbers so computed. Each lane
computes one patient in a few directions: a patient with many is solved several times, and so is a single patient, to
use all lanes. Results do not depend on this.
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
    all_states,
    follow,
    run_task,
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
    code, layout, count = kernel.compiled_with_tangents, kernel.layout, tangents.shape[1]
    chunks = _chunks(len(inputs), count, code, threads)
    inputs[:, len(layout.parameter_names) :] = 0.0
    tangents[:, :, len(layout.parameter_names) :] = 0.0
    packed = _packed(inputs, tangents, chunks)
    y = np.empty((*packed.shape[:2], len(layout.states)))
    guess = np.array([state.initial_guess for state in layout.states], dtype=float)
    change = np.full(len(packed), np.inf)
    source = code.baseline_rows(kernel.scope)
    sizes = code.sizes(tangents=packed.shape[1] - 1)
    run_task(code, "settle", sizes, (packed, y, guess, source), change, len(packed), threads)
    inputs[...], tangents[...] = _unpacked(packed, chunks, count)
    states, slopes = _unpacked(y, chunks, count)
    if kernel.scope is not None:
        slopes[:, :, ~kernel.scope.states] = 0.0
    return all_states(kernel, code, states), slopes, change[::chunks] < STEADY_STATE_TOLERANCE


def solve_with_tangents(
    kernel: Kernel, start: tuple[np.ndarray, np.ndarray], inputs: tuple[np.ndarray, np.ndarray],
    events: EventTable, event_tangents: EventTangents, times: np.ndarray, *,
    outputs: Sequence[str] | None = None, tolerance: float = TOLERANCE, threads: int = 1,
) -> tuple[Solution, np.ndarray, np.ndarray]:  # fmt: skip
    """As `solve`, with tangents: `start` and `inputs` are values [patient, ...] and tangents [patient, direction, ...].

    Where the time of an event has a tangent, an output at this time has the derivative of the state just after the
    moving event; an event at the start must come at a steady state then.
    Returns the solution, the tangents of the outputs [patient, direction, time, output], and those of the final state
    [patient, direction, state].
    """
    code, count = kernel.compiled_with_tangents, inputs[1].shape[1]
    if kernel.scope is not None:
        in_scope = kernel.scope.states[events.state]
        events = events.where(in_scope)
        event_tangents = EventTangents(event_tangents.time[in_scope], event_tangents.size[in_scope])
    requested_times = validate_times(times, len(start[0]))
    chunks = _chunks(len(start[0]), count, code, threads)
    y = _packed(*start, chunks)
    clock = np.repeat(np.minimum(requested_times[..., 0], events.earliest(len(start[0]))), chunks)
    patients = IntegrationState(
        _packed(*inputs, chunks), y, np.zeros_like(y), clock, np.full(len(y), FIRST_STEP)
    )  # fmt: skip
    repeated_times = requested_times if requested_times.ndim == 1 else np.repeat(requested_times, chunks, axis=0)
    table = _packed_events(events, event_tangents, len(start[0]), chunks)
    chunked = follow(
        kernel, code, patients, table, repeated_times, outputs=outputs, tolerance=tolerance, threads=threads
    )  # fmt: skip
    values, tangents = _unpacked(chunked.values, chunks, count)
    state, state_tangents = _unpacked(y, chunks, count)
    first = slice(None, None, chunks)
    solution = replace(
        chunked, times=requested_times, values=values, final_state=state, status=chunked.status[first],
        steps=chunked.steps[first], tries=chunked.tries[first], failed_at=chunked.failed_at[first],
        state_at_fault=chunked.state_at_fault[first], term_at_fault=lambda i: chunked.term_at_fault(i * chunks),
    )  # fmt: skip
    return solution, tangents, state_tangents


def _chunks(patients: int, count: int, code: CompiledSystem, threads: int) -> int:
    """Number of times that each patient is solved, each time with a share of the `count` directions."""
    idle_lanes = max(1, code.lanes * threads // max(1, patients))
    return max(1, -(-count // code.rows.tangents), min(count, idle_lanes))


def _shares(tangents: np.ndarray, chunks: int) -> np.ndarray:
    """Tangents [n, direction, ...] as [n, chunk, direction, ...], padded with zeros."""
    rows, count, *others = tangents.shape
    width = max(1, -(-count // chunks))
    filled = np.zeros((rows, chunks * width, *others))
    filled[:, :count] = tangents
    return filled.reshape(rows, chunks, width, *others)


def _packed(values: np.ndarray, tangents: np.ndarray, chunks: int) -> np.ndarray:
    """Values [patient, n] and tangents [patient, direction, n] as [patient and chunk, value and its tangents, n]."""
    shares = _shares(tangents, chunks)
    value_rows = np.broadcast_to(values[:, None, None], (len(values), chunks, 1, values.shape[1]))
    packed = np.concatenate([value_rows, shares], axis=2)
    return np.ascontiguousarray(packed.reshape(len(values) * chunks, *packed.shape[2:]))


def _unpacked(packed: np.ndarray, chunks: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Values [patient, ...] and the tangents [patient, direction, ...] of `_packed`, for `count` directions."""
    patients, width = len(packed) // chunks, packed.shape[1] - 1
    tangents = packed[:, 1:].reshape(patients, chunks * width, *packed.shape[2:])
    return packed[::chunks, 0].copy(), tangents[:, :count].copy()


def _packed_events(events: EventTable, tangents: EventTangents, count: int, chunks: int) -> EventTable:
    """The events of each patient and chunk; times and sizes are [row, value and its tangents]."""
    repeated = replace(events, size=np.arange(len(events.time))).of(np.repeat(np.arange(count), chunks))
    rows, chunk = repeated.size, repeated.owner % chunks

    def packed(values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.column_stack([values[rows], _shares(slopes, chunks)[rows, chunk]]), dtype=float)

    return replace(repeated, time=packed(events.time, tangents.time), size=packed(events.size, tangents.size))
