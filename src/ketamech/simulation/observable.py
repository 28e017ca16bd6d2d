"""An observable: one number from simulated curves, as a publication reports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.core import InputError, closest_match, unit
from ketamech.simulation.curve_statistics import REDUCTIONS, TimeCourseWindow, reading_times, result_unit
from ketamech.simulation.expression import unit_of, value_of

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
_SHARES = ("of_rest", "rise", "restored", "of_peak")


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
    becomes true ("sedation.consciousness>0.5"). `level` is the threshold of time_above, time_below and first_above.
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
            if word not in known:
                raise InputError(f"'{word}' is unknown", expected=" | ".join(known), nearest=closest_match(word, known))

    def read(self, patient: TimeCourse, control: TimeCourse | None = None) -> float:
        """The number, in canonical units; NaN if the solver failed or the time was never reached."""
        mine = self._one(patient)
        other = self._one(control) if control is not None and self.control_contrast else float("nan")
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.float64(CONTRASTS[self.control_contrast](np.float64(mine), np.float64(other)))
            return float(found * self.factor)

    def unit(self, units: Mapping[str, str]) -> str:
        """Canonical unit of the result, before `factor`."""
        if self.control_contrast in ("fold", "rise", "fall"):
            return "1"
        own = "1" if self.relative_to in _SHARES else unit_of(self.output.split("|")[0], units)
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
