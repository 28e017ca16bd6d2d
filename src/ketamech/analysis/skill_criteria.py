"""Acceptance criteria of the skill of predicted trials (data/scorecard/skill_criteria.csv) and their verdicts.

The criteria were stated before the trials were predicted without their own data. `floor` is a bound below which a
change of the model must not let a measure fall, whether or not the criterion is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA

if TYPE_CHECKING:
    import pandas as pd

PATH = DATA / "scorecard" / "skill_criteria.csv"
RESULTS = DATA / "scorecard" / "skill.csv"
COLUMNS = ("question", "group", "measure", "low", "high", "floor", "stated", "why")
MEASURES = ("skill", "skill_low", "coverage", "width_ratio", "pit_p", "error", "accuracy", "log_skill")


@dataclass(frozen=True)
class SkillCriterion:
    """A bound on one measure of one group of rows; NaN where there is none."""

    question: str
    group: str
    measure: str
    low: float
    high: float
    floor: float
    stated: str
    why: str


def load_skill_criteria(path: Path = PATH) -> tuple[SkillCriterion, ...]:
    """Every criterion. Raises InputError for an unknown measure or one without a bound."""
    found = []
    for row in read_table(path, COLUMNS):
        low, high, floor = (_bound(row, name) for name in ("low", "high", "floor"))
        if np.isnan(low) and np.isnan(high):
            raise row.error("low", "a criterion without a bound", expected="a number in low or high")
        question = row.required("question", "a question")
        measure = row.one_of("measure", MEASURES)
        found.append(SkillCriterion(question, row["group"], measure, low, high, floor, row["stated"], row["why"]))
    return tuple(found)


def _bound(row: CsvRow, name: str) -> float:
    return row.number(name) if row[name] else float("nan")


def load_skill(path: Path = RESULTS) -> pd.DataFrame:
    """The committed result table of `ketamech scorecard --publish`."""
    import pandas as pd

    return pd.read_csv(path, comment="#")


def verdicts(skill: pd.DataFrame, basis: str = "left out") -> pd.DataFrame:
    """question, group, measure, value, low, high, met, floor, above_floor (True without a floor), why; misses first.

    A measure without a value is not met.
    """
    import pandas as pd

    known = skill[skill["basis"] == basis].set_index("group")
    lines = []
    for one in load_skill_criteria():
        value = float(known.loc[one.group, one.measure]) if one.group in known.index else float("nan")  # type: ignore[arg-type]
        met = np.isfinite(value) and not value < one.low and not value > one.high
        lines.append({
            "question": one.question, "group": one.group, "measure": one.measure, "value": value, "low": one.low,
            "high": one.high, "met": bool(met), "floor": one.floor,
            "above_floor": bool(np.isnan(one.floor) or value >= one.floor), "stated": one.stated, "why": one.why,
        })  # fmt: skip
    return pd.DataFrame(lines).sort_values("met", kind="stable").reset_index(drop=True)
