"""Solves patients together with the derivatives of their states and outputs (tangents) in several directions.

A direction is a change of the inputs and of the dose events. Steps, retries and convergence follow the values alone,
which are those of `solve` to the last bit; the tangents are the exact derivatives of the numbers so computed. Each lane
computes one patient in a few directions: a patient with many is solved several times, and so is a single patient, to
use all lanes. Results do not depend on this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from ketamech.engine.tangents import Tangents


@dataclass(frozen=True)
class EventTangents:
    """Tangents of the `time` (h) and `size` of the rows of an event table, each [row, direction]."""

    time: np.ndarray
    size: np.ndarray


Part = tuple[Solution, np.ndarray, Tangents]


def steady_state_with_tangents(
    kernel: Kernel, inputs: np.ndarray, tangents: Tangents, *, receivers: Iterable[int] = (),
    needed: Iterable[str] | None = None, threads: int = 1,
) -> tuple[np.ndarray, Tangents, np.ndarray]:  # fmt: skip
    """Drug-free steady state of each patient and its tangents; `tangents` are those of the inputs.

    Baseline values and their tangents, which must be among those given, are filled in place. Returns states [patient,
    state], their tangents and a flag per patient that is True where a steady state was found. `receivers` as in
    `drug_free_steady_state`, `needed` as in `solve_with_tangents`.
    """
    layout, count = kernel.layout, tangents.count
    code = kernel.code_with_tangents(len(inputs) * count, receivers, needed)
    chunks, baselines = _chunks(len(inputs), count, code, threads), len(layout.baseline_names)
    first, last = len(layout.parameter_names), len(tangents.moving) - baselines
    assert tangents.moving[last:].tolist() == list(range(first, first + baselines))
    inputs[:, first:], tangents.values[:, :, last:] = 0.0, 0.0
    packed = _packed_inputs(inputs, tangents, chunks)
    guess = np.array([state.initial_guess for state in code.layout.states], dtype=float)
    y = np.empty((len(packed), 1 + _width(count, chunks), len(guess)))
    change = np.full(len(packed), np.inf)
    source = code.baseline_rows(kernel.scope)
    sizes = code.sizes(tangents=y.shape[1] - 1, moving=tangents.moving)
    run_task(code, "settle", sizes, (packed, y, guess, source), change, len(packed), threads)
    inputs[:, first:] = packed[::chunks, first : first + baselines]
    width, moving = y.shape[1] - 1, len(tangents.moving)
    own = packed[:, first + baselines :].reshape(len(inputs), chunks * width, moving)
    tangents.values[:, :, last:] = own[:, :count, last:]
    states, slopes = _unpacked(y, chunks, count)
    held = np.arange(slopes.shape[2]) if code.states is None else code.states
    if kernel.scope is not None:
        counted = kernel.scope.states[held]
        held, slopes = held[counted], slopes[:, :, counted]
    return all_states(kernel, code, states), Tangents(held, slopes), change[::chunks] < STEADY_STATE_TOLERANCE


def solve_with_tangents(
    kernel: Kernel, start: tuple[np.ndarray, Tangents], inputs: tuple[np.ndarray, Tangents],
    events: EventTable, event_tangents: EventTangents, times: np.ndarray, *,
    outputs: Sequence[str] | None = None, needed: Iterable[str] | None = None, tolerance: float = TOLERANCE,
    threads: int = 1,
) -> Part:  # fmt: skip
    """As `solve`, with tangents: `start` and `inputs` are values [patient, ...] and their tangents.

    Where the time of an event has a tangent, an output at this time has the derivative of the state just after the
    moving event; an event at the start must come at a steady state then.
    Returns the solution, the tangents of the outputs [patient, direction, time, output], and those of the final state.
    Tangents are valid where the outputs `needed` (default: all) depend on them.
    """
    requested_times = validate_times(times, len(start[0]))
    if kernel.scope is not None:
        in_scope = kernel.scope.states[events.state]
        events = events.where(in_scope)
        event_tangents = EventTangents(event_tangents.time[in_scope], event_tangents.size[in_scope])
    groups, parts = kernel.codes_with_tangents(events, *start, needed), []
    if len(groups) == 1:
        return _solve_group(
            kernel, groups[0][1], start, inputs, events, event_tangents, requested_times,
            outputs=outputs, tolerance=tolerance, threads=threads,
        )  # fmt: skip
    for patients, code in groups:
        rows = np.isin(events.owner, patients)
        parts.append(
            _solve_group(
                kernel, code, (start[0][patients], start[1].of(patients)),
                (inputs[0][patients], inputs[1].of(patients)), events.of(patients),
                EventTangents(event_tangents.time[rows], event_tangents.size[rows]),
                requested_times if requested_times.ndim == 1 else requested_times[patients],
                outputs=outputs, tolerance=tolerance, threads=threads,
            )
        )  # fmt: skip
    return _joined([patients for patients, _ in groups], parts, requested_times)


def _joined(groups: Sequence[np.ndarray], parts: Sequence[Part], times: np.ndarray) -> Part:
    """The results of groups of patients (indices), in the order of the patients."""
    order = np.argsort(np.concatenate(groups))
    solutions = [solution for solution, _, _ in parts]
    places = [(solution, i) for solution in solutions for i in range(len(solution.status))]

    def term_at_fault(patient: int) -> str:
        solution, i = places[order[patient]]
        return solution.term_at_fault(i)

    names = ("values", "final_state", "status", "steps", "tries", "failed_at")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(solution, name) for solution in solutions])[order] for name in names
    }
    faults = tuple(places[i][0].state_at_fault[places[i][1]] for i in order)
    joined = replace(solutions[0], times=times, state_at_fault=faults, term_at_fault=term_at_fault, **arrays)
    moving = np.unique(np.concatenate([tangents.moving for _, _, tangents in parts]))
    states = np.concatenate([tangents.among(moving) for _, _, tangents in parts])[order]
    return joined, np.concatenate([outputs for _, outputs, _ in parts])[order], Tangents(moving, states)


def _solve_group(
    kernel: Kernel, code: CompiledSystem, start: tuple[np.ndarray, Tangents], inputs: tuple[np.ndarray, Tangents],
    events: EventTable, event_tangents: EventTangents, requested_times: np.ndarray, *,
    outputs: Sequence[str] | None, tolerance: float, threads: int,
) -> Part:  # fmt: skip
    """`solve_with_tangents` by one code, with checked times and events within the scope."""
    count = inputs[1].count
    code = replace(code, stretched=bool(np.any(event_tangents.time)))
    chunks = _chunks(len(start[0]), count, code, threads)
    held = np.arange(start[0].shape[1]) if code.states is None else code.states
    y = _packed(start[0][:, held], start[1].among(held), chunks)
    clock = np.repeat(np.minimum(requested_times[..., 0], events.earliest(len(start[0]))), chunks)
    patients = IntegrationState(
        _packed_inputs(*inputs, chunks), y, np.zeros_like(y), clock, np.full(len(y), FIRST_STEP), inputs[1].moving
    )  # fmt: skip
    repeated_times = requested_times if requested_times.ndim == 1 else np.repeat(requested_times, chunks, axis=0)
    table = _packed_events(events, event_tangents, len(start[0]), chunks)
    state = start[0].copy()

    def whole(i: int) -> tuple[np.ndarray, np.ndarray]:
        return state[i // chunks], inputs[0][i // chunks]

    chunked = follow(
        kernel, code, patients, table, repeated_times, whole, outputs=outputs, tolerance=tolerance, threads=threads
    )  # fmt: skip
    values, tangents = _unpacked(chunked.values, chunks, count)
    state[:, held], state_tangents = _unpacked(y, chunks, count)
    first = slice(None, None, chunks)
    solution = replace(
        chunked, times=requested_times, values=values, final_state=state, status=chunked.status[first],
        steps=chunked.steps[first], tries=chunked.tries[first], failed_at=chunked.failed_at[first],
        state_at_fault=chunked.state_at_fault[first], term_at_fault=lambda i: chunked.term_at_fault(i * chunks),
    )  # fmt: skip
    return solution, tangents, Tangents(held, state_tangents)


def _chunks(patients: int, count: int, code: CompiledSystem, threads: int) -> int:
    """Number of times that each patient is solved, each time with a share of the `count` directions."""
    idle_lanes = max(1, code.lanes * threads // max(1, patients))
    return max(1, -(-count // code.rows.tangents), min(count, idle_lanes))


def _width(count: int, chunks: int) -> int:
    """Number of directions of a chunk."""
    return max(1, -(-count // chunks))


def _packed_inputs(values: np.ndarray, tangents: Tangents, chunks: int) -> np.ndarray:
    """Inputs [patient and chunk, ...] of values [patient, input], followed by tangents direction by direction."""
    width, (rows, first), moving = _width(tangents.count, chunks), values.shape, len(tangents.moving)
    packed = np.empty((rows, chunks, first + width * moving))
    packed[:, :, :first] = values[:, None]
    for chunk in range(chunks):
        own = tangents.values[:, chunk * width : (chunk + 1) * width]
        end = first + own.shape[1] * moving
        packed[:, chunk, first:end] = own.reshape(rows, end - first)
        packed[:, chunk, end:] = 0.0
    return packed.reshape(rows * chunks, first + width * moving)


def _packed(values: np.ndarray, tangents: np.ndarray, chunks: int) -> np.ndarray:
    """Values [patient, n] and tangents [patient, direction, n] as [patient and chunk, value and its tangents, n]."""
    rows, count, n = tangents.shape
    width = _width(count, chunks)
    packed = np.empty((rows, chunks, 1 + width, n))
    packed[:, :, 0] = values[:, None]
    for chunk in range(chunks):
        own = tangents[:, chunk * width : (chunk + 1) * width]
        packed[:, chunk, 1 : 1 + own.shape[1]] = own
        packed[:, chunk, 1 + own.shape[1] :] = 0.0
    return packed.reshape(rows * chunks, 1 + width, n)


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
        shares = _packed(values[:, None], slopes[:, :, None], chunks)[:, :, 0]
        return np.ascontiguousarray(shares[rows * chunks + chunk])

    return replace(repeated, time=packed(events.time, tangents.time), size=packed(events.size, tangents.size))
