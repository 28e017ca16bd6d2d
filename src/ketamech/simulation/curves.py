"""Curves of patients as arrays with names, units and attributes, without xarray.

xarray and pandas take a third of the time of a `ketamech simulate` in a new process. What a run writes and prints needs
no more than the few members of a Dataset that `Curves` has under the same names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class CurveVariable:
    """An array with the names of its dimensions and its attributes, as `xarray.Variable`."""

    dims: tuple[str, ...]
    values: np.ndarray
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def transpose(self, *dims: str) -> CurveVariable:
        """The variable with its dimensions in this order."""
        return replace(self, dims=dims, values=self.values.transpose([self.dims.index(name) for name in dims]))


@dataclass(frozen=True)
class Curves:
    """Outputs of patients over time; the members are those of `xarray.Dataset`, and `dataset` returns one.

    A coordinate is an index where its name is that of its only dimension.
    """

    data_vars: Mapping[str, CurveVariable]
    coords: Mapping[str, CurveVariable]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def variables(self) -> Mapping[str, CurveVariable]:
        """Outputs and coordinates by name."""
        return {**self.data_vars, **self.coords}

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The length of each dimension."""
        variables = self.variables.values()
        return {name: size for one in variables for name, size in zip(one.dims, one.values.shape, strict=True)}

    @property
    def dims(self) -> Collection[str]:
        """Names of the dimensions."""
        return self.sizes.keys()

    def __getitem__(self, name: str) -> CurveVariable:
        return self.variables[name]

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def assign_attrs(self, attributes: Mapping[str, Any]) -> Curves:
        """The curves with further attributes."""
        return replace(self, attrs={**self.attrs, **attributes})

    def drop_vars(self, names: Collection[str]) -> Curves:
        """The curves without some of the outputs."""
        return replace(self, data_vars={n: variable for n, variable in self.data_vars.items() if n not in names})

    def dataset(self) -> xr.Dataset:
        """The curves as a Dataset."""
        import pandas as pd
        import xarray as xr

        def converted(variables: Mapping[str, CurveVariable]) -> dict[str, Any]:
            # the usual constructor of an array first imports Dask and Pint to ask whether it is theirs
            return {
                name: (one.dims, pd.Index(one.values), one.attrs)
                if one.dims == (name,)
                else xr.Variable(one.dims, one.values, one.attrs, fastpath=True)
                for name, one in variables.items()
            }

        return xr.Dataset(converted(self.data_vars), converted(self.coords), dict(self.attrs))


AnyCurves: TypeAlias = "Curves | xr.Dataset"
