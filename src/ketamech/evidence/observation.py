"""One evidence row, and the interval that its printed spread gives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ketamech.core.constants import Z95
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA

NUMBER = r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
_NUMBER_PAIR = NUMBER + r"\s*(?:-|to)\s*" + NUMBER
_INTERVALS = (
    ("ci", re.compile(r"\b(?:CI|CrI)\d+\s+" + _NUMBER_PAIR)),
    ("ci", re.compile(r"^CI\s+" + _NUMBER_PAIR)),  # the level is not printed: 95 % is usual
    ("range", re.compile(r"^(?:range\s+)?" + _NUMBER_PAIR + "$")),
)
_DIGITISING = "digitising error"
RECALLED = "recalled"  # the reading source of a number that was written from memory
_WIDTHS = (
    ("sd", re.compile(r"^SD\s+" + NUMBER)),
    ("se", re.compile(r"(?:^SE|\bSE about)\s+" + NUMBER)),
    ("range", re.compile(r"^about \+-" + NUMBER + " points")),
    ("rse", re.compile(r"^RSE\s+" + NUMBER + "%")),
    ("cv", re.compile(r"^(?:IIV(?: CV%)?|CV)\s+" + NUMBER + " ?%?")),
    ("geometric", re.compile(r"^geometric SD\s+" + NUMBER)),
    ("cv", re.compile(rf"^{_DIGITISING} about {NUMBER}%")),
    ("omega2", re.compile(r"omega2\s+" + NUMBER)),
)
_LOG_SD: dict[str, Callable[[float], float]] = {
    "cv": lambda percent: math.sqrt(math.log(1 + (percent / 100) ** 2)),
    "omega2": math.sqrt,
    "geometric": math.log,
}


@dataclass(frozen=True)
class Spread:
    """A published spread as an interval in the published unit.

    kind: sd (value +- 1 SD) | se (value +- 1.96 SE) | ci (the published interval) | range | cv (between people,
    lognormal: the value divided and multiplied by exp(1 SD)) | none (no spread, or a test statistic that gives no
    interval).
    """

    kind: str
    low: float | None
    high: float | None
    text: str

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the interval; NaN where there is none."""
        low, high = (math.nan if bound is None else bound for bound in (self.low, self.high))
        return low, high


def parse_spread(text: str, value: float) -> Spread:
    """The spread of `value`; text that names no interval (a p value, "SD or SE") has kind none."""
    for kind, pattern in _INTERVALS:
        if match := pattern.search(text):
            low, high = sorted((float(match[1]), float(match[2])))
            return Spread(kind, low, high, text)
    for kind, pattern in _WIDTHS:
        if match := pattern.search(text):
            return _around(kind, float(match[1]), value, text)
    return Spread("none", None, None, text)


def _around(kind: str, size: float, value: float, text: str) -> Spread:
    if kind in _LOG_SD:
        log_sd = _LOG_SD[kind](size)
        if not log_sd:
            return Spread("none", None, None, text)
        low, high = sorted((value * math.exp(-log_sd), value * math.exp(log_sd)))
        return Spread("cv", low, high, text)
    if kind == "rse":
        kind, size = "se", abs(value) * size / 100
    half = size * Z95 if kind == "se" else size
    return Spread(kind, value - half, value + half, text)


RATIOS = ("odds ratio", "relative risk", "hazard ratio")  # units that are compared on the log scale
_CONFIDENCE_LEVEL = re.compile(r"\b(?:CI|CrI)(\d+)")
_NORMAL_QUANTILES = {80: 1.281552, 90: 1.644854, 95: Z95, 99: 2.575829}


_ADDRESS = re.compile(r"https?://[^/\s]+\.[^/\s]+/|10\.\d{4,}/|PMC\d+$|[A-Za-z0-9][\w.-]*/[\w.-]+:\S")


@dataclass(frozen=True)
class Observation:
    """One published number, in the published and in canonical units.

    `value`, `unit` and `spread` are as published, and `drug` has the words of the source; `canonical_value` = `value` *
    `factor` in `canonical_unit`. `time_h` is hours after the dose where the text names one time. `use`: calibrate or
    context (compare). `source_location` is the address where the number was read, `locator` the table or page in it,
    and `reading_source` says how it was read:
    source, transcription (a secondary copy) or recalled (unconfirmed). `duplicate_of` is the id of another row that
    reports the same number, so that it is not counted twice; `derived_from` are rows from which this number follows by
    arithmetic. `trial` is the key shared by all reports, subgroups and pools of one trial (default: the reference).
    """

    id: str
    table: str
    line: int
    stage: str
    quantity: str
    species: str
    population: str
    n: int | None
    n_text: str
    drug: str
    dose: str
    route: str
    time: str
    time_h: float | None
    value: float
    unit: str
    factor: float
    canonical_value: float
    canonical_unit: str
    spread: Spread
    comparator: str
    reference: str
    locator: str
    source_location: str
    confidence: int
    reading_source: str
    duplicate_of: str
    derived_from: tuple[str, ...]
    trial: str
    notes: str
    use: str

    @property
    def compounds(self) -> tuple[str, ...]:
        """The compounds, or other treatments, that `drug` stands for, by one name each."""
        return load_compounds().get(self.drug, (self.drug,))

    @property
    def is_recalled(self) -> bool:
        """Whether the number was written from memory and is not confirmed."""
        return self.reading_source == RECALLED

    @property
    def has_public_source(self) -> bool:
        """Whether `source_location` is a public address: a web address, DOI, PMCID, or a path in a repository."""
        return bool(_ADDRESS.match(self.source_location))

    def doses_in(self, unit: str) -> list[float]:
        """The numbers before `unit` in the text of the dose, e.g. [0.5] of "0.5 mg/kg over 40 min" in mg/kg."""
        return [float(text.rstrip(".")) for text in re.findall(rf"([\d.]+) {re.escape(unit)}(?![/\w])", self.dose)]

    def canonical(self, printed: float) -> float:
        """A number in the published unit (such as `spread.low`) expressed in `canonical_unit`."""
        return printed * self.factor


@cache
def load_compounds() -> dict[str, tuple[str, ...]]:
    """The names of the compounds by the words of sources that are not such a name themselves."""
    rows = read_table(DATA / "synonyms" / "compounds.csv", ("words", "compounds", "why"))
    return {row["words"]: row.listed("compounds") for row in rows}


def log_standard_error(row: Observation) -> float:
    """Standard error of the logarithm of a ratio, from its printed interval; NaN if there is none."""
    low, high = row.spread.low, row.spread.high
    if not low or not high or low <= 0:
        return math.nan
    return math.log(high / low) / 2 / _standard_errors_per_half_width(row)


def standard_error(row: Observation) -> float:
    """Standard error of the published mean; NaN if none can be computed.

    As printed, from the interval, or from the SD or coefficient of variation between people over the root of n. A range
    of individual values gives none.
    """
    low, high = row.spread.low, row.spread.high
    if low is None or high is None:
        return math.nan
    return (high - low) / 2 / _standard_errors_per_half_width(row)


def _standard_errors_per_half_width(row: Observation) -> float:
    """Half-width of the interval of a spread in standard errors of the mean; NaN where it determines none."""
    kind, text = row.spread.kind, row.spread.text
    if kind == "range":
        return math.nan
    if kind == "sd" or (kind == "cv" and not text.startswith(_DIGITISING)):
        return math.sqrt(row.n or 1)
    if kind == "cv":
        return 1.0  # a digitising error is an error of the mean itself
    level = _CONFIDENCE_LEVEL.search(text)
    return _NORMAL_QUANTILES.get(int(level[1]) if level else 95, _NORMAL_QUANTILES[95])
