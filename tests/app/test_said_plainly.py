"""A scenario that cannot be is refused in the words of the command line, at the field it is about."""

import json

import pytest

from ketamech.core import BadInput
from ketamech.study import load_scenario

BAD = {
    "treatments[0].drug": {"treatments": ["racemc 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}},
    "treatments[0].dose": {"treatments": [{"drug": "esketamine", "dose": "900 mg/kg", "route": "nasal"}],
                           "person": {"weight": "70 kg"}},
    "person.weight": {"treatments": ["racemic 0.5 mg/kg IV"]},
    "person.age": {"treatments": ["placebo IV"], "person": {"age": "7 year"}},
    "pathways.habenule": {"treatments": ["placebo IV"], "pathways": {"habenule": False}},
    "perturbations.nbqx": {"treatments": ["placebo IV"], "perturbations": {"nbqx": 2}},
    "horizon": {"treatments": ["placebo IV"], "horizon": "soon"},
    "treatment": {"treatments": []},
    "seed": {"treatments": ["placebo IV"], "seed": -3},
    "treatmens": {"treatmens": ["placebo IV"]},
}  # fmt: skip


@pytest.mark.parametrize("key", BAD)
def test_the_message_is_the_one_of_the_command_line(client, tmp_path, key):
    answer = client.post("/api/scenario/check", json={"scenario": BAD[key]})
    assert answer.status_code == 422
    told = answer.json()
    path = tmp_path / "scenario.yaml"
    path.write_text(json.dumps(BAD[key]), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_scenario(path)
    for part in ("what", "expected", "nearest", "key"):
        assert told[part] == getattr(caught.value, part), part
    assert key.startswith("treat") or told["key"] == key


def test_a_checked_scenario_comes_back_as_a_file_that_means_the_same(client, infusion, tmp_path):
    infusion |= {"title": "Half: a “dose” # 1", "pathways": {"habenula": False}, "horizon": "9 days"}
    told = client.post("/api/scenario/check", json={"scenario": infusion}).json()
    path = tmp_path / "scenario.yaml"
    path.write_text(told["yaml"], encoding="utf-8")
    again = load_scenario(path)
    assert again.title == infusion["title"]
    assert again.horizon == 216
    assert again.values["pathway.habenula"] == 0
    read = client.post("/api/scenario/read", json={"name": "a.yaml", "text": told["yaml"]}).json()
    assert read["pathways"] == {"habenula": False}


def test_the_command_line_and_python_of_a_plain_scenario_are_sentences(client, infusion):
    told = client.post("/api/scenario/check", json={"scenario": infusion}).json()
    assert told["command"] == "ketamech simulate 'racemic 0.5 mg/kg IV over 40 min'"
    compile(told["python"], "shown", "exec")
    infusion["pathways"] = {"habenula": False}
    told = client.post("/api/scenario/check", json={"scenario": infusion}).json()
    assert told["command"] == "ketamech simulate scenario.yaml"


def test_an_uploaded_file_is_complained_about_with_its_line_and_name(client):
    text = "title: x\ntreatments:\n  - racemc 0.5 mg/kg IV\n"
    told = client.post("/api/scenario/read", json={"name": "../../etc/mine.yaml", "text": text}).json()
    assert told["line"] == 3
    assert told["text"].startswith("mine.yaml:3: 'racemc'") or "'racemc'" in told["what"]


RUBBISH = [
    "",
    "\x00\x01",
    "{",
    "- a\n- b",
    "a: &x [*x]",
    "!!python/object:os.system {}",
    "x: " + "[" * 60,
    "treatments: 7",
]


@pytest.mark.parametrize("text", RUBBISH)
def test_rubbish_is_refused_with_one_clear_error(client, text):
    answer = client.post("/api/scenario/read", json={"name": "x.yaml", "text": text})
    assert answer.status_code == 422
    assert answer.json()["what"]


TABLE = """ID,TIME,AMT,RATE,II,ADDL,EVID,MDV
1,0,35,52.5,0,0,1,1
1,24,.,.,.,.,0,0
1,72,35,52.5,72,2,1,1
2,0,99,.,.,.,1,1
"""


def test_a_dose_table_becomes_the_doses_of_its_first_person(client):
    keys = client.post("/api/scenario/doses", json={"name": "doses.csv", "text": TABLE}).json()
    assert len(keys["treatments"]) == 2
    assert "35.0 mg IV over 0.6666666666666666 h" in keys["treatments"][0]
    assert "every 72.0 h" in keys["treatments"][1]


@pytest.mark.parametrize(
    ("change", "line"),
    [(("TIME", "TIEM"), 1), (("52.5,72", "-2,72"), 4), (("1,72,35", "1,72,much"), 4), (("72,2,1", "0,2,1"), 4)],
)
def test_a_dose_table_is_complained_about_with_its_line(client, change, line):
    told = client.post("/api/scenario/doses", json={"name": "doses.csv", "text": TABLE.replace(*change)}).json()
    assert told["line"] == line, told
