"""Pain on three clocks: effect site, wind-up, chronic sensitisation; morphine by a pump; hope with a lag."""

from __future__ import annotations

import numpy as np
import pytest

from dose_sentences import dose_events_from_text
from ketamech import simulate
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model

HEALTHY = {"person.stress": 0.0, "person.inflammation": 0.0, "person.expectancy": 0.0}
OPERATION = "surgery over 2 h; general anaesthesia over 2 h"
STEPS = "esketamine 5 mg/h IV for 24 h; esketamine 10 mg/h IV for 24 h at 24 h; esketamine 20 mg/h IV for 52 h at 48 h"
TIMES = np.concatenate([np.arange(0.0, 120.0, 0.1), np.arange(120.0, 2500.0, 4.0)])


def course(model: Model, label: str, words: str, **values: float) -> Subject:
    named = HEALTHY | {name.replace("__", "."): value for name, value in values.items()}
    return Subject(label, dose_events_from_text(words, model.parameters, named, 2500.0) if words else (), named)


@pytest.fixture(scope="module")
def curves(model):
    bolus, day = "racemic 0.5 mg/kg IV over 5 min", "racemic 0.15 mg/kg/h IV for 24 h at 10 min"
    courses = [
        course(model, "nothing", ""),
        course(model, "operation", OPERATION),
        course(model, "small", f"{OPERATION}; racemic 0.05 mg/kg/h IV for 24 h at 10 min"),
        course(model, "ketamine", f"{OPERATION}; {bolus}; {day}"),
        course(model, "large", f"{OPERATION}; {bolus}; racemic 0.4 mg/kg/h IV for 24 h at 10 min"),
        course(model, "no pump", OPERATION, person__morphine_on_demand=0.0),
        course(model, "blocked", OPERATION, perturbation__naltrexone=1.0),
        course(model, "morphine", "morphine 2 mg/h IV for 48 h"),
        course(model, "morphine, ketamine", "morphine 2 mg/h IV for 48 h; racemic 0.15 mg/kg/h IV for 48 h"),
        course(model, "short", "esketamine 20 mg/h IV for 2 h"),
        course(model, "steps", STEPS),
        course(model, "placebo", "placebo IV", person__expectancy=1.0),
    ]
    found = run_subjects(model, courses, TIMES)
    assert (found.solve_status == "ok").all()
    return found.assign_coords(patient=[c.label for c in courses])


def at(curves, name, label, hour):
    return float(curves[f"pain.{name}"].sel(patient=label).interp(time=hour))


def test_nothing_hurts_and_nothing_is_asked_for_without_a_wound(curves):
    for name in ("acute", "wind_up", "morphine_demand", "morphine_taken"):
        assert np.abs(curves[f"pain.{name}"].sel(patient=["nothing", "steps"]).values).max() < 1e-12


def test_the_lasting_relief_of_dahan_emerges_from_sensitisation(curves, model):
    """Second road: their slow effect site driven by the same plasma, Hill exponent 1, C50 10.5 ng/mL, 10.9 days."""
    names = {"half_life": "chronic_effect_half_life", "c50": "chronic_c50", "maximum": "lasting_maximum"}
    values = {key: model.parameters[f"pain.{name}"].canonical for key, name in names.items()}
    plasma = curves["plasma.esketamine"].sel(patient="steps").values
    pace, site = np.log(2) / values["half_life"], np.zeros_like(TIMES)
    for i, step in enumerate(np.diff(TIMES)):
        site[i + 1] = site[i] * np.exp(-pace * step) + pace * step * (plasma[i] + plasma[i + 1]) / 2
    published = values["maximum"] * site / (site + values["c50"])
    ours = curves["pain.lasting_relief"].sel(patient="steps").values
    assert published.max() > 0.3
    assert np.abs(ours - published).max() < 0.02


def test_half_of_sensitisation_is_suppressed_at_the_published_level(model):
    """A very long infusion that holds 10.5 ng/mL of S-ketamine: sensitisation settles at one half."""
    rate = 0.0442 / 0.0490  # plasma at 1 mg/h is 0.0490 umol/L
    entries = dose_events_from_text(f"esketamine {rate:.4f} mg/h IV for 4000 h", model.parameters, HEALTHY, 4000.0)
    last = run_subjects(model, [Subject("held", entries, HEALTHY)], np.array([0.0, 3999.0])).isel(patient=0, time=-1)
    assert float(last["plasma.esketamine"]) == pytest.approx(0.0442, rel=0.01)
    assert float(last["pain.sensitisation"]) == pytest.approx(0.5, abs=0.02)


def test_sensitisation_outlasts_the_drug_by_weeks_and_comes_back(curves):
    relief = curves["pain.lasting_relief"].sel(patient="steps")
    assert float(relief.interp(time=100 + 24 * 14)) > 0.5 * float(relief.max())
    assert float(relief.isel(time=-1)) < 0.05
    assert at(curves, "wind_up", "operation", 2400.0) < 1e-6


def test_relief_of_a_wound_follows_the_dose(curves):
    for hour in (3.0, 12.0, 23.0):
        pains = [at(curves, "acute", label, hour) for label in ("operation", "small", "ketamine", "large")]
        assert pains == sorted(pains, reverse=True)


def test_ketamine_spares_morphine_and_more_spares_more(curves):
    taken = [at(curves, "morphine_taken", label, 24.0) for label in ("operation", "small", "ketamine", "large")]
    assert taken == sorted(taken, reverse=True)
    assert 0.5 * taken[0] < taken[2] < 0.95 * taken[0]


def test_sparing_lasts_only_as_long_as_the_drug(curves):
    between = [
        at(curves, "morphine_taken", label, 96.0) - at(curves, "morphine_taken", label, 48.0)
        for label in ("operation", "ketamine")
    ]
    assert between[1] == pytest.approx(between[0], rel=0.05)


def test_an_infusion_by_a_pump_relieves_and_naltrexone_prevents_it(curves):
    assert at(curves, "acute", "operation", 6.0) < 0.7 * at(curves, "acute", "no pump", 6.0)
    assert at(curves, "acute", "blocked", 6.0) == pytest.approx(at(curves, "acute", "no pump", 6.0), rel=0.01)
    assert at(curves, "morphine_taken", "blocked", 24.0) > at(curves, "morphine_taken", "operation", 24.0)


def test_morphine_leaves_hyperalgesia_that_ketamine_prevents(curves):
    rest = at(curves, "evoked", "nothing", 0.0)
    after = at(curves, "evoked", "morphine", 80.0)
    assert at(curves, "evoked", "morphine", 10.0) < rest < after
    assert at(curves, "wind_up", "morphine, ketamine", 47.0) < 0.6 * at(curves, "wind_up", "morphine", 47.0)


def test_a_stimulus_hurts_less_during_and_a_little_more_after_a_short_infusion(curves):
    rest = at(curves, "evoked", "nothing", 0.0)
    assert rest == pytest.approx(6.0)
    assert at(curves, "evoked", "short", 1.9) < 0.75 * rest
    assert rest < at(curves, "evoked", "short", 8.0) < 1.2 * rest
    assert at(curves, "evoked", "short", 72.0) == pytest.approx(rest, abs=0.05)


def test_expectancy_relieves_chronic_pain_with_a_lag(curves):
    score = curves["pain.score"].sel(patient="placebo")
    lowest = float(score.time[int(score.values.argmin())])
    assert at(curves, "score", "placebo", 0.5) > 0.97 * at(curves, "score", "placebo", 0.0)
    assert 24.0 < lowest < 168.0


def test_no_score_leaves_the_scale(curves):
    for name in ("acute", "evoked", "score"):
        assert float(curves[f"pain.{name}"].min()) > -1e-7  # of ten points: what the solver leaves
        assert float(curves[f"pain.{name}"].max()) <= 10.0


def test_an_operation_causes_no_pain_under_anaesthesia(curves):
    assert at(curves, "acute", "operation", 1.0) < 0.5
    assert at(curves, "acute", "operation", 2.5) > 5.0


def test_the_control_of_ketamine_in_an_operation_is_operated_on_too(model):
    both = simulate(f"{OPERATION}; racemic 0.5 mg/kg IV over 5 min", model=model)
    assert float(both["pain.acute"].sel(patient="control").max()) > 5.0
    assert float(both["plasma.esketamine"].sel(patient="control").max()) == 0.0
    alone = simulate(OPERATION, model=model)
    assert float(alone["pain.acute"].sel(patient="control").max()) == 0.0
