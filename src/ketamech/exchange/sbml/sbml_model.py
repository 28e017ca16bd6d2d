"""A model of other people, as a system that our engine solves: what stands for what, how it starts, what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from ketamech.core import InputError
from ketamech.engine.codegen.lowering import floor_, select_positive
from ketamech.model.assemble import order_outputs
from ketamech.model.stage import Flux, Output, Stage, State, symbol
from ketamech.model.system import System
from ketamech.parameters import Distribution, Parameter, ParameterTable

STAGE = "model"
CLOCK = f"{STAGE}.time"
SLOPE, AMOUNT = ".rate", ".amount"  # after the name of what they are of


@dataclass(frozen=True)
class SbmlEvent:
    """An event: fires when `trigger` (a number, true above 0.5) becomes true; then sets targets after `delay`.

    `assigned`: (id, value) in symbols; `early`: values are those of the moment it fires, not of when it is carried out.
    """

    name: str
    trigger: sympy.Expr
    assignments: tuple[tuple[str, sympy.Expr], ...]
    delay: sympy.Expr
    priority: sympy.Expr | None
    values_from_trigger_time: bool
    persistent: bool
    initially: bool


@dataclass
class SbmlModel:
    """Everything read from a model, by id.

    `meaning` {id: expression in states, offers and constants}; `rates` {state: expression}; `rules` {offer:
    expression}; `constants` are numbers, `fixed` what is worked out once, at the start; `amounts` {species:
    expression}; `kept` {species: (state, its compartment or none)} says what an assignment to a species means for its
    state; `diluted` {state kept as a concentration: its compartment}, whose amount stays when an event moves the size.
    """

    title: str
    symbol_of_id: dict[str, sympy.Expr] = field(default_factory=dict)
    rates: dict[str, sympy.Expr] = field(default_factory=dict)
    rules: dict[str, sympy.Expr] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    fixed: dict[str, sympy.Expr] = field(default_factory=dict)
    starts: dict[str, sympy.Expr] = field(default_factory=dict)
    amounts: dict[str, sympy.Expr] = field(default_factory=dict)
    state_of_id: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    concentration_states: dict[str, str] = field(default_factory=dict)
    events: list[SbmlEvent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def system(self) -> System:
        """The equations; every unit is 1, since units of other models are not checked here."""
        sizes = self.sizes
        states = {name: State(name, "1", 0.0, (None, None), "", sizes[name], False, "level") for name in self.rates}
        offers = {name: Output(name, rule, "1", "") for name, rule in self.rules.items()}
        fluxes = [Flux(name, sympy.sympify(rate), "as in the model") for name, rate in self.rates.items()]
        stage = Stage(STAGE, {}, states=states, outputs=offers, fluxes=fluxes, used_parameters=list(self.constants))
        return System(
            (stage,), _rows(self.constants), tuple(states.values()), order_outputs(tuple(offers.values())),
            tuple(fluxes), tuple(self.constants), (),
        )  # fmt: skip

    @cached_property
    def start(self) -> dict[str, float]:
        """The value of every state, offer and constant at time 0. Raises BadInput where one needs another in a loop."""
        known: dict[str, float] = dict(self.constants)
        waiting = {**{name: self.starts[name] for name in self.rates}, **self.rules, **self.fixed}
        while waiting:
            ready = {n: e for n, e in waiting.items() if all(s.name in known for s in sympy.sympify(e).free_symbols)}
            if not ready:
                raise InputError(f"values that need one another: {', '.join(sorted(waiting))}", expected="no loop")
            for name, expression in ready.items():
                known[name] = evaluate(expression, known)
                del waiting[name]
        return known

    def resolve_initial_values(self) -> None:
        """Make what is worked out once, at the start, a constant. Raises BadInput as `start` does."""
        if self.fixed:
            self.constants |= {name: self.start[name] for name in self.fixed}
            self.fixed.clear()

    def slope(self, name: str, within: tuple[str, ...] = ()) -> sympy.Expr:
        """How fast a state, an offer or a constant changes. Raises BadInput where one needs another in a loop."""
        if name in self.rates:
            return self.rates[name]
        if name in within or name.endswith(SLOPE):
            raise InputError(f"the rate of change of '{name.partition('.')[2]}' needs itself", expected="no loop")
        rule = sympy.sympify(self.rules.get(name, 0))
        parts = [rule.diff(s) * self.slope(s.name, (*within, name)) for s in sorted(rule.free_symbols, key=str)]
        return sympy.Add(*parts)

    @cached_property
    def sizes(self) -> dict[str, float]:
        """A typical size of each state: its start, or that of the largest for one that starts at 0."""
        found = {name: abs(self.start[name]) for name in self.rates if name != CLOCK}
        usual = max((size for size in found.values() if np.isfinite(size)), default=0.0) or 1.0
        return {CLOCK: 1.0, **{name: size or usual for name, size in found.items()}}

    @cached_property
    def at_times(self) -> Callable[[np.ndarray], dict[str, float]]:
        """Values of states [state] -> every value by name."""
        names, order = list(self.rates), [offer.name for offer in self.system.outputs]
        steps = [(name, compile_expression(self.rules[name])) for name in order]

        def compute(y: np.ndarray) -> dict[str, float]:
            known = {**self.constants, **dict(zip(names, y.tolist(), strict=True))}
            for name, step in steps:
                known[name] = step(known)
            return known

        return compute


def _rows(constants: Mapping[str, float]) -> ParameterTable:
    """Constants as a parameter table: values without a unit."""
    fixed = Distribution("fixed")
    return ParameterTable({n: Parameter(n, v, "1", fixed, "set", (), "", "", "", 1) for n, v in constants.items()})


def compile_expression(expression: sympy.Expr) -> Callable[[Mapping[str, float]], float]:
    """An expression as a function of named values."""
    expression = sympy.sympify(expression)
    names = sorted(s.name for s in expression.free_symbols)
    arguments = [symbol(name) for name in names]
    stand_ins = [sympy.Symbol(f"a{i}") for i in range(len(names))]
    body = expression.xreplace(dict(zip(arguments, stand_ins, strict=True)))
    made = sympy.lambdify(stand_ins, body, modules=[{"select_positive": _where, floor_.__name__: np.floor}, "numpy"])

    def value(known: Mapping[str, float]) -> float:
        with np.errstate(all="ignore"):
            return float(made(*(np.float64(known[name]) for name in names)))

    return value


def evaluate(expression: sympy.Expr, known: Mapping[str, float]) -> float:
    """The value of an expression."""
    return compile_expression(expression)(known)


def _where(x: Any, yes: Any, no: Any) -> Any:
    return np.float64(yes if x > 0 else no)  # not Python's own number, which dividing by 0 would stop


def named(identifier: str) -> str:
    """The name of an id of the model among our states and offers."""
    return f"{STAGE}.{identifier}"


def crossing_function(condition: Callable[[sympy.Expr, sympy.Expr], sympy.Expr]) -> sympy.Expr:
    """A condition as a number: 1 where it holds, 0 where not."""
    return condition(sympy.Integer(1), sympy.Integer(0))


def ids(names: Sequence[str]) -> list[str]:
    """Names without the stage."""
    return [name.removeprefix(f"{STAGE}.") for name in names]


__all__ = [
    "CLOCK",
    "SbmlEvent",
    "SbmlModel",
    "compile_expression",
    "crossing_function",
    "evaluate",
    "ids",
    "named",
    "select_positive",
]
