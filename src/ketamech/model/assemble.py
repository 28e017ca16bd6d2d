"""Joins stages into one system: who needs what, in which order, in which unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ketamech.core import ModelError, UnitError, closest_match, unit
from ketamech.core.units import Dimensions, combine
from ketamech.model import unit_check
from ketamech.model.stage import Output, Stage, State, declare_stage
from ketamech.model.stages import all_stages
from ketamech.model.system import System
from ketamech.parameters import ParameterTable, load_parameters

HOUR = unit("h").dims


def build_system(
    parameters: ParameterTable | None = None, stages: Sequence[Callable[[Stage], None]] | None = None
) -> System:
    """The joined, unit-checked system of `stages` (default: the whole story) over `parameters` (default: shipped).

    Raises UnitClash for a unit that does not fit, BadModel for a need nobody offers or a loop of offers.
    """
    table = load_parameters() if parameters is None else parameters
    declared = tuple(declare_stage(write, table) for write in (all_stages() if stages is None else stages))
    states = tuple(state for stage in declared for state in stage.states.values())
    offers = tuple(offer for stage in declared for offer in stage.outputs.values())
    quantities: tuple[State | Output, ...] = (*states, *offers)
    _check_duplicates((item.name for item in quantities), declared)
    offered = {item.name: item.unit for item in quantities}
    _check_needs(declared, offered)
    _check_fixed(quantities)
    system = System(
        stages=declared,
        parameters=table,
        states=states,
        outputs=topological_order(offers, tuple(s.name for s in states)),
        fluxes=tuple(flux for stage in declared for flux in stage.fluxes),
        parameter_names=tuple(dict.fromkeys(name for stage in declared for name in stage.used_parameters)),
        baseline_names=tuple(dict.fromkeys(name for stage in declared for name in stage.baselines)),
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


def _check_needs(stages: Sequence[Stage], offered: dict[str, str]) -> None:
    for stage in stages:
        for name, wanted in (stage.inputs | stage.baselines).items():
            if name not in offered:
                hint = closest_match(name, offered)
                raise ModelError(
                    f"stage '{stage.name}' needs '{name}', which no stage offers"
                    + (f"; nearest: '{hint}'" if hint else "")
                )
            if not unit(offered[name]).same_kind(unit(wanted)):
                raise UnitError(
                    f"stage '{stage.name}' needs '{name}' in {wanted}, but it is offered in {offered[name]}"
                )


def _check_fixed(quantities: Sequence[State | Output]) -> None:
    """What is defined as fixed for a person may rest on parameters and other fixed quantities only."""
    fixed = [item for item in quantities if isinstance(item, Output) and item.is_constant]
    moving = {item.name for item in quantities} - {item.name for item in fixed}
    for offer in fixed:
        names = {symbol.name for symbol in offer.expression.free_symbols}
        wrong = sorted(name for name in names if name in moving or name.startswith("rest("))
        if wrong:
            raise ModelError(f"'{offer.name}' is defined as fixed but moves with {', '.join(wrong)}; use m.offers")


def topological_order(offers: Sequence[Output], states: Sequence[str]) -> tuple[Output, ...]:
    """Offers so that each comes after those it is computed from. Raises BadModel on a loop."""
    waiting = {offer.name: offer for offer in offers}
    done: list[Output] = []
    known = set(states)
    while waiting:
        ready = [o for o in waiting.values() if not any(s.name in waiting for s in o.expression.free_symbols)]
        if not ready:
            raise ModelError("these offers are computed from each other in a loop: " + ", ".join(sorted(waiting)))
        for offer in ready:
            done.append(waiting.pop(offer.name))
            known.add(offer.name)
    return tuple(done)


def check_units(system: System) -> None:
    """Walk every offer and every flux. Raises UnitClash at the first that does not fit."""
    known = known_dimensions(system)
    for name, size in ((s.name, unit(s.unit).factor) for s in system.quantities):
        if abs(size - 1.0) > 1e-9:
            raise UnitError(f"'{name}' is declared in {system.units[name]}; inside, use {_canonical(system, name)}")
    for offer in system.outputs:
        unit_check.check_dimensions(
            offer.expression,
            unit(offer.unit).dims,
            known,
            stage=system.stage_of[offer.name],
            term=f"offer {offer.name}",
        )
    for stage in system.stages:
        for flux in stage.fluxes:
            expected = combine(known[flux.state], HOUR, -1)
            unit_check.check_dimensions(
                flux.term, expected, known, stage=stage.name, term=f"{flux.state}: {flux.because}"
            )


def _canonical(system: System, name: str) -> str:
    from ketamech.core.units import format_dimensions

    return format_dimensions(unit(system.units[name]).dims)


def known_dimensions(system: System) -> dict[str, Dimensions]:
    """Dimensions of every symbol that may stand in an equation."""
    known = {item.name: unit(item.unit).dims for item in system.quantities}
    known |= {name: unit(system.parameters[name].unit).dims for name in system.parameter_names}
    known |= {f"rest({name})": known[name] for name in system.baseline_names}
    return known


def amount_states(system: System) -> tuple[State, ...]:
    """States that hold drug: their sum is everything that was given."""
    return tuple(state for state in system.states if state.kind == "amount")
