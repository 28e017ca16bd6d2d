"""Curves of a run on disk: a Zarr store for xarray and a long Parquet table for other programs.

The many small arrays of a run are written as a Zarr 3 store with one chunk per array, Zstandard. The Zarr library reads
the store, and a test compares it with the store of the library. Writing through the library lengthens a cold `ketamech
simulate` by half (docs/decisions/0017-borrowed-parts.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ketamech.core import InputError
from ketamech.exchange.output_folder import read_manifest, require_unchanged, store_errors
from ketamech.exchange.result_metadata import Rows, write_parquet
from ketamech.parameters.concentration_units import shown
from ketamech.simulation.curves import AnyCurves

if TYPE_CHECKING:
    import xarray as xr


_TYPES = {"f": ("float64", "<f8", "NaN"), "i": ("int64", "<i8", 0), "b": ("bool", "|b1", False)}


def write_zarr(path: Path, dataset: AnyCurves) -> None:
    """Write every variable and coordinate with its attributes, and consolidated metadata, into a new folder."""
    path.mkdir()
    coordinates = " ".join(str(name) for name in dataset.coords if name not in dataset.dims)
    arrays = {}
    for name, variable in dataset.variables.items():
        extra = {"coordinates": coordinates} if coordinates and name in dataset.data_vars else {}
        arrays[str(name)] = _write_array(path / str(name), variable.values, variable.dims, {**variable.attrs, **extra})
    consolidated = {"kind": "inline", "must_understand": False, "metadata": arrays}
    group = {"zarr_format": 3, "node_type": "group", "attributes": _plain(dataset.attrs)}
    (path / "zarr.json").write_text(json.dumps(group | {"consolidated_metadata": consolidated}), encoding="utf-8")


def _write_array(folder: Path, values: np.ndarray, dims: Any, attributes: dict[Any, Any]) -> dict[str, Any]:
    """One array in one chunk; returns its metadata."""
    data_type, first_codec, fill_value, data = _bytes_of(values)
    folder.mkdir()
    chunk = ".".join(["c", *("0" for _ in values.shape)])  # beside the metadata: each folder costs as much as ten files
    (folder / chunk).write_bytes(pa.compress(data, codec="zstd", asbytes=True))
    configuration = {"chunk_shape": [max(1, size) for size in values.shape]}
    array_metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(values.shape),
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": configuration},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": fill_value,
        "codecs": [first_codec, {"name": "zstd", "configuration": {"level": 0, "checksum": False}}],
        "attributes": _plain(attributes),
        "dimension_names": [str(name) for name in dims],
        "storage_transformers": [],
    }
    (folder / "zarr.json").write_text(json.dumps(array_metadata), encoding="utf-8")
    return array_metadata


def _bytes_of(values: np.ndarray) -> tuple[str, dict[str, Any], Any, bytes]:
    """Data type, first codec, fill value and bytes of an array; other types are stored as text."""
    if values.dtype.kind not in _TYPES:
        encoded_values = [str(word).encode() for word in values.ravel()]
        length_prefixes = (np.array([len(word)], dtype="<u4").tobytes() for word in encoded_values)
        parts = [part for pair in zip(length_prefixes, encoded_values, strict=True) for part in pair]
        data = np.array([len(encoded_values)], dtype="<u4").tobytes() + b"".join(parts)
        return "string", {"name": "vlen-utf8", "configuration": {}}, "", data
    data_type, byte_order, fill_value = _TYPES[values.dtype.kind]
    data = np.ascontiguousarray(values, dtype=byte_order).tobytes()
    return data_type, {"name": "bytes", "configuration": {"endian": "little"}}, fill_value, data


def _plain(attributes: Any) -> dict[str, Any]:
    """Attributes as JSON values."""
    return {str(name): value.item() if hasattr(value, "item") else value for name, value in attributes.items()}


ZARR, PARQUET = "curves.zarr", "curves.parquet"
COLUMNS = ("patient", "time_h", "variable", "value", "unit")


def write_curves(folder: Path, dataset: AnyCurves) -> list[Path]:
    """Write `curves.zarr` (units and long names as CF attributes) and `curves.parquet` (tidy, long), with the
    metadata in both.
    """
    write_zarr(folder / ZARR, dataset)
    metadata = {str(name): value for name, value in dataset.attrs.items()}
    write_parquet(to_long_table(dataset), folder / PARQUET, metadata, use_dictionary=list(COLUMNS))
    return [folder / ZARR, folder / PARQUET]


def read_run(folder: Path | str) -> xr.Dataset:
    """The curves of a run folder, with units in the attributes; raises InputError for a folder that is no run and for
    changed curves.
    """
    import xarray as xr

    path = Path(folder)
    if not read_manifest(path) or not (path / ZARR).is_dir():
        message = f"'{path.name}' is not a KetaMech run" if path.exists() else f"there is no folder '{folder}'"
        raise InputError(
            message, expected="a folder written by ketamech simulate", type_this="ketamech simulate SCENARIO"
        )
    require_unchanged(path, ZARR)
    with store_errors(path / ZARR), xr.open_zarr(path / ZARR, consolidated=True) as dataset:
        curves = dataset.load()
    texts = [name for name in curves.coords if curves[name].dtype.kind not in "iufbM"]
    return curves.assign_coords(
        {name: (curves[name].dims, [str(value) for value in curves[name].values]) for name in texts}
    )


def shown_curves(dataset: AnyCurves, names: Sequence[str], hours: np.ndarray) -> tuple[Rows, dict[str, str]]:
    """A row for each patient and time of some outputs, in the units that are shown, and the unit of each column."""
    time_indices = np.searchsorted(dataset.variables["time"].values, hours)
    patients, units = [str(label) for label in dataset["patient"].values], {"time": "h"}
    columns: dict[str, np.ndarray] = {
        "patient": np.repeat(patients, len(time_indices)),
        "time": np.tile(dataset.variables["time"].values[time_indices], len(patients)),
    }
    for name in names:
        factor, units[name] = shown(name, str(dataset.variables[name].attrs.get("units", "1")))
        columns[name] = factor * dataset.variables[name].transpose("patient", "time").values[:, time_indices].ravel()
    headers = {name: f"{name} ({unit})" if unit != "1" else name for name, unit in units.items()}
    cells = zip(*(column.tolist() for column in columns.values()), strict=True)
    rows = [dict(zip((headers.get(name, name) for name in columns), row, strict=True)) for row in cells]
    return rows, {headers[name]: unit for name, unit in units.items()}


def to_long_table(dataset: AnyCurves) -> pa.Table:
    """One line per patient, variable and time: patient, time_h, variable, value, unit (text dictionary-encoded)."""
    names = [str(name) for name in dataset.data_vars]
    patients, times = [str(p) for p in dataset["patient"].values], dataset["time"].values.astype(float)
    values = np.stack([dataset.variables[name].transpose("patient", "time").values for name in names], axis=1)
    units = [str(dataset.variables[name].attrs.get("units", "1")) for name in names]
    count, per_patient = len(times), len(names) * len(times)
    columns = {
        "patient": _repeated(patients, np.repeat(np.arange(len(patients)), per_patient)),
        "time_h": _column(np.tile(times, len(patients) * len(names)), pa.float64()),
        "variable": _repeated(names, np.tile(np.repeat(np.arange(len(names)), count), len(patients))),
        "value": _column(values.ravel().astype(float), pa.float64()),
        "unit": _repeated(units, np.tile(np.repeat(np.arange(len(names)), count), len(patients))),
    }
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _repeated(labels: list[str], codes: np.ndarray) -> pa.DictionaryArray:
    categories = list(dict.fromkeys(labels))
    index_of_code = np.array([categories.index(label) for label in labels], dtype=np.int32)
    texts = [label.encode() for label in categories]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    words = pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))
    return pa.DictionaryArray.from_arrays(_column(index_of_code[codes], pa.int32()), words)


def _column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """The numbers as a column; `pa.array` would import pandas to ask whether they are a Series."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
