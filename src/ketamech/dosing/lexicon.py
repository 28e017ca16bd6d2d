"""The words and names of a text, and the terminal of the grammar that each of them is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

from ketamech.core import InputError
from ketamech.core.csv_table import read_table
from ketamech.core.paths import DATA
from ketamech.core.time_units import HOURS

PATH = DATA / "dosing" / "words.csv"
COLUMNS = ("word", "kind", "means")
SPECIAL_KINDS = ("short", "filler", "refused")
NUMERIC = {"number": float, "count": float, "nth": float, "ly": lambda word: HOURS[word]}
# Linear in the length of the text: no alternative can match the same blanks or digits in two ways.
_PIECE = re.compile(
    r"[^\S\n]+"
    r"|(?P<abbreviation>[^\W\d_](?:\.[^\W\d_])+(?!\w)\.?)"
    r"|(?P<number>(?:\d+(?:[.,]\d+)*\.?|(?<![^\W_])\.\d+)(?:e[-+]?\d+)?)"  # ".5", but not the 3 of "q.3.d"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<symbol>[<>]=?|\S|\n)",
    re.I,
)


class TextPart(NamedTuple):
    """A word, number or symbol of a text: normalised, with its start and end."""

    text: str
    is_number: bool
    start: int
    end: int


class Meaning(NamedTuple):
    """The meaning of a word: a terminal (upper case, or one of NO_TERMINALS) and its value."""

    kind: str
    value: Any


def split_text(text: str) -> list[TextPart]:
    """The parts of a text in order, without blanks."""
    return [
        TextPart(_plain(match.group(), match.lastgroup), match.lastgroup == "number", match.start(), match.end())
        for match in _PIECE.finditer(text)
        if match.lastgroup
    ]


def _plain(text: str, kind: str | None) -> str:
    plain = normalize("NFKC", text).casefold().replace("μ", "u")
    if kind == "abbreviation":
        return plain.replace(".", "")
    return ";" if plain == "\n" else plain


class Lexicon:
    """The names and other words that may occur in a text, in addition to the common words.

    `unknown` makes the error about an unknown name; `inside` {terminal: lexicon} are the lexicons that apply after a
    terminal, up to the end of the treatment. Of several words that begin at one position the longest counts; of equal
    length, one of `words`.
    """

    def __init__(
        self,
        words: Mapping[str, Meaning],
        unknown: Callable[[str], InputError],
        inside: Mapping[str, Callable[[], Lexicon]] | None = None,
    ) -> None:
        self._index = _indexed(words.items())
        self.spellings = tuple(words)
        self.unknown = unknown
        self.inside = inside or {}

    def with_inside(self, **more: Callable[[], Lexicon]) -> Lexicon:
        """A copy with lexicons after further terminals."""
        found = copy(self)
        found.inside = {**self.inside, **more}
        return found

    def longest(self, found: list[TextPart], at: int) -> tuple[int, Meaning] | None:
        """The number of parts from index `at` that form a known word, and its meaning; None if there is none."""
        both = (_longest(index, found, at) for index in (self._index, _common_words()))
        return max(filter(None, both), key=lambda match: match[0], default=None)


Index = dict[str, list[tuple[tuple[str, ...], Meaning]]]


def _indexed(words: Iterable[tuple[str, Meaning]]) -> Index:
    """Words by their first part, longest first."""
    found: Index = {}
    for word, meaning in words:
        parts = tuple(piece.text for piece in split_text(word))
        found.setdefault(parts[0], []).append((parts, meaning))
    for entries in found.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return found


def _longest(index: Index, found: list[TextPart], at: int) -> tuple[int, Meaning] | None:
    for parts, meaning in index.get(found[at].text, ()):
        if all(at + i < len(found) and found[at + i].text == part for i, part in enumerate(parts)):
            return len(parts), meaning
    return None


def load_words(path: Path = PATH) -> dict[str, Meaning]:
    """The common words of a table. Raises InputError with the line of a word that occurs twice or has no meaning."""
    found = {word: Meaning("UNIT", size) for word, size in HOURS.items()}
    for row in read_table(path, COLUMNS):
        word, kind = row.required("word", "a word").lower(), row.required("kind", "a terminal of the grammar")
        if word in found or not split_text(word):
            raise row.error("word", f"'{word}' occurs twice", expected="each word once")
        try:
            value = NUMERIC.get(kind, str)(row["means"])
        except (KeyError, ValueError) as problem:
            raise row.error("means", f"'{row['means']}' is not a value of a {kind}", expected="a number") from problem
        found[word] = Meaning(kind if kind in SPECIAL_KINDS else kind.upper(), value)
    return found


@cache
def _common_words() -> Index:
    return _indexed(load_words().items())


def common_words(*kinds: str) -> Iterable[str]:
    """Every common word, or those of some kinds, for spelling suggestions."""
    for entries in _common_words().values():
        for parts, meaning in entries:
            if not kinds or meaning.kind in kinds:
                yield " ".join(parts)
