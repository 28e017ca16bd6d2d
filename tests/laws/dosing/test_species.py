"""Rats and mice: mass, areas and half-lives of their own kinetics; what is not known of them is refused."""

import numpy as np
import pytest

from dose_sentences import dose_events_from_text
from ketamech import simulate
from ketamech.core import InputError, UnknownNameError
from ketamech.parameters import load_species
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.output_times import output_times
from molar_masses import KETAMINE


def course(model, species, sentence):
    values = load_species(species).canonical
    return Subject(species, dose_events_from_text(sentence, model.parameters, values, 100.0), values)


@pytest.mark.parametrize("species", ["rat", "mouse"])
def test_everything_given_is_in_the_body_or_eliminated(model, species):
    one = course(model, species, "racemic 10 mg/kg IP")
    curves = run_subjects(model, [one], np.array([0.01, 1.0, 24.0]), tolerance=1e-8)
    held = sum(curves[row.name].values[0] for row in model.layout.states if row.kind == "amount")
    given = sum(entry.amount for entry in one.events if entry.compartment.startswith("pharmacokinetics"))
    assert held == pytest.approx(given, rel=1e-6)
    assert given == pytest.approx(10 * one.parameters["person.weight"] * 1000 / KETAMINE, rel=1e-4)


@pytest.mark.parametrize("species", ["rat", "mouse"])
def test_the_area_after_a_peritoneal_dose_is_what_escapes_the_liver_over_clearance(model, species):
    one = course(model, species, "esketamine 10 mg/kg IP")
    curves = run_subjects(model, [one], output_times(48.0, per_dose=600), tolerance=1e-7)
    area = np.trapezoid(curves["plasma.esketamine"].values[0], curves.time.values)
    v = one.parameters
    flow, intrinsic = v["pharmacokinetics.hepatic_flow"], v["pharmacokinetics.intrinsic_clearance_s"]
    extraction = intrinsic / (flow + intrinsic)
    escapes = 1 - v["pharmacokinetics.peritoneal_portal_share"] * extraction
    given = sum(entry.amount for entry in one.events if entry.compartment.startswith("pharmacokinetics"))
    assert area == pytest.approx(given * escapes / (flow * extraction), rel=0.01)


def test_ketamine_leaves_mouse_plasma_with_the_published_half_life(model):
    curves = run_subjects(model, [course(model, "mouse", "racemic 10 mg/kg IP")], np.array([0.5, 1.0]), tolerance=1e-8)
    level = (curves["plasma.esketamine"] + curves["plasma.arketamine"]).values[0]
    minutes = 30 * np.log(2) / np.log(level[0] / level[1])
    assert 8 < minutes < 18  # 13 published


def test_animals_have_no_expectancy(model):
    curves = run_subjects(model, [course(model, "rat", "racemic 10 mg/kg IP")], np.array([0.5, 24.0]))
    assert (curves["expectancy.effect"].values == 0).all()


def test_the_person_is_untouched_by_the_tables_of_animals(model):
    assert load_species("human").canonical == {}
    assert load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters).values == {}


def test_behaviour_moves_with_the_dose_and_never_beyond_the_test(model):
    lowest = []
    for dose in (1, 3, 10):
        curves = simulate(f"racemic {dose} mg/kg IP", model=model, species="mouse")
        immobility = curves["forced_swim.immobility"]
        assert immobility.max() <= 1 / model.parameters["forced_swim.baseline_immobility"].value
        lowest.append(float(immobility.sel(time=24.0, method="nearest")[0]))
    assert 1 > lowest[0] > lowest[1] > lowest[2] > 0


@pytest.mark.parametrize(
    ("sentence", "species", "said"),
    [
        ("midazolam 1 mg/kg IV", "rat", "no kinetics of midazolam in the rat"),
        ("racemic 10 mg/kg oral", "mouse", "no kinetics of racemic ketamine by route oral in the mouse"),
        ("racemic 0.5 mg/kg IP", "human", "no kinetics of racemic ketamine by route IP in humans"),
        ("ECT twice weekly for 4 weeks", "rat", "no kinetics of ECT in the rat"),
    ],
)
def test_a_species_without_kinetics_is_one_clear_error(model, sentence, species, said):
    with pytest.raises(InputError, match=said):
        load_scenario(sentence, model.parameters, species=species)


def test_an_unknown_species_names_the_nearest(model):
    with pytest.raises(UnknownNameError, match="nearest: mouse"):
        load_scenario("racemic 10 mg/kg IP", model.parameters, species="mous")


def test_a_file_in_an_unknown_species_names_its_line(model, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("treatments: [racemic 10 mg/kg IP]\nspecies: monkey\n")
    with pytest.raises(InputError, match=r"bad.yaml:2"):
        load_scenario(file, model.parameters)
