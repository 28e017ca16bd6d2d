"""Results as one labelled dataset: dims replicate, arm, patient, time; CF units, long names, metadata as attributes.

A simulated scenario has the arms `treated` and `control`, a cohort only `treated`, a trial its own arms. A patient has
values only in the current arm (NaN elsewhere), so that patient i is the same patient in every arm.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import InputError, unit
from ketamech.exchange.cohort_store import STATE, read_cohort
from ketamech.exchange.curves_io import ZARR as CURVES
from ketamech.exchange.curves_io import read_run
from ketamech.exchange.output_folder import MANIFEST, require_unchanged, store_errors

DIMS = ("replicate", "arm", "patient", "time")
TRIAL = "trial.zarr"
CONVENTIONS = "CF-1.11"
COUNTED_UNITS = ("points", "beats", "sessions")  # units that UDUNITS, and therefore CF, does not define
_CF_POWERS = {"dm": ("L", 3)}
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
TIME_ATTRIBUTES = {"units": "h", "long_name": "time since the start", "standard_name": "time", "axis": "T"}


def read_results(folder: Path | str) -> xr.Dataset:
    """The results in a folder of `simulate`, `simulate --patients` or `trial`. Raises InputError for another folder."""
    place = Path(folder)
    if (place / TRIAL).is_dir():
        require_unchanged(place, TRIAL)
        with store_errors(place / TRIAL), xr.open_zarr(place / TRIAL) as found:
            return from_trial(found.load())
    if (place / STATE).is_file():
        cohort = read_cohort(place)
        with store_errors(place):
            return from_cohort(cohort.load())
    if (place / MANIFEST).is_file() and (place / CURVES).is_dir():
        return from_run(read_run(place))
    what = f"'{place.name}' holds no results" if place.exists() else f"there is no folder '{folder}'"
    inside = next((path.parent for path in sorted(place.glob(f"*/{TRIAL}"))), None)
    expected = "a folder of ketamech simulate or ketamech trial; tables open as they are"
    raise InputError(what, file=place, expected=expected, type_this=str(inside) if inside else None)


def from_run(curves: xr.Dataset) -> xr.Dataset:
    """Curves of a scenario (dims patient, time), whose patients are its arms."""
    found = curves.rename(patient="arm").expand_dims(replicate=[0], patient=[0])
    return with_attributes(found)


def from_cohort(curves: xr.Dataset) -> xr.Dataset:
    """Curves of many patients of one scenario (dims patient, time)."""
    return with_attributes(curves.expand_dims(replicate=[0], arm=["treated"]))


def from_trial(trial: xr.Dataset) -> xr.Dataset:
    """A trial (dims replicate, patient, visit): scores and visit times by arm and planned hour."""
    arms = list(dict.fromkeys(str(name) for name in np.unique(trial["arm"].values)))
    inside = trial["arm"].astype(str) == xr.DataArray(arms, dims="arm")
    found = trial.drop_vars("arm").assign_coords(arm=arms)
    for name, values in trial.data_vars.items():
        if "visit" in values.dims and name != "arm" and values.dtype.kind == "f":
            found[name] = values.where(inside).assign_attrs(values.attrs)
    hours = trial["hour"].values
    if np.unique(hours).size == hours.size:
        found = found.assign_coords(visit_name=("visit", [str(v) for v in trial["visit"].values]))
        found = found.assign_coords(visit=hours).rename(visit="time").drop_vars("hour")
    else:
        raise InputError("two visits are planned for one hour", expected="visits at different hours")
    return with_attributes(found)


def with_attributes(dataset: xr.Dataset) -> xr.Dataset:
    """Ordered dimensions, CF attributes, and only values that files can store."""
    ordered = [dim for dim in DIMS if dim in dataset.dims]
    found = dataset.transpose(*ordered, ...)
    for name in found.variables:
        found[name].attrs = cf_attributes(str(name), found[name].attrs)
        if "flag_values" in found[name].attrs:  # CF: of the type of the variable
            found[name].attrs["flag_values"] = np.asarray(dataset[name].attrs["flag_values"], found[name].dtype)
    for name in LONG_NAMES.keys() & set(found.coords):
        found[name].attrs.setdefault("long_name", LONG_NAMES[name])
    found["time"].attrs = dict(TIME_ATTRIBUTES)
    facts = {key: _plain(value) for key, value in dataset.attrs.items() if value is not None}
    text = [name for name, variable in found.variables.items() if variable.dtype.kind in "OUT"]
    found = found.assign({name: found[name].astype(str).astype(object) for name in text if name in found.data_vars})
    found = found.assign_coords({name: found[name].astype(str).astype(object) for name in text if name in found.coords})
    return found.drop_encoding().assign_attrs(**facts, Conventions=CONVENTIONS)


def cf_attributes(name: str, attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """CF attributes: `units` of UDUNITS, `counted_in` for counted units, a long name."""
    found = {str(key): _plain(value) for key, value in attributes.items() if value is not None}
    if "units" in found:
        found["units"], counted = cf_units(str(found["units"]))
        if counted:
            found["counted_in"] = counted
    if "units" in found or "." in name:
        found.setdefault("long_name", name.replace(".", ", ").replace("_", " "))
    return found


def cf_units(text: str) -> tuple[str, str]:
    """A unit in the syntax of UDUNITS, and the counted unit (points, beats, sessions) where there is one."""
    counted = [word for word in COUNTED_UNITS if word in text]
    if not counted:
        return text.replace("**", "^"), ""
    try:
        dims = unit(text).dims
    except Exception:  # a unit that is only a label stays one
        return text, ""
    rest = [f"{name}{'' if power == 1 else power}" for name, power in dims if name not in COUNTED_UNITS]
    return " ".join(rest) or "1", " ".join(counted)


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
