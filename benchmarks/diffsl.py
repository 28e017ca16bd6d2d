"""pydiffsol: the system printed in DiffSL, doses as its own stop and reset events, BDF in compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from sympy.printing.str import StrPrinter

from benchmarks.straight_line_code import Assignment, Program, SmallPowers, text_of
from ketamech.model.stage import symbol

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase, Segment
    from benchmarks.engines import Run

SMALLEST = 1e-12  # what a logarithm may see, as a share of 1: DiffSL differentiates the branch that is not taken, too


class _DiffSL(SmallPowers, StrPrinter):
    """SymPy to DiffSL, with Hill functions written out."""

    def _as_ordered_terms(self, expr: sympy.Add, order: str | None = None) -> list[sympy.Expr]:
        """Negative terms last: for some sums that begin with one, LLVM 18 and later end the process ("did not reach a
        fixpoint")."""
        return sorted(expr.args, key=lambda term: bool(term.could_extract_minus_sign()))

    def _print_Rational(self, expr: sympy.Rational) -> str:
        return f"({int(expr.p)}.0 / {int(expr.q)}.0)"

    def _print_unexpanded_hill(self, expr: Any) -> str:
        x, n, weight = (self._print(part) for part in expr.args)
        kept = f"piecewise({x} - {SMALLEST}, {x}, {SMALLEST})"
        return f"(1.0 / (1.0 + exp({weight} - {n} * log({kept}))))"


_text = text_of(_DiffSL({"order": "none"}))


def load(problem: BenchmarkCase) -> Run:
    """Compile the system for pydiffsol, and return what solves the task for every patient of the problem."""
    import pydiffsol

    ode = pydiffsol.Ode(
        write_diffsl(problem),
        matrix_type=pydiffsol.faer_sparse,
        linear_solver=pydiffsol.lu,  # klu ends the process by a double free (0.6.2)
        ode_solver=pydiffsol.bdf,
    )
    ode.h0 = 1e-3
    given = np.hstack([problem.inputs, (problem.start + problem.segments()[0].jump) / problem.scale])
    given = np.ascontiguousarray(given)

    def run(tolerance: float) -> np.ndarray:
        ode.rtol = ode.atol = tolerance
        return np.array([ode.solve_dense(one, problem.times).ys.T for one in given])

    return run


def write_diffsl(problem: BenchmarkCase) -> str:
    """The system as DiffSL text: inputs, then starting values in units of each state's scale, are its parameters."""
    system, segments = problem.system, problem.segments()
    program = Program(system)
    steps, found = program.lines([*system.rates, *(symbol(name) for name in problem.outputs)])
    size, scale = len(system.states), problem.scale
    rates = [f"({_text(rate)} + inflow{i}_i[N]) / {scale[i]}" for i, rate in enumerate(found[:size])]
    for i in range(size):
        if not any(part.inflow[i] for part in segments):
            rates[i] = rates[i].replace(f" + inflow{i}_i[N]", "")
    parts = [_inputs(problem), *_given(segments, scale)]
    parts += [_scalar(step) for step in program.prepared]
    parts.append(_vector("u_i", [f"z{i} = s{i}" for i in range(size)]))
    parts += [f"y{i} {{ z{i} * {scale[i]} }}" for i in range(size)]
    parts += [_scalar(step) for step in steps]
    parts.append(_vector("F_i", rates))
    parts.append(_vector("stop_i", ["1.0", *(f"t - {part.start!r}" for part in segments[1:])]))
    jumps = [f"z{i} + jump{i}_i[N]" if any(p.jump[i] for p in segments) else f"z{i}" for i in range(size)]
    parts.append(_vector("reset_i", jumps))
    parts.append(_vector("out_i", [_text(output) for output in found[size:]]))
    return "\n".join(parts)


def _inputs(problem: BenchmarkCase) -> str:
    first = [f"p{i} = {value!r}" for i, value in enumerate(problem.inputs[0].tolist())]
    return _vector("in_i", [*first, *(f"s{i} = 0.0" for i in range(problem.start.shape[1]))])


def _given(segments: list[Segment], scale: np.ndarray) -> list[str]:
    """What flows into a state, and what enters it at once, by the number of the stretch."""
    found = []
    for i in range(len(scale)):
        flows, jumps = [p.inflow[i] for p in segments], [p.jump[i] / scale[i] for p in segments]
        found += [_vector(f"inflow{i}_i", [repr(float(v)) for v in flows])] if any(flows) else []
        found += [_vector(f"jump{i}_i", [repr(float(v)) for v in jumps])] if any(jumps) else []
    return found


def _scalar(step: Assignment) -> str:
    return f"{step[0]} {{ {_text(step[1])} }}"


def _vector(name: str, elements: list[str]) -> str:
    return f"{name} {{\n  " + ",\n  ".join(elements) + "\n}"
