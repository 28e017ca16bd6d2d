"""Arranges the instructions of a system in blocks, with the integration method and the layout of the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from ketamech.engine.codegen.differentiate import Differentiator, tangent_block, tangent_name
from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Loop, Operand, Slot, WorkspaceLayout
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.rosenbrock import RODAS5P, RosenbrockTableau, newton_blocks, step_blocks
from ketamech.engine.codegen.sparse_lu import SparseLU, factorise, sparse_lu, substitute
from ketamech.engine.lane_layout import LANE_ROWS

METHOD = RODAS5P
SPILLED = "X"  # the array of results that a later part of a block needs
PART_LENGTH = 250  # instructions in a part of a block that is seldom called
_SHIFT = Slot("SHIFT", 0, 1)
EXPORTED = ("prepare", "attempt", "accept", "interpolate", "relax", "move", "slopes")


@dataclass(frozen=True)
class CompiledProgram:
    """LLVM `text`, the `rows` of the workspace, the `pattern` of the Jacobian, and the method's `gamma`."""

    text: str
    rows: WorkspaceLayout
    pattern: tuple[tuple[int, int], ...]
    gamma: float


def compile_equations(
    code: EquationCode, lanes: int, method: RosenbrockTableau = METHOD, tangents: int = 0,
    active: Sequence[int] | None = None,
) -> CompiledProgram:  # fmt: skip
    """Generate the program of instructions for `lanes` patients side by side, with `tangents` of all it computes.

    With `active` (indices of states, then of observed outputs), these alone have tangents.
    """
    blocks, rows = blocks_of(code, method, tangents, active)
    return CompiledProgram(vector_module(blocks, rows, lanes, EXPORTED), rows, code.pattern, method.gamma)


def blocks_of(
    code: EquationCode, method: RosenbrockTableau = METHOD, tangents: int = 0, active: Sequence[int] | None = None
) -> tuple[tuple[BasicBlock, ...], WorkspaceLayout]:
    """The blocks of a system, or of some of its states, and the rows they work on; `active` as above."""
    n = len(code.scales)
    active_states = None if active is None else [i for i in active if i < n]
    factors = sparse_lu(n, code.pattern, code.pivots)
    masked = n == code.system_size  # all states are there, also those that do not count in the error
    equations, more_rows = (
        _blocks_with_tangents(code, factors, tangents, active) if tangents else _value_blocks(code, factors)
    )
    blocks = (
        *equations,
        *step_blocks(
            method, code.scales, code.system_size, tangents, active_states, masked=masked, linear=code.is_linear
        ),
        *newton_blocks(code.scales, tangents, active_states, masked=masked),
    )
    stages = [
        f"{array}{i + 1}" for array in ("KW" if tangents and code.is_linear else "K") for i in range(method.stages)
    ]
    by_state = dict.fromkeys(["Y", "U", "F", "G", "V", *stages], n)
    other_arrays = {"P": code.inputs, "Q": code.constants, "L": len(factors.slots), "J": len(code.pattern)}
    mask = {"LEFT_OUT": n} if masked else {}
    lane_rows = dict.fromkeys(LANE_ROWS, 1)
    sizes = {**other_arrays, **by_state, "S": code.observed, **mask, **more_rows, **lane_rows}
    return blocks, WorkspaceLayout(sizes, tangents)


def without_infinities(entries: Iterable[int]) -> list[Instruction]:
    """Entries j0, j1, ... of the Jacobian with 0 where a root or a power at 0 has no finite derivative.

    Such an entry is then left to the explicit part of the method: a step loses accuracy, which its error estimate
    shows. Only `entries` that may be infinite are checked, see `EquationCode`.
    """
    ops = list[Instruction]()
    for i in entries:
        ops.append(Instruction(f"j{i}gap", "sub", (f"j{i}", f"j{i}")))  # 0 where finite, else not a number
        ops.append(Instruction(f"j{i}", "if_zero", (f"j{i}gap", f"j{i}", 0.0)))
    return ops


def _value_blocks(code: EquationCode, factors: SparseLU) -> tuple[list[BasicBlock], dict[str, int]]:
    """The blocks of the equations, and further rows of the workspace."""
    prepare, spilled_prepare = split_block("prepare", by_store(code.prepare), PART_LENGTH)
    slopes, spilled_slopes = split_block("slopes", by_store([*code.jacobian, *_entries(code)]), PART_LENGTH)
    blocks = [
        *prepare,
        BasicBlock("observe", code.observe),
        *slopes,
        BasicBlock("linearise", (*_finite_entries(code), *factorise(code.pattern, factors))),
        BasicBlock("stage", (*_sums(code), *substitute(factors)), takes_array=True),
    ]
    return blocks, {SPILLED: max(spilled_prepare, spilled_slopes)}


def _entries(code: EquationCode) -> list[Instruction]:
    """The entries of the Jacobian, stored in J."""
    return [Instruction(Slot("J", i), "copy", (f"j{i}",)) for i in range(len(code.pattern))]


def _finite_entries(code: EquationCode) -> list[Instruction]:
    """The entries j0, j1, ... of the Jacobian, 0 where they are infinite."""
    return [*code.jacobian, *without_infinities(code.infinite)]


def _sums(code: EquationCode) -> list[Instruction]:
    """The right-hand side of a stage, f(U) + B, called b0, b1, ..."""
    return [*code.rates, *(Instruction(f"b{i}", "add", (Slot("B", i), f"f{i}")) for i in range(len(code.scales)))]


def _blocks_with_tangents(
    code: EquationCode, factors: SparseLU, tangents: int, active: Sequence[int] | None
) -> tuple[list[BasicBlock], dict[str, int]]:
    """The same blocks, each with one that computes the tangents of any direction, and further rows of the workspace.

    A stage solves (SHIFT - J) b = f + B. Its tangents (') solve (SHIFT - J) b' = f' + J' b + B' - SHIFT' b, of which
    the caller puts the last two terms into B'. Where the equations are linear, J' is computed once for a patient, and
    the last term is part of it where the length of steps has a tangent (`shift_tangent`).
    """
    n, part = len(code.scales), active is not None
    states = [i for i in range(n) if active is None or i in active]
    zeros = sorted(set(range(n)).difference(states))
    entries = {k: entry for k, entry in enumerate(code.pattern) if set(entry) <= set(states)}
    diagonal = {row: k for k, (row, column) in entries.items() if row == column}
    shifted = [i for i in states if i not in diagonal] if code.is_linear else []
    blocks = list[BasicBlock]()

    def add(name: str, ops: Sequence[Instruction], wanted: Iterable[Slot], after: Sequence[Instruction | Call] = (),
            then: Sequence[str] = ()) -> None:  # fmt: skip
        values, slopes = Differentiator(1).split(ops, set(wanted) if part else None, zeros)
        values = [op for op in values if not _is_store(op, "J")]  # only its tangents are stored
        calls = [Call(called, tangent=k) for k in range(1, 1 + tangents) for called in (f"{name}_tangent", *then)]
        blocks.append(BasicBlock(f"{name}_tangent", tuple(slopes), relative=True))
        blocks.append(BasicBlock(name, (*values, *after, *calls)))

    stores = [Instruction(Slot("J", k), "copy", (f"j{k}",)) for k in entries]
    add("observe", code.observe, (Slot("S", i - n, 1) for i in active or () if i >= n))
    if code.is_linear:
        blocks.append(tangent_block("linearise_tangent", [*_finite_entries(code), *stores]))
        blocks.append(BasicBlock("linearise", (*_finite_entries(code), *factorise(code.pattern, factors))))
        blocks += _power_blocks(factors, len(code.scales), states, entries, shifted)
        shift = [Instruction(slot, "sub", (slot, _SHIFT)) for k in diagonal.values() for slot in (Slot("J", k, 1),)]
        blocks.append(BasicBlock("shift_tangent", tuple(shift), relative=True))
    else:
        slopes_wanted = (Slot("J", k, 1) for k in entries)
        add("linearise", [*_finite_entries(code), *stores], slopes_wanted, factorise(code.pattern, factors))
    wanted = {tangent_name(f"b{i}", 1) for i in states}
    values, slopes = Differentiator(1).split(_sums(code), wanted if part else None, zeros)
    slopes = [*slopes, *_products(entries, shifted), *substitute(factors, 1, states)]
    blocks.append(BasicBlock("stage_tangent", tuple(slopes), takes_array=True, relative=True))
    blocks.append(BasicBlock("stage", (*values, *substitute(factors)), takes_array=True))
    read = {argument for block in blocks if block.relative for op in block.body for argument in _arguments(op)}
    add("prepare", code.prepare, {slot for slot in read if isinstance(slot, Slot) and slot.array == "Q"},
        then=["linearise_tangent"] if code.is_linear else [])  # fmt: skip
    stored = {op.target for block in blocks for op in block.body if _is_store(op, "E")}
    return blocks, {"E": len(stored), "DIRECTIONS": 1, "STRETCHED": 1}


def _arguments(item: Instruction | Loop | Call) -> tuple[Operand, ...]:
    return item.arguments if isinstance(item, Instruction) else ()


Entries = Mapping[int, tuple[int, int]]  # numbers of entries of the Jacobian, with their rows and columns


def _power_blocks(
    factors: SparseLU, n: int, states: Sequence[int], entries: Entries, shifted: Sequence[int]
) -> list[BasicBlock]:
    """`resolve`: from a power of a linear system in B the next one, in the `n` rows after it; and its tangents."""
    given, tangents_given = ([Instruction(_sum_name(i, k), "copy", (Slot("B", i, k),)) for i in states] for k in (0, 1))
    resolve = (*tangents_given, *_products(entries, shifted, n), *substitute(factors, 1, states, n))
    return [
        BasicBlock("resolve_tangent", resolve, takes_array=True, relative=True),
        BasicBlock("resolve", (*given, *substitute(factors, 0, states, n)), takes_array=True),
    ]


def _products(entries: Entries, shifted: Sequence[int], first_row: int = 0) -> Iterator[Instruction]:
    """Add J' b to the tangents of the right-hand side; b, the solution, is in B from `first_row` on.

    Of the states `shifted`, subtract SHIFT' b: they have no entry on the diagonal of which it could be a part.
    """
    for k, (row, column) in entries.items():
        b = _sum_name(row, 1)
        yield Instruction(b, "fma", (Slot("J", k, 1), Slot("B", first_row + column), b))
    for row in shifted:
        b = _sum_name(row, 1)
        yield Instruction(b, "fnma", (_SHIFT, Slot("B", first_row + row), b))


def _sum_name(state: int, tangent: int) -> str:
    return tangent_name(f"b{state}", tangent) if tangent else f"b{state}"


def _is_store(item: object, array: str) -> TypeGuard[Instruction]:
    return isinstance(item, Instruction) and isinstance(item.target, Slot) and item.target.array == array


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
    """Blocks of about `length` instructions and the block `name` that calls them; and the number of rows of SPILLED.

    The time that LLVM needs for a block grows faster than its length. Results that a later part needs pass through
    memory, which is slower to run, so this serves blocks that are seldom called.
    """
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
