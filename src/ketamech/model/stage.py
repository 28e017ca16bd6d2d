"""The stage language: states, parameters, and one flux per line with its reason.

A `Stage` only records declarations; `ketamech.model.assemble` joins stages, checks units and finds loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import sympy

from ketamech.core import ModelError, require_known
from ketamech.core import unit as parse_unit
from ketamech.model.functions import exp, hill, log, positive_part, sqrt

__all__ = ["Flux", "Output", "Stage", "State", "declare_stage", "exp", "hill", "log", "positive_part", "sqrt"]


class HasUnit(Protocol):
    """The part of a parameter that a stage needs: its unit (values come later)."""

    @property
    def unit(self) -> str:
        """Unit as text."""


@dataclass(frozen=True)
class State:
    """A quantity with a rate of change."""

    name: str
    unit: str
    initial_guess: float
    bounds: tuple[float | None, float | None]
    description: str
    scale: float
    is_sink: bool
    kind: str


@dataclass(frozen=True)
class Flux:
    """One term of one rate of change, with its reason."""

    state: str
    term: sympy.Expr
    because: str


@dataclass(frozen=True)
class Output:
    """An algebraic quantity of states, parameters and other outputs; `is_constant`: of parameters alone."""

    name: str
    expression: sympy.Expr
    unit: str
    description: str
    is_constant: bool = False


@dataclass
class Stage:
    """One stage while it is being declared. Units are text; expressions are SymPy."""

    name: str
    parameters: Mapping[str, HasUnit]
    description: str = ""
    states: dict[str, State] = field(default_factory=dict)
    fluxes: list[Flux] = field(default_factory=list)
    outputs: dict[str, Output] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    baselines: dict[str, str] = field(default_factory=dict)
    used_parameters: list[str] = field(default_factory=list)

    def input(self, name: str, unit: str) -> sympy.Symbol:
        """A state or output of another stage, in the unit that this stage expects."""
        self.inputs[name] = parse_unit(unit).text
        return symbol(name)

    def parameter(self, name: str) -> sympy.Symbol:
        """A named value from the parameter tables. Raises UnknownNameError with the nearest name."""
        what = f"stage '{self.name}' uses parameter '{name}', which is in no table"
        example = f"a row {name},value,unit,... in data/parameters/{name.split('.')[0]}.csv"
        require_known(name, self.parameters, what, type_this=example)
        if name not in self.used_parameters:
            self.used_parameters.append(name)
        return symbol(name)

    def state(
        self, name: str, unit: str, *, initial_guess: float = 0.0,
        bounds: tuple[float | None, float | None] = (0.0, None), description: str = "", scale: float = 1.0,
        is_sink: bool = False, kind: str = "level",
    ) -> sympy.Symbol:  # fmt: skip
        """A new state. `initial_guess` starts the search for its drug-free value; `scale` is its typical size."""
        self._check_unique(name)
        parse_unit(unit)
        self.states[name] = State(name, unit, initial_guess, bounds, description, scale, is_sink, kind)
        return symbol(name)

    def rate(self, state: sympy.Symbol, term: sympy.Expr, *, because: str) -> None:
        """Add one term to the rate of change of a state of this stage."""
        if state.name not in self.states:
            raise ModelError(f"stage '{self.name}' changes '{state.name}', which it does not declare")
        self.fluxes.append(Flux(state.name, sympy.sympify(term), because))

    def transfer(self, source: sympy.Symbol, sink: sympy.Symbol, amount: sympy.Expr, *, because: str) -> None:
        """Material that leaves `source` and enters `sink`: mass is conserved by construction."""
        self.rate(source, -amount, because=because)
        self.rate(sink, +amount, because=because)

    def output(self, name: str, expression: sympy.Expr, unit: str, description: str = "") -> sympy.Symbol:
        """An algebraic output that other stages, figures and results may use."""
        self._check_unique(name)
        parse_unit(unit)
        self.outputs[name] = Output(name, sympy.sympify(expression), unit, description)
        return symbol(name)

    def constant(self, name: str, expression: sympy.Expr, unit: str, description: str) -> sympy.Symbol:
        """A named quantity that depends on parameters alone: constant for a person, so no result holds it."""
        defined = self.output(name, expression, unit, description)
        self.outputs[name] = replace(self.outputs[name], is_constant=True)
        return defined

    def ref(self, name: str) -> sympy.Symbol:
        """A state or output that this stage has already declared."""
        if name not in self.states and name not in self.outputs:
            raise ModelError(f"stage '{self.name}' has not declared '{name}' yet")
        return symbol(name)

    def baseline(self, name: str, unit: str) -> sympy.Symbol:
        """This person's own drug-free value of a state or output of any stage."""
        self.baselines[name] = unit
        return symbol(f"rest({name})")

    def _check_unique(self, name: str) -> None:
        if name in self.states or name in self.outputs:
            raise ModelError(f"stage '{self.name}' declares '{name}' twice")


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol of a named quantity: real, so that roots and powers stay simple."""
    return sympy.Symbol(name, real=True)


def declare_stage(write: Callable[[Stage], None], parameters: Mapping[str, HasUnit]) -> Stage:
    """Run one stage function and return its declarations."""
    stage = Stage(write.__name__, parameters, description=(write.__doc__ or "").strip())
    write(stage)
    return stage
