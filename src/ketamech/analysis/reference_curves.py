"""Dose-response and time course of the model as differences from control, with every published difference in mood.

The curves are those of three trials in data/scorecard/curves; bands are 95 % of trials with draws of the posterior of
all trials, so that the curves describe the model and do not test it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketamech.analysis.reference_forecasts import hour_of
from ketamech.analysis.skill_rows import ScoredRow
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.execution import LOCAL, Executor
from ketamech.estimation.clinical_targets import shipped_trial
from ketamech.simulation.model import Model
from ketamech.trials.analysis.analyse import reference_arm
from ketamech.trials.analysis.treatment_effects import scores
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

if TYPE_CHECKING:
    import pandas as pd

CURVES = DATA / "scorecard" / "curves"
NAMES = DATA / "scorecard" / "trial_names.csv"
COLUMNS = ("curve", "arm", "dose", "hour", "mean", "low", "high")


@dataclass(frozen=True)
class PublishedDifference:
    """A published difference in mood from control, in MADRS points, `hour` after the first dose.

    `curve` names the trial of data/scorecard/curves that it is compared with; `dose` is in the unit of that curve, NaN
    for another drug; `given` says what was given.
    """

    id: str
    name: str
    curve: str
    dose: float
    given: str
    hour: float
    value: float
    error: float


def trial_names() -> dict[str, str]:
    """{trial file: name of the trial for figures}."""
    return {row["trial"]: row["name"] for row in read_table(NAMES, ("trial", "name"))}


def model_curves(
    model: Model, posterior: Sequence[dict[str, float]], *, replicates: int, threads: int, work: Executor = LOCAL
) -> pd.DataFrame:
    """Mean difference in change from control of each arm at each visit, with 95 % of trials; columns COLUMNS.

    The name of an arm begins with its dose.
    """
    import pandas as pd

    lines: list[tuple[object, ...]] = []
    for path in sorted(CURVES.glob("*.yaml")):
        trial = load_trial(path)
        data = run_trial(
            trial, model, replicates=replicates, posterior=posterior, first=1, threads=threads, executor=work
        )
        values, base, arm = scores(data, trial.primary[0])
        reference = reference_arm(trial)
        changes = {a.name: np.nanmean(np.where(arm == a.name, values - base, np.nan), axis=1) for a in trial.arms}
        for name in (a.name for a in trial.arms if a.name != reference):
            difference = changes[name] - changes[reference]  # [replicate, visit]
            for k, hour in enumerate(data["hour"].values):
                if hour > 0:
                    low, high = np.nanpercentile(difference[:, k], [2.5, 97.5])
                    mean, dose = float(np.nanmean(difference[:, k])), float(name.split()[0])
                    lines.append((path.stem, name, dose, float(hour), mean, low, high))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def published_differences(rows: Sequence[ScoredRow]) -> list[PublishedDifference]:
    """Printed differences and differences of two printed changes, of drugs given to awake patients."""
    usable = [row for row in rows if row.family == "mood" and not row.reason and row.arm in ("drug awake", "control")]
    printed = {(row.trial, row.target.arm, row.target.visit): row for row in usable if row.statistic == "difference"}
    found = [_published(row, row.published, row.standard_error) for row in printed.values()]
    changes = [row for row in usable if row.statistic == "change"]
    for row in (row for row in changes if row.arm == "drug awake"):
        for control in (other for other in changes if other.arm == "control" and other.trial == row.trial):
            place = (row.trial, row.target.arm, row.target.visit)
            if control.target.visit == row.target.visit and place not in printed:
                error = float(np.hypot(row.standard_error, control.standard_error))
                found.append(_published(row, row.published - control.published, error))
    return found


def _published(row: ScoredRow, value: float, error: float) -> PublishedDifference:
    trial = shipped_trial(row.target.trial)
    arm = next(arm for arm in trial.arms if arm.name == row.target.arm)
    drugs = [treatment for treatment in arm.regimen.treatments if "ketamine" in treatment.drug]
    hour, dose = hour_of(row.target), drugs[-1]
    doses = sum(at < hour for one in drugs for at in one.starts(trial.horizon))
    curve = "infusion" if dose.route == "IV" else "series" if doses > 1 else "spray"
    amount = float(dose.amount or np.nan)
    racemic = dose.drug == "racemic ketamine"
    same = racemic == (curve == "infusion")
    given = f"{'racemic ' if racemic and not same else ''}{amount:g} {dose.unit}"
    name = trial_names().get(row.target.trial, row.trial)
    return PublishedDifference(row.id, name, curve, amount if same else float("nan"), given, hour, value, error)
