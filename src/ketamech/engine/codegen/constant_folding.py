"""Straight-line code with some states at zero: constant results, unused instructions and unused rows are removed.

Every remaining instruction works on the same numbers as before, so that its result has the same bits (a zero may change
its sign): x + 0, x * 1 and 0 * x, of a finite x, are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ketamech.engine.codegen.ir import Instruction, Operand, Slot

STATE_ARRAYS = ("U", "V", "Y")  # arrays of which row i is state i
Results = dict[str, Operand]


def fold_zeros(code: Iterable[Instruction], zeros: Collection[int]) -> tuple[list[Instruction], Results]:
    """The instructions that remain where the states `zeros` are 0, and the replacement of each name that was removed.

    A replacement is a number, another name or a slot. Copies to names are removed too.
    """
    results: Results = {}
    remaining = list[Instruction]()

    def folded_operand(operand: Operand) -> Operand:
        if isinstance(operand, Slot):
            return 0.0 if operand.array in STATE_ARRAYS and operand.row in zeros else operand
        return results.get(operand, operand) if isinstance(operand, str) else float(operand)

    for instruction in code:
        folded = _simplified(instruction.kind, tuple(map(folded_operand, instruction.arguments)))
        if isinstance(instruction.target, str) and folded.kind == "copy":
            results[instruction.target] = folded.arguments[0]
        else:
            if isinstance(instruction.target, str):
                results.pop(instruction.target, None)  # of an earlier result with this name
            remaining.append(Instruction(instruction.target, folded.kind, folded.arguments))
    return remaining, results


def used_instructions(code: Sequence[Instruction], results: Iterable[Operand]) -> list[Instruction]:
    """The instructions that the operands `results` need."""
    needed, used = set(results), list[Instruction]()
    for instruction in reversed(code):
        if instruction.target in needed:
            used.append(instruction)
            needed |= {argument for argument in instruction.arguments if not isinstance(argument, float)}
    return used[::-1]


def renumbered(code: Iterable[Instruction], new_slot: Callable[[Slot], Slot]) -> list[Instruction]:
    """The same instructions with other slots."""

    def new_operand(operand: Operand) -> Operand:
        return new_slot(operand) if isinstance(operand, Slot) else operand

    return [
        Instruction(new_slot(target) if isinstance(target, Slot) else target, kind, tuple(map(new_operand, arguments)))
        for target, kind, arguments in code
    ]


def _simplified(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    """An instruction (without a target) of the same value, a copy where nothing is left to compute."""
    simplify = {
        "neg": _neg, "add": _sum, "sub": _sum, "mul": _product, "div": _quotient, "fma": _fused, "fnma": _fused,
        "if_positive": _choice, "if_zero": _choice, "exp": _function, "log": _function,
    }.get(kind)  # fmt: skip
    return simplify(kind, arguments) if simplify else Instruction("", kind, arguments)


def _copy(operand: Operand) -> Instruction:
    return Instruction("", "copy", (operand,))


def _neg(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    (a,) = arguments
    return _copy(-a) if isinstance(a, float) else Instruction("", kind, arguments)


def _sum(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    a, b = arguments
    if isinstance(a, float) and isinstance(b, float):
        return _copy(a + b if kind == "add" else a - b)
    if b == 0.0:
        return _copy(a)
    if a == 0.0:
        return _copy(b) if kind == "add" else Instruction("", "neg", (b,))
    return Instruction("", kind, arguments)


def _product(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    a, b = arguments
    if 0.0 in (a, b):
        return _copy(0.0)
    if isinstance(a, float) and isinstance(b, float):
        return _copy(a * b)
    if a == 1.0:
        return _copy(b)
    return _copy(a) if b == 1.0 else Instruction("", kind, arguments)


def _quotient(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    a, b = arguments
    if isinstance(b, float) and b != 0.0:
        if b == 1.0:
            return _copy(a)
        if isinstance(a, float):
            return _copy(a / b)
    return _copy(0.0) if a == 0.0 and b != 0.0 else Instruction("", kind, arguments)


def _fused(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    """A product and a sum, rounded once: without the product where that is 0 or a factor is 1."""
    a, b, c = arguments
    if 0.0 in (a, b):
        return _copy(c)
    if 1.0 in (a, b):
        other = b if a == 1.0 else a
        return _sum("add", (other, c)) if kind == "fma" else _sum("sub", (c, other))
    return Instruction("", "mul", (a, b)) if c == 0.0 and kind == "fma" else Instruction("", kind, arguments)


def _choice(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    a, yes, no = arguments
    if isinstance(a, float):
        return _copy(yes if (a > 0 if kind == "if_positive" else a == 0) else no)
    return _copy(yes) if yes == no else Instruction("", kind, arguments)


def _function(kind: str, arguments: tuple[Operand, ...]) -> Instruction:
    """exp(0) and log(1); other arguments are left to the code that computes every lane."""
    (a,) = arguments
    if kind == "exp":
        return _copy(1.0) if a == 0.0 else Instruction("", kind, arguments)
    return _copy(0.0) if a == 1.0 else Instruction("", kind, arguments)
