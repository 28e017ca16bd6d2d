"""Virtual patients differ in their kinetics as published; each number is printed."""

from pathlib import Path

import numpy as np
import pytest
from kinetics import EVIDENCE, NG_PER_ML, Curves, course, kinetic_model

from ketamech.parameters import load_parameters
from ketamech.population.virtual_population import load_population
from ketamech.trials.rating_scales import load_scales

PATIENTS = 1000
COURSES = {
    "bolus": "racemic 10 mg IV bolus",
    "infusion": "racemic 5 mg IV over 30 min",
    "tablet": "racemic 40 mg prolonged release over 6 h",
    "spray": "esketamine 56 mg nasal",
    "racemic spray": "racemic 30 mg nasal",  # its kinetics are linear: one spread for every dose
}
FACTOR = 1.3
OUTSIDE = {  # published CVs of 5 to 15 persons, and those of 1,000 virtual persons
    "half-life after an infusion, s": (0.65, 0.24),
    "half-life after an infusion, r": (0.51, 0.26),
    "ketamine peak of a spray of 50 mg": (0.99, 0.69),
    "norketamine peak of a spray of 10 mg": (0.71, 0.51),
    "availability of a tablet, r": (0.53, 0.40),
    "half-life after a tablet, both": (0.22, 0.48),  # slope of 12 to 24 h assumed; 0.28 without the error of the assay
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


def published_cv(row):
    """Printed SD over printed mean."""
    observation = EVIDENCE[row]
    return (observation.spread.high - observation.spread.low) / 2 / observation.value


def area_ratio(curves, label, above, below):
    return each(curves, "area", label, above) / each(curves, "area", label, below)


def measured_half_lives(curves, label, drug, hours):
    """Slopes through samples at some `hours` with the error of the assay (h)."""
    levels = np.array([each(curves, "at", label, drug, hour) for hour in hours])
    noise = np.random.default_rng(1).standard_normal(levels.shape)
    slopes = np.polyfit(hours, np.log(levels) + load_scales()["esketamine"].relative_sd * noise, 1)[0]
    return np.log(2) / -slopes[slopes < 0]


def of_an_enantiomer(curves, e):
    """Hasan 2021: 15 healthy subjects, 5 mg IV and 40 mg as a prolonged-release tablet."""
    drug = {"s": "venous.esketamine", "r": "venous.arketamine"}[e]
    hydroxy, parent = f"plasma.{e}_hydroxynorketamine", drug.replace("venous", "plasma")
    areas = {label: each(curves, "area", label, drug) for label in ("infusion", "tablet")}
    after_infusion = measured_half_lives(curves, "infusion", drug, np.linspace(4, 24, 5))
    yield "clearance", variation(areas["infusion"]), f"hasan21-cl-{e}"
    yield "half-life after an infusion", variation(after_infusion), f"hasan21-thalf-{e}"
    after_tablet = measured_half_lives(curves, "tablet", drug, np.linspace(12, 36, 5))
    yield "half-life after a tablet", variation(after_tablet), f"hasan21-pr-thalf-{e}"
    yield "availability of a tablet", variation(areas["tablet"] / areas["infusion"]), f"hasan21-pr-f-{e}"
    for label, row in (("infusion", "iv-hnk"), ("tablet", "pr-hnk")):
        yield (
            f"hydroxynorketamine, {label}",
            variation(area_ratio(curves, label, hydroxy, parent)),
            f"hasan21-{row}-{e}",
        )


def spreads(curves):
    """{subject: (simulated, published)} of published spreads of levels, their ratios and half-lives between persons."""
    found = {
        f"{what}, {e}": (simulated, published_cv(row))
        for e in "sr"
        for what, simulated, row in of_an_enantiomer(curves, e)
    }
    for label, row in (("infusion", "hasan-iv-nk"), ("tablet", "hasan-pr40-nk")):
        ratio = variation(area_ratio(curves, label, "venous.norketamine", "venous.ketamine"))
        found[f"norketamine to ketamine, {label}"] = ratio, published_cv(row)
    half_life = variation(measured_half_lives(curves, "tablet", "venous.ketamine", np.linspace(12, 24, 4)))
    found["half-life after a tablet, both"] = half_life, published_cv("hasan-pr40-thalf")
    found["area after an infusion"] = (
        variation(each(curves, "area", "infusion", "venous.ketamine")), published_cv("hasan-iv-auc")
    )  # fmt: skip
    peak = with_residual(each(curves, "peak", "tablet", "venous.ketamine"), "ketamine")
    found |= {f"peak of a tablet of {mg} mg": (peak, published_cv(f"hasan-pr{mg}-cmax")) for mg in (40, 80)}
    early = with_residual(each(curves, "at", "bolus", "venous.ketamine", 2 / 60), "ketamine")
    found["ketamine 2 min after a bolus"] = early, geometric_cv("phar2669-10-iv-k-cmax")
    for analyte, letter in (("ketamine", "k"), ("norketamine", "nk")):
        peak = with_residual(each(curves, "peak", "racemic spray", f"venous.{analyte}"), analyte)
        for mg in (10, 30, 50):
            found[f"{analyte} peak of a spray of {mg} mg"] = peak, geometric_cv(f"phar2669-{mg}-nasal-{letter}-cmax")
    late = with_residual(each(curves, "peak", "bolus", "venous.norketamine"), "norketamine")
    found["norketamine peak after a bolus"] = late, geometric_cv("phar2669-10-iv-nk-cmax")
    drops = with_residual(each(curves, "peak", "spray", "venous.esketamine"), "esketamine")
    found["peak of a spray of esketamine"] = drops, published_cv("weber-nasal-cmax")  # children
    return found


def test_persons_differ_as_published(curves):
    """Spreads are met within a factor of 1.3, except the reviewed ones (docs/limits.md)."""
    found, outside = spreads(curves), {}
    for what, (simulated, published) in found.items():
        print(f"{what:<50} {simulated:6.3f}  {published:.3f}")
        if not published / FACTOR < simulated < published * FACTOR:
            outside[what] = pytest.approx((published, simulated), abs=0.006)
    assert outside == OUTSIDE
    stated = (
        f"Of {len(found)} published spreads of levels, their ratios and half-lives {len(found) - len(outside)} are met"
    )
    assert stated in (Path(__file__).parents[3] / "docs" / "limits.md").read_text(encoding="utf-8")


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
