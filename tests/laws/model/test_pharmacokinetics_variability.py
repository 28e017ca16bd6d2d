"""Virtual patients differ in their kinetics as published; each number is printed."""

import numpy as np
import pytest
from kinetics import EVIDENCE, Curves, course, kinetic_model

from ketamech.parameters import load_parameters
from ketamech.population.virtual_population import load_population
from ketamech.trials.rating_scales import load_scales

PATIENTS = 300
COURSES = {
    "bolus": "racemic 10 mg IV bolus",
    "infusion": "esketamine 10 mg IV over 30 min",
    "oral": "esketamine 17.5 mg oral",
    "spray": "esketamine 56 mg nasal",
}


@pytest.fixture(scope="module")
def patients():
    return load_population("healthy").draw(load_parameters(), 1, range(PATIENTS)).values


@pytest.fixture(scope="module")
def curves(patients):
    kinetics = kinetic_model()
    values = [{n: float(v[i]) for n, v in patients.items() if n in kinetics.parameters} for i in range(PATIENTS)]
    return Curves(
        kinetics,
        [course(kinetics, f"{k} {i}", text, values[i]) for k, text in COURSES.items() for i in range(PATIENTS)],
    )


def each(curves, measure, label, *arguments):
    return np.array([getattr(curves, measure)(f"{label} {i}", *arguments) for i in range(PATIENTS)])


def variation(values):
    """Geometric coefficient of variation."""
    return float(np.sqrt(np.expm1(np.var(np.log(values)))))


def with_residual(values, scale):
    residual = load_scales()[scale].relative_sd
    return float(np.hypot(variation(values), residual))


def geometric_sd(row):
    """The coefficient of variation of a printed geometric SD."""
    spread = EVIDENCE[row].spread
    return float(np.sqrt(np.expm1((np.log(spread.high / spread.low) / 2) ** 2)))


def compare(what, simulated, published, factor=1.3):
    print(f"{what:<50} {simulated:6.3f}  {published:.3f}")
    assert published / factor < simulated < published * factor, what


def test_levels_after_a_bolus_differ_as_published(curves):
    early = each(curves, "at", "bolus", "venous.ketamine", 2 / 60)
    compare("vein at 2 min", with_residual(early, "ketamine"), geometric_sd("phar2669-10-iv-k-cmax"))


@pytest.mark.xfail(reason="a geometric SD of 0.49 to 0.53 against 0.69 (8 patients): docs/limits.md", strict=True)
def test_norketamine_after_a_bolus_differs_as_published(curves):
    norketamine = each(curves, "peak", "bolus", "venous.norketamine")
    compare("norketamine peak", with_residual(norketamine, "norketamine"), geometric_sd("phar2669-10-iv-nk-cmax"))


def test_peak_of_a_spray_differs_as_published(curves):
    """Weber 2004: 355 with SD 172 ng/mL (children)."""
    compare(
        "peak of a spray", with_residual(each(curves, "peak", "spray", "venous.esketamine"), "esketamine"), 172 / 355
    )


def test_half_life_ratio_of_metabolites_and_oral_availability_differ(curves):
    levels = {t: each(curves, "at", "infusion", "venous.esketamine", t) for t in (12.0, 36.0)}
    half_life = 24 * np.log(2) / np.log(levels[12.0] / levels[36.0])
    ratio = each(curves, "area", "infusion", "plasma.s_hydroxynorketamine") / each(
        curves, "area", "infusion", "plasma.esketamine"
    )
    availability = each(curves, "area", "oral", "venous.esketamine") / each(
        curves, "area", "infusion", "venous.esketamine"
    )
    for what, values in (("half-life", half_life), ("hydroxynorketamine", ratio), ("oral", availability)):
        print(f"{what:<50} {variation(values):6.3f}")
        assert 0.2 < variation(values) < 0.6, what


def test_the_median_patient_has_the_level_of_the_typical_patient(curves):
    """A spread of parameters must not move the middle: 56 mg nasal, peak 72.5 ng/mL (Perez-Ruixo 2021)."""
    peak = np.median(each(curves, "peak", "spray", "venous.esketamine")) * 237.73
    assert peak == pytest.approx(72.5, rel=0.25)
