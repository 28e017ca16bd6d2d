"""An imported SBML model as a system for the engine: names, initial values, events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from ketamech.core import InputError
from ketamech.engine.codegen.lowering import floor_
from ketamech.model.assemble import order_outputs
from ketamech.model.stage import Flux, Output, Stage, State, symbol
from ketamech.model.system import System
from ketamech.parameters import Distribution, Parameter, ParameterTable

STAGE = "model"
CLOCK = f"{STAGE}.time"
RATE_SUFFIX, AMOUNT_SUFFIX = ".rate", ".amount"  # suffixes of rates of change and amounts


@dataclass(frozen=True)
class SbmlEvent:
    """An event: fires when `trigger` (true above 0.5) becomes true and executes its assignments after `delay`.

    `assignments`: (id, value) in symbols; `values_from_trigger_time`: values are computed when it fires.
    """

    name: str
    trigger: sympy.Expr
    assignments: tuple[tuple[str, sympy.Expr], ...]
    delay: sympy.Expr
    priority: sympy.Expr | None
    values_from_trigger_time: bool
    persistent: bool
    initially_true: bool


@dataclass
class SbmlModel:
    """The contents of a model, by id.

    `symbol_of_id` {id: expression in states, outputs and constants}; `rates` {state: expression}; `rules` {output:
    expression}; `constants`: numbers; `initial_assignments`: expressions evaluated once, at the start; `amounts`
    {species: expression}; `state_of_id` {id: (state, its compartment or None)}: the state that an assignment to the id
    sets; `concentration_states` {state: compartment}: the amount is conserved when an event changes the volume.
    """

    title: str
    symbol_of_id: dict[str, sympy.Expr] = field(default_factory=dict)
    rates: dict[str, sympy.Expr] = field(default_factory=dict)
    rules: dict[str, sympy.Expr] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    initial_assignments: dict[str, sympy.Expr] = field(default_factory=dict)
    initial_values: dict[str, sympy.Expr] = field(default_factory=dict)
    amounts: dict[str, sympy.Expr] = field(default_factory=dict)
    state_of_id: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    concentration_states: dict[str, str] = field(default_factory=dict)
    events: list[SbmlEvent] = field(default_factory=list)

    @cached_property
    def system(self) -> System:
        """The equations; every unit is 1, because units of imported models are not checked."""
        sizes = self.scales
        states = {name: State(name, "1", 0.0, (None, None), "", sizes[name], False, "level") for name in self.rates}
        offers = {name: Output(name, rule, "1", "") for name, rule in self.rules.items()}
        fluxes = [Flux(name, sympy.sympify(rate), "as in the model") for name, rate in self.rates.items()]
        stage = Stage(STAGE, {}, states=states, outputs=offers, fluxes=fluxes, used_parameters=list(self.constants))
        return System(
            (stage,), _rows(self.constants), tuple(states.values()), order_outputs(tuple(offers.values())),
            tuple(fluxes), tuple(self.constants), (),
        )  # fmt: skip

    @cached_property
    def values_at_start(self) -> dict[str, float]:
        """The value of every state, output and constant at time 0. Raises InputError for a cyclic dependency."""
        known: dict[str, float] = dict(self.constants)
        waiting = {**{name: self.initial_values[name] for name in self.rates}, **self.rules, **self.initial_assignments}
        while waiting:
            ready = {n: e for n, e in waiting.items() if all(s.name in known for s in sympy.sympify(e).free_symbols)}
            if not ready:
                what = f"values with a cyclic dependency: {', '.join(sorted(waiting))}"
                raise InputError(what, expected="no cyclic dependency")
            for name, expression in ready.items():
                known[name] = compile_expression(expression)(known)
                del waiting[name]
        return known

    def rate_of_change(self, name: str, within: tuple[str, ...] = ()) -> sympy.Expr:
        """Rate of change of a state, output or constant. Raises InputError for a cyclic dependency."""
        if name in self.rates:
            return self.rates[name]
        if name in within or name.endswith(RATE_SUFFIX):
            what = f"the rate of change of '{name.partition('.')[2]}' depends on itself"
            raise InputError(what, expected="no cyclic dependency")
        rule = sympy.sympify(self.rules.get(name, 0))
        parts = sorted(rule.free_symbols, key=str)
        return sympy.Add(*(rule.diff(s) * self.rate_of_change(s.name, (*within, name)) for s in parts))

    @cached_property
    def scales(self) -> dict[str, float]:
        """The scale of each state: its initial value, or the largest initial value for a state that starts at 0."""
        found = {name: abs(self.values_at_start[name]) for name in self.rates if name != CLOCK}
        usual = max((size for size in found.values() if np.isfinite(size)), default=0.0) or 1.0
        return {CLOCK: 1.0, **{name: size or usual for name, size in found.items()}}

    @cached_property
    def _compiled_rules(self) -> dict[str, Callable[[Mapping[str, float]], float]]:
        """The rules as functions, each after those that it needs."""
        return {offer.name: compile_expression(self.rules[offer.name]) for offer in self.system.outputs}

    def values_at(self, state: np.ndarray) -> dict[str, float]:
        """Every value by name at the states [state]."""
        known = {**self.constants, **dict(zip(self.rates, state.tolist(), strict=True))}
        for name, compute in self._compiled_rules.items():
            known[name] = compute(known)
        return known


def _rows(constants: Mapping[str, float]) -> ParameterTable:
    """Constants as a parameter table with unit 1."""
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


def _where(x: Any, yes: Any, no: Any) -> Any:
    return np.float64(yes if x > 0 else no)  # a Python float would raise on division by 0


def qualified_name(identifier: str) -> str:
    """The name of an SBML id among the states and outputs."""
    return f"{STAGE}.{identifier}"
