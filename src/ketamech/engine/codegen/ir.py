"""The small language between equations and machine code: straight-line arithmetic on rows of one number per lane.

A `Block` is a named list of instructions. An operand is a number, the name of an earlier result, or a `Place` (row of
an array). `vector_code` writes blocks as LLVM text: for a processor all lanes of a group at once, for a GPU one lane a
thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    """Row `row` of an array; inside a `Loop` the row that the loop has reached (`row` is None)."""

    array: str
    row: int | None = None


Operand = float | str | Slot


class Instruction(NamedTuple):
    """One arithmetic instruction; the target is a name (a result for later) or a place (a store)."""

    target: str | Slot
    kind: str
    arguments: tuple[Operand, ...]


class Loop(NamedTuple):
    """The same instructions for rows 0 to rows - 1."""

    rows: int
    body: tuple[Instruction, ...]


class Call(NamedTuple):
    """Another block, run here; what that block calls array B is `array`."""

    block: str
    array: str = ""


@dataclass(frozen=True)
class BasicBlock:
    """A named list of instructions; one that `takes` an array is told by its caller which one its B is."""

    name: str
    body: tuple[Instruction | Loop | Call, ...]
    takes: bool = False


@dataclass(frozen=True)
class WorkspaceLayout:
    """Where each array starts in the workspace of a group of lanes; `sizes` {array: rows} in order."""

    sizes: Mapping[str, int]

    @property
    def starts(self) -> dict[str, int]:
        """First row of each array."""
        return dict(self._walk())

    @property
    def total(self) -> int:
        """Rows in all."""
        return sum(self.sizes.values())

    def _walk(self) -> Iterator[tuple[str, int]]:
        at = 0
        for name, size in self.sizes.items():
            yield name, at
            at += size
