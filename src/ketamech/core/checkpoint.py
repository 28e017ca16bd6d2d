"""Finished pieces of a long job in a folder: nothing finished is lost, nothing damaged is read in silence.

The folder `pieces/` of a job holds a file a piece (NumPy's .npz; or its maker wrote files elsewhere in the folder) and
`journal.txt`: a head that says which job this is, then a line a piece with the size and SHA-256 of its files. Every
line begins with its own seal. A file is whole and on the disk before the journal names it; what the journal does not
name does not exist. Nothing asks a clock, and the lock is the system's: it ends with the process that holds it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ketamech.core.atomic_files import DISK_FULL_ERRORS, read_json, try_lock
from ketamech.core.environment import environment
from ketamech.core.errors import InputError

CHECKPOINT_FOLDER, JOURNAL, LOCK, PARTIAL_SUFFIX = "pieces", "journal.txt", "lock", "draft.tmp"
CHECKSUM_DIGITS = 16  # letters of a seal
_HEAD = {"format": int, "job": dict, "made_with": dict, "about": dict}
_LINE = {"piece": str, "files": dict, "facts": dict}
Arrays = dict[str, np.ndarray]
Metadata = dict[str, Any]


class Checkpoint:
    """The finished pieces of one job; open them with `opened`.

    `about` is what was said of the job when it was begun; `damaged` names what did not agree with its checksum and was
    put away, so that it is made again.
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
        """What was said of a piece when it was kept."""
        return dict(self._lines[name]["facts"])

    def read(self, name: str) -> Arrays:
        """The arrays of a piece. Raises BadInput when they are not what was kept."""
        (path,) = self._lines[name]["files"]
        try:
            raw = _bytes_of(self.folder / path)
        except OSError:
            raw = b""
        if [len(raw), _hash(raw)] != self._lines[name]["files"][path]:
            raise InputError(f"'{path}' was changed while it was in use", file=self.folder, type_this="--resume")
        with np.load(io.BytesIO(raw), allow_pickle=False) as held:
            return {key: held[key] for key in held.files}

    def save(self, name: str, arrays: Arrays, facts: Metadata | None = None) -> None:
        """Put a piece on the disk, whole; only then does it count. Raises BadInput when the disk is full."""
        if objects := [key for key, array in arrays.items() if array.dtype.hasobject]:
            raise TypeError(f"piece '{name}': {objects[0]} holds Python objects")
        draft, target = (
            self.folder / CHECKPOINT_FOLDER / PARTIAL_SUFFIX,
            self.folder / CHECKPOINT_FOLDER / f"{name}.npz",
        )
        with self._disk_full_guard():
            with draft.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            _flush(draft)
            os.replace(draft, target)
            _flush(target.parent)
        self.record(name, [target], facts)

    def record(self, name: str, paths: Sequence[Path], facts: Metadata | None = None) -> None:
        """Let a piece count that consists of files already written somewhere in the job's folder."""
        with self._disk_full_guard():
            files = {}
            for path in paths:
                _flush(path)
                raw = path.read_bytes()
                files[path.relative_to(self.folder).as_posix()] = [len(raw), _hash(raw)]
            self._append(name, {"files": files, "facts": facts or {}})

    @property
    def finished_units(self) -> bool:
        """Whether the job was done."""
        return "" in self._lines

    def finish(self) -> None:
        """Say that the job is done: the same command then begins anew instead of asking for --resume."""
        if not self.finished_units:
            self._append("", {"files": {}, "facts": {}})

    @contextmanager
    def _disk_full_guard(self) -> Iterator[None]:
        """Say what is kept when the disk is full."""
        try:
            yield
        except OSError as problem:
            if problem.errno not in DISK_FULL_ERRORS:
                raise
            (self.folder / CHECKPOINT_FOLDER / PARTIAL_SUFFIX).unlink(missing_ok=True)
            what = f"the disk is full: {len(list(iter(self)))} finished pieces are kept in '{self.folder}'"
            raise InputError(what, expected="more room, then the same command", type_this="--resume") from problem

    def _append(self, name: str, line: Metadata) -> None:
        """One more line of the journal; half a line from an earlier failure is cut off first."""
        added = _with_checksum({"piece": name, **line}, self._head)
        with (self.folder / CHECKPOINT_FOLDER / JOURNAL).open("r+b") as journal:
            journal.truncate(self._length)
            journal.seek(self._length)
            journal.write(added)
            journal.flush()
            os.fsync(journal.fileno())
        self._length += len(added)
        self._lines[name] = line


@contextmanager
def open_checkpoint(
    folder: Path | str, job: Mapping[str, Any], *, about: Mapping[str, Any] | None = None, resume: bool = False,
    replace: bool = True,
) -> Iterator[Checkpoint]:  # fmt: skip
    """The pieces of a `job` in `folder`, for this process alone; begun anew unless `resume`.

    `job` is everything that decides on the numbers; `about` is kept beside it. Raises BadInput when another process
    writes here, when there is unfinished work and no `resume`, and when the work is another's or was made with other
    versions, which do not promise the same bits. Without `replace` also when another job was finished here.
    """
    final = Path(folder).resolve()
    if final.exists() and not final.is_dir():
        raise InputError(f"'{final.name}' is a file", expected="a folder to write to", type_this="--out runs/NAME")
    place = final / CHECKPOINT_FOLDER
    made = [folder for folder in (place, final, *final.parents) if not folder.exists()]
    place.mkdir(parents=True, exist_ok=True)
    head = _plain({"format": 1, "job": dict(job), "made_with": environment(), "about": dict(about or {})})
    with _exclusive_lock(place / LOCK, final):
        old, lines, spoiled = _journal(place, final)
        if not old:
            _remove_old_units(place)
        elif not resume:
            _refuse_unfinished(final, lines)
            if not replace:
                _refuse_another(final, {**old, "made_with": {}}, {**head, "made_with": {}})
            _remove_old_units(place)
            lines, spoiled = {}, []
        else:
            _refuse_another(final, old, head)
            head = old
        damaged = [name for name, line in lines.items() if not _is_intact(final, line["files"])]
        kept = {name: line for name, line in lines.items() if name not in damaged}
        pieces = Checkpoint(final, head, kept, [*damaged, *spoiled])
        try:
            yield pieces
        except Exception:
            if place in made and not list(pieces):
                _remove_everything(place, made)
            raise


def read_journal(folder: Path | str) -> dict[str, Metadata]:
    """What the journal of a folder says of each piece (`files` with size and SHA-256, `facts`); only reads."""
    return _journal(Path(folder) / CHECKPOINT_FOLDER, Path(folder))[1]


def _refuse_unfinished(folder: Path, lines: Mapping[str, Metadata]) -> None:
    if lines and "" not in lines:
        what = f"'{folder.name}' holds {len(lines)} finished pieces of a run that was stopped"
        raise InputError(what, expected="--resume to go on, or another folder to begin anew", type_this="--resume")


def _refuse_another(folder: Path, old: Metadata, new: Metadata) -> None:
    for kind, expected in (("job", "the same command as when it was begun"), ("made_with", "the same versions")):
        for key in sorted({*old[kind], *new[kind]}):
            was, now = old[kind].get(key), new[kind].get(key)
            if was != now:
                what = f"'{folder.name}' was begun with {key} {_short(was)}, and this is {_short(now)}"
                raise InputError(what, key=key, expected=f"{expected}, or another folder", type_this="--out runs/NAME")


def _journal(place: Path, folder: Path) -> tuple[Metadata, dict[str, Metadata], list[str]]:
    """Head, lines by piece, and what was wrong with it; half a line at the end never counted."""
    try:
        rows = (place / JOURNAL).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}, {}, []
    head = _without_checksum(rows[0], {})
    if not head or head.get("format") != 1:
        what = f"the journal of '{folder.name}' is damaged, so that its pieces cannot be trusted"
        raise InputError(what, file=place / JOURNAL, expected="another folder, or this one removed")
    found = [_without_checksum(row, head) for row in rows[1:-1]]
    spoiled = ["a line of the journal"] * sum(not line for line in found)
    return head, {line.pop("piece"): line for line in found if line}, spoiled


def _rewrite(place: Path, head: Metadata, lines: Mapping[str, Metadata]) -> int:
    """The journal with these lines only, whole; returns its length."""
    rows = [_with_checksum(head, {}), *(_with_checksum({"piece": name, **line}, head) for name, line in lines.items())]
    text, draft = b"".join(rows), place / PARTIAL_SUFFIX
    draft.write_bytes(text)
    _flush(draft)
    os.replace(draft, place / JOURNAL)
    _flush(place)
    return len(text)


def _remove_old_units(place: Path) -> None:
    """No journal, then no pieces: in this order a kill in between leaves nothing that counts."""
    (place / JOURNAL).unlink(missing_ok=True)
    for path in place.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _remove_everything(place: Path, made: Sequence[Path]) -> None:
    """Take away the folders that were made for a job of which nothing came."""
    shutil.rmtree(place)
    for folder in made[1:]:
        with suppress(OSError):  # somebody else's files are in it
            folder.rmdir()


def _is_intact(folder: Path, files: Mapping[str, Sequence[Any]]) -> bool:
    try:
        return all([len(raw := _bytes_of(folder / path)), _hash(raw)] == list(was) for path, was in files.items())
    except OSError:
        return False


@contextmanager
def _exclusive_lock(path: Path, folder: Path) -> Iterator[None]:
    with path.open("a+b") as file:
        try:
            alone = try_lock(file.fileno())
        except OSError as problem:  # Lustre without `flock`, some network disks
            what = f"the disk under '{file.name}' carries no locks, so that a second writer would not be seen"
            raise InputError(what, expected="a folder on another disk", type_this="--out /tmp/NAME") from problem
        if not alone:
            what = f"another process is writing to '{folder.name}'"
            raise InputError(what, expected="its end, or another folder", type_this="--out runs/NAME")
        yield


def _with_checksum(content: Metadata, head: Metadata) -> bytes:
    body = json.dumps(content, sort_keys=True)
    return f"{_checksum(body, head)} {body}\n".encode()


def _without_checksum(row: bytes, head: Metadata) -> Metadata:
    """What a line says; nothing when its seal does not fit, or when it says something else than a line does."""
    seal, _, body = row.decode("utf-8", "replace").partition(" ")
    try:
        found = read_json(body) if seal == _checksum(body, head) else {}
    except ValueError:
        return {}
    shape = _LINE if head else _HEAD
    fits = isinstance(found, dict) and all(isinstance(found.get(key), kind) for key, kind in shape.items())
    return found if fits else {}


def _checksum(body: str, head: Metadata) -> str:
    """A line belongs to its head: copied to another journal it does not count."""
    return _hash((json.dumps(head, sort_keys=True) + body).encode())[:CHECKSUM_DIGITS]


def _flush(path: Path) -> None:
    """On the disk, not only on its way there; a folder, too, where the system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folder
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _plain(content: Any) -> Any:
    """As it comes back from JSON, so that what is asked can be compared with what was kept."""
    return json.loads(json.dumps(content, default=_item))


def _item(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:56]} ..."
