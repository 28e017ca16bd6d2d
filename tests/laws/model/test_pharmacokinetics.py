"""Laws of the kinetics: nothing is lost, doses add, enantiomers do not mind each other, closed forms agree."""

import numpy as np
import pytest
from kinetics import HOURS, YEAR, Curves, course, kinetic_model

ROUTES = {
    "IV": "racemic 0.5 mg/kg IV over 40 min",
    "IM": "racemic 0.5 mg/kg IM",
    "SC": "racemic 0.5 mg/kg SC",
    "oral": "racemic 0.5 mg/kg oral",
    "sublingual": "racemic 0.5 mg/kg sublingual",
    "nasal": "esketamine 84 mg nasal",
    "racemic nasal": "racemic 30 mg nasal",
}
OTHERS = {
    "esketamine": ("esketamine 0.25 mg/kg IV over 40 min", {}),
    "ten times": ("racemic 5 mg/kg IV over 40 min", {}),
    "later": ("racemic 0.5 mg/kg IV over 40 min at 4 h", {}),
    "twice": ("racemic 0.5 mg/kg IV over 40 min; racemic 0.5 mg/kg IV over 40 min at 4 h", {}),
    "minute": ("racemic 35 mg IV over 1 min", {}),
    "heavy": ("racemic 35 mg IV over 1 min", {"person.weight": 140.0}),
    "shunt": ("racemic 35 mg IV over 1 min", {"pharmacokinetics.arteriovenous_fast_share": 1.0}),
    "muscle": ("racemic 35 mg IV over 1 min", {"pharmacokinetics.arteriovenous_fast_share": 0.0}),
    "no enzyme": (
        "racemic 0.5 mg/kg oral",
        {
            "person.cyp2b6": 0.0,
            "perturbation.cyp3a4_inhibition": 1.0,
            "pharmacokinetics.cyp3a4_share_gut": 1.0,
        },
    ),
    "aged": ("racemic 35 mg IV over 1 min", {"person.age": 75 * YEAR}),
}
ARTERY, VEIN = "plasma.esketamine + plasma.arketamine", "venous.ketamine"


@pytest.fixture(scope="module")
def kinetics():
    return kinetic_model()


@pytest.fixture(scope="module")
def curves(kinetics):
    courses = [course(kinetics, label, sentence) for label, sentence in ROUTES.items()]
    courses += [course(kinetics, label, *what) for label, what in OTHERS.items()]
    return Curves(kinetics, courses)


def clearance(kinetics, enantiomer, size=1.0, older=0.0):
    """The well-stirred liver by hand: flow x intrinsic / (flow + intrinsic), L/h."""
    number = {
        n: kinetics.parameters[f"pharmacokinetics.{n}"].value
        for n in ("hepatic_flow", "flow_loss_per_year", f"intrinsic_clearance_{enantiomer}")
    }
    flow = number["hepatic_flow"] * size**0.75 - number["flow_loss_per_year"] * older
    intrinsic = number[f"intrinsic_clearance_{enantiomer}"] * size**0.75
    return flow * intrinsic / (flow + intrinsic)


@pytest.mark.parametrize("route", ROUTES)
def test_all_drug_given_is_in_the_body_or_eliminated(route, kinetics, curves):
    amounts = [s.name for s in kinetics.system.states if s.kind == "amount"]
    total = sum(curves(route, name) for name in amounts)
    assert total[HOURS > 1] == pytest.approx(curves.given[route], rel=1e-8)


@pytest.mark.parametrize("route", ROUTES)
def test_no_amount_is_ever_negative(route, kinetics, curves):
    for name in (s.name for s in kinetics.system.states if s.kind == "amount"):
        assert curves(route, name).min() > -1e-4, name


def test_ten_times_the_dose_is_ten_times_the_level(curves):
    for name in ("venous.ketamine", "venous.norketamine", "plasma.r_hydroxynorketamine"):
        one, ten = curves("IV", name), curves("ten times", name)
        assert np.max(np.abs(ten / 10 - one)) < 1e-3 * one.max(), name


def test_a_second_dose_adds_to_the_first(curves):
    both = curves("IV", VEIN) + curves("later", VEIN)
    assert np.max(np.abs(curves("twice", VEIN) - both)) < 1e-3 * both.max()


def test_s_ketamine_is_the_same_alone_and_in_the_racemate(curves):
    for name in ("plasma.esketamine", "venous.s_norketamine", "plasma.s_hydroxynorketamine"):
        alone, mixed = curves("esketamine", name), curves("IV", name)
        assert np.max(np.abs(alone - mixed)) < 1e-3 * mixed.max(), name


def test_s_ketamine_alone_never_becomes_r(curves):
    for name in ("plasma.arketamine", "venous.r_norketamine", "brain.arketamine"):
        assert np.all(curves("esketamine", name) == 0)


def test_the_artery_leads_the_vein_during_an_infusion_and_the_vein_the_artery_after_it(curves):
    during, after = (HOURS > 0.02) & (HOURS < 0.66), (HOURS > 1.25) & (HOURS < 6)
    difference = curves("IV", ARTERY) - curves("IV", VEIN)
    assert np.all(difference[during] > 0)
    assert np.all(difference[after] < 0)
    assert 1.2 < curves.peak("IV", ARTERY) / curves.peak("IV", VEIN) < 1.9


def test_venous_blood_is_a_mixture_of_a_fast_and_a_slow_part(kinetics, curves):
    share = kinetics.parameters["pharmacokinetics.arteriovenous_fast_share"].value
    mixture = share * curves("shunt", VEIN) + (1 - share) * curves("muscle", VEIN)
    assert np.max(np.abs(curves("minute", VEIN) - mixture)) < 1e-3 * curves.peak("minute", VEIN)
    assert curves.area("shunt", VEIN) == pytest.approx(curves.area("muscle", VEIN), rel=0.01)


def test_without_both_demethylating_enzymes_no_norketamine_is_formed(kinetics, curves):
    assert curves.peak("no enzyme", "venous.norketamine") == 0
    intact = {e: kinetics.parameters[f"pharmacokinetics.intrinsic_clearance_{e}"].value for e in "sr"}
    left = kinetics.parameters["pharmacokinetics.other_enzymes_share"].value
    flow = kinetics.parameters["pharmacokinetics.hepatic_flow"].value
    area = curves.given["no enzyme"] / 2 * sum((1 - c / (flow + c)) / (flow * c / (flow + c)) for c in
                                               (left * number for number in intact.values()))  # fmt: skip
    assert curves.area("no enzyme", VEIN) == pytest.approx(area, rel=0.03)


@pytest.mark.parametrize("enantiomer", "sr")
def test_area_is_dose_over_the_clearance_of_a_well_stirred_liver(enantiomer, kinetics, curves):
    name = {"s": "plasma.esketamine", "r": "plasma.arketamine"}[enantiomer]
    dose = curves.given["minute"] / 2
    for label, size, older in (("minute", 1, 0), ("heavy", 2, 0), ("aged", 1, 15)):
        assert curves.area(label, name) == pytest.approx(
            dose / clearance(kinetics, enantiomer, size, older), rel=0.01
        ), label


def test_swallowed_drug_loses_what_gut_wall_and_liver_take(kinetics, curves):
    gut = 1 / (1 + kinetics.parameters["pharmacokinetics.gut_extraction_ratio"].value)
    flow = kinetics.parameters["pharmacokinetics.hepatic_flow"].value
    expected = sum(gut * (1 - clearance(kinetics, e) / flow) / clearance(kinetics, e) for e in "sr")
    assert curves.area("oral", VEIN) == pytest.approx(curves.given["oral"] / 2 * expected, rel=0.01)


def test_slower_routes_peak_later_and_lower(curves):
    hours = [curves.peak_hour(route, ARTERY) for route in ("IM", "SC", "oral")]
    levels = [curves.peak(route, ARTERY) for route in ("IM", "SC", "oral")]
    assert hours == sorted(hours)
    assert levels == sorted(levels, reverse=True)


def test_twice_weekly_dosing_does_not_accumulate(curves):
    before_next_dose = curves.at("nasal", "venous.esketamine", 84.0)
    assert before_next_dose < 0.01 * curves.peak("nasal", "venous.esketamine")


def test_liver_flow_stays_positive_in_the_smallest_oldest_person_a_scenario_allows(kinetics):
    values = {"person.weight": 10.0, "person.age": 110 * YEAR}
    frail = Curves(kinetics, [course(kinetics, "frail", "racemic 10 mg IV over 1 min", values)])
    assert frail.at("frail", ARTERY, 24.0) < frail.at("frail", ARTERY, 6.0)
