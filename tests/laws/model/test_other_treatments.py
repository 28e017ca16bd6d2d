"""Other treatments: laws of psychotherapy."""

import pytest

from ketamech import simulate


def test_a_session_is_learnt_at_the_stated_rate_without_drug(model):
    rate = model.parameters["other_treatments.skill_learning_rate"].canonical
    decay = model.parameters["other_treatments.session_decay_rate"].canonical
    hours = min(0.02 / rate, 0.02 / decay)
    found = simulate("psychotherapy", model=model, times=[0.0, hours]).sel(patient="treated")
    skill, sessions = found["other_treatments.skill"].values, found["other_treatments.psychotherapy"].values
    assert sessions[0] > 0
    assert skill[1] - skill[0] == pytest.approx(rate * hours * sessions[0], rel=0.05)


def test_plasticity_after_ketamine_speeds_learning_up(model):
    both = "racemic 0.5 mg/kg IV over 40 min; psychotherapy at 4 h"
    with_drug, without = (
        simulate(text, model=model, times=[0.0, 48.0]).sel(patient="treated")["other_treatments.skill"].values[-1]
        for text in (both, "placebo IV; psychotherapy at 4 h")
    )
    assert with_drug > 1.01 * without
