"""Acceptance criteria of virtual trials (data/scorecard/trial_criteria.csv), and whether each is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.evidence import Evidence
from ketamech.trials.rating_scales import load_scales

PATH = DATA / "scorecard" / "trial_criteria.csv"
COLUMNS = ("goal", "measure", "trial", "evidence", "low", "high", "reason")
PUBLISHED = "published number"
FIRST_SESSION = 1  # visit number; visit 0 is the baseline


@dataclass(frozen=True)
class TrialCriterion:
    """Bounds on a measure of all compared rows, or of one simulated `trial`; NaN where there is none.

    The measure "published number" is that of the row `evidence`, which must lie in its own prediction interval.
    """

    goal: str
    measure: str
    trial: str
    evidence: str
    low: float
    high: float


def load_trial_criteria(evidence: Evidence) -> tuple[TrialCriterion, ...]:
    """Every criterion. Raises InputError for an unknown measure or evidence row, or one without a bound."""
    return tuple(_criterion(row, evidence) for row in read_table(PATH, COLUMNS))


def _criterion(row: CsvRow, evidence: Evidence) -> TrialCriterion:
    measure = row.one_of("measure", (PUBLISHED, *MEASURES_OF_ROWS, *MEASURES_OF_TRIALS))
    low, high = (row.number_or(name, np.nan) for name in ("low", "high"))
    if measure == PUBLISHED or row["evidence"]:
        row.known("evidence", evidence.observations, "an id of data/evidence")
    if measure != PUBLISHED and np.isnan(low) and np.isnan(high):
        raise row.error("low", "a criterion without a bound", expected="a number in low or high")
    if measure in MEASURES_OF_TRIALS:
        row.required("trial", "the name of a trial")
    row.required("reason", "one line")
    return TrialCriterion(row.required("goal", "a goal"), measure, row["trial"], row["evidence"], low, high)


def judge_criteria(
    criteria: tuple[TrialCriterion, ...], rows: pd.DataFrame, trials: Mapping[str, xr.Dataset]
) -> pd.DataFrame:
    """goal, value, low, high, reached, simulated; `rows` and `trials` as in `TrialScorecard`."""
    return pd.DataFrame([_judged(criterion, rows, trials) for criterion in criteria])


def _judged(criterion: TrialCriterion, rows: pd.DataFrame, trials: Mapping[str, xr.Dataset]) -> dict[str, object]:
    low, high = criterion.low, criterion.high
    if criterion.measure == PUBLISHED:
        line: Any = rows.set_index("id").loc[criterion.evidence]
        value, simulated, low, high = (float(line[n]) for n in ("published", "simulated", "sim_low", "sim_high"))
    elif criterion.measure in MEASURES_OF_ROWS:
        value = simulated = float(MEASURES_OF_ROWS[criterion.measure](rows[rows["use"] == "calibrate"]))
    else:
        value = simulated = MEASURES_OF_TRIALS[criterion.measure](trials[criterion.trial])
    reached = (np.isnan(low) or value >= low) and (np.isnan(high) or value <= high)
    return {
        "goal": criterion.goal, "value": value, "low": low, "high": high, "reached": bool(reached),
        "simulated": simulated,
    }  # fmt: skip


def _dissociating(nasal: xr.Dataset) -> np.ndarray:
    """Whether each patient on esketamine dissociates at each session with a rating [patient, session]."""
    on_drug: np.ndarray = np.asarray(nasal["arm"].values[:, :, 0] == "esketamine")
    scores = nasal["CADSS"].values[:, :, FIRST_SESSION:]
    rated = np.isfinite(scores).any(axis=(0, 1))
    dissociating: np.ndarray = np.asarray(scores[:, :, rated] > load_scales()["CADSS"].remission)
    return dissociating[on_drug]


def _dissociating_percent(nasal: xr.Dataset) -> float:
    """Percent of patients on esketamine who dissociate at any session."""
    return 100 * float(np.mean(_dissociating(nasal).any(axis=1)))


def _dissociation_decline(nasal: xr.Dataset) -> float:
    """Percentage points by which fewer patients dissociate at the last than at the first session."""
    by_session = _dissociating(nasal).mean(axis=0)
    return 100 * float(by_session[0]) - 100 * float(by_session[-1])


def _rating_correlation(steps: xr.Dataset) -> float:
    """Correlation of the mean hallucinogen rating with the mean venous level over the steps of an infusion."""
    ratings = np.nanmean(steps["VAS-hallucinogen"].values, axis=(0, 1))[FIRST_SESSION:]
    levels = np.nanmean(steps["true_ketamine"].values, axis=(0, 1))[FIRST_SESSION:]
    return float(np.corrcoef(levels, ratings)[0, 1])


MEASURES_OF_ROWS: Mapping[str, Callable[[pd.DataFrame], float]] = {
    "inside share": lambda rows: rows["inside"].mean(),
    "width ratio": lambda rows: rows["width_ratio"].median(),
}
MEASURES_OF_TRIALS: Mapping[str, Callable[[xr.Dataset], float]] = {
    "dissociating percent": _dissociating_percent,
    "dissociation decline": _dissociation_decline,
    "rating correlation": _rating_correlation,
}
