"""A kernel in C with AVX vectors beside which our engine is measured: its throughput is what a hand can reach.

Written by hand is the integrator (`rosenbrock_kernel.c`: Rodas5P, step control, events, dense output, four patients in
an AVX register with the vector extension of GCC). The equations, the Jacobian and the sparse LU are too long for a
hand: this file prints them in straight lines of C from the symbolic system, as for the other programs, and the
compiler of the machine does the rest. Nothing of it is in the wheel.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from sympy.printing.c import C99CodePrinter

from benchmarks.straight_line_code import Program, SmallPowers, text_of
from ketamech.core import SolverError
from ketamech.engine.codegen.rosenbrock import RODAS5P
from ketamech.engine.codegen.sparse_lu import SparseLU, sparse_lu
from ketamech.engine.kernel import cpu_lanes
from ketamech.model.rates_and_jacobian import sparse_jacobian
from ketamech.model.stage import symbol

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run

SOURCE = Path(__file__).parent / "rosenbrock_kernel.c"
COMPILER = os.environ.get("CC", "cc")
FLAGS = (
    "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros",
    "-fassociative-math", "-fPIC", "-shared",
)  # fmt: skip
COMPILE_LIMIT = 900.0  # s
Lines = list[str]


class _C(SmallPowers, C99CodePrinter):
    """SymPy to C on vectors, with functions on vectors."""

    root, power = "v_sqrt(ALL({base}))", "v_exp(ALL(({exponent})*v_log(ALL({base}))))"

    def _print_Function(self, expr: sympy.Expr) -> str:
        name = {"unexpanded_hill": "rise", "exp": "v_exp", "log": "v_log", "Max": "v_max"}[expr.func.__name__]
        return f"{name}({', '.join(f'ALL({self._print(one)})' for one in expr.args)})"

    _print_exp = _print_log = _print_Max = _print_Function  # noqa: N815  (names of SymPy's printers)


_PLACE = re.compile(r"\b([ypq])(\d+)\b")
_text = text_of(_C({"contract": False}))


def load(problem: BenchmarkCase) -> Run:
    """Compile the kernel, and return what solves the task for every patient of the problem."""
    library = compile_c(SOURCE, cpu_lanes(), write_equations(problem))
    library.solve_all.restype = ctypes.c_long
    events, times = problem.events, np.ascontiguousarray(problem.times)
    given = [
        np.ascontiguousarray(problem.inputs), np.ascontiguousarray(problem.start), np.ascontiguousarray(events.time),
        np.ascontiguousarray(events.size), times,
        np.ascontiguousarray(events.kind, dtype=np.int64), np.ascontiguousarray(events.state, dtype=np.int64),
    ]  # fmt: skip
    sizes = (len(problem.inputs), len(events.time), len(times))

    def run(tolerance: float) -> np.ndarray:
        out = np.full((len(problem.inputs), len(times), len(problem.outputs)), np.nan)
        run.steps = np.zeros(len(problem.inputs), dtype=np.int64)  # type: ignore[attr-defined]
        task = _Task(*sizes, *(part.ctypes.data for part in given), tolerance, out.ctypes.data, run.steps.ctypes.data)  # type: ignore[attr-defined]
        if failed := library.solve_all(ctypes.byref(task)):
            raise SolverError(f"{failed} patients needed too many steps")
        return out

    return run


class _Task(ctypes.Structure):
    """The structure `task` of the C source."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("patients", "events", "times")),
        *((name, ctypes.c_void_p) for name in ("inputs", "start", "event_time", "event_size", "time", "kind", "state")),
        ("tolerance", ctypes.c_double), ("out", ctypes.c_void_p), ("steps", ctypes.c_void_p),
    )  # fmt: skip


def compile_c(source: Path, lanes: int, header: str = "") -> ctypes.CDLL:
    """The loaded library of a source for 4 or 8 `lanes`, which includes `header` as equations.h.

    Raises SolverError with the first line of what the compiler says.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "equations.h").write_text(header, encoding="utf-8")
        target = folder / "kernel.so"
        command = [COMPILER, *FLAGS, f"-DLANES={lanes}", f"-I{folder}", str(source), "-o", str(target), "-lmvec", "-lm"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=COMPILE_LIMIT)
        if done.returncode:
            raise SolverError(f"{COMPILER}: {(done.stderr.strip().splitlines() or ['no reason given'])[0]}")
        return ctypes.CDLL(str(target))


def write_equations(problem: BenchmarkCase) -> str:
    """The header with the system in straight lines, and the coefficients of the method."""
    system = problem.system
    program, slopes = Program(system), sparse_jacobian(system)
    factors = sparse_lu(len(system.states), slopes.entries)
    rates = _assigned(program, list(system.rates), "k[{}] += {};")
    shown = _assigned(program, [symbol(name) for name in problem.outputs], "o[{}] = ALL({});")
    entries = _assigned(program, list(slopes.entries.values()), "const v j{} = ALL({});", slopes.partials)
    prepared = [f"q[{i}] = ALL({_arrays(_text(expression))});" for i, (_, expression) in enumerate(program.prepared)]
    sizes = {"STATES": len(system.states), "INPUTS": len(system.inputs), "CONSTANTS": max(1, len(prepared))}
    sizes |= {"FACTORS": len(factors.slots), "OUTPUTS": len(problem.outputs)}
    sizes |= {"COUNT": len(problem.model.layout.states)}
    return "\n".join([
        *(f"#define {name} {size}" for name, size in sizes.items()),
        f"#define GAMMA {RODAS5P.gamma!r}",
        _table("A", [row or () for row in RODAS5P.arguments[:6]], 8),
        _table("C", RODAS5P.error_weights, 8),
        _table("D", RODAS5P.dense, 8),
        f"static const double SCALE[STATES] = {{{', '.join(map(repr, problem.scale.tolist()))}}};",
        _function("prepare(const v *restrict p, v *restrict q)", prepared),
        _function("add_rates(const v *restrict y, const v *restrict q, v *restrict k)", rates),
        _function("observe(const v *restrict y, const v *restrict q, v *restrict o)", shown),
        _function(
            "factorise(const v *restrict y, const v *restrict q, const v shift, v *restrict l)",
            [*entries, *_factorise(list(slopes.entries), factors)],
        ),
        _function("substitute(const v *restrict l, v *restrict b)", _substitute(factors)),
    ])  # fmt: skip


def _assigned(program: Program, targets: Sequence[sympy.Expr], form: str, extra: Any = ()) -> Lines:
    steps, found = program.lines(targets, extra)
    lines = [f"const v {name} = ALL({_arrays(_text(expression))});" for name, expression in steps]
    return lines + [form.format(i, _arrays(_text(target))) for i, target in enumerate(found)]


def _factorise(pattern: Sequence[tuple[int, int]], factors: SparseLU) -> Lines:
    """L and U of shift - J without pivoting, in the order of Markowitz; reciprocals on the diagonal."""
    place = {entry: k for k, entry in enumerate(pattern)}
    lines = []
    for (row, column), slot in factors.slots.items():
        entry = f" - j{place[row, column]}" if (row, column) in place else ""
        lines.append(f"v l{slot} = {f'shift{entry}' if row == column else f'(v){{}}{entry}'};")
    for pivot, rows in factors.updates:
        diagonal = f"l{factors.slots[pivot, pivot]}"
        lines.append(f"{diagonal} = 1.0 / {diagonal};")
        for multiplier, pairs in rows:
            lines.append(f"l{multiplier} *= {diagonal};")
            lines += [f"l{at} -= l{multiplier} * l{source};" for at, source in pairs]
    return lines + [f"l[{slot}] = l{slot};" for slot in factors.slots.values()]


def _substitute(factors: SparseLU) -> Lines:
    order = factors.order
    lines = [f"v b{i} = b[{i}];" for i in range(len(order))]
    for pivot in order:
        lines += [f"b{row} -= l[{factors.slots[row, pivot]}] * b{pivot};" for row in factors.columns[pivot]]
    for pivot in reversed(order):
        lines += [f"b{pivot} -= l[{factors.slots[pivot, column]}] * b{column};" for column in factors.rows[pivot]]
        lines += [f"b{pivot} *= l[{factors.slots[pivot, pivot]}];", f"b[{pivot}] = b{pivot};"]
    return lines


def _arrays(text: str) -> str:
    """States, inputs and prepared values as places in arrays."""
    return _PLACE.sub(r"\1[\2]", text)


def _function(head: str, lines: Lines) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"__attribute__((noinline)) static void {head}\n{{\n{body}\n}}"


def _table(name: str, rows: Sequence[Sequence[float]], width: int) -> str:
    filled = [[*row, *[0.0] * (width - len(row))] for row in rows]
    text = ", ".join(f"{{{', '.join(map(repr, row))}}}" for row in filled)
    return f"static const double {name}[{len(rows)}][{width}] = {{{text}}};"
