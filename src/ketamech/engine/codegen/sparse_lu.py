"""Symbolic sparse LU: order of elimination, fill-in, and the straight-line code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ketamech.engine.codegen.differentiate import tangent_name
from ketamech.engine.codegen.ir import Instruction, Slot


@dataclass(frozen=True)
class SparseLU:
    """`order` of pivots, `slots` {(row, column): position in the factor array}, and the updates in program order.

    `updates`: per pivot k a list of (row, multiplier slot, [(target slot, source slot)]).
    """

    order: tuple[int, ...]
    slots: dict[tuple[int, int], int]
    updates: tuple[tuple[int, tuple[tuple[int, tuple[tuple[int, int], ...]], ...]], ...]
    rows: dict[int, tuple[int, ...]]
    columns: dict[int, tuple[int, ...]]


def sparse_lu(size: int, pattern: Iterable[tuple[int, int]], pivots: Sequence[int] | None = None) -> SparseLU:
    """Pivots on the diagonal, in the order `pivots`; by default smallest product of row and column counts first.

    The default is the order of Markowitz.
    """
    filled = set(pattern) | {(i, i) for i in range(size)}
    row = {i: {c for r, c in filled if r == i and c != i} for i in range(size)}
    column = {i: {r for r, c in filled if c == i and r != i} for i in range(size)}
    order, below, right = [], {}, {}
    remaining = set(range(size))
    given_pivots = iter(pivots or ())
    while remaining:
        pivot = (
            next(given_pivots)
            if pivots
            else min(remaining, key=lambda i: (len(row[i] & remaining) * len(column[i] & remaining), i))
        )
        remaining.discard(pivot)
        order.append(pivot)
        below[pivot] = tuple(sorted(column[pivot] & remaining))
        right[pivot] = tuple(sorted(row[pivot] & remaining))
        for r in below[pivot]:
            for c in right[pivot]:
                if c != r and (r, c) not in filled:
                    filled.add((r, c))
                    row[r].add(c)
                    column[c].add(r)
    slots = {index_of: k for k, index_of in enumerate(sorted(filled))}
    updates = tuple((k, _updates(k, below[k], right[k], slots)) for k in order)
    return SparseLU(tuple(order), slots, updates, right, below)


def _updates(
    pivot: int, below: tuple[int, ...], right: tuple[int, ...], slots: dict[tuple[int, int], int]
) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    return tuple((slots[r, pivot], tuple((slots[r, c], slots[pivot, c]) for c in right)) for r in below)


def factorise(pattern: Iterable[tuple[int, int]], factors: SparseLU) -> list[Instruction]:
    """Eliminate SHIFT - J into L, fully unrolled, from entries of J called j0, j1, ...; L holds reciprocals of pivots.

    The reciprocal of an infinite pivot becomes NaN: with 0 the solve would return a zero step with zero error.
    """
    index_of = {entry: k for k, entry in enumerate(pattern)}
    ops = [_shifted(r == c, index_of.get((r, c)), f"l{slot}") for (r, c), slot in factors.slots.items()]
    for pivot, rows in factors.updates:
        diagonal = f"l{factors.slots[pivot, pivot]}"
        ops.append(Instruction(f"{diagonal}inverse", "div", (1.0, diagonal)))
        ops.append(Instruction(diagonal, "fma", (diagonal, 0.0, f"{diagonal}inverse")))
        for multiplier, pairs in rows:
            ops.append(Instruction(f"l{multiplier}", "mul", (f"l{multiplier}", diagonal)))
            for target, source in pairs:
                ops.append(Instruction(f"l{target}", "fnma", (f"l{multiplier}", f"l{source}", f"l{target}")))
    return ops + [Instruction(Slot("L", slot), "copy", (f"l{slot}",)) for slot in factors.slots.values()]


def _shifted(on_diagonal: bool, entry: int | None, target: str) -> Instruction:
    if on_diagonal:
        return Instruction(target, "sub", (Slot("SHIFT", 0), 0.0 if entry is None else f"j{entry}"))
    return Instruction(target, "copy", (0.0,)) if entry is None else Instruction(target, "neg", (f"j{entry}",))


def substitute(
    factors: SparseLU, tangent: int = 0, states: Collection[int] | None = None, first_row: int = 0
) -> list[Instruction]:
    """Solve with the factors, right-hand side called b0, b1, ...: forward by columns, back by rows.

    The result is in B, from `first_row` on. With a `tangent`, the right-hand side and the result are those of this
    direction; with `states`, those of these states, while they depend on no other state that is not 0.
    """

    def b(row: int) -> str:
        return tangent_name(f"b{row}", tangent) if tangent else f"b{row}"

    def subtract(row: int, column: int) -> Instruction:
        return Instruction(b(row), "fnma", (Slot("L", factors.slots[row, column]), b(column), b(row)))

    ops, order = list[Instruction](), [pivot for pivot in factors.order if states is None or pivot in states]
    for pivot in order:
        ops += [subtract(row, pivot) for row in factors.columns[pivot] if states is None or row in states]
    for pivot in reversed(order):
        ops += [subtract(pivot, column) for column in factors.rows[pivot] if states is None or column in states]
        ops.append(Instruction(b(pivot), "mul", (b(pivot), Slot("L", factors.slots[pivot, pivot]))))
        ops.append(Instruction(Slot("B", first_row + pivot, tangent), "copy", (b(pivot),)))
    return ops
