"""Conversion of datasets to plain arrays and back, bit-identical, for checkpoints and transfer between processes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core.checkpoint import Arrays

DESCRIPTION_KEY = "about"  # key of the description: dims and attributes, in order


def encode(dataset: xr.Dataset) -> Arrays:
    """Arrays by number in the order of the variables, and their description; texts as text, not as Python objects."""
    description: dict[str, Any] = {"attrs": dict(dataset.attrs), "data": list(dataset.data_vars), "variables": {}}
    arrays: Arrays = {}
    for number, (name, variable) in enumerate(dataset.variables.items()):
        values = np.asarray(variable.values)
        arrays[str(number)] = values.astype(str) if values.dtype.hasobject else values
        description["variables"][str(name)] = [list(variable.dims), dict(variable.attrs), values.dtype.hasobject]
    arrays[DESCRIPTION_KEY] = np.array(json.dumps(description, default=_item))
    return arrays


def decode(arrays: Arrays) -> xr.Dataset:
    """The dataset that `encode` converted."""
    description = json.loads(str(arrays[DESCRIPTION_KEY]))
    found = {}
    for number, (name, (dims, attributes, objects)) in enumerate(description["variables"].items()):
        values = arrays[str(number)]
        found[name] = (tuple(dims), values.astype(object) if objects else values, attributes)
    data = {name: found[name] for name in description["data"]}
    return xr.Dataset(data, {name: part for name, part in found.items() if name not in data}, description["attrs"])


def _item(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
