"""Scenario files: the examples, the published schema, and what a file means."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ketamech import simulate
from ketamech.core import InputError
from ketamech.parameters import load_parameters
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.scenario_schema import schema

ROOT = Path(__file__).parents[3]
TABLE = load_parameters()
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_the_published_schema_is_the_programs():
    published = json.loads((ROOT / "docs" / "schema" / "scenario.schema.json").read_text(encoding="utf-8"))
    assert published == schema()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_runs_and_something_happens(path, model):
    curves = simulate(path, model=model)
    assert list(curves.solve_status.values) == ["ok", "ok"]
    assert float(np.ptp(curves["mood.madrs"].sel(patient="treated").values)) > 1.0
    assert curves["mood.madrs"].attrs["units"] == "points"
    assert np.isfinite(curves["mood.madrs"].values).all()


def test_there_are_eight_examples():
    assert len(EXAMPLES) == 8


def test_a_sentence_and_a_file_are_the_same_run(model, tmp_path):
    file = tmp_path / "same.yaml"
    file.write_text("treatments: [racemic 0.5 mg/kg IV over 40 min]\nperson: {weight: 70 kg}\n", encoding="utf-8")
    a, b = simulate(file, model=model), simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
    assert (a["mood.madrs"].values == b["mood.madrs"].values).all()


def test_a_pathway_that_is_off_changes_the_curves(model, tmp_path):
    file = tmp_path / "off.yaml"
    text = "treatments: [racemic 0.5 mg/kg IV over 40 min]\nperson: {weight: 70 kg}\npathways: {habenula: off}\n"
    file.write_text(text, encoding="utf-8")
    curves = simulate(file, model=model)
    assert float(np.ptp(curves["habenula.bursting"].values)) < 1e-3  # what drowsiness takes


def saved(tmp_path, text):
    file = tmp_path / "case.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def documented(kind):
    text = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    return text.split(f"```{kind}\n")[1].split("```")[0]


@pytest.mark.parametrize("sentence", documented("sentences").splitlines())
def test_every_documented_sentence_is_understood(sentence):
    assert load_scenario(sentence, TABLE).regimen.treatments


def test_the_documented_file_is_understood(tmp_path):
    found = load_scenario(saved(tmp_path, documented("yaml")), TABLE)
    assert found.values["pathway.habenula"] == 0
    assert found.values["person.weight"] == 82
    assert found.horizon == 84 * 24


def test_a_scenario_says_of_what_its_masses_are():
    assert any("free base" in note for note in load_scenario("esketamine 84 mg nasal").assumptions)
    assert any("hydrochloride" in note for note in load_scenario("esketamine 84 mg as hcl nasal").assumptions)


WEIGHTS = {"70": 70, "70kg": 70, "70.0 kg": 70, "70000 g": 70, "7e1 kg": 70, "154.324 lb": 70}


@pytest.mark.parametrize("written", WEIGHTS)
def test_a_weight_may_be_written_in_any_unit_of_mass(written, tmp_path):
    file = saved(tmp_path, f"treatments: [racemic 1 mg/kg IV]\nperson: {{weight: {written}}}\n")
    assert load_scenario(file).values["person.weight"] == pytest.approx(WEIGHTS[written], rel=1e-5)


def test_an_empty_section_is_as_if_it_were_left_out(tmp_path):
    file = saved(tmp_path, "treatments: [racemic 1 mg IV]\nperson:\npathways:\nparameters:\nhorizon:\n")
    assert load_scenario(file).values == {}


@pytest.mark.parametrize(("word", "size"), [("on", 1.0), ("off", 0.0), ("true", 1.0), ("no", 0.0)])
def test_a_pathway_is_on_or_off(word, size, tmp_path):
    file = saved(tmp_path, f"treatments: [racemic 1 mg IV]\npathways: {{opioid: {word}}}\n")
    assert load_scenario(file).values == {"pathway.opioid": size}


def test_a_sentence_too_long_for_a_file_name_is_still_a_sentence():
    many = "; ".join(f"racemic 35 mg IV over 40 min at day {day}" for day in range(1, 12))
    assert len(many) > 255  # the longest name of a file
    assert len(load_scenario(many).regimen.treatments) == 11


PIECES = r"""title treatments person weight pathways habenula parameters horizon racemic 35 mg IV 70 kg off 28 days
drug dose route [ ] { } : , - & * ! << ? | > ' " # % @ ` ~ null .nan 1e400 -1 0"""
MORE = ("\n", "\n  ", "\n- ", ": ", "\t", "\x00", "é", "treatments: [racemic 35 mg IV]\n")
WORDS = st.sampled_from([*PIECES.split(), *MORE])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(WORDS, max_size=25))
def test_any_text_in_a_file_is_a_scenario_or_a_clear_error(parts, tmp_path):
    with contextlib.suppress(InputError):
        load_scenario(saved(tmp_path, " ".join(parts)), TABLE)


def test_a_sentence_says_which_weight_it_assumed():
    assert "70 kg" in load_scenario("racemic 0.5 mg/kg IV over 40 min").assumptions[0]


def test_the_weight_of_a_person_scales_the_dose(model, tmp_path):
    peaks = []
    for weight in (50, 100):
        file = tmp_path / f"{weight}.yaml"
        text = f"treatments: [racemic 0.5 mg/kg IV over 40 min]\nperson: {{weight: {weight} kg}}\n"
        file.write_text(text, encoding="utf-8")
        peaks.append(float(simulate(file, model=model)["plasma.esketamine"].max()))
    assert peaks[0] == pytest.approx(peaks[1], rel=0.15)
