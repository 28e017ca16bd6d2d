"""One number read off simulated curves, the way a paper reads it off its patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.core import InputError, closest_match, unit
from ketamech.simulation.curve_statistics import REDUCTIONS, TimeCourseWindow, reading_times, result_unit
from ketamech.simulation.expression import unit_of, value_of

RELATIVE_TO: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "value": lambda y, rest: y,
    "of_rest": lambda y, rest: y / rest,
    "change": lambda y, rest: y - rest,
    "rise": lambda y, rest: y / rest - 1,
    "fall": lambda y, rest: rest - y,
    "restored": lambda y, rest: (y - rest) / (1 - rest),  # of what is missing, where healthy = 1
    "of_peak": lambda y, rest: y / np.max(y),
}
CONTRASTS: dict[str, Callable[[float, float], float]] = {
    "": lambda mine, other: mine,
    "difference": lambda mine, other: mine - other,
    "fold": lambda mine, other: mine / other,
    "rise": lambda mine, other: mine / other - 1,
    "fall": lambda mine, other: 1 - mine / other,
}
_SHARES = ("of_rest", "rise", "restored", "of_peak")


@dataclass(frozen=True)
class TimeCourse:
    """One simulated patient: hours, every output, its drug-free values, and the drug given (umol)."""

    time: np.ndarray
    outputs: Mapping[str, np.ndarray]
    baseline: Mapping[str, float]
    doses: float = 0.0


@dataclass(frozen=True)
class Observable:
    """What to read: an expression of outputs, seen as itself or against rest, reduced to one number.

    `when` is hours ("24"), a window ("0-6"), moments ("1;2;3"), "" for everything, or a condition that comes
    true ("sedation.consciousness>0.5"). `level` serves time_above and time_below. `against` compares with the
    control protocol. `factor` multiplies the result (an assumed conversion, such as one scale into another).
    """

    output: str
    relative_to: str = "value"
    statistic: str = "at"
    time: str = ""
    level: float = 0.0
    control_contrast: str = ""
    factor: float = 1.0

    def __post_init__(self) -> None:
        """Refuse words this file does not know."""
        for word, known in (
            (self.relative_to, RELATIVE_TO),
            (self.statistic, REDUCTIONS),
            (self.control_contrast, CONTRASTS),
        ):
            if word not in known:
                raise InputError(f"'{word}' is unknown", expected=" | ".join(known), nearest=closest_match(word, known))

    def read(self, patient: TimeCourse, control: TimeCourse | None = None) -> float:
        """The number, in canonical units; NaN when the solve failed or the moment never came."""
        mine = self._one(patient)
        other = self._one(control) if control is not None and self.control_contrast else float("nan")
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(
                np.float64(CONTRASTS[self.control_contrast](np.float64(mine), np.float64(other))) * self.factor
            )

    def unit(self, units: Mapping[str, str]) -> str:
        """Canonical unit of the result, before `factor`."""
        if self.control_contrast in ("fold", "rise", "fall"):
            return "1"
        own = "1" if self.relative_to in _SHARES else unit_of(self.output.split("|")[0], units)
        return result_unit(self.statistic, own)

    def matches(self, canonical_unit: str, units: Mapping[str, str]) -> bool:
        """Whether the result is the kind of quantity that was published (an assumed factor bridges kinds)."""
        return self.factor != 1 or unit(self.unit(units)).same_kind(unit(canonical_unit))

    def _one(self, patient: TimeCourse) -> float:
        values = [self._relative_value(text, patient) for text in self.output.split("|")]
        hours = reading_times(self.time, patient.time, patient.outputs)
        return REDUCTIONS[self.statistic](TimeCourseWindow(patient.time, values, hours, self.level, patient.doses))

    def _relative_value(self, text: str, patient: TimeCourse) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 before the dose is no number
            y = np.asarray(value_of(text, patient.outputs), dtype=float) + np.zeros_like(patient.time)
            rest = float(value_of(text, patient.baseline)) if self.relative_to != "value" else 0.0
            return RELATIVE_TO[self.relative_to](y, rest)
