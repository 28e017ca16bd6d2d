"""The benchmark case: different patients with the same doses, output times and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import SolverError
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.engine import Events
from ketamech.engine.events import to_table
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import Model, load_model

if TYPE_CHECKING:
    from ketamech.model.system import System

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
DRAW_EVERY = 6  # every sixth parameter with a lognormal spread is drawn, about forty in all
ROUNDING = 1e-12  # of a state's declared size: a start below it is 0
BOLUS_KIND = 0  # kind of an event: an amount enters at once


@dataclass(frozen=True)
class Segment:
    """The interval between two events: `start` and `stop` (h), bolus at `start`, constant inflow."""

    start: float
    stop: float
    jump: np.ndarray
    inflow: np.ndarray


@dataclass(frozen=True)
class BenchmarkCase:
    """`inputs` [patient, input] with baseline values, drug-free `start` [patient, state], and the dose `events`.

    A slice has equations of its own (`part`) for some of the states; `whole` is the case that it was cut from.
    """

    model: Model
    inputs: np.ndarray
    start: np.ndarray
    events: Events
    times: np.ndarray
    outputs: tuple[str, ...]
    part: System | None = None
    whole: BenchmarkCase | None = None

    @property
    def system(self) -> System:
        """The symbolic equations, for engines that need them."""
        return self.part or self.model.system

    @property
    def scale(self) -> np.ndarray:
        """Declared size of every state."""
        states = self.part.states if self.part else self.model.layout.states
        return np.array([state.scale for state in states])

    def subset(self, count: int) -> BenchmarkCase:
        """The same task for the first `count` patients only."""
        whole = self.whole and self.whole.subset(count)
        return replace(self, inputs=self.inputs[:count], start=self.start[:count], whole=whole)

    def sliced(self, outputs: Sequence[str]) -> BenchmarkCase:
        """The task with some of the outputs, and the equations of the slice that KetaMech runs for them."""
        from benchmarks.straight_line_code import part_of

        kernel, table = self.model.kernel_for(outputs), to_table([self.events])
        kernel.compile_slices(len(self.start))
        code = kernel.code_for_run("cpu", np.unique(table.state).tolist(), patients=len(self.start))
        assert code.states is not None
        assert code.absent is not None
        system = part_of(self.model.system, code.states.tolist(), code.absent.tolist(), outputs)
        events, start = table.within(code.states).patient(0), self.start[:, code.states]
        inputs = self.inputs[:, [self.system.inputs.index(name) for name in system.inputs]]
        return replace(
            self, inputs=inputs, start=start, events=events, outputs=tuple(outputs), part=system, whole=self
        )  # fmt: skip

    def infused(self) -> list[int]:
        """States with a constant inflow at any time."""
        return sorted({int(i) for i in self.events.state[self.events.kind != BOLUS_KIND]})

    def segments(self) -> list[Segment]:
        """The intervals between events; boluses at one time are added up."""
        end = float(self.times[-1])
        marks = np.unique([0.0, end, *self.events.time[self.events.time < end]]).tolist()
        inflow, found = np.zeros(self.start.shape[1]), []
        for start, stop in pairwise(marks):
            jump, inflow = np.zeros_like(inflow), inflow.copy()
            for i in np.flatnonzero(self.events.time == start):
                (jump if self.events.kind[i] == BOLUS_KIND else inflow)[self.events.state[i]] += self.events.size[i]
            inflow[np.abs(inflow) < 1e-9] = 0.0  # rounding error at the end of an infusion
            found.append(Segment(start, stop, jump, inflow))
        return found


def make_case(
    count: int, *, model: Model | None = None, times: Sequence[float] = TIMES, seed: int = 1
) -> BenchmarkCase:
    """The case for `count` patients. Raises SolverError when a patient has no drug-free steady state."""
    model = model or load_model()
    patients = draw(model, count, seed)
    first = patients.initial()
    if not first.found.all():
        raise SolverError(f"{int(np.sum(~first.found))} of {count} drawn patients have no rest state")
    start, scale = first.state, np.array([state.scale for state in model.layout.states])
    start[np.abs(start) < ROUNDING * scale] = 0.0  # COPASI's tolerances follow the start: 1e-18 would stop it
    return BenchmarkCase(model, first.inputs, start, patients.events.patient(0), np.array(times, dtype=float), OUTPUTS)


def drawn_columns(model: Model) -> list[int]:
    """Inputs that differ between patients: every sixth parameter with a lognormal spread, except person.*."""
    spread = [
        i
        for i, name in enumerate(model.layout.parameter_names)
        if model.parameters[name].spread.kind == "lognormal" and not name.startswith("person.")
    ]
    return spread[::DRAW_EVERY]


def draw(model: Model, count: int, seed: int, chunk: int = 0) -> Ensemble:
    """`count` patients on the regimen; `chunk`: number of a part of a large cohort."""
    chance = np.random.Generator(np.random.Philox(key=[seed, chunk]))
    names = [model.layout.parameter_names[i] for i in drawn_columns(model)]
    factors = np.exp(SPREAD * chance.standard_normal((count, len(names))))
    values = {name: model.default_values[name] * factors[:, k] for k, name in enumerate(names)}
    return Ensemble.of(model, values, dose_events(Regimen.parse(REGIMEN), model.parameters, {}, HORIZON), count)
