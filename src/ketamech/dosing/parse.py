"""The parser of all texts about doses: regimens, perturbations, times, conditions, endpoints.

`grammar.lark` states what may be written, `TreeReader` converts the parse tree into the values of `parsed_values`.
Ambiguous text is an error with its position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NoReturn

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedToken, VisitError
from lark.lexer import Lexer

from ketamech.core import InputError, cache_folder
from ketamech.core.atomic_files import ignore_disk_errors
from ketamech.core.environment import short_hash
from ketamech.core.units import DAY, HOUR, MONTH, WEEK
from ketamech.dosing.lexicon import MANY_DOSES, MAX_TEXT_LENGTH, Lexicon, Word, quoted, tokenize
from ketamech.dosing.parse_errors import STARTS, DoseRangeError, unexpected_word_error
from ketamech.dosing.parsed_values import (
    AdaptiveFrequency,
    Amount,
    CombinedCondition,
    Condition,
    Days,
    Frequency,
    Item,
    LookBack,
    ParsedEndpoint,
    Part,
    Phrase,
    RelapseCriterion,
    Span,
    TitratedAmount,
)  # fmt: skip

PER_UNIT = {HOUR: "an hour", DAY: "a day", WEEK: "a week", MONTH: "a month"}
UNIT_PLURALS = {DAY: "days", WEEK: "weeks", MONTH: "months"}
MAX_TIMES_A_WEEK = 7
MAX_LIST_LENGTH = 5000  # of a list such as "doses 2 to 40"
Children = list[Any]


def _value(child: Any) -> Any:
    return child.value if isinstance(child, Token) else child


def _last(children: Children) -> Any:
    return _value(children[-1])


def _share(percent: float) -> float:
    """A fraction from a percentage, in decimal arithmetic: 2.01 % is exactly the float 0.0201."""
    return float(Decimal(repr(percent)) / 100)


def _of(kind: type, children: Children) -> tuple[Any, ...]:
    return tuple(child for child in children if isinstance(child, kind))


def _lists(children: Children) -> tuple[float, ...]:
    return tuple(number for part in _of(tuple, children) for number in part)


# Rules that become an item of a treatment or a perturbation, with the value of each.
ITEMS: dict[str, Callable[[Children], Any]] = {
    "name": _last,
    "amount": _last,
    "route": _last,
    "salt": _last,
    "nothing": lambda children: None,
    "over": _last,
    "lasting": _last,
    "length": _last,
    "count": lambda children: _of(float, children)[0],
    "once": lambda children: None,
    "start": _last,
    "starts": lambda children: tuple(number * children[-1].value for number in _of(float, children)),
    "days": lambda children: Days(children[-2].value, children[-1]),
    "steady": lambda children: None,
    "lag": _last,
    "missing": lambda children: _share(children[1]),
    "missed": _last,
    "before": lambda children: children[0],
    "after": lambda children: children[0],
    "held": lambda children: None,
    "repeated": _last,
    "choice": lambda children: AdaptiveFrequency(children[0], children[2], children[-1].value),
}
# Rules whose values are parts of others.
VALUES: dict[str, Callable[[Children], Any]] = {
    "number": lambda children: float(children[0].value),
    "negative": lambda children: -float(children[1].value),
    "element": lambda children: children[0] if isinstance(children[0], tuple) else (children[0],),
    "numbers": _lists,
    "by": lambda children: children[-1],
    "quantity": lambda children: (
        children[0] if isinstance(children[0], Span) else Span(children[0] * children[1].value, children[1].value)
    ),
    "compound": lambda children: Span(
        children[0] * children[1].value + children[2].value * children[3].value, children[1].value, compound=True
    ),
    "half": lambda children: Span(children[-1].value / 2, children[-1].value),
    "one": lambda children: Span(children[-1].value, children[-1].value),
    "span": _last,
    "ly": lambda children: _frequency(1.0, children[0].value),
    "every_other": lambda children: Frequency(every=2 * children[-1].value),
    "every_nth": lambda children: Frequency(every=_value(children[1]) * children[-1].value),
    "hyphen_ly": lambda children: Frequency(every=children[0] * children[-1].value),
    "segment": lambda children: tuple(item for item in children if item.kind != "nothing"),
    "sentence": lambda children: _of(Part, children),
    "dose_form": lambda children: (children[0].value, children[1], (*_of(float, children), 1.0)[0]),
    "duration": lambda children: Span(sum(span.hours for span in children), children[-1].unit),
    "label": lambda children: Days(children[0].value, (children[1],)),
    "share": lambda children: _share(children[0]),
    "reached": lambda children: Condition(children[1].value, children[0].value),
    "not_reached": lambda children: Condition(children[2].value, f"no {children[1].value}"),
    "compared": lambda children: Condition(children[0].value, children[1].value, children[2]),
    "falls": lambda children: Condition(
        children[0].value, "falls by" if children[2].type == "BY" else "falls less than", _share(children[3])
    ),
    "relative": lambda children: Condition(children[0].value, f"{children[1].value} of baseline", _share(children[2])),
    "rises": lambda children: Condition(children[0].value, "rises by", children[-1]),
    "rated_at": lambda children: replace(children[0], look_back=children[-1]),
    "group": lambda children: [children[1]],  # a list, so that brackets are known one level up
    "all_of": lambda children: _combined(True, children),
    "any_visit": lambda children: LookBack(1, None),
    "every_visit": lambda children: LookBack(None, None),
    "endpoints": lambda children: _of(ParsedEndpoint, children),
}


def _combined(every: bool, children: Children) -> Any:
    """Conditions joined by one word; a single one is itself, with its brackets."""
    parts = [child for child in children if not isinstance(child, Token)]
    if len(parts) == 1:
        return parts[0]
    return CombinedCondition(every, tuple(part[0] if isinstance(part, list) else part for part in parts))


def _frequency(times: float, size: float) -> Frequency:
    """A number of doses in a unit of time; doses of a week have their own pattern of days."""
    return Frequency(times_a_week=int(times)) if size == WEEK else Frequency(every=size / times)


@v_args(meta=True)
class TreeReader(Transformer):
    """The values of a parse tree of `text`; the methods are the rules that need the position in the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def __default__(self, data: Any, children: Children, meta: Any) -> Any:
        if data in ITEMS:
            return Item(str(data), ITEMS[data](children), meta.start_pos, meta.end_pos)
        return VALUES[data](children)

    def _raise_error(self, meta: Any, why: str, key: str, expected: str, type_this: str | None = None) -> NoReturn:
        what = f"{quoted(self._text, meta.start_pos, meta.end_pos)} {why}"
        raise InputError(what, key=key, expected=expected, type_this=type_this)

    def range(self, meta: Any, children: Children) -> None:
        """Several doses. Raises DoseRangeError."""
        what = f"{quoted(self._text, meta.start_pos, meta.end_pos)} is a range"
        low, high = sorted(_of(float, children))[:2]
        masses = [child for child in children if isinstance(child, Token) and child.type == "MASS"]
        unit = self._text[masses[-1].start_pos : meta.end_pos]
        problem = DoseRangeError(what, key="dose", expected="one number")
        problem.text, problem.highest = self._text, f"{high:g} {unit}"
        problem.with_lowest = f"{self._text[: meta.start_pos]}{low:g} {unit}{self._text[meta.end_pos :]}"
        raise problem

    def titrated_amount(self, meta: Any, children: Children) -> TitratedAmount:
        """56 to 84 mg by response and tolerability."""
        low, _, high, *rest = children
        amount = self.amount_of(meta, [low, *rest[:-1]])
        if not 0 < low < high:
            self._raise_error(meta, "is not a titration", "dose", "a lower and a higher dose", "56 to 84 mg")
        return TitratedAmount(amount.number, amount.unit, amount.number * high / low)

    def range_of_time(self, meta: Any, children: Children) -> None:
        """A range of times."""
        self._raise_error(meta, "is a range", "schedule", "one number")

    def from_to(self, meta: Any, children: Children) -> tuple[float, ...]:
        """Whole numbers of a list, such as days 1 to 5."""
        first, last = _of(float, children)
        whole = all(map(math.isfinite, (first, last))) and first == int(first) and last == int(last)
        if not whole or not first <= last <= first + MAX_LIST_LENGTH:
            self._raise_error(meta, "is no range of whole numbers", "schedule", "such as 2 to 5")
        return tuple(map(float, range(int(first), int(last) + 1)))

    def amount_of(self, meta: Any, children: Children) -> Amount:
        """A mass, optionally per kg or m2 and per time; a rate per minute is converted to a rate per hour."""
        number, mass, *by = children
        times = [unit.value for unit in by if unit.type == "UNIT"]
        bodies = [f"/{unit.value}" for unit in by if unit.type == "KG"]
        if len(times) > 1 or len(bodies) > 1 or any(size > HOUR for size in times):
            expected = "a mass, perhaps per kg or m2 and per h or min; the frequency in words"
            self._raise_error(meta, "is no dose", "dose", expected, "50 mg daily")
        rate = HOUR / times[0] if times else 1.0
        return Amount(number * rate, mass.value + "".join(bodies) + "/h" * len(times))

    def every(self, meta: Any, children: Children) -> Frequency:
        """Every day, every 12 h; "every 12 h 30 min" may be a frequency or a frequency and a duration."""
        what = children[-1]
        if isinstance(what, Token):
            return Frequency(every=what.value)
        if what.compound:
            self._raise_error(
                meta, "can be read in two ways", "schedule", f"'every {what.hours:g} h', or 'over' how long"
            )
        return Frequency(every=what.hours)

    def number_ly(self, meta: Any, children: Children) -> Frequency:
        """ "8 hourly" is every 8 hours; "4 weekly" is 4 times a week to some and every 4 weeks to others."""
        number, size = children[0], children[1].value
        if size != HOUR:
            times = f"{number:g} times {PER_UNIT.get(size, 'a year')}"
            expected = f"'{times}' or 'every {number:g} {UNIT_PLURALS.get(size, 'years')}'"
            self._raise_error(meta, "can be read in two ways", "schedule", expected)
        return Frequency(every=number * size)

    def days_per_week(self, meta: Any, children: Children) -> Frequency:
        """5 days a week."""
        number, days, *_, weeks = children
        if (days.value, weeks.value) != (DAY, WEEK):
            self._raise_error(meta, "is not a dosing frequency", "schedule", "such as 5 days a week")
        return self.times(meta, [number, weeks])

    def apart(self, meta: Any, children: Children) -> Frequency:
        """Doses a time apart, such as one week."""
        return self.every(meta, children[-2:-1])

    def times(self, meta: Any, children: Children) -> Frequency:
        """Twice weekly, 3 times a day."""
        once = isinstance(children[0], Token) and children[0].type == "ONCE"
        number, size = 1.0 if once else float(_value(children[0])), children[-1].value
        whole = math.isfinite(number) and number == int(number) and number >= 1
        if not whole or (size == WEEK and number > MAX_TIMES_A_WEEK):
            least = f"1 to {MAX_TIMES_A_WEEK} times a week" if size == WEEK else "at least once"
            self._raise_error(
                meta, "is not a dosing frequency", "schedule", f"{least}, a whole number", "3 times a week"
            )
        return _frequency(number, size)

    def item(self, meta: Any, children: Children) -> Item:
        """A frequency, the one item whose rule has several forms."""
        return Item("frequency", children[0], *_place(meta))

    def part(self, meta: Any, children: Children) -> Part:
        """One treatment."""
        return Part(_of(tuple, children), _of(Phrase, children), None, *_place(meta))

    def again_on_relapse(self, meta: Any, children: Children) -> Part:
        """Reinduction on a relapse."""
        return Part((), (), "relapse", *_place(meta))

    def again_when(self, meta: Any, children: Children) -> Part:
        """Reinduction when a condition is met."""
        return Part((), (), children[-1], *_place(meta))

    def phrase(self, meta: Any, children: Children) -> Phrase:
        """A perturbation."""
        return Phrase(tuple(children), *_place(meta))

    def condition(self, meta: Any, children: Children) -> Any:
        """Conditions joined by 'or'; 'and' beside it needs brackets."""
        parts = [child for child in children if not isinstance(child, Token)]
        if len(parts) > 1 and any(isinstance(part, CombinedCondition) for part in parts):
            expected = "brackets around what belongs together"
            self._raise_error(meta, "can be read in two ways", "when", expected, "(A and B) or C")
        combined = _combined(False, children)
        return combined[0] if isinstance(combined, list) else combined

    def last_visits(self, meta: Any, children: Children) -> LookBack:
        """The last visit, the last 2 visits, 2 consecutive visits: all of them count."""
        (count,) = _of(float, children) or (1.0,)
        return LookBack(self._visits(meta, count), int(count))

    def some_visits(self, meta: Any, children: Children) -> LookBack:
        """3 of the last 4 visits."""
        count, last = _of(float, children)
        if count > last:
            self._raise_error(meta, "is not possible", "when", "such as 3 of the last 4 visits")
        return LookBack(self._visits(meta, count), self._visits(meta, last))

    def _visits(self, meta: Any, number: float) -> int:
        if not math.isfinite(number) or number != int(number) or number < 1:
            self._raise_error(
                meta, "is no number of visits", "when", "a whole number from 1", "at 3 of the last 4 visits"
            )
        return int(number)

    def relapse(self, meta: Any, children: Children) -> RelapseCriterion:
        """A rating above a fraction of baseline, from a time on."""
        name, sign, number, *_, since = children
        if sign.value != ">":
            self._raise_error(
                meta, "is no relapse", "relapse", "more than a share of baseline", "MADRS > 50 % of baseline"
            )
        return RelapseCriterion(name.value, _share(number), since)

    def at(self, meta: Any, children: Children) -> ParsedEndpoint:
        """An output at a time."""
        return ParsedEndpoint(children[0].value, children[-1], "", *_place(meta))

    def extreme(self, meta: Any, children: Children) -> ParsedEndpoint:
        """The peak or the lowest value of an output."""
        return ParsedEndpoint(children[0].value, None, children[1].value, *_place(meta))


def _place(meta: Any) -> tuple[int, int]:
    """Start and end of a rule in the text; (0, 0) for an empty rule."""
    return (0, 0) if meta.empty else (meta.start_pos, meta.end_pos)


CACHE_SIZE = 4096  # texts
GRAMMAR_FILE = Path(__file__).with_name("grammar.lark")


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
    text = GRAMMAR_FILE.read_text(encoding="utf-8")
    tables = cache_folder() / f"grammar-{short_hash(text)}.tables"
    with ignore_disk_errors():
        tables.parent.mkdir(parents=True, exist_ok=True)
    return Lark(text, **PARSER_OPTIONS, cache=str(tables) if tables.parent.is_dir() else False)


PARSER_OPTIONS: dict[str, Any] = {
    "parser": "lalr",
    "lexer": _WordLexer,
    "start": list(STARTS),
    "propagate_positions": True,
}


@lru_cache(maxsize=CACHE_SIZE)
def parse(start: str, text: str, lexicon: Lexicon) -> Any:
    """The values (see `parsed_values`, immutable) of a `text` for the rule `start` of the grammar; results are cached.

    Raises InputError for a text that is too long, and for a word that is unknown or out of place, with its position.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise _too_long_error(start, text)
    words = tokenize(text, lexicon)
    try:
        tree = parser().parse(words, start=start)
        return TreeReader(text).transform(tree)
    except UnexpectedToken as problem:
        position = None if problem.token.type == "$END" else problem.token.start_pos
        raise unexpected_word_error(start, text, words, position, lexicon) from None
    except VisitError as problem:
        raise problem.orig_exc from None


def _too_long_error(start: str, text: str) -> InputError:
    what, expected = f"a text of {len(text):,} characters is too long", f"at most {MAX_TEXT_LENGTH} characters"
    if start != "sentence":
        return InputError(what, expected=expected)
    return InputError(what, expected=expected + MANY_DOSES, type_this="ketamech simulate doses.csv")


def parse_time(text: str) -> float:
    """The time (h) of a duration ("28 days") or a numbered day ("day 8": 168 h). Raises InputError."""
    return hours_of(parse("time", text, _empty_lexicon()))


def hours_of(time: Span | Days) -> float:
    """The time (h) of a parsed time; day 1 begins at 0 h. Raises InputError for a numbered week."""
    if isinstance(time, Span):
        return time.hours
    if time.unit == WEEK:
        number = time.numbers[0]
        what = f"'week {number:g}' can be read in two ways"
        expected = f"'day {7 * number - 6:g}', its first day, or '{number:g} weeks' after the start"
        raise InputError(what, key="time", expected=expected)
    return time.hours()[0]


def parse_duration(text: str) -> float:
    """The length (h) of a duration. Raises InputError, also for a numbered day."""
    span = parse("time", text, _empty_lexicon())
    if isinstance(span, Days):
        raise InputError(f"'{text}' is not a duration", expected="such as 24 h, 28 days, 3 months")
    return span.hours


def parse_percentage(text: str) -> float:
    """A fraction from a percentage. Raises InputError."""
    return parse("share", text, _empty_lexicon())


@cache
def _empty_lexicon() -> Lexicon:
    return Lexicon({}, lambda name: InputError(f"'{name}' is not known"))
