"""The scorecard of virtual trials: published numbers against trials simulated at the published size.

Each replicate is a whole trial with other virtual patients, another draw of the posterior and its own study effects, so
that the 95 % prediction interval includes chance, variability between patients, differences between trials and
parameter uncertainty. A trial that the posterior used is predicted from the posterior without it. The acceptance
criteria of data/scorecard/trial_criteria.csv are judged on its rows and on single trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.analysis.reference_forecasts import (
    PublishedDifference,
    differences_from_control,
    hour_of,
    load_references,
    model_curves,
    published_comparisons,
    published_differences,
    reference_chances,
    trial_names,
)
from ketamech.analysis.scorecard_targets import fitted_rows, roles, rows_set_by_hand
from ketamech.analysis.skill import (
    load_published_contrasts,
    score_contrasts,
    score_rows,
    significance_rows,
    summary_rows,
)
from ketamech.analysis.skill_rows import ScoredRow, scored_rows
from ketamech.calibration.clinical_targets import (
    ClinicalTarget,
    load_clinical_targets,
    load_spread_targets,
    published_interval,
    standard_error_of,
    statistic,
)
from ketamech.calibration.leave_one_trial_out import LeftOutDraws, fold_of
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.statistics import interval
from ketamech.evidence import RATIOS, Evidence, load_evidence, log_standard_error
from ketamech.simulation.model import Model
from ketamech.trials.analysis.analyse import reference_arm
from ketamech.trials.analysis.crossover import compare_arms
from ketamech.trials.analysis.power import ALPHA
from ketamech.trials.analysis.treatment_effects import share_interval
from ketamech.trials.rating_scales import load_scales
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import shipped_trial

REPLICATES, CURVE_REPLICATES = 60, 40  # of a trial; of the trials behind the curves
LEFT_OUT, IN_SAMPLE = "left out", "in sample"
Trials = dict[str, "xr.Dataset"]


@dataclass(frozen=True)
class TrialScorecard:
    """Comparison of virtual trials with published numbers, each trial predicted without its own data.

    `rows`: id, stage, trial, fold (evidence trial), statistic, published with its 95 % interval, simulated with its 95
    % prediction interval, inside, overlaps, z, fold_error, width_ratio, use, fitted, role ("fitted", "same trial" as a
    fitted row, or "independent"), scored ("" or why not). `spreads`: the same for standard deviations within an arm;
    `by_stage`: counts and coverage; `criteria`; `skill_rows`, `contrasts` and `skill` on both bases (left out, in
    sample); `significance_probabilities`: chance of p < 0.05 beside each published comparison; `leave_out_methods`: how
    each trial was left out; `curves` and `published`: differences from control of the model and of all trials;
    `trials`: datasets of the predictions.
    """

    rows: pd.DataFrame
    spreads: pd.DataFrame
    by_stage: pd.DataFrame
    criteria: pd.DataFrame
    skill_rows: pd.DataFrame
    contrasts: pd.DataFrame
    skill: pd.DataFrame
    significance_probabilities: pd.DataFrame
    leave_out_methods: pd.DataFrame
    curves: pd.DataFrame
    published: list[PublishedDifference]
    trials: Trials


def trial_scorecard(
    model: Model, posterior: Sequence[dict[str, float]], left_out: Mapping[str, LeftOutDraws], *,
    replicates: int = REPLICATES, threads: int = 2, progress: Callable[[int, str], None] | None = None,
    work: Executor = LOCAL_EXECUTOR, names: Sequence[str] = (),
) -> TrialScorecard:  # fmt: skip
    """Run every required trial (or those in `names`) on both bases and compare.

    A trial that records an output which the model does not have is left out. `left_out`: draws without each trial, as
    `load_left_out` returns them. `progress` receives the number of finished trials and what is next; `work` stores
    checkpoints.
    """
    clinical = recordable([row for row in load_clinical_targets() if not names or row.trial in names], model)
    wanted = list(dict.fromkeys([*(row.trial for row in clinical), *(() if names else trials_of_criteria())]))
    predicted: Trials = {}
    fitted: Trials = {}
    for number, name in enumerate(wanted):
        if progress:
            progress(2 * number, name)

        def run(draws: Sequence[dict[str, float]], name: str = name) -> xr.Dataset:
            trial = shipped_trial(name)
            return run_trial(
                trial, model, replicates=replicates, posterior=draws, first=1, threads=threads, executor=work
            )

        fitted[name] = run(posterior)
        used = trial_left_out(name, clinical, left_out)
        predicted[name] = run(left_out[used].draws) if used else fitted[name]
    rows = _table(clinical, predicted, model)
    spreads = _table([row for row in load_spread_targets() if row.trial in predicted], predicted, model)
    scores, contrasts, skill = _skills(clinical, {LEFT_OUT: predicted, IN_SAMPLE: fitted}, model, posterior)
    criteria = rows.iloc[:0] if names else judge_criteria(load_trial_criteria(load_evidence()), rows, predicted)
    chances = _significance_probabilities(scored_rows(clinical), predicted)
    significance = [{"basis": LEFT_OUT, **line} for line in significance_rows(chances)]
    skill = pd.concat([skill, pd.DataFrame(significance)], ignore_index=True)
    curves, published = rows.iloc[:0], published_differences(scored_rows(clinical))
    if not names:
        if progress:
            progress(2 * len(wanted), "curves")
        few = min(replicates, CURVE_REPLICATES)
        curves = model_curves(model, posterior, replicates=few, threads=threads, work=work)
    return TrialScorecard(
        rows,
        spreads,
        _by_stage(rows),
        criteria,
        scores,
        contrasts,
        skill,
        chances,
        _leave_out_methods(left_out),
        curves,
        published,
        predicted,
    )


def recordable(targets: Sequence[ClinicalTarget], model: Model) -> list[ClinicalTarget]:
    """The targets of trials of which the model has every output."""
    known = set(model.layout.output_names)
    return [row for row in targets if known.issuperset(s.output for s in shipped_trial(row.trial).scales.values())]


def count_of_trials() -> int:
    """Number of steps that `progress` of `trial_scorecard` counts: two runs of each trial, and the curves."""
    return 2 * len({*(row.trial for row in load_clinical_targets()), *trials_of_criteria()}) + 1


def trials_of_criteria() -> list[str]:
    """The trials that acceptance criteria read, with or without a row."""
    return [criterion.trial for criterion in load_trial_criteria(load_evidence()) if criterion.trial]


def trial_left_out(name: str, targets: Sequence[ClinicalTarget], left_out: Mapping[str, LeftOutDraws]) -> str:
    """The trial of the rows of a trial file that the posterior used and that is left out; empty if it used none."""
    of_file = [fold_of(row).trial for row in targets if row.trial == name]
    return next((trial for trial in of_file if trial in left_out), "")


def _skills(
    targets: Sequence[ClinicalTarget], data: Mapping[str, Trials], model: Model, posterior: Sequence[dict[str, float]]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores of rows, scores of contrasts, and their summary, on each basis."""
    rows, references = scored_rows(targets), load_references()
    by_hand = rows_set_by_hand(load_evidence(), model.parameters, set(posterior[0]) if posterior else ())
    known = {row.id for row in rows}
    contrasts = [
        c for c in load_published_contrasts(scored_rows(load_clinical_targets())) if {c.first, c.second} <= known
    ]
    parts: list[tuple[pd.DataFrame, pd.DataFrame, list[dict[str, object]]]] = []
    for basis, trials in data.items():
        samples = {row.id: statistic(row.target, trials[row.target.trial]) for row in rows}
        scored = score_rows(rows, samples, references, basis, by_hand)
        compared = score_contrasts(rows, contrasts, samples, basis)
        parts.append((scored, compared, summary_rows(rows, scored, compared, samples)))
    scores, contrast_scores, lines = zip(*parts, strict=True)
    return pd.concat(scores), pd.concat(contrast_scores), pd.DataFrame([line for some in lines for line in some])


def _significance_probabilities(rows: Sequence[ScoredRow], data: Trials) -> pd.DataFrame:
    """Chance of p < 0.05 for each published difference from control, by `compare_arms` in every replicate.

    Columns: id, trial, name, arm, visit, published, low, high, significant, source, n (patients), replicates, chance
    (share of them, with its 95 % Monte Carlo interval), and the chances of `reference_chances`.
    """
    lines = []
    names, every = trial_names(), scored_rows(load_clinical_targets())
    comparisons, differences = published_comparisons(every), differences_from_control(every)
    for one in published_comparisons(rows):
        target = one.row.target
        trial, dataset = shipped_trial(target.trial), data[target.trial]
        analysis = compare_arms(dataset, target.scale, target.visit, reference_arm(trial))
        p = analysis[(analysis["arm"] == target.arm) & np.isfinite(analysis["p"])]["p"]
        low, high = share_interval(np.array([int((p < ALPHA).sum())]), np.array([len(p)]))
        lines.append({
            "id": one.id, "trial": one.row.trial, "name": names.get(target.trial, one.row.trial), "arm": target.arm,
            "visit": target.visit, "published": one.value, "low": one.low, "high": one.high,
            "significant": one.significant, "source": one.source, "n": trial.patients,
            "replicates": len(p), "chance": float((p < ALPHA).mean()) if len(p) else float("nan"),
            "chance_low": low, "chance_high": high,
            **reference_chances(one, comparisons, differences),
        })  # fmt: skip
    return pd.DataFrame(lines)


def _leave_out_methods(left_out: Mapping[str, LeftOutDraws]) -> pd.DataFrame:
    """trial, rows, pareto_k, effective_draws, method of each posterior without a trial."""
    columns = ("trial", "rows", "pareto_k", "effective_draws", "method")
    return pd.DataFrame([{c: getattr(one, c) for c in columns} for one in left_out.values()], columns=list(columns))


def _table(targets: Sequence[ClinicalTarget], data: dict[str, xr.Dataset], model: Model) -> pd.DataFrame:
    """One line per target, with `fitted` and `role` as in the scorecard of one patient."""
    evidence = load_evidence()
    fitted = fitted_rows(evidence, model.parameters)
    table = pd.DataFrame([_line(row, statistic(row, data[row.trial])) for row in targets])
    table["fitted"] = [row.fitted or row.row.id in fitted for row in targets]
    table["role"] = roles([row.row.id for row in targets], evidence, fitted)
    table["scored"] = [row.reason for row in scored_rows(targets)]
    return table


def _line(row: ClinicalTarget, values: np.ndarray) -> dict[str, object]:
    low, high = interval(values)
    middle = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    published, (own_low, own_high) = row.published, published_interval(row)
    width = own_high - own_low
    inside = bool(low <= published <= high)
    touches = bool(low <= own_high and high >= own_low) if np.isfinite(width) else inside
    return {
        "id": row.row.id, "stage": row.row.stage, "quantity": row.row.quantity, "reference": row.row.reference,
        "trial": row.trial, "fold": fold_of(row).trial,
        "n": row.row.n, "arm": row.arm, "scale": row.scale, "visit": row.visit, "hour": hour_of(row),
        "statistic": row.statistic, "published": published, "low": own_low, "high": own_high,
        "simulated": middle, "sim_low": float(low), "sim_high": float(high), "inside": inside, "overlaps": touches,
        "z": standardised_difference(row, values),
        "fold_error": middle / published if published and middle / published > 0 else float("nan"),
        "width_ratio": (high - low) / width if width > 0 else float("nan"), "use": row.row.use,
    }  # fmt: skip


def standardised_difference(row: ClinicalTarget, values: np.ndarray) -> float:
    """Distance of the simulated mean in standard errors of both; of the logarithms where the number is a ratio."""
    published, error = row.published, standard_error_of(row)
    if row.row.unit in RATIOS:
        values, published, error = np.log(values[values > 0]), np.log(published), log_standard_error(row.row)
    if not np.isfinite(values).any():
        return float("nan")
    spread = np.hypot(error, np.nanstd(values)) if np.isfinite(error) else np.nanstd(values)
    return float((np.nanmean(values) - published) / spread) if spread > 0 else float("nan")


def _by_stage(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per stage and role."""
    groups = rows.groupby(["stage", "role"], sort=False)
    table = groups.agg(n=("id", "size"), inside=("inside", "sum"), overlaps=("overlaps", "sum"))
    table["mean_abs_z"] = groups["z"].agg(lambda z: z.abs().mean())
    return table.reset_index()


CRITERIA = DATA / "scorecard" / "trial_criteria.csv"
CRITERIA_COLUMNS = ("goal", "measure", "trial", "evidence", "low", "high", "reason")
PUBLISHED_NUMBER = "published number"
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
    return tuple(_criterion(row, evidence) for row in read_table(CRITERIA, CRITERIA_COLUMNS))


def _criterion(row: CsvRow, evidence: Evidence) -> TrialCriterion:
    measure = row.one_of("measure", (PUBLISHED_NUMBER, *MEASURES_OF_ROWS, *MEASURES_OF_TRIALS))
    low, high = (row.number_or(name, np.nan) for name in ("low", "high"))
    if measure == PUBLISHED_NUMBER or row["evidence"]:
        row.known("evidence", evidence.observations, "an id of data/evidence")
    if measure != PUBLISHED_NUMBER and np.isnan(low) and np.isnan(high):
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
    if criterion.measure == PUBLISHED_NUMBER:
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
