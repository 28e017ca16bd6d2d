"""Results of a cohort on disk, written chunk by chunk; finished chunks can be read after an interruption.

A folder contains `cohort.zarr` (one array per output, patient by time, created in full size and filled as chunks
finish, each chunk with its CRC-32C), `failures.csv` (failed patients with reasons), `cohort.json` (the number of
finished patients, counted from the first) and `pieces/journal.txt` (checksums, see `core.checkpoint`). Patients that
`cohort.json` does not count are never read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.core.atomic_files import read_json
from ketamech.core.checkpoint import CHECKPOINT_FOLDER, Checkpoint, read_journal
from ketamech.core.environment import short_hash
from ketamech.exchange.output_folder import store_errors
from ketamech.exchange.result_metadata import csv_metadata, sidecar_path

ZARR, FAILURES, STATE = "cohort.zarr", "failures.csv", "cohort.json"
CHECKSUM_KEY = "seal"  # key of the checksum of cohort.json
ARRAY_FORMAT = "form"  # checkpoint unit of the empty store
DISK_MARGIN = 1.05  # disk space relative to the size of the numbers


def require_disk_space(folder: Path, size: int) -> None:
    """Raise InputError, before any computation, when `size` bytes do not fit on the disk of `folder`.

    Existing files of the cohort count as free space, because they are reused or replaced.
    """
    free = free_space(folder)
    if size * DISK_MARGIN > free:
        raise InputError(
            f"the results need {readable_size(size * DISK_MARGIN)} and the disk has {readable_size(free)}",
            key="patients", expected="fewer patients, outputs or times",
            type_this="--outputs mood.madrs --times '0, 24, 672'",
        )  # fmt: skip


def free_space(folder: Path) -> int:
    """Bytes that a cohort in `folder` may use: those free on its disk, and those of the cohort that is there."""
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    held = sum(path.stat().st_size for path in (folder / ZARR).rglob("*") if path.is_file())
    return shutil.disk_usage(there).free + held


def require_empty_folder(folder: Path) -> None:
    """Raise InputError when a folder has files but no cohort."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CHECKPOINT_FOLDER).is_dir():
        raise InputError(f"'{folder.name}' is not empty", expected="a new folder", type_this="--out runs/NAME")


def write_cohort(
    pieces: Checkpoint, chunks: Callable[[Sequence[int]], Iterable[xr.Dataset]], patients: int, *, chunk: int
) -> dict[str, Any]:
    """Write the missing chunks (dims patient, time); returns the contents of `cohort.json`.

    `chunks` yields the chunks that begin with the given patients. Raises InputError when the disk is full; finished
    chunks can still be read.
    """
    folder, firsts = pieces.folder, range(0, patients, chunk)
    _write_state(folder, pieces, patients, firsts)
    if ARRAY_FORMAT not in pieces:
        shutil.rmtree(folder / ZARR, ignore_errors=True)
    for draft in (folder / ZARR).rglob("*.partial"):  # of the Zarr library, which renames complete files
        draft.unlink()
    missing = [first for first in firsts if ARRAY_FORMAT not in pieces or _name(first) not in pieces]
    for part in chunks(missing):
        with pieces._disk_full_guard():
            if ARRAY_FORMAT not in pieces:
                pieces.record(ARRAY_FORMAT, _create_arrays(folder, part, patients, chunk, pieces.about))
            written = _write(folder, part, chunk)
            status = part["solve_status"].values
            failed = [[int(part["patient"].values[i]), str(status[i])] for i in np.flatnonzero(status != "ok")]
            pieces.record(_name(int(part["patient"].values[0])), written, {"failed": failed})
            _write_state(folder, pieces, patients, firsts)
    return _write_state(folder, pieces, patients, firsts)


def read_cohort(folder: Path | str) -> xr.Dataset:
    """The finished patients of a cohort folder, opened lazily.

    Raises InputError when the folder is no cohort, when a file is missing or has another size, or when the metadata
    were changed; a changed chunk raises an error when it is read.
    """
    place = Path(folder)
    try:
        state = read_json(place / STATE)
        seal = state.pop(CHECKSUM_KEY, None)
        finished, outputs = int(state["finished"]), state.get("outputs")
        if finished < 1 or not (outputs is None or isinstance(outputs, list)):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        what = f"'{place.name}' holds no cohort"
        raise InputError(what, expected="a folder written by ketamech simulate --patients N") from None
    if seal is not None and seal != _checksum(state):
        raise InputError(f"'{STATE}' was changed", file=place, expected="the files as they were", type_this="--resume")
    _require_file_sizes(place, finished)
    with store_errors(place / ZARR):
        found = xr.open_zarr(place / ZARR, consolidated=False).isel(patient=slice(0, finished))
        return found[list(outputs or found.data_vars)].assign_attrs(state)


def _require_file_sizes(folder: Path, finished: int) -> None:
    for name, line in read_journal(folder).items():
        if name != ARRAY_FORMAT and (not name or int(name.split("-")[-1]) >= finished):
            continue
        for path, (size, mark) in line["files"].items():
            there = (folder / path).stat().st_size if (folder / path).is_file() else None
            if there != size:
                what = f"'{path}' is missing" if there is None else f"'{path}' has {there} bytes instead of {size}"
                raise InputError(what, file=folder, expected="the files as they were written", type_this="--resume")
            if name == ARRAY_FORMAT and hashlib.sha256((folder / path).read_bytes()).hexdigest() != mark:
                raise InputError(f"'{path}' was changed", file=folder, expected="the files as they were written")


def _name(first: int) -> str:
    return f"patients-{first}"


def _create_arrays(folder: Path, part: xr.Dataset, patients: int, chunk: int, about: Mapping[str, Any]) -> list[Path]:
    """Create all arrays in full size and the attributes of the store; returns the files."""
    import zarr

    group = zarr.open_group(folder / ZARR, mode="w", zarr_format=3)
    time, size = part["time"], min(chunk, patients)
    array = group.create_array("time", data=np.asarray(time.values), dimension_names=("time",), compressors=_codecs())
    array.attrs.update(time.attrs)
    for name in part.data_vars:
        array = group.create_array(
            str(name), shape=(patients, time.size), chunks=(size, time.size), dtype="f8", fill_value=np.nan,
            dimension_names=("patient", "time"), compressors=_codecs(),
        )  # fmt: skip
        array.attrs.update(dict(part[name].attrs))
    for name, dtype in (("patient", "i8"), ("solve_steps", "i4"), ("solved", "i1")):
        group.create_array(
            name, shape=(patients,), chunks=(size,), dtype=dtype, dimension_names=("patient",), compressors=_codecs(),
            fill_value=0,
        )  # fmt: skip
    group["solved"].attrs.update({"flag_values": [0, 1], "flag_meanings": "failed solved"})
    group.attrs.update({**about, "coordinates": "solve_steps solved"})
    return sorted(path for path in (folder / ZARR).rglob("*") if path.is_file())


def _codecs() -> Any:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return [ZstdCodec(level=0), Crc32cCodec()]


def _write(folder: Path, part: xr.Dataset, chunk: int) -> list[Path]:
    """Write the rows of a chunk into every array; returns the files."""
    import zarr

    group: Any = zarr.open_group(folder / ZARR, mode="r+")
    first, count = int(part["patient"].values[0]), part.sizes["patient"]
    rows = slice(first, first + count)
    for name in part.data_vars:
        group[str(name)][rows, :] = part[name].values
    group["patient"][rows] = part["patient"].values
    group["solve_steps"][rows] = part["solve_steps"].values
    group["solved"][rows] = (part["solve_status"].values == "ok").astype("i1")
    number = str(first // chunk)
    places = [folder / ZARR / str(name) / "c" / number / "0" for name in part.data_vars]
    places += [folder / ZARR / name / "c" / number for name in ("patient", "solve_steps", "solved")]
    return [path for path in places if path.exists()]  # a chunk of fill values alone has no file


def _write_state(folder: Path, pieces: Checkpoint, patients: int, firsts: range) -> dict[str, Any]:
    """Write the number of finished patients and the failures; returns the contents of cohort.json."""
    count = next((first for first in firsts if _name(first) not in pieces), patients)
    failed = [line for first in firsts if first < count for line in pieces.metadata(_name(first))["failed"]]
    reasons = dict(Counter(reason.split(" at ")[0] for _, reason in failed))
    state = {**pieces.about, "patients": patients, "finished": count, "failed": len(failed), "reasons": reasons}
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("patient", "reason"), *failed])
    if count or (folder / STATE).exists():
        _replace(folder / FAILURES, text.getvalue())
        _replace(sidecar_path(folder / FAILURES), csv_metadata(FAILURES, dict(sorted(pieces.about.items()))))
        _replace(folder / STATE, json.dumps({**state, CHECKSUM_KEY: _checksum(state)}, indent=1) + "\n")
    return state


def _checksum(state: dict[str, Any]) -> str:
    return short_hash(json.dumps(state, sort_keys=True))


def _replace(target: Path, text: str) -> None:
    """Replace a file atomically."""
    draft = target.with_suffix(".tmp")
    draft.write_text(text, encoding="utf-8", newline="")
    os.replace(draft, target)


def readable_size(size: float) -> str:
    """A number of bytes as text."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
