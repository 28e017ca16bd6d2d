"""What a scenario assumes, and input that is allowed but unusual, is said; a person is stated in the usual units."""

import math
from dataclasses import replace

import pytest

from ketamech.core import InputError
from ketamech.core.csv_table import read_table
from ketamech.dosing.regimen_reader import parse_sentence
from ketamech.parameters import load_parameters
from ketamech.population.population_tables import DIRECTORY, load_tables
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.output_ranges import CHILD, exists_in
from ketamech.simulation.scenario import beyond_the_horizon

INFUSION = "racemic 0.5 mg/kg IV over 40 min"


def notes(text, **more):
    return "; ".join(load_scenario(text, **more).assumptions)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("racemic 0.5 mg/kg IV", "racemic ketamine IV is a bolus"),
        (f"{INFUSION}; {INFUSION}", "two doses of racemic ketamine IV are given at once"),
        (f"{INFUSION}; racemic 10 mg IV over 1 h at 30 min", "two doses of racemic ketamine IV are given at once"),
        ("racemic 50 mg nasal", "the nose absorbs 43% of a racemic spray"),
        ("esketamine 84 ng nasal", "times below the smallest dose studied in depression"),
        ("racemic 35 mg IV over 40 h", "an infusion of racemic ketamine lasts 40 h"),
    ],
)
def test_assumed_and_unusual_values_are_reported(text, words):
    assert words in notes(text)
    assert words not in notes(INFUSION)
    assert words not in notes(f"{INFUSION} twice weekly for 2 weeks")


def test_two_equal_doses_are_not_one_dose_on_two_days():
    regimen = load_scenario(f"{INFUSION}; {INFUSION}").regimen
    assert regimen.sentence(exact=False).count("0.5 mg/kg") == 2
    assert regimen.parse(regimen.sentence()) == regimen


def test_a_parameter_far_from_its_table_is_noted():
    name = "pharmacokinetics.intrinsic_clearance_s"
    assert f"{name} of 1e+09" in notes(INFUSION, parameter_values={name: "1e9 L/h"})
    assert "usual value" not in notes(INFUSION, parameter_values={name: load_parameters()[name].value * 2})


def test_children_have_no_ratings_and_adolescents_a_note():
    child = load_scenario("racemic 2 mg/kg IM", person={"age": 2, "weight": "12 kg"})
    assert child.group == CHILD
    assert not exists_in(child.group, "mood.madrs")
    assert exists_in(child.group, "venous.ketamine")
    assert "without clinical scales" in "; ".join(child.assumptions)
    assert "extrapolation" in notes("racemic 2 mg/kg IM", person={"age": 15})
    assert "no age was given" in notes("racemic 2 mg/kg IM", person={"weight": 12})


@pytest.mark.parametrize(
    ("text", "person", "words"),
    [
        (INFUSION, {}, "body weight 70 kg, none was given"),
        (INFUSION, {"weight": 12}, "no age was given"),
        ("esketamine 84 mg nasal weekly, missing 10 %", {}, "misses no dose at random"),
    ],
)
def test_notes_on_the_typical_patient_are_not_notes_on_virtual_patients(text, person, words):
    scenario = load_scenario(text, person=person)
    assert words in "; ".join(scenario.assumptions)
    assert scenario.of_people().assumptions == scenario.notes
    assert words not in "; ".join(scenario.notes)
    assert "masses of free base" in "; ".join(scenario.notes)


def test_a_person_is_stated_in_the_units_of_the_table_and_by_name():
    made = load_scenario(INFUSION, person={"weight": 90, "age": "75", "cyp2b6": "*6/*6", "responsiveness": 1.5})
    assert made.values["person.weight"] == 90
    assert made.values["person.age"] == pytest.approx(75 * 8766)
    assert made.values["person.cyp2b6"] == pytest.approx(0.7985)
    assert made.values["person.responsiveness"] == 1.5
    for given in ({"age": 200}, {"weight": -5}, {"agee": 3}, {"cyp2b6": 9}, {"cyp2b6": "*9/*9"}):
        with pytest.raises(InputError, match=f"person.{next(iter(given))}"):
            load_scenario(INFUSION, person=given)


def test_the_text_of_a_scenario_with_a_person_reads_back(tmp_path):
    made = load_scenario(INFUSION, person={"weight": 90}, parameter_values={"mood.expectancy_weight": 0.5})
    file = tmp_path / "again.yaml"
    file.write_text(made.source, encoding="utf-8")
    again = load_scenario(file)
    assert (again.values, again.regimen) == (made.values, made.regimen)
    other = load_scenario(file, person={"weight": "60 kg"})
    assert other.values["person.weight"] == 60
    assert "60 kg" in other.source


def test_named_genotypes_follow_the_effect_of_the_allele():
    (effect,) = (one for one in load_tables().effects if one.parameter == "person.cyp2b6")
    for row in read_table(DIRECTORY / "named_values.csv", ("parameter", "names", "value", "evidence", "why")):
        if row["parameter"] == "person.cyp2b6":
            alleles = row["names"].count("6")
            expected = math.exp(effect.log_effect * (alleles - effect.reference))
            assert row.number("value") == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "correction"),
    [
        ("diazepam 10 mg oral; racemic 0.5 mg/kg IV over 40 min", f'"{INFUSION} with diazepam 10 mg oral"'),
        ("0.5 mg/kg IV over 40 min", f'"{INFUSION}"'),
    ],
)
def test_a_correction_is_the_sentence_of_the_user(text, correction):
    with pytest.raises(InputError) as problem:
        load_scenario(text)
    assert problem.value.type_this == correction
    parse_sentence(correction.strip('"'))


@pytest.mark.parametrize("text", ["diazepam 10 mg oral", f"{INFUSION} banana", f"{INFUSION} 3"])
def test_no_correction_replaces_the_sentence_by_another(text):
    with pytest.raises(InputError) as problem:
        parse_sentence(text)
    assert "84 mg" not in str(problem.value.type_this)
    assert "0.5 mg/kg" not in str(problem.value.type_this)


def test_an_age_in_a_sentence_is_sent_to_the_person():
    with pytest.raises(InputError, match='--person "age=6 years"'):
        parse_sentence("racemic 0.5 mg/kg IV in a 6 year old")


def test_seconds_are_written_as_seconds():
    regimen = load_scenario("racemic 0.5 mg/kg IV over 40 sec").regimen
    assert regimen.sentence(exact=False) == "racemic ketamine 0.5 mg/kg IV over 40 s"
    assert regimen.parse(regimen.sentence()) == regimen


def test_doses_after_the_end_of_the_simulation_are_counted():
    few = load_scenario(f"{INFUSION} daily for 3 years")
    assert "731 of 1096 doses of racemic ketamine are given" in "; ".join(few.notes)
    weekly = load_scenario(f"{INFUSION} weekly for 4 weeks")
    assert not any("are given" in note for note in weekly.notes)
    short = replace(weekly, horizon=200.0)
    assert beyond_the_horizon(short.regimen, 200.0)[0].startswith("2 of 4 doses")
    assert not any("are given" in note for note in short.lasting_until(600.0).notes)


def test_nothing_is_simulated_beyond_two_years():
    with pytest.raises(InputError, match="an output time of 17533 h"):
        load_scenario(INFUSION).lasting_until(17533.0)
