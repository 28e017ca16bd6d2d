"""What is decided about each person at visits, from his own ratings alone: who goes on how."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ketamech.trials.design import Condition, DecisionStep, TreatmentCourse, Trial
from ketamech.trials.trial_dosing import TrialDosing, step_course

Scores = dict[str, np.ndarray]  # by scale [person, visit]: what was rated, NaN where nothing was
OTHERWISE_LABEL = "the others"
COMPARISON_OPERATORS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


class DecisionRules:
    """Carries out the steps of a trial and adapts courses of doses.

    `decision` [person] holds the name of the last choice among several, `decided_at` (h) when anything was changed
    last, `rescued_at` (h) when rescue began; NaN for never.
    """

    def __init__(self, trial: Trial, dosing: TrialDosing, uniforms: np.ndarray) -> None:
        self.trial, self.treating, self.lots = trial, dosing, uniforms
        self.decision = np.full(len(uniforms), "", dtype=object)
        self.decided_at = np.full(len(uniforms), np.nan)
        self.rescued_at = np.full(len(uniforms), np.nan)

    def visits(self) -> list[int]:
        """Numbers of the visits at which something may be decided."""
        times = {time for step in self.trial.steps for time in step.times}
        found = set()
        for course in self.treating.courses:
            adapting = course.adaptive_dosing
            for condition, since in (
                ((adapting.reduction_rule, adapting.since), (adapting.reinduction_rule, 0.0)) if adapting else ()
            ):
                scale = self._scale(condition) if condition else ""
                found |= {
                    k for k, (v, hour, _) in enumerate(self.trial.visit_schedule) if scale in v.scales and hour >= since
                }
        found |= {k for k, (_, hour, _) in enumerate(self.trial.visit_schedule) if hour in times}
        return sorted(found - {0})

    def decide(self, visit: int, scores: Scores) -> None:
        """All decisions of one visit: steps in the order of the file, then the rhythm of each course."""
        hour = self.trial.visit_schedule[visit][1]
        for number, step in enumerate(self.trial.steps):
            if hour in step.times:
                self._step(number, step, visit, scores)
        for number, course in enumerate(self.treating.courses):
            if course.adaptive_dosing:
                self._adapt_schedule(number, course, visit, scores)

    def _step(self, number: int, step: DecisionStep, visit: int, scores: Scores) -> None:
        """Who meets the condition gets one of `then`; a person whose score is unknown goes on as before."""
        hour = self.trial.visit_schedule[visit][1]
        met, known = is_met(self.trial, step.condition, scores, visit)
        if step.rescue:
            met &= np.isnan(self.rescued_at)
            self.rescued_at[met] = hour
        drawn = np.searchsorted(np.cumsum(step.shares)[:-1], self.lots[:, visit], side="right")
        groups = [(met & (drawn == k), name) for k, name in enumerate(step.names)]
        if step.otherwise:
            groups.append((known & ~met, OTHERWISE_LABEL))
        for k, (mask, words) in enumerate(groups):
            if mask.any():
                self.treating.begin(step_course(number, k), mask, hour, added=step.rescue)
                self.decided_at[mask] = hour
                if len(groups) > 1:
                    self.decision[mask] = words

    def _adapt_schedule(self, number: int, course: TreatmentCourse, visit: int, scores: Scores) -> None:
        adapting, hour, treating = course.adaptive_dosing, self.trial.visit_schedule[visit][1], self.treating
        assert adapting is not None
        on = treating.course == number
        if adapting.reduction_rule and self._scale(adapting.reduction_rule) in scores:
            met, known = is_met(self.trial, adapting.reduction_rule, scores, visit)
            change = on & known & (hour - treating.anchor >= adapting.since)
            treating.sparse[change] = met[change]
        if adapting.reinduction_rule:
            met, _ = is_met(self.trial, adapting.reinduction_rule, scores, visit)
            anew = on & met & (hour - treating.anchor >= adapting.induction)
            treating.anchor[anew], treating.sparse[anew] = hour, False
            self.decided_at[anew] = hour

    def _scale(self, condition: Condition) -> str:
        return self.trial.relapse[0] if condition.test == "relapse" and self.trial.relapse else condition.scale


def is_met(trial: Trial, condition: Condition, scores: Scores, visit: int) -> tuple[np.ndarray, np.ndarray]:
    """Who meets a condition at a visit, and whose score is known [person]."""
    name = trial.relapse[0] if condition.test == "relapse" and trial.relapse else condition.scale
    score, baseline, scale = scores[name][:, visit], scores[name][:, 0], trial.scales[name]
    known = np.isfinite(score) & np.isfinite(baseline)
    if condition.test in COMPARISON_OPERATORS:
        found = COMPARISON_OPERATORS[condition.test](score, condition.number)
    elif condition.test == "relapse":
        assert trial.relapse is not None
        first = [v.name for v, _, _ in trial.visit_schedule].index(trial.relapse[1])
        found = (score > trial.relapse[2] * baseline) & (visit >= first)
    elif condition.test.startswith("falls"):
        found = score <= (1 - condition.number) * baseline
        found = ~found if condition.test == "falls less than" else found
    elif condition.test.endswith("remission"):
        found = score <= scale.remission
    else:
        found = score <= (1 - scale.response) * baseline
    return (~found if condition.test.startswith("no ") else found) & known, known
