"""`ketamech import`, dose tables as scenarios, and `ketamech compare-simulators`."""

import pandas as pd
import pytest

from command_line import refused, run
from ketamech.exchange.result_io import metadata_of
from scripts import pages

MANY = """id,time,amt,rate,cmt,evid,ii,addl,wt
1,0,35,52.5,IV,1,.,.,70
1,0.5,.,.,.,0,,,70
2,0,50,0,oral,1,12,3,80
2,24,.,.,.,0,,,80
"""
MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="decay"><listOfParameters>
<parameter id="x" value="2" constant="false"/></listOfParameters><listOfRules><rateRule variable="x">
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><minus/><ci>x</ci></apply></math></rateRule></listOfRules>
</model></sbml>"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "many.csv").write_text(MANY, encoding="utf-8")
    (tmp_path / "model.xml").write_text(MODEL, encoding="utf-8")
    return tmp_path


def test_doses_travel_to_a_table_and_back(folder):
    assert (
        run("export", "esketamine 84 mg nasal twice weekly for 2 weeks", "--to", "doses.csv", cwd=folder).returncode
        == 0
    )
    ended = run("import", "doses.csv", "--to", "again.yaml", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "esketamine 84 mg nasal every week for 2 weeks" in ended.stdout
    assert run("export", "again.yaml", "--to", "second.csv", cwd=folder).returncode == 0
    first, second = (
        pd.read_csv(folder / name, na_values=".").drop(columns="WEIGHT", errors="ignore")
        for name in ("doses.csv", "second.csv")
    )
    pd.testing.assert_frame_equal(first, second)


def test_doses_travel_to_a_simulation_and_back(folder):
    words = "racemic 35 mg IV over 1 h every 7 days for 14 days"
    assert run("export", words, "--to", "run.sedml", cwd=folder).returncode == 0
    ended = run("import", "run.sedml", "--to", "again.yaml", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "racemic ketamine 35 mg IV over 1 h every week for 2 weeks" in (folder / "again.yaml").read_text()
    for typed, told in (
        (("run.sedml", "--subject", "no"), "there is no 'no'"),
        (("model.xml", "--to", "x.yaml"), "no model of"),
    ):
        ended = run("import", *typed, cwd=folder)
        assert ended.returncode == 2
        assert told in ended.stderr


def test_a_table_of_several_is_simulated_at_its_observations(folder):
    ended = run("simulate", "many.csv", "--drug", "racemic", "--outputs", "mood.madrs", "--out", "r", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "every dose without a drug of its own is racemic" in " ".join(ended.stderr.split())
    found = pd.read_csv(folder / "r" / "simulated.csv", comment="#")
    assert found[["ID", "TIME"]].to_numpy().tolist() == [[1, 0.5], [2, 24.0]]
    assert list(found.columns) == ["ID", "TIME", "cmt", "evid", "wt", "mood.madrs", "solve_status", "LINE"]
    assert metadata_of(folder / "r" / "simulated.csv")["units mood.madrs"] == "points"
    owed = run("cite", "r/simulated.csv", cwd=folder).stdout
    assert len(owed.splitlines()) > 10
    assert run("cite", "r", cwd=folder).stdout == owed


def test_a_table_that_cannot_be_given_is_refused_when_it_is_read(folder):
    rows = "TIME,AMT,DUR,CMT,DRUG\n0,1,2,none,surgery\n1,1,2,none,surgery\n"
    (folder / "over.txt").write_text(rows, encoding="utf-8")
    ended = run("import", "over.txt", cwd=folder)
    assert ended.returncode == 2
    assert "over.txt:3: two treatments with surgery overlap" in ended.stderr


def test_one_person_of_a_table_is_a_scenario_and_has_its_observations(folder):
    typed = ("--drug", "racemic", "--subject", "2", "--outputs", "venous.ketamine", "--out", "two")
    ended = run("simulate", "many.csv", *typed, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    found = pd.read_csv(folder / "two" / "simulated.csv", comment="#")
    assert found[["ID", "TIME", "wt"]].to_numpy().tolist() == [[2, 24, 80]]
    assert metadata_of(folder / "two" / "simulated.csv")["units venous.ketamine"] == "ng/mL"
    all_of_them = run("simulate", "many.csv", *typed[:2], *typed[4:6], "--out", "all", cwd=folder)
    assert all_of_them.returncode == 0, all_of_them.stderr
    both = pd.read_csv(folder / "all" / "simulated.csv", comment="#")
    assert both["venous.ketamine"].iloc[1] == pytest.approx(found["venous.ketamine"].iloc[0], rel=1e-9)
    text = (folder / "two" / "scenario.yaml").read_text(encoding="utf-8")
    assert "racemic ketamine 50 mg oral twice daily for 2 days" in text
    assert 'person.weight: "80.0 kg"' in text


BAD = {
    "which drug": (["simulate", "many.csv"], "--drug esketamine"),
    "which person": (["import", "many.csv", "--drug", "racemic", "--to", "s.yaml"], "--subject 1"),
    "nobody": (["simulate", "many.csv", "--drug", "racemic", "--subject", "9"], "there is no ID 9"),
    "an option that a table does not take": (["simulate", "many.csv", "--drug", "racemic", "--seed", "3"], "--seed 3"),
    "no table": (["import", "gone.csv"], "cannot be read"),
    "another file": (["import", "x.docx"], "a dose table or a model"),
    "no scenario file": (["import", "many.csv", "--drug", "racemic", "--to", "s.csv"], "ending in .yaml"),
    "a sentence with --subject": (["simulate", "racemic 35 mg IV", "--subject", "2"], "for a dose table"),
    "a model that runs how long": (["import", "model.xml", "--to", "c.csv"], "--end 24"),
    "a model into a scenario": (["import", "model.xml", "--end", "3", "--to", "c.yaml"], "type: --to result.csv"),
    "an end before the start": (["import", "model.xml", "--end", "-3"], "a time above 0"),
    "no model": (["import", "gone.xml"], "cannot be read"),
    "no scenarios to compare": (["compare-simulators", "--scenarios", "."], "no scenario files"),
    "results of nothing": (["export", ".", "--to", "x.nc"], "holds no results"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_slip_is_one_clear_error(case, folder):
    arguments, expected = BAD[case]
    before = sorted(folder.iterdir())
    assert expected in " ".join(refused(run(*arguments, cwd=folder), folder=folder).split())
    assert sorted(folder.iterdir()) == before


def test_a_model_is_described_and_run(folder):
    ended = run("import", "model.xml", "--end", "3", "--steps", "3", "--to", "c.csv", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "states\t1" in ended.stdout
    curves = pd.read_csv(folder / "c.csv")
    assert list(curves.columns) == ["time", "x"]
    assert curves["x"].tolist() == pytest.approx([2, 2 / 2.718281828, 2 / 7.389056099, 2 / 20.08553692])


def test_an_example_agrees_with_other_simulators(folder):
    (folder / "one.yaml").write_text("treatments: [racemic 35 mg IV]\nhorizon: 2 days\n", encoding="utf-8")
    ended = run("compare-simulators", "--scenarios", "one.yaml", "--out", "cert", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "within the limit" in " ".join(ended.stderr.split())
    files = {"one.omex", "differences.csv", "differences.csv-metadata.json", "manifest.json"}
    assert {path.name for path in (folder / "cert").iterdir()} == files | {"pieces"}
    page = pages.certificate(folder / "cert")
    assert "reached" in page
    assert "| `mood.madrs` |" in page
    assert "| COPASI | 1 of 1 |" in pages.figure_archives(folder / "cert")
