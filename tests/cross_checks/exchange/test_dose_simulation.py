"""`ketamech.simulate` of a table of doses, its records as a table, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import ketamech
from ketamech.core import InputError
from ketamech.exchange.curves_io import to_long_table
from ketamech.nonmem.solve_table import shown_records, simulate_records
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import DEFAULT_OUTPUTS, subjects
from molar_masses import KETAMINE

TWO = """ID,TIME,AMT,RATE,CMT,EVID,MDV,DV,DVID,WT,SITE,Arm
1,0,35,52.5,IV,1,1,.,.,70,007,a
1,0.5,.,.,IV,0,0,201.5,1,70,007,a
1,0.5,.,.,IV,0,0,88,2,70,007,a
1,24,.,.,IV,0,1,.,1,70,007,a
b,0,50,0,oral,1,1,.,.,70,012,.
b,2,.,.,.,0,0,40,1,70,012,.
"""
CROSSOVER = "TIME,AMT,CMT,EVID\n0,35,IV,1\n1,0,IV,0\n0,0,IV,3\n0,35,IV,1\n1,0,IV,0\n"


@pytest.fixture
def table(tmp_path):
    def written(text):
        path = tmp_path / "doses.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_a_table_is_simulated_into_one_dataset(table, model):
    """Second road: each person alone, from a sentence."""
    curves = ketamech.simulate(table(TWO), model=model, drug="ketamine")
    assert curves["mood.madrs"].dims == ("patient", "time")
    assert tuple(curves.data_vars) == DEFAULT_OUTPUTS
    assert curves["time"].values.tolist() == [0.5, 2.0, 24.0]
    assert curves["time"].attrs["units"] == "h"
    assert curves["venous.ketamine"].attrs["units"] == "umol/L"
    assert curves["ID"].values.tolist() == ["1", "b"]
    levels = curves["venous.ketamine"]
    assert np.isnan(levels.sel(patient="b", time=[0.5, 24.0])).all()
    for person, hour, sentence in (("1", 0.5, "ketamine 35 mg IV over 40 min"), ("b", 2.0, "ketamine 50 mg oral")):
        alone = run_subjects(model, subjects(load_scenario(sentence), model)[:1], np.array([0.0, hour]))[
            "venous.ketamine"
        ]
        assert float(levels.sel(patient=person, time=hour)) == pytest.approx(float(alone[0, 1]), rel=1e-4)
    assert float(levels.sel(patient="1", time=2.0)) > 0


def test_it_opens_in_pandas_and_as_a_tidy_table(table, model):
    curves = ketamech.simulate(str(table(TWO)), model=model, drug="ketamine", outputs=["mood.madrs"])
    frame = curves.to_dataframe().dropna(subset=["mood.madrs"])
    assert frame.index.tolist() == [("1", 0.5), ("1", 2.0), ("1", 24.0), ("b", 2.0)]
    assert set(to_long_table(curves).column("variable").to_pylist()) == {"mood.madrs"}


def test_each_occasion_is_a_patient_of_its_own(table, model):
    curves = ketamech.simulate(table(CROSSOVER), model=model, drug="ketamine")
    assert curves["patient"].values.tolist() == ["1, occasion 1", "1, occasion 2"]
    assert curves["occasion"].values.tolist() == [1, 2]
    plain = ketamech.simulate("ketamine 35 mg IV", model=model, times=[0.0, 1.0]).sel(patient="treated", time=1.0)
    for name, tolerance in (("venous.ketamine", 5e-5), ("mood.madrs", 5e-3)):
        assert curves[name].sel(time=1.0).values == pytest.approx([float(plain[name])] * 2, abs=tolerance)


def test_a_look_before_the_first_dose_shows_what_follows_it(table, model):
    text = "TIME,AMT,CMT,EVID\n0,0,IV,0\n0,35,IV,1\n1,0,IV,0\n"
    curves = ketamech.simulate(table(text), model=model, drug="ketamine", outputs=["pharmacokinetics.central_s"])
    assert float(curves["pharmacokinetics.central_s"].isel(patient=0, time=0)) == pytest.approx(35 * 500 / KETAMINE)


def test_records_carry_what_the_table_says_of_them(table, model):
    found = simulate_records(table(TWO), model=model, drug="ketamine", outputs=["venous.ketamine"])
    carried = ["CMT", "EVID", "MDV", "DV", "DVID", "WT", "SITE", "Arm"]
    assert list(found.columns) == ["ID", "TIME", *carried, "venous.ketamine", "solve_status", "LINE"]
    assert found["ID"].tolist() == ["1", "1", "1", "b"]
    assert found["DV"].tolist()[:2] == [201.5, 88.0]
    assert np.isnan(found["DV"].iloc[2])
    assert found["EVID"].tolist() == [0, 0, 0, 0]
    assert found["MDV"].tolist() == [0, 0, 1, 0]
    assert found["WT"].tolist() == [70, 70, 70, 70]
    assert found["SITE"].tolist() == ["007", "007", "007", "012"], "a code keeps its zeros"
    assert found["Arm"].tolist()[:3] == ["a", "a", "a"]
    assert pd.isna(found["Arm"].iloc[3])


def test_records_are_shown_in_ng_per_ml_with_their_units(table, model):
    raw = simulate_records(table(TWO), model=model, drug="ketamine", outputs=["venous.norketamine", "mood.madrs"])
    found, units = shown_records(raw, model)
    assert units == {"TIME": "h", "venous.norketamine": "ng/mL", "mood.madrs": "points"}
    assert found["venous.norketamine"].to_numpy() == pytest.approx(223.7 * raw["venous.norketamine"].to_numpy())
    assert found["mood.madrs"].tolist() == raw["mood.madrs"].tolist()


def test_a_genotype_is_read_by_its_name_as_in_a_scenario(table, model):
    text = "ID,TIME,AMT,CMT,CYP2B6\n1,0,35,IV,*1/*1\n1,4,.,.,*1/*1\n2,0,35,IV,*6/*6\n2,4,.,.,*6/*6\n"
    outputs = ["venous.ketamine"]
    found = ketamech.simulate(table(text), model=model, drug="ketamine", outputs=outputs)["venous.ketamine"]
    for patient, genotype in (("1", "*1/*1"), ("2", "*6/*6")):
        said = ketamech.simulate(
            "ketamine 35 mg IV", model=model, outputs=outputs, times=[0.0, 4.0], person={"cyp2b6": genotype}
        )["venous.ketamine"].sel(patient="treated", time=4.0)
        assert float(found.sel(patient=patient, time=4.0)) == pytest.approx(float(said), rel=1e-4)
    assert float(found.sel(patient="2", time=4.0)) > 1.02 * float(found.sel(patient="1", time=4.0))
    with pytest.raises(InputError, match=r"'poor' is not a number[\s\S]*one of \*1/\*1, \*1/\*6, \*6/\*6"):
        ketamech.simulate(table(text.replace("*6/*6", "poor")), model=model, drug="ketamine")


def test_one_person_without_observations_is_a_scenario(table, model):
    found = ketamech.simulate(table("TIME,AMT,CMT\n0,35,IV\n"), model=model, drug="ketamine")
    assert found["patient"].values.tolist() == ["treated", "control"]
    said = ketamech.simulate("ketamine 35 mg IV", model=model)
    assert found["mood.madrs"].values == pytest.approx(said["mood.madrs"].values)
    only = ketamech.simulate(table("TIME,AMT,CMT\n0,35,IV\n"), model=model, drug="ketamine", outputs=["mood.madrs"])
    assert list(only.data_vars) == ["mood.madrs"]


@pytest.mark.parametrize("nothing", [None, 5, ["racemic 35 mg IV"], {"dose": 1}, b"racemic 35 mg IV"])
def test_what_is_no_scenario_is_refused(nothing, model):
    with pytest.raises(InputError, match="a scenario of type"):
        ketamech.simulate(nothing, model=model)


REFUSED = {
    "drug is for a table": ("racemic 35 mg IV", {"drug": "ketamine"}),
    "species is not for a table": ("doses.csv", {"species": "rat"}),
    "variant is not for a table": ("doses.csv", {"variant": "habenula-parallel"}),
    "there is no output 'mood.madr'": (TWO, {"drug": "ketamine", "outputs": ["mood.madr"]}),
    "the table has no observation record": ("ID,TIME,AMT,CMT\n1,0,9,IV\n2,0,9,IV\n", {"drug": "ketamine"}),
    "no drug is stated": (TWO, {}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_a_table_is_refused(what, table, model):
    source, options = REFUSED[what]
    with pytest.raises(InputError, match=what):
        ketamech.simulate(table(source) if "\n" in source else source, model=model, **options)


def test_a_table_is_no_scenario_file(table):
    with pytest.raises(InputError, match=r"dose table[\s\S]*ketamech.simulate"):
        load_scenario(table(TWO))
