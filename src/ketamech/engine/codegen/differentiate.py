"""Forward differentiation of straight-line code: each result with its derivatives in several directions (tangents).

Every instruction is followed by those of its tangents, by the chain rule; what all directions have in common is
computed once. The result is the exact derivative of the numbers that the code computes, up to rounding. Long code is
split into the values, which store the factors that the tangents need, and one code for the tangents of any direction:
it stays in the instruction cache while all directions are computed.

Where a function has no finite derivative, its tangent is 0: a root at 0, an exponential beyond the range of numbers.
At a jump between two branches the tangent is that of the branch taken. Where the argument of a selection is exactly 0,
it is the tangent of the positive side if that is finite: a Hill function of exponent 1 has a slope at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ketamech.engine.codegen.constant_folding import fold_zeros, renumbered, used_instructions
from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Loop, Operand, Slot

FIXED_ARRAYS = frozenset(("L", "DAMP", "ACCEPT", "TOLERANCE"))  # arrays without tangents
Term = tuple[float, Operand, Operand]  # sign, factor (1.0: none), argument
Item = Instruction | Loop | Call


class Differentiator:
    """Writes the code of one block with `count` tangents."""

    def __init__(self, count: int, fixed: Iterable[str] = ()) -> None:
        self.count, self._fixed = count, FIXED_ARRAYS.union(fixed)
        self._with_tangents: set[str] = set()
        self._names = 0

    def body(self, items: Iterable[Item]) -> list[Item]:
        """Instructions and loops with their tangents; calls stay, since a called block computes its own tangents."""
        result = list[Item]()
        for item in items:
            if isinstance(item, Loop):
                result.append(item._replace(body=tuple(self.instructions(item.body))))
            elif isinstance(item, Instruction):
                result += self.instructions([item])
            else:
                result.append(item)
        return result

    def instructions(self, ops: Iterable[Instruction]) -> list[Instruction]:
        """Instructions, each followed by its tangents."""
        result = list[Instruction]()
        for op in ops:
            result.append(op)
            if self.count:
                result += self._tangents(op)
        return result

    def split(
        self, ops: Iterable[Instruction], wanted: Collection[Operand] | None = None, zeros: Collection[int] = ()
    ) -> tuple[list[Instruction], list[Instruction]]:
        """Instructions of the values, with the factors of their tangents in the array E, and those of one tangent.

        Of the tangents, those that the targets `wanted` need (default: all), where the states `zeros` and their
        tangents are 0.
        """
        values, tangents = list[Instruction](), list[Instruction]()
        defined: dict[str, int] = {}  # index in `values` of the instruction that has defined a name last
        factors: dict[int, Slot] = {}  # by that index

        def factor(argument: Operand) -> Operand:
            if isinstance(argument, str) and not _is_tangent(argument):
                return factors.setdefault(defined[argument], Slot("E", len(factors)))
            return argument

        for op in self.instructions(ops):
            if _is_tangent(op.target):
                tangents.append(op._replace(arguments=tuple(map(factor, op.arguments))))
            else:
                if isinstance(op.target, str):
                    defined[op.target] = len(values)
                values.append(op)
        if wanted is not None:
            tangents = _needed_tangents(tangents, wanted, zeros)
            needed = {argument for op in tangents for argument in op.arguments}
            kept = [(i, slot) for i, slot in factors.items() if slot in needed]
            renamed = {slot: Slot("E", k) for k, (_, slot) in enumerate(kept)}
            factors = {i: renamed[slot] for i, slot in kept}
            tangents = renumbered(tangents, lambda slot: renamed.get(slot, slot))
        stored = list[Instruction]()
        for i, op in enumerate(values):
            stored.append(op)
            if i in factors:
                stored.append(Instruction(factors[i], "copy", (op.target,)))
        return stored, tangents

    def tangent(self, operand: Operand, direction: int) -> Operand | None:
        """The operand of a tangent (directions from 1 on); None where it is 0."""
        if isinstance(operand, Slot):
            return None if operand.array in self._fixed else operand._replace(tangent=direction)
        if isinstance(operand, str) and operand in self._with_tangents:
            return tangent_name(operand, direction)
        return None

    def _tangents(self, op: Instruction) -> list[Instruction]:
        has_tangent = any(self.tangent(argument, 1) is not None for argument in op.arguments)
        target = op.target
        if isinstance(target, str):
            (self._with_tangents.add if has_tangent and op.kind != "floor" else self._with_tangents.discard)(target)
        if self.tangent(target, 1) is None:
            return []
        if not has_tangent or op.kind == "floor":
            return [Instruction(self._target(target, t), "copy", (0.0,)) for t in self._directions()]
        if op.kind in _SELECTIONS:
            return [instruction for t in self._directions() for instruction in self._selection(op, t)]
        common, terms = self._partials(op)
        return common + [instruction for t in self._directions() for instruction in self._sum(op, terms, t)]

    def _directions(self) -> range:
        return range(1, self.count + 1)

    def _new_tangent(self, name: str, direction: int) -> str:
        """A name for an intermediate result of a tangent, that is written once."""
        self._names += 1
        return tangent_name(f"~{name}{self._names}", direction)

    def _target(self, target: str | Slot, direction: int) -> str | Slot:
        return target._replace(tangent=direction) if isinstance(target, Slot) else tangent_name(target, direction)

    def _partials(self, op: Instruction) -> tuple[list[Instruction], list[Term]]:
        """Instructions shared by all directions, and the tangent as a sum of factors times tangents of arguments."""
        common = list[Instruction]()

        def new(kind: str, *arguments: Operand) -> str:
            self._names += 1
            common.append(Instruction(f"factor{self._names}", kind, arguments))
            return f"factor{self._names}"

        return common, _PARTIALS[op.kind](new, op.target, *op.arguments)

    def _sum(self, op: Instruction, terms: Sequence[Term], direction: int) -> list[Instruction]:
        """The tangent of an instruction; plain terms come first, so that products are fused with an addition."""
        instructions = list[Instruction]()
        total: str | Slot | None = None
        ordered = sorted(terms, key=lambda term: term[1] != 1.0)
        nonzero = [(s, factor, t) for s, factor, x in ordered if (t := self.tangent(x, direction)) is not None]
        target = self._target(op.target, direction)
        for i, (sign, factor, value) in enumerate(nonzero):
            is_last = i == len(nonzero) - 1 and op.kind != "exp"
            before, total = total, target if is_last else self._new_tangent("sum", direction)
            instructions.append(Instruction(total, *_add_product(sign, factor, value, before)))
        if op.kind == "exp":  # 0 where the exponential is 0 or infinite, whatever the tangent of its argument
            assert total is not None
            instructions.append(Instruction(target, "if_zero", (nonzero[0][1], 0.0, total)))
        return instructions or [Instruction(target, "copy", (0.0,))]

    def _selection(self, op: Instruction, direction: int) -> list[Instruction]:
        tangents = [self.tangent(argument, direction) for argument in op.arguments]
        values: list[Operand] = [0.0 if t is None else t for t in tangents]
        target = self._target(op.target, direction)
        if op.kind == "max":
            a, b = op.arguments
            difference = self._new_tangent("difference", direction)
            return [
                Instruction(difference, "sub", (a, b)),
                Instruction(target, "if_positive", (difference, *values)),
            ]
        condition, (_, yes, no) = op.arguments[0], values
        if op.kind == "if_zero" or tangents[1] is None:
            return [Instruction(target, op.kind, (condition, yes, no))]
        gap, zero, side = (self._new_tangent(name, direction) for name in ("gap", "zero", "side"))
        return [
            Instruction(gap, "sub", (yes, yes)),  # 0 where finite, else not a number
            Instruction(zero, "if_zero", (gap, yes, no)),
            Instruction(side, "if_positive", (condition, yes, no)),
            Instruction(target, "if_zero", (condition, zero, side)),
        ]


def _needed_tangents(
    ops: Sequence[Instruction], wanted: Collection[Operand], zeros: Collection[int]
) -> list[Instruction]:
    """The instructions of tangents that the targets `wanted` need while the states `zeros` are 0."""
    folded, known = fold_zeros(ops, zeros)
    copies = [Instruction(name, "copy", (known[name],)) for name in wanted if isinstance(name, str) and name in known]
    return used_instructions([*folded, *copies], wanted)


def tangent_name(name: str, direction: int) -> str:
    """Name of the tangent, in one direction, of the result called `name`."""
    return f"{name}~{direction}"


def _is_tangent(target: str | Slot) -> bool:
    return bool(target.tangent) if isinstance(target, Slot) else target.endswith("~1")


def _add_product(
    sign: float, factor: Operand, value: Operand, total: Operand | None
) -> tuple[str, tuple[Operand, ...]]:
    """Kind and arguments of total + sign * factor * value."""
    if factor == 1.0:
        if total is None:
            return ("copy" if sign > 0 else "neg"), (value,)
        return ("add" if sign > 0 else "sub"), (total, value)
    if total is None and sign > 0:
        return "mul", (factor, value)
    return ("fma" if sign > 0 else "fnma"), (factor, value, 0.0 if total is None else total)


def tangent_block(name: str, items: Iterable[Item], fixed: Iterable[str] = ()) -> BasicBlock:
    """The tangents of short code in any direction: values that they need are computed again.

    Arrays that are `fixed` have no tangents here.
    """
    kept, needed = list[Item](), set[Operand]()

    def used(ops: Iterable[Instruction]) -> list[Instruction]:
        found = list[Instruction]()
        for op in reversed(list(ops)):
            if op.target in needed or (isinstance(op.target, Slot) and op.target.tangent):
                found.append(op)
                needed.update(op.arguments)
        return found[::-1]

    for item in reversed(Differentiator(1, fixed).body(items)):
        if isinstance(item, Loop):
            kept.append(item._replace(body=tuple(used(item.body))))
        elif isinstance(item, Instruction):
            kept += used([item])
    return BasicBlock(name, tuple(kept[::-1]), relative=True)


_SELECTIONS = ("if_positive", "if_zero", "max")
New = Callable[..., str]


def _div(new: New, q: Operand, a: Operand, b: Operand) -> list[Term]:
    reciprocal = new("div", 1.0, b)
    return [(1.0, reciprocal, a), (-1.0, new("mul", q, reciprocal), b)]


def _sqrt(new: New, root: Operand, a: Operand) -> list[Term]:
    return [(1.0, new("if_zero", root, 0.0, new("div", 0.5, root)), a)]


def _exp(new: New, e: Operand, a: Operand) -> list[Term]:
    return [(1.0, new("if_zero", new("sub", e, e), e, 0.0), a)]


_PARTIALS: dict[str, Callable[..., list[Term]]] = {
    "copy": lambda new, y, a: [(1.0, 1.0, a)],
    "neg": lambda new, y, a: [(-1.0, 1.0, a)],
    "add": lambda new, y, a, b: [(1.0, 1.0, a), (1.0, 1.0, b)],
    "sub": lambda new, y, a, b: [(1.0, 1.0, a), (-1.0, 1.0, b)],
    "mul": lambda new, y, a, b: [(1.0, b, a), (1.0, a, b)],
    "fma": lambda new, y, a, b, c: [(1.0, 1.0, c), (1.0, b, a), (1.0, a, b)],
    "fnma": lambda new, y, a, b, c: [(1.0, 1.0, c), (-1.0, b, a), (-1.0, a, b)],
    "div": _div,
    "sqrt": _sqrt,
    "exp": _exp,
    "log": lambda new, y, a: [(1.0, new("div", 1.0, a), a)],
    "sin": lambda new, y, a: [(1.0, new("cos", a), a)],
    "cos": lambda new, y, a: [(-1.0, new("sin", a), a)],
    "atan": lambda new, y, a: [(1.0, new("div", 1.0, new("fma", a, a, 1.0)), a)],
    "abs": lambda new, y, a: [(1.0, new("if_positive", a, 1.0, -1.0), a)],
}
