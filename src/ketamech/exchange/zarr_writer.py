"""Writes the many small arrays of a run as a Zarr 3 store: one chunk per array, Zstandard.

The Zarr library reads the store, and a test compares it with the store of the library. Writing through the library
lengthens a cold `ketamech simulate` by half (docs/decisions/0017-borrowed-parts.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import xarray as xr

_TYPES = {"f": ("float64", "<f8", "NaN"), "i": ("int64", "<i8", 0), "b": ("bool", "|b1", False)}


def write_zarr(path: Path, dataset: xr.Dataset) -> None:
    """Write every variable and coordinate with its attributes, and consolidated metadata, into a new folder."""
    path.mkdir()
    beside = " ".join(str(name) for name in dataset.coords if name not in dataset.dims)
    arrays = {}
    for name, variable in dataset.variables.items():
        more = {"coordinates": beside} if beside and name in dataset.data_vars else {}
        arrays[str(name)] = _write_array(path / str(name), variable.values, variable.dims, {**variable.attrs, **more})
    inside = {"kind": "inline", "must_understand": False, "metadata": arrays}
    group = {"zarr_format": 3, "node_type": "group", "attributes": _plain(dataset.attrs)}
    (path / "zarr.json").write_text(json.dumps(group | {"consolidated_metadata": inside}), encoding="utf-8")


def _write_array(folder: Path, values: np.ndarray, dims: Any, attributes: dict[Any, Any]) -> dict[str, Any]:
    """One array in one chunk; returns its metadata."""
    kind, first, fill, data = _bytes_of(values)
    chunk = folder.joinpath("c", *("0" for _ in values.shape))
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(pa.compress(data, codec="zstd", asbytes=True))
    configuration = {"chunk_shape": [max(1, size) for size in values.shape]}
    found = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(values.shape),
        "data_type": kind,
        "chunk_grid": {"name": "regular", "configuration": configuration},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": [first, {"name": "zstd", "configuration": {"level": 0, "checksum": False}}],
        "attributes": _plain(attributes),
        "dimension_names": [str(name) for name in dims],
        "storage_transformers": [],
    }
    (folder / "zarr.json").write_text(json.dumps(found), encoding="utf-8")
    return found


def _bytes_of(values: np.ndarray) -> tuple[str, dict[str, Any], Any, bytes]:
    """Data type, first codec, fill value and bytes of an array; other types are stored as text."""
    if values.dtype.kind not in _TYPES:
        words = [str(word).encode() for word in values.ravel()]
        sizes = (np.array([len(word)], dtype="<u4").tobytes() for word in words)
        parts = [part for pair in zip(sizes, words, strict=True) for part in pair]
        data = np.array([len(words)], dtype="<u4").tobytes() + b"".join(parts)
        return "string", {"name": "vlen-utf8", "configuration": {}}, "", data
    kind, order, fill = _TYPES[values.dtype.kind]
    data = np.ascontiguousarray(values, dtype=order).tobytes()
    return kind, {"name": "bytes", "configuration": {"endian": "little"}}, fill, data


def _plain(attributes: Any) -> dict[str, Any]:
    """Attributes as JSON values."""
    return {str(name): value.item() if hasattr(value, "item") else value for name, value in attributes.items()}
