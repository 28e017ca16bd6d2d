"""The spread column: `lognormal 0.3`, `normal 0.1`, `uniform 0.5 2` or `fixed`."""

from __future__ import annotations

from ketamech.core import closest_match
from ketamech.core.csv_table import CsvRow
from ketamech.parameters.parameter import Distribution

SPREAD_FORMS = "lognormal SD-of-log | normal SD | uniform low high | fixed"
_NUMBERS = {"lognormal": 1, "normal": 1, "uniform": 2, "fixed": 0}


def parse_spread_text(row: CsvRow, value: float) -> Distribution:
    """The distribution of a row whose value is `value`; raises InputError."""
    kind, *texts = row.required("spread", SPREAD_FORMS).split()
    if kind not in _NUMBERS:
        near = closest_match(kind, _NUMBERS)
        raise row.error("spread", f"'{kind}' is not a kind of spread", expected=SPREAD_FORMS, near=near)
    numbers = _numbers(row, texts)
    if len(numbers) != _NUMBERS[kind]:
        raise row.error("spread", f"'{row['spread']}' has {len(numbers)} numbers", expected=SPREAD_FORMS)
    if problem := _problem(kind, numbers, value):
        raise row.error("spread", f"'{row['spread']}' is invalid: {problem}", expected=SPREAD_FORMS)
    return Distribution(kind, *numbers)


def _numbers(row: CsvRow, texts: list[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError as problem:
        what = f"'{row['spread']}' contains something that is not a number"
        raise row.error("spread", what, expected=SPREAD_FORMS) from problem


def _problem(kind: str, numbers: list[float], value: float) -> str:
    if any(number - number != 0 for number in numbers):
        return "numbers must be finite"
    if kind in ("lognormal", "normal") and numbers[0] <= 0:
        return "the SD must be above 0"
    if kind == "lognormal" and value <= 0:
        return "a lognormal value must be above 0"
    if kind == "uniform" and not numbers[0] <= value <= numbers[1]:
        return f"the value {value:g} is outside"
    return "low and high are equal" if kind == "uniform" and numbers[0] == numbers[1] else ""
