"""The one task that everybody is given: patients who differ, the same doses, times and outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ketamech.bench import ours
from ketamech.core import SolveFailed
from ketamech.engine import Events
from ketamech.study.giving import sentence_entries
from ketamech.system import System, build

REGIMEN = "esketamine 84 mg nasal twice weekly for 4 weeks"
HORIZON = 28 * 24.0
TIMES = (0.25, 0.5, 1, 1.5, 2, 4, 8, 12, 24, 48, 96, 192, 241.5, 360, 528, 672)  # h; none at the instant of a dose
OUTPUTS = (
    "venous.esketamine",
    "venous.s_norketamine",
    "nmda.occupancy",
    "plasticity.bdnf",
    "spines.density",
    "mood.madrs",
    "dissociation.cadss",
)
SPREAD = 0.2  # SD of the logarithm of a drawn parameter
EVERY = 6  # one in so many of the parameters that have a lognormal spread is drawn: about forty
AT_ONCE = 0  # kind of an event: an amount enters at once


@dataclass(frozen=True)
class Segment:
    """A stretch between two events: from `start` to `stop` (h), what enters at `start`, what flows in throughout."""

    start: float
    stop: float
    jump: np.ndarray
    inflow: np.ndarray


@dataclass(frozen=True)
class Problem:
    """`inputs` [patient, input] with resting values in place, `start` [patient, state] drug-free, `drawn` input columns."""

    system: System
    inputs: np.ndarray
    start: np.ndarray
    given: Events
    times: np.ndarray
    outputs: tuple[str, ...]
    drawn: tuple[int, ...]

    @property
    def scale(self) -> np.ndarray:
        """Declared size of every state."""
        return np.array([state.scale for state in self.system.states])

    def first(self, count: int) -> Problem:
        """The same task for the first `count` patients only."""
        return replace(self, inputs=self.inputs[:count], start=self.start[:count])

    def segments(self) -> list[Segment]:
        """The stretches between events; what is given at one time is given in one jump."""
        marks = np.unique(np.concatenate([[0.0, self.times[-1]], self.given.time]))
        inflow, found = np.zeros(self.start.shape[1]), []
        for start, stop in pairwise(marks[marks <= self.times[-1]].tolist()):
            jump, inflow = np.zeros_like(inflow), inflow.copy()
            for i in np.flatnonzero(self.given.time == start):
                (jump if self.given.kind[i] == AT_ONCE else inflow)[self.given.state[i]] += self.given.size[i]
            inflow[np.abs(inflow) < 1e-9] = 0.0
            found.append(Segment(start, stop, jump, inflow))
        return found


def pose(count: int, *, seed: int = 1, times: tuple[float, ...] = TIMES) -> Problem:
    """The task for `count` patients. Raises SolveFailed when one has no drug-free rest state."""
    system = build()
    entries = sentence_entries(REGIMEN, system.parameters, {}, HORIZON)
    columns = drawn_columns(system)
    inputs = draw(system, columns, count, seed)
    start, found = ours.rest_of(system, inputs)
    if not np.all(found):
        raise SolveFailed(f"{int(np.sum(~found))} of {count} drawn patients have no rest state")
    moved = columns + tuple(range(len(system.parameter_names), len(system.inputs)))
    given = ours.events_of(system, entries)
    return Problem(system, inputs, start, given, np.array(times, dtype=float), OUTPUTS, moved)


def drawn_columns(system: System) -> tuple[int, ...]:
    """Which inputs differ between patients: every few of those with a lognormal spread, the person's own left alone."""
    spread = [
        i
        for i, name in enumerate(system.parameter_names)
        if system.parameters[name].spread.kind == "lognormal" and not name.startswith("person.")
    ]
    return tuple(spread[::EVERY])


def draw(system: System, columns: tuple[int, ...], count: int, seed: int, chunk: int = 0) -> np.ndarray:
    """Inputs [patient, input] of `count` patients; `chunk` numbers the stretch of a long list of patients."""
    chance = np.random.Generator(np.random.Philox(key=[seed, chunk]))
    typical = [system.parameters[name].canonical for name in system.parameter_names]
    inputs = np.tile(typical + [0.0] * len(system.rested), (count, 1))
    inputs[:, columns] *= np.exp(SPREAD * chance.standard_normal((count, len(columns))))
    return inputs
