"""Blocks as LLVM text: every instruction works on one vector, one number per lane; the workspace is one flat array.

Row r of the workspace is `lanes` doubles from r * lanes on. All addresses are constant offsets from one pointer, so
the optimiser sees every alias, and products are fused where an instruction says so and nowhere else: the same results
on every processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Loop, Operand, Slot, WorkspaceLayout
from ketamech.engine.codegen.llvm_math import arctangent, cosine, exponential, floor, logarithm, sine, vector_constant

_PLAIN = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_CALLED = {"fma": "llvm.fma", "sqrt": "llvm.sqrt", "abs": "llvm.fabs"}
_LOAD = """define i64 @take(ptr %counter) {
  %taken = atomicrmw add ptr %counter, i64 1 monotonic
  ret i64 %taken
}
"""
_OWN_FUNCTIONS = {name: f"vector_{name}" for name in ("exp", "log", "sin", "cos", "atan", "floor")}
_FUNCTION_USES = {"sin": sine, "cos": cosine, "atan": arctangent, "floor": floor}


def vector_module(
    blocks: Sequence[BasicBlock], rows: WorkspaceLayout, lanes: int, exported: Sequence[str], stride: int | None = None
) -> str:
    """The LLVM module of all blocks for `lanes` lanes side by side, and of `take`, which counts started patients.

    Blocks that are `exported` can be called from outside. `stride` is the distance between two rows where it is not
    the number of lanes: a block then works on some lanes of a wider group.
    """
    real = f"<{lanes} x double>"
    declared = [
        f"declare {real} @llvm.fma.v{lanes}f64({real}, {real}, {real})",
        f"declare {real} @llvm.sqrt.v{lanes}f64({real})",
        f"declare {real} @llvm.fabs.v{lanes}f64({real})",
    ]
    written = [_Writer(rows, lanes, stride or lanes).function(block, block.name in exported) for block in blocks]
    used = {op.kind for block in blocks for op in _operations(block)}
    added = [write(lanes) for kind, write in _FUNCTION_USES.items() if kind in used]
    width = f'"min-legal-vector-width"="{64 * lanes}" "prefer-vector-width"="{64 * lanes}"'
    attributes = [  # realigned: half of the vectors put on the stack would otherwise straddle two lines of the cache
        f'attributes #0 = {{ nounwind noinline "stackrealign" {width} }}',
        f"attributes #1 = {{ nounwind alwaysinline {width} }}",
    ]
    return "\n".join([*declared, _LOAD, exponential(lanes), logarithm(lanes), *added, *written, *attributes, ""])


def _operations(block: BasicBlock) -> Iterator[Instruction]:
    """Every instruction of a block, those inside loops too."""
    for item in block.body:
        if isinstance(item, Loop):
            yield from item.body
        elif isinstance(item, Instruction):
            yield item


class _Writer:
    """Writes one block; remembers what has been loaded and which results are where."""

    def __init__(self, rows: WorkspaceLayout, lanes: int, stride: int) -> None:
        self.starts, self.lanes, self.stride = rows.starts, lanes, stride
        self.real, self.lines, self.count = f"<{lanes} x double>", list[str](), 0
        self.held: dict[str | Slot, str] = {}
        self.row: str | None = None

    def function(self, block: BasicBlock, exported: bool) -> str:
        for item in block.body:
            if isinstance(item, Call):
                self._call(item)
            elif isinstance(item, Loop):
                self._loop(item)
            else:
                self._op(item)
        kind = "" if exported else "internal "
        taken = ", ptr %b" if block.takes else ""
        body = "\n".join(self.lines)
        return f"define {kind}i64 @{block.name}(ptr %w{taken}) #0 {{\nentry:\n{body}\n  ret i64 0\n}}\n"

    def _call(self, call: Call) -> None:
        array_argument = f", ptr {self._address(Slot(call.array, 0))}" if call.array else ""
        self._new(f"call i64 @{call.block}(ptr %w{array_argument})")
        self.held.clear()

    def _new(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def _op(self, op: Instruction) -> None:
        value = self._result(op.kind, [self._read(a) for a in op.arguments])
        if isinstance(op.target, Slot):
            self.lines.append(f"  store {self.real} {value}, ptr {self._address(op.target)}, align {8 * self.lanes}")
        self.held[op.target] = value

    def _result(self, kind: str, arguments: list[str]) -> str:
        typed = ", ".join(f"{self.real} {a}" for a in arguments)
        if kind == "copy":
            return arguments[0]
        if kind == "fnma":
            minus = self._new(f"fneg {self.real} {arguments[0]}")
            return self._result("fma", [minus, *arguments[1:]])
        if kind == "neg":
            return self._new(f"fneg {typed}")
        if kind in _PLAIN:
            return self._new(f"{_PLAIN[kind]} {self.real} {arguments[0]}, {arguments[1]}")
        if kind in _CALLED:
            return self._new(f"call {self.real} @{_CALLED[kind]}.v{self.lanes}f64({typed})")
        if kind in _OWN_FUNCTIONS:
            return self._new(f"call {self.real} @{_OWN_FUNCTIONS[kind]}({typed})")
        return self._choice(kind, arguments)

    def _choice(self, kind: str, arguments: list[str]) -> str:
        if kind == "max":
            a, b = arguments
            test, yes, no = f"fcmp ogt {self.real} {a}, {b}", a, b
        else:
            a, yes, no = arguments
            how = {"if_positive": "ugt", "if_zero": "oeq"}[kind]
            test = f"fcmp {how} {self.real} {a}, {vector_constant(0.0, self.lanes)}"
        truth = self._new(test)
        return self._new(f"select <{self.lanes} x i1> {truth}, {self.real} {yes}, {self.real} {no}")

    def _read(self, operand: Operand) -> str:
        if isinstance(operand, int | float):
            return vector_constant(float(operand), self.lanes)
        if operand not in self.held:
            assert isinstance(operand, Slot), f"{operand} is used before it is computed"
            self.held[operand] = self._new(f"load {self.real}, ptr {self._address(operand)}, align {8 * self.lanes}")
        return self.held[operand]

    def _address(self, place: Slot) -> str:
        if place.array == "B":
            return self._new(f"getelementptr double, ptr %b, i64 {(place.row or 0) * self.stride}")
        start = self.starts[place.array] * self.stride
        if place.row is not None:
            return self._new(f"getelementptr double, ptr %w, i64 {start + place.row * self.stride}")
        array = self._new(f"getelementptr double, ptr %w, i64 {start}")
        return self._new(f"getelementptr [{self.stride} x double], ptr {array}, i64 {self.row}")

    def _loop(self, loop: Loop) -> None:
        """A counted loop; what was held before stays valid inside only if it is not a row of the loop."""
        self.count += 1
        mark = self.count
        before, body, after = f"before{mark}", f"loop{mark}", f"after{mark}"
        for operand in {a for op in loop.body for a in op.arguments if isinstance(a, Slot) and a.row is not None}:
            self._read(operand)
        held = dict(self.held)
        self.lines += [f"  br label %{before}", f"{before}:", f"  br label %{body}", f"{body}:"]
        self.row = f"%row{mark}"
        self.lines.append(f"  {self.row} = phi i64 [ 0, %{before} ], [ %next{mark}, %{body} ]")
        for op in loop.body:
            self._op(op)
        self.lines += [
            f"  %next{mark} = add i64 {self.row}, 1",
            f"  %more{mark} = icmp ult i64 %next{mark}, {loop.rows}",
            f"  br i1 %more{mark}, label %{body}, label %{after}",
            f"{after}:",
        ]
        written = {op.target.array for op in loop.body if isinstance(op.target, Slot)}
        self.held = {k: v for k, v in held.items() if not (isinstance(k, Slot) and k.array in written)}
