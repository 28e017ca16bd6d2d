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
    taken: dict[str, int] = {}
    found = [_reaction(parts, taken) for parts in _joined(system.fluxes)]
    for state in inflows:
        flux = Flux(state, sympy.Symbol(inflow(state)), "constant input")
        found.append(_reaction((flux,), taken))
    return found


def _joined(fluxes: Sequence[Flux]) -> list[tuple[Flux, ...]]:
    """Fluxes, with the two of a transfer together."""
    found, skip = list[tuple[Flux, ...]](), False
    for one, following in pairwise((*fluxes, None)):
        assert one is not None
        if skip:
            skip = False
            continue
        skip = following is not None and one.because == following.because and one.term == -following.term
        found.append((one, following) if skip and following is not None else (one,))
    return found


def _reaction(parts: tuple[Flux, ...], taken: dict[str, int]) -> Reaction:
    first, last = parts[0], parts[-1]
    slug = re.sub(r"[^a-z0-9]+", "_", first.because.lower()).strip("_")
    identifier = f"{sbml_id(first.state)}__{slug or 'flux'}"
    taken[identifier] = taken.get(identifier, 0) + 1
    if taken[identifier] > 1:
        identifier = f"{identifier}_{taken[identifier]}"
    if len(parts) == 2:
        source, sink = (first, last) if _leaves(first.term) else (last, first)
        return Reaction(identifier, first.because, source.state, sink.state, sink.term)
    if _leaves(first.term):
        return Reaction(identifier, first.because, first.state, None, -first.term)
    return Reaction(identifier, first.because, None, first.state, first.term)


def _leaves(term: sympy.Expr) -> bool:
    """Whether a term is written with a minus sign."""
    return bool(term.could_extract_minus_sign())


def species_in(rate: sympy.Expr, species: Sequence[str]) -> list[str]:
    """The states among `species` that a rate reads, in the order of their names."""
    read = {s.name for s in rate.free_symbols}
    return sorted(read.intersection(species))
