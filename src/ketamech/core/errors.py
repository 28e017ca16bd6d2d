"""Every error that KetaMech raises on purpose, and suggestions for misspelt names.

An error says what was wrong, where, what was expected, the nearest valid name and what to type.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

FRAME = Path("DataFrame")  # in place of the file: a table in memory, whose rows count from 1
_WORD = re.compile(r"[^\W_]+")
SIMILAR_KEY = 0.8  # less is a chance resemblance, such as that of duration and perturbations


class KetaMechError(Exception):
    """Base class: the command line prints it without a traceback and exits with code 2."""


class InputError(KetaMechError):
    """A file, value or name from the user that cannot be used."""

    def __init__(
        self, what: str, *, file: str | Path | None = None, line: int | None = None, key: str | None = None,
        expected: str | None = None, nearest: str | None = None, type_this: str | None = None,
    ) -> None:  # fmt: skip
        self.what, self.file, self.line, self.key = what, file, line, key
        self.expected, self.nearest, self.type_this = expected, nearest, type_this
        super().__init__(self._format())

    def at(self, file: str | Path, line: int | None = None) -> InputError:
        """The same error with file and line, unless it names a file already."""
        return self if self.file is not None else self.replace(file=file, line=line)

    def replace(self, **changes: Any) -> InputError:
        """The same error with other attributes."""
        own = {"what": self.what, "file": self.file, "line": self.line, "key": self.key, "expected": self.expected,
               "nearest": self.nearest, "type_this": self.type_this}  # fmt: skip
        return type(self)(**(own | changes))

    def _format(self) -> str:
        between = ", row " if self.file == FRAME else ":"
        place = between.join(str(part) for part in (self.file, self.line) if part is not None)
        lines = [f"{place}: {self.what}" if place else self.what]
        extras = (
            ("key", self.key),
            ("expected", self.expected),
            ("nearest", self.nearest),
            ("type", self.type_this),
        )
        lines += [f"  {label}: {text}" for label, text in extras if text]
        return "\n".join(lines)


class UnknownNameError(InputError):
    """A name (of a state, output, parameter, drug, route ...) that does not exist."""


class UnitError(KetaMechError):
    """Units that do not fit: names stage, term and both units, and underlines the part of the expression."""


class RenamedWarning(FutureWarning):
    """A name was used that will stop working in the next release."""


@cache
def warn_renamed(old: str, new: str, *, stacklevel: int) -> None:
    """Warn once of each old name, such as "the column 'x'"."""
    message = f"{old} was renamed to '{new}'; the old name will stop working in the next release"
    warnings.warn(message, RenamedWarning, stacklevel=stacklevel)


class ModelError(KetaMechError):
    """A stage that cannot become an equation (an input that no stage declares, a loop of outputs ...)."""


class SolverError(KetaMechError):
    """The integration failed, or no drug-free steady state was found."""

    def __init__(self, what: str, *, expected: str | None = None) -> None:
        self.what, self.expected = what, expected
        super().__init__(f"{what}\n  expected: {expected}" if expected else what)


class StepLimitExceeded(SolverError):
    """A patient needs more solver steps than are allowed."""


def closest_match(name: str, choices: Iterable[str], *, similarity: float = 0.6) -> str | None:
    """The valid name most similar to `name`, or None when none has at least this `similarity` (1: the same)."""
    pool = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(name.lower(), pool, n=1, cutoff=similarity)
    return pool[matches[0]] if matches else None


def nearest_names(name: str, choices: Iterable[str]) -> str | None:
    """Up to four valid names that hold the words of `name`, joined by ", "; else the most similar name, or None.

    The words after the stage of stage.thing are looked for in this stage, then as the last part of any name, then
    anywhere. A word may also be a synonym of theirs (data/synonyms). The stage, where it is one, does not count as
    similar.
    """
    from ketamech.core.synonyms import synonyms

    known = {choice.lower(): choice for choice in choices}
    stage, _, rest = name.lower().rpartition(".")
    alternatives = [{word, *synonyms().get(word, ())} for word in _WORD.findall(rest)]
    words_of = {choice: set(_WORD.findall(choice)) for choice in known} if alternatives else {}
    holding = [choice for choice, words in words_of.items() if all(words & either for either in alternatives)]
    inside = [choice for choice in holding if stage and choice.startswith(f"{stage}.")]
    same_end = [choice for choice in holding if choice.rpartition(".")[2] == rest]
    matches = difflib.get_close_matches(name.lower(), inside or same_end or holding, n=4, cutoff=0.0)
    if matches:
        return ", ".join(known[match] for match in matches)
    of_stage = {choice.removeprefix(f"{stage}."): choice for choice in known if choice.startswith(f"{stage}.")}
    if not stage or not of_stage:
        return closest_match(name, known.values())
    last_parts = {choice.rpartition(".")[2]: choice for choice in known}
    near = of_stage.get(closest_match(rest, of_stage) or "")
    near = near or last_parts.get(closest_match(rest, last_parts, similarity=SIMILAR_KEY) or "")
    return known[near] if near else None


def misspelled_key(word: str, keys: Collection[str]) -> str | None:
    """The key of a file of which `word` is a misspelling, or None."""
    return closest_match(word, keys, similarity=SIMILAR_KEY) or misspelled(word, keys)


def nearest_key(word: str, keys: Collection[str]) -> tuple[str, bool] | None:
    """The key of a file of which `word` is a misspelling or a synonym (data/synonyms/keys.csv), or None.

    And whether the value of `word` may stand under this key as it is.
    """
    from ketamech.core.synonyms import key_synonyms

    if near := misspelled_key(word, keys):
        return near, True
    known = key_synonyms()
    synonym = known.get(word.lower()) or known.get(misspelled(word, known) or "")
    means = synonym.keys if synonym else ()
    key = next((key for key in means if key in keys), None)
    return (key, key in synonym.keeps_value) if synonym and key else None


def require_known(
    name: str, choices: Collection[str], what: str, *, key: str | None = None, expected: str | None = None,
    file: str | Path | None = None, line: int | None = None, type_this: str | None = None,
) -> None:  # fmt: skip
    """Raise UnknownNameError, with the `nearest_names` of `choices`, unless `name` is one of them."""
    if name not in choices:
        near = nearest_names(name, choices)
        raise UnknownNameError(
            what, file=file, line=line, key=key, expected=expected, nearest=near, type_this=type_this
        )


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
