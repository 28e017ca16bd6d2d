"""Assembles stages into one system: resolves inputs, checks units, and orders every quantity after those it needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

import sympy

from ketamech.core import ModelError, UnitError, closest_match, unit
from ketamech.core.units import Dimensions, combine, format_dimensions, power
from ketamech.model.functions import hill, hill_slope
from ketamech.model.stage import Output, Stage, State, declare_stage
from ketamech.model.stages import all_stages
from ketamech.model.system import System
from ketamech.parameters import ParameterTable, load_parameters

Name = TypeVar("Name", bound=Hashable)


def topological_order(needs: Mapping[Name, Iterable[Name]]) -> list[Name]:
    """The names of `needs` so that each comes after those it needs, depth first in the order of the mapping.

    Needs that are not names of the mapping are ignored. Raises ModelError when names need each other in a loop.
    """
    inner = {name: [need for need in listed if need in needs] for name, listed in needs.items()}
    done: dict[Name, None] = {}
    for name in inner:
        path = [name]
        while path:
            missing = next((need for need in inner[path[-1]] if need not in done), None)
            if missing is None:
                done.setdefault(path.pop())
            elif missing in path:
                loop = ", ".join(map(str, path[path.index(missing) :]))
                raise ModelError(f"these quantities are computed from each other in a loop: {loop}")
            else:
                path.append(missing)
    return list(done)


HOUR = unit("h").dims


def build_system(
    parameters: ParameterTable | None = None, stages: Sequence[Callable[[Stage], None]] | None = None
) -> System:
    """The assembled, unit-checked system of `stages` (default: all stages) over `parameters` (default: shipped).

    Raises UnitError for a unit that does not fit, ModelError for an input that no stage declares or a loop of outputs.
    """
    parameter_table = load_parameters() if parameters is None else parameters
    stage_declarations = tuple(
        declare_stage(write, parameter_table) for write in (all_stages() if stages is None else stages)
    )
    states = tuple(state for stage in stage_declarations for state in stage.states.values())
    outputs = tuple(output for stage in stage_declarations for output in stage.outputs.values())
    quantities: tuple[State | Output, ...] = (*states, *outputs)
    _check_duplicates((item.name for item in quantities), stage_declarations)
    declared_units = {item.name: item.unit for item in quantities}
    _check_inputs(stage_declarations, declared_units)
    _check_constants(quantities)
    system = System(
        stages=stage_declarations,
        parameters=parameter_table,
        states=states,
        outputs=order_outputs(outputs),
        fluxes=tuple(flux for stage in stage_declarations for flux in stage.fluxes),
        parameter_names=tuple(dict.fromkeys(name for stage in stage_declarations for name in stage.used_parameters)),
        baseline_names=tuple(dict.fromkeys(name for stage in stage_declarations for name in stage.baselines)),
    )
    check_units(system)
    return system


def _check_duplicates(names: Iterable[str], stages: Sequence[Stage]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            owners = [stage.name for stage in stages if name in stage.states or name in stage.outputs]
            raise ModelError(f"'{name}' is declared by more than one stage: {', '.join(owners)}")
        seen.add(name)


def _check_inputs(stages: Sequence[Stage], declared_units: dict[str, str]) -> None:
    for stage in stages:
        for name, wanted in (stage.inputs | stage.baselines).items():
            if name not in declared_units:
                hint = closest_match(name, declared_units)
                raise ModelError(
                    f"stage '{stage.name}' needs '{name}', which no stage declares"
                    + (f"; nearest: '{hint}'" if hint else "")
                )
            if not unit(declared_units[name]).same_kind(unit(wanted)):
                what = f"stage '{stage.name}' needs '{name}' in {wanted}, but it is declared in {declared_units[name]}"
                raise UnitError(what)


def _check_constants(quantities: Sequence[State | Output]) -> None:
    """A constant of a person may depend on parameters and other constants only."""
    constants = [item for item in quantities if isinstance(item, Output) and item.is_constant]
    variables = {item.name for item in quantities} - {item.name for item in constants}
    for output in constants:
        names = {symbol.name for symbol in output.expression.free_symbols}
        variable_names = sorted(name for name in names if name in variables or name.startswith("rest("))
        if variable_names:
            raise ModelError(
                f"'{output.name}' is declared constant but changes with {', '.join(variable_names)}; use stage.output"
            )


def order_outputs(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """Outputs so that each comes after those it is computed from, as declared within one level of dependence.

    Raises ModelError on a loop.
    """
    needs = {output.name: [s.name for s in output.expression.free_symbols] for output in outputs}
    level: dict[str, int] = {}
    for name in topological_order(needs):
        level[name] = 1 + max((level[need] for need in needs[name] if need in level), default=0)
    return tuple(sorted(outputs, key=lambda output: level[output.name]))


def check_units(system: System) -> None:
    """Check the units of every output and every flux. Raises UnitError at the first that does not fit."""
    known = known_dimensions(system)
    for name, factor in ((s.name, unit(s.unit).factor) for s in system.quantities):
        if abs(factor - 1.0) > 1e-9:
            raise UnitError(f"'{name}' is declared in {system.units[name]}; declare it in {_canonical(system, name)}")
    for output in system.outputs:
        check_dimensions(
            output.expression, unit(output.unit).dims, known, stage=system.stage_of[output.name],
            term=f"output {output.name}",
        )  # fmt: skip
    for stage in system.stages:
        for flux in stage.fluxes:
            expected = combine(known[flux.state], HOUR, -1)
            check_dimensions(flux.term, expected, known, stage=stage.name, term=f"{flux.state}: {flux.because}")


def _canonical(system: System, name: str) -> str:
    return format_dimensions(unit(system.units[name]).dims)


def known_dimensions(system: System) -> dict[str, Dimensions]:
    """Dimensions of every symbol that may appear in an equation."""
    known = {item.name: unit(item.unit).dims for item in system.quantities}
    known |= {name: unit(system.parameters[name].unit).dims for name in system.parameter_names}
    known |= {f"rest({name})": known[name] for name in system.baseline_names}
    return known


DIMENSIONLESS: Dimensions = ()


class _UnitMismatch(Exception):
    """Internal: the place inside an expression where two units do not fit."""

    def __init__(self, why: str, inside: sympy.Expr, subexpression: sympy.Expr, actual: Dimensions) -> None:
        super().__init__(why)
        self.why, self.inside, self.subexpression, self.found = why, inside, subexpression, actual


def check_dimensions(
    expression: sympy.Expr, expected: Dimensions, known: Mapping[str, Dimensions], *, stage: str, term: str
) -> None:
    """Refuse an expression whose unit is not `expected`. Raises UnitError."""
    try:
        actual = dimensions(expression, known)
    except _UnitMismatch as mismatch:
        place = (mismatch.inside, mismatch.subexpression, mismatch.found)
        raise UnitError(_message(stage, term, mismatch.why, *place)) from None
    if actual != expected and expression != 0:
        why = f"gives {format_dimensions(actual)} where {format_dimensions(expected)} is expected"
        raise UnitError(_message(stage, term, why, expression, expression, actual))


def dimensions(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    """Dimensions of an expression whose symbols have `known` dimensions."""
    if expression.is_Symbol:
        return known[expression.name]
    if expression.is_Number or expression.is_NumberSymbol:
        return DIMENSIONLESS
    if expression.is_Add:
        return _sum(expression, known)
    if expression.is_Mul:
        total = DIMENSIONLESS
        for factor in expression.args:
            total = combine(total, dimensions(factor, known), 1)
        return total
    if expression.is_Pow:
        return _power(expression, known)
    return _function(expression, known)


def _sum(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    parts = [(part, dimensions(part, known)) for part in expression.args]
    first_part, first = next(((p, d) for p, d in parts if not p.is_Number), parts[0])
    for part, dims in parts:
        if dims != first:
            why = f"adds {format_dimensions(dims)} to {format_dimensions(first)} ({first_part})"
            raise _UnitMismatch(why, expression, part, dims)
    return first


def _power(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    base, exponent = expression.as_base_exp()
    if expression.func is sympy.exp:
        base, exponent = sympy.E, expression.args[0]
    inner = DIMENSIONLESS if base is sympy.E else dimensions(base, known)
    if exponent.is_Rational:
        return power(inner, Fraction(int(exponent.p), int(exponent.q)))
    if exponent.is_Float and inner == DIMENSIONLESS:
        return DIMENSIONLESS
    raised = dimensions(exponent, known)
    if raised != DIMENSIONLESS:
        raise _UnitMismatch(f"has an exponent in {format_dimensions(raised)}", expression, exponent, raised)
    if inner != DIMENSIONLESS:
        why = f"raises {format_dimensions(inner)} to a power that is not a number"
        raise _UnitMismatch(why, expression, base, inner)
    return DIMENSIONLESS


def _function(expression: sympy.Expr, known: Mapping[str, Dimensions]) -> Dimensions:
    if isinstance(expression, hill | hill_slope):
        x, half, n = expression.args
        top, bottom = dimensions(x, known), dimensions(half, known)
        if top != bottom:
            why = f"compares {format_dimensions(top)} with a half point in {format_dimensions(bottom)}"
            raise _UnitMismatch(why, expression, half, bottom)
        _must_be_number(expression, n, known)
        return DIMENSIONLESS if isinstance(expression, hill) else power(top, Fraction(-1))
    for argument in expression.args:
        _must_be_number(expression, argument, known)
    return DIMENSIONLESS


def _must_be_number(inside: sympy.Expr, argument: sympy.Expr, known: Mapping[str, Dimensions]) -> None:
    actual = dimensions(argument, known)
    if actual != DIMENSIONLESS:
        raise _UnitMismatch(
            f"takes {format_dimensions(actual)} where a pure number is needed", inside, argument, actual
        )


def _message(stage: str, term: str, why: str, inside: sympy.Expr, subexpression: sympy.Expr, actual: Dimensions) -> str:
    text, part = str(inside), str(subexpression)
    at = text.find(part)
    underline = " " * max(at, 0) + "~" * (len(part) if at >= 0 else len(text)) + f" {format_dimensions(actual)}"
    return f"stage '{stage}', term '{term}': {why}\n  {text}\n  {underline}"
