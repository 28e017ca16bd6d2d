"""Reference forecasts without a mechanistic model, and published differences to compare with curves of the model.

The class mean is the mean and SD of the scored rows of the other trials in the same class, without dose or time. The
meta-analysis is the random-effects mean (REML) of the differences from control in the other trials. A prediction must
beat these forecasts to have skill. They are frozen in data/scorecard/references.csv with the date on which they were
made.

The dose-response and time course are those of three trials in data/scorecard/curves; bands are 95 % of trials with
draws of the posterior of all trials, so that the curves describe the model and do not test it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from ketamech.analysis.skill_rows import NO_PUBLIC_SOURCE, ScoredRow
from ketamech.calibration.clinical_targets import ClinicalTarget, published_interval
from ketamech.core.constants import Z95
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
MIN_OTHER_TRIALS = 3
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


def reference_forecasts(rows: Sequence[ScoredRow]) -> list[ReferenceForecast]:
    """The forecasts of every scored row from the rows of all other trials."""
    scored = [row for row in rows if not row.reason]
    differences = differences_from_control(rows)
    made = date.today().isoformat()
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
        if len({other.trial for other in rows}) >= MIN_OTHER_TRIALS:
            return name, rows
    return "none", []


def _pooled(row: ScoredRow, differences: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """The forecast of a difference in points by the meta-analysis of the other trials."""
    if row.statistic != "difference" or row.family != "mood" or not np.isfinite(row.standard_error):
        return NO_FORECAST
    return _pooled_difference(row.trial, row.standard_error, differences)


def _pooled_difference(trial: str, error: float, differences: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Mean and SD of an estimate with this standard error in a new trial, from the differences of the other trials."""
    others = [pair for name, pair in differences.items() if name != trial]
    if len(others) < MIN_OTHER_TRIALS:
        return NO_FORECAST
    mean, tau = random_effects(*(np.array(column) for column in zip(*others, strict=True)))
    return mean, float(np.hypot(tau, error))


def random_effects(values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Mean and SD between trials (tau) of a random-effects model by restricted maximum likelihood (REML).

    `values` [trial] with standard errors `errors` [trial], in one unit.
    """
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


@dataclass(frozen=True)
class PublishedComparison:
    """A published difference from control in the published unit, with its 95 % interval.

    `row` is the printed difference, or the mean of the compared arm; `source` is "printed", "two arms" (the difference
    of two printed means) or "recalled" (the source cannot be opened).
    """

    id: str
    row: ScoredRow
    source: str
    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error that the interval implies."""
        return (self.high - self.low) / (2 * Z95)

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0: p < 0.05, two-sided."""
        return self.low * self.high > 0


def published_comparisons(rows: Sequence[ScoredRow]) -> list[PublishedComparison]:
    """Printed differences, then differences of two scored means of a parallel trial at one visit, then recalled
    differences; of trials that are scored; one of each arm and visit.
    """
    scored_trials = {row.target.trial for row in rows if not row.reason}
    differences = [row for row in rows if row.statistic == "difference" and row.target.trial in scored_trials]
    printed = [_printed(row, "printed") for row in differences if not row.reason]
    recalled = [_printed(row, "recalled") for row in differences if row.reason == NO_PUBLIC_SOURCE]
    found: dict[tuple[str, ...], PublishedComparison] = {}
    for one in (*printed, *_differences_of_arms(rows), *recalled):
        target = one.row.target
        found.setdefault((target.trial, target.arm, target.visit, target.scale), one)
    return list(found.values())


def _printed(row: ScoredRow, source: str) -> PublishedComparison:
    return PublishedComparison(row.id, row, source, row.target.published, *published_interval(row.target))


def _differences_of_arms(rows: Sequence[ScoredRow]) -> list[PublishedComparison]:
    """The difference of each mean from that of the reference arm, with its 95 % interval from the intervals of both."""
    groups: dict[tuple[str, ...], list[ScoredRow]] = {}
    for row in rows:
        target = row.target
        if target.statistic in ("change", "mean") and not row.reason and np.isfinite(published_interval(target)[0]):
            groups.setdefault((target.trial, target.visit, target.scale, target.statistic), []).append(row)
    pairs = []
    for (name, *_), arms in groups.items():
        trial = shipped_trial(name)
        control = next((row for row in arms if row.target.arm == reference_arm(trial)), None)
        if control and not trial.washout:
            pairs += [_difference_of_arms(row, control) for row in arms if row is not control]
    return pairs


def _difference_of_arms(row: ScoredRow, control: ScoredRow) -> PublishedComparison:
    half = float(np.hypot(*(np.ptp(published_interval(one.target)) for one in (row, control)))) / 2
    value, name = row.target.published - control.target.published, f"{row.id} minus {control.id}"
    return PublishedComparison(name, row, "two arms", value, value - half, value + half)


def chance_of_significance(mean: float, sd: float, error: float) -> float:
    """Chance of p < 0.05 of an estimate with this standard error that is predicted as normal; NaN without a forecast.

    Two-sided: the estimate lies more than 1.96 standard errors from 0.
    """
    from scipy.special import ndtr

    return float(ndtr((-Z95 * error - mean) / sd) + ndtr((mean - Z95 * error) / sd))


def reference_chances(
    comparison: PublishedComparison,
    comparisons: Sequence[PublishedComparison],
    differences: Mapping[str, tuple[float, float]],
) -> dict[str, float]:
    """Chances of p < 0.05 of a comparison at its published standard error, without the model.

    `chance_published`: the published estimate is the true effect, so that the chance depends on its z only;
    `chance_pooled`: the meta-analysis of the other trials (`differences` as `differences_from_control` returns them);
    `chance_both`: a repetition of the trial, from that meta-analysis and the published estimate (empirical Bayes);
    `chance_base`: share of p < 0.05 among the `comparisons` of other trials whose source can be opened. NaN where there
    is no forecast. The first and the third know the result and are no predictions.
    """
    row, error = comparison.row, comparison.error
    others = [one.significant for one in comparisons if one.row.trial != row.trial and one.source != "recalled"]
    value, scaled = row.factor * comparison.value, abs(row.factor) * error  # on the common scale
    mean, sd = _pooled_difference(row.trial, scaled, differences) if row.family == "mood" else NO_FORECAST
    weight = (sd**2 - scaled**2) / sd**2  # of the published estimate: variance between trials over the variance of both
    repeated = mean + weight * (value - mean), float(np.sqrt(1 + weight)) * scaled
    return {
        "chance_published": chance_of_significance(comparison.value, error, error),
        "chance_pooled": chance_of_significance(mean, sd, scaled),
        "chance_both": chance_of_significance(*repeated, scaled),
        "chance_base": float(np.mean(others)) if others else float("nan"),
    }


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
