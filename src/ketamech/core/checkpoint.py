"""Checkpoint of a long job: finished units in a folder; damaged units are detected and computed again.

The folder `pieces/` of a job contains one file per unit (NumPy's .npz; or files elsewhere in the folder) and
`journal.txt`: a head that identifies the job, then one line per unit with the size and SHA-256 of its files. Every
line begins with its own checksum. A file is complete and flushed to disk before the journal names it; files that the
journal does not name are ignored. The lock is the system's: it ends with the process that holds it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ketamech.core.atomic_files import DISK_FULL_ERRORS, read_json, try_lock
from ketamech.core.environment import environment, short_hash
from ketamech.core.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

CHECKPOINT_FOLDER, JOURNAL, LOCK, PARTIAL_FILE = "pieces", "journal.txt", "lock", "draft.tmp"
_HEADER_FIELDS = {"format": int, "job": dict, "made_with": dict, "about": dict}
_RECORD_FIELDS = {"piece": str, "files": dict, "facts": dict}
Arrays = dict[str, np.ndarray]
Metadata = dict[str, Any]


class Checkpoint:
    """The finished units of one job; open it with `open_checkpoint`.

    `about` is the description given when the job was started; `damaged` names units whose checksum did not match and
    which must be computed again.
    """

    def __init__(self, folder: Path, head: Metadata, lines: Mapping[str, Metadata], damaged: Sequence[str]) -> None:
        self.folder, self.about, self.damaged = folder, head["about"], tuple(damaged)
        self._lines, self._head = dict(lines), head
        self._length = _rewrite(folder / CHECKPOINT_FOLDER, head, self._lines)

    def __contains__(self, name: str) -> bool:
        return name in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._lines if name])

    def metadata(self, name: str) -> Metadata:
        """Metadata stored with a unit."""
        return dict(self._lines[name]["facts"])

    def read(self, name: str) -> Arrays:
        """The arrays of a unit. Raises InputError when the file has changed since it was written."""
        (path,) = self._lines[name]["files"]
        try:
            raw = (self.folder / path).read_bytes()
        except OSError:
            raw = b""
        if _seal(raw) != self._lines[name]["files"][path]:
            raise InputError(f"'{path}' changed while it was in use", file=self.folder, type_this="--resume")
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    def save(self, name: str, arrays: Arrays, facts: Metadata | None = None) -> None:
        """Write the arrays of a unit to disk, then record it. Raises InputError when the disk is full."""
        if objects := [key for key, array in arrays.items() if array.dtype.hasobject]:
            raise TypeError(f"unit '{name}': {objects[0]} contains Python objects")
        folder = self.folder / CHECKPOINT_FOLDER
        partial, target = folder / PARTIAL_FILE, folder / f"{name}.npz"
        with self.disk_full_guard():
            with partial.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            _flush(partial)
            os.replace(partial, target)
            _flush(folder)
        self.record(name, [target], facts)

    def record(self, name: str, paths: Sequence[Path], facts: Metadata | None = None) -> None:
        """Record a unit whose files are already written somewhere in the job's folder."""
        with self.disk_full_guard():
            files = {}
            for path in paths:
                _flush(path)
                files[path.relative_to(self.folder).as_posix()] = _seal(path.read_bytes())
            self._append(name, {"files": files, "facts": facts or {}})

    @property
    def is_finished(self) -> bool:
        """Whether the job was completed."""
        return "" in self._lines

    def finish(self) -> None:
        """Mark the job as completed: the same command then starts anew instead of asking for --resume."""
        if not self.is_finished:
            self._append("", {"files": {}, "facts": {}})

    @contextmanager
    def disk_full_guard(self) -> Iterator[None]:
        """Report how many finished units exist when the disk is full."""
        try:
            yield
        except OSError as problem:
            if problem.errno not in DISK_FULL_ERRORS:
                raise
            (self.folder / CHECKPOINT_FOLDER / PARTIAL_FILE).unlink(missing_ok=True)
            what = f"the disk is full: {len(list(iter(self)))} finished units are kept in '{self.folder}'"
            raise InputError(what, expected="free disk space, then the same command", type_this="--resume") from problem

    def _append(self, name: str, line: Metadata) -> None:
        """Append a line to the journal; an incomplete line of an earlier failure is removed first."""
        line_bytes = _with_checksum({"piece": name, **line}, self._head)
        with (self.folder / CHECKPOINT_FOLDER / JOURNAL).open("r+b") as journal:
            journal.truncate(self._length)
            journal.seek(self._length)
            journal.write(line_bytes)
            journal.flush()
            os.fsync(journal.fileno())
        self._length += len(line_bytes)
        self._lines[name] = line


@contextmanager
def open_checkpoint(
    folder: Path | str, job: Mapping[str, Any], *, about: Mapping[str, Any] | None = None, resume: bool = False,
    replace: bool = True,
) -> Iterator[Checkpoint]:  # fmt: skip
    """The checkpoint of a `job` in `folder`, for this process alone; started anew unless `resume`.

    `job` is everything that determines the numbers; `about` is stored with it. Raises InputError when another process
    writes here, when there is unfinished work and no `resume`, and when the work belongs to another job or was
    computed with other versions, which may give other bits. Without `replace` also when another job was completed
    here.
    """
    final = Path(folder).resolve()
    if final.exists() and not final.is_dir():
        raise InputError(f"'{final.name}' is a file", expected="a folder to write to", type_this="--out runs/NAME")
    checkpoint_folder = final / CHECKPOINT_FOLDER
    created = [folder for folder in (checkpoint_folder, final, *final.parents) if not folder.exists()]
    checkpoint_folder.mkdir(parents=True, exist_ok=True)
    head = _plain({"format": 1, "job": dict(job), "made_with": environment(), "about": dict(about or {})})
    with _exclusive_lock(checkpoint_folder / LOCK, final):
        old_head, lines, journal_errors = _journal(checkpoint_folder, final)
        if not old_head:
            _remove_old_units(checkpoint_folder)
        elif not resume:
            _refuse_unfinished(final, lines, _difference(old_head, head))
            if not replace:
                _refuse_another(final, {**old_head, "made_with": {}}, {**head, "made_with": {}})
            _remove_old_units(checkpoint_folder)
            lines, journal_errors = {}, []
        else:
            _refuse_another(final, old_head, head)
            head = old_head
        damaged = [name for name, line in lines.items() if not _is_intact(final, line["files"])]
        intact = {name: line for name, line in lines.items() if name not in damaged}
        checkpoint = Checkpoint(final, head, intact, [*damaged, *journal_errors])
        try:
            yield checkpoint
        except Exception:
            if checkpoint_folder in created and not list(checkpoint):
                _remove_everything(checkpoint_folder, created)
            raise


def read_journal(folder: Path | str) -> dict[str, Metadata]:
    """The journal entry of each unit (`files` with size and SHA-256, `facts`); read-only."""
    return _journal(Path(folder) / CHECKPOINT_FOLDER, Path(folder))[1]


def _refuse_unfinished(folder: Path, lines: Mapping[str, Metadata], difference: _Difference | None) -> None:
    """Raise InputError for the units of an interrupted run, which only the same run can continue."""
    if not lines or "" in lines:
        return
    what = f"'{folder.name}' contains {len(lines)} finished units of an interrupted run"
    discard = _discard(folder)
    if difference is not None:
        expected = f"{difference.expected} with --resume, another folder, or {discard}"
        raise InputError(f"{what} {difference.text}", key=difference.key, expected=expected, type_this=ANOTHER_FOLDER)
    expected = f"--resume to continue, another folder to start anew, or {discard}"
    raise InputError(what, expected=expected, type_this="--resume")


def _discard(folder: Path) -> str:
    return f"removal of '{folder.name}/{CHECKPOINT_FOLDER}' to discard the finished units"


def _refuse_another(folder: Path, old_head: Metadata, new: Metadata) -> None:
    """Raise InputError where the work in a folder belongs to another job or was computed with other versions."""
    if (difference := _difference(old_head, new)) is not None:
        what = f"'{folder.name}' was started {difference.text}"
        expected = f"{difference.expected}, another folder, or {_discard(folder)}"
        raise InputError(what, key=difference.key, expected=expected, type_this=ANOTHER_FOLDER)


ANOTHER_FOLDER = "--out runs/NAME"


class _Difference(NamedTuple):
    """In what a run differs from that in a folder: the first such key, in words, and what was expected."""

    key: str
    text: str
    expected: str


def _difference(old_head: Metadata, new: Metadata) -> _Difference | None:
    for kind, expected in (("job", "the same command as at the start"), ("made_with", "the same versions")):
        for key in sorted({*old_head[kind], *new[kind]}):
            old_value, new_value = old_head[kind].get(key), new[kind].get(key)
            if old_value != new_value:
                text = f"with {key} {_short(old_value)}, and this run has {_short(new_value)}"
                return _Difference(key, text, expected)
    return None


def _journal(checkpoint_folder: Path, folder: Path) -> tuple[Metadata, dict[str, Metadata], list[str]]:
    """Head, lines by unit, and errors found; an incomplete last line is ignored."""
    try:
        rows = (checkpoint_folder / JOURNAL).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}, {}, []
    head = _without_checksum(rows[0], {})
    if not head or head.get("format") != 1:
        what = f"the journal of '{folder.name}' is damaged, so its units cannot be used"
        raise InputError(what, file=checkpoint_folder / JOURNAL, expected="another folder, or removal of this one")
    entries = [_without_checksum(row, head) for row in rows[1:-1]]
    journal_errors = ["a line of the journal"] * sum(not line for line in entries)
    return head, {line.pop("piece"): line for line in entries if line}, journal_errors


def _rewrite(checkpoint_folder: Path, head: Metadata, lines: Mapping[str, Metadata]) -> int:
    """Write the journal with these lines only, atomically; returns its length."""
    rows = [_with_checksum(head, {}), *(_with_checksum({"piece": name, **line}, head) for name, line in lines.items())]
    text, partial = b"".join(rows), checkpoint_folder / PARTIAL_FILE
    partial.write_bytes(text)
    _flush(partial)
    os.replace(partial, checkpoint_folder / JOURNAL)
    _flush(checkpoint_folder)
    return len(text)


def _remove_old_units(checkpoint_folder: Path) -> None:
    """Remove the journal, then the units: if interrupted in between, nothing is recorded."""
    (checkpoint_folder / JOURNAL).unlink(missing_ok=True)
    for path in checkpoint_folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _remove_everything(checkpoint_folder: Path, created: Sequence[Path]) -> None:
    """Remove the folders created for a job that produced no unit."""
    shutil.rmtree(checkpoint_folder)
    for folder in created[1:]:
        with suppress(OSError):  # it contains other files
            folder.rmdir()


def _is_intact(folder: Path, files: Mapping[str, Sequence[Any]]) -> bool:
    try:
        return all(_seal((folder / path).read_bytes()) == list(seal) for path, seal in files.items())
    except OSError:
        return False


@contextmanager
def _exclusive_lock(path: Path, folder: Path) -> Iterator[None]:
    with path.open("a+b") as file:
        try:
            acquired = try_lock(file.fileno())
        except OSError as problem:  # Lustre without `flock`, some network disks
            what = f"the disk under '{file.name}' does not support locks, so a second writer would not be detected"
            raise InputError(what, expected="a folder on another disk", type_this="--out /tmp/NAME") from problem
        if not acquired:
            what = f"another process is writing to '{folder.name}'"
            raise InputError(what, expected="the end of that process, or another folder", type_this="--out runs/NAME")
        yield


def _with_checksum(content: Metadata, head: Metadata) -> bytes:
    body = json.dumps(content, sort_keys=True)
    return f"{_checksum(body, head)} {body}\n".encode()


def _without_checksum(row: bytes, head: Metadata) -> Metadata:
    """The content of a line; empty when its checksum or its structure is wrong."""
    checksum, _, body = row.decode("utf-8", "replace").partition(" ")
    try:
        entries = read_json(body) if checksum == _checksum(body, head) else {}
    except ValueError:
        return {}
    fields = _RECORD_FIELDS if head else _HEADER_FIELDS
    is_valid = isinstance(entries, dict) and all(isinstance(entries.get(key), kind) for key, kind in fields.items())
    return entries if is_valid else {}


def _checksum(body: str, head: Metadata) -> str:
    """The checksum depends on the head: a line copied to another journal is invalid."""
    return short_hash(json.dumps(head, sort_keys=True) + body)


def _flush(path: Path) -> None:
    """Flush a file to disk, or a folder where the system allows it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows cannot open folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal(raw: bytes) -> list[Any]:
    """Length and SHA-256 of the content of a file, as the journal has them."""
    return [len(raw), short_hash(raw, 64)]


def _plain(content: Any) -> Any:
    """The content as JSON returns it, so that it can be compared with a stored head."""
    return json.loads(json.dumps(content, default=_item))


def _item(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:56]} ..."


DESCRIPTION_KEY = "about"  # dims and attributes, in order


def dataset_as_arrays(dataset: xr.Dataset) -> Arrays:
    """A dataset as one unit, bit-identical: arrays by number in the order of the variables, and their description."""
    description: dict[str, Any] = {"attrs": dict(dataset.attrs), "data": list(dataset.data_vars), "variables": {}}
    arrays: Arrays = {}
    for number, (name, variable) in enumerate(dataset.variables.items()):
        values = np.asarray(variable.values)
        arrays[str(number)] = values.astype(str) if values.dtype.hasobject else values  # no Python objects in the file
        description["variables"][str(name)] = [list(variable.dims), dict(variable.attrs), values.dtype.hasobject]
    plain = json.dumps(description, default=_item)
    arrays[DESCRIPTION_KEY] = np.array(plain)
    return arrays


def dataset_from_arrays(arrays: Arrays) -> xr.Dataset:
    """The dataset that `dataset_as_arrays` converted."""
    import xarray as xr

    description = json.loads(str(arrays[DESCRIPTION_KEY]))
    variables = {}
    for number, (name, (dims, attributes, objects)) in enumerate(description["variables"].items()):
        values = arrays[str(number)]
        variables[name] = (tuple(dims), values.astype(object) if objects else values, attributes)
    data = {name: variables[name] for name in description["data"]}
    return xr.Dataset(data, {name: part for name, part in variables.items() if name not in data}, description["attrs"])
