"""A checked system of ordinary differential equations, still as symbols."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy

from ketamech.core.environment import short_hash
from ketamech.model.layout import OutputInfo, StateInfo, SystemLayout, SystemNames
from ketamech.model.stage import Flux, Output, Stage, State
from ketamech.parameters import ParameterTable


@dataclass(frozen=True)
class System(SystemNames):
    """Joined stages: states and outputs in order, one rate of change per state, units already checked."""

    stages: tuple[Stage, ...]
    parameters: ParameterTable
    states: tuple[State, ...]
    outputs: tuple[Output, ...]
    fluxes: tuple[Flux, ...]
    parameter_names: tuple[str, ...]
    baseline_names: tuple[str, ...]

    @cached_property
    def time_varying_outputs(self) -> tuple[Output, ...]:
        """Outputs that change with time: those that results hold."""
        return tuple(output for output in self.outputs if not output.is_constant)

    @cached_property
    def quantities(self) -> tuple[State | Output, ...]:
        """Everything with a name and a unit: states, then outputs."""
        return (*self.states, *self.outputs)

    @cached_property
    def stage_of(self) -> dict[str, str]:
        """The stage that declares a state or an output."""
        return {name: stage.name for stage in self.stages for name in (*stage.states, *stage.outputs)}

    @cached_property
    def rates(self) -> tuple[sympy.Expr, ...]:
        """Rate of change of every state, as the sum of its fluxes (in states, outputs, parameters)."""
        total: dict[str, list[sympy.Expr]] = {name: [] for name in self.state_names}
        for flux in self.fluxes:
            total[flux.state].append(flux.term)
        return tuple(sympy.Add(*total[name]) for name in self.state_names)

    @cached_property
    def layout(self) -> SystemLayout:
        """The contents of the system, without its equations."""
        stage_of = self.stage_of
        return SystemLayout(
            tuple(StateInfo(**vars(state), stage=stage_of[state.name]) for state in self.states),
            tuple(OutputInfo(o.name, o.unit, o.description, stage_of[o.name]) for o in self.time_varying_outputs),
            self.parameter_names,
            self.baseline_names,
            self.fingerprint,
            self._reads(),
        )

    def _reads(self) -> tuple[tuple[int, ...], ...]:
        """For each state and time-varying output, the indices of those that it reads, see `SystemLayout`."""
        place = {name: i for i, name in enumerate(self.output_names)}
        place |= {f"rest({name})": place[name] for name in self.baseline_names}
        expressions = (*self.rates, *(output.expression for output in self.time_varying_outputs))
        names = ({s.name for s in expression.free_symbols} for expression in expressions)
        return tuple(tuple(sorted({place[name] for name in row & place.keys()})) for row in names)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the equations and of the scales of the error control (not of the parameter values)."""
        lines = [f"{s.name}|{s.unit}|{s.is_sink}|{s.scale!r}" for s in self.states]
        lines += [sympy.srepr(rate) for rate in self.rates]
        lines += [f"{o.name}={sympy.srepr(o.expression)}" for o in self.outputs]
        return short_hash("\n".join((*lines, *self.inputs)))
