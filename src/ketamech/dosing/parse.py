"""The parser of all texts about doses: regimens, perturbations, times, conditions, endpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedToken, VisitError
from lark.lexer import Lexer

from ketamech.core import InputError, cache_folder
from ketamech.core.atomic_files import ignore_disk_errors
from ketamech.dosing.lexicon import Lexicon
from ketamech.dosing.parse_errors import STARTS, unexpected_word_error
from ketamech.dosing.reader import Reader
from ketamech.dosing.syntax import Days, Span
from ketamech.dosing.tokens import Word, tokenize

CACHE_SIZE = 4096  # texts
GRAMMAR = Path(__file__).with_name("grammar.lark")


class _WordLexer(Lexer):
    """A lark lexer that passes on the terminals found by `tokenize`."""

    def __init__(self, conf: object) -> None:
        pass

    def lex(self, data: list[Word]) -> Iterator[Token]:  # type: ignore[override]
        for word in data:
            yield Token(word.kind, word.value, start_pos=word.start, end_pos=word.end)


@cache
def parser() -> Lark:
    """The parser with the tables of the grammar, which are cached on disk (0.1 s to compute, 0.01 s to read)."""
    text = GRAMMAR.read_text(encoding="utf-8")
    tables = cache_folder() / f"grammar-{hashlib.sha256(text.encode()).hexdigest()[:16]}.tables"
    with ignore_disk_errors():
        tables.parent.mkdir(parents=True, exist_ok=True)
    return Lark(text, **OPTIONS, cache=str(tables) if tables.parent.is_dir() else False)


OPTIONS: dict[str, Any] = {"parser": "lalr", "lexer": _WordLexer, "start": list(STARTS), "propagate_positions": True}


@lru_cache(maxsize=CACHE_SIZE)
def parse(start: str, text: str, lexicon: Lexicon) -> Any:
    """The values (see `syntax`, immutable) of a `text` for the rule `start` of the grammar; results are cached.

    Raises InputError for a text that is too long, and for a word that is unknown or out of place, with its position.
    """
    found = tokenize(text, lexicon)
    try:
        tree = parser().parse(found, start=start)
        return Reader(text).transform(tree)
    except UnexpectedToken as problem:
        position = None if problem.token.type == "$END" else problem.token.start_pos
        raise unexpected_word_error(start, text, found, position, lexicon) from None
    except VisitError as problem:
        raise problem.orig_exc from None


def parse_time(text: str) -> float:
    """The time (h) of a duration ("28 days") or a numbered day ("day 8": 168 h). Raises InputError."""
    return hours_of(parse("time", text, _empty_lexicon()))


def hours_of(time: Span | Days) -> float:
    """The time (h) of a parsed time; day 1 begins at 0 h."""
    return time.hours()[0] if isinstance(time, Days) else time.hours


def parse_duration(text: str) -> float:
    """The length (h) of a duration. Raises InputError, also for a numbered day."""
    found = parse("time", text, _empty_lexicon())
    if isinstance(found, Days):
        raise InputError(f"'{text}' is not a duration", expected="such as 24 h, 28 days, 3 months")
    return found.hours


def parse_percentage(text: str) -> float:
    """A fraction from a percentage. Raises InputError."""
    return parse("share", text, _empty_lexicon())


@cache
def _empty_lexicon() -> Lexicon:
    return Lexicon({}, lambda name: InputError(f"'{name}' is not known"))
