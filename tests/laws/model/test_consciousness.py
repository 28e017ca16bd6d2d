"""Anaesthesia, unblinding, responsiveness and CYP2B6: what differs between people and settings."""

from __future__ import annotations

import numpy as np
import pytest

from dose_sentences import dose_events_from_text
from ketamech.dosing.dose_events import without_expectancy
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model, load_model

INFUSION = "racemic 0.5 mg/kg IV over 40 min at 10 min"
ASLEEP = "general anaesthesia over 2 h"
TIMES = np.array([0.0, 0.85, 1.5, 2.0, 24.0, 72.0, 168.0])


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def course(model: Model, words: str, hoped: bool = True, **values: float) -> Subject:
    named = {name.replace("__", "."): value for name, value in values.items()}
    given = dose_events_from_text(words, model.parameters, named, 200.0)
    return Subject(words, given if hoped else without_expectancy(given), named)


def relief(model: Model, *courses: Subject) -> np.ndarray:
    """MADRS points lost [course, time]."""
    curves = run_subjects(model, courses, TIMES)
    assert (curves.solve_status == "ok").all()
    return -curves["mood.change"].values


def test_anaesthesia_alone_leaves_mood_where_it_was(model):
    alone = relief(model, course(model, ASLEEP))
    assert np.abs(alone[0, -3:]).max() < 0.5


def test_ketamine_does_less_under_anaesthesia_without_any_switch(model):
    """Against a placebo that raises as much hope, awake and asleep."""
    given = [(INFUSION,), ("placebo IV at 10 min",), (INFUSION, ASLEEP), ("placebo IV at 10 min", ASLEEP)]
    drug, placebo, drug_asleep, placebo_asleep = relief(model, *(course(model, "; ".join(words)) for words in given))
    awake, asleep = drug - placebo, drug_asleep - placebo_asleep
    assert 0 < asleep[4] < 1 / 2 * awake[4]
    assert 0 < asleep[6] < 1 / 2 * awake[6]


def test_the_less_is_given_the_smaller_a_share_of_it_is_locked_in(model):
    """A level too low to silence cells locks nothing in (Ma 2023, in part)."""
    doses = np.array([0.02, 0.1, 0.5])
    given = [course(model, f"racemic {dose} mg/kg IV over 40 min", False) for dose in doses]
    share = run_subjects(model, given, TIMES)["nmda.retrapped_habenula"].values[:, 4] / doses
    assert share[0] < share[1] / 3
    assert share[1] < share[2]


def test_who_has_slept_is_restored_only_hours_after_waking(model):
    curves = run_subjects(model, [course(model, ASLEEP)], np.array([0.0, 1.5, 2.6, 5.0, 24.0]))
    awake, restored = (curves[f"sedation.{name}"].values[0] for name in ("consciousness", "recovered_activity"))
    assert awake[2] > 0.9 > 0.7 > restored[2]
    assert restored[3] > 0.9
    assert restored[4] == pytest.approx(1, abs=1e-6)


def test_a_general_anaesthetic_puts_to_sleep_and_wears_off(model):
    awake = run_subjects(model, [course(model, ASLEEP)], TIMES)["sedation.consciousness"].values[0]
    assert awake[1] < 0.05
    assert awake[4] > 0.999


def test_feeling_the_drug_raises_belief_and_sleep_prevents_it(model):
    words = [INFUSION, f"{INFUSION}; {ASLEEP}", "placebo IV at 10 min"]
    curves = run_subjects(model, [course(model, w) for w in [*words, f"placebo IV at 10 min; {ASLEEP}"]], TIMES)
    felt, slept, placebo, placebo_asleep = curves["expectancy.anticipation"].values[:, 2]
    assert felt > 1.1 * placebo
    assert slept == pytest.approx(placebo_asleep, rel=0.03)


def test_anticipation_of_a_felt_drug_stays_below_that_of_an_open_treatment(model):
    days = course(model, "esketamine 20 mg/h IV for 100 h")
    anticipation = run_subjects(model, [days], np.linspace(0, 120, 40))["expectancy.anticipation"].values
    assert anticipation.max() < model.parameters["expectancy.open_belief"].canonical + 1e-6


def test_responsiveness_scales_the_drug_and_not_the_hope(model):
    values = {"person__responsiveness": 0.0}
    none, hope = relief(
        model,
        course(model, INFUSION, **values, expectancy__unblinding=0.0),
        course(model, "placebo IV at 10 min", expectancy__unblinding=0.0),
    )
    assert none[4] == pytest.approx(hope[4], abs=0.5)  # what is left is inflammation


def test_a_slow_cyp2b6_raises_exposure_and_lowers_norketamine(model):
    slow, usual = (course(model, INFUSION, person__cyp2b6=factor) for factor in (0.5, 1.0))
    curves = run_subjects(model, [slow, usual], np.linspace(0, 24, 200))
    drug, metabolite = (np.trapezoid(curves[f"plasma.{x}"].values, axis=1) for x in ("esketamine", "s_norketamine"))
    assert drug[0] > 1.1 * drug[1]
    assert metabolite[0] < metabolite[1]
