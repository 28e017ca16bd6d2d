"""Symbolic sparse LU: in which order to eliminate, what fills in, and the straight-line program for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Elimination:
    """`order` of pivots, `slots` {(row, column): place in the factor array}, and the updates in program order.

    `updates`: per pivot k a list of (row, multiplier slot, [(target slot, source slot)]).
    """

    order: tuple[int, ...]
    slots: dict[tuple[int, int], int]
    updates: tuple[tuple[int, tuple[tuple[int, tuple[tuple[int, int], ...]], ...]], ...]
    rows: dict[int, tuple[int, ...]]
    columns: dict[int, tuple[int, ...]]


def eliminate(size: int, pattern: Iterable[tuple[int, int]]) -> Elimination:
    """Pivots on the diagonal, cheapest product of row and column counts first (Markowitz)."""
    filled = set(pattern) | {(i, i) for i in range(size)}
    row = {i: {c for r, c in filled if r == i and c != i} for i in range(size)}
    column = {i: {r for r, c in filled if c == i and r != i} for i in range(size)}
    order, below, right = [], {}, {}
    left = set(range(size))
    while left:
        pivot = min(left, key=lambda i: (len(row[i] & left) * len(column[i] & left), i))
        left.discard(pivot)
        order.append(pivot)
        below[pivot] = tuple(sorted(column[pivot] & left))
        right[pivot] = tuple(sorted(row[pivot] & left))
        for r in below[pivot]:
            for c in right[pivot]:
                if c != r and (r, c) not in filled:
                    filled.add((r, c))
                    row[r].add(c)
                    column[c].add(r)
    slots = {place: k for k, place in enumerate(sorted(filled))}
    updates = tuple((k, _updates(k, below[k], right[k], slots)) for k in order)
    return Elimination(tuple(order), slots, updates, right, below)


def _updates(
    pivot: int, below: tuple[int, ...], right: tuple[int, ...], slots: dict[tuple[int, int], int]
) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    return tuple((slots[r, pivot], tuple((slots[r, c], slots[pivot, c]) for c in right)) for r in below)
