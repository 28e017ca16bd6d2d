"""Decisions at visits about the doses of each patient, from that patient's ratings alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ketamech.dosing.parsed_values import CombinedCondition, LookBack, Rule, single_conditions
from ketamech.trials.design import Condition, DecisionStep, TitrationStep, TreatmentCourse, Trial
from ketamech.trials.trial_dosing import TrialDosing, step_course

Scores = Mapping[str, np.ndarray]  # scores by scale [patient, visit]; NaN where not rated
OTHERWISE_LABEL = "the others"
COMPARISON_OPERATORS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


class DecisionRules:
    """Carries out the decision steps and titrations of a trial, and adapts the schedule of each course.

    `decision` [patient] is the name of the last option chosen among several, at `grouped_at` [patient] (h).
    `decided_at` [patient] is the time (h) of the last change of doses, `rescued_at` [patient] that at which rescue
    began; NaN for never. `uniforms` [patient, visit] decide second randomisations.
    """

    def __init__(self, trial: Trial, dosing: TrialDosing, uniforms: np.ndarray) -> None:
        self.trial, self.dosing, self.uniforms = trial, dosing, uniforms
        self.hours = np.array([hour for _, hour, _ in trial.visit_schedule])
        self.arms = np.array([course.name for course in dosing.courses], dtype=object)[dosing.course]
        self.decision = np.full(len(uniforms), "", dtype=object)
        self.grouped_at = np.full(len(uniforms), np.nan)
        self.decided_at = np.full(len(uniforms), np.nan)
        self.rescued_at = np.full(len(uniforms), np.nan)

    def decisions(self) -> list[tuple[float, int]]:
        """Hours at which a decision may fall, each with the index of the last visit by then, without the baseline."""
        hours = {time for step in self.trial.steps for time in step.times}
        for course in self.dosing.courses:
            if adaptation := course.adaptive_dosing:
                rules = ((adaptation.reduction_rule, adaptation.since), (adaptation.reinduction_rule, 0.0))
                for scales, since in ((scales_of(self.trial, rule), since) for rule, since in rules if rule):
                    hours |= {at for v, at, _ in self.trial.visit_schedule if scales <= set(v.scales) and at >= since}
            for step in course.titration.steps if course.titration else ():
                hours |= set(step.times)
        times = sorted(time for time in hours if 0 < time < self.trial.horizon)
        return [(time, int(np.searchsorted(self.hours, time + 1e-9)) - 1) for time in times]

    def decide(self, hour: float, visit: int, scores: Scores) -> None:
        """All decisions of one hour: steps in the order of the file, then the doses and schedule of each course."""
        for number, step in enumerate(self.trial.steps):
            if hour in step.times:
                self._step(number, step, hour, visit, scores)
        for number, course in enumerate(self.dosing.courses):
            if course.titration:
                self._titrate(number, course.titration.steps, hour, visit, scores)
            if course.adaptive_dosing and self.hours[visit] == hour:
                self._adapt_schedule(number, course, visit, scores)

    def _step(self, number: int, step: DecisionStep, hour: float, visit: int, scores: Scores) -> None:
        """Assign the regimens of a step; a patient whose score is unknown continues as before."""
        met, known = self._met(step.condition, scores, visit)
        concerned = self.in_groups(step.groups)
        met, known = met & concerned, known & concerned
        if step.rescue:
            met = met & np.isnan(self.rescued_at)
            self.rescued_at[met] = hour
        uniforms = self._option_uniforms(number, hour, visit)
        choice = np.searchsorted(np.cumsum(step.shares)[:-1], uniforms, side="right")
        groups = [(met & (choice == k), name) for k, name in enumerate(step.names)]
        if step.otherwise or step.perturbations[-1]:
            groups.append((known & ~met, OTHERWISE_LABEL))
        for k, (mask, words) in enumerate(groups):
            if mask.any():
                if (*step.regimens, step.otherwise)[k] is None:
                    self.dosing.belief[mask] = step.belief
                else:
                    self.dosing.start_course(step_course(number, k), mask, hour, added=step.rescue)
                    self.decided_at[mask] = hour
                self.dosing.give_beside(step.perturbations[k], mask, hour)
                if len(groups) > 1:
                    self.decision[mask], self.grouped_at[mask] = words, hour

    def in_groups(self, groups: tuple[str, ...]) -> np.ndarray:
        """Mask [patient] of the patients of some arms, or with these names of steps (empty: all)."""
        if not groups:
            return np.ones(len(self.decision), dtype=bool)
        return np.isin(self.arms, groups) | np.isin(self.decision, groups)

    def _option_uniforms(self, number: int, hour: float, visit: int) -> np.ndarray:
        """Random numbers [patient] of a step, independent of those of an earlier step at the same visit."""
        used = any(self.hours[visit] in step.times for step in self.trial.steps[:number])
        return self.dosing.uniforms("steps", number, hour) if used else self.uniforms[:, visit]

    def _met(self, condition: Rule | None, scores: Scores, visit: int) -> tuple[np.ndarray, np.ndarray]:
        if condition is None:
            everyone = np.ones(len(self.uniforms), dtype=bool)
            return everyone, everyone
        return is_met(self.trial, condition, scores, visit)

    def _titrate(
        self, number: int, steps: tuple[TitrationStep, ...], hour: float, visit: int, scores: Scores
    ) -> None:  # fmt: skip
        """Change the doses of the patients on a course; each patient changes at most once at one time."""
        free = self.dosing.course == number
        before = self.dosing.level.copy()
        for step in steps:
            if hour in step.times:
                due = free & (before != step.to) & ((step.origin == -1) | (before == step.origin))
                changed = due & self._met(step.condition, scores, visit)[0]
                self.dosing.level[changed] = step.to
                free = free & ~changed

    def _adapt_schedule(self, number: int, course: TreatmentCourse, visit: int, scores: Scores) -> None:
        adaptation, hour, dosing = course.adaptive_dosing, self.hours[visit], self.dosing
        assert adaptation is not None
        on = dosing.course == number
        if adaptation.reduction_rule and scales_of(self.trial, adaptation.reduction_rule) <= set(scores):
            met, known = is_met(self.trial, adaptation.reduction_rule, scores, visit)
            change = on & known & (hour - dosing.anchor >= adaptation.since)
            dosing.reduced[change] = met[change]
        if adaptation.reinduction_rule:
            met, _ = is_met(self.trial, adaptation.reinduction_rule, scores, visit)
            restarted = on & met & (hour - dosing.anchor >= adaptation.induction)
            dosing.anchor[restarted], dosing.reduced[restarted] = hour, False
            self.decided_at[restarted] = hour


def scales_of(trial: Trial, rule: Rule, *, now: bool = True) -> set[str]:
    """Scales that a rule needs at the visit at which it is applied (`now`), or at any visit."""
    names: set[str] = set()
    for condition in single_conditions(rule):
        if on_relapse(condition):
            names |= scales_of(trial, trial.relapse.condition, now=now) if trial.relapse else set()
        elif not (now and condition.look_back):
            names.add(condition.scale)
    return names


def on_relapse(rule: Rule) -> bool:
    """Whether a rule is the relapse that the trial defines."""
    return isinstance(rule, Condition) and rule.test == "relapse"


def is_met(trial: Trial, rule: Rule, scores: Scores, visit: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks [patient] of the patients who meet a rule at a visit, and of those for whom this is known.

    A rule that unknown ratings cannot change is known: one of two conditions joined by 'or' is enough.
    """
    if isinstance(rule, CombinedCondition):
        parts = [is_met(trial, part, scores, visit) for part in rule.parts]
        mets, not_met = [met for met, _ in parts], [known & ~met for met, known in parts]
        some = np.logical_or.reduce(not_met if rule.every else mets)
        every = np.logical_and.reduce(mets if rule.every else not_met)
        return (every if rule.every else some), some | every
    if on_relapse(rule):
        assert trial.relapse is not None
        met, known = is_met(trial, trial.relapse.condition, scores, visit)
        first = [v.name for v, _, _ in trial.visit_schedule].index(trial.relapse.since)
        return met & (visit >= first), known
    if rule.look_back is None:
        return _is_met_at(trial, rule, scores, visit)
    return _is_met_over(trial, rule, rule.look_back, scores, visit)


def _is_met_over(
    trial: Trial, condition: Condition, look_back: LookBack, scores: Scores, visit: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same over the last visits of the present period at which the scale is rated, after its baseline."""
    plan = trial.visit_schedule
    period = plan[visit][2]
    visits = [k for k in range(visit + 1) if plan[k][2] == period and plan[k][0].time]
    visits = [k for k in visits if condition.scale in plan[k][0].scales][-(look_back.last or len(plan)) :]
    count = look_back.last or len(visits) if look_back.count is None else look_back.count
    results = [_is_met_at(trial, condition, scores, k) for k in visits]
    none = np.zeros(len(scores[condition.scale]), dtype=int)
    met = sum((one.astype(int) for one, _ in results), none)
    unknown = sum((~known for _, known in results), none)
    enough = (met >= count) & bool(visits)
    return enough, enough | (met + unknown < count) | (not visits)


def _is_met_at(trial: Trial, condition: Condition, scores: Scores, visit: int) -> tuple[np.ndarray, np.ndarray]:
    scale = trial.scales[condition.scale]
    score, baseline = scores[condition.scale][:, visit], scores[condition.scale][:, 0]
    known, number = np.isfinite(score) & np.isfinite(baseline), condition.number
    sign, _, of_baseline = condition.test.partition(" ")
    if sign in COMPARISON_OPERATORS:
        met = COMPARISON_OPERATORS[sign](score, number * baseline if of_baseline else np.asarray(number))
    elif condition.test.startswith("rises"):
        met = score >= baseline + number
        met = ~met if condition.test == "rises less than" else met
    elif condition.test.startswith("falls"):
        met = score <= (1 - number) * baseline
        met = ~met if condition.test == "falls less than" else met
    elif condition.test.endswith("remission"):
        met = score <= scale.remission
    else:
        met = score <= (1 - scale.response) * baseline
    return (~met if condition.test.startswith("no ") else met) & known, known
