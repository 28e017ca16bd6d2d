"""Blocks as LLVM text: every instruction works on one vector, one number per lane; the workspace is one flat array.

Row r of the workspace is `lanes` doubles from r * lanes on. All addresses are constant offsets from one pointer, so
the optimiser knows which of them overlap. Products are fused only where an instruction says so: the same results on
every processor. The functions exp, log, sin, cos, arctan and floor of a vector are written out, without library calls,
for the same reason.

exp: argument reduction by multiples of ln 2 (the sum of two constants), Taylor polynomial of degree 13 on
|r| <= ln 2 / 2 (truncation 4e-18), exponent set by adding to its bits. log: the reduction and the polynomial of
fdlibm's e_log.c (Sun Microsystems, 1993). Both are within 1.5 units in the last place of the true value where that is
a normal number.

sin and cos: x minus n times pi / 2 (the sum of three constants) by fused operations, then the polynomials of
fdlibm's k_sin.c and k_cos.c on |r| <= pi / 4. Within 2 units in the last place up to |x| = 2^40; beyond that NaN.
arctan: reduced to |t| <= tan(pi / 8), then the polynomial of fdlibm's s_atan.c; within 2 units in the last place
everywhere. NaN passes through all functions.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence

from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Loop, Operand, Slot, WorkspaceLayout

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SHIFTER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves an integer in the low bits
MAX_ARGUMENT, MIN_ARGUMENT = 709.782712893384, -708.0
LOG_COEFFICIENTS = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip


QUARTER_TURN = (math.pi / 2, 6.123233995736766e-17, -1.4973849048591698e-33)  # pi / 2 is their sum
MAX_ANGLE = 2.0**40
SINE = (
    -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
    2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
)  # fmt: skip
COSINE = (
    4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
    -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
)  # fmt: skip
ARCTANGENT = (
    -3.33333333333329318027e-01, 1.99999999998764832476e-01, -1.42857142725034663711e-01,
    1.11111104054623557880e-01, -9.09088713343650656196e-02, 7.69187620504482999495e-02,
    -6.66107313738753120669e-02, 5.83357013379057348645e-02, -4.97687799461593236017e-02,
    3.65315727442169155270e-02, -1.62858201153657823623e-02,
)  # fmt: skip


def bits(number: float) -> str:
    """A double as LLVM writes it without loss: its bits in hexadecimal."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


def vector_constant(number: float, lanes: int) -> str:
    """One double in every lane."""
    return "<" + ", ".join([f"double {bits(number)}"] * lanes) + ">"


def vector_integer_constant(number: int, lanes: int) -> str:
    """One integer in every lane."""
    return "<" + ", ".join([f"i64 {number}"] * lanes) + ">"


class InstructionLines:
    """The lines of one function on vectors of `lanes` numbers; results are numbered."""

    def __init__(self, lanes: int) -> None:
        self.lanes, self.lines, self.count = lanes, list[str](), 0
        self.real, self.whole, self.truth = (f"<{lanes} x {kind}>" for kind in ("double", "i64", "i1"))

    def line(self, text: str) -> str:
        """Append an instruction; returns the name of its result."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"


class LlvmFunctionBuilder(InstructionLines):
    """Collects the lines of one function on vectors."""

    def c(self, number: float) -> str:
        """A constant in every lane."""
        return vector_constant(number, self.lanes)

    def binary(self, kind: str, a: str, b: str) -> str:
        """Append an instruction with two floating-point operands; returns the name of its result."""
        return self.line(f"{kind} {self.real} {a}, {b}")

    def integer(self, kind: str, a: str, b: str) -> str:
        """Append an instruction with two integer operands; returns the name of its result."""
        return self.line(f"{kind} {self.whole} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        """Append a * b + c, rounded once."""
        arguments = ", ".join(f"{self.real} {x}" for x in (a, b, c))
        return self.line(f"call {self.real} @llvm.fma.v{self.lanes}f64({arguments})")

    def as_integer(self, a: str) -> str:
        """The bits of a double as an integer."""
        return self.line(f"bitcast {self.real} {a} to {self.whole}")

    def as_real(self, a: str) -> str:
        """An integer as the bits of a double."""
        return self.line(f"bitcast {self.whole} {a} to {self.real}")

    def choose(self, comparison: str, a: str, b: str, yes: str, no: str) -> str:
        """Append a selection: `yes` where the comparison of a and b is true, else `no`."""
        test = self.line(f"fcmp {comparison} {self.real} {a}, {b}")
        return self.line(f"select {self.truth} {test}, {self.real} {yes}, {self.real} {no}")

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Append a polynomial in x by Horner's rule; `coefficients` from the constant term on."""
        total = self.c(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.fma(total, x, self.c(coefficient))
        return total

    def text(self, name: str, result: str) -> str:
        """LLVM text of the function, which returns `result`."""
        body = "\n".join(self.lines)
        return f"define internal {self.real} @{name}({self.real} %x) #1 {{\n{body}\n  ret {self.real} {result}\n}}\n"


def exponential(lanes: int) -> str:
    """The function @vector_exp."""
    f = LlvmFunctionBuilder(lanes)
    shifted = f.fma("%x", f.c(1 / math.log(2)), f.c(SHIFTER))
    k = f.binary("fsub", shifted, f.c(SHIFTER))
    r = f.fma(k, f.c(-LN2_HIGH), "%x")
    r = f.fma(k, f.c(-LN2_LOW), r)
    series = f.polynomial(r, [1 / math.factorial(i) for i in range(14)])
    raised = f.integer("shl", f.as_integer(shifted), vector_integer_constant(52, lanes))
    scaled = f.as_real(f.integer("add", f.as_integer(series), raised))
    high = f.choose("ogt", "%x", f.c(MAX_ARGUMENT), f.c(math.inf), scaled)
    low = f.choose("olt", "%x", f.c(MIN_ARGUMENT), f.c(0.0), high)
    return f.text("vector_exp", f.choose("uno", "%x", "%x", "%x", low))


def logarithm(lanes: int) -> str:
    """The function @vector_log."""
    f = LlvmFunctionBuilder(lanes)
    whole = f.as_integer("%x")
    root_half = struct.unpack("<q", struct.pack("<d", math.sqrt(0.5)))[0]
    above = f.integer("sub", whole, vector_integer_constant(root_half, lanes))
    exponent = f.integer("ashr", above, vector_integer_constant(52, lanes))
    mantissa = f.as_real(f.integer("sub", whole, f.integer("shl", exponent, vector_integer_constant(52, lanes))))
    shifter_bits = struct.unpack("<q", struct.pack("<d", SHIFTER))[0]
    shifted = f.as_real(f.integer("add", exponent, vector_integer_constant(shifter_bits, lanes)))
    k = f.binary("fsub", shifted, f.c(SHIFTER))
    m = f.binary("fsub", mantissa, f.c(1.0))
    s = f.binary("fdiv", m, f.binary("fadd", m, f.c(2.0)))
    z = f.binary("fmul", s, s)
    rest = f.binary("fmul", z, f.polynomial(z, LOG_COEFFICIENTS))
    half = f.binary("fmul", f.binary("fmul", m, m), f.c(0.5))
    tail = f.fma(s, f.binary("fadd", half, rest), f.binary("fmul", k, f.c(LN2_LOW)))
    value = f.fma(k, f.c(LN2_HIGH), f.binary("fsub", m, f.binary("fsub", half, tail)))
    zero = f.choose("oeq", "%x", f.c(0.0), f.c(-math.inf), value)
    below = f.choose("olt", "%x", f.c(0.0), f.c(math.nan), zero)
    top = f.choose("oeq", "%x", f.c(math.inf), f.c(math.inf), below)
    return f.text("vector_log", f.choose("uno", "%x", "%x", "%x", top))


def sine(lanes: int) -> str:
    """The function @vector_sin."""
    return _reduce_angle("vector_sin", lanes, 0)


def cosine(lanes: int) -> str:
    """The function @vector_cos: the sine with a phase of a quarter turn."""
    return _reduce_angle("vector_cos", lanes, 1)


def _reduce_angle(name: str, lanes: int, quarter_turns: int) -> str:
    """sin(x + ahead quarter turns): the sine or cosine of the remainder, with the sign of its quarter."""
    f = LlvmFunctionBuilder(lanes)
    shifted = f.fma("%x", f.c(2 / math.pi), f.c(SHIFTER))
    n = f.binary("fsub", shifted, f.c(SHIFTER))
    r = "%x"
    for term in QUARTER_TURN:
        r = f.fma(n, f.c(-term), r)
    z = f.binary("fmul", r, r)
    curved = f.fma(f.binary("fmul", r, z), f.polynomial(z, SINE), r)
    quarter = f.integer("add", f.as_integer(shifted), vector_integer_constant(quarter_turns, lanes))
    odd = f.line(f"trunc {f.whole} {quarter} to {f.truth}")
    value = f.line(f"select {f.truth} {odd}, {f.real} {_cosine_of_remainder(f, z)}, {f.real} {curved}")
    half = f.integer(
        "shl", f.integer("lshr", quarter, vector_integer_constant(1, lanes)), vector_integer_constant(63, lanes)
    )
    signed = f.as_real(f.integer("xor", f.as_integer(value), half))
    size = f.as_real(f.integer("and", f.as_integer("%x"), vector_integer_constant(2**63 - 1, lanes)))
    return f.text(name, f.choose("ole", size, f.c(MAX_ANGLE), signed, f.c(math.nan)))


def _cosine_of_remainder(f: LlvmFunctionBuilder, z: str) -> str:
    """The cosine of a remainder whose square is z; the rounding error of 1 - z / 2 is added again."""
    half = f.binary("fmul", z, f.c(0.5))
    rounded = f.binary("fsub", f.c(1.0), half)
    rounding_error = f.binary("fsub", f.binary("fsub", f.c(1.0), rounded), half)
    return f.binary("fadd", rounded, f.fma(f.binary("fmul", z, z), f.polynomial(z, COSINE), rounding_error))


def arctangent(lanes: int) -> str:
    """The function @vector_atan."""
    f = LlvmFunctionBuilder(lanes)
    sign = f.integer("and", f.as_integer("%x"), vector_integer_constant(-(2**63), lanes))
    x = f.as_real(f.integer("xor", f.as_integer("%x"), sign))
    middle, far = f.c(math.tan(math.pi / 8)), f.c(math.tan(3 * math.pi / 8))

    def by_size(near: str, between: str, beyond: str) -> str:
        return f.choose("ogt", x, far, beyond, f.choose("ogt", x, middle, between, near))

    above = by_size(x, f.binary("fsub", x, f.c(1.0)), f.c(-1.0))
    below = by_size(f.c(1.0), f.binary("fadd", x, f.c(1.0)), x)
    base = by_size(f.c(0.0), f.c(math.pi / 4), f.c(math.pi / 2))
    rest = by_size(f.c(0.0), f.c(QUARTER_TURN[1] / 2), f.c(QUARTER_TURN[1]))
    t = f.binary("fdiv", above, below)
    z = f.binary("fmul", t, t)
    small = f.fma(f.binary("fmul", t, z), f.polynomial(z, ARCTANGENT), rest)
    value = f.binary("fadd", base, f.binary("fadd", small, t))
    return f.text("vector_atan", f.as_real(f.integer("or", f.as_integer(value), sign)))


def floor(lanes: int) -> str:
    """The function @vector_floor."""
    f = LlvmFunctionBuilder(lanes)
    value = f.line(f"call {f.real} @llvm.floor.v{lanes}f64({f.real} %x)")
    return f"declare {f.real} @llvm.floor.v{lanes}f64({f.real})\n" + f.text("vector_floor", value)


_BINARY_OPERATIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTRINSICS = {"fma": "llvm.fma", "sqrt": "llvm.sqrt", "abs": "llvm.fabs"}
_TAKE_FUNCTION = """define i64 @take(ptr %counter) {
  %taken = atomicrmw add ptr %counter, i64 1 monotonic
  ret i64 %taken
}
"""
_VECTOR_FUNCTIONS = {name: f"vector_{name}" for name in ("exp", "log", "sin", "cos", "atan", "floor")}
_OPTIONAL_FUNCTIONS = {"sin": sine, "cos": cosine, "atan": arctangent, "floor": floor}


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
    added = [write(lanes) for kind, write in _OPTIONAL_FUNCTIONS.items() if kind in used]
    width = f'"min-legal-vector-width"="{64 * lanes}" "prefer-vector-width"="{64 * lanes}"'
    attributes = [  # realigned: half of the vectors put on the stack would otherwise straddle two lines of the cache
        f'attributes #0 = {{ nounwind noinline "stackrealign" {width} }}',
        f"attributes #1 = {{ nounwind alwaysinline {width} }}",
    ]
    functions = [_TAKE_FUNCTION, exponential(lanes), logarithm(lanes), *added, *written]
    return "\n".join([*declared, *functions, *attributes, ""])


def _operations(block: BasicBlock) -> Iterator[Instruction]:
    """Every instruction of a block, those inside loops too."""
    for item in block.body:
        if isinstance(item, Loop):
            yield from item.body
        elif isinstance(item, Instruction):
            yield item


class _Writer(InstructionLines):
    """Writes one block; `loaded` has the LLVM names of loaded rows and of results."""

    def __init__(self, rows: WorkspaceLayout, lanes: int, stride: int) -> None:
        super().__init__(lanes)
        self.starts, self.stride, self.distance = rows.starts, stride, rows.distance
        self.loaded: dict[str | Slot, str] = {}
        self.row: str | None = None
        self.first_row = 0
        self.relative = False

    def function(self, block: BasicBlock, exported: bool) -> str:
        self.relative = block.relative
        if block.relative:
            self.lines.append("  %t = getelementptr double, ptr %w, i64 %offset")
        if block.relative and block.takes_array:
            self.lines.append("  %tb = getelementptr double, ptr %b, i64 %offset")
        for item in block.body:
            if isinstance(item, Call):
                self._write_call(item)
            elif isinstance(item, Loop):
                self._write_loop(item)
            else:
                self._write_instruction(item)
        kind = "" if exported else "internal "
        taken = (", ptr %b" if block.takes_array else "") + (", i64 %offset" if block.relative else "")
        body = "\n".join(self.lines)
        return f"define {kind}i64 @{block.name}(ptr %w{taken}) #0 {{\nentry:\n{body}\n  ret i64 0\n}}\n"

    def _write_call(self, call: Call) -> None:
        array_argument = f", ptr {self._address(Slot(call.array, 0))}" if call.array else ""
        if call.tangent:
            self._write_tangent_call(call, array_argument)
        else:
            self.line(f"call i64 @{call.block}(ptr %w{array_argument})")
        self.loaded.clear()

    def _write_tangent_call(self, call: Call, array_argument: str) -> None:
        directions = self.line(f"load double, ptr {self._address(Slot(call.limit, 0))}")
        is_used = self.line(f"fcmp oge double {directions}, {bits(float(call.tangent))}")
        self.count += 1
        yes, after = f"call{self.count}", f"called{self.count}"
        self.lines += [f"  br i1 {is_used}, label %{yes}, label %{after}", f"{yes}:"]
        offset = call.tangent * self.distance * self.stride
        self.line(f"call i64 @{call.block}(ptr %w{array_argument}, i64 {offset})")
        self.lines += [f"  br label %{after}", f"{after}:"]

    def _write_instruction(self, op: Instruction) -> None:
        value = self._result(op.kind, [self._read(a) for a in op.arguments])
        if isinstance(op.target, Slot):
            self.lines.append(f"  store {self.real} {value}, ptr {self._address(op.target)}, align {8 * self.lanes}")
        self.loaded[op.target] = value

    def _result(self, kind: str, arguments: list[str]) -> str:
        typed = ", ".join(f"{self.real} {a}" for a in arguments)
        if kind == "copy":
            return arguments[0]
        if kind == "fnma":
            minus = self.line(f"fneg {self.real} {arguments[0]}")
            return self._result("fma", [minus, *arguments[1:]])
        if kind == "neg":
            return self.line(f"fneg {typed}")
        if kind in _BINARY_OPERATIONS:
            return self.line(f"{_BINARY_OPERATIONS[kind]} {self.real} {arguments[0]}, {arguments[1]}")
        if kind in _INTRINSICS:
            return self.line(f"call {self.real} @{_INTRINSICS[kind]}.v{self.lanes}f64({typed})")
        if kind in _VECTOR_FUNCTIONS:
            return self.line(f"call {self.real} @{_VECTOR_FUNCTIONS[kind]}({typed})")
        return self._choice(kind, arguments)

    def _choice(self, kind: str, arguments: list[str]) -> str:
        if kind == "max":
            a, b = arguments
            test, yes, no = f"fcmp ogt {self.real} {a}, {b}", a, b
        else:
            a, yes, no = arguments
            comparison = {"if_positive": "ugt", "if_zero": "oeq"}[kind]
            test = f"fcmp {comparison} {self.real} {a}, {vector_constant(0.0, self.lanes)}"
        truth = self.line(test)
        return self.line(f"select {self.truth} {truth}, {self.real} {yes}, {self.real} {no}")

    def _read(self, operand: Operand) -> str:
        if isinstance(operand, int | float):
            return vector_constant(float(operand), self.lanes)
        if operand not in self.loaded:
            assert isinstance(operand, Slot), f"{operand} is used before it is computed"
            self.loaded[operand] = self.line(f"load {self.real}, ptr {self._address(operand)}, align {8 * self.lanes}")
        return self.loaded[operand]

    def _address(self, slot: Slot) -> str:
        is_relative = bool(slot.tangent and self.relative)
        offset = 0 if is_relative else slot.tangent * self.distance
        if slot.array == "B":
            base = "%tb" if is_relative else "%b"
            return self.line(f"getelementptr double, ptr {base}, i64 {((slot.row or 0) + offset) * self.stride}")
        start, base = (self.starts[slot.array] + offset) * self.stride, "%t" if is_relative else "%w"
        if slot.row is not None:
            return self.line(f"getelementptr double, ptr {base}, i64 {start + slot.row * self.stride}")
        array = self.line(f"getelementptr double, ptr {base}, i64 {start + self.first_row * self.stride}")
        return self.line(f"getelementptr [{self.stride} x double], ptr {array}, i64 {self.row}")

    def _write_loop(self, loop: Loop) -> None:
        """A counted loop; values loaded before stay valid inside it except rows of the loop."""
        self.count += 1
        number = self.count
        before, body, after = f"before{number}", f"loop{number}", f"after{number}"
        for operand in (a for op in loop.body for a in op.arguments if isinstance(a, Slot) and a.row is not None):
            self._read(operand)
        loaded = dict(self.loaded)
        self.lines += [f"  br label %{before}", f"{before}:", f"  br label %{body}", f"{body}:"]
        self.row, self.first_row = f"%row{number}", loop.first
        self.lines.append(f"  {self.row} = phi i64 [ 0, %{before} ], [ %next{number}, %{body} ]")
        for op in loop.body:
            self._write_instruction(op)
        self.lines += [
            f"  %next{number} = add i64 {self.row}, 1",
            f"  %more{number} = icmp ult i64 %next{number}, {loop.rows}",
            f"  br i1 %more{number}, label %{body}, label %{after}",
            f"{after}:",
        ]
        written = {op.target.array for op in loop.body if isinstance(op.target, Slot)}
        self.loaded = {k: v for k, v in loaded.items() if not (isinstance(k, Slot) and k.array in written)}
