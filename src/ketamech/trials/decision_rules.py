"""Decisions at visits about the doses of each patient, from that patient's ratings alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ketamech.trials.design import Condition, DecisionStep, TreatmentCourse, Trial
from ketamech.trials.trial_dosing import TrialDosing, step_course

Scores = dict[str, np.ndarray]  # scores by scale [patient, visit]; NaN where not rated
OTHERWISE_LABEL = "the others"
COMPARISON_OPERATORS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


class DecisionRules:
    """Carries out the decision steps of a trial and adapts the schedule of each course.

    `decision` [patient] is the name of the last option chosen among several, `decided_at` [patient] the time (h) of the
    last change of doses, `rescued_at` [patient] the time (h) at which rescue began; NaN for never. `uniforms`
    [patient, visit] decide second randomisations.
    """

    def __init__(self, trial: Trial, dosing: TrialDosing, uniforms: np.ndarray) -> None:
        self.trial, self.dosing, self.uniforms = trial, dosing, uniforms
        self.decision = np.full(len(uniforms), "", dtype=object)
        self.decided_at = np.full(len(uniforms), np.nan)
        self.rescued_at = np.full(len(uniforms), np.nan)

    def visits(self) -> list[int]:
        """Indices in `Trial.visit_schedule` of the visits at which a decision may fall, without the baseline."""
        times = {time for step in self.trial.steps for time in step.times}
        found = set()
        for course in self.dosing.courses:
            if adaptation := course.adaptive_dosing:
                rules = ((adaptation.reduction_rule, adaptation.since), (adaptation.reinduction_rule, 0.0))
                for scale, since in ((_scale(self.trial, rule), since) for rule, since in rules if rule):
                    found |= {
                        k for k, (v, at, _) in enumerate(self.trial.visit_schedule) if scale in v.scales and at >= since
                    }
        found |= {k for k, (_, hour, _) in enumerate(self.trial.visit_schedule) if hour in times}
        return sorted(found - {0})

    def decide(self, visit: int, scores: Scores) -> None:
        """All decisions of one visit: steps in the order of the file, then the schedule of each course."""
        hour = self.trial.visit_schedule[visit][1]
        for number, step in enumerate(self.trial.steps):
            if hour in step.times:
                self._step(number, step, visit, scores)
        for number, course in enumerate(self.dosing.courses):
            if course.adaptive_dosing:
                self._adapt_schedule(number, course, visit, scores)

    def _step(self, number: int, step: DecisionStep, visit: int, scores: Scores) -> None:
        """Assign the regimens of a step; a patient whose score is unknown continues as before."""
        hour = self.trial.visit_schedule[visit][1]
        met, known = is_met(self.trial, step.condition, scores, visit)
        if step.rescue:
            met &= np.isnan(self.rescued_at)
            self.rescued_at[met] = hour
        choice = np.searchsorted(np.cumsum(step.shares)[:-1], self.uniforms[:, visit], side="right")
        groups = [(met & (choice == k), name) for k, name in enumerate(step.names)]
        if step.otherwise:
            groups.append((known & ~met, OTHERWISE_LABEL))
        for k, (mask, words) in enumerate(groups):
            if mask.any():
                self.dosing.begin(step_course(number, k), mask, hour, added=step.rescue)
                self.decided_at[mask] = hour
                if len(groups) > 1:
                    self.decision[mask] = words

    def _adapt_schedule(self, number: int, course: TreatmentCourse, visit: int, scores: Scores) -> None:
        adaptation, hour, dosing = course.adaptive_dosing, self.trial.visit_schedule[visit][1], self.dosing
        assert adaptation is not None
        on = dosing.course == number
        if adaptation.reduction_rule and _scale(self.trial, adaptation.reduction_rule) in scores:
            met, known = is_met(self.trial, adaptation.reduction_rule, scores, visit)
            change = on & known & (hour - dosing.anchor >= adaptation.since)
            dosing.reduced[change] = met[change]
        if adaptation.reinduction_rule:
            met, _ = is_met(self.trial, adaptation.reinduction_rule, scores, visit)
            restarted = on & met & (hour - dosing.anchor >= adaptation.induction)
            dosing.anchor[restarted], dosing.reduced[restarted] = hour, False
            self.decided_at[restarted] = hour


def _scale(trial: Trial, condition: Condition) -> str:
    return trial.relapse[0] if condition.test == "relapse" and trial.relapse else condition.scale


def is_met(trial: Trial, condition: Condition, scores: Scores, visit: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks [patient] of the patients who meet a condition at a visit, and of those whose score is known."""
    name = _scale(trial, condition)
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
