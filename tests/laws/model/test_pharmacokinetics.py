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
    "nasal drops": "esketamine 30 mg nasal drops",
    "rectal": "racemic 50 mg rectal",
    "inhaled": "esketamine 50 mg inhaled",
    "prolonged release": "racemic 120 mg oral prolonged-release tablet",
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
    "two years": ("racemic 35 mg IV over 1 min", {"person.age": 2 * YEAR}),
    "only s": ("esketamine 20 mg IV over 40 min", {}),
    "only r": ("arketamine 20 mg IV over 40 min", {}),
    "esketamine rectal": ("esketamine 50 mg rectal", {}),
    "esketamine tablet": ("esketamine 50 mg oral", {}),
    "released over 4 h": ("esketamine 50 mg prolonged release over 4 h", {}),
}
EXCRETED = ("ketamine", "norketamine", "dehydronorketamine", "hydroxynorketamine")
ARTERY, VEIN = "plasma.esketamine + plasma.arketamine", "venous.ketamine"


@pytest.fixture(scope="module")
def kinetics():
    return kinetic_model()


@pytest.fixture(scope="module")
def curves(kinetics):
    courses = [course(kinetics, label, sentence) for label, sentence in ROUTES.items()]
    courses += [course(kinetics, label, *what) for label, what in OTHERS.items()]
    return Curves(kinetics, courses)


def clearance(kinetics, enantiomer, size=1.0, older=0.0, maturity=1.0):
    """The well-stirred liver by hand: flow x intrinsic / (flow + intrinsic), L/h."""
    number = {
        n: kinetics.parameters[f"pharmacokinetics.{n}"].value
        for n in ("hepatic_flow", "flow_loss_per_year", f"intrinsic_clearance_{enantiomer}")
    }
    flow = number["hepatic_flow"] * size**0.75 - number["flow_loss_per_year"] * older
    intrinsic = number[f"intrinsic_clearance_{enantiomer}"] * size**0.75 * maturity
    return flow * intrinsic / (flow + intrinsic)


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


def test_s_ketamine_is_not_converted_into_r_ketamine(curves):
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
    others = kinetics.parameters["pharmacokinetics.other_enzymes_ratio"].value
    left = others / (1 + others)
    flow = kinetics.parameters["pharmacokinetics.hepatic_flow"].value
    area = curves.given["no enzyme"] / 2 * sum((1 - c / (flow + c)) / (flow * c / (flow + c)) for c in
                                               (left * number for number in intact.values()))  # fmt: skip
    assert curves.area("no enzyme", VEIN) == pytest.approx(area, rel=0.03)


@pytest.mark.parametrize("enantiomer", "sr")
def test_area_is_dose_over_the_clearance_of_a_well_stirred_liver(enantiomer, kinetics, curves):
    name = {"s": "plasma.esketamine", "r": "plasma.arketamine"}[enantiomer]
    dose = curves.given["minute"] / 2
    at_birth = kinetics.parameters["pharmacokinetics.enzymes_at_birth"].value
    mature = 1 - (1 - at_birth) / 4  # half of the missing activity develops each year
    for label, size, older, maturity in (
        ("minute", 1, 0, 1),
        ("heavy", 2, 0, 1),
        ("aged", 1, 15, 1),
        ("two years", 1, 0, mature),
    ):
        assert curves.area(label, name) == pytest.approx(
            dose / clearance(kinetics, enantiomer, size, older, maturity), rel=0.01
        ), label


def test_swallowed_drug_loses_what_gut_wall_and_liver_take(kinetics, curves):
    gut = 1 / (1 + kinetics.parameters["pharmacokinetics.gut_extraction_ratio"].value)
    flow = kinetics.parameters["pharmacokinetics.hepatic_flow"].value
    expected = sum(gut * (1 - clearance(kinetics, e) / flow) / clearance(kinetics, e) for e in "sr")
    assert curves.area("oral", VEIN) == pytest.approx(curves.given["oral"] / 2 * expected, rel=0.01)


def test_a_rectal_dose_escapes_the_first_pass_in_part(kinetics, curves):
    direct = kinetics.parameters["pharmacokinetics.rectal_f"].value
    gut = 1 / (1 + kinetics.parameters["pharmacokinetics.gut_extraction_ratio"].value)
    flow = kinetics.parameters["pharmacokinetics.hepatic_flow"].value
    swallowed = gut * (1 - clearance(kinetics, "s") / flow)
    expected = (direct + (1 - direct) * swallowed) / swallowed
    ratio = curves.area("esketamine rectal", VEIN) / curves.area("esketamine tablet", VEIN)
    assert ratio == pytest.approx(expected, rel=0.01)


def test_the_lung_absorbs_a_share_without_first_pass(kinetics, curves):
    share = kinetics.parameters["pharmacokinetics.inhaled_f"].value
    assert curves.given["inhaled"] == pytest.approx(
        share * 50e3 / kinetics.parameters["drug.ketamine_molar_mass"].value
    )
    assert curves.area("inhaled", VEIN) == pytest.approx(curves.given["inhaled"] / clearance(kinetics, "s"), rel=0.02)
    assert 0.5 < curves.peak_hour("inhaled", VEIN) < 1


def test_a_prolonged_release_tablet_peaks_when_the_release_ends_and_loses_nothing(curves):
    assert curves.peak_hour("prolonged release", VEIN) == pytest.approx(10, abs=0.3)
    assert curves.peak_hour("released over 4 h", VEIN) == pytest.approx(4, abs=0.2)
    assert curves.area("released over 4 h", VEIN) == pytest.approx(curves.area("esketamine tablet", VEIN), rel=0.01)
    assert curves.peak("released over 4 h", VEIN) < 0.6 * curves.peak("esketamine tablet", VEIN)


@pytest.mark.parametrize("route", ROUTES)
def test_the_dose_is_in_the_body_the_urine_or_eliminated(route, kinetics, curves):
    """Conservation of mass, sink by sink; urine only grows, and the body empties."""
    urine = [f"pharmacokinetics.urine_{analyte}" for analyte in EXCRETED]
    eliminated = [f"pharmacokinetics.eliminated_{e}" for e in "sr"]
    sinks = {s.name for s in kinetics.system.states if s.is_sink}
    assert sinks == {*urine, *eliminated}
    body = sum(curves(route, s.name) for s in kinetics.system.states if s.kind == "amount" and not s.is_sink)
    excreted, lost = (sum(curves(route, name) for name in names) for names in (urine, eliminated))
    late = HOURS > 10
    assert (body + excreted + lost)[late] == pytest.approx(curves.given[route], rel=1e-8)
    assert np.all(np.diff(excreted) >= -1e-6 * curves.given[route])
    assert body[-1] < 1e-3 * curves.given[route]
    assert 0.1 < excreted[-1] / curves.given[route] < 0.4


@pytest.mark.parametrize("enantiomer", "sr")
def test_urine_holds_the_stated_share_of_what_leaves_the_blood(enantiomer, kinetics, curves):
    """All norketamine that is formed leaves as itself or as one of its two metabolites."""
    number = {
        n: kinetics.parameters[f"pharmacokinetics.{n}"].value
        for n in ("other_enzymes_ratio", "ketamine_urine_share", f"metabolite_urine_share_{enantiomer}")
    }
    ketamine, *metabolites = (curves(f"only {enantiomer}", f"pharmacokinetics.urine_{a}")[-1] for a in EXCRETED)
    formed = 1 / (1 + number["other_enzymes_ratio"])
    dose = curves.given[f"only {enantiomer}"]
    assert ketamine / dose == pytest.approx((1 - formed) * number["ketamine_urine_share"], rel=0.01)
    assert sum(metabolites) / dose == pytest.approx(formed * number[f"metabolite_urine_share_{enantiomer}"], rel=0.01)


def test_slower_routes_peak_later_and_lower(curves):
    hours = [curves.peak_hour(route, ARTERY) for route in ("IM", "SC", "oral")]
    levels = [curves.peak(route, ARTERY) for route in ("IM", "SC", "oral")]
    assert hours == sorted(hours)
    assert levels == sorted(levels, reverse=True)


def test_twice_weekly_dosing_does_not_accumulate(curves):
    before_next_dose = curves.at("nasal", "venous.esketamine", 84.0)
    assert before_next_dose < 0.01 * curves.peak("nasal", "venous.esketamine")


def test_liver_flow_stays_positive_in_the_smallest_oldest_person_a_scenario_allows(kinetics):
    values = {"person.weight": 5.0, "person.age": 110 * YEAR}
    frail = Curves(kinetics, [course(kinetics, "frail", "racemic 5 mg IV over 1 min", values)])
    assert frail.at("frail", ARTERY, 24.0) < frail.at("frail", ARTERY, 6.0)
