"""`ketamech export`: a file that simulators read, or one clear error and no file."""

import sys
from unittest import mock

import libsbml
import pytest

from command_line import refused, run
from ketamech.exchange.infer_regimen import lossy_features
from ketamech.simulation.load_scenario import load_scenario


def test_a_scenario_becomes_an_sbml_file(tmp_path):
    ended = run("export", "esketamine 84 mg nasal", "--to", "new/model.xml", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Written: new/model.xml" in ended.stderr
    assert "SBML cannot carry" in " ".join(ended.stderr.split())
    document = libsbml.readSBMLFromFile(str(tmp_path / "new" / "model.xml"))
    assert document.getNumErrors() == 0
    model = document.getModel()
    assert "84 mg" in model.getName()
    assert "Assumed: doses of esketamine" in model.getNotesString()
    assert model.getNumEvents() > 2


@pytest.mark.parametrize("name", ["model.docx", "model", "taken.xml"])
def test_only_sbml_files_are_written(name, tmp_path):
    (tmp_path / "taken.xml").mkdir()
    message = refused(run("export", "racemic 35 mg IV", "--to", name, cwd=tmp_path), folder=tmp_path)
    assert "--to model.xml" in message
    assert [path.name for path in tmp_path.iterdir()] == ["taken.xml"]


def test_a_file_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    refused(run("export", "racemic 35 mg IV", "--to", "taken/model.xml", cwd=tmp_path), folder=tmp_path)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_a_bad_sentence_leaves_no_file(tmp_path):
    message = refused(run("export", "esketamin 84 mg nasal", "--to", "model.xml", cwd=tmp_path), folder=tmp_path)
    assert "nearest: esketamine" in message
    assert list(tmp_path.iterdir()) == []


def test_a_start_at_steady_state_is_written(tmp_path):
    ended = run("export", "racemic 35 mg IV every 12 h for 7 days at steady state", "--to", "model.xml", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    document = libsbml.readSBMLFromFile(str(tmp_path / "model.xml"))
    assert document.getModel().getSpecies("pharmacokinetics__norketamine_s").getInitialAmount() > 0


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("x.omex", ["x.omex"]),
        ("x.ant", ["x.ant"]),
        ("x.sedml", ["x.sedml", "x.xml"]),
        ("x.petab", ["x.petab"]),
        ("x.csv", ["x.csv"]),
    ],
)
def test_every_format_is_written_with_what_it_loses(name, made, tmp_path):
    ended = run("export", "racemic 35 mg IV", "--to", name, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    said = " ".join(ended.stderr.split())
    assert any(words in said for words in ("cannot carry", "does not contain", "cannot represent"))
    assert ("amounts by state and time" in said) == (name != "x.csv")  # a table keeps the regimen
    assert sorted(path.name for path in tmp_path.iterdir()) == made


def test_the_calibration_goes_out_as_petab_only(tmp_path):
    assert "PEtab folder" in refused(run("export", "calibration", "--to", "x.omex", cwd=tmp_path), folder=tmp_path)


def test_figures_need_a_folder(tmp_path):
    assert "--to runs/figures" in refused(run("export", "figures", "--to", "x.omex", cwd=tmp_path), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dose_into_the_peritoneum_goes_into_a_table(tmp_path):
    (tmp_path / "rat.yaml").write_text("treatments:\n  - racemic 10 mg/kg IP\nspecies: rat\n", encoding="utf-8")
    ended = run("export", "rat.yaml", "--to", "rat.csv", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    header, dose = (line.split(",") for line in (tmp_path / "rat.csv").read_text().splitlines()[-3:-1])
    assert dict(zip(header, dose, strict=True))["CMT"] == "8"
    assert dict(zip(header, dose, strict=True))["ROUTE"] == "IP"


def test_without_libsbml_it_says_what_to_install(tmp_path):
    with mock.patch.dict(sys.modules, {"libsbml": None}):
        ended = run("export", "racemic 35 mg IV", "--to", "model.xml", cwd=tmp_path)
    assert 'pip install "ketamech[exchange]"' in refused(ended, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_help_teaches(tmp_path):
    result = run("export", "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert "For research and education only" in " ".join(result.stdout.split())


def test_only_losses_that_concern_the_scenario_are_listed():
    assert lossy_features(load_scenario("racemic 35 mg IV over 40 min")) == []
    assert any("schedules" in line for line in lossy_features(load_scenario("racemic 35 mg IV weekly for 2 weeks")))
    assert any("doses per kilogram" in line for line in lossy_features(load_scenario("racemic 0.5 mg/kg IV")))
    assert len(lossy_features(None)) == 7


@pytest.mark.parametrize(("name", "beside"), [("x.R", "x.csv"), ("x.cpp", "x.csv"), ("x.sedml", "x.xml")])
def test_a_file_beside_the_export_is_replaced_only_if_an_export_wrote_it(tmp_path, name, beside):
    table = "ID,TIME,EVID,AMT,RATE,CMT\n1,0,1,35,0,IV\n"
    (tmp_path / "x.csv").write_text(table, encoding="utf-8")
    (tmp_path / "x.xml").write_text("<notes/>", encoding="utf-8")
    own = (tmp_path / beside).read_text(encoding="utf-8")
    for source in ("racemic 35 mg IV", "x.csv"):
        options = () if source != "x.csv" else ("--drug", "ketamine")
        ended = run("export", source, *options, "--to", name, cwd=tmp_path)
        assert ended.returncode == 2
        assert "would be replaced" in ended.stderr
        assert (tmp_path / beside).read_text(encoding="utf-8") == own
    (tmp_path / beside).unlink()
    for _ in range(2):
        assert run("export", "racemic 35 mg IV", "--to", name, cwd=tmp_path).returncode == 0


def test_a_dose_table_is_not_exported_onto_itself(tmp_path):
    (tmp_path / "x.csv").write_text("TIME,AMT,CMT,DRUG,DV\n0,35,IV,ketamine,.\n1,.,.,.,7\n", encoding="utf-8")
    ended = run("export", "x.csv", "--to", "x.csv", cwd=tmp_path)
    assert ended.returncode == 2
    assert "is the scenario itself" in ended.stderr
    assert "7" in (tmp_path / "x.csv").read_text(encoding="utf-8")
