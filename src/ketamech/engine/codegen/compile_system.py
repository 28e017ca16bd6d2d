"""Generates the whole program of a system: its equations, the integration method, and the workspace layout."""

from __future__ import annotations

from dataclasses import dataclass

from ketamech.engine.codegen.equations import Equations, without_infinities
from ketamech.engine.codegen.ir import BasicBlock, Instruction, Slot, WorkspaceLayout
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.newton_step import newton_blocks
from ketamech.engine.codegen.rosenbrock import RODAS5P, RosenbrockTableau, step_blocks
from ketamech.engine.codegen.sparse_lu import factorise, sparse_lu, substitute
from ketamech.engine.lane_layout import LANE_ROWS
from ketamech.model.jacobian import SparseJacobian, sparse_jacobian
from ketamech.model.system import System

METHOD = RODAS5P
EXPORTED = ("prepare", "attempt", "accept", "interpolate", "relax", "move", "slopes")


@dataclass(frozen=True)
class CompiledProgram:
    """LLVM `text`, the `rows` of the workspace, the `pattern` of the Jacobian, and the method's `gamma`."""

    text: str
    rows: WorkspaceLayout
    pattern: tuple[tuple[int, int], ...]
    gamma: float


def compile_system(system: System, lanes: int, method: RosenbrockTableau = METHOD) -> CompiledProgram:
    """Generate the program of a system for `lanes` patients side by side."""
    jacobian = sparse_jacobian(system)
    blocks, rows = blocks_of(system, jacobian, method)
    return CompiledProgram(vector_module(blocks, rows, lanes, EXPORTED), rows, tuple(jacobian.entries), method.gamma)


def blocks_of(
    system: System, jacobian: SparseJacobian, method: RosenbrockTableau = METHOD
) -> tuple[tuple[BasicBlock, ...], WorkspaceLayout]:
    """The blocks of a system and the rows they work on."""
    equations = Equations(system, jacobian)
    factors = sparse_lu(len(system.states), jacobian.entries)
    count = len(jacobian.entries)
    scales = [state.scale for state in system.states]
    rate_sums = [Instruction(f"b{i}", "add", (Slot("B", i), f"f{i}")) for i in range(len(system.states))]
    blocks = (
        BasicBlock("prepare", tuple(equations.prepare)),
        BasicBlock("observe", tuple(equations.observe)),
        BasicBlock(
            "slopes", (*equations.jacobian, *(Instruction(Slot("J", i), "copy", (f"j{i}",)) for i in range(count)))
        ),
        BasicBlock(
            "linearise", (*equations.jacobian, *without_infinities(jacobian), *factorise(jacobian.entries, factors))
        ),
        BasicBlock("stage", (*equations.rates, *rate_sums, *substitute(factors)), takes=True),
        *step_blocks(method, scales),
        *newton_blocks(scales),
    )
    n = len(system.states)
    by_state = dict.fromkeys(["Y", "U", "F", "G", "V", *(f"K{i + 1}" for i in range(method.stages))], n)
    other_arrays = {"P": len(system.inputs), "Q": equations.n_constants, "L": len(factors.slots), "J": count}
    lane_rows = dict.fromkeys(LANE_ROWS, 1)
    return blocks, WorkspaceLayout({**other_arrays, **by_state, "S": len(system.time_varying_outputs), **lane_rows})
