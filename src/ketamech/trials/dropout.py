"""Which patients of a trial miss a visit, and which leave the trial, when and why."""

from __future__ import annotations

import numpy as np

from ketamech.core.units import WEEK
from ketamech.trials.decision_rules import Scores, is_met, scales_of
from ketamech.trials.design import Trial

DROPOUT_REASON_OTHER = "other reasons"


def missed_visits(trial: Trial, uniforms: np.ndarray) -> np.ndarray:
    """Mask of visits that are not held [patient, visit]; the baseline is always held. `uniforms` as in `Enrolment`."""
    visits = len(trial.visit_schedule)
    missed = uniforms[:, 1 : 1 + visits] < trial.missed_visit_rate
    missed[:, 0] = False
    return missed


def dropout_times(
    trial: Trial, uniforms: np.ndarray, hours: np.ndarray, scores: Scores
) -> tuple[np.ndarray, np.ndarray]:
    """When each patient leaves (h, infinite for never) and the reason [patient].

    Patients leave at a constant hazard (`Trial.dropout` a week), and at a visit at which a dropout rule is met, with
    the probability of the rule. The earlier of the two counts. `hours` [patient, visit]; `uniforms` as in `Enrolment`.
    """
    hazard = -np.log1p(-trial.dropout) / WEEK
    left = -np.log(1 - uniforms[:, 0]) / hazard if hazard else np.full(len(uniforms), np.inf)
    why = np.full(len(uniforms), DROPOUT_REASON_OTHER, dtype=object)
    visits, person = len(trial.visit_schedule), np.arange(len(uniforms))
    for i, rule in enumerate(trial.dropout_rules):
        chance = uniforms[:, 1 + (i + 1) * visits : 1 + (i + 2) * visits]
        leaves = np.zeros(hours.shape, dtype=bool)
        for k, (visit, hour, _) in enumerate(trial.visit_schedule):
            if visit.time and hour >= rule.since and scales_of(trial, rule.condition) <= set(visit.scales):
                leaves[:, k] = is_met(trial, rule.condition, scores, k)[0] & (chance[:, k] < rule.chance)
        at = np.where(leaves.any(axis=1), hours[person, leaves.argmax(axis=1)], np.inf)
        why[at < left] = rule.reason
        left = np.minimum(left, at)
    stays = left >= hours[:, -1]
    return np.where(stays, np.inf, left), np.where(stays, "", why)
