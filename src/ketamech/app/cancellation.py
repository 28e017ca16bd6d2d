"""Errors that stop running work: a limit or a cancellation. The solver checks ten times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from ketamech.core import KetaMechError


class LimitExceeded(KetaMechError):
    """A request exceeds a limit of the server: body size, number of jobs or computing time."""

    def __init__(self, what: str, expected: str) -> None:
        self.what, self.expected = what, expected
        super().__init__(f"{what}\n  expected: {expected}")


class Cancelled(KetaMechError):
    """The client cancelled the request or closed the connection."""


def deadline(seconds: float, instead: str) -> Callable[[int], None]:
    """A progress callback that raises LimitExceeded after `seconds`."""
    until = time.monotonic() + seconds

    def check(_done: int) -> None:
        if time.monotonic() > until:
            raise LimitExceeded(f"this took longer than {seconds:g} s", instead)

    return check
