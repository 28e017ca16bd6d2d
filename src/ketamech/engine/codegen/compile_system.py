"""Generates the instructions of a system from its symbolic equations.

Equations become straight-line code; what depends on parameters alone is computed once per patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy

from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.ir import Instruction, Operand, Slot
from ketamech.engine.codegen.lowering import Lowering, bound_exponents, expand_functions, select_positive
from ketamech.engine.codegen.program import METHOD, CompiledProgram, compile_equations
from ketamech.engine.codegen.rosenbrock import RosenbrockTableau
from ketamech.engine.codegen.sparse_lu import sparse_lu
from ketamech.model.assemble import topological_order
from ketamech.model.rates_and_jacobian import SparseJacobian, sparse_jacobian
from ketamech.model.stage import symbol
from ketamech.model.system import System

Assignment = tuple[str, sympy.Expr]
Target = tuple[Slot | str, sympy.Expr]


class Equations:
    """The code of one system, and the number of constants that it prepares.

    P holds inputs, Q prepared constants. `rates` reads the state in U and names its results f0, f1, ...; `jacobian`
    reads Y and names the entries j0, j1, ...; `observe` reads V and writes the time-varying outputs to S.
    """

    def __init__(self, system: System, jacobian: SparseJacobian) -> None:
        self._inputs = system.inputs
        self._constants: dict[sympy.Expr, str] = {}
        self._states = system.state_names
        outputs = [(output.name, output.expression) for output in system.outputs]
        partials = [(name.name, bound_exponents(expression)) for name, expression in jacobian.partials]
        observed = [(Slot("S", i), symbol(output.name)) for i, output in enumerate(system.time_varying_outputs)]
        rates = [(f"f{i}", rate) for i, rate in enumerate(system.rates)]
        entries = [(f"j{i}", bound_exponents(entry)) for i, entry in enumerate(jacobian.entries.values())]
        self.rates = self._code("U", outputs, rates)
        self.observe = self._code("V", outputs, observed)
        self.jacobian = self._code("Y", [*outputs, *partials], entries)
        self.prepare = self._preparation()

    @property
    def n_constants(self) -> int:
        """Number of values that `prepare` computes."""
        return len(self._constants)

    def _code(self, array: str, steps: Sequence[Assignment], targets: Sequence[Target]) -> list[Instruction]:
        slots: dict[str, Operand] = {name: Slot(array, i) for i, name in enumerate(self._states)}
        code = Lowering(slots)
        assignments, results = _common_subexpressions(steps, targets)
        constant: dict[str, sympy.Expr] = {}
        for name, expression in assignments:
            moving = self._hoist_constants(_substitute_constants(expression, constant), code)
            if self._is_constant(moving):
                constant[name] = moving
            else:
                code.operands[name] = code.value(moving)
        for target, expression in results:
            code.assign(target, self._hoist_constants(_substitute_constants(expression, constant), code))
        return code.ops

    def _is_constant(self, expression: sympy.Expr) -> bool:
        return all(s.name in self._inputs or s.name.startswith("Q[") for s in expression.free_symbols)

    def _hoist_constants(self, expression: sympy.Expr, code: Lowering) -> sympy.Expr:
        """Replace every part that depends on parameters alone by its row among the prepared constants."""
        if not expression.free_symbols:
            return expression
        if self._is_constant(expression):
            return self._constant(expression, code)
        if expression.is_Symbol:
            return expression
        if not (expression.is_Mul or expression.is_Add):
            return expression.func(*(self._hoist_constants(a, code) for a in expression.args))
        fixed = [a for a in expression.args if self._is_constant(a)]
        moving = [self._hoist_constants(a, code) for a in expression.args if not self._is_constant(a)]
        if any(a.free_symbols for a in fixed):
            fixed = [self._constant(expression.func(*fixed), code)]
        return expression.func(*fixed, *moving, evaluate=False)

    def _constant(self, expression: sympy.Expr, code: Lowering) -> sympy.Expr:
        if expression.is_Symbol and expression.name.startswith("Q["):
            return expression
        name = self._constants.setdefault(expression, f"Q[{len(self._constants)}]")
        code.operands[name] = Slot("Q", int(name[2:-1]))
        return sympy.Symbol(name)

    def _preparation(self) -> list[Instruction]:
        """Every constant, as an intermediate result and as a store."""
        constants = [(name, expression) for expression, name in self._constants.items()]
        stores = [(Slot("Q", i), sympy.Symbol(name)) for i, (name, _) in enumerate(constants)]
        code = Lowering({name: Slot("P", i) for i, name in enumerate(self._inputs)})
        steps, results = _common_subexpressions(constants, stores)
        for name, expression in steps:
            code.operands[name] = code.value(expression)
        for target, expression in results:
            code.assign(target, expression)
        return code.ops


def _infinite_entries(jacobian: SparseJacobian) -> tuple[int, ...]:
    """Indices of the entries that may be infinite, see `without_infinities`.

    These have a power that is not an integer, a logarithm or a selection: the derivative of the alternative that is not
    selected may be infinite.
    """
    infinite: set[sympy.Symbol] = set()
    for name, derivative in jacobian.partials:
        if _may_be_infinite(derivative, infinite):
            infinite.add(name)
    return tuple(i for i, entry in enumerate(jacobian.entries.values()) if _may_be_infinite(entry, infinite))


def _may_be_infinite(derivative: sympy.Expr, infinite: set[sympy.Symbol]) -> bool:
    powers = derivative.atoms(sympy.Pow)
    if not infinite.isdisjoint(derivative.free_symbols) or derivative.has(sympy.log, select_positive):
        return True
    return any(not power.exp.is_Integer and power.base.free_symbols for power in powers)


def _substitute_constants(expression: sympy.Expr, constants: Mapping[str, sympy.Expr]) -> sympy.Expr:
    return expression.xreplace({s: constants[s.name] for s in expression.free_symbols if s.name in constants})


def _common_subexpressions(
    steps: Sequence[Assignment], targets: Sequence[Target]
) -> tuple[list[Assignment], list[Target]]:
    """The steps that targets need and their common parts, in order of use; and the targets in terms of them."""
    needed_names = _needed_assignments(steps, [expression for _, expression in targets])
    needed = [(name, expand_functions(expression)) for name, expression in steps if name in needed_names]
    expanded = [(target, expand_functions(expression)) for target, expression in targets]
    shared, reduced = sympy.cse([e for _, e in (*needed, *expanded)], symbols=sympy.numbered_symbols("x"))
    assignments = [(s.name, e) for s, e in shared]
    assignments += [(name, e) for (name, _), e in zip(needed, reduced, strict=False)]
    results = [(target, e) for (target, _), e in zip(expanded, reduced[len(needed) :], strict=True)]
    by_name = dict(assignments)
    needs = {name: sorted(s.name for s in e.free_symbols) for name, e in assignments}
    return [(name, by_name[name]) for name in topological_order(needs)], results


def _needed_assignments(steps: Sequence[Assignment], expressions: Iterable[sympy.Expr]) -> set[str]:
    by_name = dict(steps)
    waiting = {s.name for expression in expressions for s in expression.free_symbols}
    needed_names: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in needed_names:
            needed_names.add(name)
            waiting |= {s.name for s in by_name[name].free_symbols}
    return needed_names


def equation_code(system: System) -> EquationCode:
    """The instructions of a system, by SymPy."""
    jacobian = sparse_jacobian(system)
    equations, pattern = Equations(system, jacobian), tuple(jacobian.entries)
    return EquationCode(
        prepare=tuple(equations.prepare),
        rates=tuple(equations.rates),
        jacobian=tuple(equations.jacobian),
        observe=tuple(equations.observe),
        pattern=pattern,
        infinite=_infinite_entries(jacobian),
        pivots=sparse_lu(len(system.states), pattern).order,
        scales=tuple(state.scale for state in system.states),
        system_size=len(system.states),
        inputs=len(system.inputs),
        constants=equations.n_constants,
        observed=len(system.time_varying_outputs),
    )


def compile_system(
    system: System, lanes: int, method: RosenbrockTableau = METHOD, tangents: int = 0
) -> CompiledProgram:
    """Generate the program of a system for `lanes` patients side by side, with `tangents` of everything it computes."""
    return compile_equations(equation_code(system), lanes, method, tangents)
