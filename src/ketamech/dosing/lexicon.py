"""Tokenisation: the terminals of the grammar in a text.

A lexicon gives the meaning of names and common words; words such as "and" or "-" are interpreted in their context.
"""

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
from ketamech.core.environment import DATA
from ketamech.core.units import DAY, HOUR, HOURS_PER_UNIT, MINUTE, WEEK
from ketamech.dosing.drugs import load_routes

PATH = DATA / "dosing" / "words.csv"
COLUMNS = ("word", "kind", "means")
SPECIAL_KINDS = ("short", "filler", "refused")
NUMBER_READERS = {"number": float, "count": float, "nth": float, "ly": lambda word: HOURS_PER_UNIT[word]}
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
        copied = copy(self)
        copied.inside = {**self.inside, **more}
        return copied

    def longest(self, parts: list[TextPart], at: int) -> tuple[int, Meaning] | None:
        """The number of parts from index `at` that form a known word, and its meaning; None if there is none."""
        both = (_longest(index, parts, at) for index in (self._index, _common_words()))
        return max(filter(None, both), key=lambda match: match[0], default=None)


Index = dict[str, list[tuple[tuple[str, ...], Meaning]]]


def _indexed(words: Iterable[tuple[str, Meaning]]) -> Index:
    """Words by their first part, longest first."""
    index: Index = {}
    for word, meaning in words:
        parts = tuple(piece.text for piece in split_text(word))
        index.setdefault(parts[0], []).append((parts, meaning))
    for entries in index.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return index


def _longest(index: Index, text_parts: list[TextPart], at: int) -> tuple[int, Meaning] | None:
    for parts, meaning in index.get(text_parts[at].text, ()):
        if all(at + i < len(text_parts) and text_parts[at + i].text == part for i, part in enumerate(parts)):
            return len(parts), meaning
    return None


def load_words(path: Path = PATH) -> dict[str, Meaning]:
    """The common words of a table. Raises InputError with the line of a word that occurs twice or has no meaning."""
    meanings = {word: Meaning("UNIT", size) for word, size in HOURS_PER_UNIT.items()}
    for row in read_table(path, COLUMNS):
        word, kind = row.required("word", "a word").lower(), row.required("kind", "a terminal of the grammar")
        if word in meanings or not split_text(word):
            raise row.error("word", f"'{word}' occurs twice", expected="each word once")
        try:
            value = NUMBER_READERS.get(kind, str)(row["means"])
        except (KeyError, ValueError) as problem:
            raise row.error("means", f"'{row['means']}' is not a value of a {kind}", expected="a number") from problem
        meanings[word] = Meaning(kind if kind in SPECIAL_KINDS else kind.upper(), value)
    return meanings


@cache
def _common_words() -> Index:
    return _indexed(load_words().items())


def route_words() -> dict[str, Meaning]:
    """The words for routes, which lexicons with drugs contain."""
    return {word: Meaning("ROUTE", name) for word, name in load_routes().items()}


def common_words(*kinds: str) -> Iterable[str]:
    """Every common word, or those of some kinds, for spelling suggestions."""
    for entries in _common_words().values():
        for parts, meaning in entries:
            if not kinds or meaning.kind in kinds:
                yield " ".join(parts)


MAX_TEXT_LENGTH = 500  # characters of a sentence, one line of a file or any other text; more doses are a dose table
MANY_DOSES = "; for many doses a dose table, or a scenario file with one treatment a line"
TERMINALS_BEFORE_UNIT = ("NUMBER", "A", "EVERY", "OTHER", "PER", "SLASH", "ORDINAL", "NTH", "TIMES", "X", "HALF", "TO")
# Terminals that a number may belong to.
COUNTED_TERMINALS = ("UNIT", "MASS", "TIMES", "X", "PERCENT", "DOSE", "SLASH", "PER")
FREQUENCIES = "how often, such as twice a week or every 2 weeks"


class Word(NamedTuple):
    """One terminal of the grammar: its value, and its position in the text."""

    kind: str
    value: Any
    start: int
    end: int


def tokenize(text: str, lexicon: Lexicon) -> list[Word]:
    """The terminals of a text. Raises InputError for a number or a word that is ambiguous."""
    return _in_context(_with_meanings(text, lexicon), text)


def quoted(text: str, start: int, end: int) -> str:
    """A quotation from a text with its position, counted from 1."""
    return f"'{text[start:end]}' (character {start + 1})"


def _with_meanings(text: str, lexicon: Lexicon) -> list[Word]:
    """Every word with its terminal from the lexicon; abbreviations are expanded, fillers left out."""
    listed, words, at, current = split_text(text), [], 0, lexicon
    while at < len(listed):
        count, meaning = current.longest(listed, at) or (1, None)
        first, last = listed[at], listed[at + count - 1]
        at += count
        if meaning is None:
            kind = "NUMBER" if first.is_number else "UNKNOWN"
            words.append(Word(kind, first.text, first.start, first.end))
        elif meaning.kind == "short":
            words += [Word(w.kind, w.value, first.start, last.end) for w in tokenize(meaning.value, current)]
        elif meaning.kind == "refused":
            what = f"{quoted(text, first.start, last.end)}: {meaning.value}"
            raise InputError(what, key="schedule", expected=FREQUENCIES)
        elif meaning.kind != "filler":
            words.append(Word(meaning.kind, meaning.value, first.start, last.end))
            current = lexicon if meaning.kind == "SEP" else current.inside.get(meaning.kind, lambda now=current: now)()
    return words


class _Context(NamedTuple):
    """A word with its neighbours: the final terminal before it, and the words after it."""

    word: Word
    before: str
    next: Word
    second: Word
    third: Word
    heading: Word  # the word that began the current list of numbers, if there is one
    written: str  # the word as it stands in the text

    def in_a_list(self) -> bool:
        """Whether a comma or 'and' here joins two numbers of one list ("days 1, 4 and 8", "day 1 and day 4")."""
        again = self.heading.kind == "LABEL" and self.next.kind == "UNIT" and self.next.value == self.heading.value
        number, belongs = (self.second, self.third) if again else (self.next, self.second)
        if self.before != "NUMBER" or number.kind != "NUMBER":
            return False
        return belongs.kind not in COUNTED_TERMINALS or (self.heading.kind == "AT" and belongs.kind == "UNIT")


def _unit(place: _Context) -> str:
    if place.before == "LIST":
        return "" if place.word.value == place.heading.value else "LABEL"
    if place.word.value == HOUR and place.before == "NUMBER" and place.next.kind == "NUMBER":
        return "HOURS" if place.second.value == MINUTE else "UNIT"
    numbered = "NUMBER" in (place.next.kind, place.second.kind if place.next.kind == "MINUS" else "")
    return (
        "LABEL"
        if place.word.value in (DAY, WEEK) and numbered and place.before not in TERMINALS_BEFORE_UNIT
        else "UNIT"
    )


def _minus(place: _Context) -> str:
    if place.next.kind == "NUMBER":
        return "TO" if place.before == "NUMBER" else "MINUS"
    return "HYPHEN" if place.before == "NUMBER" and place.next.kind == "LY" else ""


AFTER_IN_TERMINALS = ("NUMBER", "A", "HALF", "MINUS", "SITE", "LAST", "ANY", "CONSECUTIVE")


def _in(place: _Context) -> str:
    """IN, or a route: 84 mg IN twice weekly, 84 mg i.n.; but 35 MG IV IN 40 MIN, 84 mg IN 2 times a week."""
    if not (place.written.isupper() or "." in place.written):
        return "IN"
    counted = place.next.kind == "NUMBER" and place.second.kind in ("TIMES", "X")
    of_visits = place.next.kind == "EVERY" and place.second.kind == "VISIT"
    return "IN" if of_visits or (place.next.kind in AFTER_IN_TERMINALS and not counted) else "ROUTE"


JOINABLE_TERMINALS = ("NAME", "CRITERION", "NO", "OPEN")  # beginnings of names and conditions that 'and' joins


def _and(place: _Context) -> str:
    if place.in_a_list():
        return "LIST"
    return "AND" if place.next.kind in JOINABLE_TERMINALS else ""


# Words whose terminal depends on their neighbours; "" means that the word is ignored here.
CONTEXT_RULES: dict[str, Callable[[_Context], str]] = {
    "A": lambda place: "A" if place.next.kind == "UNIT" else "",
    "AND": _and,
    "COMMA": lambda place: "LIST" if place.in_a_list() else "",
    "IN": _in,
    "DOSE": lambda place: "DOSE" if place.before in ("NUMBER", "MISSING") else "",
    "MINUS": _minus,
    "SEP": lambda place: "SEP" if place.before not in ("", "SEP") and place.next.kind else "",
    "UNIT": _unit,
}
END_OF_TEXT = Word("", None, 0, 0)
HEADING_TERMINALS = ("AT", "LABEL", "DOSE")
LIST_TERMINALS = ("NUMBER", "LIST", "MINUS", "TO", "")


def _in_context(words: list[Word], text: str) -> list[Word]:
    ahead = [*words, END_OF_TEXT, END_OF_TEXT, END_OF_TEXT]
    placed: list[Word] = []
    heading = END_OF_TEXT
    for i, word in enumerate(words):
        if word.kind in ("COMMA", "AND") and ahead[i + 1].kind == "AND":
            continue  # "2, 4, and 8"
        before = placed[-1].kind if placed else ""
        written = text[word.start : word.end]
        place = _Context(word, before, ahead[i + 1], ahead[i + 2], ahead[i + 3], heading, written)
        kind = CONTEXT_RULES[word.kind](place) if word.kind in CONTEXT_RULES else word.kind
        if kind not in LIST_TERMINALS:
            heading = word._replace(kind=kind) if kind in HEADING_TERMINALS else END_OF_TEXT
        if kind == "NUMBER":
            placed += _numbers(word, text, many=heading.kind in ("LABEL", "DOSE"))
        elif kind:
            placed.append(word._replace(kind=kind))
    while placed and placed[-1].kind == "SEP":
        placed.pop()
    return placed


def _numbers(word: Word, text: str, *, many: bool) -> list[Word]:
    """One number, or several joined by commas where `many` are allowed. Raises InputError for an ambiguous one."""
    if isinstance(word.value, float):
        return [word]
    shown = word.value.rstrip(".") if word.value.count(".") > 1 else word.value
    parts = shown.split(",")
    try:
        if len(parts) == 1:
            return [word._replace(value=float(shown))]
        if many:
            every = [word._replace(value=float(part)) for part in parts]
            joined = [item for one in every for item in (word._replace(kind="LIST"), one)]
            return joined[1:]
        if len(parts) == 2 and (len(parts[1]) != 3 or float(parts[0]) == 0):  # 1,000 may be a thousand
            return [word._replace(value=float(".".join(parts)))]
    except ValueError:
        pass
    what = f"{quoted(text, word.start, word.end)} can be read in more than one way"
    raise InputError(what, key="dose", expected="a number with a decimal point and nothing between thousands")
