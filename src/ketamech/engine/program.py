"""The whole program of a system: its equations, the method on top of them, and where everything is in the workspace."""

from __future__ import annotations

from dataclasses import dataclass

from ketamech.engine.elimination import eliminate, factorise, substitute
from ketamech.engine.equations import Equations, without_infinities
from ketamech.engine.instructions import Block, Op, Place, Rows
from ketamech.engine.lane import LANE_ROWS
from ketamech.engine.rosenbrock import RODAS5P, Method, step_blocks
from ketamech.engine.settling import settling_blocks
from ketamech.engine.vector_code import vector_module
from ketamech.system import Derivatives, System, derivatives

METHOD = RODAS5P
EXPORTED = ("prepare", "attempt", "accept", "glimpse", "relax", "move", "slopes")


@dataclass(frozen=True)
class Program:
    """LLVM `text`, the `rows` of the workspace, the `pattern` of the Jacobian, and the method's `gamma`."""

    text: str
    rows: Rows
    pattern: tuple[tuple[int, int], ...]
    gamma: float


def program(system: System, lanes: int, method: Method = METHOD) -> Program:
    """Write a system out for `lanes` patients side by side."""
    slopes = derivatives(system)
    blocks, rows = blocks_of(system, slopes, method)
    return Program(vector_module(blocks, rows, lanes, EXPORTED), rows, tuple(slopes.entries), method.gamma)


def blocks_of(system: System, slopes: Derivatives, method: Method = METHOD) -> tuple[tuple[Block, ...], Rows]:
    """The blocks of a system and the rows they work on."""
    equations = Equations(system, slopes)
    factors = eliminate(len(system.states), slopes.entries)
    count = len(slopes.entries)
    scales = [state.scale for state in system.states]
    added = [Op(f"b{i}", "add", (Place("B", i), f"f{i}")) for i in range(len(system.states))]
    blocks = (
        Block("prepare", tuple(equations.prepare)),
        Block("observe", tuple(equations.observe)),
        Block("slopes", (*equations.jacobian, *(Op(Place("J", i), "copy", (f"j{i}",)) for i in range(count)))),
        Block("linearise", (*equations.jacobian, *without_infinities(slopes), *factorise(slopes.entries, factors))),
        Block("stage", (*equations.rates, *added, *substitute(factors)), takes=True),
        *step_blocks(method, scales),
        *settling_blocks(scales),
    )
    n = len(system.states)
    by_state = dict.fromkeys(["Y", "U", "F", "G", "V", *(f"K{i + 1}" for i in range(method.stages))], n)
    others = {"P": len(system.inputs), "Q": equations.n_constants, "L": len(factors.slots), "J": count}
    single = dict.fromkeys(LANE_ROWS, 1)
    return blocks, Rows({**others, **by_state, "S": len(system.watched), **single})
