"""The analysis of a simulated trial as its file specifies, and its CDISC ADaM tables with units.

In the ADaM tables AVALU is the unit of AVAL, BASE and CHG, ng/mL for levels; other columns whose names end in U are
units, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.dosing.drugs import KETAMINE
from ketamech.simulation.ensemble import OK
from ketamech.simulation.nca import NcaDose
from ketamech.simulation.nca_tables import AnalysedProfile, ConcentrationProfile, analysed
from ketamech.trials.analysis.crossover import (
    carry_over,
    compare_arms,
    first_period,
    is_crossover,
    mixed_model,
    period_baselines,
    sequence_names,
)
from ketamech.trials.analysis.repeated_measures import mmrm
from ketamech.trials.analysis.survival import RelapseAnalysis, time_to_relapse
from ketamech.trials.analysis.treatment_effects import (
    ancova,
    arm_names,
    arms_of,
    baselines,
    mean_change_by_arm,
    responders,
    response_differences,
    scores,
    share_interval,
    visit_index,
)
from ketamech.trials.design import Trial, drug_classes, is_control
from ketamech.trials.trial_dataset import EVENT_VARIABLE_PREFIX
from ketamech.trials.visit_ratings import had_event

LEVELS = ("ketamine", "esketamine", "norketamine")
SUBJECT_COLUMNS = {"age": "AGE", "weight": "WEIGHTBL", "male": "MALEFL", "asian": "ASIANFL", "resistance": "RESISTBL"}
UNITS = ("AGE", "WEIGHTBL", "DCTTM")  # columns whose unit is in a further column: AGEU ...


def adsl(dataset: xr.Dataset) -> pd.DataFrame:
    """One row for each subject: STUDYID, REPLIC, USUBJID, TRT01P, AGE, AGEU, ..., DCTTM, DCTTMU, DCREASCD, SOLVST.

    In a crossover also TRT02P ... and TRTSEQP, the sequence of treatments.
    """
    r, i, subjects = _subjects(dataset)
    behind = {"left": "DCTTM", **SUBJECT_COLUMNS}
    columns = {
        "STUDYID": str(dataset.attrs.get("title", "")), "REPLIC": dataset["replicate"].values[r], "USUBJID": subjects,
        **{f"TRT{k + 1:02}P": dataset["arm"].values[r, i, visit] for k, visit in enumerate(period_baselines(dataset))},
    }  # fmt: skip
    if is_crossover(dataset):
        columns["TRTSEQP"] = sequence_names(dataset)[r, i]
    columns |= {column: dataset[name].values[r, i] for name, column in SUBJECT_COLUMNS.items() if name in dataset}
    columns |= {"DCTTM": dataset["left"].values[r, i], "DCREASCD": dataset["why_left"].values[r, i]}
    columns |= {"DECISION": dataset["decision"].values[r, i], "SOLVST": dataset["solve_status"].values[r, i]}
    table = pd.DataFrame(columns)
    for name, column in behind.items():
        if column in UNITS and column in table:
            table.insert(list(table.columns).index(column) + 1, f"{column}U", _unit(dataset, name))
    return table


def adqs(dataset: xr.Dataset) -> pd.DataFrame:
    """One row for each rating: USUBJID, TRTP, PARAM, PARAMCD, AVISIT, AVISITN, ATM, AVAL, AVALU, BASE, CHG, PCHG ...

    PARAM names the scale and its unit; PCHG is in percent of BASE, the baseline of the period APERIOD of a crossover.
    """
    return _long(dataset, [name for name in _scales(dataset) if name not in LEVELS])


def adpc(dataset: xr.Dataset) -> pd.DataFrame:
    """One row for each concentration, with the same columns."""
    return _long(dataset, [name for name in _scales(dataset) if name in LEVELS])


def _long(dataset: xr.Dataset, names: list[str]) -> pd.DataFrame:
    r, i, subjects = _subjects(dataset)
    bases, visits = baselines(dataset), dataset["visit"].values.astype(str)
    parts = []
    for name in names:
        values, unit = dataset[name].values, _unit(dataset, name)
        for k, visit in enumerate(visits):
            score, base = values[r, i, k], values[r, i, bases[k]]
            rated = np.isfinite(score)
            if not rated.any():
                continue
            cells = {
                "REPLIC": dataset["replicate"].values[r], "USUBJID": subjects, "TRTP": dataset["arm"].values[r, i, k],
                **({"APERIOD": int(dataset["period"].values[k])} if is_crossover(dataset) else {}),
                "PARAM": f"{name} ({unit})" if unit else name, "PARAMCD": name, "AVISIT": visit, "AVISITN": k,
                "ATM": dataset["visit_time"].values[r, i, k], "ATMU": _unit(dataset, "visit_time"),
                "AVAL": score, "AVALU": unit, "BASE": base, "CHG": score - base,
                "PCHG": 100 * (score - base) / np.where(base == 0, np.nan, base),
                "ABLFL": "Y" if k == bases[k] else "",
            }  # fmt: skip
            parts.append(pd.DataFrame(cells)[rated])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _unit(dataset: xr.Dataset, name: str) -> str:
    return str(dataset[name].attrs.get("units", ""))


def _scales(dataset: xr.Dataset) -> list[str]:
    return [str(name) for name in dataset if f"true_{name}" in dataset]


def _subjects(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Index of the replicate and of the patient of every subject, and the names of the subjects."""
    r, i = np.indices((dataset.sizes["replicate"], dataset.sizes["patient"])).reshape(2, -1)
    numbers = zip(dataset["replicate"].values[r], dataset["patient"].values[i], strict=True)
    return r, i, [f"{replicate}-{patient}" for replicate, patient in numbers]


NO_DOSE = "visits of a trial are not analysed by dose"


def exposure_of_visits(dataset: xr.Dataset, names: tuple[str, ...]) -> list[AnalysedProfile]:
    """Levels at the visits of the first replicate, analysed: one profile for each patient and substance."""
    hours = dataset["visit_time"].values[0]
    dose = NcaDose(missing_reason=NO_DOSE)
    profiles = []
    for name in (level for level in names if level in dataset):
        unit = _unit(dataset, name)
        for i, level in enumerate(dataset[name].values[0]):
            keys = {"TRTP": str(dataset["arm"].values[0, i, 0])}
            subject = f"{dataset['replicate'].values[0]}-{dataset['patient'].values[i]}"
            profiles.append(ConcentrationProfile(subject, name, hours[i], level, unit, dose, keys=keys))
    return analysed(profiles)


UNTIL_DECISION, SINCE_DECISION = "until the decision", "since the decision"


def event_shares(dataset: xr.Dataset, trial: Trial) -> tuple[dict[str, Any], ...]:
    """One row for each event and arm: event, arm, n (patients rated after baseline, per trial), share, low, high.

    Low and high are 95 % over replicates (Wilson's interval for one). Where steps have put patients into groups, a
    patient counts in the arm until that decision (without one: to the end) and in the group at later visits: group
    instead of arm, and `visits`.
    """
    arm, group = dataset["arm"].values[:, :, 0], dataset["decision"].values
    if not trial.events:
        return ()
    if not (group != "").any():
        had = {name: dataset[f"{EVENT_VARIABLE_PREFIX}{name}"].values for name in trial.events}
        return tuple(
            {"event": event, "arm": name, **_event_share(had[event], arm == name)}
            for event in trial.events for name in arms_of(dataset)
        )  # fmt: skip
    later = dataset["hour"].values > dataset["grouped_at"].values[:, :, None]
    before, since = _events_at(dataset, trial, ~later), _events_at(dataset, trial, later)
    drawn = [name for name in arm_names(group, _groups(trial)) if name]
    listed = [(name, UNTIL_DECISION, before, arm) for name in arms_of(dataset)]
    listed += [(name, SINCE_DECISION, since, group) for name in drawn]
    return tuple(
        {"event": event, "group": name, "visits": visits, **_event_share(had[event], names == name)}
        for event in trial.events for name, visits, had, names in listed
    )  # fmt: skip


def _events_at(dataset: xr.Dataset, trial: Trial, visits: np.ndarray) -> dict[str, np.ndarray]:
    """Whether each patient had each event [replicate, patient], from baseline and `visits` [replicate, patient, visit].

    NaN where a scale of the event is not rated at these visits.
    """
    shape, kept = visits.shape[:2], visits.reshape(-1, visits.shape[2]).copy()
    kept[:, 0] = True
    ratings = {name: np.where(kept, dataset[name].values.reshape(kept.shape), np.nan) for name in trial.scales}
    return {name: had_event(trial, rule, ratings).reshape(shape) for name, rule in trial.events.items()}


def _event_share(had: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """Patients rated in a trial and the share of them with an event, with its interval; both [replicate, patient]."""
    rated = inside & np.isfinite(had)
    counts, n = (rated & (had > 0)).sum(axis=1), rated.sum(axis=1)
    low, high = share_interval(counts, n)
    share = float(counts.sum() / n.sum()) if n.sum() else float("nan")
    return {"n": float(n.mean()), "share": share, "low": low, "high": high}


@dataclass(frozen=True)
class TrialAnalysis:
    """Tables of a trial.

    `means` and `shares` (of patients with response and remission) by scale; the `primary` comparison in every replicate
    by analysis of covariance (ANCOVA), and the difference in `response` at the same visit;
    `repeated`: all visits of the first replicate, by a mixed model for repeated measures (MMRM); `relapse`;
    of a crossover, `primary` is within patients and `repeated` has a random patient; `first_period`: ANCOVA of the
    first period, as `response`; `carry_over`: what is left of the first treatment (both empty for parallel arms);
    `exposure`: levels of the patients of the first replicate, analysed by NCA; `dropout`: share of each arm;
    `failed`: fraction of patients that could not be solved; `events`: share of each arm, or of each group that a step
    has drawn, with each event. What cannot be estimated is NaN.
    """

    reference: str
    means: dict[str, pd.DataFrame]
    shares: dict[str, pd.DataFrame]
    primary: pd.DataFrame
    response: pd.DataFrame
    repeated: pd.DataFrame
    relapse: RelapseAnalysis | None
    exposure: list[AnalysedProfile]
    dropout: dict[str, float]
    failed: float
    events: tuple[dict[str, Any], ...] = ()
    first_period: pd.DataFrame = field(default_factory=pd.DataFrame)
    carry_over: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = field(default=0.0, compare=False)

    @property
    def not_estimated(self) -> dict[str, str]:
        """What cannot be estimated from these patients, and why."""
        by_table = {}
        paired = len(self.first_period) > 0
        for name, table in (
            ("difference (within patients)" if paired else "difference (ANCOVA)", self.primary),
            ("difference (mixed model)" if paired else "difference (MMRM)", self.repeated),
            ("difference (ANCOVA, first period)", self.first_period),
            ("carry-over", self.carry_over),
            ("difference in response", self.response),
        ):
            reasons = dict.fromkeys(text for text in table.get("reason", ()) if text)
            if reasons:
                by_table[name] = "; ".join(reasons)
        if self.relapse is not None and self.relapse.reason:
            by_table["time to relapse"] = self.relapse.reason
        return by_table


def analyse(dataset: xr.Dataset, trial: Trial) -> TrialAnalysis:
    """All tables of the report of a trial. Failed patients are missing; nothing is imputed."""
    rated = [name for name in trial.scales if name not in LEVELS]
    falling = [name for name in rated if trial.scales[name].response > 0]
    reference = reference_arm(trial)
    scale, visit = trial.primary
    several, none = len(trial.arms) > 1 and scale in rated, pd.DataFrame()
    paired = several and bool(trial.washout)
    last = first_period(visit) if trial.washout else visit
    repeated = mixed_model if paired else mmrm
    return TrialAnalysis(
        reference,
        {name: mean_change_by_arm(dataset, name) for name in trial.scales},
        {n: responders(dataset, n, trial.scales[n].response, trial.scales[n].remission) for n in falling},
        compare_arms(dataset, scale, visit, reference) if several else none,
        response_differences(dataset, scale, last, reference, trial.scales[scale].response)
        if several and trial.scales[scale].response > 0
        else none,
        repeated(dataset, scale, reference) if several else none,
        time_to_relapse(dataset, order=_groups(trial)) if trial.relapse else None,
        exposure_of_visits(dataset, LEVELS),
        _dropout_shares(dataset),
        float((dataset["solve_status"].values != OK).mean()),
        event_shares(dataset, trial),
        ancova(dataset, scale, last, reference) if paired else none,
        carry_over(dataset, scale, reference) if paired else none,
    )


def method_sentences(trial: Trial) -> list[str]:
    """The primary analysis in words: model, covariates, and how patients who left are treated."""
    scale, visit = trial.primary
    leave = []
    if trial.dropout:
        leave.append(
            f"Patients leave with a chance of {100 * trial.dropout:g} % a week, the same in each arm and whatever "
            "their scores (missing completely at random)."
        )
    if trial.dropout_rules:
        leave.append("Patients also leave by rules of the trial file that depend on their ratings.")
    if trial.missed_visit_rate:
        leave.append(f"{100 * trial.missed_visit_rate:g} % of the ratings are missed at random.")
    model = (
        f"Analysis of every trial: least squares of the change in {scale} at {visit} on patient, period and arm"
        if trial.washout
        else f"Analysis of every trial: ANCOVA of the change in {scale} at {visit}, with arm and baseline score, no "
        "other covariate"
    )
    missing = "Whoever is not rated there is left out; nothing is imputed." if leave else "Nobody leaves the trial."
    also = "mixed model with random patients" if trial.washout else "mixed model for repeated measures (MMRM)"
    return [f"{model}.", *leave, missing, f"A {also} is fitted to the first trial only; it is in the files."]


def residual_sd(analysis: TrialAnalysis) -> float:
    """Residual SD of the primary comparison (points), pooled over the trials; NaN where none was estimated."""
    found = analysis.primary["residual_sd"].to_numpy(float) if len(analysis.primary) else np.array([])
    found = found[np.isfinite(found)]
    return float(np.sqrt(np.mean(found**2))) if len(found) else float("nan")


def change_sd_by_arm(dataset: xr.Dataset, scale: str, visit: str) -> dict[str, float]:
    """SD between the patients of a trial of the change at a visit, of each arm, pooled over the replicates."""
    values, base, arm = scores(dataset, scale)
    place = visit_index(dataset, visit)
    change, given = values[:, :, place] - base[:, :, place], arm[:, :, place]
    found = {}
    for name in arms_of(dataset):
        trials = [row[(own == name) & np.isfinite(row)] for row, own in zip(change, given, strict=True)]
        freedom = sum(len(one) - 1 for one in trials if len(one) > 1)
        squares = sum(float(np.sum((one - one.mean()) ** 2)) for one in trials if len(one) > 1)
        if freedom:
            found[name] = float(np.sqrt(squares / freedom))
    return found


def reference_arm(trial: Trial) -> str:
    """The arm with which the others are compared: that of the trial file, else the first with a placebo or active
    placebo, else the first without ketamine, else the last.
    """
    if trial.reference:
        return trial.reference
    controls = [arm.name for arm in trial.arms if is_control(arm.regimen)]
    others = [arm.name for arm in trial.arms if KETAMINE not in drug_classes(arm.regimen)]
    return (controls or others or [trial.arms[-1].name])[0]


def _groups(trial: Trial) -> list[str]:
    """Names of groups in the order of the file: options of randomised steps, then arms."""
    return [name for step in trial.steps for name in step.names] + [arm.name for arm in trial.arms]


def _dropout_shares(dataset: xr.Dataset) -> dict[str, float]:
    """Share of each arm that left early; a small crossover begins with one of its arms only."""
    arm, left = dataset["arm"].values[:, :, 0], np.isfinite(dataset["left"].values)
    return {name: float(left[arm == name].mean()) for name in arms_of(dataset) if (arm == name).any()}
