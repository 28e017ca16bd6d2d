"""The drug-free rest state, solved and not waited for: implicit steps of growing length (pseudo-transient Newton).

`relax` computes one correction for every lane and its size; `move` applies it, damped. What lengthens the steps and
when a lane has settled is decided in `steering`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ketamech.engine.instructions import Block, Call, Loop, Op, Place


def settling_blocks(scales: Sequence[float]) -> list[Block]:
    """`relax`: F = (SHIFT - J)^-1 f(Y), ERROR = its size in units of each state's own; `move`: Y += DAMP F."""
    n = len(scales)
    ops, total = list[Op](), "none"
    for i, scale in enumerate(scales):
        ops += [
            Op(f"y{i}", "abs", (Place("Y", i),)),
            Op(f"w{i}", "add", (f"y{i}", scale)),
            Op(f"part{i}", "div", (Place("F", i), f"w{i}")),
            Op(f"total{i}", "mul", (f"part{i}", f"part{i}"))
            if i == 0
            else Op(f"total{i}", "fma", (f"part{i}", f"part{i}", total)),
        ]
        total = f"total{i}"
    start = Loop(n, (Op(Place("U"), "copy", (Place("Y"),)), Op(Place("F"), "copy", (0.0,))))
    solve = (start, Call("linearise"), Call("stage", "F"))
    moved = Op(Place("Y"), "fma", (Place("DAMP", 0), Place("F"), Place("Y")))
    return [
        Block("relax", (*solve, *ops, Op(Place("ERROR", 0), "sqrt", (total,)))),
        Block("move", (Loop(n, (moved,)),)),
    ]
