"""Instructions of each kernel, counted in its LLVM text: a measure of speed that needs no clock.

`python -m benchmarks kernels` writes the table `kernel_size.csv`; a test compares it with the program. Counted are
arithmetic, comparisons, loads and stores of one group of lanes, with the instructions of called blocks and functions
and as many rounds of loops as there are rows. Not counted are addresses and jumps. What LLVM makes of the text is in
`machine_code.csv`: machine instructions of the longest functions, for one processor.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import llvmlite.binding as llvm

from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.program import EXPORTED, blocks_of
from ketamech.engine.kernel import LANES, active_rows, slice_activity, slice_states
from ketamech.simulation.model import Model

TABLE = Path(__file__).parent / "kernel_size.csv"
MACHINE_TABLE = Path(__file__).parent / "machine_code.csv"
MACHINE_KERNELS = ("levels, ketamine levels", "depression, esketamine")  # those that LLVM compiles within seconds
MACHINE_FUNCTIONS = ("linearise", "stage")  # two thirds of the time of a step, without loops
WHOLE = "all outputs"
INFUSED = ("pharmacokinetics.central_s", "pharmacokinetics.central_r")  # what racemic infusions enter
PARTS = {"venous.ketamine": "levels, ketamine levels", "dissociation.cadss": "depression, ketamine"}
TASKS, SLOWER = (
    ("step", "correction", "outputs", "direction"),
    1.05,
)  # columns of the table; the smallest change that counts
_FUNCTION = re.compile(r"^define [^@]*@([\w.]+)\(.*?^}", re.M | re.S)
_CALL = re.compile(r"call [^@]*@([\w.]+)\(")
_MACHINE_INSTRUCTION = re.compile(r"^\t[a-z]")
_LOOP_START, _LOOP_END = re.compile(r"^loop\d+:"), re.compile(r"icmp ult i64 %next\d+, (\d+)")
_NOT_COUNTED = re.compile(
    r"getelementptr|bitcast|\bbr\b|\bphi\b|\bret\b|^define|^\w+:|^}|^$|icmp ult i64 %next|%next\d+ = add"
)


@dataclass(frozen=True)
class KernelSize:
    """Instructions of a kernel: of a step, of a correction towards the steady state, of all outputs at one time.

    `direction`: what a step needs in addition for derivatives in one direction, where dose times are fixed.
    """

    kernel: str
    states: int
    step: int
    correction: int
    outputs: int
    direction: int


def changed_sizes(before: Sequence[KernelSize], now: Sequence[KernelSize]) -> list[str]:
    """A line for each task of a kernel that needs 5 % more or fewer instructions, and for kernels of one side only."""
    old, new = ({one.kernel: one for one in sizes} for sizes in (before, now))
    found = [f"{name}: in one table only" for name in sorted(old.keys() ^ new.keys())]
    for name in [name for name in new if name in old]:
        for task in TASKS:
            first, then = getattr(old[name], task), getattr(new[name], task)
            if not first / SLOWER < then < first * SLOWER:
                found.append(f"{name}, {task}: {first:,} instructions before, {then:,} now")
    return found


@dataclass(frozen=True)
class KernelCost:
    """Floating-point operations of a step of one patient, and bytes that it loads and stores."""

    kernel: str
    states: int
    operations: int
    bytes: int


def kernel_sizes(model: Model) -> list[KernelSize]:
    """Sizes of the code of the whole model and of every slice, and with derivatives of some outputs alone."""
    kernels = dict(kernels_of_package(model))
    sizes = [kernel_size(name, code) for name, code in kernels.items()]
    for outputs, kernel in PARTS.items():
        name = f"{kernel}: {outputs} after infusions"
        sizes.append(kernel_size(name, kernels[kernel], _rows_needed(model, outputs)))
    return sizes


def _rows_needed(model: Model, output: str) -> list[int]:
    """Numbers, in the last slice of its scope, of the outputs that a derivative of `output` needs after infusions."""
    kernel, layout = model.kernel_for([output]), model.layout
    assert kernel.scope is not None
    code, slice_ = kernel._equation_code(), kernel.scope.slices[-1]
    receivers = frozenset(layout.output_index[name] for name in INFUSED)
    found = slice_activity(code, kernel.scope, slice_, layout.needed_outputs([output]), receivers)
    states, _, observed = slice_states(code, kernel.scope, slice_)
    return active_rows(kernel.scope, states, observed, found.active)


def kernel_costs(model: Model) -> list[KernelCost]:
    """Costs of a step of the whole model and of every slice."""
    return [kernel_cost(name, code) for name, code in kernels_of_package(model)]


def kernel_cost(name: str, code: EquationCode) -> KernelCost:
    """Cost of a step by the code of a system or of a slice."""
    text = vector_module(*blocks_of(code), LANES, EXPORTED)
    operations, moved = (instruction_counts(text, weight) for weight in (_operations, _bytes))
    each = [counts["attempt"] + counts["accept"] for counts in (operations, moved)]
    return KernelCost(name, len(code.scales), *each)


def _operations(line: str) -> int:
    if "@llvm.fma" in line:
        return 2
    return 1 if re.search(r"= (?:fadd|fsub|fmul|fdiv)\b|@llvm.sqrt", line) else 0


def _bytes(line: str) -> int:
    return 8 if re.search(r"= load <|^store <", line) else 0


def kernels_of_package(model: Model) -> Iterator[tuple[str, EquationCode]]:
    """Name and code of the whole model and of every slice."""
    code = model.kernel._equation_code()
    yield WHOLE, code
    for scope in model.scopes:
        for part in scope.slices:
            yield f"{scope.name}, {part.name}", code.slice(*slice_states(code, scope, part))


def kernel_size(name: str, code: EquationCode, active: Sequence[int] | None = None) -> KernelSize:
    """The size of the code of a system or of a slice, with derivatives of the outputs `active` (numbers) or of all."""
    blocks, rows = blocks_of(code)
    counts = instruction_counts(vector_module(blocks, rows, LANES, EXPORTED))
    step = counts["attempt"] + counts["accept"]
    one, two = (
        instruction_counts(vector_module(*blocks_of(code, tangents=n, active=active), LANES, EXPORTED)) for n in (1, 2)
    )
    moving = ["linearise_tangent"] if code.is_linear else []
    moving += [block for block in one if block.startswith(("stretch", "shift", "end_stretch"))]
    moving_times = sum(one[block] for block in moving)
    direction = sum(two[block] - one[block] for block in ("attempt", "accept")) - moving_times
    return KernelSize(name, len(code.scales), step, counts["relax"] + counts["move"], counts["interpolate"], direction)


def instruction_counts(text: str, weight: Callable[[str], int] = lambda line: 1) -> dict[str, int]:
    """Instructions that each function executes, by name, or the sum of their `weight`.

    Calls of functions that are not in the text count as an instruction.
    """
    bodies = {found[1]: found[0] for found in _FUNCTION.finditer(text)}
    counts: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in counts:
            counts[name] = _count_lines(
                bodies[name].splitlines(), lambda called: count(called) if called in bodies else None, weight
            )
        return counts[name]

    return {name: count(name) for name in bodies}


def _count_lines(lines: list[str], count_call: Callable[[str], int | None], weight: Callable[[str], int]) -> int:
    total: int = 0
    in_loop: int | None = None
    for line in map(str.strip, lines):
        if _LOOP_START.match(line):
            in_loop = 0
        elif found := _LOOP_END.search(line):
            total, in_loop = total + (in_loop or 0) * int(found[1]), None
        elif not _NOT_COUNTED.search(line):
            called = _CALL.search(line)
            inside = count_call(called[1]) if called else None
            one = weight(line) if inside is None else inside
            total, in_loop = (total + one, None) if in_loop is None else (total, in_loop + one)
    return total


@dataclass(frozen=True)
class MachineCode:
    """Instructions of a function in machine code for one processor, and those of them that move a value to the stack
    or from it, by a version of LLVM.
    """

    kernel: str
    function: str
    llvm: str
    instructions: int
    stack: int


def machine_code(model: Model) -> list[MachineCode]:
    """The longest functions of the kernels in MACHINE_KERNELS, four lanes wide, for a processor with AVX2."""
    found = []
    for name, code in kernels_of_package(model):
        if name in MACHINE_KERNELS:
            texts = [vector_module(*blocks_of(code), LANES, EXPORTED)]
            module = native_code.compile_module(texts, EXPORTED, _fixed_target)
            written = _fixed_target().emit_assembly(module)
            for function in MACHINE_FUNCTIONS:
                body = written.split(f"\n{function}:")[1].split(".Lfunc_end")[0]
                lines = [line for line in body.splitlines() if _MACHINE_INSTRUCTION.match(line)]
                stack = sum("(%rsp)" in line or "(%rbp)" in line for line in lines)
                found.append(MachineCode(name, function, native_code.llvm_version(), len(lines), stack))
    return found


def _fixed_target() -> llvm.TargetMachine:
    """The same processor on every machine."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple("x86_64-unknown-linux-gnu").create_target_machine(cpu="haswell", opt=2)


def read_sizes(path: Path = TABLE) -> list[KernelSize]:
    """Sizes as in the table."""
    rows = _rows(path)
    return [KernelSize(row.pop("kernel"), **{name: int(value) for name, value in row.items()}) for row in rows]


def read_machine_code(path: Path = MACHINE_TABLE) -> list[MachineCode]:
    """Machine code as in the table."""
    numbers = ("instructions", "stack")
    return [MachineCode(**{**row, **{name: int(row[name]) for name in numbers}}) for row in _rows(path)]  # type: ignore[arg-type]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_sizes(sizes: Sequence[KernelSize] | Sequence[MachineCode], path: Path = TABLE) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(sizes[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, sizes))
