"""Blocks of the steady-state solver: implicit steps of growing length (pseudo-transient Newton).

`relax` computes one correction for every lane and its size; `move` applies it with damping. The step length and the
criterion of convergence are in `steady_state_loop`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Loop, Slot


def newton_blocks(scales: Sequence[float]) -> list[BasicBlock]:
    """`relax`: F = (SHIFT - J)^-1 f(Y), ERROR = its size in units of each state's own; `move`: Y += DAMP F."""
    n = len(scales)
    ops, total = list[Instruction](), "none"
    for i, scale in enumerate(scales):
        ops += [
            Instruction(f"y{i}", "abs", (Slot("Y", i),)),
            Instruction(f"w{i}", "add", (f"y{i}", scale)),
            Instruction(f"part{i}", "div", (Slot("F", i), f"w{i}")),
            Instruction(f"total{i}", "mul", (f"part{i}", f"part{i}"))
            if i == 0
            else Instruction(f"total{i}", "fma", (f"part{i}", f"part{i}", total)),
        ]
        total = f"total{i}"
    start = Loop(n, (Instruction(Slot("U"), "copy", (Slot("Y"),)), Instruction(Slot("F"), "copy", (0.0,))))
    solve = (start, Call("linearise"), Call("stage", "F"))
    moved = Instruction(Slot("Y"), "fma", (Slot("DAMP", 0), Slot("F"), Slot("Y")))
    return [
        BasicBlock("relax", (*solve, *ops, Instruction(Slot("ERROR", 0), "sqrt", (total,)))),
        BasicBlock("move", (Loop(n, (moved,)),)),
    ]
