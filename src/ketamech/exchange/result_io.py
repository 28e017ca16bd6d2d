"""Results in .nc, .zarr, .parquet and .csv files, and the metadata in each of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from ketamech.core import InputError, KetaMechError
from ketamech.exchange.optional_libraries import import_optional
from ketamech.exchange.result_dataset import DIMS, names_of, with_attributes
from ketamech.exchange.result_metadata import read_csv_metadata, read_parquet_metadata, write_table

COLUMNS = (*DIMS, "variable", "value", "unit")
Results = xr.Dataset | xr.DataTree


def save_results(results: Results, target: Path | str) -> Path:
    """Write a dataset (or a tree of groups: .nc and .zarr only) completely or not at all.

    Raises InputError for another suffix, a missing library, or an existing file or folder that is no earlier result.
    """
    path = Path(target)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        kinds = ", ".join(_WRITERS)
        raise InputError(f"cannot write '{target}'", expected=f"a name ending in {kinds}", type_this="--to results.nc")
    if path.is_dir() and not (path / "zarr.json").is_file() and any(path.iterdir()):
        raise InputError(
            f"'{path.name}' is a folder with other files", expected="a new name", type_this="--to results.nc"
        )
    if isinstance(results, xr.DataTree) and path.suffix.lower() not in (".nc", ".zarr"):
        raise InputError("groups go into .nc or .zarr", expected="such a name", type_this=f"--to {path.stem}.nc")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        draft = Path(folder) / path.name
        write(results, draft)
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(draft, path)
    return path


def open_results(source: Path | str) -> xr.Dataset:
    """A dataset (dims replicate, arm, patient, time) from any file that `save_results` wrote. Raises InputError."""
    path = Path(source)
    read = _READERS.get(path.suffix.lower())
    if read is None or not path.exists():
        raise InputError(
            f"'{source}' is no file of results", file=path, expected=f"a file ending in {', '.join(_READERS)}"
        )
    with _damaged_file_error(path):
        return read(path)


def facts_of(source: Path | str) -> dict[str, Any]:
    """Metadata of a file of results: model hash, seed, versions, command line, papers. Raises InputError."""
    path = Path(source)
    with _damaged_file_error(path):
        return _facts_of(path)


@contextmanager
def _damaged_file_error(path: Path) -> Iterator[None]:
    """Turn library errors about a damaged file into InputError."""
    try:
        yield
    except KetaMechError:
        raise
    except Exception as problem:
        said = str(problem).splitlines()[0][:200] if str(problem) else type(problem).__name__
        raise InputError(f"the file cannot be read: {said}", file=path, expected="results of KetaMech") from None


def _facts_of(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".csv" and path.is_file():
        return read_csv_metadata(path)
    if path.suffix.lower() == ".parquet" and path.is_file():
        return read_parquet_metadata(path)
    if path.suffix.lower() in (".nc", ".zarr") and path.exists():
        with _opened(path) as tree:
            return {str(name): value for name, value in tree.attrs.items()}
    raise InputError(f"'{path}' is no file of results", file=path, expected=f"a file ending in {', '.join(_READERS)}")


def long_table(dataset: xr.Dataset) -> pd.DataFrame:
    """One line per value: replicate, arm, patient, time, variable, value, unit; missing values left out."""
    parts = []
    for name in names_of(dataset):
        values = dataset[name].transpose(*DIMS)
        if values.dtype.kind in "fiub":
            part = values.drop_vars([c for c in values.coords if c not in DIMS]).to_series().dropna().reset_index()
            part.columns = [*DIMS, "value"]
            unit = values.attrs.get("counted_in") or values.attrs.get("units", "1")
            parts.append(part.assign(variable=str(name), unit=unit)[list(COLUMNS)])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _opened(path: Path) -> xr.DataTree:
    if path.suffix.lower() == ".zarr":
        return _opened_zarr(path)
    import_optional("h5netcdf", "h5netcdf", "reading or writing NetCDF")
    return xr.open_datatree(path, engine="h5netcdf")


def _opened_zarr(path: Path) -> xr.DataTree:
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*consolidated", RuntimeWarning)  # a cohort grows chunk by chunk
        return xr.open_datatree(path, engine="zarr")


def _save_netcdf(results: Results, path: Path) -> None:
    import_optional("h5netcdf", "h5netcdf", "reading or writing NetCDF")
    results.to_netcdf(path, engine="h5netcdf")


def _save_zarr(results: Results, path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns that text in Zarr 3 is experimental
        results.to_zarr(path, zarr_format=3, consolidated=True)


def _save_table(results: Results, path: Path) -> None:
    assert isinstance(results, xr.Dataset)
    write_table(long_table(results), path, {str(name): value for name, value in results.attrs.items()})


def _load(path: Path) -> xr.Dataset:
    with _opened(path) as tree:
        return tree.to_dataset().load()


def _load_parquet(path: Path) -> xr.Dataset:
    return _pivoted(pd.read_parquet(path), facts_of(path))


def _load_csv(path: Path) -> xr.Dataset:
    return _pivoted(pd.read_csv(path, comment="#", dtype={"arm": str}), facts_of(path))


def _pivoted(table: pd.DataFrame, facts: Mapping[str, Any]) -> xr.Dataset:
    """A long table as a dataset, its arms in order of appearance."""
    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise InputError(
            f"a table without '{lacking[0]}'", expected=f"columns {', '.join(COLUMNS)}; pandas reads others"
        )
    found = xr.Dataset()
    for name, part in table.groupby("variable", sort=False):
        values = part.set_index(list(DIMS))["value"].to_xarray()
        found[str(name)] = values.assign_attrs(units=str(part["unit"].iloc[0]))
    order = list(dict.fromkeys(table["arm"]))
    return with_attributes(found.sel(arm=order).assign_attrs({k: v for k, v in facts.items() if k != "Conventions"}))


_WRITERS: Mapping[str, Callable[[Results, Path], None]] = {
    ".nc": _save_netcdf, ".zarr": _save_zarr, ".parquet": _save_table, ".csv": _save_table,
}  # fmt: skip
_READERS: Mapping[str, Callable[[Path], xr.Dataset]] = {
    ".nc": _load, ".zarr": _load, ".parquet": _load_parquet, ".csv": _load_csv,
}  # fmt: skip
SUFFIXES = tuple(_WRITERS)
__all__ = ["SUFFIXES", "facts_of", "long_table", "open_results", "save_results"]
