"""From the parser's tree to the values of `syntax.py`; what has two readings, or none, is an error with its position."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from lark import Token, Transformer, v_args

from ketamech.core import BadInput
from ketamech.core.time_units import DAY, HOUR, MONTH, WEEK
from ketamech.dosing.syntax import (
    Amount, Choice, Days, Endpoint, Item, Part, Phrase, Relapse, Rhythm, Span, Test,
)  # fmt: skip
from ketamech.dosing.tokens import quoted

PER_UNIT = {HOUR: "an hour", DAY: "a day", WEEK: "a week", MONTH: "a month"}
PLURAL = {DAY: "days", WEEK: "weeks", MONTH: "months"}
MOST_A_WEEK = 7
MOST_NUMBERS = 5000  # of a list such as "doses 2 to 40"
Children = list[Any]


def _last(children: Children) -> Any:
    return children[-1].value if isinstance(children[-1], Token) else children[-1]


def _share(percent: float) -> float:
    """2.01 % is the float 0.0201, and not its neighbour that a division of floats gives."""
    return float(Decimal(repr(percent)) / 100)


def _numbers(children: Children) -> tuple[float, ...]:
    return tuple(child for child in children if isinstance(child, float))


# Rules that are one thing said, and the value of each.
ITEMS: dict[str, Callable[[Children], Any]] = {
    "name": _last,
    "amount": _last,
    "route": _last,
    "salt": _last,
    "nothing": lambda children: None,
    "over": _last,
    "lasting": _last,
    "length": _last,
    "count": lambda children: _numbers(children)[0],
    "once": lambda children: None,
    "start": _last,
    "starts": lambda children: tuple(number * children[-1].value for number in _numbers(children)),
    "days": lambda children: Days(children[-2].value, children[-1]),
    "steady": lambda children: None,
    "lag": _last,
    "missing": lambda children: _share(children[1]),
    "missed": _last,
    "before": lambda children: children[0],
    "after": lambda children: children[0],
    "held": lambda children: None,
    "choice": lambda children: Choice(children[0], children[2], children[-1].value),
}


@v_args(meta=True)
class Reader(Transformer):  # type: ignore[type-arg]
    """The values of a tree of `text`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def __default__(self, data: Any, children: Children, meta: Any) -> Any:
        if data in ITEMS:
            return Item(str(data), ITEMS[data](children), meta.start_pos, meta.end_pos)
        raise AssertionError(f"no reading of the rule {data}")

    def _bad(self, meta: Any, why: str, key: str, expected: str, type_this: str | None = None) -> NoReturn:
        what = f"{quoted(self._text, meta.start_pos, meta.end_pos)} {why}"
        raise BadInput(what, key=key, expected=expected, type_this=type_this)

    # numbers, amounts, durations
    def number(self, meta: Any, children: Children) -> float:
        return float(children[0].value)

    def negative(self, meta: Any, children: Children) -> float:
        return -float(children[1].value)

    def range(self, meta: Any, children: Children) -> None:
        self._bad(meta, "is a range", "dose", "one number")

    def range_of_time(self, meta: Any, children: Children) -> None:
        self._bad(meta, "is a range", "schedule", "one number")

    def from_to(self, meta: Any, children: Children) -> tuple[float, ...]:
        first, last = _numbers(children)
        whole = all(map(math.isfinite, (first, last))) and first == int(first) and last == int(last)
        if not whole or not first <= last <= first + MOST_NUMBERS:
            self._bad(meta, "is no range of whole numbers", "schedule", "such as 2 to 5")
        return tuple(map(float, range(int(first), int(last) + 1)))

    def element(self, meta: Any, children: Children) -> tuple[float, ...]:
        return children[0] if isinstance(children[0], tuple) else (children[0],)

    def numbers(self, meta: Any, children: Children) -> tuple[float, ...]:
        return tuple(number for child in children if isinstance(child, tuple) for number in child)

    def by(self, meta: Any, children: Children) -> Token:
        return children[-1]

    def amount_of(self, meta: Any, children: Children) -> Amount:
        number, mass, *by = children
        times = [unit.value for unit in by if unit.type == "UNIT"]
        masses = len(by) - len(times)
        if len(times) > 1 or masses > 1 or any(size > HOUR for size in times):
            expected = "a mass, perhaps per kg and per h or min; how often is said in words"
            self._bad(meta, "is no dose", "dose", expected, "50 mg daily")
        rate = HOUR / times[0] if times else 1.0
        return Amount(number * rate, mass.value + "/kg" * masses + "/h" * len(times))

    def quantity(self, meta: Any, children: Children) -> Span:
        if isinstance(children[0], Span):
            return children[0]
        return Span(children[0] * children[1].value, children[1].value)

    def compound(self, meta: Any, children: Children) -> Span:
        number, hours, minutes, unit = children
        return Span(number * hours.value + minutes.value * unit.value, hours.value, compound=True)

    def half(self, meta: Any, children: Children) -> Span:
        return Span(children[-1].value / 2, children[-1].value)

    def one(self, meta: Any, children: Children) -> Span:
        return Span(children[-1].value, children[-1].value)

    def span(self, meta: Any, children: Children) -> Span:
        return children[0]

    # how often
    def days_per_week(self, meta: Any, children: Children) -> Rhythm:
        number, days, *_, weeks = children
        if (days.value, weeks.value) != (DAY, WEEK):
            self._bad(meta, "is no rhythm", "schedule", "such as 5 days a week")
        return self.times(meta, [number, weeks])

    def ly(self, meta: Any, children: Children) -> Rhythm:
        size = children[0].value
        return Rhythm(times_a_week=1) if size == WEEK else Rhythm(every=size)

    def every(self, meta: Any, children: Children) -> Rhythm:
        what = children[-1]
        if isinstance(what, Token):
            return Rhythm(every=what.value)
        if what.compound:
            self._bad(meta, "can be read in two ways", "schedule", f"'every {what.hours:g} h', or 'over' how long")
        return Rhythm(every=what.hours)

    def every_other(self, meta: Any, children: Children) -> Rhythm:
        return Rhythm(every=2 * children[-1].value)

    def every_nth(self, meta: Any, children: Children) -> Rhythm:
        number = children[1] if isinstance(children[1], float) else children[1].value
        return Rhythm(every=number * children[-1].value)

    def hyphen_ly(self, meta: Any, children: Children) -> Rhythm:
        return Rhythm(every=children[0] * children[-1].value)

    def number_ly(self, meta: Any, children: Children) -> Rhythm:
        number, size = children[0], children[1].value
        if size != HOUR:
            times = f"{number:g} times {PER_UNIT.get(size, 'a year')}"
            expected = f"'{times}' or 'every {number:g} {PLURAL.get(size, 'years')}'"
            self._bad(meta, "can be read in two ways", "schedule", expected)
        return Rhythm(every=number * size)

    def times(self, meta: Any, children: Children) -> Rhythm:
        number = children[0] if isinstance(children[0], float) else float(children[0].value or 1)
        size = children[-1].value
        whole = math.isfinite(number) and number == int(number) and number >= 1
        if size == WEEK:
            if not whole or number > MOST_A_WEEK:
                expected = f"1 to {MOST_A_WEEK} times a week, a whole number"
                self._bad(meta, "is no rhythm", "schedule", expected)
            return Rhythm(times_a_week=int(number))
        if not whole:
            expected = f"a whole number of times {PER_UNIT.get(size, 'in a time')}, at least 1"
            self._bad(meta, "is no rhythm", "schedule", expected, "3 times a day")
        return Rhythm(every=size / number)

    # treatments and what is done beside them
    def item(self, meta: Any, children: Children) -> Item:
        return Item("rhythm", children[0], *_place(meta))

    def segment(self, meta: Any, children: Children) -> tuple[Item, ...]:
        return tuple(item for item in children if item.kind != "nothing")

    def part(self, meta: Any, children: Children) -> Part:
        segments = tuple(child for child in children if isinstance(child, tuple))
        beside = tuple(child for child in children if isinstance(child, Phrase))
        return Part(segments, beside, None, *_place(meta))

    def again_on_relapse(self, meta: Any, children: Children) -> Part:
        return Part((), (), "relapse", *_place(meta))

    def again_when(self, meta: Any, children: Children) -> Part:
        return Part((), (), children[-1], *_place(meta))

    def sentence(self, meta: Any, children: Children) -> tuple[Part, ...]:
        return tuple(child for child in children if isinstance(child, Part))

    def phrase(self, meta: Any, children: Children) -> Phrase:
        return Phrase(tuple(children), *_place(meta))

    def dose_form(self, meta: Any, children: Children) -> tuple[str, Amount, float]:
        share = children[-1] if isinstance(children[-1], float) else 1.0
        return children[0].value, children[1], share

    # times, shares, conditions, endpoints
    def duration(self, meta: Any, children: Children) -> Span:
        return Span(sum(span.hours for span in children), children[-1].unit)

    def label(self, meta: Any, children: Children) -> Days:
        return Days(children[0].value, (children[1],))

    def share(self, meta: Any, children: Children) -> float:
        return _share(children[0])

    def reached(self, meta: Any, children: Children) -> Test:
        return Test(children[1].value, children[0].value)

    def not_reached(self, meta: Any, children: Children) -> Test:
        return Test(children[2].value, f"no {children[1].value}")

    def compared(self, meta: Any, children: Children) -> Test:
        return Test(children[0].value, children[1].value, children[2])

    def falls(self, meta: Any, children: Children) -> Test:
        test = "falls by" if children[2].type == "BY" else "falls less than"
        return Test(children[0].value, test, _share(children[3]))

    def relapse(self, meta: Any, children: Children) -> Relapse:
        name, sign, number, *_, since = children
        if sign.value != ">":
            self._bad(meta, "is no relapse", "relapse", "more than a share of baseline", "MADRS > 50 % of baseline")
        return Relapse(name.value, _share(number), since)

    def endpoints(self, meta: Any, children: Children) -> tuple[Endpoint, ...]:
        return tuple(child for child in children if isinstance(child, Endpoint))

    def at(self, meta: Any, children: Children) -> Endpoint:
        return Endpoint(children[0].value, children[-1], "", *_place(meta))

    def extreme(self, meta: Any, children: Children) -> Endpoint:
        return Endpoint(children[0].value, None, children[1].value, *_place(meta))


def _place(meta: Any) -> tuple[int, int]:
    """Where a rule stands in the text; an empty one stands nowhere."""
    return (0, 0) if meta.empty else (meta.start_pos, meta.end_pos)
