"""Integrates an imported model over short segments: the engine's loop on one patient, called without a thread.

Between two events a segment may take a few microseconds, less than the start of a thread; `engine.solve` is for many
patients and long runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketamech.engine import load_kernel
from ketamech.engine.codegen.native_code import NativeModule
from ketamech.engine.kernel import ARGUMENTS
from ketamech.engine.lane_layout import N_WHOLE, SETTINGS, TIMES
from ketamech.engine.solve import (
    FIRST_STEP,
    MAX_GROWTH,
    MAX_STEPS,
    MIN_GROWTH,
    RETRY_TOLERANCES,
    SOLVER_STATUS,
    workspace,
)
from ketamech.exchange.sbml.sbml_model import CLOCK, SbmlModel

RESERVED_TIMES = 64  # of a segment; arrays for more are made where they are needed


@dataclass(frozen=True)
class Segment:
    """`rows` [time, value] of the values `SegmentSolver.names`; `failure` is empty, or the status of the engine.

    `failed_after`: time from the start of the segment to the failure.
    """

    rows: np.ndarray
    failure: str = ""
    failed_after: float = 0.0


class SegmentSolver:
    """The states and time-varying outputs `names` of one model from a state at given times."""

    def __init__(self, model: SbmlModel, tolerance: float) -> None:
        system = model.system
        self.states = system.state_names
        kernel = load_kernel(system.layout, lambda: system)
        self._code = kernel.compiled
        self.names = kernel.layout.output_names
        self._clock = self.states.index(CLOCK)
        self._constant_states = [i for i, name in enumerate(self.states) if model.rates[name] == 0]
        assert isinstance(self._code.code, NativeModule)
        self._function = self._code.code.function("follow", ARGUMENTS["follow"])
        self._sizes = self._code.sizes(0, len(self.names))
        self._output_rows = self._code.output_rows(self.names)
        values = (tolerance, FIRST_STEP, MAX_STEPS, MAX_GROWTH, MIN_GROWTH, self._code.gamma, RETRY_TOLERANCES)
        self._settings = np.array([value for _, value in zip(SETTINGS, values, strict=True)], dtype=float)
        self.inputs = np.array([model.constants[name] for name in system.parameter_names], dtype=float)
        self._floats, self._lanes = workspace(self._code), np.zeros(N_WHOLE * self._code.lanes, dtype=np.int64)
        self._state, self._inflow = np.zeros(len(self.states)), np.zeros(len(self.states))
        self._clock_now, self._next_step, self._report = np.zeros(1), np.full(1, FIRST_STEP), np.zeros(5)
        self._counter, self._stop = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        no_event = (np.zeros(2, dtype=np.int64), np.zeros(1), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
        self._arrays = (
            self._floats, self._lanes, self._sizes, self._settings, self.inputs, self._state, self._inflow,
            self._clock_now, self._next_step, *no_event, np.zeros(1),
        )  # fmt: skip
        self._pointers = [array.ctypes.data for array in self._arrays]
        self._last = (self._counter.ctypes.data, self._stop.ctypes.data, 1, self._report.ctypes.data)
        self._reserve(RESERVED_TIMES)
        self.end_state = self._state  # the state at the end of the last segment, or where it failed

    def _reserve(self, count: int) -> None:
        """Arrays for `count` times and the values at these, with their addresses, which take time to look up."""
        self._elapsed, self._out = np.empty(count), np.empty((count, len(self.names)))
        self._outputs = (self._elapsed.ctypes.data, 0, self._output_rows.ctypes.data, self._out.ctypes.data)

    def values(self, state: np.ndarray) -> np.ndarray:
        """The values at a state [state]."""
        step = self._next_step[0]
        segment = self.run(state, np.array([state[self._clock]]))
        self._next_step[0] = step
        return np.array(segment.rows[0])

    def shorten_step(self) -> None:
        """Start the next segment with a short step: an event has changed the state."""
        self._next_step[0] = min(self._next_step[0], FIRST_STEP)

    def run(self, state: np.ndarray, times: np.ndarray) -> Segment:
        """The values at `times` (rising, in the time of the model), from a state [state]."""
        count = len(times)
        if count > len(self._elapsed):
            self._reserve(count)
        np.maximum(times - state[self._clock], 0.0, out=self._elapsed[:count])
        self._state[:] = state
        self._inflow[:], self._lanes[:], self._clock_now[0], self._counter[0] = 0.0, 0, 0.0, 0
        self._sizes[TIMES] = count
        self._function(*self._pointers, *self._outputs, *self._last)
        out = self._out[:count].copy()
        out[:, self._clock] = times  # integrated, the clock has rounding errors
        out[:, self._constant_states] = state[self._constant_states]  # as interpolation has
        status = int(self._report[0])
        if status:
            self._next_step[0] = FIRST_STEP
            return Segment(out, SOLVER_STATUS[status], float(self._report[2]))
        return Segment(out)
