"""SciPy's LSODA (odeint) on equations and Jacobian compiled by numba, started anew at every event."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from sympy.printing.pycode import PythonCodePrinter

from benchmarks.straight_line_code import Assignment, Program, SmallPowers, text_of
from ketamech.model.rates_and_jacobian import sparse_jacobian
from ketamech.model.stage import symbol
from ketamech.model.system import System

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run

MOST_STEPS = 1_000_000
HEADER = '''import math
import numpy as np
from numba import njit

@njit(error_model="numpy")
def rise(x, n, w):
    """Hill saturation whose constant part is w = n log half."""
    return 1.0 / (1.0 + math.exp(w - n * math.log(x))) if x > 0.0 else 0.0
'''
FUNCTION = """
@njit(error_model="numpy")
def {name}({arguments}):
    out = np.{filled}({shape})
{body}
    return out
"""


class _Python(SmallPowers, PythonCodePrinter):
    """SymPy to Python for numba."""

    root, power = "math.sqrt({base})", "({base})**({exponent})"


_PLACE = re.compile(r"\b([ypq])(\d+)\b")
_text = text_of(_Python({"fully_qualified_modules": True, "user_functions": {"unexpanded_hill": "rise"}}))


def load(problem: BenchmarkCase) -> Run:
    """Compile the equations, and return what solves the task for every patient of the problem."""
    from scipy.integrate import odeint
    from threadpoolctl import threadpool_limits

    functions, segments = compiled(problem.system, problem.outputs), problem.segments()
    plans = [np.append(_inside(problem.times, part.start, part.stop), part.stop) for part in segments]

    def one(inputs: np.ndarray, y: np.ndarray, tolerance: float) -> np.ndarray:
        q, kept = functions["prepare"](inputs), []
        for part, marks in zip(segments, plans, strict=True):
            path = odeint(
                functions["rates"], y + part.jump, np.append(part.start, marks), args=(q, part.inflow),
                Dfun=functions["jacobian"], rtol=tolerance, atol=tolerance * problem.scale, mxstep=MOST_STEPS,
            )  # fmt: skip
            kept.append(path[1 : len(marks)])
            y = path[-1]
        return np.array([functions["observe"](state, q) for state in np.vstack([*kept, y[None]])])

    def run(tolerance: float) -> np.ndarray:
        with threadpool_limits(1):  # on one core, further threads of the linear algebra would wait for one another
            return np.array([one(*each, tolerance) for each in zip(problem.inputs, problem.start, strict=True)])

    q = functions["prepare"](problem.inputs[0])
    for function in ("rates", "jacobian"):
        functions[function](problem.start[0], 0.0, q, segments[0].inflow)
    functions["observe"](problem.start[0], q)
    return run


def _inside(times: np.ndarray, start: float, stop: float) -> np.ndarray:
    return times[(times > start) & (times < stop)]


def compiled(system: System, outputs: Sequence[str]) -> dict[str, Callable[..., np.ndarray]]:
    """`prepare(inputs)`, `rates(y, t, q, inflow)`, `jacobian(y, t, q, inflow)`, `observe(y, q)`."""
    place: dict[str, Any] = {}
    exec(compile(write_python(system, outputs), "<equations>", "exec"), place)
    return {name: place[name] for name in ("prepare", "rates", "jacobian", "observe")}


def write_python(system: System, outputs: Sequence[str]) -> str:
    """The equations, their Jacobian and the outputs as Python source for numba."""
    program, slopes, size = Program(system), sparse_jacobian(system), len(system.states)
    moving = "y, t, q, inflow"
    rates = _function(program, "rates", moving, list(system.rates), [f"out[{i}]" for i in range(size)], f"{size}")
    rates = rates.replace("    return out", f"    for i in range({size}):\n        out[i] += inflow[i]\n    return out")
    seen = [symbol(name) for name in outputs]
    observe = _function(program, "observe", "y, q", seen, [f"out[{i}]" for i in range(len(seen))], f"{len(seen)}")
    places = [f"out[{row}, {column}]" for row, column in slopes.entries]
    entries = list(slopes.entries.values())
    jacobian = _function(program, "jacobian", moving, entries, places, f"({size}, {size})", slopes.partials)
    return "".join([HEADER, _prepare(program), rates, jacobian, observe])


def _function(
    program: Program,
    name: str,
    arguments: str,
    targets: Sequence[sympy.Expr],
    places: Sequence[str],
    shape: str,
    extra: Sequence[Assignment] = (),
) -> str:
    steps, found = program.lines(targets, extra)
    lines = [(str(one), _text(expression)) for one, expression in steps]
    lines += [(place, _text(expression)) for place, expression in zip(places, found, strict=True)]
    body = "\n".join(f"    {place} = {_arrays(text)}" for place, text in lines)
    filled = "zeros" if "," in shape else "empty"
    return FUNCTION.format(name=name, arguments=arguments, filled=filled, shape=shape, body=body)


def _prepare(program: Program) -> str:
    lines = [f"    out[{i}] = {_arrays(_text(expression))}" for i, (_, expression) in enumerate(program.prepared)]
    body = "\n".join(lines).replace("q[", "out[")
    return FUNCTION.format(
        name="prepare", arguments="p", filled="empty", shape=str(max(1, len(lines))), body=body or "    pass"
    )


def _arrays(text: str) -> str:
    """States, inputs and prepared values as places in arrays."""
    return _PLACE.sub(r"\1[\2]", text)
