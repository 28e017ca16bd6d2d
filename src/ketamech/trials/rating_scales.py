"""Rating scales: the score of a patient from an output of the model, with rating error and fluctuations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ketamech.core import UnknownNameError
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.errors import nearest_names
from ketamech.core.synonyms import scale_synonyms
from ketamech.core.units import DAY
from ketamech.parameters.concentration_units import DISPLAY_UNIT, shown

FILE = DATA / "scales" / "scales.csv"
COLUMNS = (
    "scale", "output", "unit", "low", "high", "step", "reporting_threshold", "residual_sd", "relative_sd",
    "fluctuation_sd", "fluctuation_spread", "correlation_time", "enrolment_shift", "background_median",
    "background_spread", "recall", "carried_share", "factor", "response", "remission", "better", "status", "evidence",
    "why",
)  # fmt: skip
NUMBERS = COLUMNS[3:20]
BETTER_DIRECTIONS = ("lower", "higher", "none")


@dataclass(frozen=True)
class RatingScale:
    """One scale of `output`: bounds, `step` of the score, error (`residual_sd` points plus `relative_sd` of the score).

    Scores of a patient fluctuate with a `correlation_time` (days): SD `fluctuation_sd` points in the middle of the
    scale over all patients, less towards its ends (the log odds are shifted); `fluctuation_spread` is the SD of the
    logarithm of the size between patients. At enrolment patients score `enrolment_shift` SDs above their own mean. On
    some scales patients score without any drug: `background_median`, and `background_spread` as SD of the logarithm,
    with the same correlation time. A score between 0 and `reporting_threshold` is recorded as 0.

    `carried_share` is the fraction of the total (sleep and appetite) that cannot be rated again within `recall` hours
    of the last full rating and keeps its value. `response` is the fall, as a fraction of baseline, that counts as
    response; `remission` the score at or below which a patient is in remission. `factor` converts the output into the
    score: for a concentration, which is recorded in ng/mL, it includes the molar mass. `better`: lower, higher or none.
    """

    name: str
    output: str
    unit: str
    low: float
    high: float
    step: float
    reporting_threshold: float
    residual_sd: float
    relative_sd: float
    fluctuation_sd: float
    fluctuation_spread: float
    correlation_time: float
    enrolment_shift: float
    background_median: float
    background_spread: float
    recall: float
    carried_share: float
    factor: float
    response: float
    remission: float
    better: str

    @property
    def is_output(self) -> bool:
        """Whether the score without error equals the output, apart from a background of less than one step."""
        usual = self.factor == shown(self.output, self.unit)[0] and not self.carried_share
        return usual and self.background_median <= self.step

    def last_full_ratings(self, hours: Sequence[float], begins: Sequence[int]) -> np.ndarray:
        """Index [rating] of the last full rating before or at each rating, from their `hours` [rating].

        `begins` [rating] are the indices of their baselines, which are full ratings.
        """
        last = np.zeros(len(hours), dtype=int)
        for j, begin in enumerate(begins):
            before = last[j - 1] if j > begin else j
            last[j] = j if j == begin or hours[j] - hours[before] >= self.recall else before
        return last

    def true_scores(self, output: np.ndarray, full: np.ndarray) -> np.ndarray:
        """Scores without error, from the output at the visit and at the last full rating (all [patient, visit])."""
        return self.factor * ((1 - self.carried_share) * output + self.carried_share * full)

    def autocorrelated_course(self, hours: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Autocorrelated values [patient, visit] of SD 1 from standard normal `z`; `hours` [patient, visit]."""
        course = np.zeros_like(z)
        course[:, 0] = z[:, 0] + self.enrolment_shift
        correlation = self.correlation_over(np.diff(hours, axis=1))
        for k in range(1, z.shape[1]):
            course[:, k] = correlation[:, k - 1] * course[:, k - 1] + np.sqrt(1 - correlation[:, k - 1] ** 2) * z[:, k]
        return course

    def correlation_over(self, hours: np.ndarray | float) -> np.ndarray:
        """Correlation [...] of the fluctuations of a patient over some times (h) [...]."""
        return np.asarray(np.exp(-np.asarray(hours) / (DAY * self.correlation_time)))

    def fluctuations(self, hours: np.ndarray, z: np.ndarray, size: np.ndarray | None = None) -> np.ndarray:
        """Fluctuations [patient, visit] (points at mid-scale) from standard normal `z` and `size` [patient]."""
        if not self.fluctuation_sd:
            return np.zeros_like(z)
        own = self.fluctuation_sd * self.autocorrelated_course(hours, z)
        spread = self.fluctuation_spread
        return own if size is None else own * np.exp(spread * size - spread**2)[:, None]  # keeps the SD over people

    def background_scores(self, hours: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Scores without any drug [patient, visit], from standard normal `z`."""
        if not self.background_median:
            return np.zeros_like(z)
        return self.background_median * np.exp(self.background_spread * self.autocorrelated_course(hours, z))

    def rated_scores(self, truth: np.ndarray, z: np.ndarray, own: np.ndarray | float = 0.0) -> np.ndarray:
        """Recorded scores [patient, visit], within the bounds and steps of the scale.

        `truth` (points) with fluctuations `own` (points at mid-scale) and rating error from standard normal `z`, all
        [patient, visit].
        """
        score = self._shift_log_odds(truth, own) if np.any(own) else truth
        score = np.clip(score + z * np.hypot(self.residual_sd, self.relative_sd * truth), self.low, self.high)
        score = np.round(score / self.step) * self.step if self.step else score
        return np.where((score > 0) & (score < self.reporting_threshold), 0.0, score)

    def _shift_log_odds(self, truth: np.ndarray, own: np.ndarray | float) -> np.ndarray:
        """A score after the shift in log odds that moves the middle of its scale by `own` points."""
        width = self.high - self.low
        place = np.clip((truth - self.low) / width, 0, 1)
        return self.low + width * place / (place + (1 - place) * np.exp(-4 * np.asarray(own) / width))


@cache
def load_scales(file: Path = FILE) -> dict[str, RatingScale]:
    """Every scale by name. Raises InputError with file, line and column."""
    return {row["scale"]: _scale(row) for row in read_table(file, COLUMNS)}


def scale(name: str) -> RatingScale:
    """One scale by its name or another name of it; hyphens, blanks and case do not count.

    Raises UnknownNameError with the nearest.
    """
    known, spelling = load_scales(), _spelling(name)
    same = tuple(other for other in known if _spelling(other) == spelling)
    if means := same or scale_synonyms().get(spelling, ()):
        if len(means) == 1:
            return known[means[0]]
        what, expected = f"'{name}' does not say which form", ", ".join(means)
        raise UnknownNameError(what, key="visits", expected=expected, nearest=means[0])
    nearest = nearest_names(name, known)
    raise UnknownNameError(f"there is no scale '{name}'", key="visits", expected=", ".join(known), nearest=nearest)


def variable_name(name: str) -> str:
    """A name of a scale as that of a variable of a data set, which has no slash: MOAAS for MOAA/S."""
    return scale(name).name if "/" in name else name


def names_of(name: str) -> tuple[str, ...]:
    """A name of a scale and its other names."""
    own = scale(name).name
    return (name, own, *(word for word, means in scale_synonyms().items() if means == (own,)))


def _spelling(name: str) -> str:
    """A name of a scale in lower case, without hyphens and blanks."""
    return re.sub(r"[-\s]", "", name.lower())


def _scale(row: CsvRow) -> RatingScale:
    numbers = {column: row.number(column) for column in NUMBERS}
    if numbers["low"] >= numbers["high"] or not 0 <= numbers["carried_share"] < 1:
        raise row.error("low", "an impossible scale", expected="low below high, carried_share from 0 to 1")
    if row["better"] not in BETTER_DIRECTIONS:
        raise row.error("better", f"'{row['better']}'", expected=", ".join(BETTER_DIRECTIONS))
    if row["unit"] == DISPLAY_UNIT:
        numbers["factor"] *= shown(row["output"], row["unit"])[0]
    return RatingScale(row["scale"], row["output"], row["unit"], **numbers, better=row["better"])
