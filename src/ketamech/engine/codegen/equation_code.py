"""The instructions of a system of equations, and of a slice of it: some of its states, while others are zero.

In a slice every remaining number has the bits that it has in the whole system: instructions are left out but not
reordered, pivots keep their order, and the error is divided by the same number of states. Three kinds of states can be
left out. A state on which no output of the slice depends cannot change one that remains. A state that nothing enters
stays at zero. Both need a check: the first of the dependences (`SystemLayout.reads`), the second here, by folding.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ketamech.engine.codegen.constant_folding import Results, fold_zeros, renumbered, used_instructions
from ketamech.engine.codegen.ir import Instruction, Operand, Slot

Code = tuple[Instruction, ...]


@dataclass(frozen=True)
class EquationCode:
    """Instructions of a system with `system_size` states, or of a slice of it.

    `prepare` computes the `constants` of a patient (array Q) from the `inputs` (P); `rates` names f0, f1, ... from the
    state in U; `jacobian` names j0, j1, ..., the entries at `pattern`, from Y; `observe` stores the `observed` outputs
    in S from V. `infinite`: entries that may be infinite, see `without_infinities`; `pivots`: order of elimination;
    `scales` by state.
    """

    prepare: Code
    rates: Code
    jacobian: Code
    observe: Code
    pattern: tuple[tuple[int, int], ...]
    infinite: tuple[int, ...]
    pivots: tuple[int, ...]
    scales: tuple[float, ...]
    system_size: int
    inputs: int
    constants: int
    observed: int

    @property
    def is_linear(self) -> bool:
        """Whether the Jacobian depends on constants alone, so that the rates are linear in the state."""
        return all(slot.array != "Y" for slot in _slots(self.jacobian))

    def to_json(self) -> str:
        """The code as JSON text; numbers keep every digit."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> EquationCode:
        """Read the code that `to_json` wrote. Raises ValueError for any other text."""
        try:
            content = json.loads(text)
            codes = {name: tuple(map(_instruction, content[name])) for name in _CODES}
            pattern = tuple((row, column) for row, column in content["pattern"])
            lists = {name: tuple(content[name]) for name in ("infinite", "pivots", "scales")}
            return cls(**{**content, **codes, **lists, "pattern": pattern})
        except (KeyError, TypeError) as problem:
            raise ValueError(f"this text is not equation code: {problem}") from problem

    def absent_states(self, candidates: Iterable[int]) -> frozenset[int]:
        """Those of `candidates` (states at zero that receive nothing) whose rate is 0 while all of them are zero."""
        absent = set(candidates)
        while True:
            results = fold_zeros(self.rates, absent)[1]
            moving = {i for i in absent if results.get(f"f{i}") != 0.0}
            if not moving:
                return frozenset(absent)
            absent -= moving

    def slice(self, states: Sequence[int], absent: Collection[int], observed: Sequence[int]) -> EquationCode:
        """The code of `states` (rising) and the outputs `observed` while the states `absent` are zero.

        All others must be unable to change these states and outputs.
        """
        new_index = {state: i for i, state in enumerate(states)}
        rates, rate_of = fold_zeros(self.rates, absent)
        jacobian, entry_of = fold_zeros(self.jacobian, absent)
        observe, _ = fold_zeros(self.observe, absent)
        entries = [
            i for i, (row, column) in enumerate(self.pattern)
            if row in new_index and column in new_index and entry_of.get(f"j{i}") != 0.0
        ]  # fmt: skip
        codes = (
            _named(rates, rate_of, "f", states),
            _named(jacobian, entry_of, "j", entries),
            used_instructions(observe, [Slot("S", i) for i in observed]),
        )
        constants = sorted(
            {slot.row for code in codes for slot in _slots(code) if slot.array == "Q" and slot.row is not None}
        )
        prepare = used_instructions(self.prepare, [Slot("Q", i) for i in constants])
        rows = {array: new_index for array in ("U", "V", "Y")}
        rows |= {"Q": {k: i for i, k in enumerate(constants)}, "S": {k: i for i, k in enumerate(observed)}}

        def new_slot(slot: Slot) -> Slot:
            assert slot.row is not None
            return Slot(slot.array, rows[slot.array][slot.row]) if slot.array in rows else slot

        renumbered_codes = [tuple(renumbered(code, new_slot)) for code in (prepare, *codes)]
        return EquationCode(
            prepare=renumbered_codes[0],
            rates=renumbered_codes[1],
            jacobian=renumbered_codes[2],
            observe=renumbered_codes[3],
            pattern=tuple((new_index[self.pattern[i][0]], new_index[self.pattern[i][1]]) for i in entries),
            infinite=tuple(k for k, i in enumerate(entries) if i in set(self.infinite)),
            pivots=tuple(new_index[i] for i in self.pivots if i in new_index),
            scales=tuple(self.scales[i] for i in states),
            system_size=self.system_size,
            inputs=self.inputs,
            constants=len(constants),
            observed=len(observed),
        )


_CODES = ("prepare", "rates", "jacobian", "observe")


def _named(code: Sequence[Instruction], known: Results, letter: str, indices: Sequence[int]) -> list[Instruction]:
    """The instructions that the results `indices` need, and these results under their new numbers."""
    operands = [known.get(f"{letter}{i}", f"{letter}{i}") for i in indices]
    names = [Instruction(f"{letter}{k}", "copy", (result,)) for k, result in enumerate(operands)]
    return [*used_instructions(code, [operand for operand in operands if not isinstance(operand, float)]), *names]


def _slots(code: Iterable[Instruction]) -> Iterable[Slot]:
    return (operand for instruction in code for operand in instruction.arguments if isinstance(operand, Slot))


def _instruction(content: Sequence[Any]) -> Instruction:
    target, kind, arguments = content
    slot = _operand(target)
    assert not isinstance(slot, float)
    return Instruction(slot, kind, tuple(map(_operand, arguments)))


def _operand(content: Any) -> Operand:
    if isinstance(content, list):
        return Slot(*content)
    return content if isinstance(content, str) else float(content)
