"""exp and log of a whole vector as LLVM text: no library call, so the same bits on every processor.

exp: argument reduction by multiples of ln 2 held in two parts, Taylor polynomial of degree 13 on |r| <= ln 2 / 2
(truncation 4e-18), exponent set by adding to its bits. log: the reduction and the polynomial of fdlibm's e_log.c
(Sun Microsystems, 1993). Both are within 1.5 units in the last place of the true value where that is a normal number;
NaN passes through.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SHIFTER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves a whole number in the low bits
MAX_ARGUMENT, MIN_ARGUMENT = 709.782712893384, -708.0
LOG_COEFFICIENTS = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


def bits(number: float) -> str:
    """A double as LLVM writes it without loss: its bits in hexadecimal."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


def vector_constant(number: float, lanes: int) -> str:
    """One double in every lane."""
    return "<" + ", ".join([f"double {bits(number)}"] * lanes) + ">"


def vector_integer_constant(number: int, lanes: int) -> str:
    """One whole number in every lane."""
    return "<" + ", ".join([f"i64 {number}"] * lanes) + ">"


class LlvmFunctionBuilder:
    """Collects the lines of one function on vectors."""

    def __init__(self, lanes: int) -> None:
        self.lanes, self.lines, self.count = lanes, list[str](), 0
        self.real, self.whole, self.truth = (f"<{lanes} x {kind}>" for kind in ("double", "i64", "i1"))

    def line(self, text: str) -> str:
        """An instruction; returns the name of its result."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def c(self, number: float) -> str:
        """A constant."""
        return vector_constant(number, self.lanes)

    def two(self, kind: str, a: str, b: str) -> str:
        """An instruction of two doubles."""
        return self.line(f"{kind} {self.real} {a}, {b}")

    def integer(self, kind: str, a: str, b: str) -> str:
        """An instruction of two whole numbers."""
        return self.line(f"{kind} {self.whole} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, rounded once."""
        arguments = ", ".join(f"{self.real} {x}" for x in (a, b, c))
        return self.line(f"call {self.real} @llvm.fma.v{self.lanes}f64({arguments})")

    def as_whole(self, a: str) -> str:
        """The bits of a double as a whole number."""
        return self.line(f"bitcast {self.real} {a} to {self.whole}")

    def as_real(self, a: str) -> str:
        """And back."""
        return self.line(f"bitcast {self.whole} {a} to {self.real}")

    def choose(self, how: str, a: str, b: str, yes: str, no: str) -> str:
        """One of two, by how a and b compare."""
        test = self.line(f"fcmp {how} {self.real} {a}, {b}")
        return self.line(f"select {self.truth} {test}, {self.real} {yes}, {self.real} {no}")

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Horner's rule, constant term first in `coefficients`."""
        total = self.c(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.fma(total, x, self.c(coefficient))
        return total

    def text(self, name: str, result: str) -> str:
        """The whole function."""
        body = "\n".join(self.lines)
        return f"define internal {self.real} @{name}({self.real} %x) #1 {{\n{body}\n  ret {self.real} {result}\n}}\n"


def exponential(lanes: int) -> str:
    """The function @vector_exp."""
    f = LlvmFunctionBuilder(lanes)
    shifted = f.fma("%x", f.c(1 / math.log(2)), f.c(SHIFTER))
    k = f.two("fsub", shifted, f.c(SHIFTER))
    r = f.fma(k, f.c(-LN2_HIGH), "%x")
    r = f.fma(k, f.c(-LN2_LOW), r)
    series = f.polynomial(r, [1 / math.factorial(i) for i in range(14)])
    raised = f.integer("shl", f.as_whole(shifted), vector_integer_constant(52, lanes))
    scaled = f.as_real(f.integer("add", f.as_whole(series), raised))
    high = f.choose("ogt", "%x", f.c(MAX_ARGUMENT), f.c(math.inf), scaled)
    low = f.choose("olt", "%x", f.c(MIN_ARGUMENT), f.c(0.0), high)
    return f.text("vector_exp", f.choose("uno", "%x", "%x", "%x", low))


def logarithm(lanes: int) -> str:
    """The function @vector_log."""
    f = LlvmFunctionBuilder(lanes)
    whole = f.as_whole("%x")
    root_half = struct.unpack("<q", struct.pack("<d", math.sqrt(0.5)))[0]
    above = f.integer("sub", whole, vector_integer_constant(root_half, lanes))
    exponent = f.integer("ashr", above, vector_integer_constant(52, lanes))
    mantissa = f.as_real(f.integer("sub", whole, f.integer("shl", exponent, vector_integer_constant(52, lanes))))
    shifter_bits = struct.unpack("<q", struct.pack("<d", SHIFTER))[0]
    k = f.two("fsub", f.as_real(f.integer("add", exponent, vector_integer_constant(shifter_bits, lanes))), f.c(SHIFTER))
    m = f.two("fsub", mantissa, f.c(1.0))
    s = f.two("fdiv", m, f.two("fadd", m, f.c(2.0)))
    z = f.two("fmul", s, s)
    rest = f.two("fmul", z, f.polynomial(z, LOG_COEFFICIENTS))
    half = f.two("fmul", f.two("fmul", m, m), f.c(0.5))
    tail = f.fma(s, f.two("fadd", half, rest), f.two("fmul", k, f.c(LN2_LOW)))
    value = f.fma(k, f.c(LN2_HIGH), f.two("fsub", m, f.two("fsub", half, tail)))
    zero = f.choose("oeq", "%x", f.c(0.0), f.c(-math.inf), value)
    below = f.choose("olt", "%x", f.c(0.0), f.c(math.nan), zero)
    top = f.choose("oeq", "%x", f.c(math.inf), f.c(math.inf), below)
    return f.text("vector_log", f.choose("uno", "%x", "%x", "%x", top))
