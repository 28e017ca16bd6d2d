"""How work under way is stopped: too long, or no longer wanted. The engine looks up ten times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from ketamech.core import KetaMechError


class LimitExceeded(KetaMechError):
    """The server was asked for more than it takes on: a body too large, a job too many, work too long."""

    def __init__(self, what: str, expected: str) -> None:
        self.what, self.expected = what, expected
        super().__init__(f"{what}\n  expected: {expected}")


class Cancelled(KetaMechError):
    """Whoever asked has left or cancelled."""


def deadline(seconds: float, instead: str) -> Callable[[int], None]:
    """A progress callback that raises TooMuch when more than `seconds` have gone by."""
    until = time.monotonic() + seconds

    def look(_done: int) -> None:
        if time.monotonic() > until:
            raise LimitExceeded(f"this took longer than {seconds:g} s", instead)

    return look
