"""Where the program keeps what it can make again, and files that are whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ketamech.core.errors import InputError

DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a system says of a disk that is full, or a quota
LOCK_WAIT, LOCK_LOOK = 60.0, 0.02  # s to wait for a folder's lock, which is held for moments only; between two tries


def cache_folder() -> Path:
    """Where compiled models are kept: $KETAMECH_CACHE, or the user's cache folder."""
    if named := os.environ.get("KETAMECH_CACHE"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ketamech", appauthor=False))


def atomic_write_checksummed(target: Path, text: str) -> None:
    """Write a text under its own hash, so that a reader sees all of it or nothing, and knows which."""
    atomic_write(target, f"{_checksum(text)}\n{text}".encode())


def atomic_write(target: Path, data: bytes) -> None:
    """Write a file so that a reader never sees half of it, with the rights that any new file has."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as part:
        try:
            part.write(data)
            part.flush()
            Path(part.name).chmod(0o666 & ~umask())
            os.replace(part.name, target)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise


class CacheWarning(UserWarning):
    """The cache folder cannot be written to, which costs time at every start."""


@contextmanager
def ignore_disk_errors() -> Iterator[None]:
    """For what can be made again: a disk that is full, or where nothing may be written, costs time and one warning."""
    try:
        yield
    except OSError as problem:
        _warn_once(str(cache_folder()), problem.strerror or str(problem))


@cache
def _warn_once(folder: str, why: str) -> None:
    text = (
        f"the cache folder '{folder}' cannot be written to ({why}),"
        " so that the model is compiled again at every start\n"
        "  type: export KETAMECH_CACHE=FOLDER  (a folder that can be written to)"
    )
    warnings.warn(text, CacheWarning, stacklevel=4)


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock on a folder; whether it could be had. Where the system has no such locks nothing is held.

    Who would `wait` does so for LOCK_WAIT seconds. Raises BadInput when another process has the lock even then.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            held = _hold_in_time(handle, folder) if wait else try_lock(handle)
        except OSError:
            held = False
        yield held
    finally:
        os.close(handle)


def _hold_in_time(handle: int, folder: Path) -> bool:
    until = time.monotonic() + LOCK_WAIT
    while not try_lock(handle):
        if time.monotonic() >= until:
            raise InputError(
                f"another process has held the lock on '{folder}' for {LOCK_WAIT:g} s", expected="its end",
                type_this="--out FOLDER in another folder",
            )  # fmt: skip
        time.sleep(LOCK_LOOK)
    return True


def try_lock(handle: int) -> bool:
    """Take the system's lock on what is open, which ends with this process however it ends; False if another has it.

    Raises OSError where the disk carries no locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows, which locks files and opens no folders
        import msvcrt

        lock: Any = msvcrt
        try:
            lock.locking(handle, lock.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def umask() -> int:
    """The umask of this process (it can only be read by setting it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def read_checksummed(target: Path) -> str | None:
    """The text that `write_sealed` wrote; None when there is none or it was damaged."""
    try:
        seal, _, text = target.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if seal == _checksum(text) else None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(source: Path | str) -> Any:
    """Parse a JSON text, or a file of JSON, of unknown origin.

    Raises ValueError for invalid JSON, also where it is nested too deeply for Python. OSError for a file that cannot be
    read.
    """
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
