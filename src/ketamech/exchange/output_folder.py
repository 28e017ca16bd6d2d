"""Output folders that are written completely or not at all, and that keep files of other origin."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ketamech.core import InputError, KetaMechError
from ketamech.core.atomic_files import locked, read_json, umask
from ketamech.core.environment import short_hash

MANIFEST = "manifest.json"
MAKER = "KetaMech"
DRAFT_SUFFIX = "results.partial"
PARTIAL_SUFFIX, OLD_SUFFIX = ".partial", ".old"
MAX_CAUSES, MAX_CAUSE_LENGTH = 3, 200  # of an error that is repeated in a message: errors, and characters of each


@contextmanager
def atomic_folder(target: Path | str) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place when the block ends without an error.

    A former run in `target` is replaced; files in it that the former run did not write are kept. Raises InputError
    when `target` is a file, or a folder with files that is not a KetaMech run. On an error nothing is left behind.
    """
    final = Path(target).resolve()
    require_own_folder(final)
    with ExitStack() as stack:
        with _folder_errors(final):
            final.parent.mkdir(parents=True, exist_ok=True)
        with locked(final.parent, wait=True):
            _remove_drafts(final)
            with _folder_errors(final):
                draft = Path(tempfile.mkdtemp(prefix=f".{final.name}-", suffix=PARTIAL_SUFFIX, dir=final.parent))
            stack.callback(shutil.rmtree, draft, ignore_errors=True)
            stack.enter_context(locked(draft))
        yield draft
        _write_manifest(draft)
        draft.chmod(0o777 & ~umask())
        with locked(final.parent, wait=True):
            _move_into_place(draft, final)


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """A draft whose files take the place of the former ones in `folder` when the block ends without an error.

    Everything else in the folder stays. The manifest is removed first and written last: results are complete if it
    exists and matches. On an error the former results are put back.
    """
    draft = folder / DRAFT_SUFFIX
    with _folder_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
    try:
        yield draft
        _write_manifest(draft)
        _replace_files(draft, folder, draft.with_suffix(OLD_SUFFIX))
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    """Convert the permission error of a folder that cannot be created into InputError."""
    try:
        yield
    except PermissionError as problem:
        message = f"'{folder}' cannot be written: {problem.strerror}"
        raise InputError(message, expected="a folder in which files can be created", type_this="--out FOLDER") from None


def _replace_files(draft: Path, folder: Path, backup: Path) -> None:
    """Move the files of `draft` into `folder`, the manifest last; former ones move to `backup` and back on an error."""
    names = sorted((path.name for path in draft.iterdir()), key=lambda name: name == MANIFEST)
    shutil.rmtree(backup, ignore_errors=True)
    backup.mkdir()
    try:
        for name in reversed(names):
            if (folder / name).exists():
                os.replace(folder / name, backup / name)
        for name in names:
            os.replace(draft / name, folder / name)
    except BaseException:
        for path in sorted(backup.iterdir(), key=lambda path: path.name == MANIFEST):
            _remove(folder / path.name)
            path.rename(folder / path.name)
        raise
    finally:
        shutil.rmtree(backup, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Convert library errors about a damaged file or store of results into InputError."""
    try:
        yield
    except KetaMechError:
        raise
    except Exception as problem:
        message = f"'{path.name}' cannot be read: {_causes(problem)}"
        raise InputError(message, file=path.parent, expected="results of KetaMech, as they were written") from problem


def _causes(problem: BaseException | None) -> str:
    """The first lines of an error and of the errors that caused it, outermost first."""
    lines: list[str] = []
    while problem is not None and len(lines) < MAX_CAUSES:
        line = f"no {problem}" if isinstance(problem, KeyError) else str(problem).strip().partition("\n")[0]
        line = line or type(problem).__name__
        if line not in lines:
            lines.append(line[:MAX_CAUSE_LENGTH])
        problem = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)
    return "; caused by: ".join(lines)


def require_unchanged(folder: Path, prefix: str = "") -> None:
    """Raise InputError when a file of the manifest (whose path starts with `prefix`) is missing or was changed."""
    for name, expected_hash in read_manifest(folder).get("files", {}).items():
        path = folder / name
        if not name.startswith(prefix):
            continue
        if not path.is_file():
            raise InputError(f"'{name}' is missing", file=folder, expected="the files as they were written")
        if short_hash(path.read_bytes()) != expected_hash:
            raise InputError(f"'{name}' was changed after it was written", file=folder, expected="what was written")


def require_own_folder(folder: Path) -> None:
    """Raise InputError unless `folder` is absent, empty or a KetaMech run."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"'{folder.name}' is a file", expected="a folder to write to", type_this="--out runs/NAME")
    if any(folder.iterdir()) and not read_manifest(folder):
        message = f"'{folder.name}' holds files that are not a KetaMech run; nothing was written"
        raise InputError(message, expected="a new or empty folder, or an earlier run", type_this="--out runs/NAME")


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """The manifest of a run folder: `made_by` and the hash of every file; empty when the folder is no run."""
    try:
        manifest = read_json(Path(folder) / MANIFEST)
    except (OSError, ValueError):
        return {}
    is_own = isinstance(manifest, dict) and manifest.get("made_by") == MAKER and isinstance(manifest.get("files"), dict)
    return manifest if is_own else {}


def _write_manifest(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): short_hash(path.read_bytes()) for path in paths}
    text = json.dumps({"made_by": MAKER, "files": files}, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _remove_drafts(final: Path) -> None:
    """Remove drafts of killed runs; restore a run that was moved aside, or keep its files of other origin."""
    for leftover in sorted(final.parent.glob(f".{glob.escape(final.name)}-????????{PARTIAL_SUFFIX}*")):
        with locked(leftover) as is_unlocked:
            if not is_unlocked:
                continue
            if leftover.name.endswith(OLD_SUFFIX) and not final.exists():
                leftover.rename(final)
                continue
            if leftover.name.endswith(OLD_SUFFIX):
                _move_other_files(leftover, final)
            shutil.rmtree(leftover, ignore_errors=True)


def _move_into_place(draft: Path, final: Path) -> None:
    """Rename `draft` to `final`; an earlier run is moved aside first and restored if that fails."""
    if not final.exists():
        draft.rename(final)
        return
    backup = draft.with_name(draft.name + OLD_SUFFIX)
    final.rename(backup)
    try:
        draft.rename(final)
    except OSError:
        backup.rename(final)
        raise
    _move_other_files(backup, final)
    shutil.rmtree(backup, ignore_errors=True)


def _move_other_files(old_folder: Path, new_folder: Path) -> None:
    own_files = {*read_manifest(old_folder).get("files", {}), MANIFEST}
    for path in sorted(old_folder.rglob("*")):
        relative_path = path.relative_to(old_folder)
        if path.is_file() and relative_path.as_posix() not in own_files and not (new_folder / relative_path).exists():
            (new_folder / relative_path).parent.mkdir(parents=True, exist_ok=True)
            path.rename(new_folder / relative_path)
