"""Published rows as they are scored: the class of each row, its common scale, and why some rows are not scored.

On the common scale one MADRS point, five percentage points, a tenth of an effect size and a fifth of the logarithm of a
ratio weigh the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketamech.calibration.clinical_targets import ClinicalTarget, published_interval, standard_error_of
from ketamech.calibration.leave_one_trial_out import fold_of
from ketamech.core.constants import Z95
from ketamech.dosing.drugs import ANAESTHESIA, KETAMINE
from ketamech.evidence import RATIOS, log_standard_error
from ketamech.trials.design import drug_classes, is_control
from ketamech.trials.trial_reader import shipped_trial

MADRS_POINTS = 1.33  # of one point of any Hamilton scale: the frozen definition of skill, not the factors of the scales
PERCENT_PER_POINT, EFFECTS_PER_POINT, LOGS_PER_POINT = 5.0, 10.0, 5.0
# statistics that compare two arms
DIFFERENCES = ("difference", "extra fall", "effect size", "odds ratio", "hazard ratio", "share difference")
NEGATED = ("fall", "extra fall")  # a fall is a negative change
MIN_RELAPSE_DAYS = 0.5  # before its logarithm
CONTINUITY_CORRECTION = 0.5  # added to counts before log odds
NO_PUBLIC_SOURCE = "source cannot be opened"


@dataclass(frozen=True)
class ScoredRow:
    """A published number with its `trial` (fold), and its class: `family` of outcome, kind of `arm`, `statistic`.

    `group` is "level" or "difference" (between two arms); `reason` says why the row is not scored, and is empty if it
    is.
    """

    target: ClinicalTarget
    trial: str
    group: str
    family: str
    arm: str
    statistic: str
    reason: str = ""

    @property
    def id(self) -> str:
        """The id of the evidence row."""
        return self.target.row.id

    @property
    def name(self) -> str:
        """The class as text."""
        return f"{self.family}, {self.arm}, {self.statistic}"

    @property
    def is_share(self) -> bool:
        """Whether the number is in percent of patients or percentage points."""
        return self.target.is_share or self.statistic == "share difference"

    @property
    def is_ratio(self) -> bool:
        """Whether the number is compared as a logarithm."""
        return self.target.row.unit in RATIOS or self.statistic == "median relapse"

    @property
    def factor(self) -> float:
        """One unit of the number on the common scale; for a ratio one unit of its logarithm."""
        if self.is_share:
            return 1 / PERCENT_PER_POINT
        if self.is_ratio:
            return LOGS_PER_POINT
        if self.statistic == "effect size":
            return EFFECTS_PER_POINT * (-1.0 if self.target.published > 0 else 1.0)  # negative is improvement
        sign = -1.0 if self.target.statistic in NEGATED else 1.0
        return sign * (MADRS_POINTS if self.target.scale.startswith("HDRS") else 1.0)

    @property
    def orientation(self) -> int:
        """-1 where a larger published number means a lower score on the common scale, else 1."""
        return -1 if self.factor < 0 else 1

    def on_scoring_scale(self, values: np.ndarray | float) -> np.ndarray:
        """Numbers as published, of any shape, on the common scale."""
        scaled = np.asarray(values, dtype=float)
        if self.is_ratio:
            scaled = np.log(np.maximum(scaled, MIN_RELAPSE_DAYS if self.statistic == "median relapse" else 1e-3))
        return self.factor * scaled

    @property
    def published(self) -> float:
        """The published number on the common scale."""
        return float(self.on_scoring_scale(self.target.published))

    @property
    def standard_error(self) -> float:
        """Its standard error on the common scale; NaN if unknown."""
        own = standard_error_of(self.target)
        if self.target.row.unit in RATIOS:
            return self.factor * log_standard_error(self.target.row)
        if self.statistic == "median relapse":
            return self.factor * own / self.target.published
        return abs(self.factor) * own

    def on_interval_scale(self, values: np.ndarray | float) -> np.ndarray:
        """Numbers as published, of any shape, on the scale of intervals: log odds of a share, else the common scale."""
        if not self.target.is_share:
            return self.on_scoring_scale(values)
        n = self.target.row.n or 20
        count = np.asarray(values, dtype=float) / 100 * n
        return np.log((count + CONTINUITY_CORRECTION) / (n - count + CONTINUITY_CORRECTION))

    def published_width(self) -> float:
        """Width of the published 95 % interval on the scale of intervals; NaN if unknown."""
        low, high = published_interval(self.target)
        if self.is_ratio:
            return 2 * Z95 * self.standard_error
        return float(abs(np.subtract(*self.on_interval_scale(np.array([low, high])))))


def scored_rows(targets: Sequence[ClinicalTarget]) -> list[ScoredRow]:
    """Every target with its class, and the reason why it is not scored, if any."""
    rows = [_classified(target) for target in targets]
    scored = {row.id: row.group for row in rows if not row.reason}
    return [_with_dependence(row, scored) for row in rows]


def _classified(target: ClinicalTarget) -> ScoredRow:
    fold, trial = fold_of(target), shipped_trial(target.trial)
    statistic = {"fall": "change", "extra fall": "difference"}.get(target.statistic, target.statistic)
    family = trial.scales[target.scale].output.split(".")[0]
    group = "difference" if target.statistic in DIFFERENCES else "level"
    reason = ""
    if target.visit == "baseline":
        reason = "baseline, set by the population"
    elif target.row.use != "calibrate" or not target.row.has_public_source:
        reason = NO_PUBLIC_SOURCE
    elif fold.pool_of:
        reason = "pool of trials that are scored themselves"
    return ScoredRow(target, fold.trial, group, family, _kind_of_arm(target), statistic, reason)


def _kind_of_arm(target: ClinicalTarget) -> str:
    """drug awake, drug masked (during anaesthesia), control or comparator (another active treatment)."""
    regimen = shipped_trial(target.trial).regimens[target.arm]
    if regimen is None:  # a decision of the trial, after which the drug is continued
        return "drug awake"
    if is_control(regimen):
        return "control"
    classes = drug_classes(regimen)
    if KETAMINE in classes:
        return "drug masked" if ANAESTHESIA in classes else "drug awake"
    return "comparator"


def _with_dependence(row: ScoredRow, scored: dict[str, str]) -> ScoredRow:
    """The row, not scored where it follows from scored rows of its own group (levels or differences)."""
    sources = [name for name in (*row.target.row.derived_from, row.target.row.duplicate_of) if name]
    if row.reason or not sources or not all(scored.get(name) == row.group for name in sources):
        return row
    return replace(row, reason="follows by arithmetic from scored rows")
