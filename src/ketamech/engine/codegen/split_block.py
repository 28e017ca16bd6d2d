"""A long block as several short ones: the time that LLVM needs for a block grows faster than its length.

Results that a later part needs pass through memory. That is slower to run, so it serves blocks that are seldom called.
"""

from __future__ import annotations

from collections.abc import Sequence

from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Operand, Slot

SPILLED = "X"  # the array of results that a later part needs


def by_store(code: Sequence[Instruction]) -> list[Instruction]:
    """The same instructions, each store after those it needs; no name and no slot may be written twice."""
    definition = {instruction.target: instruction for instruction in code if isinstance(instruction.target, str)}
    emitted, ordered = set[Operand](), list[Instruction]()
    for store in (instruction for instruction in code if isinstance(instruction.target, Slot)):
        waiting = [store]
        while waiting:
            missing = [definition[a] for a in waiting[-1].arguments if isinstance(a, str) and a not in emitted]
            if missing:
                waiting += missing[::-1]
                continue
            instruction = waiting.pop()
            if instruction.target not in emitted:
                emitted.add(instruction.target)
                ordered.append(instruction)
    return ordered


def split_block(name: str, code: Sequence[Instruction], length: int) -> tuple[list[BasicBlock], int]:
    """Blocks of about `length` instructions and the block `name` that calls them; and the number of rows of SPILLED."""
    part_of = {instruction.target: i // length for i, instruction in enumerate(code)}
    rows: dict[Operand, int] = {}
    for i, instruction in enumerate(code):
        for argument in instruction.arguments:
            if isinstance(argument, str) and part_of[argument] != i // length:
                rows.setdefault(argument, len(rows))
    bodies: list[list[Instruction]] = [[] for _ in range(0, len(code), length)]
    for i, instruction in enumerate(code):
        part = i // length
        arguments = tuple(
            Slot(SPILLED, rows[a]) if isinstance(a, str) and part_of[a] != part else a for a in instruction.arguments
        )
        bodies[part].append(Instruction(instruction.target, instruction.kind, arguments))
        if instruction.target in rows:
            bodies[part].append(Instruction(Slot(SPILLED, rows[instruction.target]), "copy", (instruction.target,)))
    parts = [BasicBlock(f"{name}_{i}", tuple(body)) for i, body in enumerate(bodies)]
    return [*parts, BasicBlock(name, tuple(Call(instruction.name) for instruction in parts))], len(rows)
