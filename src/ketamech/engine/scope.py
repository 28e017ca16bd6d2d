"""The outputs that may be read from a run, and the states that these need: other states are not computed.

The error of a step covers the states of the scope alone, whatever code runs: all of the system, or a slice that holds
the states of the scope that can move. A slice takes the same steps and gives the same bits (`codegen.equation_code`).
The choice of code is therefore one of speed only, and may depend on what is compiled already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from ketamech.core.environment import short_hash
from ketamech.model.layout import SystemLayout


@dataclass(frozen=True)
class Slice:
    """A part of the system that is compiled separately: doses enter only the states `receivers` (indices)."""

    name: str
    receivers: frozenset[int]


@dataclass(frozen=True)
class Scope:
    """`outputs` (indices in `layout.output_names`) that may be read, with all states that they depend on; its `slices`.

    Slices come in the order in which they are preferred.
    """

    layout: SystemLayout
    name: str
    outputs: frozenset[int]
    slices: tuple[Slice, ...] = ()

    @classmethod
    def of(cls, layout: SystemLayout, name: str, requested: Iterable[str], slices: tuple[Slice, ...] = ()) -> Scope:
        """The scope of the outputs `requested`: these, all they depend on, and outputs computed from these alone."""
        included = set(layout.needed_outputs(requested))
        computed = range(len(layout.states), len(layout.output_names))
        while added := {i for i in computed if i not in included and included.issuperset(layout.reads[i])}:
            included |= added
        return cls(layout, name, frozenset(included), slices)

    @cached_property
    def states(self) -> np.ndarray:
        """Mask [state] of the states in the scope."""
        mask = np.zeros(len(self.layout.states), dtype=bool)
        mask[[i for i in self.outputs if i < len(mask)]] = True
        return mask

    @cached_property
    def output_names(self) -> frozenset[str]:
        """Names of the outputs that may be read."""
        return frozenset(self.layout.output_names[i] for i in self.outputs)

    def covers(self, outputs: Iterable[str]) -> bool:
        """Whether all of these outputs may be read."""
        return self.output_names.issuperset(outputs)

    def identity(self, slice_: Slice) -> str:
        """Hash of the scope and a slice of it, different for every other pair."""
        return _identity(self.outputs, slice_.receivers)


@cache
def _identity(outputs: frozenset[int], receivers: frozenset[int]) -> str:
    return short_hash(json.dumps([sorted(outputs), sorted(receivers)]))
