"""The natural course: circumstances, life events and spontaneous remissions of virtual patients."""

import numpy as np
import pytest
import sympy

from dose_sentences import dose_events_from_text
from ketamech import simulate
from ketamech.core.units import WEEK
from ketamech.dosing.dose_events import DoseEvent
from ketamech.model.functions import hill
from ketamech.model.rates_and_jacobian import NUMPY
from ketamech.model.stage import declare_stage
from ketamech.model.stages.course import course as declare_course
from ketamech.parameters import load_parameters
from ketamech.population.virtual_population import (
    EVENT_LOAD,
    LOAD,
    ONSET,
    NaturalCourse,
    load_population,
    natural_course,
)
from ketamech.simulation.ensemble import Subject, run_subjects

TABLE = load_parameters()
MANY = np.arange(6000)


def value_of(name):
    return TABLE[name].canonical


def course(**changes):
    usual = natural_course("trd", value_of)
    return NaturalCourse(**{**usual.__dict__, **changes})


def load_at(events, hour, rate, compartments=(LOAD, EVENT_LOAD)):
    """Load [patient] at a time, from the events alone."""
    return sum(
        np.where(e.time <= hour, e.amount * np.exp(-rate * (hour - e.time)), 0.0)
        for e in events
        if e.compartment in compartments
    )


def test_the_events_of_a_patient_depend_on_no_other_patient_and_no_horizon():
    many = course().events(1, MANY[:200], 0.0, 60 * WEEK)
    two = course().events(1, [150, 3], 0.0, 60 * WEEK)
    short = course().events(1, MANY[:200], 0.0, 8 * WEEK)
    for whole, part in zip(many, two, strict=True):
        assert np.array_equal(np.broadcast_to(whole.amount, 200)[[150, 3]], part.amount)
        assert np.array_equal(np.broadcast_to(whole.time, 200)[[150, 3]], np.broadcast_to(part.time, 2))
    for early, late in zip(short[:8], many[:8], strict=True):
        within = early.amount != 0
        assert np.array_equal(early.amount[within], late.amount[within])
        assert np.array_equal(early.time, late.time)


def test_a_load_in_progress_has_its_variance_and_mean_0():
    """Variance of a mean-reverting process with weekly changes, and of shot noise with exponential sizes."""
    one = course()
    kept = np.exp(-2 * one.reversion_rate * WEEK)
    chance = -np.expm1(-one.life_event_rate * WEEK)
    shots = chance * one.life_event_size**2 * (2 - chance) * kept / (1 - kept)
    expected = one.load_sd**2 * kept + shots
    for hour in (0.0, 20 * WEEK):
        start = one.events(1, MANY, 0.0, 20 * WEEK + 1, in_progress=True)
        load = load_at(start, hour, one.reversion_rate)
        assert np.mean(load) == pytest.approx(0.0, abs=0.03)
        if not hour:  # exactly at the beginning of a week
            assert np.var(load) == pytest.approx(expected, rel=0.08)


def test_adverse_events_since_treatment_began_are_apart_and_the_sum_is_that_of_one_process():
    """Treatment begins at 0 h: the two loads add up to the process that began with screening."""
    one, begin, until = course(), -(4 * WEEK + 24.0), 8 * WEEK
    parts = one.events(1, MANY[:300], begin, until, in_progress=True)
    whole = one.events(1, MANY[:300], 0.0, until - begin, in_progress=True)
    for event in parts:
        if event.compartment == EVENT_LOAD:
            assert (event.amount >= 0).all()
            assert (event.time[event.amount > 0] >= 0).all()
    for hour in (begin, -300.0, -1.0, 0.0, 1.0, 100.0, 6 * WEEK):
        expected = load_at(whole, hour - begin, one.reversion_rate)
        assert load_at(parts, hour, one.reversion_rate) == pytest.approx(expected, abs=1e-12)
    assert not load_at(parts, 0.0, one.reversion_rate, (EVENT_LOAD,)).any()
    later = load_at(parts, 6 * WEEK, one.reversion_rate, (EVENT_LOAD,))
    assert 0.2 < (later > 0).mean() < 0.6
    without = course(life_event_rate=0.0).events(1, MANY[:300], begin, until, in_progress=True)
    assert not load_at(without, 6 * WEEK, one.reversion_rate, (EVENT_LOAD,)).any()


def test_the_list_of_events_depends_on_no_patient():
    """Replicates are solved together, event by event."""
    lists = [course().events(1, [i], -100.0, 5 * WEEK, in_progress=True) for i in range(20)]
    assert len({tuple(e.compartment for e in events) for events in lists}) == 1


def test_a_stated_baseline_begins_without_load_and_becomes_more_variable():
    one = course()
    events = one.events(1, MANY, 0.0, 30 * WEEK)
    spread = [np.std(load_at(events, week * WEEK, one.reversion_rate)) for week in (0, 1, 4, 12, 30)]
    assert spread[0] == 0
    assert spread[:4] == sorted(spread[:4])
    assert spread[4] == pytest.approx(spread[3], rel=0.1)


def test_life_events_come_at_their_rate_and_are_adverse():
    quiet = course(load_sd=0.0)
    events = [e for e in quiet.events(1, MANY, 0.0, 52 * WEEK) if e.compartment == EVENT_LOAD]
    count = sum(e.amount > 0.01 for e in events)
    chance = -np.expm1(-quiet.life_event_rate * WEEK)
    assert np.mean(count) == pytest.approx(52 * chance, rel=0.1)


def test_remissions_become_rarer_with_the_time_in_the_episode():
    def share(duration, weeks=13):
        one = course(episode_duration=duration * WEEK, episode_spread=0.0)
        events = [e for e in one.events(1, MANY, 0.0, weeks * WEEK) if e.compartment == ONSET]
        return np.mean(events[0].amount)

    one = course()
    for duration in (0.0, 26.0, 208.0):
        ill, later = (1 + hours / one.remission_time for hours in (duration * WEEK, (duration + 13) * WEEK))
        assert share(duration) == pytest.approx(1 - (later / ill) ** -one.remission_exponent, abs=0.015)
    assert share(0.0) > share(26.0) > share(208.0) > 0.01


def test_volunteers_and_the_typical_patient_have_no_natural_course(model):
    healthy = load_population("healthy").course_events(TABLE, 1, MANY[:50], 0.0, 20 * WEEK)
    assert not any(np.any(e.amount) for e in healthy)
    typical = simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
    for name in ("course.relief", "course.load", "course.event_load"):
        assert not typical[name].values.any()


def relief_of(stage, values):
    """Relief from the equation of the stage alone, in the arithmetic of Python."""
    expression = stage.outputs["course.relief"].expression
    numbers = expression.subs({symbol: values.get(symbol.name, 0.0) for symbol in expression.free_symbols})
    return float(numbers.replace(hill, lambda *terms: sympy.Float(NUMPY["hill"](*map(float, terms)))))


def test_without_protection_only_the_sum_of_the_loads_matters():
    stage = declare_stage(declare_course, TABLE)
    usual = {row: value_of(row) for row in stage.used_parameters if not row.startswith("person.")}
    usual |= {"person.baseline_madrs": 33.0, "mood.madrs": 20.0, "brain_network.medial_prefrontal_tone": 1.2}
    pairs = [(0.7, 0.0), (0.0, 0.7), (0.25, 0.45), (-0.3, 1.0)]
    loads = [{"course.load": usual_load, "course.event_load": later} for usual_load, later in pairs]
    at_baseline = {"rest(brain_network.medial_prefrontal_tone)": 1.2}
    without = [relief_of(stage, {**usual, **load, **at_baseline}) for load in loads]
    assert without == pytest.approx([-0.7 * (60 - 20) / (60 - 33)] * 4, abs=1e-12)
    regained = {"rest(brain_network.medial_prefrontal_tone)": 1.1}
    protected = [relief_of(stage, {**usual, **load, **regained}) for load in loads]
    assert protected[0] == pytest.approx(without[0], abs=1e-12)
    assert protected[1] == pytest.approx(without[0] / 2, abs=1e-12)  # a gain of 0.1 protects half


def test_a_drug_protects_from_adverse_events_and_not_from_other_load(model):
    """Relief divided by the distance from the worst score is minus the load that acts."""
    drug = dose_events_from_text("esketamine 84 mg nasal twice weekly for 4 weeks", TABLE, {}, 28 * 24.0)
    hours = np.array([0.0, 14 * 24.0, 28 * 24.0])
    subjects = [Subject(name, (*drug, DoseEvent(0.0, name, 0.7))) for name in (LOAD, EVENT_LOAD)]
    found = run_subjects(model, subjects, hours)
    distance = (60 - found["mood.madrs"].values) / (60 - value_of("person.baseline_madrs"))
    acting = -found["course.relief"].values / distance
    alone = 0.7 * np.exp(-value_of("course.reversion_rate") * hours)
    assert acting[0, 1:] == pytest.approx(alone[1:], rel=1e-4)
    assert (acting[1, 1:] < 0.8 * alone[1:]).all()


def test_load_returns_with_its_rate_and_a_recovered_person_has_more_to_lose(model):
    hours = np.array([0.0, 24.0, 24.0 + 28 * 24])
    event = DoseEvent(1.0, LOAD, 0.7)
    well = DoseEvent(0.0, "course.remission", 1.0)
    subjects = [Subject("ill", (event,)), Subject("well", (well, event)), Subject("well, no event", (well,))]
    found = run_subjects(model, subjects, hours)
    load = found["course.load"].values[0]
    assert load[1] == pytest.approx(0.7 * np.exp(-23 * value_of("course.reversion_rate")), rel=1e-4)
    assert load[2] / load[1] == pytest.approx(np.exp(-28 * 24 * value_of("course.reversion_rate")), rel=1e-4)
    madrs = found["mood.madrs"].values
    assert madrs[0, 1] > madrs[0, 0] + 3
    assert 0 < madrs[0, 2] - madrs[0, 0] < madrs[0, 1] - madrs[0, 0]
    assert madrs[2, 1] < 10
    relief = found["course.relief"].values
    assert relief[2, 1] - relief[1, 1] > 1.3 * (relief[0, 0] - relief[0, 1])


@pytest.mark.parametrize(
    ("sentence", "least", "most"), [("hospital day daily for 14 days", 3, 7), ("usual care", 0.5, 3)]
)
def test_care_supports_for_some_days(model, sentence, least, most):
    events = dose_events_from_text(sentence, TABLE, {}, 60 * 24.0)
    last = max(e.time for e in events)
    found = run_subjects(model, [Subject("care", events)], np.array([0.0, last + 8.0, last + 40 * 24.0]))
    madrs = found["mood.madrs"].values[0]
    assert least < madrs[0] - madrs[1] < most
    assert madrs[0] - madrs[2] < 0.5
