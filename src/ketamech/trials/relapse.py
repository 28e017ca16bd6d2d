"""Relapse of each patient of a trial, from ratings at visits and admissions to hospital."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketamech.core.units import WEEK
from ketamech.trials.decision_rules import Scores, is_met, scales_of
from ketamech.trials.design import RelapseRule, Trial

BY_RATING, BY_ADMISSION = "rating", "admission"


@dataclass(frozen=True)
class RelapseOutcomes:
    """Relapse [patient]: times (h), NaN for never.

    Patients are at risk from `at_risk_from` to `relapsed_at` or, without a relapse, to `observed_until`, the last
    rating. `reason` is BY_RATING, BY_ADMISSION or "".
    """

    at_risk_from: np.ndarray
    relapsed_at: np.ndarray
    observed_until: np.ndarray
    reason: np.ndarray


def relapse_outcomes(
    trial: Trial, scores: Scores, hours: np.ndarray, uniforms: np.ndarray, concerned: np.ndarray | None = None
) -> RelapseOutcomes:
    """Outcomes of the patients at risk; `scores` {scale: [patient, visit]} are NaN after a patient has left.

    `hours` [patient, visit] are the times of the visits; `uniforms` [patient, visit] decide admissions before a visit;
    `concerned` is the mask [patient] of the patients who can be at risk (default: all).
    """
    rule = trial.relapse
    assert rule is not None
    start = [visit.name for visit, _, _ in trial.visit_schedule].index(rule.since)
    at_risk = is_met(trial, rule.at_risk, scores, start)[0] & (True if concerned is None else concerned)
    relapsed, until, last = _by_rating(trial, rule, scores, hours, start)
    admitted = _by_admission(trial, rule, scores, hours, uniforms, start) if rule.admission_rate else np.nan
    reason = np.where(np.isfinite(relapsed), BY_RATING, "").astype(object)
    first = ~(relapsed <= admitted) & (admitted <= last) & at_risk
    relapsed, reason = np.where(first, admitted, relapsed), np.where(first, BY_ADMISSION, reason)
    reason[~at_risk] = ""
    begin, relapsed, until = (np.where(at_risk, found, np.nan) for found in (hours[:, start], relapsed, until))
    return RelapseOutcomes(begin, relapsed, until, reason)


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
    found, due = np.full(len(hours), np.nan), np.ones(len(hours), dtype=bool)
    hazard = -np.log1p(-rule.admission_rate) / WEEK
    for k in range(start, hours.shape[1] - 1):
        if rule.admission_rule is not None:
            met, known = is_met(trial, rule.admission_rule, scores, k)
            due = np.where(known, met, due & (k > start))
        wait = -np.log1p(-uniforms[:, k + 1]) / hazard
        inside = due & (wait < hours[:, k + 1] - hours[:, k]) & np.isnan(found)
        found[inside] = (hours[:, k] + wait)[inside]
    return found


def end_of_trial(rule: RelapseRule, relapsed_at: np.ndarray) -> float:
    """Time (h) of the event with which the trial ends; infinite if there are fewer. `relapsed_at` [patient]."""
    times = np.sort(relapsed_at[np.isfinite(relapsed_at)])
    return float(times[rule.last_event - 1]) if 0 < rule.last_event <= len(times) else np.inf
