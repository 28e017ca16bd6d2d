"""`ketamech simulate` of a dose table: replicates with bands, every record, and a way into `ketamech nca`."""

import pandas as pd
import pytest

from command_line import refused, run
from ketamech.exchange.result_io import metadata_of

TABLE = "ID,TIME,AMT,CMT,EVID,DV,WT\n" + "".join(
    f"{i},0,35,IV,1,.,{weight}\n" + "".join(f"{i},{t},.,.,0,{90 / t:g},{weight}\n" for t in (1, 2, 4, 8, 12))
    for i, weight in ((1, 70), (2, 85))
)
DRUG = ("--drug", "ketamine")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "doses.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_replicates_give_a_table_and_bands_with_units(table, tmp_path):
    words = ("simulate", str(table), *DRUG, "--replicates", "6", "--outputs", "venous.ketamine", "--seed", "5")
    done = run(*words, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 subjects, 6 replicates; 0 records without a value" in done.stderr
    found = pd.read_csv(tmp_path / "out" / "simulated.csv", comment="#")
    assert found["REP"].tolist() == [r for r in range(1, 7) for _ in range(10)]
    assert set(found.columns) >= {"ID", "TIME", "DV", "EVID", "WT", "venous.ketamine", "LINE"}
    bands = pd.read_csv(tmp_path / "out" / "bands.csv", comment="#")
    assert bands["LINE"].tolist() == [3, 4, 5, 6, 7, 9, 10, 11, 12, 13]
    assert (bands["venous.ketamine p5"] < bands["venous.ketamine p95"]).all()
    assert metadata_of(tmp_path / "out" / "bands.csv")["units venous.ketamine p50"] == "ng/mL"


def test_every_record_can_be_analysed_without_saying_a_unit(table, tmp_path):
    done = run("simulate", str(table), *DRUG, "--every-record", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = run("nca", "out/simulated.csv", "--dv", "venous.ketamine", "--no-figures", "--out", "nca", cwd=tmp_path)
    assert after.returncode == 0, after.stderr
    found = pd.read_csv(tmp_path / "nca" / "nca.csv", comment="#")
    assert found["ID"].tolist() == [1, 2]
    assert found["DOSE (mg)"].tolist() == [35, 35]
    assert (found["CLO (L/h)"].between(30, 150)).all()


REFUSED = {
    "--seed 3 of a dose table is for replicates": ("--seed", "3"),
    "0 replicates": ("--replicates", "0"),
    "--times 1 is for one scenario": ("--times", "1"),
    "there is no parameter or stage 'clearanc'": ("--replicates", "2", "--varying", "clearanc"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_table_does_not_take_is_refused(what, table, tmp_path):
    assert what in refused(run("simulate", str(table), *DRUG, *REFUSED[what], cwd=tmp_path), folder=tmp_path)


@pytest.mark.parametrize("option", [("--replicates", "3"), ("--every-record",)])
def test_options_of_tables_are_refused_for_scenarios(option, tmp_path):
    for more in ((), ("--patients", "3")):
        said = refused(run("simulate", "racemic 35 mg IV", *option, *more, cwd=tmp_path), folder=tmp_path)
        assert f"{option[0]} is for a dose table" in said


@pytest.mark.parametrize(
    "option", [["--species", "rat"], ["--variant", "x"], ["--person", "age=3"], ["--set", "a.b=1"]]
)
def test_options_that_a_table_of_several_subjects_does_not_have_are_refused(option, table, tmp_path):
    done = run("simulate", str(table), *DRUG, *option, cwd=tmp_path)
    assert f"{option[0]} is not for a dose table" in refused(done, folder=tmp_path)
