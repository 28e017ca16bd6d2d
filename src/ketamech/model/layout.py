"""The contents of a system without its equations: enough to run a compiled model and to label its curves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from ketamech.core.atomic_files import read_json


@dataclass(frozen=True)
class StateInfo:
    """A state: `initial_guess` of its drug-free value and `scale`, its typical size, both in `unit`."""

    name: str
    unit: str
    description: str
    initial_guess: float
    bounds: tuple[float | None, float | None]
    scale: float
    is_sink: bool
    kind: str
    stage: str


@dataclass(frozen=True)
class OutputInfo:
    """An algebraic output that changes with time."""

    name: str
    unit: str
    description: str
    stage: str


class SystemNames:
    """Names, units and descriptions, computed in the same way for a `System` and for its `SystemLayout`.

    Both hold states, outputs that change with time, and the names of parameters and of baseline values. A `System` has
    constant outputs besides: they have a unit and a description, and no result holds them.
    """

    states: Any
    time_varying_outputs: Any
    parameter_names: tuple[str, ...]
    baseline_names: tuple[str, ...]

    @cached_property
    def quantities(self) -> tuple[Any, ...]:
        """Everything with a name and a unit: states, then outputs."""
        return (*self.states, *self.time_varying_outputs)

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states, in the order of the state vector."""
        return tuple(state.name for state in self.states)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """Everything a result can hold: states, then time-varying outputs."""
        return self.state_names + tuple(output.name for output in self.time_varying_outputs)

    @cached_property
    def units(self) -> dict[str, str]:
        """Unit of each of `quantities`, as declared."""
        return {item.name: item.unit for item in self.quantities}

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """One-line description of each of `quantities`."""
        return {item.name: item.description for item in self.quantities}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names behind the input vector of a kernel: parameters, then baseline values."""
        return self.parameter_names + tuple(f"rest({name})" for name in self.baseline_names)


@dataclass(frozen=True)
class SystemLayout(SystemNames):
    """States, time-varying outputs and inputs of a system in order.

    `fingerprint` is the hash of the equations. `reads`: for each of `output_names`, the indices of the outputs that its
    rate or its expression reads, directly or as a drug-free value.
    """

    states: tuple[StateInfo, ...]
    time_varying_outputs: tuple[OutputInfo, ...]
    parameter_names: tuple[str, ...]
    baseline_names: tuple[str, ...]
    fingerprint: str
    reads: tuple[tuple[int, ...], ...] = ()

    @cached_property
    def output_index(self) -> dict[str, int]:
        """Index in `output_names` of each output."""
        return {name: i for i, name in enumerate(self.output_names)}

    @cached_property
    def stage_of(self) -> dict[str, str]:
        """The stage that declares an output."""
        return {row.name: row.stage for row in self.quantities}

    def needed_outputs(self, names: Iterable[str]) -> frozenset[int]:
        """Indices of the outputs `names` and of all outputs that these depend on, however remotely."""
        needed = {self.output_index[name] for name in names}
        waiting = list(needed)
        while waiting:
            new = set(self.reads[waiting.pop()]) - needed
            needed |= new
            waiting += new
        return frozenset(needed)

    def part(self, states: Sequence[int], time_varying_outputs: Sequence[int]) -> SystemLayout:
        """The layout with some of its states and time-varying outputs (indices in either), and all inputs."""
        outputs = tuple(self.time_varying_outputs[i] for i in time_varying_outputs)
        return replace(self, states=tuple(self.states[i] for i in states), time_varying_outputs=outputs, reads=())

    def to_json(self) -> str:
        """The layout as JSON text; numbers keep every digit."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> SystemLayout:
        """Read the layout that `to_json` wrote. Raises ValueError for any other text."""
        try:
            return _read(read_json(text))
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"this text is not a layout: {problem}") from problem


def _read(plain: dict[str, Any]) -> SystemLayout:
    if set(plain) != {field.name for field in fields(SystemLayout)}:
        raise ValueError("this text is not a layout: it has other keys")
    return SystemLayout(
        states=tuple(StateInfo(**{**row, "bounds": tuple(row["bounds"])}) for row in plain["states"]),
        time_varying_outputs=tuple(OutputInfo(**row) for row in plain["time_varying_outputs"]),
        parameter_names=tuple(plain["parameter_names"]),
        baseline_names=tuple(plain["baseline_names"]),
        fingerprint=plain["fingerprint"],
        reads=tuple(tuple(row) for row in plain["reads"]),
    )
