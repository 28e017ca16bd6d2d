"""The state of a simulated trial, and the Dataset of its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core.units import GRAMS_PER_MOLE
from ketamech.parameters import ParameterTable
from ketamech.simulation.ensemble import OK
from ketamech.simulation.nca import areas
from ketamech.trials.decision_rules import DecisionRules, Scores
from ketamech.trials.design import Trial
from ketamech.trials.dropout import missed_visits
from ketamech.trials.enrolment import Enrolment
from ketamech.trials.trial_dosing import TrialDosing
from ketamech.trials.visit_ratings import (
    RelapseTimes,
    VisitRatings,
    end_of_trial,
    had_event,
    relapse_times,
)

EVENT_VARIABLE_PREFIX = "event_"
ADMISSION_BLOCK = 1000  # block of the stream "steps"; the decision steps count from 0
MOLAR_MASS = "drug.ketamine_molar_mass"


@dataclass
class TrialState:
    """Patients of several replicates during a trial: `values` [patient, time, output] at `times` [patient, time] (h).

    The first times are the visits (`hours` [patient, visit]), the others the times at which exposure is recorded;
    `planned` [time] (h). In a crossover with a rule, `crossed_at` [patient] (h) is the start of the second period (NaN:
    not yet), and `is_settled` [patient, time] marks the times that are past, or not reached in the first period. `left`
    [patient] (h) is the time at which a patient left (infinite: never) for the reason `why_left`, known at the end.
    Random numbers as in `Enrolment`.
    """

    trial: Trial
    rating: VisitRatings
    dosing: TrialDosing
    decisions: DecisionRules
    hours: np.ndarray
    rating_normals: np.ndarray
    fluctuation_normals: np.ndarray
    dropout_uniforms: np.ndarray
    planned: np.ndarray
    times: np.ndarray
    values: np.ndarray
    status: np.ndarray
    baseline_ratings: Scores
    crossed_at: np.ndarray
    is_settled: np.ndarray
    left: np.ndarray
    why_left: np.ndarray

    @classmethod
    def create(
        cls, trial: Trial, enrolled: Sequence[Enrolment], rating: VisitRatings, dosing: TrialDosing,
        exposure_times: np.ndarray,
    ) -> TrialState:  # fmt: skip
        """All patients before the first dose; `exposure_times` [period, time] (h)."""
        hours = np.concatenate([e.hours for e in enrolled])
        uniforms = np.concatenate([e.rerandomisation_uniforms for e in enrolled])
        planned = np.concatenate([[hour for _, hour, _ in trial.visit_schedule], exposure_times.ravel()])
        times = np.hstack([hours, np.tile(exposure_times.ravel(), (len(hours), 1))])
        return cls(
            trial, rating, dosing, DecisionRules(trial, dosing, uniforms), hours,
            np.concatenate([e.rating_normals for e in enrolled]),
            np.concatenate([e.fluctuation_normals for e in enrolled]),
            np.concatenate([e.dropout_uniforms for e in enrolled]),
            planned, times,
            np.full((*times.shape, len(rating.outputs)), np.nan),
            np.full(len(hours), OK, dtype=object),
            {n: np.concatenate([e.baseline_ratings[n] for e in enrolled]) for n in enrolled[0].baseline_ratings},
            np.full(len(hours), np.nan),
            np.zeros(times.shape, dtype=bool),
            np.full(len(hours), np.inf),
            np.full(len(hours), "", dtype=object),
        )  # fmt: skip

    @property
    def missing(self) -> np.ndarray:
        """Mask of visits that are not held [patient, visit]."""
        return missed_visits(self.trial, self.dropout_uniforms)

    def true_scores(self) -> Scores:
        """Scores without error so far, by scale [patient, visit]."""
        return self.rating.true_scores(self.values[:, : self.hours.shape[1]])

    def scores(self) -> Scores:
        """Scores with error so far, by scale [patient, visit]."""
        scores = self.rating.rated_scores(
            self.true_scores(), self.rating_normals, self.fluctuation_normals, self.hours, self.missing
        )
        for name, ratings in self.baseline_ratings.items():
            scores[name][:, 0] = ratings
        return scores

    def exposures(self) -> dict[str, tuple[np.ndarray, str]]:
        """{name: values [patient], unit}: peaks and areas over the first day of each period.

        Of several periods the larger peak and the sum of the areas.
        """
        count, grams = self.hours.shape[1], self.dosing.model.parameters[MOLAR_MASS].canonical * GRAMS_PER_MOLE
        periods = self.trial.periods
        shape = (len(self.hours), periods, -1)
        times = self.times[:, count:].reshape(shape)
        exposures = {}
        for name in ("ketamine", "esketamine"):
            level = grams * self._output(f"venous.{name}")[:, count:].reshape(shape)
            exposures[f"exposure_{name}_cmax"] = (level.max(axis=(1, 2)), "ng/mL")
            exposures[f"exposure_{name}_auc24"] = (areas(times, level)[0].sum(axis=(1, 2)), "ng/mL*h")
        cadss = self._output("dissociation.cadss")[:, count:]
        return {**exposures, "exposure_cadss_peak": (cadss.max(axis=1), "points")}

    def _output(self, name: str) -> np.ndarray:
        return self.values[:, :, self.rating.outputs.index(name)]


def dataset(state: TrialState, enrolled: Sequence[Enrolment], seed: int) -> xr.Dataset:
    """Dims (replicate, patient, visit); see `run_trial`."""
    trial, scores, left = state.trial, state.scores(), state.left
    rated = {name: np.where(state.hours > left[:, None], np.nan, score) for name, score in scores.items()}
    relapse = _relapse(state, rated, len(enrolled))
    if relapse is not None:
        rated = {name: np.where(state.hours > relapse[1][:, None], np.nan, score) for name, score in rated.items()}
    variables = _Variables((len(enrolled), trial.patients))
    _put_ratings(variables, state, rated)
    variables.put("visit_time", state.hours, "h", "time of the visit")
    variables.put("arm", _arms(state, enrolled), about="arm of the patient at the visit")
    if trial.crossover_rule is not None:
        variables.put("crossed_at", state.crossed_at, "h", "start of the second period")
    stratum = np.concatenate([e.stratum for e in enrolled]).astype(str)
    variables.put("stratum", stratum, about="stratum of the randomisation")
    _put_decisions(variables, state)
    if relapse is not None:
        _put_relapse(variables, relapse[0])
    _put_events(variables, state, rated)
    variables.put("left", np.where(np.isfinite(left), left, np.nan), "h", "time at which the patient left the trial")
    variables.put("why_left", state.why_left.astype(str), about="reason for leaving the trial")
    variables.put("solve_status", state.status.astype(str), about="status of the solver")
    taken = [mask & (time <= left) for time, mask in state.dosing.doses_taken]
    doses = np.sum(taken, axis=0, dtype=int) if taken else np.zeros(len(left), dtype=int)
    variables.put("doses_given", doses, "1", "doses taken before the patient left")
    for name, (values, unit) in state.exposures().items():
        variables.put(name, values, unit)
    if trial.eligibility:
        screened = np.concatenate([e.screened for e in enrolled])
        variables.put("screened", screened, "1", "candidates screened for this place")
    _put_covariates(variables, enrolled, state.dosing.model.parameters)
    primary = trial.primary[0]
    if primary in scores:
        variables.put("base", scores[primary][:, 0], trial.scales[primary].unit, f"{primary} at baseline")
    return xr.Dataset(variables.content, _coordinates(trial, enrolled), _attributes(trial, seed))


class _Variables:
    """The variables of the dataset of a trial; `shape` is (replicates, patients of one)."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.content: dict[str, Any] = {}

    def put(self, name: str, values: np.ndarray, unit: str = "", about: str = "") -> None:
        """Add values [patient] or [patient, visit], patients of all replicates in turn."""
        dims = ("replicate", "patient", "visit")[: values.ndim + 1]
        attributes = {key: word for key, word in (("units", unit), ("long_name", about)) if word}
        self.content[name] = (dims, values.reshape(*self.shape, *values.shape[1:]), attributes)


def _put_ratings(variables: _Variables, state: TrialState, rated: Scores) -> None:
    truths = state.true_scores()
    for name, scale in state.trial.scales.items():
        variables.put(name, rated[name], scale.unit, f"{name} as rated")
        variables.put(f"true_{name}", truths[name], scale.unit, f"{name} without error and without dropout")


def _put_decisions(variables: _Variables, state: TrialState) -> None:
    decisions = state.decisions
    variables.put("decision", decisions.decision.astype(str), about="group that a step drew or chose last")
    variables.put("grouped_at", decisions.grouped_at, "h", "time at which a step drew or chose this group")
    variables.put("decided_at", decisions.decided_at, "h", "time of the last change of doses by a decision")
    variables.put("rescued_at", decisions.rescued_at, "h", "start of rescue treatment")
    units = {arm.titration.unit for arm in state.trial.arms if arm.titration}
    if units:
        dose = state.dosing.titrated_dose()
        variables.put("titrated_dose", dose, " or ".join(sorted(units)), "last dose of a titration")


def _put_relapse(variables: _Variables, times: RelapseTimes) -> None:
    variables.put("at_risk_from", times.at_risk_from, "h", "time from which a relapse counts")
    variables.put("relapsed_at", times.relapsed_at, "h", "time of the first relapse")
    variables.put("observed_until", times.observed_until, "h", "time of the last rating that can show a relapse")
    variables.put("why_relapsed", times.reason.astype(str), about="what showed the relapse")


def _put_events(variables: _Variables, state: TrialState, rated: Scores) -> None:
    """Whether each patient had each event at any visit."""
    trial = state.trial
    for name, rule in trial.events.items():
        had = had_event(trial, rule, rated)
        variables.put(f"{EVENT_VARIABLE_PREFIX}{name}", had, "1", f"whether the event {name} was observed")


def _relapse(state: TrialState, scores: Scores, replicates: int) -> tuple[RelapseTimes, np.ndarray] | None:
    """Relapse of each patient, and the time (h) [patient] at which the trial of the patient's replicate ends."""
    rule = state.trial.relapse
    if rule is None:
        return None
    times_of_relapse = relapses(state, scores)
    ends = [end_of_trial(rule, times) for times in times_of_relapse.relapsed_at.reshape(replicates, -1)]
    end = np.repeat(ends, len(state.hours) // replicates)
    late = times_of_relapse.relapsed_at > end
    return replace(
        times_of_relapse,
        relapsed_at=np.where(late, np.nan, times_of_relapse.relapsed_at),
        observed_until=np.minimum(times_of_relapse.observed_until, end),
        reason=np.where(late, "", times_of_relapse.reason),
    ), end


def relapses(state: TrialState, scores: Scores) -> RelapseTimes:
    """Relapse of each patient by `scores` {scale: [patient, visit]}, which may be those so far; needs its rule."""
    assert state.trial.relapse is not None
    uniforms = state.dosing.uniform_table("steps", ADMISSION_BLOCK, state.hours.shape[1])
    concerned = state.decisions.in_groups(state.trial.relapse.groups)
    return relapse_times(state.trial, scores, state.hours, uniforms, concerned)


def _arms(state: TrialState, enrolled: Sequence[Enrolment]) -> np.ndarray:
    """Name of the arm of each patient at each visit [patient, visit]: in a crossover that of the period."""
    trial = state.trial
    names, sequences = np.array([arm.name for arm in trial.arms]), np.array(trial.sequences)
    sequence = np.concatenate([e.arm_sequence for e in enrolled])
    return names[sequences[sequence][:, [period for _, _, period in trial.visit_schedule]]]


def _put_covariates(variables: _Variables, enrolled: Sequence[Enrolment], parameters: ParameterTable) -> None:
    """Covariates of the patients, in the units of the parameter tables; dimensionless where there is no parameter."""
    tables = [e.people.table().drop(columns="person") for e in enrolled]
    for name in [c for c in map(str, tables[0]) if c.startswith("person.") or "." not in c]:
        unit = parameters[name].unit if name in parameters else "1"
        values = np.concatenate([table[name].to_numpy() for table in tables])
        variables.put(name.removeprefix("person."), values, unit, name.removeprefix("person.").replace("_", " "))


def _coordinates(trial: Trial, enrolled: Sequence[Enrolment]) -> dict[str, Any]:
    labels = [f"period {p + 1}: {v.name}" if trial.washout else v.name for v, _, p in trial.visit_schedule]
    hours = np.array([hour for _, hour, _ in trial.visit_schedule])
    return {
        "replicate": [e.number for e in enrolled],
        "patient": np.arange(trial.patients),
        "visit": labels,
        "hour": ("visit", hours, {"units": "h", "long_name": "planned"}),
        "period": ("visit", [period + 1 for _, _, period in trial.visit_schedule]),
    }


def _attributes(trial: Trial, seed: int) -> dict[str, Any]:
    return {
        "title": trial.title, "seed": seed, "trial": trial.fingerprint, "references": ", ".join(trial.references),
        "arms": [arm.name for arm in trial.arms],
        "primary": " at ".join(trial.primary), "assumed": " ".join(trial.assumptions), "blinding": trial.blinding,
    }  # fmt: skip
