"""Delayed values of an imported model, by the method of steps.

A segment is no longer than the shortest delay, so that delayed values are known before it begins. There a delayed value
is a state whose rate of change is a polynomial of time; its coefficients are inputs of the kernel. Before the start, a
delayed value is the initial one.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import sympy

from ketamech.exchange.sbml.sbml_model import CLOCK, DELAY_ORDER, DELAY_START, SOURCE_SUFFIX, SbmlModel
from ketamech.exchange.sbml.segment_solver import SegmentSolver
from ketamech.model.stage import symbol

SEGMENT_MARGIN = 1e-9  # share of a segment
NODES = DELAY_ORDER + 1  # values that a polynomial passes through


class DelayedValues:
    """The history of delayed values, and their polynomials in the next segment.

    `breaks`: times at which a value may jump or bend; no polynomial extends across one.
    """

    def __init__(self, model: SbmlModel, solver: SegmentSolver, names: list[str], row: np.ndarray) -> None:
        self.delays, self.solver = model.delays, solver
        self.clock = names.index(CLOCK)
        self.sources = [names.index(name + SOURCE_SUFFIX) for name in model.delays]
        self.initial = row[[names.index(name) for name in model.delays]]
        self.values_before = model.values_before_start if self._depends_on_time(model) else None
        self.source_names = [name + SOURCE_SUFFIX for name in model.delays]
        parameters = model.system.parameter_names
        self.start = parameters.index(DELAY_START)
        powers = range(1, DELAY_ORDER + 1)
        self.coefficients = [[parameters.index(f"{name}.{power}") for power in powers] for name in model.delays]
        self.states = [solver.states.index(name) for name in model.delays]
        self.ends: list[float] = []
        self.pieces: list[tuple[np.ndarray, np.ndarray]] = []
        self.breaks = [float(row[self.clock])]

    @staticmethod
    def _depends_on_time(model: SbmlModel) -> bool:
        """Whether a value is stated as a formula of time, which then holds before the start too."""
        expressions = (*model.initial_values.values(), *model.rules.values(), *model.assigned_constants.values())
        return any(symbol(CLOCK) in sympy.sympify(value).free_symbols for value in expressions)

    def last_known(self, begin: float, stop: float) -> float:
        """The end of a segment from `begin` in which every delayed value is known and smooth."""
        margin = 1e-9 * max(abs(begin), 1e-3)
        for lag in self.delays.values():
            if lag > margin:
                stop = min(stop, begin + lag)
            stop = min([stop, *(time + lag for time in self.breaks if time + lag > begin + margin)])
        return stop

    def prepare(self, state: np.ndarray, stop: float) -> np.ndarray:
        """Set the polynomials up to `stop`; returns the state with the delayed values at its time."""
        begin = state[self.clock]
        fractions = SEGMENT_MARGIN + (1.0 - 2.0 * SEGMENT_MARGIN) * np.linspace(
            0.0, 1.0, NODES
        )  # excludes jumps at both ends
        inverse = np.linalg.inv(np.vander(fractions, increasing=True))
        scales = (stop - begin) ** np.arange(NODES)
        self.solver.inputs[self.start] = begin
        for i, lag in enumerate(self.delays.values()):
            values = np.array([self._at(begin + fraction * (stop - begin) - lag, i) for fraction in fractions])
            self.solver.inputs[self.coefficients[i]] = (inverse @ values / scales)[1:]
        return self.current(state)

    def current(self, state: np.ndarray) -> np.ndarray:
        """The state with the delayed values of its time; at a jump, those after it."""
        state = state.copy()
        for i, lag in enumerate(self.delays.values()):
            time = state[self.clock] - lag
            state[self.states[i]] = self._at(time + SEGMENT_MARGIN * max(abs(time), 1e-3), i)
        return state

    def remember(self, rows: np.ndarray) -> None:
        """Add the rows of a segment, from its beginning to its end."""
        nodes = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), NODES + 1)).astype(int))]
        times = nodes[:, self.clock]
        if times[-1] > times[0]:
            self.ends.append(float(times[-1]))
            self.pieces.append((times, nodes[:, self.sources]))

    def _at(self, time: float, index: int) -> float:
        """The value that is delayed, at an earlier time."""
        if not self.ends or time <= self.breaks[0]:
            known_values = self.values_before(time) if self.values_before else None
            return float(known_values[self.source_names[index]] if known_values else self.initial[index])
        times, values = self.pieces[min(bisect_left(self.ends, time), len(self.ends) - 1)]
        distinct = np.concatenate([[True], np.diff(times) > 0])
        times, known_values = times[distinct], values[distinct, index]
        total = 0.0
        for i, node_time in enumerate(times):
            others = np.delete(times, i)
            total += known_values[i] * float(np.prod((time - others) / (node_time - others)))
        return total
