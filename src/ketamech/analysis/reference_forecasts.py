"""Reference forecasts without a mechanistic model, and published differences to compare with curves of the model.

The class mean is the mean and SD of the scored rows of the other trials in the same class, without dose or time. The
meta-analysis is the random-effects mean (REML) of the differences from control in the other trials. A prediction must
beat these forecasts to have skill. They are frozen in data/scorecard/references.csv with the date on which they were
made.

The dose-response and time course are those of three trials in data/scorecard/curves; bands are 95 % of trials with
draws of the posterior of all trials, so that the curves describe the model and do not test it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.skill_rows import ScoredRow
from ketamech.calibration.clinical_targets import ClinicalTarget
from ketamech.core.atomic_files import atomic_write
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.statistics import interval
from ketamech.dosing.drugs import KETAMINE
from ketamech.simulation.model import Model
from ketamech.trials.analysis.analyse import reference_arm
from ketamech.trials.analysis.treatment_effects import scores
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial, shipped_trial

PATH = DATA / "scorecard" / "references.csv"
COLUMNS = ("evidence", "class", "borrowed", "trials", "mean", "sd", "pooled_mean", "pooled_sd", "made")
MIN_CLASS_TRIALS = 3  # other trials that a class needs
LAST_HOUR = 28 * 24.0 + 12.0  # of the visits that enter the meta-analysis
NO_FORECAST = (float("nan"), float("nan"))


@dataclass(frozen=True)
class ReferenceForecast:
    """Normal forecasts (mean, SD on the common scale) of one row; NaN where there is none.

    `wider_class` is the class that was used where the class has too few other trials; `trials` counts them.
    """

    id: str
    class_name: str
    wider_class: str
    trials: int
    class_mean: tuple[float, float]
    pooled: tuple[float, float]
    date: str


def reference_forecasts(rows: Sequence[ScoredRow], today: str = "") -> list[ReferenceForecast]:
    """The forecasts of every scored row from the rows of all other trials."""
    scored = [row for row in rows if not row.reason]
    differences = differences_from_control(rows)
    made = today or date.today().isoformat()
    forecasts = []
    for row in scored:
        borrowed, others = _comparison_class(row, [other for other in scored if other.trial != row.trial])
        values = np.array([other.published for other in others])
        mean = (float(values.mean()), float(values.std(ddof=1))) if len(values) > 1 else NO_FORECAST
        trials = len({other.trial for other in others})
        forecasts.append(ReferenceForecast(row.id, row.name, borrowed, trials, mean, _pooled(row, differences), made))
    return forecasts


def _comparison_class(row: ScoredRow, others: list[ScoredRow]) -> tuple[str, list[ScoredRow]]:
    """The rows of other trials in the class, or in its family where it has too few, after the name of the latter."""
    family = [other for other in others if (other.statistic, other.family) == (row.statistic, row.family)]
    own = [other for other in family if other.arm == row.arm]
    for name, rows in (("", own), (f"{row.family}, {row.statistic}", family)):
        if len({other.trial for other in rows}) >= MIN_CLASS_TRIALS:
            return name, rows
    return "none", []


def _pooled(row: ScoredRow, differences: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """The forecast of a difference in points by the meta-analysis of the other trials."""
    if row.statistic != "difference" or row.family != "mood" or not np.isfinite(row.standard_error):
        return NO_FORECAST
    others = [pair for trial, pair in differences.items() if trial != row.trial]
    if len(others) < MIN_CLASS_TRIALS:
        return NO_FORECAST
    mean, tau = random_effects(*(np.array(column) for column in zip(*others, strict=True)))
    return mean, float(np.hypot(tau, row.standard_error))


def random_effects(values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Mean and SD between trials (tau) of a random-effects model by restricted maximum likelihood (REML)."""
    from scipy.optimize import minimize_scalar

    def mean_of(tau: float) -> tuple[float, np.ndarray]:
        weights = 1 / (tau**2 + errors**2)
        return float(np.sum(weights * values) / weights.sum()), weights

    def deviance(tau: float) -> float:
        mean, weights = mean_of(tau)
        return float(np.sum(weights * (values - mean) ** 2) - np.log(weights).sum() + np.log(weights.sum()))

    widest = 3 * float(np.ptp(values)) + float(errors.max())
    tau = float(minimize_scalar(deviance, bounds=(0.0, widest), method="bounded", options={"xatol": 1e-8}).x)
    tau = tau if deviance(tau) < deviance(0.0) else 0.0
    return mean_of(tau)[0], tau


def differences_from_control(rows: Sequence[ScoredRow]) -> dict[str, tuple[float, float]]:
    """{trial: (difference in mood from control, standard error)} at the last visit within 28 days, one of each trial.

    Printed differences first; else the difference of the changes of two arms at one visit.
    """
    usable = [row for row in rows if row.family == "mood" and not row.reason]
    differences: dict[str, tuple[float, float, float]] = {}
    printed = [row for row in usable if row.statistic == "difference"]
    for row in printed:
        _keep_last(differences, row.trial, hour_of(row.target), row.published, row.standard_error)
    known = {row.trial for row in printed}
    arms = [row for row in usable if row.statistic == "change" and row.trial not in known]
    for row in (row for row in arms if row.arm.startswith("drug")):
        for control in arms:
            if (control.trial, control.target.visit, control.arm) == (row.trial, row.target.visit, "control"):
                error = float(np.hypot(row.standard_error, control.standard_error))
                change = row.published - control.published
                _keep_last(differences, row.trial, hour_of(row.target), change, error)
    return {trial: (value, error) for trial, (_, value, error) in differences.items()}


def _keep_last(
    latest: dict[str, tuple[float, float, float]], trial: str, hour: float, value: float, error: float
) -> None:
    if np.isfinite(error) and hour <= LAST_HOUR and hour > latest.get(trial, (-1.0, 0.0, 0.0))[0]:
        latest[trial] = (hour, value, error)


def hour_of(target: ClinicalTarget) -> float:
    """Planned hour of the visit of a row; NaN where it names none."""
    return next((v.time for v in shipped_trial(target.trial).visits if v.name == target.visit), float("nan"))


def freeze(rows: Sequence[ScoredRow]) -> Path:
    """Write the forecasts of the scored rows with today's date."""
    lines = [",".join(COLUMNS)]
    for forecast in reference_forecasts(rows):
        numbers = ["" if np.isnan(x) else f"{x:.5g}" for x in (*forecast.class_mean, *forecast.pooled)]
        cells = [
            forecast.id,
            f'"{forecast.class_name}"',
            f'"{forecast.wider_class}"' if forecast.wider_class else "",
            str(forecast.trials),
        ]
        lines.append(",".join([*cells, *numbers, forecast.date]))
    atomic_write(PATH, ("\n".join(lines) + "\n").encode())
    return PATH


def load_references() -> dict[str, ReferenceForecast]:
    """{evidence id: the frozen forecasts}. Raises InputError."""
    forecasts = {}
    for row in read_table(PATH, COLUMNS):
        mean, sd, pooled, pooled_sd = (
            row.number_or(name, float("nan")) for name in ("mean", "sd", "pooled_mean", "pooled_sd")
        )
        name = row.required("evidence", "an evidence id")
        forecasts[name] = ReferenceForecast(
            name, row["class"], row["borrowed"], int(row.number("trials")), (mean, sd), (pooled, pooled_sd), row["made"]
        )
    return forecasts


CURVES = DATA / "scorecard" / "curves"
NAMES = DATA / "scorecard" / "trial_names.csv"
CURVE_COLUMNS = ("curve", "arm", "dose", "hour", "mean", "low", "high")


@dataclass(frozen=True)
class PublishedDifference:
    """A published difference in mood from control, in MADRS points, `hour` after the first dose.

    `curve` names the trial of data/scorecard/curves that it is compared with; `dose` is in the unit of that curve, NaN
    for another drug; `dose_text` says what was given.
    """

    id: str
    name: str
    curve: str
    dose: float
    dose_text: str
    hour: float
    value: float
    error: float


def trial_names() -> dict[str, str]:
    """{trial file: name of the trial for figures}."""
    return {row["trial"]: row["name"] for row in read_table(NAMES, ("trial", "name"))}


def model_curves(
    model: Model,
    posterior: Sequence[dict[str, float]],
    *,
    replicates: int,
    threads: int,
    work: Executor = LOCAL_EXECUTOR,
) -> pd.DataFrame:
    """Mean difference in change from control of each arm at each visit, with 95 % of trials; columns CURVE_COLUMNS.

    The name of an arm begins with its dose.
    """
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
                    mean, dose = float(np.nanmean(difference[:, k])), float(name.split()[0])
                    lines.append((path.stem, name, dose, float(hour), mean, *interval(difference[:, k])))
    return pd.DataFrame(lines, columns=list(CURVE_COLUMNS))


def published_differences(rows: Sequence[ScoredRow]) -> list[PublishedDifference]:
    """Printed differences and differences of two printed changes, of drugs given to awake patients."""
    usable = [row for row in rows if row.family == "mood" and not row.reason and row.arm in ("drug awake", "control")]
    printed = {(row.trial, row.target.arm, row.target.visit): row for row in usable if row.statistic == "difference"}
    differences = [_published(row, row.published, row.standard_error) for row in printed.values()]
    changes = [row for row in usable if row.statistic == "change"]
    for row in (row for row in changes if row.arm == "drug awake"):
        for control in (other for other in changes if other.arm == "control" and other.trial == row.trial):
            place = (row.trial, row.target.arm, row.target.visit)
            if control.target.visit == row.target.visit and place not in printed:
                error = float(np.hypot(row.standard_error, control.standard_error))
                differences.append(_published(row, row.published - control.published, error))
    return differences


def _published(row: ScoredRow, value: float, error: float) -> PublishedDifference:
    trial = shipped_trial(row.target.trial)
    arm = next(arm for arm in trial.arms if arm.name == row.target.arm)
    drugs = [treatment for treatment in arm.regimen.treatments if treatment.substance.drug_class == KETAMINE]
    hour, dose = hour_of(row.target), drugs[-1]
    doses = sum(at < hour for drug in drugs for at in drug.starts(trial.horizon))
    curve = "infusion" if dose.route == "IV" else "series" if doses > 1 else "spray"
    amount = float(dose.amount or np.nan)
    racemic = dose.drug == "racemic ketamine"
    same = racemic == (curve == "infusion")
    dose_text = f"{'racemic ' if racemic and not same else ''}{amount:g} {dose.unit}"
    name = trial_names().get(row.target.trial, row.trial)
    return PublishedDifference(row.id, name, curve, amount if same else float("nan"), dose_text, hour, value, error)
