"""Simulated kinetics against published levels, one parameter set for every study; each number is printed."""

import numpy as np
import pytest
from kinetics import EVIDENCE, NG_PER_ML, YEAR, Curves, course, kinetic_model, mean_fold_error, published

STEPS = "{0} {1} mg/kg IV over 60 min; {0} {2} mg/kg IV over 60 min at 1 h; {0} {3} mg/kg IV over 60 min at 2 h"
HYDROXY = "plasma.s_hydroxynorketamine + plasma.r_hydroxynorketamine"
CURVES = {  # evidence rows: (course, curve, largest mean fold error)
    "kamp20-a": ("kamp esketamine", "plasma.esketamine", 1.25),
    "kamp20-b": ("kamp racemic", "plasma.esketamine", 1.25),
    "kamp20-c": ("kamp racemic", "plasma.arketamine", 1.25),
    "kamp20-d": ("kamp esketamine", "plasma.s_norketamine", 1.25),
    "kamp20-e": ("kamp racemic", "plasma.s_norketamine", 1.25),
    "kamp20-f": ("kamp racemic", "plasma.r_norketamine", 1.25),
    "kamp20-g": ("kamp esketamine", "plasma.s_dehydronorketamine", 1.35),
    "kamp20-h": ("kamp racemic", "plasma.s_dehydronorketamine", 1.35),
    "kamp20-i": ("kamp racemic", "plasma.r_dehydronorketamine", 1.25),
    "kamp20-j": ("kamp racemic", HYDROXY, 1.4),
    "chdr1311-s-ketamine": ("chdr1311", "venous.esketamine", 1.25),
    "chdr1311-s-norketamine": ("chdr1311", "venous.s_norketamine", 1.25),
}
OVER_60 = 67 * YEAR  # the age within the stratum is not printed
STRATA = {
    f"{age}-{origin}": {"person.age": years, "person.asian": asian, "person.japanese": japanese}
    for age, years in (("18-60", 40 * YEAR), ("over-60", OVER_60))
    for origin, asian, japanese in (
        ("caucasian", 0.0, 0.0),
        ("asian-non-japanese", 1.0, 0.0),
        ("japanese", 1.0, 1.0),
    )
}
DOSES = (28, 56, 84)
ANALYTES = ("ketamine", "norketamine", "dehydronorketamine", "hydroxynorketamine")
INHIBITION = np.linspace(0, 1, 11)
ORAL, NASAL = "esketamine 0.2 mg/kg oral", "esketamine 56 mg nasal"


@pytest.fixture(scope="module")
def curves():
    kinetics = kinetic_model()
    plain = {
        "kamp esketamine": (STEPS.format("esketamine", 0.14, 0.28, 0.57), {}),
        "kamp racemic": (STEPS.format("racemic", 0.28, 0.57, 1.14), {}),
        "chdr1311": ("esketamine 10 mg IV over 30 min", {"person.weight": 68.0, "person.age": 23 * YEAR}),
        "antidepressant": ("racemic 0.5 mg/kg IV over 40 min", {}),
        "film then IV": ("esketamine 50 mg sublingual; esketamine 20 mg IV over 20 min at 6 h", {}),
        "IM": ("racemic 0.5 mg/kg IM", {}),
        "oral": ("esketamine 0.25 mg/kg oral", {}),
        "IV": ("esketamine 0.25 mg/kg IV over 40 min", {}),
        "induction": ("racemic 2 mg/kg IV over 1 min", {}),
        "small bolus": ("racemic 10 mg IV bolus", {"person.weight": 60.0}),
        "child": ("esketamine 2 mg/kg IV over 1 min", {"person.weight": 16.0, "person.age": 4 * YEAR}),
        "induced oral": ("esketamine 0.3 mg/kg oral", {"perturbation.cyp3a4_induction": 6.0}),
        "plain oral": ("esketamine 0.3 mg/kg oral", {}),
        "induced IV": ("esketamine 0.1 mg/kg IV over 2 min", {"perturbation.cyp3a4_induction": 6.0}),
        "plain IV": ("esketamine 0.1 mg/kg IV over 2 min", {}),
        "induced nasal": (NASAL, {"perturbation.cyp3a4_induction": 6.0}),
        "impaired nasal": (NASAL, {"person.liver_function": 0.3}),
        "ticlopidine oral": (ORAL, {"perturbation.cyp2b6_inhibition": 0.8}),
        "infusion": ("racemic 5 mg IV over 30 min", {}),
        "tablet": ("racemic 40 mg prolonged-release tablet over 6 h", {}),
        "S tablet": ("esketamine 20 mg prolonged-release tablet over 6 h", {}),
        "R tablet": ("arketamine 20 mg prolonged-release tablet over 6 h", {}),
        "IV for suppository": ("racemic 50 mg IV over 30 min", {}),
        "suppository": ("racemic 50 mg suppository", {}),
        "drops": ("esketamine 2 mg/kg nasal drops", {"person.weight": 16.0, "person.age": 4 * YEAR}),
        "child 3": ("racemic 3 mg/kg nasal drops", {"person.weight": 18.0, "person.age": 5 * YEAR}),
        "child rectal": ("racemic 9 mg/kg rectal", {"person.weight": 18.0, "person.age": 5 * YEAR}),
        "child spray": ("racemic 0.5 mg/kg nasal", {"person.weight": 35.2, "person.age": 8.8 * YEAR}),
        "spray 30": ("racemic 30 mg nasal", {"person.weight": 60.0}),
        "ticlopidine nasal": (NASAL, {"perturbation.cyp2b6_inhibition": 0.8}),
    }
    for stratum, person in STRATA.items():
        plain |= {f"{stratum}-{mg}": (f"esketamine {mg} mg nasal", person) for mg in DOSES}
    for i in INHIBITION:
        inhibited = {"perturbation.cyp3a4_inhibition": float(i)}
        plain |= {f"oral {i:.1f}": (ORAL, inhibited), f"nasal {i:.1f}": (NASAL, inhibited)}
    return Curves(kinetics, [course(kinetics, label, *what) for label, what in plain.items()])


def value(name):
    return EVIDENCE[name].canonical_value


def report(what, number, bound):
    print(f"{what:<60} {number:8.3f}  {bound}")


@pytest.mark.parametrize("rows", CURVES)
def test_a_published_curve_is_within_its_mean_fold_error(rows, curves):
    label, name, bound = CURVES[rows]
    times, observed = published(rows)
    error = mean_fold_error(curves.at(label, name, times), observed)
    report(f"{rows} {name}", error, f"<= {bound}")
    assert error <= bound


@pytest.mark.parametrize("stratum", STRATA)
def test_nasal_exposure_of_every_stratum(stratum, curves):
    """Perez-Ruixo 2021 Table 4. The printed norketamine areas contradict the paper's own parameters: not used."""
    labels = [f"{stratum}-{mg}" for mg in DOSES]
    errors = {}
    for moiety, name in (("esketamine", "venous.esketamine"), ("noresketamine", "venous.s_norketamine")):
        observed = [value(f"perez-t4-{label}-{moiety}-cmax") for label in labels]
        errors[f"{moiety} peak"] = mean_fold_error([curves.peak(label, name) for label in labels], observed)
    areas = [value(f"perez-t4-{label}-esketamine-auc0-24") for label in labels]
    simulated = [curves.area(label, "venous.esketamine", end=24) for label in labels]
    errors["esketamine area"] = mean_fold_error(simulated, areas)
    for what, error in errors.items():
        report(f"nasal {stratum} {what}", error, "printed only" if "nor" in what else "<= 1.25")
    assert errors["esketamine peak"] <= 1.25
    assert errors["esketamine area"] <= 1.25
    assert errors["noresketamine peak"] <= 1.35


def test_venous_peak_of_the_antidepressant_infusion(curves):
    peak = curves.peak("antidepressant", "venous.ketamine") * NG_PER_ML
    report("venous peak, 0.5 mg/kg over 40 min (ng/mL)", peak, "150-250")
    assert 150 < peak < 250


def test_arterial_peak_of_a_short_infusion_after_a_film(curves):
    """Simons 2022: 260-273 ng/mL. Not unseen: the joint fit gave this peak a weight; left out, it comes 12 % low."""
    peak = curves.peak("film then IV", "plasma.esketamine", begin=6.0)
    report("arterial peak of 20 mg over 20 min (ng/mL)", peak * NG_PER_ML, "273")
    assert mean_fold_error([peak], [value("simons-iv-peak-after-50")]) < 1.15


def test_oral_availability_lies_between_the_published_ones(curves):
    """8 % (Fanta 2015) to 18.6 % of the swallowed part (Perez-Ruixo 2021)."""
    oral = curves.area("oral", "venous.esketamine") / curves.area("IV", "venous.esketamine")
    report("oral availability of S-ketamine", oral, "0.08-0.186")
    assert value("fanta-foral") < oral < value("perez-fpo-abs")


def test_muscle_peaks_earlier_and_lower_than_published(curves):
    """Grant 1981, recalled: 22 min and 240 ng/mL, a known miss: the fast part of venous blood makes the peak early."""
    minutes, peak = 60 * curves.peak_hour("IM", "venous.ketamine"), curves.peak("IM", "venous.ketamine") * NG_PER_ML
    report("IM peak (ng/mL), missed", peak, "240")
    report("IM peak (min), missed", minutes, "22")
    assert minutes == pytest.approx(9, abs=1.5)
    assert peak == pytest.approx(160, rel=0.05)


def test_a_bolus_is_in_the_vein_at_the_first_sample(curves):
    """Singh 2022: 296 ng/mL at 2 min after 10 mg, area 113 ng*h/mL; Weber 2004: children, 1860 ng/mL at 3 min."""
    adult = curves.at("small bolus", "venous.ketamine", 2 / 60) * NG_PER_ML
    child = curves.at("child", "venous.esketamine", 4 / 60) * NG_PER_ML  # 3 min after an injection of 1 min
    report("vein 2 min after 10 mg (ng/mL)", adult, "296")
    report("vein of a child 3 min after 1 min of 2 mg/kg (ng/mL)", child, "1860, not fitted")
    assert mean_fold_error([adult], [296]) < 1.3
    assert mean_fold_error([curves.area("small bolus", "venous.ketamine") * NG_PER_ML], [113]) < 1.3
    assert mean_fold_error([child], [1860]) < 1.5


def test_spray_peaks_in_the_window_of_the_label_and_the_terminal_half_life_is_published(curves):
    """Label: peak 20 to 40 min after the last spray, half-life 7 to 12 h (deep tissue as published, not fitted)."""
    for devices, label in enumerate(("18-60-caucasian-28", "18-60-caucasian-56", "18-60-caucasian-84")):
        after_last = curves.peak_hour(label, "venous.esketamine") * 60 - 5 * devices
        report(f"{label}: peak after the last spray (min)", after_last, "20-40")
        assert 20 <= after_last <= 40
    early, late = curves.at("18-60-caucasian-84", "venous.esketamine", np.array([12.0, 36.0]))
    half_life = 24 * np.log(2) / np.log(early / late)
    report("terminal half-life (h)", half_life, "7-12")
    assert 7 <= half_life <= 12


def test_one_sevenfold_induction_meets_both_routes_and_predicts_the_spray(curves):
    """Peltoniemi 2012: -14 % after IV, -86 % after oral S-ketamine. Label (recalled): -28 % after a spray."""

    def change(route, of=""):
        plain = of or f"plain {route}"
        return curves.area(f"induced {route}", "venous.esketamine") / curves.area(plain, "venous.esketamine") - 1

    nasal = change("nasal", "nasal 0.0")
    for what, number in (("IV", change("IV")), ("oral", change("oral")), ("nasal", nasal)):
        report(f"area with rifampicin, {what}", number, "-0.14, -0.86, -0.28")
    assert mean_fold_error([1 + change("IV")], [1 + value("ddi-rif-iv")]) < 1.1
    assert mean_fold_error([1 + change("oral")], [1 + value("ddi-rif-po")]) < 1.25
    assert -0.4 < nasal < -0.15


def test_ticlopidine_raises_the_area_of_a_spray_by_less_than_that_of_its_enzyme(curves):
    """Label: +29 %. The liver is limited by its flow, so that losing half of the clearance costs less than half."""
    found = curves.area("ticlopidine nasal", "venous.esketamine") / curves.area("nasal 0.0", "venous.esketamine")
    report("area with ticlopidine, nasal", found, "1.29")
    assert mean_fold_error([found], [1.29]) < 1.5


def test_ticlopidine_raises_the_area_of_swallowed_drug_more(curves):
    """Peltoniemi 2011: 2.4-fold; not fitted."""
    found = curves.area("ticlopidine oral", "venous.esketamine") / curves.area("oral 0.0", "venous.esketamine")
    report("area with ticlopidine, oral", found, "2.4")
    assert mean_fold_error([found], [value("ddi-tic-oral-auc")]) < 1.3


def test_a_prolonged_release_tablet_is_predicted(curves):
    """Hasan 2021: nothing but the shares in urine was set to this study."""
    peak = curves.peak("tablet", "venous.ketamine")
    nk = curves.area("tablet", "venous.norketamine") / curves.area("tablet", "venous.ketamine")
    pairs = {
        "peak": (peak, value("hasan-pr40-cmax")),
        "time of the peak": (curves.peak_hour("tablet", "venous.ketamine"), value("hasan-pr40-tmax")),
        "norketamine to ketamine": (nk, value("hasan-pr40-nk")),
    }
    for e, drug in (("s", "esketamine"), ("r", "arketamine")):
        name = f"venous.{drug}"
        available = curves.area("tablet", name) / curves.area("infusion", name) / 8
        pairs[f"availability {e}"] = (available, value(f"hasan21-pr-f-{e}"))
        early, late = curves.at("tablet", name, np.array([12.0, 36.0]))
        pairs[f"half-life {e}"] = (24 * np.log(2) / np.log(early / late), value(f"hasan21-pr-thalf-{e}"))
    for what, (simulated, observed) in pairs.items():
        report(f"tablet of 40 mg: {what}", simulated, f"{observed:.3g}")
        assert mean_fold_error([simulated], [observed]) < 1.35, what


def test_urine_holds_more_of_r_than_of_s(curves):
    """Hasan 2021: 7 % of a racemic dose as S and 17 % as R (fitted); unchanged drug and norketamine 2 % (recalled)."""
    for e in "SR":
        label = f"{e} tablet"
        excreted = sum(curves(label, f"pharmacokinetics.urine_{a}")[-1] for a in ANALYTES) / curves.given[label] / 2
        report(f"{e} in urine, share of a racemic dose", excreted, str(value(f"hasan21-urine-{e.lower()}")))
        assert mean_fold_error([excreted], [value(f"hasan21-urine-{e.lower()}")]) < 1.1
    for analyte, row in (("ketamine", "urine-unchanged"), ("norketamine", "urine-nk")):
        share = curves("antidepressant", f"pharmacokinetics.urine_{analyte}")[-1] / curves.given["antidepressant"]
        report(f"{analyte} in urine", share, str(value(row)))
        assert mean_fold_error([share], [value(row)]) < 1.25


def test_a_suppository_is_available_as_published(curves):
    found = curves.area("suppository", "venous.ketamine") / curves.area("IV for suppository", "venous.ketamine")
    report("rectal availability", found, "0.25-0.30")
    assert value("malinovsky-rectal-f") / 1.1 < found < value("yanagihara-supp") * 1.1
    peak, hour = curves.peak("child rectal", "venous.ketamine"), curves.peak_hour("child rectal", "venous.ketamine")
    report("rectal peak of a child (ng/mL)", peak * NG_PER_ML, "632")
    assert mean_fold_error([peak, hour], [value("malinovsky-rectal-cmax"), value("malinovsky-rectal-tmax")]) < 1.3


def test_nasal_levels_of_children_and_adults_are_near_the_published_ones(curves):
    """The share of drops is the mean of three studies; the peaks are not fitted. Doses of 9 mg/kg are missed."""
    for label, name, row, bound in (
        ("drops", "venous.esketamine", "weber-nasal-cmax", 1.5),
        ("child 3", "venous.ketamine", "malinovsky-n3-cmax", 1.5),
        ("child spray", "venous.ketamine", "nielsen14-cmax", 1.5),
        ("spray 30", "venous.ketamine", "phar2669-30-nasal-k-cmax", 1.3),
    ):
        report(f"peak, {label} (ng/mL)", curves.peak(label, name) * NG_PER_ML, str(EVIDENCE[row].value))
        assert mean_fold_error([curves.peak(label, name)], [value(row)]) < bound, row
    times = [value(f"phar2669-{dose}-nasal-k-tmax") for dose in (10, 30, 50)]
    report("peak of a spray (h)", curves.peak_hour("spray 30", "venous.ketamine"), "0.23-0.38")
    assert mean_fold_error([curves.peak_hour("spray 30", "venous.ketamine")] * 3, times) < 1.3


def test_moderate_impairment_of_the_liver_doubles_the_area_of_a_spray_and_hardly_raises_its_peak(curves):
    """Label (recalled): area +103 %, peak +8 %."""
    measures = {m: getattr(curves, m)("impaired nasal", "venous.esketamine") for m in ("area", "peak")}
    ratios = {m: found / getattr(curves, m)("nasal 0.0", "venous.esketamine") for m, found in measures.items()}
    for measure, printed in (("area", 2.03), ("peak", 1.08)):
        report(f"{measure} with a third of the liver function", ratios[measure], str(printed))
        assert mean_fold_error([ratios[measure]], [printed]) < 1.5


def test_an_induction_dose_has_left_the_artery_in_a_quarter_of_an_hour(curves):
    """Anaesthesia needs 1200 ng/mL or more (Zanos 2018), waking is at 640 (Idvall 1979)."""
    artery = "plasma.esketamine + plasma.arketamine"
    levels = curves.at("induction", artery, np.array([5, 15]) / 60) * NG_PER_ML
    report("arterial level 15 min after 2 mg/kg (ng/mL)", levels[1], "640 at waking")
    assert levels[0] > 1200 > levels[1]


def ratio(curves, route, i, measure, name="venous.esketamine"):
    read = getattr(curves, measure)
    return read(f"{route} {i:.1f}", name) / read(f"{route} 0.0", name)


def test_a_cyp3a4_inhibitor_acts_on_swallowed_drug(curves):
    """Hagelberg 2010: oral area 2.6-fold, norketamine's share of it 54 % lower, at some inhibition short of complete.

    The degree of inhibition is read off the area; the rest follows. The published peak rises more (3.6-fold) than the
    area; here absorption keeps its pace, so the peak cannot: a known miss.
    """
    areas = [ratio(curves, "oral", i, "area") for i in INHIBITION]
    assert areas == sorted(areas)
    strong = float(np.interp(value("ddi-clari-auc"), areas, INHIBITION))
    report("share of CYP3A4 inhibited where the oral area is 2.6-fold", strong, "0.5-1")
    assert 0.5 < strong < 1 or areas[-1] == pytest.approx(value("ddi-clari-auc"), rel=0.1)

    def there(route, measure, name="venous.esketamine"):
        return float(np.interp(strong, INHIBITION, [ratio(curves, route, i, measure, name) for i in INHIBITION]))

    norketamine = there("oral", "area", "venous.s_norketamine") / there("oral", "area")
    report("norketamine to ketamine with it", norketamine, "0.46")
    report("oral peak with it", there("oral", "peak"), "3.6, missed")
    report("nasal area with it", there("nasal", "area"), "1.04 (recalled)")
    report("nasal peak with it", there("nasal", "peak"), "1.11 (recalled)")
    assert mean_fold_error([norketamine], [1 + value("ddi-clari-nk")]) <= 1.25
    assert mean_fold_error([there("oral", "peak")], [value("ddi-clari-cmax")]) <= 1.5
    assert there("nasal", "area") < 1.3
    assert there("nasal", "peak") < 1.3
