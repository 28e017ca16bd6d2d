"""Help with names: the nearest valid one, for messages that say what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest_match(name: str, choices: Iterable[str]) -> str | None:
    """The valid name most like `name`, or None when nothing is near."""
    pool = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(name.lower(), pool, n=1, cutoff=0.6)
    return pool[found[0]] if found else None


def misspelled(word: str, choices: Iterable[str]) -> str | None:
    """The one valid word of which `word` is a misspelling: one slip in four to seven letters, two in more.

    A slip is a letter too many, too few, another one, or two that changed places. None for a shorter word, and where
    several words are equally near: a wrong suggestion is worse than none.
    """
    name = word.lower()
    most = 0 if len(name) < 4 else 1 if len(name) < 8 else 2
    near: dict[str, int] = {}
    for choice in choices:
        slips = _slips(name, choice.lower(), most)
        if 0 < slips <= most:
            near[choice] = slips
    best = [choice for choice, slips in near.items() if slips == min(near.values())]
    return best[0] if len(best) == 1 else None


def _slips(a: str, b: str, most: int) -> int:
    """How many slips lie between two words (optimal string alignment); more than `most` where they are too many."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
