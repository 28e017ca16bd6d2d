"""The language in which a stage is written: states, parameters, one flux a line with its reason.

A `Stage` only writes down what it is told; `ketamech.system` joins the stages, walks the units and finds loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import sympy

from ketamech.core import BadModel, UnknownName, nearest, unit
from ketamech.stages.functions import exp, hill, log, positive_part, sqrt

__all__ = ["Flux", "Offer", "Stage", "State", "declare", "exp", "hill", "log", "positive_part", "sqrt"]


class HasUnit(Protocol):
    """What a stage needs to know of a parameter: its unit (values come later)."""

    @property
    def unit(self) -> str:
        """Unit as text."""


@dataclass(frozen=True)
class State:
    """A quantity that the equations move through time."""

    name: str
    unit: str
    at_rest: float
    within: tuple[float | None, float | None]
    about: str
    scale: float
    accumulates: bool
    kind: str


@dataclass(frozen=True)
class Flux:
    """One term of one rate of change, with the reason it is there."""

    state: str
    term: sympy.Expr
    because: str


@dataclass(frozen=True)
class Offer:
    """An algebraic quantity computed from states, parameters and other offers; `fixed`: from parameters alone."""

    name: str
    expression: sympy.Expr
    unit: str
    about: str
    fixed: bool = False


@dataclass
class Stage:
    """One stage while it is being declared. Units are text; expressions are SymPy."""

    name: str
    parameters: Mapping[str, HasUnit]
    about: str = ""
    states: dict[str, State] = field(default_factory=dict)
    fluxes: list[Flux] = field(default_factory=list)
    offered: dict[str, Offer] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    rested: dict[str, str] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def needs(self, name: str, unit_text: str) -> sympy.Symbol:
        """A state or offer of another stage, in the unit this stage expects it."""
        self.needed[name] = unit(unit_text).text
        return symbol(name)

    def parameter(self, name: str) -> sympy.Symbol:
        """A named value from the parameter tables. Raises UnknownName with the nearest name."""
        if name not in self.parameters:
            raise UnknownName(
                f"stage '{self.name}' asks for parameter '{name}', which no table has",
                nearest=nearest(name, self.parameters),
                type_this=f"a row {name},value,unit,... in data/parameters/{name.split('.')[0]}.csv",
            )
        if name not in self.used:
            self.used.append(name)
        return symbol(name)

    def state(
        self,
        name: str,
        unit_text: str,
        *,
        at_rest: float = 0.0,
        within: tuple[float | None, float | None] = (0.0, None),
        about: str = "",
        scale: float = 1.0,
        accumulates: bool = False,
        kind: str = "level",
    ) -> sympy.Symbol:
        """A new state. `at_rest` is the first guess of its drug-free value, `scale` its typical size."""
        self._refuse_second(name)
        unit(unit_text)
        self.states[name] = State(name, unit_text, at_rest, within, about, scale, accumulates, kind)
        return symbol(name)

    def rate(self, state: sympy.Symbol, term: sympy.Expr, *, because: str) -> None:
        """Add one term to the rate of change of a state of this stage."""
        if state.name not in self.states:
            raise BadModel(f"stage '{self.name}' changes '{state.name}', which it does not own")
        self.fluxes.append(Flux(state.name, sympy.sympify(term), because))

    def flow(self, source: sympy.Symbol, sink: sympy.Symbol, amount: sympy.Expr, *, because: str) -> None:
        """Material that leaves `source` and enters `sink`: mass is kept by construction."""
        self.rate(source, -amount, because=because)
        self.rate(sink, +amount, because=because)

    def offers(self, name: str, expression: sympy.Expr, unit_text: str, about: str = "") -> sympy.Symbol:
        """An algebraic output that other stages, figures and results may use."""
        self._refuse_second(name)
        unit(unit_text)
        self.offered[name] = Offer(name, sympy.sympify(expression), unit_text, about)
        return symbol(name)

    def define(self, name: str, expression: sympy.Expr, unit_text: str, about: str) -> sympy.Symbol:
        """A named quantity that depends on parameters alone: fixed for a person, so no curve is kept of it."""
        found = self.offers(name, expression, unit_text, about)
        self.offered[name] = replace(self.offered[name], fixed=True)
        return found

    def own(self, name: str) -> sympy.Symbol:
        """A state or offer that this stage itself has declared."""
        if name not in self.states and name not in self.offered:
            raise BadModel(f"stage '{self.name}' has not declared '{name}' yet")
        return symbol(name)

    def resting(self, name: str, unit_text: str) -> sympy.Symbol:
        """This person's own drug-free value of a state or offer of any stage."""
        self.rested[name] = unit_text
        return symbol(f"rest({name})")

    def _refuse_second(self, name: str) -> None:
        if name in self.states or name in self.offered:
            raise BadModel(f"stage '{self.name}' declares '{name}' twice")


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol of a named quantity: real, so that roots and powers stay simple."""
    return sympy.Symbol(name, real=True)


def declare(write: Callable[[Stage], None], parameters: Mapping[str, HasUnit]) -> Stage:
    """Let one stage function write itself down."""
    stage = Stage(write.__name__, parameters, about=(write.__doc__ or "").strip())
    write(stage)
    return stage
