"""An observable: one number from simulated curves, as a publication reports it.

It is a statistic (value, peak, area, half-life, clearance, time above a level) of an expression of outputs, such as
"plasma.esketamine + plasma.arketamine".
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ketamech.core import InputError, require_known, unit
from ketamech.core.units import combine, format_dimensions
from ketamech.simulation.nca import INFUSION, LINEAR, NcaDose, NcaResult, NcaRules, log_regression, non_compartmental

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@lru_cache(maxsize=4096)
def names_in(text: str) -> tuple[str, ...]:
    """The outputs in an expression."""
    return tuple(ast.unparse(node) for node in ast.walk(_tree(text)) if isinstance(node, ast.Attribute))


def value_of(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression over `values` {output: number or array}. Raises UnknownNameError."""
    return values[text] if text in values else _value(_tree(text), values)


def unit_of(text: str, units: Mapping[str, str]) -> str:
    """Canonical unit of the expression; raises InputError if a sum mixes dimensions."""
    return format_dimensions(_dimensions(_tree(text), units, text))


@lru_cache(maxsize=4096)
def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as problem:
        raise InputError(f"'{text}' is not an expression of outputs", expected="stage.thing, + - * /") from problem


def _known(node: ast.expr, values: Mapping[str, Any]) -> Any:
    name = ast.unparse(node)
    require_known(name, values, f"the model has no output '{name}'")
    return values[name]


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    return _known(node, values)


def _dimensions(node: ast.expr, units: Mapping[str, str], text: str) -> Any:
    if isinstance(node, ast.Constant):
        return ()
    if not isinstance(node, ast.BinOp):
        return unit(_known(node, units)).dims
    left, right = (_dimensions(side, units, text) for side in (node.left, node.right))
    if isinstance(node.op, ast.Mult | ast.Div):
        return combine(left, right, 1 if isinstance(node.op, ast.Mult) else -1)
    if left != right:
        what = f"'{text}' adds {format_dimensions(right)} to {format_dimensions(left)}"
        raise InputError(what, expected="one dimension in a sum")
    return left


_WINDOW = re.compile(r"^([\d.]+)\s*-\s*([\d.]+)$")
_CONDITION = re.compile(r"^(.+?)([<>])\s*(-?[\d.]+)$")


@dataclass(frozen=True)
class TimeCourseWindow:
    """Curves over `time` (h), the times or window to read (`hours`, h), a threshold `level`, and the `dose` (umol)."""

    time: np.ndarray
    curves: list[np.ndarray]
    hours: np.ndarray
    level: float
    dose: float

    def at_times(self, which: int = 0) -> np.ndarray:
        """Values at `hours` of curve number `which`, by linear interpolation."""
        return np.interp(self.hours, self.time, self.curves[which])

    def window(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (h) and values of the first curve from the first to the last of `hours`, both ends included."""
        start, end = self.hours[0], self.hours[-1]
        inside = self.time[(self.time > start) & (self.time < end)]
        hours = np.concatenate([[start], inside, [end]])
        return hours, np.interp(hours, self.time, self.curves[0])


def reading_times(when: str, time: np.ndarray, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The times (h) of a text: "" both ends, "24", "0-6", "1;2;3", or a condition "stage.thing>0.5".

    `time` (h) and `outputs` {name: values} are curves over [time]. A condition gives the last time at which it becomes
    true, or NaN. Raises InputError for another text.
    """
    text = when.strip()
    if not text:
        return time[[0, -1]]
    if match := _WINDOW.match(text):
        return np.array([float(match[1]), float(match[2])])
    if match := _CONDITION.match(text):
        sign = 1.0 if match[2] == ">" else -1.0
        return _crossing_time(time, sign * (value_of(match[1], outputs) - float(match[3])))
    try:
        return np.array([float(part) for part in text.split(";")])
    except ValueError as problem:
        raise InputError(f"'{when}' is not a time", expected="24 | 0-6 | 1;2;3 | stage.thing>0.5") from problem


def _crossing_time(time: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Last crossing from below to above zero; NaN when there is none."""
    rising = np.flatnonzero((excess[:-1] <= 0) & (excess[1:] > 0))
    if not len(rising):
        return np.array([np.nan])
    i = rising[-1]
    return np.array([time[i] - excess[i] * (time[i + 1] - time[i]) / (excess[i + 1] - excess[i])])


def _extreme(best: Callable[[np.ndarray], int], field: str) -> Callable[[TimeCourseWindow], float]:
    def statistic(trace: TimeCourseWindow) -> float:
        hours, values = trace.window()
        if np.isnan(values).any():
            return float("nan")
        i = best(values)
        return float(values[i] if field == "value" else hours[i])

    return statistic


def _mean(trace: TimeCourseWindow) -> float:
    hours, _ = trace.window()
    return _area(trace) / float(hours[-1] - hours[0])


def _area(trace: TimeCourseWindow) -> float:
    hours, values = trace.window()
    return float(np.trapezoid(values, hours))


def _area_ratio(trace: TimeCourseWindow) -> float:
    """Area of the first curve over area of the second."""
    first, second = (TimeCourseWindow(trace.time, [curve], trace.hours, 0.0, 0.0) for curve in trace.curves)
    return _area(first) / _area(second)


def _relative(trace: TimeCourseWindow) -> float:
    """Value at the first time over value at the second."""
    first, second = trace.at_times()
    return float(first / second) if second else float("nan")


def _first_above(trace: TimeCourseWindow) -> float:
    """Time (h) at which the curve first exceeds the level, by linear interpolation; NaN if it never does."""
    hours, values = trace.window()
    above = np.flatnonzero(values > trace.level)
    if not len(above):
        return float("nan")
    i = above[0]
    return float(np.interp(trace.level, values[i - 1 : i + 1], hours[i - 1 : i + 1]) if i else hours[0])


def _last_above(trace: TimeCourseWindow) -> float:
    """Time (h) at which the curve last falls to the level, by linear interpolation; NaN if it does not."""
    hours, values = trace.window()
    above = np.flatnonzero(values > trace.level)
    if not len(above) or above[-1] == len(values) - 1:
        return float("nan")
    i = above[-1]
    return float(np.interp(trace.level, values[[i + 1, i]], hours[[i + 1, i]]))


def _half_life(trace: TimeCourseWindow) -> float:
    """Half-life (h) from the slope of the logarithm between two times; NaN unless the curve falls."""
    hours, values = trace.window()
    if not np.all(values > 0):
        return float("nan")
    fit = log_regression(hours, np.log(values))
    return fit.half_life if fit else float("nan")


def _analysed(trace: TimeCourseWindow) -> NcaResult:
    """The non-compartmental analysis of a simulated curve: linear areas, terminal slope of its last quarter."""
    hours, values = trace.window()
    begin = hours[0] + 0.75 * (hours[-1] - hours[0])
    grid = np.union1d(hours, [begin])
    rules = NcaRules(LINEAR, terminal_window=(begin, float(hours[-1])))
    return non_compartmental(grid, np.interp(grid, hours, values), NcaDose(trace.dose, INFUSION), rules)


def _hours_above(trace: TimeCourseWindow, sign: float = 1.0) -> float:
    """Time (h) above the level, with crossings by linear interpolation."""
    hours, values = trace.window()
    if np.isnan(values).any():
        return float("nan")
    excess = sign * (values - trace.level)
    before, after = excess[:-1], excess[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(before * after < 0, np.maximum(before, after) / np.abs(after - before), before + after > 0)
    return float(np.sum(share * np.diff(hours)))


REDUCTIONS: dict[str, Callable[[TimeCourseWindow], float]] = {
    "at": lambda trace: float(trace.at_times()[0]),
    "of_dose": lambda trace: float(trace.at_times()[0]) / trace.dose,
    "max": _extreme(lambda values: int(np.argmax(values)), "value"),
    "min": _extreme(lambda values: int(np.argmin(values)), "value"),
    "tmax": _extreme(lambda values: int(np.argmax(values)), "hours"),
    "tmin": _extreme(lambda values: int(np.argmin(values)), "hours"),
    "mean": _mean,
    "auc": _area,
    "auc_ratio": _area_ratio,
    "relative": _relative,
    "first_above": _first_above,
    "last_above": _last_above,
    "half_life": _half_life,
    "clearance": lambda trace: _analysed(trace)["CLO"],
    "steady_volume": lambda trace: _analysed(trace)["VSSO"],
    "time_above": _hours_above,
    "time_below": lambda trace: _hours_above(trace, -1.0),
    "correlation": lambda trace: float(np.corrcoef(trace.at_times(0), trace.at_times(1))[0, 1]),
}
_TIME_STATISTICS = ("tmax", "tmin", "half_life", "time_above", "time_below", "first_above", "last_above")


def result_unit(reduction: str, own: str) -> str:
    """Canonical unit of a statistic of a curve with the unit `own`."""
    if reduction in _TIME_STATISTICS:
        return "h"
    if reduction in ("correlation", "auc_ratio", "relative", "of_dose"):
        return "1"
    if reduction == "auc":
        return format_dimensions(combine(unit(own).dims, unit("h").dims, 1))
    return {"clearance": "L/h", "steady_volume": "L"}.get(reduction, own)


RELATIVE_TO: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "value": lambda y, baseline: y,
    "of_rest": lambda y, baseline: y / baseline,
    "change": lambda y, baseline: y - baseline,
    "rise": lambda y, baseline: y / baseline - 1,
    "fall": lambda y, baseline: baseline - y,
    "restored": lambda y, baseline: (y - baseline) / (1 - baseline),  # fraction of the deficit, where healthy = 1
    "of_peak": lambda y, baseline: y / np.max(y),
}
CONTRASTS: dict[str, Callable[[float, float], float]] = {
    "": lambda value, control: value,
    "difference": lambda value, control: value - control,
    "fold": lambda value, control: value / control,
    "rise": lambda value, control: value / control - 1,
    "fall": lambda value, control: 1 - value / control,
}
_FRACTION_MEASURES = ("of_rest", "rise", "restored", "of_peak")


@dataclass(frozen=True)
class TimeCourse:
    """One simulated patient: times (h), every output [time], its drug-free values, and the total dose (umol)."""

    time: np.ndarray
    outputs: Mapping[str, np.ndarray]
    baseline: Mapping[str, float]
    doses: float = 0.0


@dataclass(frozen=True)
class Observable:
    """A statistic of an expression of outputs, as its value or relative to the baseline.

    `time` is a time ("24", h), a window ("0-6"), several times ("1;2;3"), "" for the whole curve, or a condition that
    becomes true ("sedation.consciousness>0.5"). `level` is the threshold of time_above, time_below, first_above and
    last_above.
    `control_contrast` compares with the control protocol. `factor` multiplies the result (an assumed conversion, e.g.
    of one scale into another).
    """

    output: str
    relative_to: str = "value"
    statistic: str = "at"
    time: str = ""
    level: float = 0.0
    control_contrast: str = ""
    factor: float = 1.0

    def __post_init__(self) -> None:
        """Raise InputError for an unknown transformation, statistic or contrast."""
        words = (self.relative_to, self.statistic, self.control_contrast)
        for word, known in zip(words, (list(RELATIVE_TO), list(REDUCTIONS), list(CONTRASTS)), strict=True):
            require_known(word, known, f"'{word}' is unknown", expected=" | ".join(known))

    def read(self, patient: TimeCourse, control: TimeCourse | None = None) -> float:
        """The number, in canonical units; NaN if the solver failed or the time was never reached."""
        treated = self._one(patient)
        other = self._one(control) if control is not None and self.control_contrast else float("nan")
        with np.errstate(divide="ignore", invalid="ignore"):
            contrast = np.float64(CONTRASTS[self.control_contrast](np.float64(treated), np.float64(other)))
            return float(contrast * self.factor)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs in the expressions, each once."""
        return tuple(dict.fromkeys(name for text in self.output.split("|") for name in names_in(text)))

    @property
    def stated_hours(self) -> set[float]:
        """The times (h) in `time`: as output times they are read without interpolation. Empty for a condition."""
        stated = self.time and not set("<>") & set(self.time)
        return set(reading_times(self.time, np.zeros(0), {}).tolist()) if stated else set()

    def unit(self, units: Mapping[str, str]) -> str:
        """Canonical unit of the result, before `factor`."""
        if self.control_contrast in ("fold", "rise", "fall"):
            return "1"
        own = "1" if self.relative_to in _FRACTION_MEASURES else unit_of(self.output.split("|")[0], units)
        return result_unit(self.statistic, own)

    def matches(self, canonical_unit: str, units: Mapping[str, str]) -> bool:
        """Whether the result has the dimension of the published quantity (an assumed `factor` may convert it)."""
        return self.factor != 1 or unit(self.unit(units)).same_kind(unit(canonical_unit))

    def _one(self, patient: TimeCourse) -> float:
        values = [self._relative_value(text, patient) for text in self.output.split("|")]
        hours = reading_times(self.time, patient.time, patient.outputs)
        return REDUCTIONS[self.statistic](TimeCourseWindow(patient.time, values, hours, self.level, patient.doses))

    def _relative_value(self, text: str, patient: TimeCourse) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 before the dose is NaN
            y = np.asarray(value_of(text, patient.outputs), dtype=float) + np.zeros_like(patient.time)
            rest = float(value_of(text, patient.baseline)) if self.relative_to != "value" else 0.0
            return RELATIVE_TO[self.relative_to](y, rest)
