"""Intermediate representation of code: straight-line arithmetic on rows of one number per lane.

A `BasicBlock` is a named list of instructions. An operand is a number, the name of an earlier result, or a `Slot` (row
of an array). `llvm_writer` writes blocks as LLVM text: for a processor all lanes of a group at once, for a GPU one
lane per thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

KINDS = {
    "copy": 1,
    "neg": 1,
    "add": 2,
    "sub": 2,
    "mul": 2,
    "div": 2,
    "max": 2,
    "abs": 1,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "sin": 1,
    "cos": 1,
    "atan": 1,
    "floor": 1,
    "fma": 3,  # a * b + c, rounded once
    "fnma": 3,  # c - a * b, rounded once
    "if_positive": 3,  # b where a > 0, else c
    "if_zero": 3,  # b where a == 0, else c
}


class Slot(NamedTuple):
    """Row `row` of an array; inside a `Loop` the current row of the loop (`row` is None).

    `tangent` is the number of a direction of differentiation, 0 for the value itself.
    """

    array: str
    row: int | None = None
    tangent: int = 0


Operand = float | str | Slot


class Instruction(NamedTuple):
    """One arithmetic instruction; the target is a name (an intermediate result) or a slot (a store)."""

    target: str | Slot
    kind: str
    arguments: tuple[Operand, ...]


class Loop(NamedTuple):
    """The same instructions for each of `rows` rows, from the row `first` on."""

    rows: int
    body: tuple[Instruction, ...]
    first: int = 0


class Call(NamedTuple):
    """A call of another block; the array B of that block is `array`, its tangent number 1 is number `tangent`.

    The call of a tangent is left out where the row `limit` (first lane) is below its number.
    """

    block: str
    array: str = ""
    tangent: int = 0
    limit: str = "DIRECTIONS"


@dataclass(frozen=True)
class BasicBlock:
    """A named list of instructions; with `takes_array`, the caller passes the array that is its B.

    With `relative`, the caller passes the offset of the tangent to compute, so that one block serves all tangents.
    """

    name: str
    body: tuple[Instruction | Loop | Call, ...]
    takes_array: bool = False
    relative: bool = False


@dataclass(frozen=True)
class WorkspaceLayout:
    """Position of each array in the workspace of a group of lanes; `sizes` {array: rows} in order.

    All arrays together come once for the values, then once for each of the `tangents`.
    """

    sizes: Mapping[str, int]
    tangents: int = 0

    @cached_property
    def starts(self) -> dict[str, int]:
        """First row of each array."""
        return dict(self._walk())

    @property
    def distance(self) -> int:
        """Number of rows from a value to its first tangent, and between two tangents."""
        return sum(self.sizes.values())

    @property
    def total(self) -> int:
        """Total number of rows."""
        return self.distance * (1 + self.tangents)

    def _walk(self) -> Iterator[tuple[str, int]]:
        at = 0
        for name, size in self.sizes.items():
            yield name, at
            at += size
