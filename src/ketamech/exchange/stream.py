"""The results of a cohort on disk, chunk by chunk: whatever has been finished can be read, whatever happens next.

A folder holds `cohort.zarr` (one array a output, patient by time, made in full size at the start and filled as chunks
are finished), `failures.csv` (who failed, and why) and `cohort.json`, which says how many patients are finished; it is
replaced after each chunk, and nothing beyond what it says is ever read.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import BadInput

ZARR, FAILURES, STATE = "cohort.zarr", "failures.csv", "cohort.json"
ROOM = 1.05  # a little more than the numbers themselves


def refuse_small_disk(folder: Path, size: int) -> None:
    """Raise BadInput, before anything is computed, when `size` bytes will not fit where `folder` is to be."""
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if size * ROOM > free:
        raise BadInput(
            f"the results need {_readable(size * ROOM)} and the disk has {_readable(free)}",
            key="patients",
            expected="fewer patients, outputs or times",
            type_this="--outputs mood.madrs --times '0, 24, 672'",
        )


def stream(
    folder: Path, chunks: Iterable[xr.Dataset], patients: int, facts: dict[str, Any], *, chunk: int
) -> dict[str, Any]:
    """Write chunks (dims patient, time; patients in order from 0) as they come; returns what `cohort.json` holds.

    Raises BadInput when the folder is not empty, or when the disk is full: what was finished by then can be read.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"'{folder.name}' is not empty", expected="a new folder", type_this="--out runs/NAME")
    folder.mkdir(parents=True, exist_ok=True)
    state = {**facts, "patients": patients, "finished": 0, "failed": 0, "reasons": {}}
    with _disk_errors(folder, state):
        for part in chunks:
            if state["finished"] == 0:
                _lay_out(folder, part, patients, chunk)
            _write(folder, part, state)
    return state


def read_cohort(folder: Path | str) -> xr.Dataset:
    """The patients of a cohort folder that are finished, opened lazily. Raises BadInput when it is none."""
    place = Path(folder)
    try:
        state = json.loads((place / STATE).read_text(encoding="utf-8"))
        finished = int(state["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        what = f"'{place.name}' holds no cohort"
        raise BadInput(what, expected="a folder written by ketamech simulate --patients N") from None
    found = xr.open_zarr(place / ZARR, consolidated=False).isel(patient=slice(0, finished))
    return found[list(state.get("outputs", found.data_vars))].assign_attrs(state)


def _lay_out(folder: Path, part: xr.Dataset, patients: int, chunk: int) -> None:
    """All arrays in full size, empty."""
    import zarr

    group = zarr.open_group(folder / ZARR, mode="w", zarr_format=3)
    time = part["time"]
    _array(group, "time", time.values, ("time",), time.attrs)
    for name in part.data_vars:
        attributes = dict(part[name].attrs)
        shape, size = (patients, time.size), (min(chunk, patients), time.size)
        array = group.create_array(
            str(name), shape=shape, chunks=size, dtype="f8", fill_value=np.nan, dimension_names=("patient", "time")
        )
        array.attrs.update(attributes)
    for name, dtype in (("patient", "i8"), ("solve_steps", "i4"), ("solved", "i1")):
        group.create_array(
            name, shape=(patients,), chunks=(min(chunk, patients),), dtype=dtype, dimension_names=("patient",)
        )
    group["solved"].attrs.update({"flag_values": [0, 1], "flag_meanings": "failed solved"})
    group.attrs["coordinates"] = "solve_steps solved"


def _array(group: Any, name: str, values: np.ndarray, dims: tuple[str, ...], attributes: dict[Any, Any]) -> None:
    array = group.create_array(name, data=np.asarray(values), dimension_names=dims)
    array.attrs.update(attributes)


def _write(folder: Path, part: xr.Dataset, state: dict[str, Any]) -> None:
    import zarr

    group: Any = zarr.open_group(folder / ZARR, mode="r+")
    count = part.sizes["patient"]
    rows = slice(state["finished"], state["finished"] + count)
    for name in part.data_vars:
        group[str(name)][rows, :] = part[name].values
    status = part["solve_status"].values
    group["patient"][rows] = part["patient"].values
    group["solve_steps"][rows] = part["solve_steps"].values
    group["solved"][rows] = (status == "ok").astype("i1")
    failed = [(int(part["patient"].values[i]), status[i]) for i in np.flatnonzero(status != "ok")]
    with (folder / FAILURES).open("a", newline="", encoding="utf-8") as file:
        if state["finished"] == 0:
            csv.writer(file).writerow(("patient", "reason"))
        csv.writer(file).writerows(failed)
    state["finished"] += count
    state["failed"] += len(failed)
    for _, reason in failed:
        kind = reason.split(" at ")[0]
        state["reasons"][kind] = state["reasons"].get(kind, 0) + 1
    _replace(folder / STATE, json.dumps(state, indent=1))


def _replace(target: Path, text: str) -> None:
    """The whole new text or the whole old one, whenever it is read."""
    draft = target.with_suffix(".tmp")
    draft.write_text(text + "\n", encoding="utf-8")
    os.replace(draft, target)


@contextmanager
def _disk_errors(folder: Path, state: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        for draft in folder.glob("*.tmp"):
            draft.unlink(missing_ok=True)
        what = f"the disk is full: {state['finished']} of {state['patients']} patients are kept in '{folder}'"
        raise BadInput(what, expected="more room, or fewer patients, outputs or times") from problem


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
