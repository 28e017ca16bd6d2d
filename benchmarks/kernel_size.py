"""Instructions of each kernel, counted in its LLVM text: a measure of speed that needs no clock.

`python -m benchmarks kernels` writes the table `kernel_size.csv`; a test compares it with the program. Counted are
arithmetic, comparisons, loads and stores of one group of lanes, with the instructions of called blocks and functions
and as many rounds of loops as there are rows. Not counted are addresses and jumps.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.program import EXPORTED, blocks_of
from ketamech.engine.kernel import LANES, slice_states
from ketamech.simulation.model import Model

TABLE = Path(__file__).parent / "kernel_size.csv"
WHOLE = "all outputs"
_FUNCTION = re.compile(r"^define [^@]*@([\w.]+)\(.*?^}", re.M | re.S)
_CALL = re.compile(r"call [^@]*@([\w.]+)\(")
_LOOP_START, _LOOP_END = re.compile(r"^loop\d+:"), re.compile(r"icmp ult i64 %next\d+, (\d+)")
_NOT_COUNTED = re.compile(
    r"getelementptr|bitcast|\bbr\b|\bphi\b|\bret\b|^define|^\w+:|^}|^$|icmp ult i64 %next|%next\d+ = add"
)


@dataclass(frozen=True)
class KernelSize:
    """Instructions of a kernel: of a step, of a correction towards the steady state, of all outputs at one time."""

    kernel: str
    states: int
    step: int
    correction: int
    outputs: int


@dataclass(frozen=True)
class KernelCost:
    """Floating-point operations of a step of one patient, and bytes that it loads and stores."""

    kernel: str
    states: int
    operations: int
    bytes: int


def kernel_sizes(model: Model) -> list[KernelSize]:
    """Sizes of the code of the whole model and of every slice."""
    return [kernel_size(name, code) for name, code in _kernels(model)]


def kernel_costs(model: Model) -> list[KernelCost]:
    """Costs of a step of the whole model and of every slice."""
    found = []
    for name, code in _kernels(model):
        text = vector_module(*blocks_of(code), LANES, EXPORTED)
        operations, moved = (instruction_counts(text, weight) for weight in (_operations, _bytes))
        each = [counts["attempt"] + counts["accept"] for counts in (operations, moved)]
        found.append(KernelCost(name, len(code.scales), *each))
    return found


def _operations(line: str) -> int:
    if "@llvm.fma" in line:
        return 2
    return 1 if re.search(r"= (?:fadd|fsub|fmul|fdiv)\b|@llvm.sqrt", line) else 0


def _bytes(line: str) -> int:
    return 8 if re.search(r"= load <|^store <", line) else 0


def _kernels(model: Model) -> Iterator[tuple[str, EquationCode]]:
    code = model.kernel._equation_code()
    yield WHOLE, code
    for scope in model.scopes:
        for part in scope.slices:
            yield f"{scope.name}, {part.name}", code.slice(*slice_states(code, scope, part))


def kernel_size(name: str, code: EquationCode) -> KernelSize:
    """The size of the code of a system or of a slice."""
    blocks, rows = blocks_of(code)
    counts = instruction_counts(vector_module(blocks, rows, LANES, EXPORTED))
    step = counts["attempt"] + counts["accept"]
    return KernelSize(name, len(code.scales), step, counts["relax"] + counts["move"], counts["interpolate"])


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


def read_sizes(path: Path = TABLE) -> list[KernelSize]:
    """Sizes as in the table."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [KernelSize(row.pop("kernel"), **{name: int(value) for name, value in row.items()}) for row in rows]


def write_sizes(sizes: list[KernelSize], path: Path = TABLE) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(KernelSize)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, sizes))
