"""Residual error: additive, proportional, combined, or normal on the logit of a bounded scale.

A value below the limit of quantification contributes the probability of a value below it (method M3 of Beal 2001, J
Pharmacokinet Pharmacodyn 28:481), between two limits if there is a lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.special import expit, log_ndtr, logit, ndtr

from ketamech.core import InputError, require_known
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.fitting.observations import FitData, ObservedOutput
from ketamech.nonmem.measurements import LEFT, NOT_CENSORED, RIGHT

FILE = DATA / "fitting" / "error_models.csv"
ADDITIVE, PROPORTIONAL, COMBINED, BOUNDED = "additive", "proportional", "combined", "bounded"
KINDS = {
    ADDITIVE: (1, 0),
    PROPORTIONAL: (0, 1),
    COMBINED: (1, 1),
    BOUNDED: (1, 0),
}  # whether a kind has an additive and a proportional SD
TAILS = ((LEFT, 1), (RIGHT, -1))  # sign of z for the probability of a value on this side of DV
MARGIN = 0.5  # points added at both ends of a bounded scale, so that its ends have a logit
FLOOR = 1e-3  # smallest prediction of a proportional error, relative to the median DV
ADDITIVE_SHARE = 0.05  # additive part where none is given, relative to the median DV
TINY = 1e-300


@dataclass(frozen=True)
class ErrorModel:
    """The residual error of one output: SD `additive` (unit of DV; of the logit if bounded) and `proportional`.

    `low`, `high`: ends of a bounded scale. `floor`: the smallest prediction of which a proportional SD is taken.
    """

    kind: str
    additive: float
    proportional: float
    floor: float
    low: float = -np.inf
    high: float = np.inf

    @property
    def numbers(self) -> dict[str, float]:
        """The SDs of this kind, {name: SD}."""
        used_numbers = KINDS[self.kind]
        values = {"additive": self.additive, "proportional": self.proportional}
        return {name: value for (name, value), is_used in zip(values.items(), used_numbers, strict=True) if is_used}

    def labels(self, unit: str) -> list[tuple[str, str]]:
        """Name and unit of each of `numbers`, for an output in `unit`."""
        if self.kind == BOUNDED:
            return [(BOUNDED, "logit")]
        return [(name, unit if name == ADDITIVE else "1") for name in self.numbers]

    def with_numbers(self, values: Sequence[Any]) -> ErrorModel:
        """The same kind with other SDs (numbers or arrays), in the order of `numbers`."""
        value_by_name: dict[str, Any] = dict(zip(self.numbers, values, strict=True))
        return replace(self, **value_by_name)

    def transformed(self, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (unit of DV, any shape) on the scale of the error, and the derivative of that scale."""
        if self.kind != BOUNDED:
            return value, np.ones_like(value)
        width = self.high - self.low + 2 * MARGIN
        share = np.clip((value - self.low + MARGIN) / width, 1e-9, 1 - 1e-9)
        return logit(share), 1 / (share * (1 - share) * width)

    def sd(self, predicted: np.ndarray) -> np.ndarray:
        """SD of the error of predictions of any shape, both on the scale of the error."""
        used = KINDS[self.kind]
        magnitude = np.maximum(np.abs(predicted), self.floor)
        return np.asarray(np.sqrt(used[0] * self.additive**2 + used[1] * self.proportional**2 * magnitude**2))

    def change_of_sd(self, predicted: np.ndarray) -> np.ndarray:
        """Derivative of the SD by predictions of any shape, both on the scale of the error."""
        slope = KINDS[self.kind][1] * self.proportional**2 * predicted / self.sd(predicted)
        return np.where(np.abs(predicted) > self.floor, slope, 0.0)

    def log_likelihood(
        self, observed: np.ndarray, predicted: np.ndarray, censored: np.ndarray, limit: np.ndarray
    ) -> np.ndarray:
        """Log-likelihood [..., measurement] without constants; -inf where a prediction is not finite."""
        with np.errstate(all="ignore"):
            f = self.transformed(predicted)[0]
            spread = self.sd(f)
            z = (self.transformed(observed)[0] - f) / spread
            value = -0.5 * z**2 - np.log(spread)
            for kind, sign in TAILS:
                mask = censored == kind
                if mask.any():
                    value[..., mask] = log_ndtr(sign * z[..., mask])
            mask = (censored == LEFT) & np.isfinite(limit)
            if mask.any():
                value[..., mask] = np.log(self._interval(z, f, spread, limit, mask)[1])
            return np.where(np.isfinite(predicted), value, -np.inf)

    def terms(
        self, observed: np.ndarray, predicted: np.ndarray, censored: np.ndarray, limit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood, its derivative by the prediction, and the expected information, of each measurement.

        Arrays [..., measurement]; without constants. A prediction that is not finite has log-likelihood -inf.
        """
        with np.errstate(all="ignore"):
            f, slope = self.transformed(predicted)
            spread, change = self.sd(f), self.change_of_sd(f)
            z = (self.transformed(observed)[0] - f) / spread
            by_f = (-1 - z * change) / spread  # derivative of z by f
            score = z / spread + change / spread * (z**2 - 1)
            information = 1 / spread**2 + 2 * (change / spread) ** 2
            for kind, sign in TAILS:
                mask = censored == kind
                if mask.any():
                    score[..., mask], information[..., mask] = _tail(sign * z[..., mask], sign * by_f[..., mask])
            mask = (censored == LEFT) & np.isfinite(limit)
            if mask.any():
                lower_z, probability = self._interval(z, f, spread, limit, mask)
                by_lowest = (-1 - lower_z * change[..., mask]) / spread[..., mask]
                density = (_normal(z[..., mask]) * by_f[..., mask] - _normal(lower_z) * by_lowest) / probability
                score[..., mask], information[..., mask] = density, density**2
            value = self.log_likelihood(observed, predicted, censored, limit)
            return value, score * slope, information * slope**2

    def _interval(
        self, z: np.ndarray, f: np.ndarray, spread: np.ndarray, limit: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Standardised lower limits of measurements of a mask, and probabilities of values above it and below z."""
        lower_z = (self.transformed(np.maximum(limit, self.low))[0] - f)[..., mask] / spread[..., mask]
        return lower_z, np.maximum(ndtr(z[..., mask]) - ndtr(lower_z), TINY)

    def constant(self, observed: np.ndarray, censored: np.ndarray) -> np.ndarray:
        """The constants that `terms` omits from the log density of DV [measurement]; 0 for censored values."""
        with np.errstate(all="ignore"):
            slope = self.transformed(observed)[1]
        return np.where(censored == NOT_CENSORED, np.log(slope) - 0.5 * np.log(2 * np.pi), 0.0)

    def weighted_residual(self, observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """(observed - predicted) / SD on the scale of the error; both [..., measurement] in the unit of DV."""
        f = self.transformed(predicted)[0]
        return np.asarray((self.transformed(observed)[0] - f) / self.sd(f))

    def simulated(self, predicted: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Measurements simulated from predictions [..., measurement] in the unit of DV and standard normal `noise`."""
        f, _ = self.transformed(predicted)
        y = f + self.sd(f) * noise
        if self.kind != BOUNDED:
            return y
        return np.clip(self.low - MARGIN + (self.high - self.low + 2 * MARGIN) * expit(y), self.low, self.high)


def _tail(z: np.ndarray, by_f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of the log probability of a value below by the prediction, and the expected information."""
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(z))  # density over probability
    return ratio * by_f, ratio * (z + ratio) * by_f**2


def _normal(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


@cache
def _defaults() -> dict[str, tuple[str, float, float]]:
    rows = read_table(FILE, ("kind", "model", "additive", "proportional", "why"))
    return {
        row["kind"]: (row.one_of("model", KINDS), row.number("additive"), row.number("proportional")) for row in rows
    }


def error_models(data: FitData, texts: Sequence[str] = ()) -> tuple[ErrorModel, ...]:
    """The error model of each output; `texts` such as "proportional 0.2" or "venous.ketamine: combined 5 0.2".

    Raises InputError for a text that is no error model.
    """
    text_by_output: dict[str, str] = {}
    names = {name: output.output for output in data.outputs for name in (output.output, output.dvid)}
    for text in texts:
        name, _, model_text = text.rpartition(":")
        outputs = [output.output for output in data.outputs]
        if name := name.strip():
            require_known(name, names, f"no measurement is of '{name}'", key="--error", expected=", ".join(outputs))
        for output_name in [names[name]] if name else outputs:
            text_by_output[output_name] = model_text.strip()
    models = []
    for number, output in enumerate(data.outputs):
        mask = data.number == number
        measured = mask & (data.censored == NOT_CENSORED)
        values = np.abs(data.value[measured if measured.any() else mask])
        models.append(error_model(output, values, text_by_output.get(output.output, "")))
    return tuple(models)


def error_model(output: ObservedOutput, values: np.ndarray, text: str = "") -> ErrorModel:
    """The error model of one output whose size is about that of `values` [measurement] (unit of DV).

    Raises InputError as `error_models`.
    """
    low, high = output.limits
    is_bounded_scale = bool(np.isfinite([low, high]).all())
    kind, additive, proportional = _defaults()[
        "concentration" if output.is_concentration else "rating" if is_bounded_scale else "other"
    ]
    median = float(np.median(values))
    if text:
        kind, numbers = _parse_error_model(text, is_bounded_scale, output)
        stated = dict(zip(("additive", "proportional"), (None, None), strict=True)) | numbers
        additive = stated["additive"] or (additive if kind == BOUNDED else 0.0)
        proportional = stated["proportional"] or proportional or _defaults()["concentration"][2]
    if KINDS[kind][0] and not additive:
        additive = ADDITIVE_SHARE * (median or 1.0)
    bounds = (low, high) if kind == BOUNDED else (-np.inf, np.inf)
    return ErrorModel(kind, additive, proportional, FLOOR * (median or 1.0), *bounds)


def _parse_error_model(
    text: str, is_bounded_scale: bool, output: ObservedOutput
) -> tuple[str, dict[str, float | None]]:
    """Kind and numbers of a text. Raises InputError."""
    kind, *rest = text.split()
    expected = "additive SD, proportional CV, combined SD CV, or bounded SD"
    what, example = f"'{kind}' is not an error model", '--error "proportional 0.2"'
    require_known(kind, KINDS, what, key="--error", expected=expected, type_this=example)
    if kind == BOUNDED and not is_bounded_scale:
        raise InputError(f"{output.output} has no lowest and highest value", key="--error",
                         expected="additive, proportional or combined")  # fmt: skip
    names = [name for name, is_used in zip(("additive", "proportional"), KINDS[kind], strict=True) if is_used]
    try:
        numbers = [float(word.rstrip("%")) / (100 if word.endswith("%") else 1) for word in rest]
    except ValueError:
        numbers = [-1.0]
    if len(numbers) not in (0, len(names)) or any(not 0 < number < np.inf for number in numbers):
        raise InputError(f"'{text}' is not an error model", key="--error", expected=expected,
                         type_this='--error "proportional 0.2"')  # fmt: skip
    return kind, dict(zip(names, numbers, strict=False))
