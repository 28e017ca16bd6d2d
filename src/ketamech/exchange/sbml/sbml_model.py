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
FAST_RATE_FACTOR = 1e9  # factor of fast reactions, which stay at their equilibrium to about 1 / FAST_RATE_FACTOR
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
    the amount is conserved when an event changes the volume; `delays` {state: delay of its source};
    `notes`: missing values of the file and assumptions.
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
        scales = self.scales
        states = {name: State(name, "1", 0.0, (None, None), "", scales[name], False, "level") for name in self.rates}
        outputs = {name: Output(name, self._real_powers(rule), "1", "") for name, rule in self.rules.items()}
        outputs |= {name: Output(name, self._real_powers(size), "1", "") for name, size in self.switches.items()}
        fluxes = [Flux(name, self._real_powers(rate), "as in the model") for name, rate in self.rates.items()]
        stage = Stage(STAGE, {}, states=states, outputs=outputs, fluxes=fluxes, used_parameters=list(self.constants))
        return System(
            (stage,), _rows(self.constants), tuple(states.values()), order_outputs(tuple(outputs.values())),
            tuple(fluxes), tuple(self.constants), (),
        )  # fmt: skip

    @cached_property
    def switches(self) -> dict[str, sympy.Expr]:
        """The quantities whose sign decides the triggers of events, as outputs."""
        conditions = {select.args[0]: None for event in self.events for select in event.trigger.atoms(select_positive)}
        ordered = sorted(conditions, key=str)
        return {f"{SWITCH}{i}": condition for i, condition in enumerate(ordered)}

    def _real_powers(self, expression: sympy.Expr) -> sympy.Expr:
        """The expression with powers whose fractional exponents are not NaN for a rounding error below 0."""

        def fails_below_0(power: sympy.Expr) -> bool:
            if not power.is_Pow or power.exp.is_Integer:
                return False
            return any(s.name not in self.constants for s in power.base.free_symbols)

        return sympy.sympify(expression).replace(fails_below_0, self._real_power)

    def _real_power(self, power: sympy.Expr) -> sympy.Expr:
        base, exponent = power.args
        rounding = ROUNDING * (self._size(base) or ROUNDING)
        if exponent.is_Number:
            positive = select_positive(base, base, sympy.Integer(0))
            return select_positive(base + rounding, positive**exponent, sympy.nan)
        parity = exponent - 2 * floor_(exponent / 2)  # 0 or 1 for a whole exponent
        negative_case = select_positive(exponent - floor_(exponent), sympy.nan, (1 - 2 * parity) * (-base) ** exponent)
        zero_case = select_positive(exponent, sympy.Integer(0), select_positive(-exponent, sympy.oo, sympy.Integer(1)))
        return select_positive(base, power, select_positive(base + rounding, zero_case, negative_case))

    def _size(self, expression: sympy.Expr) -> float:
        """The size of an expression: how much it changes if each state changes by its scale at the start."""
        total = 0.0
        for symbol_ in expression.free_symbols:
            if symbol_.name in self.rules:
                size = self._size(sympy.sympify(self.rules[symbol_.name]))
            else:
                size = self.scales.get(symbol_.name, 0.0)
            derivative = compile_expression(expression.diff(symbol_))(self.values_at_start) if size else 0.0
            total += abs(derivative) * size if np.isfinite(derivative) else 0.0
        return total

    @cached_property
    def values_at_start(self) -> dict[str, float]:
        """The value of every state, output and constant at time 0. Raises InputError for a cyclic dependency."""
        return self._values(self.constants)

    def values_before_start(self, time: float) -> dict[str, float]:
        """Values at a time before 0: states are constant, and formulas of time follow it."""
        zero_rates = {name: 0.0 for name in self.rules if name.endswith(RATE_SUFFIX)}
        return self._values({**self.constants, **zero_rates, CLOCK: time})

    def _values(self, fixed_values: Mapping[str, float]) -> dict[str, float]:
        values = dict(fixed_values)
        for name, function in self._start_order:
            if name not in fixed_values or name in self.initial_assignments or name in self.assigned_constants:
                values[name] = function(values)
        return values

    @cached_property
    def _start_order(self) -> list[tuple[str, Callable[[Mapping[str, float]], float]]]:
        """The initial values as functions of those before them."""
        order = list[tuple[str, Callable[[Mapping[str, float]], float]]]()
        pending = {**{n: self.initial_values[n] for n in self.rates}, **self.rules, **self.initial_assignments}
        known = set(self.constants) - set(self.initial_assignments)
        while pending:
            computable = {
                name: e for name, e in pending.items() if all(s.name in known for s in sympy.sympify(e).free_symbols)
            }
            if not computable:
                message = f"values with a cyclic dependency: {', '.join(sorted(pending))}"
                raise InputError(message, expected="no cyclic dependency")
            for name, expression in computable.items():
                order.append((name, compile_expression(expression)))
                known.add(name)
                del pending[name]
        return order

    def rate_of_change(self, name: str, visited: tuple[str, ...] = ()) -> sympy.Expr:
        """Rate of change of a state, output or constant. Raises InputError for a cyclic dependency."""
        if name in self.rates:
            return self.rates[name]
        if name in visited or name.endswith(RATE_SUFFIX):
            message = f"the rate of change of '{name.partition('.')[2]}' depends on itself"
            raise InputError(message, expected="no cyclic dependency")
        rule = sympy.sympify(self.rules.get(name, 0))
        symbols = sorted(rule.free_symbols, key=str)
        return sympy.Add(*(rule.diff(s) * self.rate_of_change(s.name, (*visited, name)) for s in symbols))

    @cached_property
    def scales(self) -> dict[str, float]:
        """The scale of each state: its initial value, or the largest initial value for a state that starts at 0."""
        sizes = {name: abs(self.values_at_start[name]) for name in self.rates if name != CLOCK}
        default = max((size for size in sizes.values() if np.isfinite(size)), default=0.0) or 1.0
        return {CLOCK: 1.0, **{name: size or default for name, size in sizes.items()}}


def _rows(constants: Mapping[str, float]) -> ParameterTable:
    """Constants as a parameter table with unit 1."""
    fixed = Distribution("fixed")
    return ParameterTable({n: Parameter(n, v, "1", fixed, "set", (), "", "", "", 1) for n, v in constants.items()})


def compile_expression(expression: sympy.Expr) -> Callable[[Mapping[str, float]], float]:
    """An expression as a function of named values."""
    expression = sympy.sympify(expression)
    if expression.is_Symbol:
        return lambda values: float(values[expression.name])
    if expression.is_Integer or expression.is_Float:
        return lambda values: float(expression)
    names = sorted(s.name for s in expression.free_symbols)
    function = compile_vector(expression, names)

    def value(values: Mapping[str, float]) -> float:
        with np.errstate(all="ignore"):
            return float(function(np.array([values[name] for name in names], dtype=float)))

    return value


def compile_vector(expression: sympy.Expr, names: Sequence[str]) -> Callable[[np.ndarray], Any]:
    """An expression as a function of an array [value, ...] in the order of `names`; a division by 0 is infinite."""
    used_names, function = _compiled(sympy.sympify(expression))
    indices = [names.index(name) for name in used_names]
    return lambda values: function(*(values[index] for index in indices))


@lru_cache(maxsize=10_000)  # a model that is read again with other numbers has the same formulas
def _compiled(expression: sympy.Expr) -> tuple[list[str], Callable[..., Any]]:
    names = sorted(s.name for s in expression.free_symbols)
    arguments = [sympy.Symbol(f"a{i}") for i in range(len(names))]
    replacements = {**dict(zip(map(symbol, names), arguments, strict=True)), sympy.zoo: sympy.oo}
    return names, sympy.lambdify(arguments, expression.xreplace(replacements), modules=[NUMPY, "numpy"])


def _where(x: Any, yes: Any, no: Any) -> Any:
    return np.where(x > 0, np.float64(yes), np.float64(no))  # a Python number would raise on division by 0


NUMPY = {"select_positive": _where, floor_.__name__: np.floor}


def qualified_name(identifier: str) -> str:
    """The name of an SBML id among the states and outputs."""
    return f"{STAGE}.{identifier}"
