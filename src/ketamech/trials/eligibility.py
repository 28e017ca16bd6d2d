"""Enrolment by rated score: candidates are drawn and rated, and those who fail a criterion are replaced.

The rating of a candidate contains the error of the rater and the fluctuations of the patient. Patients are therefore
enrolled at a bad time more often than at a good one, and improve afterwards on average (regression to the mean).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ketamech.core import InputError
from ketamech.dosing.dose_events import ANTICIPATION, BELIEF, DoseEvent, Quantity, dose_events
from ketamech.dosing.parsed_values import single_conditions
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import Model
from ketamech.trials.decision_rules import Scores, is_met
from ketamech.trials.design import BELIEFS, Eligibility, Trial
from ketamech.trials.enrolment import CANDIDATE_STEP, Enrolment

MAX_CANDIDATES = 200  # for one place in the trial
Draw = Callable[[np.ndarray], tuple[Enrolment, Mapping[str, Quantity]]]


def enrol_eligible(trial: Trial, model: Model, draw: Draw, tolerance: float, threads: int) -> Enrolment:
    """One replicate of a trial with eligibility criteria; the first eligible candidate for each place is enrolled.

    `draw` returns candidates, by number, with their parameter values. Raises InputError if no candidate for a place
    is eligible.
    """
    places = np.arange(trial.patients)
    chosen, screened, missing = places.copy(), np.zeros(len(places), dtype=int), places
    ratings = {name: np.full(len(places), np.nan) for name in _recorded(trial)}
    for attempt in range(MAX_CANDIDATES):
        candidates = missing + attempt * CANDIDATE_STEP
        enrolled, values = draw(candidates)
        eligible, rated = _examine(trial, model, enrolled, values, tolerance, threads)
        here = missing[eligible]
        chosen[here] = candidates[eligible]
        screened[missing] += 1
        for name, own in ratings.items():
            own[here] = rated[name][eligible, -1]
        missing = missing[~eligible]
        if not missing.size:
            return replace(draw(chosen)[0], baseline_ratings=ratings, screened=screened)
    share = (len(places) - len(missing)) / screened.sum()
    what = f"none of {MAX_CANDIDATES} candidates for a place is eligible; {share:.1%} of all candidates are"
    expected = "criteria that more patients of the population meet, or another distribution in people:"
    raise InputError(
        what, key="eligibility", expected=expected, type_this="people: {baseline_madrs: normal 34 5 in 20 56}"
    )


def lead_in_events(trial: Trial, model: Model, values: Mapping[str, Quantity]) -> tuple[DoseEvent, ...]:
    """Dose events of the lead-in, from screening to before baseline, with expectancy by its belief."""
    rules = trial.eligibility
    if rules is None or rules.lead_in is None:
        return ()
    size = BELIEFS[rules.belief]
    if isinstance(size, str):
        size = values[size] if size in values else model.parameters[size].canonical
    found = dose_events(rules.lead_in, model.parameters, values, rules.screening)
    return tuple(
        replace(
            entry, time=entry.time - rules.screening,
            amount=entry.amount * (size if entry.compartment in (BELIEF, ANTICIPATION) else 1.0),
        )
        for entry in found
    )  # fmt: skip


def _recorded(trial: Trial) -> tuple[str, ...]:
    """Scales whose rating at baseline is that of the examination for eligibility."""
    assert trial.eligibility is not None
    return () if trial.eligibility.independent else trial.eligibility.scales


def _examine(
    trial: Trial, model: Model, enrolled: Enrolment, values: Mapping[str, Quantity], tolerance: float, threads: int
) -> tuple[np.ndarray, Scores]:
    """Mask of eligible candidates [patient], and their ratings [patient, screening and baseline]."""
    rules = trial.eligibility
    assert rules is not None
    size = len(enrolled.people)
    outputs = tuple(dict.fromkeys(trial.scales[name].output for name in rules.scales))
    events = (*enrolled.course, *lead_in_events(trial, model, values))
    ensemble = Ensemble.of(model, values, events, size)
    times = np.unique([-rules.screening, 0.0])
    found = ensemble.solve(times, outputs, tolerance=tolerance, threads=threads)
    rated = {name: _ratings(trial, name, enrolled, found.of(trial.scales[name].output)) for name in rules.scales}
    eligible = np.asarray(found.reasons == "ok")
    for rule in rules.include:
        for column in range(len(times)):
            eligible &= is_met(trial, rule, rated, column)[0]
    if rules.exclude:
        eligible &= ~is_met(trial, rules.exclude, rated, len(times) - 1)[0]
    return eligible, rated


def _ratings(trial: Trial, name: str, enrolled: Enrolment, output: np.ndarray) -> np.ndarray:
    """Ratings for eligibility [patient, screening and baseline] from an output of the model at these times."""
    rules, scale, k = trial.eligibility, trial.scales[name], list(trial.scales).index(name)
    assert rules is not None
    first, own = enrolled.screening_normals[:, :, k], enrolled.rating_normals[:, :, 0, k]
    error = np.column_stack([first[:, 0], first[:, 2] if rules.independent else own[:, 0]])
    fluctuation = np.column_stack([first[:, 1] - scale.enrolment_shift, own[:, 1]])
    columns = slice(-output.shape[1], None)
    found = np.empty(output.shape)
    for column, (z, f) in enumerate(zip(error[:, columns].T, fluctuation[:, columns].T, strict=True)):
        now, f_now = np.zeros((len(f), 1)), f[:, None]
        course = scale.fluctuations(now, f_now, enrolled.fluctuation_normals[:, k])
        truth = scale.factor * output[:, [column]] + scale.background_scores(now, f_now)
        found[:, column] = scale.rated_scores(truth, z[:, None], course)[:, 0]
    return _inflated(rules, name, found, enrolled.inflation_uniforms < rules.inflating)


def _inflated(rules: Eligibility, name: str, rated: np.ndarray, inflating: np.ndarray) -> np.ndarray:
    """Ratings with those just below a limit raised to it, where the rater does so [patient]."""
    for condition in (one for rule in rules.include for one in single_conditions(rule)):
        if condition.scale == name and condition.test in (">", ">="):
            limit = condition.number + (condition.test == ">")
            near = (rated < limit) & (rated >= limit - rules.inflation) & inflating[:, None]
            rated = np.where(near, limit, rated)
    return rated
