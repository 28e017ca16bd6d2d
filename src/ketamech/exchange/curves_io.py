"""Curves of a run on disk: a Zarr store for xarray and a long Parquet table for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import xarray as xr

from ketamech.core import InputError
from ketamech.exchange.output_folder import read_manifest, require_unchanged, store_errors
from ketamech.exchange.result_metadata import write_parquet
from ketamech.exchange.zarr_writer import write_zarr

ZARR, PARQUET = "curves.zarr", "curves.parquet"
COLUMNS = ("patient", "time_h", "variable", "value", "unit")


def write_curves(folder: Path, dataset: xr.Dataset) -> list[Path]:
    """Write `curves.zarr` (units and long names as CF attributes) and `curves.parquet` (tidy, long), with the
    metadata in both.
    """
    write_zarr(folder / ZARR, dataset)
    facts = {str(name): value for name, value in dataset.attrs.items()}
    write_parquet(to_long_table(dataset), folder / PARQUET, facts, use_dictionary=list(COLUMNS))
    return [folder / ZARR, folder / PARQUET]


def read_run(folder: Path | str) -> xr.Dataset:
    """The curves of a run folder, with units in the attributes; raises InputError for a folder that is no run and for
    changed curves.
    """
    place = Path(folder)
    if not read_manifest(place) or not (place / ZARR).is_dir():
        what = f"'{place.name}' is not a KetaMech run" if place.exists() else f"there is no folder '{folder}'"
        raise InputError(what, expected="a folder written by ketamech simulate", type_this="ketamech simulate SCENARIO")
    require_unchanged(place, ZARR)
    with store_errors(place / ZARR), xr.open_zarr(place / ZARR, consolidated=True) as dataset:
        found = dataset.load()
    text = [name for name in found.coords if found[name].dtype.kind not in "iufbM"]
    return found.assign_coords({name: (found[name].dims, [str(word) for word in found[name].values]) for name in text})


def to_long_table(dataset: xr.Dataset) -> pa.Table:
    """One line per patient, variable and time: patient, time_h, variable, value, unit (text dictionary-encoded)."""
    names = [str(name) for name in dataset.data_vars]
    patients, times = [str(p) for p in dataset["patient"].values], dataset["time"].values.astype(float)
    values = np.stack([dataset.variables[name].transpose("patient", "time").values for name in names], axis=1)
    units = [str(dataset.variables[name].attrs.get("units", "1")) for name in names]
    count, per_patient = len(times), len(names) * len(times)
    columns = {
        "patient": _repeated(patients, np.repeat(np.arange(len(patients)), per_patient)),
        "time_h": np.tile(times, len(patients) * len(names)),
        "variable": _repeated(names, np.tile(np.repeat(np.arange(len(names)), count), len(patients))),
        "value": values.ravel().astype(float),
        "unit": _repeated(units, np.tile(np.repeat(np.arange(len(names)), count), len(patients))),
    }
    return pa.table(columns)


def _repeated(words: list[str], codes: np.ndarray) -> pa.DictionaryArray:
    unique = list(dict.fromkeys(words))
    place = np.array([unique.index(word) for word in words], dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(place[codes], pa.int32()), pa.array(unique))
