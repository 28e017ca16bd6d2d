"""The fluxes of a system as reactions: material that leaves one state and enters another is one reaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy

from ketamech.core import unit
from ketamech.exchange.sbml.ids import inflow, sbml_id
from ketamech.model.layout import StateInfo
from ketamech.model.stage import Flux, State
from ketamech.model.system import System

AMOUNT, CONCENTRATION, COUNT = "amount", "concentration", "count"
COUNTED = ("1", "points", "sessions", "beats")  # units that SBML can count as it counts molecules


@dataclass(frozen=True)
class Reaction:
    """A flux: `rate` (unit of the states per h) from `source` to `sink`, either of which may be None."""

    identifier: str
    reason: str
    source: str | None
    sink: str | None
    rate: sympy.Expr

    @property
    def name(self) -> str:
        """The reason and the states, which is unique where the reason is not."""
        return f"{self.reason} ({' -> '.join([self.source or '', self.sink or '']).strip()})"


def species_kind(unit_text: str) -> str | None:
    """What a state is as a species: an amount, a concentration or a count; None where SBML has no such species."""
    dims = unit(unit_text).dims
    if dims == unit("umol").dims:
        return AMOUNT
    if dims == unit("umol/L").dims:
        return CONCENTRATION
    return COUNT if any(dims == unit(text).dims for text in COUNTED) else None


def species_ids(states: Iterable[State | StateInfo]) -> set[str]:
    """SBML ids of the states that are species."""
    return {sbml_id(state.name) for state in states if species_kind(state.unit) is not None}


def reactions_of(system: System, inflows: Sequence[str] = ()) -> list[Reaction]:
    """Every flux of a system, in order, and the constant inflow into each of the states `inflows`."""
    identifier_counts: dict[str, int] = {}
    reactions = [_reaction(fluxes, identifier_counts) for fluxes in _group_transfers(system.fluxes)]
    for state in inflows:
        flux = Flux(state, sympy.Symbol(inflow(state)), "constant input")
        reactions.append(_reaction((flux,), identifier_counts))
    return reactions


def _group_transfers(fluxes: Sequence[Flux]) -> list[tuple[Flux, ...]]:
    """Fluxes, with the two of a transfer together."""
    groups, is_joined = list[tuple[Flux, ...]](), False
    for flux, next_flux in pairwise((*fluxes, None)):
        assert flux is not None
        if is_joined:
            is_joined = False
            continue
        is_joined = next_flux is not None and flux.because == next_flux.because and flux.term == -next_flux.term
        groups.append((flux, next_flux) if is_joined and next_flux is not None else (flux,))
    return groups


def _reaction(fluxes: tuple[Flux, ...], identifier_counts: dict[str, int]) -> Reaction:
    first, last = fluxes[0], fluxes[-1]
    slug = re.sub(r"[^a-z0-9]+", "_", first.because.lower()).strip("_")
    identifier = f"{sbml_id(first.state)}__{slug or 'flux'}"
    identifier_counts[identifier] = identifier_counts.get(identifier, 0) + 1
    if identifier_counts[identifier] > 1:
        identifier = f"{identifier}_{identifier_counts[identifier]}"
    if len(fluxes) == 2:
        source, sink = (first, last) if _is_loss(first.term) else (last, first)
        return Reaction(identifier, first.because, source.state, sink.state, sink.term)
    if _is_loss(first.term):
        return Reaction(identifier, first.because, first.state, None, -first.term)
    return Reaction(identifier, first.because, None, first.state, first.term)


def _is_loss(term: sympy.Expr) -> bool:
    """Whether a term is written with a minus sign."""
    return bool(term.could_extract_minus_sign())


def species_in(rate: sympy.Expr, species: Sequence[str]) -> list[str]:
    """The states among `species` that a rate reads, in the order of their names."""
    names = {symbol_.name for symbol_ in rate.free_symbols}
    return sorted(names.intersection(species))
