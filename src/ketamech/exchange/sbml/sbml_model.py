"""An imported SBML model as a system for the engine: names, initial values, events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
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
CLOCK = f"{STAGE}.clock.time"  # no id has a dot: no id can be taken for the clock
RATE_SUFFIX, AMOUNT_SUFFIX = ".rate", ".amount"  # suffixes of rates of change and amounts
DELAY, DELAY_START, SOURCE_SUFFIX = "delayed.", "delays.start", ".source"  # delayed values, and what is delayed
DELAY_ORDER = 5  # of the polynomial that a delayed value follows
FAST_RATE_FACTOR = (
    1e9  # how many times as fast as stated a fast reaction is: it stays at its equilibrium to about 1 / FAST
)
SWITCH = "switch."  # prefix of the quantities whose sign decides a trigger
ROUNDING = 1e-6  # share of its size below which a negative base of a power is a rounding error


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
    expression}; `constants`: numbers; `initial_assignments`: expressions evaluated once, at the start (then
    constants, whose expressions are `assigned_constants`); `amounts`
    {species: expression}; `concentrations` likewise, of species whose id means an amount; `state_of_id` {id: (state,
    its compartment or None)}: the state that an assignment to the id sets; `concentration_states` {state: compartment}:
    the amount is conserved when an event changes the volume; `delays` {state: how long ago it shows its source};
    `notes`: what the file leaves out and what is assumed.
    """

    title: str
    time_unit: str = ""
    symbol_of_id: dict[str, sympy.Expr] = field(default_factory=dict)
    rates: dict[str, sympy.Expr] = field(default_factory=dict)
    rules: dict[str, sympy.Expr] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    initial_assignments: dict[str, sympy.Expr] = field(default_factory=dict)
    assigned_constants: dict[str, sympy.Expr] = field(default_factory=dict)
    initial_values: dict[str, sympy.Expr] = field(default_factory=dict)
    amounts: dict[str, sympy.Expr] = field(default_factory=dict)
    concentrations: dict[str, sympy.Expr] = field(default_factory=dict)
    state_of_id: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    concentration_states: dict[str, str] = field(default_factory=dict)
    events: list[SbmlEvent] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)
    has_fast_reactions: bool = False
    notes: list[str] = field(default_factory=list)

    @cached_property
    def system(self) -> System:
        """The equations; every unit is 1, because units of imported models are not checked."""
        sizes = self.scales
        states = {name: State(name, "1", 0.0, (None, None), "", sizes[name], False, "level") for name in self.rates}
        offers = {name: Output(name, self._real_powers(rule), "1", "") for name, rule in self.rules.items()}
        offers |= {name: Output(name, self._real_powers(size), "1", "") for name, size in self.switches.items()}
        fluxes = [Flux(name, self._real_powers(rate), "as in the model") for name, rate in self.rates.items()]
        stage = Stage(STAGE, {}, states=states, outputs=offers, fluxes=fluxes, used_parameters=list(self.constants))
        return System(
            (stage,), _rows(self.constants), tuple(states.values()), order_outputs(tuple(offers.values())),
            tuple(fluxes), tuple(self.constants), (),
        )  # fmt: skip

    @cached_property
    def switches(self) -> dict[str, sympy.Expr]:
        """The quantities whose sign decides the triggers of events, as outputs."""
        conditions = {select.args[0]: None for event in self.events for select in event.trigger.atoms(select_positive)}
        ordered = sorted(conditions, key=str)
        return {f"{SWITCH}{i}": condition for i, condition in enumerate(ordered)}

    def _real_powers(self, expression: sympy.Expr) -> sympy.Expr:
        """An expression in which no rounding error below 0 makes a power with a broken exponent NaN."""

        def fails_below_0(part: sympy.Expr) -> bool:
            if not part.is_Pow or part.exp.is_Integer:
                return False
            return any(s.name not in self.constants for s in part.base.free_symbols)

        return sympy.sympify(expression).replace(fails_below_0, self._real_power)

    def _real_power(self, part: sympy.Expr) -> sympy.Expr:
        base, exponent = part.args
        rounding = ROUNDING * (self._size(base) or ROUNDING)
        if exponent.is_Number:
            positive = select_positive(base, base, sympy.Integer(0))
            return select_positive(base + rounding, positive**exponent, sympy.nan)
        odd = exponent - 2 * floor_(exponent / 2)  # 0 or 1 for a whole exponent
        below = select_positive(exponent - floor_(exponent), sympy.nan, (1 - 2 * odd) * (-base) ** exponent)
        at_0 = select_positive(exponent, sympy.Integer(0), select_positive(-exponent, sympy.oo, sympy.Integer(1)))
        return select_positive(base, part, select_positive(base + rounding, at_0, below))

    def _size(self, expression: sympy.Expr) -> float:
        """The size of an expression: how much it changes if each state changes by its scale at the start."""
        total = 0.0
        for part in expression.free_symbols:
            if part.name in self.rules:
                size = self._size(sympy.sympify(self.rules[part.name]))
            else:
                size = self.scales.get(part.name, 0.0)
            slope = compile_expression(expression.diff(part))(self.values_at_start) if size else 0.0
            total += abs(slope) * size if np.isfinite(slope) else 0.0
        return total

    @cached_property
    def values_at_start(self) -> dict[str, float]:
        """The value of every state, output and constant at time 0. Raises InputError for a cyclic dependency."""
        return self._values(self.constants)

    def values_before_start(self, time: float) -> dict[str, float]:
        """Values at a time before 0: no state moves, and what is stated as a formula of time follows it."""
        still = {name: 0.0 for name in self.rules if name.endswith(RATE_SUFFIX)}
        return self._values({**self.constants, **still, CLOCK: time})

    def _values(self, given: Mapping[str, float]) -> dict[str, float]:
        known = dict(given)
        for name, value in self._start_order:
            if name not in given or name in self.initial_assignments or name in self.assigned_constants:
                known[name] = value(known)
        return known

    @cached_property
    def _start_order(self) -> list[tuple[str, Callable[[Mapping[str, float]], float]]]:
        """The initial values as functions of those before them."""
        order = list[tuple[str, Callable[[Mapping[str, float]], float]]]()
        waiting = {**{name: self.initial_values[name] for name in self.rates}, **self.rules, **self.initial_assignments}
        known = set(self.constants) - set(self.initial_assignments)
        while waiting:
            ready = {n: e for n, e in waiting.items() if all(s.name in known for s in sympy.sympify(e).free_symbols)}
            if not ready:
                what = f"values with a cyclic dependency: {', '.join(sorted(waiting))}"
                raise InputError(what, expected="no cyclic dependency")
            for name, expression in ready.items():
                order.append((name, compile_expression(expression)))
                known.add(name)
                del waiting[name]
        return order

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


def _rows(constants: Mapping[str, float]) -> ParameterTable:
    """Constants as a parameter table with unit 1."""
    fixed = Distribution("fixed")
    return ParameterTable({n: Parameter(n, v, "1", fixed, "set", (), "", "", "", 1) for n, v in constants.items()})


def compile_expression(expression: sympy.Expr) -> Callable[[Mapping[str, float]], float]:
    """An expression as a function of named values."""
    expression = sympy.sympify(expression)
    if expression.is_Symbol:
        return lambda known: float(known[expression.name])
    if expression.is_Integer or expression.is_Float:
        return lambda known: float(expression)
    names = sorted(s.name for s in expression.free_symbols)
    made = compile_vector(expression, names)

    def value(known: Mapping[str, float]) -> float:
        with np.errstate(all="ignore"):
            return float(made(np.array([known[name] for name in names], dtype=float)))

    return value


def compile_vector(expression: sympy.Expr, names: Sequence[str]) -> Callable[[np.ndarray], Any]:
    """An expression as a function of an array [value, ...] in the order of `names`; a division by 0 is infinite."""
    used, made = _compiled(sympy.sympify(expression))
    places = [names.index(name) for name in used]
    return lambda values: made(*(values[place] for place in places))


@lru_cache(maxsize=10_000)  # a model that is read again with other numbers has the same formulas
def _compiled(expression: sympy.Expr) -> tuple[list[str], Callable[..., Any]]:
    used = sorted(s.name for s in expression.free_symbols)
    stand_ins = [sympy.Symbol(f"a{i}") for i in range(len(used))]
    replacements = {**dict(zip(map(symbol, used), stand_ins, strict=True)), sympy.zoo: sympy.oo}
    return used, sympy.lambdify(stand_ins, expression.xreplace(replacements), modules=[NUMPY, "numpy"])


def _where(x: Any, yes: Any, no: Any) -> Any:
    return np.where(x > 0, np.float64(yes), np.float64(no))  # a Python number would raise on division by 0


NUMPY = {"select_positive": _where, floor_.__name__: np.floor}


def qualified_name(identifier: str) -> str:
    """The name of an SBML id among the states and outputs."""
    return f"{STAGE}.{identifier}"
