"""Invalid scenarios get the error of the command line at their field; valid ones come back as file, command, Python."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ketamech.exchange
from ketamech.core import InputError
from ketamech.simulation.load_scenario import load_scenario

BAD = {
    "treatments[0].drug": {"treatments": ["racemc 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}},
    "treatments[0].dose": {"treatments": [{"drug": "esketamine", "dose": "900 mg/kg", "route": "nasal"}],
                           "person": {"weight": "70 kg"}},
    "person.weight": {"treatments": ["racemic 0.5 mg/kg IV"]},
    "person.age": {"treatments": ["placebo IV"], "person": {"age": "0.1 year"}},
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
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert told["error"] == caught.value.what
    for part in ("expected", "nearest", "key"):
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


def test_command_and_python_use_a_regimen_text_and_options_where_these_are_sufficient(client, infusion):
    told = client.post("/api/scenario/check", json={"scenario": infusion}).json()
    assert told["command"] == "ketamech simulate 'racemic 0.5 mg/kg IV over 40 min'"
    infusion |= {"variant": "opioid-gate", "perturbations": ["naltrexone 50 mg oral at -45 min"]}
    told = client.post("/api/scenario/check", json={"scenario": infusion}).json()
    assert told["command"].endswith("--perturb 'naltrexone 50 mg oral at -45 min' --variant opioid-gate")
    infusion["pathways"] = {"habenula": False}
    told = client.post("/api/scenario/check", json={"scenario": infusion}).json()
    assert told["command"] == "ketamech simulate scenario.yaml"
    assert told["shell"].startswith("cat > scenario.yaml <<'END_OF_SCENARIO'\n")


SCENARIOS = {
    "a sentence": {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}},
    "a rat": {"treatments": ["racemic 10 mg/kg IP"], "species": "rat", "variant": "habenula-parallel",
              "perturbations": ["NBQX 10 mg/kg IP at -30 min"]},
    "a file": {"title": "It's \"$(x)\" END_OF_SCENARIO\nEND_OF_SCENARIO", "treatments": ["esketamine 84 mg nasal; ECT"],
               "pathways": {"habenula": False}, "person": {"age": "50 year"}, "horizon": "9 days"},
}  # fmt: skip


def main_output(scenario):
    return "mood.madrs" if scenario.get("species", "human") == "human" else "forced_swim.immobility"


def shown(client, scenario):
    """What the page's own download says of the main output, treated."""
    answer = client.post("/api/export/csv", json={"scenario": scenario})
    table = pd.read_csv(io.BytesIO(answer.content))
    return table[(table.variable == main_output(scenario)) & (table.patient == "treated")]["value"].to_numpy()


@pytest.mark.parametrize("name", SCENARIOS)
def test_python_gives_the_numbers_of_the_page(client, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    text = client.post("/api/export/py", json={"scenario": SCENARIOS[name]}).text
    said, output = {}, main_output(SCENARIOS[name])
    exec(compile(text, "shown", "exec"), said)
    assert np.allclose(said["curves"][output].values[0], shown(client, SCENARIOS[name]), rtol=1e-5)


@pytest.mark.parametrize("name", ["a rat", "a file"])
def test_the_command_line_gives_the_numbers_of_the_page(client, tmp_path, name):
    program = shutil.which("ketamech", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("ketamech is not on the path: pip install -e .")
    (tmp_path / "scenario.sh").write_text(client.post("/api/export/sh", json={"scenario": SCENARIOS[name]}).text)
    paths = {**os.environ, "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "scenario.sh"], cwd=tmp_path, env=paths, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    curves = ketamech.exchange.curves_io.read_run(folder)
    output = main_output(SCENARIOS[name])
    assert np.allclose(curves[output].values[0], shown(client, SCENARIOS[name]), rtol=1e-5)


def test_every_perturbation_that_is_offered_is_accepted(client):
    for one in client.get("/api/metadata").json()["perturbations"]:
        scenario = {"treatments": ["racemic 10 mg/kg IP"], "species": "rat", "perturbations": [one["phrase"]]}
        answer = client.post("/api/scenario/check", json={"scenario": scenario})
        assert answer.status_code == 200, answer.json()


def test_an_error_in_an_uploaded_file_has_its_line_and_name(client):
    text = "title: x\ntreatments:\n  - racemc 0.5 mg/kg IV\n"
    told = client.post("/api/scenario/read", json={"name": "../../etc/mine.yaml", "text": text}).json()
    assert told["line"] == 3
    assert told["text"].startswith("mine.yaml:3: 'racemc'") or "'racemc'" in told["error"]


UNREADABLE = [
    "",
    "\x00\x01",
    "{",
    "- a\n- b",
    "a: &x [*x]",
    "!!python/object:os.system {}",
    "x: " + "[" * 60,
    "treatments: 7",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_text_is_refused_with_one_clear_error(client, text):
    answer = client.post("/api/scenario/read", json={"name": "x.yaml", "text": text})
    assert answer.status_code == 422
    assert answer.json()["error"]


TABLE = """ID,TIME,AMT,RATE,CMT,II,ADDL,EVID,MDV
1,0,35,52.5,1,0,0,1,1
1,24,.,.,.,.,.,0,0
1,72,35,52.5,1,72,2,1,1
2,0,99,.,1,.,.,1,1
"""


def doses(client, text, drug="racemic"):
    return client.post("/api/scenario/dose-table", json={"name": "doses.csv", "text": text, "drug": drug}).json()


def test_a_dose_table_becomes_one_scenario_per_subject(client):
    first, second = doses(client, TABLE)["subjects"]
    assert "35 mg IV over 40 min" in first["scenario"]["treatments"][0]
    assert "every 3 days" in first["scenario"]["treatments"][1]
    assert second["scenario"]["treatments"] == ["racemic ketamine 99 mg IV"]


def test_a_dose_table_may_have_columns_of_drug_route_unit_and_weight(client):
    text = "ID,TIME,AMT,DRUG,ROUTE,UNIT,WT\n1,0,84,esketamine,nasal,mg,61\n2,0,0.5,racemic,IM,mg/kg,90\n"
    found = [one["scenario"] for one in doses(client, text, "")["subjects"]]
    assert [one["treatments"] for one in found] == [["esketamine 84 mg nasal"], ["racemic ketamine 0.5 mg/kg IM"]]
    assert [one["person"] for one in found] == [{"weight": "61.0 kg"}, {"weight": "90.0 kg"}]


def test_the_route_of_a_table_without_cmt_is_that_of_the_request(client):
    request = {"name": "doses.csv", "text": "TIME,AMT\n0,56\n", "drug": "esketamine"}
    refused = client.post("/api/scenario/dose-table", json=request).json()
    assert (refused["key"], refused["error"]) == ("CMT", "no route is stated for esketamine")
    found = client.post("/api/scenario/dose-table", json={**request, "route": "nasal"}).json()
    assert found["subjects"][0]["scenario"]["treatments"] == ["esketamine 56 mg nasal"]
    assert "every dose is given by the route nasal" in found["assumptions"]


def test_a_dose_table_without_a_drug_is_refused_at_its_column(client):
    told = doses(client, TABLE, "")
    assert (told["key"], told["line"]) == ("DRUG", 2)


@pytest.mark.parametrize(
    ("change", "line"),
    [(("TIME", "TIEM"), 1), (("52.5,1,72", "-2,1,72"), 4), (("1,72,35", "1,72,much"), 4), (("72,2,1", "0,2,1"), 4)],
)
def test_an_error_in_a_dose_table_has_its_line(client, change, line):
    told = doses(client, TABLE.replace(*change))
    assert told["line"] == line, told
