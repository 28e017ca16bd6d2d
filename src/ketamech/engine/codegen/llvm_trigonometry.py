"""sin, cos, arctan and floor of a whole vector as LLVM text; written only into modules that use them.

sin and cos: x less n times pi / 2, held in three parts and taken away by fused operations, then the polynomials of
fdlibm's k_sin.c and k_cos.c on |r| <= pi / 4. Within 2 units in the last place up to |x| = 2^40; beyond that NaN, not
a guess. arctan: brought to |t| <= tan(pi / 8), then the polynomial of fdlibm's s_atan.c (Sun Microsystems, 1993);
within 2 units in the last place everywhere. NaN passes through.
"""

from __future__ import annotations

import math

from ketamech.engine.codegen.llvm_math import SHIFTER, LlvmFunctionBuilder, vector_integer_constant

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


def sine(lanes: int) -> str:
    """The function @vector_sin."""
    return _reduce_angle("vector_sin", lanes, 0)


def cosine(lanes: int) -> str:
    """The function @vector_cos: the sine a quarter turn on."""
    return _reduce_angle("vector_cos", lanes, 1)


def _reduce_angle(name: str, lanes: int, ahead: int) -> str:
    """sin(x + ahead quarter turns): the remainder's sine or cosine, with the sign of the quarter it is in."""
    f = LlvmFunctionBuilder(lanes)
    shifted = f.fma("%x", f.c(2 / math.pi), f.c(SHIFTER))
    n = f.two("fsub", shifted, f.c(SHIFTER))
    r = "%x"
    for part in QUARTER_TURN:
        r = f.fma(n, f.c(-part), r)
    z = f.two("fmul", r, r)
    curved = f.fma(f.two("fmul", r, z), f.polynomial(z, SINE), r)
    quarter = f.integer("add", f.as_whole(shifted), vector_integer_constant(ahead, lanes))
    odd = f.line(f"trunc {f.whole} {quarter} to {f.truth}")
    value = f.line(f"select {f.truth} {odd}, {f.real} {_flat(f, z)}, {f.real} {curved}")
    half = f.integer(
        "shl", f.integer("lshr", quarter, vector_integer_constant(1, lanes)), vector_integer_constant(63, lanes)
    )
    signed = f.as_real(f.integer("xor", f.as_whole(value), half))
    size = f.as_real(f.integer("and", f.as_whole("%x"), vector_integer_constant(2**63 - 1, lanes)))
    return f.text(name, f.choose("ole", size, f.c(MAX_ANGLE), signed, f.c(math.nan)))


def _flat(f: LlvmFunctionBuilder, z: str) -> str:
    """The cosine of a remainder whose square is z; what 1 - z / 2 loses to rounding is added again."""
    half = f.two("fmul", z, f.c(0.5))
    most = f.two("fsub", f.c(1.0), half)
    lost = f.two("fsub", f.two("fsub", f.c(1.0), most), half)
    return f.two("fadd", most, f.fma(f.two("fmul", z, z), f.polynomial(z, COSINE), lost))


def arctangent(lanes: int) -> str:
    """The function @vector_atan."""
    f = LlvmFunctionBuilder(lanes)
    sign = f.integer("and", f.as_whole("%x"), vector_integer_constant(-(2**63), lanes))
    x = f.as_real(f.integer("xor", f.as_whole("%x"), sign))
    middle, far = f.c(math.tan(math.pi / 8)), f.c(math.tan(3 * math.pi / 8))

    def by_size(near: str, between: str, beyond: str) -> str:
        return f.choose("ogt", x, far, beyond, f.choose("ogt", x, middle, between, near))

    above = by_size(x, f.two("fsub", x, f.c(1.0)), f.c(-1.0))
    below = by_size(f.c(1.0), f.two("fadd", x, f.c(1.0)), x)
    base = by_size(f.c(0.0), f.c(math.pi / 4), f.c(math.pi / 2))
    rest = by_size(f.c(0.0), f.c(QUARTER_TURN[1] / 2), f.c(QUARTER_TURN[1]))
    t = f.two("fdiv", above, below)
    z = f.two("fmul", t, t)
    small = f.fma(f.two("fmul", t, z), f.polynomial(z, ARCTANGENT), rest)
    value = f.two("fadd", base, f.two("fadd", small, t))
    return f.text("vector_atan", f.as_real(f.integer("or", f.as_whole(value), sign)))


def floor(lanes: int) -> str:
    """The function @vector_floor."""
    f = LlvmFunctionBuilder(lanes)
    found = f.line(f"call {f.real} @llvm.floor.v{lanes}f64({f.real} %x)")
    return f"declare {f.real} @llvm.floor.v{lanes}f64({f.real})\n" + f.text("vector_floor", found)
