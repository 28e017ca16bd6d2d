"""Who leaves a trial and when, and which visits are not held: what is not rated stays unknown, imputed by nothing."""

from __future__ import annotations

import numpy as np

from ketamech.core.time_units import WEEK
from ketamech.trials.decision_rules import Scores, is_met
from ketamech.trials.design import Trial

DROPOUT_REASON_OTHER = "other reasons"


def missed_visits(trial: Trial, uniforms: np.ndarray) -> np.ndarray:
    """Visits that are not held [patient, visit]; everybody is seen at baseline."""
    visits = len(trial.visit_schedule)
    found = uniforms[:, 1 : 1 + visits] < trial.missed_visit_rate
    found[:, 0] = False
    return found


def dropout_times(
    trial: Trial, uniforms: np.ndarray, hours: np.ndarray, scores: Scores
) -> tuple[np.ndarray, np.ndarray]:
    """When each person leaves (h, infinite for never) and why [patient].

    Whatever happens, so many leave in a week; others after a visit at which a condition holds. The first counts.
    """
    hazard = -np.log1p(-trial.dropout) / WEEK
    left = -np.log(1 - uniforms[:, 0]) / hazard if hazard else np.full(len(uniforms), np.inf)
    why = np.full(len(uniforms), DROPOUT_REASON_OTHER, dtype=object)
    visits, person = len(trial.visit_schedule), np.arange(len(uniforms))
    for i, rule in enumerate(trial.dropout_rules):
        chance = uniforms[:, 1 + (i + 1) * visits : 1 + (i + 2) * visits]
        goes = np.zeros(hours.shape, dtype=bool)
        for k, (visit, hour, _) in enumerate(trial.visit_schedule):
            if visit.time and hour >= rule.since and rule.condition.scale in visit.scales:
                goes[:, k] = is_met(trial, rule.condition, scores, k)[0] & (chance[:, k] < rule.chance)
        at = np.where(goes.any(axis=1), hours[person, goes.argmax(axis=1)], np.inf)
        why[at < left] = rule.reason
        left = np.minimum(left, at)
    stays = left >= hours[:, -1]
    return np.where(stays, np.inf, left), np.where(stays, "", why)
