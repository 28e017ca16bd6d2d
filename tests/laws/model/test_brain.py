"""Brain entry: minutes behind the artery, in the published proportions."""

import numpy as np
import pytest
from kinetics import EVIDENCE, HOURS, Curves, course, kinetic_model


@pytest.fixture(scope="module")
def curves():
    kinetics = kinetic_model()
    return Curves(
        kinetics,
        [
            course(kinetics, "bolus", "racemic 0.2 mg/kg IV bolus"),
            course(kinetics, "infusion", "racemic 0.5 mg/kg IV over 40 min"),
        ],
    )


def areas(curves, brain, plasma):
    return curves.area("infusion", brain) / curves.area("infusion", plasma)


def test_the_brain_peaks_minutes_after_artery_and_vein(curves):
    """The effect site lags behind the artery by a half-life of 8.3 min, the fast part of the vein by two minutes."""
    brain = curves.peak_hour("bolus", "brain.esketamine")
    assert 1 / 60 <= curves.peak_hour("bolus", "venous.esketamine") < brain < 0.2


def test_unbound_drug_follows_the_artery_with_the_published_half_life(curves):
    """Olofsen 2022: 8.3 min; the same lag is found from the curves by convolution."""
    begun = HOURS <= 6
    artery, brain = curves("infusion", "plasma.esketamine")[begun], curves("infusion", "brain.esketamine")[begun]
    pace = np.log(2) / EVIDENCE["olofsen-thalf-ke0"].canonical_value
    step = HOURS[1] - HOURS[0]
    response = pace * np.exp(-pace * HOURS[begun])
    lagged = np.convolve(artery, response)[: artery.size] * step
    share = brain.max() / lagged.max()
    assert np.max(np.abs(brain - share * lagged)) < 0.03 * brain.max()


def test_unbound_brain_over_total_plasma_is_the_csf_ratio(curves):
    measured = EVIDENCE["moaddel-csf"].canonical_value
    for name in ("esketamine", "arketamine"):
        assert areas(curves, f"brain.{name}", f"plasma.{name}") == pytest.approx(measured, rel=0.05)


def test_norketamine_enters_four_to_six_times_less_than_the_parent(curves):
    parent = areas(curves, "brain.esketamine", "plasma.esketamine")
    metabolite = areas(curves, "brain.norketamine_s", "plasma.s_norketamine")
    assert 4 <= parent / metabolite <= 6


def test_total_brain_is_six_to_seven_times_plasma(curves):
    total = areas(curves, "brain.ketamine_total", "plasma.esketamine + plasma.arketamine")
    assert 6 <= total <= 7.2
