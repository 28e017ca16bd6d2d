"""Doses that come back from SBML, SED-ML, archives and PEtab: every regimen puts in again what it put in."""

from dataclasses import replace

import libsbml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dose_tables import HORIZON, drugs, hours, infusions, phases, sessions

from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.exchange.import_scenarios import dosed_states, doses_of_sbml, read_scenarios
from ketamech.exchange.infer_regimen import infer_regimen
from ketamech.exchange.omex import build_archive, time_courses, write_archive, write_sedml
from ketamech.exchange.petab import PetabCondition, PetabMeasurement, petab_files
from ketamech.exchange.route_templates import InputProfile
from ketamech.exchange.sbml.exporter import course_sbml
from ketamech.parameters import load_parameters
from ketamech.simulation.ensemble import Subject
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects

TABLE = load_parameters()
sprays = st.builds(
    Treatment,
    drug=st.just("esketamine"),
    amount=st.sampled_from([28.0, 40.0, 56.0, 84.0]),
    unit=st.just("mg"),
    route=st.just("nasal"),
    start=st.just(0.0) | hours,
    schedule=phases,
    lag=st.sampled_from([0.0, 0.25]),
)
theatre = st.builds(
    Treatment,
    drug=st.sampled_from(["general anaesthesia", "surgery"]),
    duration=st.sampled_from([0.0, 1.0, 2.5]),
    start=st.just(0.0) | hours,
)
regimens = st.lists(drugs | infusions | sessions | sprays | theatre, min_size=1, max_size=3).map(
    lambda found: Regimen(tuple(found))
)
WORDS = {
    "racemic 0.5 mg/kg IV over 40 min": "racemic ketamine 35 mg IV over 40 min",
    "esketamine 84 mg nasal every 3 days for 9 days": "esketamine 84 mg nasal every 3 days for 9 days",
    "racemic 20 mg oral lag 15 min": "racemic ketamine 20 mg oral, lag 15 min",
    "esketamine 20 mg IV over 1 h; racemic 30 mg IV over 2 h":
        "racemic ketamine 30 mg IV over 2 h; esketamine 20 mg IV over 1 h",
    "racemic 120 mg extended-release tablet": "racemic ketamine 120 mg prolonged release",
    "racemic 40 mg prolonged release over 6 h; racemic 20 mg oral at 24 h":
        "racemic ketamine 40 mg prolonged release over 6 h; racemic ketamine 20 mg oral on day 2",
    "esketamine 50 mg suppository": "esketamine 50 mg rectal",
    "esketamine 30 mg nasal drops": "esketamine 30 mg nasal drops",
    "ECT weekly for 3 weeks; surgery over 2 h at 1 h": "ECT every week for 3 weeks; surgery over 2 h at 1 h",
    "placebo": "placebo",
}  # fmt: skip


def put_in(regimen, horizon=HORIZON):
    return InputProfile.of(dose_events(regimen, TABLE, {}, horizon))


@settings(max_examples=60)
@given(regimens)
def test_any_regimen_is_inferred_from_its_inputs(regimen):
    try:
        wanted = put_in(regimen)
    except InputError:
        return  # overlapping operations, single doses out of order: no regimen
    assert put_in(infer_regimen(wanted, TABLE, {}), 2 * HORIZON).first_difference(wanted) == ""


@pytest.mark.parametrize("sentence", WORDS)
def test_the_words_that_come_back(sentence):
    assert infer_regimen(put_in(Regimen.parse(sentence)), TABLE, {}).sentence(exact=False) == WORDS[sentence]


def test_what_is_no_dose_is_named():
    wanted = put_in(Regimen.parse("esketamine 84 mg nasal"))
    wanted.add("pharmacokinetics.nose_r", 5.0, 3.0)
    with pytest.raises(InputError, match=r"nose_r at 5 h"):
        infer_regimen(wanted, TABLE, {})


def test_two_parameters_with_different_effects_are_separated():
    one, other = (put_in(Regimen.parse(f"racemic {n} mg IV over 1 h")) for n in ("20", "20.001"))
    assert one.first_difference(other).startswith("pharmacokinetics.central_s at 0 h")
    assert one.first_difference(one) == ""


def test_places_that_doses_enter_are_empty_at_rest(model):
    text = course_sbml(model, Subject("rest"))
    held = libsbml.readSBMLFromString(text)
    inside = held.getModel()
    for state in dosed_states() & set(model.layout.state_names):
        assert inside.getSpecies(state.replace(".", "__")).getInitialAmount() == 0, state


LONG = (
    "esketamine 84 mg nasal twice weekly for 2 weeks; racemic 0.2 mg/kg IV over 40 min at 30 h"
    "; ECT at 50 h; placebo at 200 h"
)


@pytest.fixture(scope="module")
def asked(model):
    return load_scenario(LONG, model.parameters)


def test_sbml_export_and_import_are_inverse(model, asked, tmp_path):
    treated = subjects(asked, model)[0]
    (tmp_path / "m.xml").write_text(course_sbml(model, treated), encoding="utf-8")
    (found,) = read_scenarios(tmp_path / "m.xml", TABLE).values()
    assert put_in(found.regimen).first_difference(InputProfile.of(treated.events)) == ""
    assert found.values == {}
    (tmp_path / "again.yaml").write_text(found.source, encoding="utf-8")
    assert (
        put_in(load_scenario(tmp_path / "again.yaml", TABLE).regimen).first_difference(InputProfile.of(treated.events))
        == ""
    )


def test_an_archive_and_its_simulation_give_back_doses_person_and_horizon(model, asked, tmp_path):
    given_to = replace(asked, values={"mood.rate_constant": 1.5 * TABLE["mood.rate_constant"].canonical}, horizon=400.0)
    made = build_archive(given_to, model)
    write_archive(tmp_path / "x.omex", made)
    for place, text in made.files.items():
        if "/" not in place:
            (tmp_path / place).write_text(text, encoding="utf-8")
    for file in ("x.omex", "simulation.sedml"):
        (found,) = read_scenarios(tmp_path / file, TABLE).values()
        assert found.horizon == 400
        assert found.values == pytest.approx(given_to.values)
        assert put_in(found.regimen).first_difference(InputProfile.of(subjects(given_to, model)[0].events)) == ""


def test_petab_experiments_give_back_what_each_puts_in(model, tmp_path):
    reading = PetabMeasurement("mood__madrs", 300.0, 20.0, 1.0, False, "points", "x", "x")
    given_to = {
        name: load_scenario(sentence, model.parameters)
        for name, sentence in {
            "a": "racemic 0.5 mg/kg IV over 40 min weekly for 2 weeks",
            "b": "esketamine 56 mg nasal; ECT at 9 h",
        }.items()
    }
    cases = [PetabCondition(name, subjects(one, model)[0], (reading,)) for name, one in given_to.items()]
    for place, text in petab_files(cases, model).items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")
    found = read_scenarios(tmp_path / "v2" / "person_01" / "problem.yaml", TABLE)
    assert set(found) == {"c_a", "c_b"}
    for case in cases:
        one = found[f"c_{case.name}"]
        assert one.horizon == 300
        assert (
            put_in(one.regimen, one.horizon).first_difference(
                InputProfile.of(e for e in case.subject.events if e.time < 300)
            )
            == ""
        )


@pytest.mark.parametrize(
    ("species", "sentence"),
    [("rat", "racemic 10 mg/kg IP; racemic 5 mg/kg IP at 24 h"), ("mouse", "esketamine 0.2 mg IP")],
)
def test_an_animal_comes_back_as_one(model, species, sentence, tmp_path):
    asked = load_scenario(sentence, TABLE, species=species)
    mine = {**asked.values, "pharmacokinetics.central_volume": 1.1 * asked.values["pharmacokinetics.central_volume"]}
    treated = subjects(replace(asked, values=mine), model)[0]
    (tmp_path / "a.xml").write_text(course_sbml(model, treated), encoding="utf-8")
    found = read_scenarios(tmp_path / "a.xml", TABLE)["a"]
    assert found.species == species
    assert found.values == pytest.approx(mine)
    assert InputProfile.of(subjects(found, model)[0].events).first_difference(InputProfile.of(treated.events)) == ""
    (tmp_path / "a.yaml").write_text(found.source, encoding="utf-8")
    assert load_scenario(tmp_path / "a.yaml", TABLE).values == pytest.approx(mine)


HALF_AN_HOUR = '<math xmlns="http://www.w3.org/1998/Math/MathML"><cn> 0.5 </cn></math>'


def test_a_start_at_steady_state_is_refused_by_name(model):
    asked_for = load_scenario("racemic 20 mg IV every 12 h for 2 days at steady state", model.parameters)
    with pytest.raises(InputError, match="a steady state whose schedule is unknown"):
        doses_of_sbml(course_sbml(model, subjects(asked_for, model)[0]), TABLE)


@pytest.fixture(scope="module")
def late_dose(model):
    """The SBML of a dose at 5 h."""
    return course_sbml(model, Subject("x", dose_events(Regimen.parse("racemic 20 mg IV at 5 h"), TABLE, {}, 99.0)))


def test_an_event_that_is_no_dose_is_refused_by_name(late_dose):
    broken = late_dose.replace("<plus/>", "<times/>")
    with pytest.raises(InputError, match="in another way than a dose"):
        doses_of_sbml(broken, TABLE)
    with pytest.raises(InputError, match="no model of KetaMech"):
        doses_of_sbml(
            '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model/></sbml>', TABLE
        )


@pytest.mark.parametrize(("old", "new", "message"), [
    ("</trigger>", f"</trigger><delay>{HALF_AN_HOUR}</delay>", "has a delay"),
    ("<geq/>", "<leq/>", "does not begin at a time"),
    ("</model>", "", "this is no valid SBML"),
])  # fmt: skip
def test_a_dose_at_another_time_than_that_of_its_event_is_refused(late_dose, old, new, message):
    model, events, end = late_dose.partition("<listOfEvents>")
    assert old in end
    with pytest.raises(InputError, match=message):
        doses_of_sbml(f"{model}{events}{end.replace(old, new, 1)}", TABLE)


def test_a_simulation_that_changes_more_than_values_is_refused(tmp_path, model):
    (tmp_path / "model.xml").write_text(course_sbml(model, Subject("x")), encoding="utf-8")
    text = write_sedml("x", "model.xml", ("mood.madrs",), time_courses(24.0))
    target = "/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='mood__rate_constant']"
    change = "<listOfChanges>{}</listOfChanges>"
    good = change.format(f'<changeAttribute target="{target}/@value" newValue="0.5"/>')
    for inside, wrong in ((good, False), (change.format(f'<removeXML target="{target}"/>'), True)):
        start = text.index("<model ")
        end = text.index("/>", start)
        (tmp_path / "s.sedml").write_text(f"{text[:end]}>{inside}</model>{text[end + 2 :]}", encoding="utf-8")
        if wrong:
            with pytest.raises(InputError, match="changes more than a value"):
                read_scenarios(tmp_path / "s.sedml", TABLE)
        else:
            (found,) = read_scenarios(tmp_path / "s.sedml", TABLE).values()
            assert found.values == {"mood.rate_constant": 0.5}
