"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest_match(name: str, choices: Iterable[str]) -> str | None:
    """The valid name most similar to `name`, or None when none is similar."""
    pool = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(name.lower(), pool, n=1, cutoff=0.6)
    return pool[found[0]] if found else None


def misspelled(word: str, choices: Iterable[str]) -> str | None:
    """The one valid word of which `word` is a misspelling: one edit in four to seven letters, two in longer words.

    An edit inserts, deletes or replaces a letter, or swaps two neighbours. None for shorter words and for ties: a
    wrong suggestion is worse than none.
    """
    name = word.lower()
    limit = 0 if len(name) < 4 else 1 if len(name) < 8 else 2
    distances: dict[str, int] = {}
    for choice in choices:
        distance = _edit_distance(name, choice.lower(), limit)
        if 0 < distance <= limit:
            distances[choice] = distance
    best = [choice for choice, distance in distances.items() if distance == min(distances.values())]
    return best[0] if len(best) == 1 else None


def _edit_distance(a: str, b: str, limit: int) -> int:
    """Edit distance of two words (optimal string alignment); any number above `limit` when it exceeds `limit`."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
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
