"""A model that is ready to run: its layout, the values of its parameters, its compiled kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import InputError
from ketamech.engine import Kernel, load_kernel
from ketamech.model.cache import cached_expression_trees, cached_layout
from ketamech.model.expression_tree import ExpressionTrees
from ketamech.model.layout import SystemLayout
from ketamech.parameters import ParameterTable, load_parameters

if TYPE_CHECKING:
    from ketamech.model.system import System


@dataclass(frozen=True)
class Model:
    """What the equations hold, the values they take, and their compiled kernel: ready to run courses.

    The equations themselves are built (slowly) only when `system` is asked for. `instead` says which state takes what
    is given to another name (where the kinetics are not our own).
    """

    layout: SystemLayout
    parameters: ParameterTable
    kernel: Kernel
    build_system: Callable[[], System] | None = field(default=None, repr=False, compare=False)
    state_aliases: Mapping[str, str] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[ParameterTable, str]]:
        """Sent to another process a model travels as its values and is compiled there."""
        return _unpickle, (self.parameters, self.layout.fingerprint)

    @cached_property
    def system(self) -> System:
        """The checked equations as symbols."""
        if self.build_system is not None:
            return self.build_system()
        return _build(self.parameters)

    @cached_property
    def default_values(self) -> Mapping[str, float]:
        """Every parameter's value in canonical units."""
        return {name: row.canonical for name, row in self.parameters.items()}

    @cached_property
    def default_inputs(self) -> np.ndarray:
        """Inputs of the kernel [input] with every parameter's own value; resting values are still open."""
        values = [self.default_values[name] for name in self.layout.parameter_names]
        return np.array([*values, *([0.0] * len(self.layout.baseline_names))])

    @cached_property
    def input_index(self) -> dict[str, int]:
        """Where in the inputs each parameter stands."""
        return {name: i for i, name in enumerate(self.layout.parameter_names)}

    @cached_property
    def compartment_index(self) -> dict[str, int]:
        """Where in the state vector each thing that can be given enters."""
        found = {name: i for i, name in enumerate(self.layout.state_names)}
        return found | {name: found[state] for name, state in self.state_aliases.items()}

    @cached_property
    def expression_trees(self) -> ExpressionTrees:
        """The equations as plain trees: which names stand where."""
        return cached_expression_trees(self.parameters, lambda: self.system)


def load_model(parameters: ParameterTable | None = None, *, announce: Callable[[str], None] | None = None) -> Model:
    """The whole story, checked and compiled; `announce` gets a line for what takes long.

    On a machine that has run this version before, neither is done again.
    """
    table = load_parameters() if parameters is None else parameters
    build_system = cache(lambda: _build(table))

    def first_build() -> System:
        if announce:
            announce("Building the equations and checking their units ...")
        return build_system()

    layout = cached_layout(table, first_build)
    return Model(layout, table, load_kernel(layout, build_system, announce=announce), build_system)


def _unpickle(parameters: ParameterTable, fingerprint: str) -> Model:
    made = load_model(parameters)
    if made.layout.fingerprint != fingerprint:
        here = made.layout.fingerprint
        raise InputError(f"the equations here are {here}, not {fingerprint}", expected="the same version everywhere")
    return made


def _build(parameters: ParameterTable) -> System:
    from ketamech.model.assemble import build_system

    return build_system(parameters)
