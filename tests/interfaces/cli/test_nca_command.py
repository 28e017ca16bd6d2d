"""`ketamech nca`: tables, figures and messages of a data table and of a scenario."""

import pandas as pd
import pytest

from command_line import refused, run

LEVELS = """ID,TIME,AMT,RATE,ROUTE,DV
1,0,35,52.5,IV,.
1,0.67,.,.,.,190
1,1,.,.,.,120
1,2,.,.,.,60
1,4,.,.,.,30
1,8,.,.,.,12
1,12,.,.,.,-1
2,0,35,52.5,IV,.
2,1,.,.,.,BLQ
2,2,.,.,.,BLQ
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "levels.csv"
    path.write_text(LEVELS, encoding="utf-8")
    return path


def test_a_data_table_gives_tables_with_units_and_a_figure_per_subject(table, tmp_path):
    done = run("nca", str(table), "--unit", "ng/mL", "--drug", "ketamine", "--adam", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out"
    wide = pd.read_csv(folder / "nca.csv", comment="#")
    stored = pd.read_parquet(folder / "nca.parquet")
    assert list(stored.columns) == list(wide.columns)
    assert stored["AUCIFO (h*ng/mL)"].tolist() == pytest.approx(wide["AUCIFO (h*ng/mL)"].tolist(), nan_ok=True)
    assert wide["CMAX (ng/mL)"].tolist() == [190, 0]
    assert wide["CLO (L/h)"].iloc[0] == pytest.approx(35e3 / wide["AUCIFO (h*ng/mL)"].iloc[0])
    assert wide["missing because"].iloc[1] == "every level is below the limit of quantification"
    parameters = [
        name for name in wide.columns if name.split(" ")[0] not in ("ID", "ANALYTE", "OCC", "DOSENO", "ROUTE")
    ]
    unitless = {name for name in parameters if "(" not in name}
    assert unitless == {"LAMZNPT", "LAMZSPN", "R2", "R2ADJ", "CORRXY", "missing because", "flags"}
    long = pd.read_csv(folder / "adpp.csv", comment="#")
    assert set(long["AVALU"].dropna()) >= {"ng/mL", "h*ng/mL", "h2*ng/mL", "h", "/h", "L", "L/h", "%"}
    assert (folder / "statistics.csv").exists()
    assert sorted(path.name for path in (folder / "figures").glob("*.svg")) == ["1.svg", "2.svg"]
    assert "DV of -1 (ID 1, line 8) counts as below the limit of quantification" in done.stderr
    assert "CMAX (ng/mL)" in done.stdout
    assert "every level is below the limit of quantification" in done.stdout


def test_a_scenario_is_sampled_and_analysed(tmp_path):
    words = "racemic 0.5 mg/kg IV over 40 min"
    dense = run("nca", words, "--no-figures", "--out", "dense", cwd=tmp_path)
    times = "0.667, 1, 1.5, 2, 4, 8, 12, 24, 36"
    sparse = run("nca", words, "--no-figures", "--times", times, "--out", "sparse", cwd=tmp_path)
    assert (dense.returncode, sparse.returncode) == (0, 0), dense.stderr + sparse.stderr
    full, few = (pd.read_csv(tmp_path / name / "nca.csv", comment="#").iloc[0] for name in ("dense", "sparse"))
    assert full["ANALYTE"] == "venous.ketamine"
    assert few["CLO (L/h)"] == pytest.approx(full["CLO (L/h)"], rel=0.05)
    assert few["LAMZHL (h)"] == pytest.approx(full["LAMZHL (h)"], rel=0.2)
    assert not (tmp_path / "dense" / "figures").exists()
    assert "0.1 % of the highest" in dense.stderr


def test_virtual_patients_differ_and_have_statistics(tmp_path):
    words = ("nca", "racemic 0.5 mg/kg IV over 40 min", "--patients", "6", "--times", "0.667, 1, 2, 4, 8, 12")
    done = run(*words, "--no-figures", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "none was given" not in done.stderr  # that note is about the typical patient
    wide = pd.read_csv(tmp_path / "out" / "nca.csv", comment="#")
    assert wide["CLO (L/kg/h)"].nunique() == 6
    over = pd.read_csv(tmp_path / "out" / "statistics.csv", comment="#").set_index("PARAMCD")
    assert over.loc["CLO", "n"] == 6
    assert over.loc["CLO", "unit"] == "L/kg/h"
    assert over.loc["CLO", "geometric CV %"] > 5


REFUSED = {
    "have no unit": (["levels.csv"], "--unit ng/mL"),
    "--outputs is for a scenario": (["levels.csv", "--unit", "ng/mL", "--outputs", "venous.ketamine"], ""),
    "--unit is for a data table": (["racemic 35 mg IV", "--unit", "ng/mL"], ""),
    "is no rule for areas": (["levels.csv", "--unit", "ng/mL", "--trapezoids", "log"], "linear-up-log-down"),
    "is not a span of hours": (["levels.csv", "--unit", "ng/mL", "--lambda-z", "9"], "--lambda-z 12-36"),
    "a limit of quantification of -1": (["levels.csv", "--unit", "ng/mL", "--lloq", "-1"], ""),
    "there is no ID 7": (["levels.csv", "--unit", "ng/mL", "--subject", "7"], "1, 2"),
    "no column 'CONC'": (["levels.csv", "--unit", "ng/mL", "--dv", "CONC"], ""),
    "the scenario gives no ketamine": (["psychotherapy weekly for 4 weeks"], "--outputs venous.ketamine"),
    "there is no output 'venous.ketamin'": (["racemic 35 mg IV", "--outputs", "venous.ketamin"], "venous.ketamine"),
    "--tau -3": (["levels.csv", "--unit", "ng/mL", "--tau", "-3"], "above 0"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_one_error_with_what_to_type(what, table, tmp_path):
    words, shown = REFUSED[what]
    said = refused(run("nca", *words, cwd=tmp_path), folder=tmp_path)
    assert what in said
    assert shown in said


def test_a_folder_of_results_is_answered_with_its_file(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "scenario.yaml").write_text("treatments: [racemic 35 mg IV]\n", encoding="utf-8")
    said = refused(run("nca", "made", cwd=tmp_path), folder=tmp_path)
    assert "type: ketamech nca made/scenario.yaml" in said
    (tmp_path / "made" / "simulated.csv").write_text("ID\n", encoding="utf-8")
    said = refused(run("nca", "made", cwd=tmp_path), folder=tmp_path)
    assert "type: ketamech nca made/simulated.csv --dv venous.ketamine" in said
