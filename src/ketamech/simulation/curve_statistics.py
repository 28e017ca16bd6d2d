"""Statistics of a curve: value, peak, area, half-life, clearance, time above a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.core import InputError, unit
from ketamech.core.units import combine, format_dimensions
from ketamech.simulation.expression import value_of
from ketamech.simulation.nca import INFUSION, LINEAR, NcaDose, NcaResult, NcaRules, log_regression, non_compartmental

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
    """The times (h) of a text: "" both ends, "24", "0-6", "1;2;3", or a condition "stage.thing>0.5"."""
    text = when.strip()
    if not text:
        return time[[0, -1]]
    if found := _WINDOW.match(text):
        return np.array([float(found[1]), float(found[2])])
    if found := _CONDITION.match(text):
        sign = 1.0 if found[2] == ">" else -1.0
        return _crossing_time(time, sign * (value_of(found[1], outputs) - float(found[3])))
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


def _extreme(best: Callable[[np.ndarray], int], give: str) -> Callable[[TimeCourseWindow], float]:
    def statistic(trace: TimeCourseWindow) -> float:
        hours, values = trace.window()
        if np.isnan(values).any():
            return float("nan")
        i = best(values)
        return float(values[i] if give == "value" else hours[i])

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


def _half_life(trace: TimeCourseWindow) -> float:
    """Half-life (h) from the slope of the logarithm between two times; NaN unless the curve falls."""
    hours, values = trace.window()
    if not np.all(values > 0):
        return float("nan")
    fit = log_regression(hours, np.log(values))
    return fit.half_life if fit else float("nan")


def _analysed(trace: TimeCourseWindow) -> NcaResult:
    """The non-compartmental analysis of a simulated curve: linear areas, terminal slope of the last quarter."""
    hours, values = trace.window()
    begin = 0.75 * hours[-1]
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
    "half_life": _half_life,
    "clearance": lambda trace: _analysed(trace)["CLO"],
    "steady_volume": lambda trace: _analysed(trace)["VSSO"],
    "time_above": _hours_above,
    "time_below": lambda trace: _hours_above(trace, -1.0),
    "correlation": lambda trace: float(np.corrcoef(trace.at_times(0), trace.at_times(1))[0, 1]),
}
_HOURS = ("tmax", "tmin", "half_life", "time_above", "time_below", "first_above")


def result_unit(reduction: str, own: str) -> str:
    """Canonical unit of a statistic of a curve with the unit `own`."""
    if reduction in _HOURS:
        return "h"
    if reduction in ("correlation", "auc_ratio", "relative", "of_dose"):
        return "1"
    if reduction == "auc":
        return format_dimensions(combine(unit(own).dims, unit("h").dims, 1))
    return {"clearance": "L/h", "steady_volume": "L"}.get(reduction, own)
