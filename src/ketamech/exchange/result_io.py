"""Results as one labelled dataset, written to and read from .nc, .zarr, .parquet and .csv files.

Dims are replicate, arm, patient, time; CF units, long names and metadata are attributes. A simulated scenario has the
arms `treated` and `control`, a cohort only `treated`, a trial its own arms. A patient has values only in the current
arm (NaN elsewhere), so that patient i is the same patient in every arm.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Hashable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError, unit
from ketamech.core.optional_libraries import import_optional
from ketamech.exchange.cohort_store import STATE, read_cohort
from ketamech.exchange.curves_io import ZARR as CURVES
from ketamech.exchange.curves_io import read_run
from ketamech.exchange.output_folder import MANIFEST, require_unchanged, store_errors
from ketamech.exchange.result_metadata import read_csv_metadata, read_parquet_metadata, sidecar_path, write_table

DIMS = ("replicate", "arm", "patient", "time")
TRIAL = "trial.zarr"
CONVENTIONS = "CF-1.11"
COUNTED_UNITS = ("points", "beats", "sessions")  # units that UDUNITS, and therefore CF, does not define
LONG_NAMES = {
    "replicate": "simulated trial",
    "arm": "treatment arm",
    "patient": "person, the same number in every arm",
    "solve_status": "how the solve ended",
    "solve_steps": "steps of the solver",
    "solved": "whether the solve succeeded",
    "visit_name": "name of the visit",
    "period": "period of a crossover",
}  # of coordinates
TIME_ATTRIBUTES = {"units": "h", "long_name": "time since the start"}  # CF: the standard name time is that of dates
HISTORY = ("ketamech date", "ketamech command_line")  # metadata that become the attribute history of CF


def read_results(folder: Path | str) -> xr.Dataset:
    """The results in a folder of `simulate`, `simulate --patients` or `trial`. Raises InputError for another folder."""
    results_folder = Path(folder)
    if (results_folder / TRIAL).is_dir():
        require_unchanged(results_folder, TRIAL)
        with store_errors(results_folder / TRIAL), xr.open_zarr(results_folder / TRIAL) as trial:
            return from_trial(trial.load())
    if (results_folder / STATE).is_file():
        cohort = read_cohort(results_folder)
        with store_errors(results_folder):
            return from_cohort(cohort.load())
    if (results_folder / MANIFEST).is_file() and (results_folder / CURVES).is_dir():
        return from_run(read_run(results_folder))
    message = (
        f"'{results_folder.name}' holds no results" if results_folder.exists() else f"there is no folder '{folder}'"
    )
    trial_folder = next((path.parent for path in sorted(results_folder.glob(f"*/{TRIAL}"))), None)
    expected = "a folder of ketamech simulate or ketamech trial; tables open as they are"
    raise InputError(
        message, file=results_folder, expected=expected, type_this=str(trial_folder) if trial_folder else None
    )


def from_run(curves: xr.Dataset) -> xr.Dataset:
    """Curves of a scenario (dims patient, time), whose patients are its arms."""
    return with_attributes(curves.rename(patient="arm").expand_dims(replicate=[0], patient=[0]))


def from_cohort(curves: xr.Dataset) -> xr.Dataset:
    """Curves of many patients of one scenario (dims patient, time)."""
    return with_attributes(curves.expand_dims(replicate=[0], arm=["treated"]))


def from_trial(trial: xr.Dataset) -> xr.Dataset:
    """A trial (dims replicate, patient, visit): scores and visit times by arm and planned hour."""
    arms = list(dict.fromkeys(str(name) for name in np.unique(trial["arm"].values)))
    is_arm = trial["arm"].astype(str) == xr.DataArray(arms, dims="arm")
    by_arm = trial.drop_vars("arm").assign_coords(arm=arms)
    for name, values in trial.data_vars.items():
        if "visit" in values.dims and name != "arm" and values.dtype.kind == "f":
            by_arm[name] = values.where(is_arm).assign_attrs(values.attrs)
    hours = trial["hour"].values
    if np.unique(hours).size != hours.size:
        raise InputError("two visits are planned for one hour", expected="visits at different hours")
    by_arm = by_arm.assign_coords(visit_name=("visit", [str(v) for v in trial["visit"].values]), visit=hours)
    return with_attributes(by_arm.rename(visit="time").drop_vars("hour"))


def with_attributes(dataset: xr.Dataset) -> xr.Dataset:
    """Ordered dimensions, CF attributes, and only values that files can store."""
    ordered = [dim for dim in DIMS if dim in dataset.dims]
    result = dataset.transpose(*ordered, ...)
    for name in result.variables:
        result[name].attrs = cf_attributes(str(name), result[name].attrs)
        if "flag_values" in result[name].attrs:  # CF: of the type of the variable
            result[name].attrs["flag_values"] = np.asarray(dataset[name].attrs["flag_values"], result[name].dtype)
    for name in LONG_NAMES.keys() & set(result.coords):
        result[name].attrs.setdefault("long_name", LONG_NAMES[name])
    result["time"].attrs = dict(TIME_ATTRIBUTES)
    metadata = {
        key: _plain(value) for key, value in dataset.attrs.items() if value is not None and key != "Conventions"
    }
    if history := ": ".join(str(metadata[key]) for key in HISTORY if key in metadata):
        metadata.setdefault("history", history)
    text_names = [name for name, variable in result.variables.items() if variable.dtype.kind in "OUT"]
    texts = {name: result[name].astype(str).astype(object) for name in text_names}
    result = result.assign({name: values for name, values in texts.items() if name in result.data_vars})
    result = result.assign_coords({name: values for name, values in texts.items() if name in result.coords})
    result = result.drop_encoding().assign_attrs(**metadata, Conventions=CONVENTIONS)
    for name in result.coords:
        result[name].encoding["_FillValue"] = None  # CF: a coordinate is never missing
    return result


def cf_attributes(name: str, attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """CF attributes: `units` of UDUNITS, `counted_in` for counted units, a long name."""
    cf = {str(key): _plain(value) for key, value in attributes.items() if value is not None}
    if "units" in cf:
        cf["units"], counted = cf_units(str(cf["units"]))
        if counted:
            cf["counted_in"] = counted
    if "units" in cf or "." in name:
        cf.setdefault("long_name", name.replace(".", ", ").replace("_", " "))
    if "." in name:
        cf.setdefault("alias", name.replace(".", "__"))  # of letters, digits and underscores, as in SBML
    return cf


def cf_units(text: str) -> tuple[str, str]:
    """A unit in the syntax of UDUNITS, and the counted unit (points, beats, sessions) where there is one."""
    counted = [word for word in COUNTED_UNITS if word in text]
    if not counted:
        return text.replace("**", "^"), ""
    try:
        dims = unit(text).dims
    except Exception:  # a unit that is only a label stays one
        return text, ""
    other_units = [f"{name}{'' if power == 1 else power}" for name, power in dims if name not in COUNTED_UNITS]
    return " ".join(other_units) or "1", " ".join(counted)


def _plain(value: object) -> object:
    """A value that attributes of NetCDF and Zarr can store."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value)


def names_of(dataset: xr.Dataset) -> list[Hashable]:
    """Variables with all four dimensions."""
    return [name for name, values in dataset.data_vars.items() if set(values.dims) == set(DIMS)]


ENCODED_BLANK = "__"  # of a name of metadata, in the name of an attribute
COLUMNS = (*DIMS, "variable", "value", "unit")
TREES, TABLES = (".nc", ".zarr"), (".parquet", ".csv")
SUFFIXES = (*TREES, *TABLES)
Results = xr.Dataset | xr.DataTree


def save_results(results: Results, target: Path | str) -> Path:
    """Write a dataset (or a tree of groups: .nc and .zarr only) completely or not at all.

    Raises InputError for another suffix, a missing library, or an existing file or folder that is no earlier result.
    """
    path = Path(target)
    if path.suffix.lower() not in SUFFIXES:
        kinds = ", ".join(SUFFIXES)
        raise InputError(f"cannot write '{target}'", expected=f"a name ending in {kinds}", type_this="--to results.nc")
    if path.is_dir() and not (path / "zarr.json").is_file() and any(path.iterdir()):
        message = f"'{path.name}' is a folder with other files"
        raise InputError(message, expected="a new name", type_this="--to results.nc")
    if isinstance(results, xr.DataTree) and path.suffix.lower() not in TREES:
        raise InputError("groups go into .nc or .zarr", expected="such a name", type_this=f"--to {path.stem}.nc")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        temporary_file = Path(folder) / path.name
        _write(results, temporary_file)
        backup = path.rename(Path(folder) / "former") if path.is_dir() else None
        try:
            os.replace(temporary_file, path)
        except OSError:
            if backup:
                backup.rename(path)
            raise
        if sidecar_path(temporary_file).is_file():
            os.replace(sidecar_path(temporary_file), sidecar_path(path))
    return path


def open_results(source: Path | str) -> xr.Dataset:
    """A dataset (dims replicate, arm, patient, time) from any file that `save_results` wrote. Raises InputError."""
    path = Path(source)
    if path.suffix.lower() not in SUFFIXES or not path.exists():
        raise _no_results(path)
    with store_errors(path):
        if path.suffix.lower() in TABLES:
            return _load_table(path)
        with _opened(path) as tree:
            results = _renamed(tree.to_dataset().load(), _with_blanks)
            assert isinstance(results, xr.Dataset)
            return results


def metadata_of(source: Path | str) -> dict[str, Any]:
    """Metadata of a file of results: model hash, seed, versions, command line, papers. Raises InputError."""
    path = Path(source)
    suffix = path.suffix.lower()
    with store_errors(path):
        if suffix == ".csv" and path.is_file():
            return read_csv_metadata(path)
        if suffix == ".parquet" and path.is_file():
            return read_parquet_metadata(path)
        if suffix in TREES and path.exists():
            return {_with_blanks(str(name)): value for name, value in _attributes(path).items()}
    raise _no_results(path)


def _no_results(path: Path) -> InputError:
    return InputError(f"'{path}' is no file of results", file=path, expected=f"a file ending in {', '.join(SUFFIXES)}")


def long_table(dataset: xr.Dataset) -> pd.DataFrame:
    """One line per value: replicate, arm, patient, time, variable, value, unit; missing values left out.

    Variables with a unit of letters come first: a reader that infers the type of the unit from the first rows would
    take the unit 1 for a number.
    """
    names = [name for name in names_of(dataset) if dataset[name].dtype.kind in "fiub"]
    if not names:
        return pd.DataFrame(columns=list(COLUMNS))
    variables = [dataset[name].transpose(*DIMS) for name in sorted(names, key=lambda n: _unit_of(dataset[n]) == "1")]
    present = [values.notnull().values for values in variables]
    places = np.concatenate([np.argwhere(mask) for mask in present])
    counts = [int(mask.sum()) for mask in present]
    table = pd.DataFrame({dim: dataset[dim].values[places[:, k]] for k, dim in enumerate(DIMS)})
    table["variable"] = np.repeat([str(values.name) for values in variables], counts)
    table["value"] = np.concatenate([values.values[mask] for values, mask in zip(variables, present, strict=True)])
    table["unit"] = np.repeat([_unit_of(values) for values in variables], counts)
    return table


def _unit_of(values: xr.DataArray) -> str:
    return str(values.attrs.get("counted_in") or values.attrs.get("units", "1"))


def _attributes(path: Path) -> Mapping[Any, Any]:
    """The attributes of a file or folder; of NetCDF its variables, up to hundreds, are not opened."""
    if path.suffix.lower() == ".zarr":
        with _opened(path) as tree:
            return tree.attrs
    _require_netcdf(path)
    with closing(xr.backends.H5NetCDFStore.open(path)) as store:
        return dict(store.get_attrs())


def _require_netcdf(path: Path) -> None:
    import_optional("h5netcdf", "h5netcdf", "reading or writing NetCDF")
    h5py = import_optional("h5py", "h5py", "reading NetCDF")
    with h5py.File(path) as file:
        file.attrs.get("_nc3_strict")  # fails here: h5netcdf would print an error when its file object is deleted


def _opened(path: Path) -> xr.DataTree:
    if path.suffix.lower() != ".zarr":
        _require_netcdf(path)
        return xr.open_datatree(path, engine="h5netcdf")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*consolidated", RuntimeWarning)  # a cohort grows chunk by chunk
        return xr.open_datatree(path, engine="zarr")


def _write(results: Results, path: Path) -> None:
    if path.suffix.lower() == ".nc":
        import_optional("h5netcdf", "h5netcdf", "reading or writing NetCDF")
        _renamed(results, _without_blanks).to_netcdf(path, engine="h5netcdf")
    elif path.suffix.lower() == ".zarr":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns that text in Zarr 3 is experimental
            _renamed(results, _without_blanks).to_zarr(path, zarr_format=3, consolidated=True)
    else:
        assert isinstance(results, xr.Dataset)
        write_table(long_table(results), path, {str(name): value for name, value in results.attrs.items()})


def _without_blanks(name: str) -> str:
    """The name of an attribute as CF demands: letters, digits and underscores."""
    return name.replace(" ", ENCODED_BLANK)


def _with_blanks(name: str) -> str:
    return name.replace(ENCODED_BLANK, " ")


def _renamed(results: Results, rename: Callable[[str], str]) -> Results:
    """The results with global attributes renamed by `rename`."""

    def renamed(dataset: xr.Dataset) -> xr.Dataset:
        copy = dataset.copy()
        copy.attrs = {rename(str(name)): value for name, value in dataset.attrs.items()}
        return copy

    if isinstance(results, xr.Dataset):
        return renamed(results)
    return xr.DataTree.from_dict({node.path: renamed(node.to_dataset()) for node in results.subtree})


def _load_table(path: Path) -> xr.Dataset:
    """A long table as a dataset, its arms in order of appearance."""
    is_csv = path.suffix.lower() == ".csv"
    table = pd.read_csv(path, comment="#", dtype={"arm": str}) if is_csv else pd.read_parquet(path)
    missing_columns = [name for name in COLUMNS if name not in table]
    if missing_columns:
        expected = f"columns {', '.join(COLUMNS)}; pandas reads others"
        raise InputError(f"a table without '{missing_columns[0]}'", expected=expected)
    dataset = xr.Dataset()
    for name, rows in table.groupby("variable", sort=False):
        values = rows.set_index(list(DIMS))["value"].to_xarray()
        dataset[str(name)] = values.assign_attrs(units=str(rows["unit"].iloc[0]))
    metadata = {name: value for name, value in metadata_of(path).items() if name != "Conventions"}
    return with_attributes(dataset.sel(arm=list(dict.fromkeys(table["arm"]))).assign_attrs(metadata))
