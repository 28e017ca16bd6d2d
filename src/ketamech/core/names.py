"""Help with names: the nearest valid one, for messages that say what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The valid name most like `name`, or None when nothing is near."""
    pool = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(name.lower(), pool, n=1, cutoff=0.6)
    return pool[found[0]] if found else None
