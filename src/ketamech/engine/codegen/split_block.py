"""A long block as several short ones: the time that LLVM needs for a block grows faster than its length.

Results that a later part needs pass through memory. That is slower to run, so it serves blocks that are seldom called.
"""

from __future__ import annotations

from collections.abc import Sequence

from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Operand, Slot

SPILLED = "X"  # the array of results that a later part needs


def by_store(code: Sequence[Instruction]) -> list[Instruction]:
    """The same instructions so that each store follows what it needs; no name and no slot may be written twice."""
    definition = {one.target: one for one in code if isinstance(one.target, str)}
    done, found = set[Operand](), list[Instruction]()
    for store in (one for one in code if isinstance(one.target, Slot)):
        waiting = [store]
        while waiting:
            missing = [definition[a] for a in waiting[-1].arguments if isinstance(a, str) and a not in done]
            if missing:
                waiting += missing[::-1]
                continue
            one = waiting.pop()
            if one.target not in done:
                done.add(one.target)
                found.append(one)
    return found


def split_block(name: str, code: Sequence[Instruction], length: int) -> tuple[list[BasicBlock], int]:
    """Blocks of at most about `length` instructions and the block `name` that calls them; and the rows of SPILLED."""
    part = {one.target: i // length for i, one in enumerate(code)}
    rows: dict[Operand, int] = {}
    for i, one in enumerate(code):
        for argument in one.arguments:
            if isinstance(argument, str) and part[argument] != i // length:
                rows.setdefault(argument, len(rows))
    bodies: list[list[Instruction]] = [[] for _ in range(0, len(code), length)]
    for i, one in enumerate(code):
        here = i // length
        arguments = tuple(
            Slot(SPILLED, rows[a]) if isinstance(a, str) and part[a] != here else a for a in one.arguments
        )
        bodies[here].append(Instruction(one.target, one.kind, arguments))
        if one.target in rows:
            bodies[here].append(Instruction(Slot(SPILLED, rows[one.target]), "copy", (one.target,)))
    parts = [BasicBlock(f"{name}_{i}", tuple(body)) for i, body in enumerate(bodies)]
    return [*parts, BasicBlock(name, tuple(Call(one.name) for one in parts))], len(rows)
