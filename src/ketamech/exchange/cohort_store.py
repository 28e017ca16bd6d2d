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
from ketamech.simulation.ensemble import OK

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
    """Bytes available to a cohort in `folder`: free disk space and the size of the cohort that it replaces."""
    existing = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent.exists())
    cohort_size = sum(path.stat().st_size for path in (folder / ZARR).rglob("*") if path.is_file())
    return shutil.disk_usage(existing).free + cohort_size


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
    for partial_file in (folder / ZARR).rglob("*.partial"):  # drafts of the Zarr library, which renames complete files
        partial_file.unlink()
    missing_chunks = [first for first in firsts if ARRAY_FORMAT not in pieces or _chunk_name(first) not in pieces]
    for data in chunks(missing_chunks):
        with pieces.disk_full_guard():
            if ARRAY_FORMAT not in pieces:
                pieces.record(ARRAY_FORMAT, _create_arrays(folder, data, patients, chunk, pieces.about))
            paths = write_chunk(folder, data, chunk)
            status = data["solve_status"].values
            failed = [[int(data["patient"].values[i]), str(status[i])] for i in np.flatnonzero(status != OK)]
            pieces.record(_chunk_name(int(data["patient"].values[0])), paths, {"failed": failed})
            _write_state(folder, pieces, patients, firsts)
    return _write_state(folder, pieces, patients, firsts)


def read_cohort(folder: Path | str) -> xr.Dataset:
    """The finished patients of a cohort folder, opened lazily.

    Raises InputError when the folder is no cohort, when a file is missing or has another size, or when the metadata
    were changed; a changed chunk raises an error when it is read.
    """
    path = Path(folder)
    try:
        state = read_json(path / STATE)
        checksum = state.pop(CHECKSUM_KEY, None)
        finished_patients, outputs = int(state["finished"]), state.get("outputs")
        if finished_patients < 1 or not (outputs is None or isinstance(outputs, list)):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        message = f"'{path.name}' holds no cohort"
        raise InputError(message, expected="a folder written by ketamech simulate --patients N") from None
    if checksum is not None and checksum != _checksum(state):
        raise InputError(f"'{STATE}' was changed", file=path, expected="the files as they were", type_this="--resume")
    _require_file_sizes(path, finished_patients)
    with store_errors(path / ZARR):
        dataset = xr.open_zarr(path / ZARR, consolidated=False).isel(patient=slice(0, finished_patients))
        return dataset[list(outputs or dataset.data_vars)].assign_attrs(state)


def _require_file_sizes(folder: Path, finished: int) -> None:
    for name, record in read_journal(folder).items():
        if name != ARRAY_FORMAT and (not name or int(name.split("-")[-1]) >= finished):
            continue
        for path, (size, expected_hash) in record["files"].items():
            actual = (folder / path).stat().st_size if (folder / path).is_file() else None
            if actual != size:
                message = f"'{path}' is missing" if actual is None else f"'{path}' has {actual} bytes instead of {size}"
                raise InputError(message, file=folder, expected="the files as they were written", type_this="--resume")
            if name == ARRAY_FORMAT and hashlib.sha256((folder / path).read_bytes()).hexdigest() != expected_hash:
                raise InputError(f"'{path}' was changed", file=folder, expected="the files as they were written")


def _chunk_name(first: int) -> str:
    return f"patients-{first}"


def _create_arrays(
    folder: Path, data: xr.Dataset, patients: int, chunk: int, metadata: Mapping[str, Any]
) -> list[Path]:
    """Create all arrays in full size and the attributes of the store; returns the files."""
    import zarr

    group = zarr.open_group(folder / ZARR, mode="w", zarr_format=3)
    time, size = data["time"], min(chunk, patients)
    array = group.create_array("time", data=np.asarray(time.values), dimension_names=("time",), compressors=_codecs())
    array.attrs.update(time.attrs)
    for name in data.data_vars:
        array = group.create_array(
            str(name), shape=(patients, time.size), chunks=(size, time.size), dtype="f8", fill_value=np.nan,
            dimension_names=("patient", "time"), compressors=_codecs(),
        )  # fmt: skip
        array.attrs.update(dict(data[name].attrs))
    for name, dtype in (("patient", "i8"), ("solve_steps", "i4"), ("solved", "i1")):
        group.create_array(
            name, shape=(patients,), chunks=(size,), dtype=dtype, dimension_names=("patient",), compressors=_codecs(),
            fill_value=0,
        )  # fmt: skip
    group["solved"].attrs.update({"flag_values": [0, 1], "flag_meanings": "failed solved"})
    group.attrs.update({**metadata, "coordinates": "solve_steps solved"})
    return sorted(path for path in (folder / ZARR).rglob("*") if path.is_file())


def _codecs() -> Any:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return [ZstdCodec(level=0), Crc32cCodec()]


def write_chunk(folder: Path, data: xr.Dataset, chunk: int) -> list[Path]:
    """Write the rows of a chunk into every array; returns the files."""
    import zarr

    group: Any = zarr.open_group(folder / ZARR, mode="r+")
    first, count = int(data["patient"].values[0]), data.sizes["patient"]
    rows = slice(first, first + count)
    for name in data.data_vars:
        group[str(name)][rows, :] = data[name].values
    group["patient"][rows] = data["patient"].values
    group["solve_steps"][rows] = data["solve_steps"].values
    group["solved"][rows] = (data["solve_status"].values == OK).astype("i1")
    chunk_index = str(first // chunk)
    paths = [folder / ZARR / str(name) / "c" / chunk_index / "0" for name in data.data_vars]
    paths += [folder / ZARR / name / "c" / chunk_index for name in ("patient", "solve_steps", "solved")]
    return [path for path in paths if path.exists()]  # a chunk of fill values alone has no file


def _write_state(folder: Path, pieces: Checkpoint, patients: int, firsts: range) -> dict[str, Any]:
    """Write the number of finished patients and the failures; returns the contents of cohort.json."""
    finished = next((first for first in firsts if _chunk_name(first) not in pieces), patients)
    failures = [
        failure for first in firsts if first < finished for failure in pieces.metadata(_chunk_name(first))["failed"]
    ]
    reasons = dict(Counter(reason.split(" at ")[0] for _, reason in failures))
    state = {**pieces.about, "patients": patients, "finished": finished, "failed": len(failures), "reasons": reasons}
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("patient", "reason"), *failures])
    if finished or (folder / STATE).exists():
        _replace(folder / FAILURES, text.getvalue())
        _replace(sidecar_path(folder / FAILURES), csv_metadata(FAILURES, dict(sorted(pieces.about.items()))))
        _replace(folder / STATE, json.dumps({**state, CHECKSUM_KEY: _checksum(state)}, indent=1) + "\n")
    return state


def _checksum(state: dict[str, Any]) -> str:
    return short_hash(json.dumps(state, sort_keys=True))


def _replace(target: Path, text: str) -> None:
    """Replace a file atomically."""
    temporary_file = target.with_suffix(".tmp")
    temporary_file.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary_file, target)


def readable_size(size: float) -> str:
    """A number of bytes as text."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
