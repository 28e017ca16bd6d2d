"""Enrolment of one replicate of a trial: patients, allocation to arms, times of visits, and their random numbers.

Every number comes from the random stream of a patient (or of a block of the randomisation list) within a seed and
replicate, so that no result depends on how many replicates are run together. Patients are allocated in the order of
enrolment.

With eligibility criteria the patient in place i is the first eligible of the candidates i, i + S, i + 2 S, ...
(`CANDIDATE_STEP`), so that it does not depend on the other places. The rating of a candidate contains the error of the
rater and the fluctuations of the patient. Patients are therefore enrolled at a bad time more often than at a good one,
and improve afterwards on average (regression to the mean).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ketamech.core import InputError
from ketamech.dosing.dose_events import DoseEvent, Quantity, dose_events, parameter_lookup
from ketamech.dosing.drugs import routes_without_visit
from ketamech.dosing.parsed_values import single_conditions
from ketamech.parameters import ParameterTable
from ketamech.population.random_draws import patient_streams
from ketamech.population.virtual_population import VirtualPatients
from ketamech.simulation.ensemble import OK, Ensemble
from ketamech.simulation.model import Model
from ketamech.trials.decision_rules import Scores, is_met
from ketamech.trials.design import Eligibility, Trial, belief_size
from ketamech.trials.population_mixture import TrialPopulation

FIXED_VISIT_WINDOW = 24.0  # h after a dose
MAX_VISIT_SHIFT = 0.45  # share of the time to the next visit
VISIT_BLOCK, FIRST_ALLOCATION_BLOCK = 1, 16  # blocks of the stream "trial"; a block of allocation for each stratum
SCREENING_BLOCK = 1  # block of the stream "scores"; 0 holds the ratings of the trial
CANDIDATE_STEP = 2**32  # between the numbers of the candidates of one place
NATURAL_COURSE_LEAD_IN = 24.0  # h from the start of the natural course to the first rating: mood has reached it by then


@dataclass(frozen=True)
class Enrolment:
    """One replicate: `arm_sequence` [patient] indexes Trial.sequences; `hours` [patient, visit] are times of visits.

    `base` {parameter: population value, canonical units}. Random numbers: `rerandomisation_uniforms` [patient, visit]
    for second randomisations; `dropout_uniforms` [patient, 1 + visits * (1 + dropout rules)] for dropout and missed
    visits; `rating_normals` [patient, 2, visit, scale] for rating errors and for fluctuations of the patient;
    `fluctuation_normals` [patient, scale] for the size of those fluctuations; `screening_normals` [patient, 3, scale]
    for error and fluctuation at screening and the error of a separate rating of eligibility at baseline;
    `inflation_uniforms` [patient] for inflating raters. `course` are the events of the natural course.
    `baseline_ratings` {scale: [patient]} replace the ratings at baseline. `screened` [patient] is the number of
    candidates for each place.
    """

    number: int
    people: VirtualPatients
    base: Mapping[str, float]
    arm_sequence: np.ndarray
    stratum: np.ndarray
    hours: np.ndarray
    rerandomisation_uniforms: np.ndarray
    dropout_uniforms: np.ndarray
    rating_normals: np.ndarray
    fluctuation_normals: np.ndarray
    screening_normals: np.ndarray
    inflation_uniforms: np.ndarray
    course: tuple[DoseEvent, ...] = ()
    baseline_ratings: Mapping[str, np.ndarray] = field(default_factory=dict)
    screened: np.ndarray | None = None


def enrol(
    trial: Trial, population: TrialPopulation, parameters: ParameterTable, seed: int, number: int,
    base: Mapping[str, float], candidates: np.ndarray | None = None,
) -> Enrolment:  # fmt: skip
    """All patients of replicate `number` before the first dose; fields of the result have the axis [patient] first.

    `base` {parameter: population value, canonical units}. `candidates` [patient] are the numbers of the patients
    (default: 0 to the number of patients; with paired arms, to the number in an arm).
    """
    patient_ids = _patient_numbers(trial) if candidates is None else candidates
    visits, size = len(trial.visit_schedule), trial.study_size or trial.patients
    people = population.draw(parameters, seed, patient_ids, replicate=number, base=base, study_size=size)
    reasons = 1 + len(trial.dropout_rules)
    sizes = np.cumsum([len(trial.strata), visits, visits, 1 + visits * reasons])
    streams = patient_streams(seed, patient_ids, "trial", replicate=number, block=VISIT_BLOCK)
    uniforms = np.array([generator.random(sizes[-1]) for generator in streams])
    strata, windows, rerandomisation_uniforms, dropout_uniforms = np.split(uniforms, sizes[:-1], axis=1)
    stratum = _strata(trial, strata)
    generators = patient_streams(seed, patient_ids, "scores", replicate=number)
    rating_normals, fluctuation_normals = _standard_normals(generators, visits, len(trial.scales))
    streams = patient_streams(seed, patient_ids, "scores", replicate=number, block=SCREENING_BLOCK)
    inflation, screening_normals = _screening_numbers(streams, len(trial.scales))
    _continue_from_screening(trial, rating_normals, screening_normals)
    begin = -NATURAL_COURSE_LEAD_IN - (trial.eligibility.screening if trial.eligibility else 0.0)
    course = population.course_events(
        parameters, seed, patient_ids, begin if trial.eligibility else 0.0, trial.horizon, replicate=number, base=base,
        in_progress=trial.eligibility is not None,
    )  # fmt: skip
    return Enrolment(
        number, people, base, _allocate(trial, stratum, seed, number), stratum, visit_hours(trial, windows),
        rerandomisation_uniforms, dropout_uniforms, rating_normals, fluctuation_normals, screening_normals, inflation,
        course,
    )  # fmt: skip


def _patient_numbers(trial: Trial) -> np.ndarray:
    """Number of the patient in each place of the trial; in paired arms the same numbers, arm by arm."""
    if trial.paired_arms:
        return np.concatenate([np.arange(arm.n) for arm in trial.arms])
    return np.arange(trial.patients)


def _screening_numbers(generators: Iterator[np.random.Generator], scales: int) -> tuple[np.ndarray, np.ndarray]:
    """Uniform numbers [patient] for inflating raters, standard normal numbers [patient, 3, scale] for screening."""
    drawn = [(generator.random(), generator.standard_normal(3 * scales)) for generator in generators]
    return np.array([u for u, _ in drawn]), np.array([z for _, z in drawn]).reshape(len(drawn), 3, scales)


def _continue_from_screening(trial: Trial, rating_normals: np.ndarray, screening_normals: np.ndarray) -> None:
    """Fluctuations at baseline that continue those at screening, on the scales of the eligibility criteria.

    The assumed shift at enrolment is left out there, because selection by the criteria takes its place.
    """
    if trial.eligibility is None:
        return
    for k, (name, scale) in enumerate(trial.scales.items()):
        if name in trial.eligibility.scales:
            correlation = scale.correlation_over(trial.eligibility.screening)
            own = rating_normals[:, 1, 0, k]
            own *= np.sqrt(1 - correlation**2)
            own += correlation * screening_normals[:, 1, k] - scale.enrolment_shift


def _standard_normals(
    generators: Iterator[np.random.Generator], visits: int, scales: int
) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal numbers of all patients: [patient, 2, visit, scale], and after them [patient, scale]."""
    count = 2 * visits * scales
    drawn = np.array([c.standard_normal(count + scales) for c in generators])
    return drawn[:, :count].reshape(len(drawn), 2, visits, scales), drawn[:, count:]


def _strata(trial: Trial, u: np.ndarray) -> np.ndarray:
    """Name of the stratum of each patient [patient]; `u` [patient, factor] are uniform random numbers."""
    words = [np.full(len(u), "", dtype=object)]
    for i, levels in enumerate(trial.strata.values()):
        edges = np.cumsum(list(levels.values()))[:-1]
        words.append(np.array(list(levels), dtype=object)[np.searchsorted(edges, u[:, i], side="right")])
    return np.array([" ".join(filter(None, row)) for row in zip(*words, strict=True)])


def _allocate(trial: Trial, stratum: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Index of the sequence of arms of each patient: permuted blocks in order of enrolment within the stratum.

    Paired arms follow each other, without chance.
    """
    if trial.paired_arms:
        return np.repeat(np.arange(len(trial.arms)), [arm.n for arm in trial.arms])[: len(stratum)]
    block = _block(trial)
    arms = np.empty(len(stratum), dtype=int)
    for k, name in enumerate(sorted(set(stratum))):
        members = np.flatnonzero(stratum == name)
        count = -(-len(members) // len(block))
        lists = patient_streams(seed, range(count), "trial", replicate=number, block=FIRST_ALLOCATION_BLOCK + k)
        arms[members] = np.concatenate([c.permutation(block) for c in lists])[: len(members)]
    return arms


def _block(trial: Trial) -> np.ndarray:
    """One block before it is shuffled."""
    if trial.washout:
        size = trial.block or trial.patients
        return np.arange(max(size, 1)) % len(trial.sequences)
    part = trial.block / trial.patients if trial.block else 1.0
    return np.repeat(np.arange(len(trial.arms)), [round(arm.n * part) for arm in trial.arms])


def visit_hours(trial: Trial, u: np.ndarray) -> np.ndarray:
    """Times of the visits (h) [patient, visit], from uniform random numbers `u` [patient, visit].

    A visit that is planned within a day after a dose keeps its time; any other moves within the window, but not past a
    planned dose or another visit.
    """
    planned = np.array([hour for _, hour, _ in trial.visit_schedule])
    if not trial.window:
        return np.tile(planned, (len(u), 1))
    doses = _dose_hours(trial)
    before = doses[np.maximum(np.searchsorted(doses, planned - 1e-6) - 1, 0)]
    inside = planned - before > FIXED_VISIT_WINDOW
    after = np.append(doses, np.inf)[np.searchsorted(doses, planned - 1e-6)]
    gaps = np.diff(planned, prepend=-np.inf, append=np.inf)
    early = np.minimum.reduce([np.full_like(planned, trial.window), MAX_VISIT_SHIFT * gaps[:-1], planned - before])
    late = np.minimum.reduce([np.full_like(planned, trial.window), MAX_VISIT_SHIFT * gaps[1:], after - planned])
    return planned + np.where(inside, -early + (early + late) * u, 0.0)


def _dose_hours(trial: Trial) -> np.ndarray:
    """Planned times (h) of all doses that are given at visits in any arm."""
    elsewhere = (*routes_without_visit(), "")
    treatments = (t for arm in trial.arms for t in arm.regimen.treatments if t.route not in elsewhere)
    starts = {at for treatment in treatments for at in treatment.taken(trial.horizon).values()}
    return np.array(
        sorted({0.0, *(at + period * trial.period_length for at in starts for period in range(trial.periods))})
    )


MAX_CANDIDATES_PER_PLACE = 200
Draw = Callable[[np.ndarray], tuple[Enrolment, Mapping[str, Quantity]]]


def enrol_eligible(trial: Trial, model: Model, draw: Draw, tolerance: float, threads: int) -> Enrolment:
    """One replicate of a trial with eligibility criteria; the first eligible candidate for each place is enrolled.

    `draw` returns candidates, by number, with their parameter values. Raises InputError if no candidate for a place
    is eligible.
    """
    numbers = _patient_numbers(trial)
    places = np.arange(numbers.max() + 1)
    chosen, screened, missing = places.copy(), np.zeros(len(places), dtype=int), places
    ratings = {name: np.full(len(places), np.nan) for name in _recorded_baseline(trial)}
    for attempt in range(MAX_CANDIDATES_PER_PLACE):
        candidates = missing + attempt * CANDIDATE_STEP
        enrolled, values = draw(candidates)
        eligible, rated = _rate_candidates(trial, model, enrolled, values, tolerance, threads)
        here = missing[eligible]
        chosen[here] = candidates[eligible]
        screened[missing] += 1
        for name, own in ratings.items():
            own[here] = rated[name][eligible, -1]
        missing = missing[~eligible]
        if not missing.size:
            baseline = {name: own[numbers] for name, own in ratings.items()}
            return replace(draw(chosen[numbers])[0], baseline_ratings=baseline, screened=screened[numbers])
    share = (len(places) - len(missing)) / screened.sum()
    what = f"none of {MAX_CANDIDATES_PER_PLACE} candidates for a place is eligible; {share:.1%} of all candidates are"
    expected = "criteria that more patients of the population meet, or another distribution in people:"
    raise InputError(
        what, key="eligibility", expected=expected, type_this="people: {baseline_madrs: normal 34 5 in 20 56}"
    )


def lead_in_events(trial: Trial, model: Model, values: Mapping[str, Quantity]) -> tuple[DoseEvent, ...]:
    """Dose events of the lead-in, from screening to before baseline, with expectancy by its belief."""
    rules = trial.eligibility
    if rules is None or rules.lead_in is None:
        return ()
    size = belief_size(rules.belief, parameter_lookup(model.parameters, values))
    events = dose_events(rules.lead_in, model.parameters, values, rules.screening, belief=size)
    return tuple(replace(entry, time=entry.time - rules.screening) for entry in events)


def _recorded_baseline(trial: Trial) -> tuple[str, ...]:
    """Scales whose rating for eligibility is recorded as the baseline."""
    assert trial.eligibility is not None
    return () if trial.eligibility.independent else trial.eligibility.scales


def _rate_candidates(
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
    curves = ensemble.solve(times, outputs, tolerance=tolerance, threads=threads)
    rated = {name: _ratings(trial, name, enrolled, curves.of(trial.scales[name].output)) for name in rules.scales}
    eligible = np.asarray(curves.reasons == OK)
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
    scores = np.empty(output.shape)
    for column, (z, f) in enumerate(zip(error[:, columns].T, fluctuation[:, columns].T, strict=True)):
        now, f_now = np.zeros((len(f), 1)), f[:, None]
        course = scale.fluctuations(now, f_now, enrolled.fluctuation_normals[:, k])
        truth = scale.factor * output[:, [column]] + scale.background_scores(now, f_now)
        scores[:, column] = scale.rated_scores(truth, z[:, None], course)[:, 0]
    return _with_baseline_inflation(rules, name, scores, enrolled.inflation_uniforms < rules.inflating_share)


def _with_baseline_inflation(rules: Eligibility, name: str, rated: np.ndarray, inflating: np.ndarray) -> np.ndarray:
    """Ratings with those just below a limit raised to it, where the rater does so [patient]."""
    for condition in (one for rule in rules.include for one in single_conditions(rule)):
        if condition.scale == name and condition.test in (">", ">="):
            limit = condition.number + (condition.test == ">")
            near = (rated < limit) & (rated >= limit - rules.baseline_inflation) & inflating[:, None]
            rated = np.where(near, limit, rated)
    return rated
