"""Virtual patients differ in their kinetics as published; each number is printed."""

import numpy as np
import pytest
from kinetics import EVIDENCE, NG_PER_ML, Curves, course, kinetic_model

from ketamech.parameters import load_parameters
from ketamech.population.virtual_population import load_population
from ketamech.trials.rating_scales import load_scales

PATIENTS = 300
COURSES = {
    "bolus": "racemic 10 mg IV bolus",
    "infusion": "racemic 5 mg IV over 30 min",
    "tablet": "racemic 40 mg prolonged release over 6 h",
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


def geometric_cv(row):
    """The geometric coefficient of variation of a printed geometric SD."""
    spread = EVIDENCE[row].spread
    return float(np.sqrt(np.expm1((np.log(spread.high / spread.low) / 2) ** 2)))


def compare(what, simulated, published, factor=1.3):
    print(f"{what:<50} {simulated:6.3f}  {published:.3f}")
    assert published / factor < simulated < published * factor, what


def test_levels_after_a_bolus_differ_as_published(curves):
    early = each(curves, "at", "bolus", "venous.ketamine", 2 / 60)
    compare("vein at 2 min", with_residual(early, "ketamine"), geometric_cv("phar2669-10-iv-k-cmax"))


def test_norketamine_after_a_bolus_differs_as_published(curves):
    norketamine = each(curves, "peak", "bolus", "venous.norketamine")
    compare("norketamine peak", with_residual(norketamine, "norketamine"), geometric_cv("phar2669-10-iv-nk-cmax"))


def test_peak_of_a_spray_differs_as_published(curves):
    """Weber 2004: 355 with SD 172 ng/mL (children)."""
    compare(
        "peak of a spray", with_residual(each(curves, "peak", "spray", "venous.esketamine"), "esketamine"), 172 / 355
    )


def published_cv(row):
    """Printed SD over printed mean."""
    observation = EVIDENCE[row]
    return (observation.spread.high - observation.spread.low) / 2 / observation.value


def area_ratio(curves, course, above, below):
    return each(curves, "area", course, above) / each(curves, "area", course, below)


def measured_half_lives(curves, drug):
    """Slopes through five samples of a tablet with the error of the assay (h)."""
    hours = np.linspace(12, 36, 5)
    levels = np.array([each(curves, "at", "tablet", drug, hour) for hour in hours])
    noise = np.random.default_rng(1).standard_normal(levels.shape)
    slopes = np.polyfit(hours, np.log(levels) + load_scales()["esketamine"].relative_sd * noise, 1)[0]
    return np.log(2) / -slopes[slopes < 0]


@pytest.mark.parametrize("enantiomer", "sr")
def test_clearance_half_life_metabolites_and_availability_differ_as_published(enantiomer, curves):
    """Hasan 2021: 15 healthy subjects, 5 mg IV and 40 mg as a prolonged-release tablet."""
    drug = {"s": "venous.esketamine", "r": "venous.arketamine"}[enantiomer]
    hydroxy, parent = f"plasma.{enantiomer}_hydroxynorketamine", drug.replace("venous", "plasma")
    for what, simulated, row, factor in (
        ("clearance", each(curves, "area", "infusion", drug), "cl", 1.3),
        ("half-life", measured_half_lives(curves, drug), "pr-thalf", 1.3),
        ("availability", each(curves, "area", "tablet", drug) / each(curves, "area", "infusion", drug), "pr-f", 1.3),
        ("hydroxynorketamine, IV", area_ratio(curves, "infusion", hydroxy, parent), "iv-hnk", 1.3),
        ("hydroxynorketamine, tablet", area_ratio(curves, "tablet", hydroxy, parent), "pr-hnk", 1.4),
    ):
        compare(f"{what} {enantiomer}", variation(simulated), published_cv(f"hasan21-{row}-{enantiomer}"), factor)


def test_norketamine_relative_to_ketamine_and_the_peak_of_a_tablet_differ_as_published(curves):
    for label, row in (("infusion", "hasan-iv-nk"), ("tablet", "hasan-pr40-nk")):
        ratio = area_ratio(curves, label, "venous.norketamine", "venous.ketamine")
        compare(f"norketamine to ketamine, {label}", variation(ratio), published_cv(row))
    peaks = each(curves, "peak", "tablet", "venous.ketamine")
    compare("peak of a tablet", with_residual(peaks, "ketamine"), published_cv("hasan-pr40-cmax"))


@pytest.mark.parametrize("name", ["esketamine", "ketamine", "norketamine"])
def test_an_observed_level_has_the_error_of_its_assay(name):
    """The residual error is a value of data/scales: it has the same relative size at every level."""
    scale = load_scales()[name]
    z = np.random.default_rng(2).standard_normal(20_000)
    for level in (1.0, 100.0):
        observed = scale.rated_scores(np.full(z.size, level), z)
        assert np.std(observed) / level == pytest.approx(scale.relative_sd, rel=0.02)
        assert np.mean(observed) == pytest.approx(level, rel=0.02)


def test_the_median_patient_has_the_level_of_the_typical_patient(curves):
    """A spread of parameters must not move the middle: 56 mg nasal, peak 72.5 ng/mL (Perez-Ruixo 2021)."""
    peak = np.median(each(curves, "peak", "spray", "venous.esketamine")) * NG_PER_ML
    assert peak == pytest.approx(72.5, rel=0.25)
