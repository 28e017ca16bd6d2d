"""Arranges the instructions of a system in blocks, with the integration method and the layout of the workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.ir import BasicBlock, Instruction, Slot, WorkspaceLayout
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.rosenbrock import RODAS5P, RosenbrockTableau, newton_blocks, step_blocks
from ketamech.engine.codegen.sparse_lu import factorise, sparse_lu, substitute
from ketamech.engine.codegen.split_block import SPILLED, by_store, split_block
from ketamech.engine.lane_layout import LANE_ROWS

METHOD = RODAS5P
PART_LENGTH = 250  # instructions in a part of a block that is seldom called
EXPORTED = ("prepare", "attempt", "accept", "interpolate", "relax", "move", "slopes")


@dataclass(frozen=True)
class CompiledProgram:
    """LLVM `text`, the `rows` of the workspace, the `pattern` of the Jacobian, and the method's `gamma`."""

    text: str
    rows: WorkspaceLayout
    pattern: tuple[tuple[int, int], ...]
    gamma: float


def compile_equations(code: EquationCode, lanes: int, method: RosenbrockTableau = METHOD) -> CompiledProgram:
    """Generate the program of instructions for `lanes` patients side by side."""
    blocks, rows = blocks_of(code, method)
    return CompiledProgram(vector_module(blocks, rows, lanes, EXPORTED), rows, code.pattern, method.gamma)


def blocks_of(code: EquationCode, method: RosenbrockTableau = METHOD) -> tuple[tuple[BasicBlock, ...], WorkspaceLayout]:
    """The blocks of a system, or of some of its states, and the rows they work on."""
    n, count = len(code.scales), len(code.pattern)
    factors = sparse_lu(n, code.pattern, code.pivots)
    rate_sums = [Instruction(f"b{i}", "add", (Slot("B", i), f"f{i}")) for i in range(n)]
    stores = [Instruction(Slot("J", i), "copy", (f"j{i}",)) for i in range(count)]
    masked = n == code.system_size  # all states are there, also those that do not count in the error
    prepare, spilled = split_block("prepare", by_store(code.prepare), PART_LENGTH)
    slopes, more = split_block("slopes", by_store([*code.jacobian, *stores]), PART_LENGTH)
    blocks = (
        *prepare,
        BasicBlock("observe", code.observe),
        *slopes,
        BasicBlock(
            "linearise", (*code.jacobian, *without_infinities(code.infinite), *factorise(code.pattern, factors))
        ),
        BasicBlock("stage", (*code.rates, *rate_sums, *substitute(factors)), takes=True),
        *step_blocks(method, code.scales, code.system_size, masked=masked),
        *newton_blocks(code.scales, masked=masked),
    )
    by_state = dict.fromkeys(["Y", "U", "F", "G", "V", *(f"K{i + 1}" for i in range(method.stages))], n)
    other_arrays = {"P": code.inputs, "Q": code.constants, "L": len(factors.slots), "J": count}
    mask = {"LEFT_OUT": n} if masked else {}
    lane_rows = dict.fromkeys(LANE_ROWS, 1)
    return blocks, WorkspaceLayout(
        {**other_arrays, **by_state, "S": code.observed, **mask, SPILLED: max(spilled, more), **lane_rows}
    )


def without_infinities(entries: Iterable[int]) -> list[Instruction]:
    """Entries j0, j1, ... of the Jacobian with 0 where a root or a power at 0 has no finite derivative.

    Such an entry is then left to the explicit part of the method: a step loses accuracy, which its error estimate
    shows. Only `entries` with a power that is not an integer are checked.
    """
    ops = list[Instruction]()
    for i in entries:
        ops.append(Instruction(f"j{i}gap", "sub", (f"j{i}", f"j{i}")))  # 0 where finite, else not a number
        ops.append(Instruction(f"j{i}", "if_zero", (f"j{i}gap", f"j{i}", 0.0)))
    return ops
