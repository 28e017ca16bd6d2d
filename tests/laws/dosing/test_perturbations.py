"""Perturbations: drugs with their own kinetics, knock-outs, stress; in words, files and Python; refused when absurd."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech import simulate
from ketamech.analysis.perturbation_scorecard import COLUMNS, PATH
from ketamech.core import InputError, UnknownNameError
from ketamech.core.csv_table import read_table
from ketamech.dosing.dose_events import DoseEvent, parameter_lookup
from ketamech.dosing.perturbations import load_perturbations, read_perturbation
from ketamech.dosing.regimen_reader import parse_sentence
from ketamech.parameters import load_parameters
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.load_scenario import load_scenario

DOSE = "racemic 10 mg/kg IP"
NUMBER = parameter_lookup(load_parameters(), {})


def test_a_level_decays_at_its_rate_and_fills_its_target_by_hill(model):
    hours = np.array([0.0, 0.5, 1.0, 4.0])
    curves = run_subjects(
        model, [Subject("nbqx", (DoseEvent(0.0, "tool_compounds.nbqx", 2.0),))], hours, tolerance=1e-8
    )
    rate = model.parameters["tool_compounds.nbqx_elimination"].canonical
    level = 2.0 * np.exp(-rate * hours)
    assert curves["tool_compounds.nbqx"].values[0] == pytest.approx(level, rel=1e-5)
    assert curves["tool_compounds.nbqx_share"].values[0] == pytest.approx(level / (level + 1), rel=1e-5)


def test_without_a_perturbation_every_share_is_exactly_zero(model):
    curves = simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
    shares = [name for name in curves if name.startswith("tool_compounds.") and name.endswith("_share")]
    assert shares
    assert all((curves[name].values == 0).all() for name in shares)


def test_half_an_hour_before_the_dose_is_the_dose_half_an_hour_later(model):
    early = simulate(DOSE, model=model, species="rat", perturb=["NBQX 10 mg/kg IP at -30 min"])
    late = simulate(f"{DOSE} at 30 min", model=model, species="rat", perturb=["NBQX 10 mg/kg IP at 0 h"])
    for name in ("ampa.surface", "plasticity.bdnf", "forced_swim.immobility"):
        there = np.interp(early.time.values + 0.5, late.time.values, late[name].values[0])
        after = early.time.values > 0.2
        assert early[name].values[0][after] == pytest.approx(there[after], rel=2e-3)


def test_a_held_share_and_a_dose_are_different_things(model):
    held = load_scenario(DOSE, model.parameters, species="rat", perturbations=["NBQX throughout"])
    assert held.values["perturbation.nbqx"] == 1.0
    assert not held.perturbation_events(NUMBER)
    dosed = load_scenario(DOSE, model.parameters, species="rat", perturbations=["NBQX"])
    assert "perturbation.nbqx" not in dosed.values
    assert [(e.time, e.compartment, e.amount) for e in dosed.perturbation_events(NUMBER)] == [
        (-0.5, "tool_compounds.nbqx", 10.0)
    ]


def test_sentence_file_and_option_mean_the_same(model, tmp_path):
    file = tmp_path / "rat.yaml"
    file.write_text(f"treatments: [{DOSE}]\nspecies: rat\nperturbations:\n  - NBQX 5 mg/kg IP at -30 min\n")
    said = load_scenario(f"{DOSE} with NBQX 5 mg/kg IP at -30 min", model.parameters, species="rat")
    written = load_scenario(file, model.parameters)
    added = load_scenario(DOSE, model.parameters, species="rat", perturbations=["NBQX 5 mg/kg IP at -30 min"])
    assert said.perturbation_events(NUMBER) == written.perturbation_events(NUMBER) == added.perturbation_events(NUMBER)
    assert said.values == written.values == added.values
    again = tmp_path / "again.yaml"
    again.write_text(added.source)
    assert load_scenario(again, model.parameters).perturbation_events(NUMBER) == added.perturbation_events(NUMBER)


def test_a_route_that_reaches_the_brain_poorly_gives_a_smaller_level():
    assert read_perturbation("rapamycin into ventricle").target_fraction == 1.0
    assert read_perturbation("rapamycin 6 mg oral").target_fraction < 0.1
    assert read_perturbation("NBQX 20 mg/kg IP").target_fraction == 2.0


def test_imposed_stress_keeps_its_level_and_then_goes(model):
    stress = read_perturbation("restraint for 7 days at 24 h")
    curves = run_subjects(
        model, [Subject("stress", stress.events(NUMBER), {"person.stress": 0.0})], np.array([12.0, 100.0, 191.0, 240.0])
    )
    level = curves["stress.level"].values[0]
    assert level[[0, 3]] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert level[1:3] == pytest.approx([1.0, 1.0], rel=1e-3)


@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_imposed_stress_keeps_its_level_at_any_rate_of_loss(model, factor):
    rate = factor * model.parameters["stress.relief_rate"].canonical
    scenario = load_scenario("placebo IV with restraint for 7 days at 24 h", model.parameters)
    own = replace(scenario, values={"stress.relief_rate": rate})
    found = simulate(own, model=model, times=[12.0, 100.0, 190.0])["stress.imposed"].sel(patient="treated")
    assert found.values == pytest.approx([0.0, 1.0, 1.0], abs=1e-3)


def test_every_shipped_perturbation_is_understood_by_its_own_name_and_words(model):
    for one in load_perturbations().values():
        for word in one.perturbation_names:
            assert read_perturbation(word).perturbation is one
        assert set(one.values(model.parameters)) <= set(model.parameters)
        for entry in read_perturbation(one.name).events(NUMBER):
            assert entry.compartment in model.layout.state_names


def test_with_a_lag_is_no_perturbation():
    sentence = "racemic 50 mg oral daily for 4 weeks with a lag of 10 min"
    assert parse_sentence(sentence).perturbations == ()
    assert parse_sentence(sentence).treatments()[0].lag == pytest.approx(1 / 6)
    beside = parse_sentence(f"{DOSE} with NBQX and BDNF Met/Met").perturbations
    assert [words for words, _ in beside] == ["NBQX", "BDNF Met/Met"]


@pytest.mark.parametrize(
    ("phrase", "said"),
    {
        "BDFN knock-out": "deletion of a gene that is not in the model",
        "oxytocin blocker": "blocker without a known target",
        "blocker": "blocker without a known target",
        "rapamicin": "nearest: rapamycin",
        "clonazepam 1 mg oral": "type: with diazepam",
        "unheard-of 3 mg": r"expected: a drug in a dose for people \(rapamycin, naltrexone, .*lorazepam",
        "NBQX into liver": "nothing can be infused",
        "NBQX 3 mL": "is not known",
        "NBQX 10 mg oral": "not given by oral",
        "NBQX 10 nmol/kg IP": "a dose in nmol/kg",
        "BDNF knock-out 3 mg": "has no dose",
        "MK-801 throughout": "cannot be held",
        "NBQX at -90 days": "too early",
        "naltrexone 1e9 mg oral": "at most 20 usual doses of 50 mg a day",
        "NBQX 1 g/kg IP": "1 g/kg of NBQX is above the limit",
        "riluzole 20000 mg oral over 7 d": "above the limit",
        "lithium 900 mg oral daily": "type: lithium 900 mg oral daily for 2 weeks",
        "restraint daily for 7 days": "restraint is not given in doses",
        "lithium throughout daily for 2 weeks": "lithium is not given in doses",
        "lithium weekly for 2 days": "shorter than the 168 h between two doses",
        "lithium 90 mg oral every 6 min for 2 years": "more than 5000 doses",
        "naltrexone 600 mg oral every 12 h for 1 week": "at most 20 usual doses of 50 mg a day",
    }.items(),
)
def test_one_clear_error(phrase, said):
    with pytest.raises(InputError, match=said):
        read_perturbation(phrase)


def test_a_repeated_dose_is_several_single_ones(model):
    daily = read_perturbation("lithium 900 mg oral daily for 3 days at 5 h")
    single = [f"lithium 900 mg oral at {hours} h" for hours in (5, 29, 53)]
    assert daily.events(NUMBER) == tuple(event for text in single for event in read_perturbation(text).events(NUMBER))
    twice = read_perturbation("naltrexone 50 mg oral twice weekly for 2 weeks at 0 h")
    assert [event.time for event in twice.events(NUMBER)] == [0.0, 72.0, 168.0, 240.0]
    assert daily.events(NUMBER) == load_scenario(
        "racemic 0.5 mg/kg IV over 40 min with lithium 900 mg oral daily for 3 days at 5 h", model.parameters
    ).perturbation_events(NUMBER)


def test_a_dose_over_days_may_be_that_of_each_day():
    assert read_perturbation("riluzole 14000 mg oral over 7 d").target_fraction == pytest.approx(42)
    assert read_perturbation("naltrexone 1000 mg oral").target_fraction == pytest.approx(20)


def test_no_published_row_is_near_the_largest_dose():
    """The table of limits says that none is above 3.3 usual doses a day."""
    largest = 0.0
    for row in read_table(PATH, COLUMNS):
        for phrase in row.listed("with"):
            one = read_perturbation(phrase)
            usual = max((form.level for form in one.perturbation.doses), default=1.0)
            largest = max(largest, one.target_fraction / usual / max(1.0, one.duration / 24))
    assert 3 < largest < 3.35


def test_the_nearest_knock_out_is_named():
    with pytest.raises(UnknownNameError) as problem:
        read_perturbation("BDFN knock-out")
    assert problem.value.nearest == "BDNF knock-out"


def test_a_drug_without_a_target_is_refused_with_its_line(tmp_path):
    from ketamech.dosing.perturbations import PATH

    lines = PATH.read_text(encoding="utf-8").splitlines()
    table = tmp_path / "perturbations.csv"
    table.write_text("\n".join([lines[0], lines[1].replace("tool_compounds.nbqx", "")]) + "\n")
    with pytest.raises(InputError, match=r"perturbations.csv:2: drug 'NBQX' has no target"):
        load_perturbations(table)


def test_two_genotypes_at_one_place_are_refused(model):
    with pytest.raises(InputError, match="both set"):
        load_scenario(DOSE, model.parameters, species="rat", perturbations=["BDNF Met/Met", "BDNF Val/Met"])


@pytest.mark.parametrize("other", ["NBQX 5 mg/kg IP held", "NBQX throughout"])
def test_two_held_levels_of_one_drug_are_refused(model, other):
    with pytest.raises(InputError, match=r"both set perturbation\.nbqx"):
        load_scenario(f"{DOSE} with NBQX held and {other}", model.parameters, species="rat")
    assert load_scenario(DOSE, perturbations=["NBQX held", "naltrexone held"], species="rat").perturbations


def test_a_bad_perturbation_in_a_file_names_its_line(model, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(f"treatments: [{DOSE}]\nspecies: rat\nperturbations:\n  - NBQX\n  - BDFN knock-out\n")
    with pytest.raises(InputError, match=r"bad.yaml:5"):
        load_scenario(file, model.parameters)
