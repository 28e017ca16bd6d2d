"""Published clinical numbers as statistics of the shipped trials, with their standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ketamech.core import InputError, closest_match
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.paths import DATA
from ketamech.evidence import Evidence, Observation, load_evidence, standard_error
from ketamech.trials.design import Trial
from ketamech.trials.trial_reader import load_trial

DIRECTORY = DATA / "calibration"
TRIALS = DATA / "trials"
COLUMNS = ("evidence", "trial", "arm", "scale", "visit", "statistic", "against", "se", "fitted", "why")
SPREADS = ("evidence", "trial", "arm", "scale", "visit", "statistic", "sd", "n", "fitted", "why")
SHARES = ("response", "remission", "still well", "above")  # statistics in percent of patients


@dataclass(frozen=True)
class ClinicalTarget:
    """One published row and its statistic: arm, scale, visit, and the control arm where one is compared."""

    row: Observation
    trial: str
    arm: str
    scale: str
    visit: str
    statistic: str
    control_arm: str
    se: float
    fitted: bool
    sd: float = float("nan")  # of the patients of an arm, where it is compared instead of the printed number

    @property
    def published(self) -> float:
        """The published number, or the SD within the arm; a fall is positive."""
        return self.sd if np.isfinite(self.sd) else self.row.value

    @property
    def is_share(self) -> bool:
        """Whether it is a percentage of patients."""
        return self.statistic.startswith(SHARES)


@cache
def load_clinical_targets() -> tuple[ClinicalTarget, ...]:
    """Every row. Raises InputError, for example for an unknown evidence id or a fitted context row."""
    evidence = load_evidence()
    return tuple(_clinical(row, evidence) for row in read_table(DIRECTORY / "rows.csv", COLUMNS))


@cache
def load_spread_targets() -> tuple[ClinicalTarget, ...]:
    """Standard deviations of change or score within an arm, from printed errors. Raises InputError."""
    evidence, found = load_evidence(), []
    for row in read_table(DIRECTORY / "spreads.csv", SPREADS):
        row.one_of("statistic", ("spread of change", "spread"))
        sd, n = row.number("sd"), row.number("n")
        error = float(sd / np.sqrt(2 * (n - 1)))  # of the SD of a normal sample
        cells = {**row.cells, "against": "", "se": repr(error)}
        found.append(replace(_clinical(replace(row, cells=cells), evidence), sd=sd))
    return tuple(found)


@cache
def shipped_trial(name: str) -> Trial:
    """A shipped trial by name. Raises InputError for an unknown one."""
    found = {path.stem: path for path in sorted(TRIALS.glob("*.yaml"))}
    if name not in found:
        raise InputError(f"no trial '{name}' is shipped", expected=", ".join(found), nearest=closest_match(name, found))
    return load_trial(found[name])


def standard_error_of(row: ClinicalTarget) -> float:
    """Standard error of the printed number: given, printed, or that of a share of n patients."""
    if row.se > 0:
        return row.se
    if row.is_share:
        n = row.row.n or 20
        p = min(max(row.published / 100, 0.5 / n), 1 - 0.5 / n)
        return float(100 * np.sqrt(p * (1 - p) / n))
    found = standard_error(row.row)
    return found if np.isfinite(found) else float("nan")


def _clinical(row: CsvRow, evidence: Evidence) -> ClinicalTarget:
    name = row.required("evidence", "an evidence id")
    known = evidence.observations
    if name not in known:
        raise row.error("evidence", f"no row '{name}'", expected="an evidence id", near=closest_match(name, known))
    fitted = row.one_of("fitted", ("yes", "no")) == "yes"
    if fitted and known[name].use != "calibrate":
        raise row.error("fitted", f"'{name}' is a context row", expected="no: only calibrate rows are fitted")
    trial = shipped_trial(row["trial"])
    columns: Mapping[str, list[str]] = {
        "arm": [arm.name for arm in trial.arms],
        "scale": list(trial.scales),
        "visit": [*(v.name for v in trial.visits), "any"],
        "against": [*(arm.name for arm in trial.arms), ""],
    }
    for column, choices in columns.items():
        row.one_of(column, choices)
    se = row.number("se") if row["se"] else float("nan")
    parts = (row["trial"], row["arm"], row["scale"], row["visit"], row["statistic"], row["against"])
    return ClinicalTarget(known[name], *parts, se, fitted)
