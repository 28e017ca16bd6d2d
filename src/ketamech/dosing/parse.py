"""One parser for everything that is written about doses."""

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
from ketamech.dosing.parse_errors import STARTS, misfit
from ketamech.dosing.reader import Reader
from ketamech.dosing.syntax import Days, Span
from ketamech.dosing.tokens import Word, words

REMEMBERED = 4096  # texts
GRAMMAR = Path(__file__).with_name("grammar.lark")


class _Given(Lexer):
    """The terminals as `words` found them."""

    def __init__(self, conf: object) -> None:
        pass

    def lex(self, data: list[Word]) -> Iterator[Token]:  # type: ignore[override]
        for word in data:
            yield Token(word.kind, word.value, start_pos=word.start, end_pos=word.end)


@cache
def parser() -> Lark:
    """The tables of the grammar, kept on disk: making them takes a tenth of a second, reading them a hundredth."""
    text = GRAMMAR.read_text(encoding="utf-8")
    kept = cache_folder() / f"grammar-{hashlib.sha256(text.encode()).hexdigest()[:16]}.tables"
    with ignore_disk_errors():
        kept.parent.mkdir(parents=True, exist_ok=True)
    return Lark(text, **OPTIONS, cache=str(kept) if kept.parent.is_dir() else False)


OPTIONS: dict[str, Any] = {"parser": "lalr", "lexer": _Given, "start": list(STARTS), "propagate_positions": True}


@lru_cache(maxsize=REMEMBERED)
def parse(start: str, text: str, lexicon: Lexicon) -> Any:
    """What `text` says as a `start` of the grammar, in the values of `syntax`, which never change; a text is read once.

    Raises BadInput for a text that is too long, and for a word that is not understood or does not fit, by name and
    position.
    """
    found = words(text, lexicon)
    try:
        tree = parser().parse(found, start=start)
        return Reader(text).transform(tree)
    except UnexpectedToken as problem:
        position = None if problem.token.type == "$END" else problem.token.start_pos
        raise misfit(start, text, found, position, lexicon) from None
    except VisitError as problem:
        raise problem.orig_exc from None


def hours_of(text: str) -> float:
    """Hours of a duration or a numbered day. Raises BadInput."""
    return hours(parse("time", text, _no_names()))


def hours(time: Span | Days) -> float:
    """Hours of a parsed time; day 1 begins at 0 h."""
    return time.hours()[0] if isinstance(time, Days) else time.hours


def duration(text: str) -> float:
    """Hours of a duration. Raises BadInput, also for a numbered day."""
    found = parse("time", text, _no_names())
    if isinstance(found, Days):
        raise InputError(f"'{text}' is no duration", expected="such as 24 h, 28 days, 3 months")
    return found.hours


def share_of(text: str) -> float:
    """A share from a percentage. Raises BadInput."""
    return parse("share", text, _no_names())


@cache
def _no_names() -> Lexicon:
    return Lexicon({}, lambda name: InputError(f"'{name}' was not understood"))
