"""Comparisons of published rows: protocol, observable and kind of comparison; the verdict; rows that set a value.

The same limits hold for all rows; they were chosen before any result was known:
fold error   inside <= 1.25, near <= 2 (the usual two-fold of kinetics), else a miss
z            inside <= 1.96 standard errors, near <= 3, else a miss
interval     inside, near if outside by at most half its half-width, else a miss; one-sided: near to 1.25-fold
sign         right or a miss; less than 2 % of the baseline counts as no change

Agreement with a fitted row is no test. A row is fitted if a parameter, a population, a rating scale, a perturbation or
the calibration names it, if another row that reports the same number is fitted, or if it follows by arithmetic from a
fitted row (`derived_from`).
"""

from __future__ import annotations

import fnmatch
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.analysis.reference_protocols import DIRECTORY
from ketamech.core import InputError
from ketamech.core.csv_table import CsvRow, read_constants, read_records, read_table
from ketamech.core.environment import DATA
from ketamech.evidence import RATIOS, Evidence, Observation, evidence_id, log_standard_error, standard_error
from ketamech.parameters import Parameter
from ketamech.parameters.load_parameters import expanded_ids
from ketamech.simulation.observable import Observable

if TYPE_CHECKING:
    import pandas as pd

MEASURE_COLUMNS = ("protocol", "output", "relative_to", "statistic", "time", "level", "control_contrast", "factor")
COLUMNS = ("evidence", *MEASURE_COLUMNS, "comparison", "low", "high", "assumption")
UNCOVERED_COLUMNS = ("evidence", "reason", "note")
REASONS = (
    "needs a population",
    "in the table of experiments",
    "used as a parameter",
    "a parameter of another model",
    "needs an experiment the model has no handle for",
    "measured in a dish",
    "no such output",
    "the protocol is not known",
    "the same number as another row",
    "another person than the model describes",
)


@dataclass(frozen=True)
class Target:
    """A published row, the protocol and observable to compare it with, the kind of comparison, and the assumption."""

    evidence: str
    protocol: str
    measure: Observable
    comparison: str
    low: float
    high: float
    assumption: str

    def printed_factor(self, row: Observation, units: Mapping[str, str]) -> float:
        """Factor from the canonical to the printed unit of its row; 1 for a sign or a band in another unit."""
        printed = self.comparison != "sign" and self.measure.matches(row.canonical_unit, units)
        return row.factor if printed else 1.0

    @property
    def has_band(self) -> bool:
        """Whether the table states a band."""
        return not (math.isnan(self.low) and math.isnan(self.high))


def load_targets(
    evidence: Evidence, protocols: Mapping[str, object], path: Path = DIRECTORY / "targets.csv"
) -> tuple[Target, ...]:
    """Every comparison. Raises InputError for an unknown id, protocol or word.

    A context row without a public address is compared but not counted; other context rows are refused.
    """
    targets = []
    for row in read_table(path, COLUMNS):
        name = evidence_id(row, evidence)
        if evidence[name].use != "calibrate" and evidence[name].has_public_source:
            raise row.error("evidence", f"'{name}' is a context row", expected="a row to calibrate on")
        protocol = row.known("protocol", protocols, "an id of protocols.csv")
        how = row.known("comparison", COMPARISONS, " | ".join(COMPARISONS))
        targets.append(Target(name, protocol, measure(row), how, *bounds(row), row["assumption"]))
    return tuple(targets)


def measure(row: CsvRow) -> Observable:
    """The observable of a row; empty cells take the default."""
    default = Observable("stage.thing")
    try:
        return Observable(
            row.required("output", "stage.thing"),
            row["relative_to"] or default.relative_to,
            row["statistic"] or default.statistic,
            row["time"],
            row.number_or("level", default.level),
            row["control_contrast"],
            row.number_or("factor", default.factor),
        )
    except InputError as problem:
        raise row.error("output", problem.what, expected=problem.expected or "", near=problem.nearest) from problem


def bounds(row: CsvRow) -> tuple[float, float]:
    """The low and high columns; NaN where open."""
    low, high = (row.number_or(name, math.nan) for name in ("low", "high"))
    return low, high


def load_uncovered(
    evidence: Evidence, targets: tuple[Target, ...], path: Path = DIRECTORY / "uncovered.csv"
) -> pd.DataFrame:
    """Calibration rows without a target, with the reason; "no reason given" where the table has none."""
    import pandas as pd

    reached = {target.evidence for target in targets}
    patterns = [
        (row["evidence"], row.one_of("reason", REASONS), row["note"]) for row in read_table(path, UNCOVERED_COLUMNS)
    ]
    left = [row for row in evidence.select(use="calibrate") if row.id not in reached]
    lines = [(row.id, row.stage, row.quantity, row.reference, *_reason(row, patterns)) for row in left]
    return pd.DataFrame(lines, columns=["id", "stage", "quantity", "reference", "reason", "note"])


def _reason(row: Observation, patterns: list[tuple[str, str, str]]) -> tuple[str, str]:
    if row.duplicate_of:
        return "the same number as another row", row.duplicate_of
    for pattern, reason, note in patterns:
        if fnmatch.fnmatchcase(row.id, pattern):
            return reason, note
    return "no reason given", ""


def limit(name: str) -> float:
    """A limit of data/scorecard/verdict_limits.csv, e.g. fold_inside."""
    return read_constants(DIRECTORY / "verdict_limits.csv")[name]


@dataclass(frozen=True)
class Verdict:
    """inside, near, miss or "no result"; `fold` = simulated/published, `z` in standard errors or half-widths.

    `distance` ranks all kinds together, in units of the limit of "inside" (a wrong sign counts as 3).
    """

    verdict: str
    fold: float = math.nan
    z: float = math.nan
    distance: float = math.nan

    @property
    def fold_error(self) -> float:
        """The fold error, at least 1."""
        return max(self.fold, 1 / self.fold) if self.fold > 0 else math.nan


def fold(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """Fold error; a negative or zero simulation of a positive number is a miss."""
    ratio = simulated / row.value if row.value else math.nan
    error = max(ratio, 1 / ratio) if ratio > 0 else math.inf
    return Verdict(_verdict_of(error, "fold"), ratio, distance=math.log(error) / math.log(limit("fold_inside")))


def z(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """Distance in standard errors of the published number, of its logarithm where it is a ratio."""
    if row.unit in RATIOS:
        distance = math.log(simulated / row.value) / log_standard_error(row) if simulated > 0 else -math.inf
    else:
        distance = (simulated - row.value) / standard_error(row)
    return Verdict(
        _verdict_of(abs(distance), "z"), _ratio(simulated, row.value), distance, abs(distance) / limit("z_inside")
    )


def interval(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """Inside the printed range, or inside the band `low`..`high` (printed unit) where the table gives one."""
    if math.isnan(low) and math.isnan(high):
        low, high = row.spread.limits
    return inside(simulated, low, high, row.value)


def at_least(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """The printed number is a lower bound."""
    return inside(simulated, row.value, math.nan, row.value)


def at_most(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """The printed number is an upper bound."""
    return inside(simulated, math.nan, row.value, row.value)


def sign(simulated: float, row: Observation, low: float, high: float) -> Verdict:
    """The direction of a ratio to the baseline or control: up, down, or no change within 2 %."""
    direction = 0 if abs(simulated - 1) < limit("no_change") else math.copysign(1, simulated - 1)
    right = direction == row.value
    return Verdict("inside" if right else "miss", distance=0.0 if right else limit("wrong_sign_distance"))


def inside(simulated: float, low: float, high: float, centre: float = math.nan) -> Verdict:
    """Within two bounds (NaN = open); `z` is in half-widths from the middle of a closed interval."""
    ratio = _ratio(simulated, centre)
    if not (math.isnan(low) or math.isnan(high)):
        half = (high - low) / 2
        distance = (simulated - (low + high) / 2) / half if half else math.inf
        return Verdict(_verdict_of(abs(distance), "interval"), ratio, distance, abs(distance))
    bound = high if math.isnan(low) else low
    if (simulated <= bound) if math.isnan(low) else (simulated >= bound):
        return Verdict("inside", ratio, distance=0.0)
    gap = simulated / bound if bound else math.nan
    error, fold_inside = max(gap, 1 / gap) if gap > 0 else math.inf, limit("fold_inside")
    return Verdict(
        "near" if error <= fold_inside else "miss", ratio, distance=1 + math.log(error) / math.log(fold_inside)
    )


COMPARISONS: dict[str, Callable[[float, Observation, float, float], Verdict]] = {
    "fold": fold,
    "z": z,
    "interval": interval,
    "at_least": at_least,
    "at_most": at_most,
    "sign": sign,
}


def compare_with_published(
    how: str, simulated: float, row: Observation, low: float = math.nan, high: float = math.nan
) -> Verdict:
    """The verdict on one row; a simulation without a number is "no result"."""
    if math.isnan(simulated):
        return Verdict("no result")
    return COMPARISONS[how](simulated, row, low, high)


def _verdict_of(distance: float, measure: str) -> str:
    inside_limit, near_limit = (limit(f"{measure}_{verdict}") * (1 + 1e-9) for verdict in ("inside", "near"))
    return "inside" if distance <= inside_limit else "near" if distance <= near_limit else "miss"


def _ratio(simulated: float, published: float) -> float:
    return simulated / published if published and simulated / published > 0 else math.nan


NAMING_TABLES = (
    "parameters/*.csv",
    "species/*.csv",
    "people/*.csv",
    "scales/scales.csv",
    "perturbations/perturbations.csv",
)
CALIBRATION_TABLES = ("calibration/rows.csv", "calibration/spreads.csv")
FITTED_CODES = ("yes", "population")  # the column `fitted` of the calibration tables
ROLES = ("fitted", "same trial", "independent")


def named_rows(evidence: Evidence, parameters: Mapping[str, Parameter] | None = None) -> frozenset[str]:
    """Ids that a shipped table names as the source of a value, and those that `parameters` name."""
    ids = {name for parameter in (parameters or {}).values() for name in parameter.evidence}
    for row in _records(NAMING_TABLES):
        ids.update(expanded_ids(row.cells.get("evidence", ""), evidence))
    for row in _records(CALIBRATION_TABLES):
        if row["fitted"] in FITTED_CODES:
            ids.add(row["evidence"])
    return frozenset(ids & set(evidence.observations))


def rows_set_by_hand(
    evidence: Evidence, parameters: Mapping[str, Parameter], estimated: Collection[str]
) -> frozenset[str]:
    """Ids of rows that determine values of parameters that are not `estimated`.

    These values stay the same when the trial of the row is left out of the posterior.
    """
    ids = {name for key, parameter in parameters.items() if key not in estimated for name in parameter.evidence}
    for row in _records(NAMING_TABLES[1:]):
        ids.update(expanded_ids(row.cells.get("evidence", ""), evidence))
    return frozenset(ids & set(evidence.observations))


def fitted_rows(evidence: Evidence, parameters: Mapping[str, Parameter] | None = None) -> frozenset[str]:
    """Ids of the rows that set a value, their duplicates, and the rows that follow from them by arithmetic."""
    following: dict[str, set[str]] = defaultdict(set)
    for row in evidence.observations.values():
        for source in row.derived_from:
            following[source].add(row.id)
        if row.duplicate_of:
            following[row.duplicate_of].add(row.id)
            following[row.id].add(row.duplicate_of)
    ids: set[str] = set()
    waiting = set(named_rows(evidence, parameters))
    while waiting:
        ids |= waiting
        waiting = {name for one in waiting for name in following[one]} - ids
    return frozenset(ids)


def roles(names: Iterable[str], evidence: Evidence, fitted: frozenset[str]) -> list[str]:
    """For each id: "fitted", "same trial" (another row of its trial is fitted) or "independent"."""
    trials = {evidence[name].trial for name in fitted}
    return [
        "fitted" if name in fitted else "same trial" if evidence[name].trial in trials else "independent"
        for name in names
    ]


def _records(patterns: Iterable[str]) -> Iterable[CsvRow]:
    for pattern in patterns:
        for path in sorted(DATA.glob(pattern)):
            yield from read_records(path)
