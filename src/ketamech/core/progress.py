"""Progress of a long computation, as every public function reports it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # the step, how many parts of it are done, of how many (0: not known)
LineProgress = Callable[[str], None]  # the step
CountProgress = Callable[[int], None]  # how many parts are done
ShareProgress = Callable[[int, int], None]  # how many parts are done, of how many


def progress_by_line(progress: Progress | None) -> LineProgress | None:
    """The callback of a computation that names its steps only."""
    return None if progress is None else lambda step: progress(step, 0, 0)


def progress_by_count(progress: Progress | None, step: str, total: int) -> CountProgress | None:
    """The callback of a computation of one step that counts its parts."""
    return None if progress is None else lambda done: progress(step, done, total)


def progress_by_share(progress: Progress | None, step: str) -> ShareProgress | None:
    """The callback of a computation of one step that counts its parts and knows their number."""
    return None if progress is None else lambda done, total: progress(step, done, total)
