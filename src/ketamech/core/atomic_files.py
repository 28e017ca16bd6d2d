"""The cache folder, files that are complete or absent, folder locks, and text and JSON of unknown origin."""

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

DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOCK_WAIT, LOCK_POLL = 60.0, 0.02  # s: longest wait for a folder lock, and time between two tries


def cache_folder() -> Path:
    """The folder of compiled models: $KETAMECH_CACHE, or the user's cache folder."""
    if from_environment := os.environ.get("KETAMECH_CACHE"):
        return Path(from_environment)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ketamech", appauthor=False))


def atomic_write_checksummed(target: Path, text: str) -> None:
    """Write a text after its checksum, atomically; `read_checksummed` detects damage."""
    atomic_write(target, f"{_checksum(text)}\n{text}".encode())


def atomic_write(target: Path, data: bytes) -> None:
    """Write a file so that a reader never sees part of it, with the permissions of any new file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as temporary:
        try:
            temporary.write(data)
            temporary.flush()
            Path(temporary.name).chmod(0o666 & ~umask())
            os.replace(temporary.name, target)
        except OSError:
            Path(temporary.name).unlink(missing_ok=True)
            raise


class CacheWarning(UserWarning):
    """The cache folder is not writable, so every start compiles again."""


@contextmanager
def ignore_disk_errors() -> Iterator[None]:
    """For data that can be recomputed: a full or read-only disk causes one warning instead of an error."""
    try:
        yield
    except OSError as error:
        warn_of_cache_folder(str(cache_folder()), error.strerror or str(error))


@cache
def warn_of_cache_folder(folder: str, reason: str) -> None:
    """Warn once that nothing can be stored in the cache folder."""
    text = (
        f"the cache folder '{folder}' is not writable ({reason}),"
        " so the model is compiled again at every start\n"
        "  type: export KETAMECH_CACHE=FOLDER  (a writable folder)"
    )
    warnings.warn(text, CacheWarning, stacklevel=4)


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock on a folder and yield whether it was acquired. Without system locks the result is False.

    `wait` waits up to LOCK_WAIT seconds. Raises InputError when another process still has the lock then.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            acquired = _wait_for_lock(handle, folder) if wait else try_lock(handle)
        except OSError:
            acquired = False
        yield acquired
    finally:
        os.close(handle)


def _wait_for_lock(handle: int, folder: Path) -> bool:
    deadline = time.monotonic() + LOCK_WAIT
    while not try_lock(handle):
        if time.monotonic() >= deadline:
            what = f"another process has held the lock on '{folder}' for {LOCK_WAIT:g} s"
            raise InputError(what, expected="it to end", type_this="--out FOLDER in another folder")
        time.sleep(LOCK_POLL)
    return True


def try_lock(handle: int) -> bool:
    """Acquire the system's lock on an open file; False if another process has it. It ends with this process.

    Raises OSError where the disk does not support locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows: locks on files, and folders cannot be opened
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
    """The umask of this process (readable only by setting it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def read_checksummed(target: Path) -> str | None:
    """The text written by `atomic_write_checksummed`; None when it is absent or damaged."""
    try:
        checksum, _, text = target.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if checksum == _checksum(text) else None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


AS_TEXT = 'UTF-8; save it again as "CSV UTF-8" or with the encoding UTF-8'


def read_text(path: Path, expected: str, most: int = 50_000_000) -> str:
    """The text of a file in UTF-8 with at most `most` bytes. Raises InputError, saying what was `expected`."""
    try:
        if path.stat().st_size > most:
            raise InputError("the file is too large", file=path, expected=f"at most {most:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise InputError(f"the file cannot be read: {problem.strerror}", file=path, expected=expected) from None
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        raise InputError("the file is not text", file=path, expected=f"{expected} in {AS_TEXT}")
    return text


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
