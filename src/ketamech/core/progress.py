"""Progress of a long computation, as every public function reports it, and interrupts that end one early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from threading import Event

Progress = Callable[[str, int, int], None]  # the step, how many parts of it are done, of how many (0: not known)
LineProgress = Callable[[str], None]  # the step
CountProgress = Callable[[int], None]  # how many parts are done
Interrupt = Callable[[], None]  # called several times a second; an error that it raises ends the computation
ShareProgress = Callable[[int, int], None]  # how many parts are done, of how many


_interrupt: ContextVar[Interrupt | None] = ContextVar("interrupt", default=None)


@contextmanager
def interrupted_by(interrupt: Interrupt) -> Iterator[None]:
    """Within the block, computations of this thread call `interrupt` between their parts."""
    before = _interrupt.set(interrupt)
    try:
        yield
    finally:
        _interrupt.reset(before)


def has_interrupt() -> bool:
    """Whether computations of this thread can be interrupted."""
    return _interrupt.get() is not None


def check_interrupt() -> None:
    """Call the interrupt of this thread, if it has one."""
    if (interrupt := _interrupt.get()) is not None:
        interrupt()


def context_until(ended: Event) -> Context:
    """A copy of the context of this thread for another one, whose computations end early once `ended` is set."""
    before, context = _interrupt.get(), copy_context()

    def interrupt() -> None:
        if ended.is_set():
            raise KeyboardInterrupt
        if before is not None:
            before()

    context.run(_interrupt.set, interrupt)
    return context


def progress_by_line(progress: Progress | None) -> LineProgress | None:
    """The callback of a computation that names its steps only."""
    return None if progress is None else lambda step: progress(step, 0, 0)


def progress_by_count(progress: Progress | None, step: str, total: int) -> CountProgress | None:
    """The callback of a computation of one step that counts its parts."""
    return None if progress is None else lambda done: progress(step, done, total)


def progress_by_share(progress: Progress | None, step: str) -> ShareProgress | None:
    """The callback of a computation of one step that counts its parts and knows their number."""
    return None if progress is None else lambda done, total: progress(step, done, total)
