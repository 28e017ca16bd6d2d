"""Ratings of patients at the visits of a trial, with error, times to relapse, and events.

Ratings that are not made stay missing; nothing is imputed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketamech.core.units import WEEK
from ketamech.dosing.parsed_values import Rule
from ketamech.trials.decision_rules import Scores, is_met, scales_of
from ketamech.trials.design import RelapseRule, Trial


class VisitRatings:
    """At which visits of a trial each scale is rated, and at which visit the last full rating was."""

    def __init__(self, trial: Trial, outputs: tuple[str, ...]) -> None:
        self.trial, self.outputs = trial, outputs
        plan = trial.visit_schedule
        begins = [period * len(trial.visits) for _, _, period in plan]
        self.rated = {name: np.array([name in visit.scales for visit, _, _ in plan]) for name in trial.scales}
        self.full = {name: self._visit_ratings(name, begins) for name in trial.scales}

    def _visit_ratings(self, name: str, begins: list[int]) -> np.ndarray:
        """Index of the visit of the last full rating [visit], among visits at which this scale is rated."""
        plan, rated = self.trial.visit_schedule, np.flatnonzero(self.rated[name])
        first = [int(np.searchsorted(rated, begins[k])) for k in rated]
        last = self.trial.scales[name].last_full_ratings([plan[k][1] for k in rated], first)
        visits = np.zeros(len(plan), dtype=int)
        visits[rated] = rated[last]
        return visits

    def true_scores(self, values: np.ndarray) -> Scores:
        """Scores without error [patient, visit] from outputs [patient, visit, output]; NaN where not rated."""
        scores = {}
        for name, scale in self.trial.scales.items():
            output = values[:, :, self.outputs.index(scale.output)]
            truth = scale.true_scores(output, output[:, self.full[name]])
            scores[name] = np.where(self.rated[name], truth, np.nan)
        return scores

    def rated_scores(
        self, true_scores: Scores, rating_normals: np.ndarray, fluctuation_normals: np.ndarray, hours: np.ndarray,
        missing: np.ndarray,
    ) -> Scores:  # fmt: skip
        """Scores with error at `hours` [patient, visit]; NaN where `missing` [patient, visit].

        `rating_normals` [patient, 2, visit, scale] and `fluctuation_normals` [patient, scale] are standard normal.
        """
        scores = {}
        for k, (name, scale) in enumerate(self.trial.scales.items()):
            own = scale.fluctuations(hours, rating_normals[:, 1, :, k], fluctuation_normals[:, k])
            truth = true_scores[name] + scale.background_scores(hours, rating_normals[:, 1, :, k])
            scores[name] = np.where(missing, np.nan, scale.rated_scores(truth, rating_normals[:, 0, :, k], own))
        return scores


def had_event(trial: Trial, rule: Rule, scores: Scores) -> np.ndarray:
    """1 or 0 for each patient who had an event or not; NaN where a scale of its `rule` was never rated after baseline.

    `scores` {scale: [patient, visit]}.
    """
    seen = [np.isfinite(scores[name][:, 1:]).any(axis=1) for name in scales_of(trial, rule, now=False)]
    met, _ = is_met(trial, rule, scores, len(trial.visit_schedule) - 1)
    return np.where(np.all(seen, axis=0), met, np.nan)


BY_RATING, BY_ADMISSION = "rating", "admission"


@dataclass(frozen=True)
class RelapseTimes:
    """Relapse [patient]: times (h), NaN for never.

    Patients are at risk from `at_risk_from` to `relapsed_at` or, without a relapse, to `observed_until`, the last
    rating. `reason` is BY_RATING, BY_ADMISSION or "".
    """

    at_risk_from: np.ndarray
    relapsed_at: np.ndarray
    observed_until: np.ndarray
    reason: np.ndarray


def relapse_times(
    trial: Trial, scores: Scores, hours: np.ndarray, uniforms: np.ndarray, in_groups: np.ndarray | None = None
) -> RelapseTimes:
    """Relapse of the patients at risk; `scores` {scale: [patient, visit]} are NaN after a patient has left.

    In a crossover patients are followed to the end of the period in which relapses begin to count.

    `hours` [patient, visit] are the times of the visits; `uniforms` [patient, visit] decide admissions before a visit;
    `in_groups` is the mask [patient] of the patients who can be at risk (default: all).
    """
    rule = trial.relapse
    assert rule is not None
    start = [visit.name for visit, _, _ in trial.visit_schedule].index(rule.since)
    followed = hours[:, : len(trial.visits)]
    at_risk = is_met(trial, rule.at_risk, scores, start)[0] & (True if in_groups is None else in_groups)
    relapsed, until, last = _by_rating(trial, rule, scores, followed, start)
    admitted = _by_admission(trial, rule, scores, followed, uniforms, start) if rule.admission_rate else np.nan
    reason = np.where(np.isfinite(relapsed), BY_RATING, "").astype(object)
    first = ~(relapsed <= admitted) & (admitted <= last) & at_risk
    relapsed, reason = np.where(first, admitted, relapsed), np.where(first, BY_ADMISSION, reason)
    reason[~at_risk] = ""
    begin, relapsed, until = (np.where(at_risk, values, np.nan) for values in (hours[:, start], relapsed, until))
    return RelapseTimes(begin, relapsed, until, reason)


def _by_rating(
    trial: Trial, rule: RelapseRule, scores: Scores, hours: np.ndarray, start: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time (h) of the first relapse by ratings, and of the last rating at which it is known or on any scale."""
    relapsed, pending = np.full(len(hours), np.nan), np.full(len(hours), np.nan)
    until, last = hours[:, start].copy(), hours[:, start].copy()
    needed = scales_of(trial, rule.condition, now=False)
    for k in range(start + 1, hours.shape[1]):
        visit, now = trial.visit_schedule[k][0], hours[:, k]
        rated = np.any([np.isfinite(scores[name][:, k]) for name in visit.scales], axis=0)
        last = np.where(rated, now, last)
        if not needed & set(visit.scales):
            continue
        met, known = is_met(trial, rule.condition, scores, k)
        confirmed = met & (now - pending <= rule.within) if rule.confirmed else met
        new = confirmed & np.isnan(relapsed)
        relapsed[new] = (pending if rule.confirmed else now)[new]
        pending = np.where(known, np.where(met, now, np.nan), pending)
        until = np.where(known, now, until)
    return relapsed, until, last


def _by_admission(
    trial: Trial, rule: RelapseRule, scores: Scores, hours: np.ndarray, uniforms: np.ndarray, start: int
) -> np.ndarray:
    """Time (h) of the first admission [patient]; the hazard between two visits depends on the last known rating."""
    admitted, due = np.full(len(hours), np.nan), np.ones(len(hours), dtype=bool)
    hazard = -np.log1p(-rule.admission_rate) / WEEK
    for k in range(start, hours.shape[1] - 1):
        if rule.admission_rule is not None:
            met, known = is_met(trial, rule.admission_rule, scores, k)
            due = np.where(known, met, due & (k > start))
        wait = -np.log1p(-uniforms[:, k + 1]) / hazard
        inside = due & (wait < hours[:, k + 1] - hours[:, k]) & np.isnan(admitted)
        admitted[inside] = (hours[:, k] + wait)[inside]
    return admitted


def end_of_trial(rule: RelapseRule, relapsed_at: np.ndarray) -> float:
    """Time (h) of the event with which the trial ends; infinite if there are fewer. `relapsed_at` [patient]."""
    times = np.sort(relapsed_at[np.isfinite(relapsed_at)])
    return float(times[rule.last_event - 1]) if 0 < rule.last_event <= len(times) else np.inf
