"""Simulated dose tables that join with the table they came from: every record, replicates, values of each ID."""

import numpy as np
import pandas as pd
import pytest

from ketamech.core import InputError
from ketamech.exchange.concentration_profiles import TableSettings, profiles_of_table
from ketamech.nonmem.read import doses_in
from ketamech.nonmem.solve_table import Replicates, bands_of, solve_table
from ketamech.nonmem.subjects import scenario_of
from ketamech.parameters import load_parameters
from ketamech.simulation.nca_tables import analysed

TABLE = load_parameters()
LEVEL = "venous.ketamine"
TWO = """ID,TIME,AMT,CMT,EVID,MDV,DV,DVID,WT,SITE
1,0,35,IV,1,1,.,.,70,007
1,1,.,.,0,0,60,1,70,007
1,1,.,.,0,0,80,2,70,007
1,2,.,.,2,1,.,1,70,007
2,0,35,IV,1,1,.,.,70,012
2,1.5,.,.,0,0,40,1,70,012
2,0,70,IV,4,1,.,.,70,012
2,0,.,.,0,0,1,1,70,012
2,1.5,.,.,0,0,41,1,70,012
"""


def read(text, drug="ketamine"):
    return doses_in(text, "doses.csv", TABLE, drug=drug)


def test_every_record_of_a_table_is_a_row_with_all_its_cells(model):
    """Join by position and by LINE; times restart at a reset, and each ID has its own observation times."""
    found = solve_table(read(TWO), model, (LEVEL,), every_record=True)
    given = pd.DataFrame([line.split(",") for line in TWO.splitlines()[1:]], columns=TWO.splitlines()[0].split(","))
    assert len(found) == len(given)
    assert found["LINE"].tolist() == list(range(2, 11))
    for column in given:
        cells = ["." if pd.isna(cell) else cell for cell in found[column]]
        for cell, text in zip(cells, given[column], strict=True):
            assert cell == text or float(cell) == float(text), column
    seen = solve_table(read(TWO), model, (LEVEL,))
    assert seen["LINE"].tolist() == [3, 4, 5, 7, 9, 10]
    both = seen.merge(found, on="LINE")
    assert both[f"{LEVEL}_x"].to_numpy() == pytest.approx(both[f"{LEVEL}_y"].to_numpy(), rel=1e-6)
    assert "AMT" not in seen.columns


def test_a_record_of_a_dose_has_the_values_after_it(model):
    state = "pharmacokinetics.central_s"
    found = solve_table(read(TWO), model, (state,), every_record=True)[state].to_numpy()
    entered = 35 * 500 / TABLE["drug.ketamine_molar_mass"].value
    assert found[[0, 4, 6]] == pytest.approx([entered, entered, 2 * entered], rel=1e-6)
    assert found[7] == pytest.approx(2 * entered, rel=1e-6)


def test_records_before_an_added_steady_state_have_no_values(model):
    text = "ID,TIME,AMT,CMT,EVID,II,ADDL,SS\n1,0,20,IV,1,24,5,1\n1,12,20,IV,1,24,5,2\n1,13,.,.,0,.,.,.\n"
    found = solve_table(read(text), model, (LEVEL,), every_record=True)
    assert found["LINE"].tolist() == [2, 3, 4]
    assert np.isnan(found[LEVEL].iloc[0])
    assert (found[LEVEL].iloc[1:] > 0).all()


def test_a_simulated_table_can_be_analysed(model, tmp_path):
    """Second method: clearance of the simulated records against dose over the area of the same points."""
    times = (0.0, 0.25, 0.5, 1, 2, 4, 8, 12, 18, 24)
    text = "ID,TIME,AMT,CMT,EVID,MDV\n1,0,35,IV,1,1\n" + "".join(f"1,{t},.,.,0,1\n" for t in times[1:])
    found = solve_table(read(text), model, (LEVEL,), every_record=True)
    path = tmp_path / "simulated.csv"
    found.to_csv(path, index=False)
    (profile,) = profiles_of_table(path, TABLE, TableSettings("umol/L", LEVEL, drug="ketamine")).profiles
    assert profile.time.tolist() == list(times[1:])
    result = analysed([profile])[0].result
    dose = 35 * 1000 / TABLE["drug.ketamine_molar_mass"].value
    assert result["CLO"] == pytest.approx(dose / result["AUCIFO"], rel=1e-9)


def test_replicates_differ_between_and_within_people_and_repeat_with_the_seed(model):
    text = "ID,TIME,AMT,CMT,EVID,WT\n" + "".join(f"{i},0,35,IV,1,70\n{i},1,.,.,0,70\n" for i in range(1, 6))
    table, how = read(text), Replicates(8, seed=3)
    found = solve_table(table, model, (LEVEL, "mood.madrs"), replicates=how)
    assert found["REP"].tolist() == [r for r in range(1, 9) for _ in range(5)]
    assert found["ID"].tolist() == [str(i) for i in range(1, 6)] * 8
    assert found[LEVEL].nunique() == 40
    assert found.groupby("ID")[LEVEL].std().min() > 1e-3
    again = solve_table(table, model, (LEVEL, "mood.madrs"), replicates=how)
    pd.testing.assert_frame_equal(found, again)
    fewer = solve_table(table, model, (LEVEL, "mood.madrs"), replicates=Replicates(2, seed=3))
    assert fewer[LEVEL].tolist() == pytest.approx(found[LEVEL].tolist()[:10], rel=1e-12)
    other = solve_table(table, model, (LEVEL,), replicates=Replicates(2, seed=4))
    assert (other[LEVEL].to_numpy() != fewer[LEVEL].to_numpy()).all()


def test_what_a_table_states_of_a_subject_does_not_vary(model):
    text = (
        "ID,TIME,AMT,UNIT,CMT,EVID,WT\n1,0,0.5,mg/kg,IV,1,50\n1,1,.,.,.,0,50\n2,0,0.5,mg/kg,IV,1,100\n2,1,.,.,.,0,100\n"
    )
    found = solve_table(read(text), model, (LEVEL,), replicates=Replicates(3, vary=("person.weight",)))
    assert found.groupby("ID")[LEVEL].nunique().tolist() == [1, 1]
    plain = solve_table(read(text), model, (LEVEL,))
    assert found[LEVEL].tolist() == pytest.approx(plain[LEVEL].tolist() * 3, rel=1e-9)


def test_occasions_of_one_subject_share_its_drawn_parameters(model):
    text = "ID,TIME,AMT,CMT,EVID\n1,0,35,IV,1\n1,1,.,.,0\n1,0,35,IV,4\n1,1,.,.,0\n"
    found = solve_table(read(text), model, (LEVEL,), replicates=Replicates(3))
    for _, part in found.groupby("REP"):
        assert part[LEVEL].iloc[0] == pytest.approx(part[LEVEL].iloc[1], rel=1e-6)


def test_doses_are_missed_by_chance_in_replicates_only(model):
    text = "ID,TIME,AMT,CMT,EVID,MISSING\n" + "".join(f"{i},0,35,IV,1,0.5\n{i},1,.,.,0,.\n" for i in (1, 2))
    table = read(text)
    assert (solve_table(table, model, (LEVEL,))[LEVEL] > 0).all()
    found = solve_table(table, model, (LEVEL,), replicates=Replicates(10))
    for _, own in found.groupby("ID"):
        assert 1 < (own[LEVEL] == 0).sum() < 9
    again = solve_table(table, model, (LEVEL,), replicates=Replicates(3), every_record=True)
    assert again[LEVEL].to_numpy()[1::2].tolist() == pytest.approx(found[LEVEL].tolist()[:6], rel=1e-6)


def test_bands_are_percentiles_over_replicates_at_each_record(model):
    found = solve_table(read(TWO), model, (LEVEL,), replicates=Replicates(5))
    table = bands_of(found, (LEVEL,))
    assert table["LINE"].tolist() == [3, 4, 5, 7, 9, 10]
    for line, row in table.set_index("LINE").iterrows():
        own = found.loc[found["LINE"] == line, LEVEL]
        assert row[f"{LEVEL} p50"] == pytest.approx(np.percentile(own, 50))
        assert row[f"{LEVEL} p5"] <= row[f"{LEVEL} p50"] <= row[f"{LEVEL} p95"]


def test_no_replicate_is_refused():
    with pytest.raises(InputError, match="0 replicates"):
        Replicates(0)


CLEARANCE = "pharmacokinetics.intrinsic_clearance_s"


def test_parameters_of_each_subject_are_columns(model):
    """A column named after a parameter, in any case, in the unit of the parameter tables."""
    usual = TABLE[CLEARANCE].value
    head = f"ID,TIME,AMT,CMT,EVID,{CLEARANCE.upper()},person.weight\n"
    text = head + f"1,0,35,IV,1,.,70\n1,6,.,.,0,.,70\n2,0,35,IV,1,{usual / 4},70\n2,6,.,.,0,{usual / 4},70\n"
    table = read(text, "esketamine")
    assert table.subjects[1].values[CLEARANCE] == pytest.approx(TABLE[CLEARANCE].canonical / 4)
    assert CLEARANCE not in table.subjects[0].values
    assert table.subjects[1].values["person.weight"] == TABLE["person.weight"].canonical
    fast, slow = solve_table(table, model, ("venous.esketamine",))["venous.esketamine"]
    assert slow > 1.5 * fast
    assert scenario_of(table, table.subjects[1], TABLE).values[CLEARANCE] == table.subjects[1].values[CLEARANCE]


def test_covariates_may_change_at_a_reset(model):
    """Second method: each period as a subject of its own."""
    inhibitor = "perturbation.cyp3a4_inhibition"
    assert inhibitor in TABLE
    head = f"ID,TIME,AMT,CMT,EVID,WT,{inhibitor}\n"
    crossover = head + "1,0,50,oral,1,70,0\n1,2,.,.,0,70,0\n1,0,50,oral,4,90,0.9\n1,2,.,.,0,90,0.9\n"
    apart = head + "1,0,50,oral,1,70,0\n1,2,.,.,0,70,0\n2,0,50,oral,1,90,0.9\n2,2,.,.,0,90,0.9\n"
    one, two = (solve_table(read(text), model, (LEVEL,))[LEVEL].to_numpy() for text in (crossover, apart))
    assert one == pytest.approx(two, rel=1e-9)
    assert one[1] > 1.2 * one[0]


LATE = "perturbation.cyp3a4_inhibition"
VARYING = f"""ID,TIME,AMT,CMT,UNIT,EVID,WT,{LATE}
1,0,1,oral,mg/kg,1,70,0
1,2,.,.,.,0,70,.
1,400,1,oral,mg/kg,1,90,0.9
1,402,.,.,.,0,90,0.9
2,0,1,oral,mg/kg,1,90,0.9
2,2,.,.,.,0,90,0.9
3,0,1,oral,mg/kg,1,70,0
3,2,.,.,.,0,70,0
3,3,.,.,.,2,70,0.9
3,3,.,.,.,0,70,.
3,6,.,.,.,0,70,.
4,0,1,oral,mg/kg,1,70,0
4,2,.,.,.,0,70,0
4,3,.,.,.,0,70,0
4,6,.,.,.,0,70,0
"""


def test_covariates_that_change_with_time_act_from_their_record_on(model):
    """Second methods: a fresh subject, when the first dose has left; and a subject without the change, before it."""
    table = read(VARYING)
    assert table.subjects[0].occasions[0].changes == ((400.0, {"person.weight": 90.0, LATE: 0.9}),)
    solved = solve_table(table, model, (LEVEL,)).drop_duplicates(["ID", "TIME"], keep="last")
    found = solved.set_index(["ID", "TIME"])[LEVEL]
    assert found["1", 402.0] == pytest.approx(found["2", 2.0], rel=1e-6)
    assert found["1", 402.0] > 1.2 * found["1", 2.0]
    assert found["1", 2.0] == found["3", 2.0] == found["4", 2.0]
    assert found["3", 3.0] == pytest.approx(found["4", 3.0], rel=1e-4)
    assert found["3", 6.0] > 1.04 * found["4", 6.0]
    alone = solve_table(read("\n".join(VARYING.splitlines()[:5])), model, (LEVEL,))[LEVEL]
    assert alone.to_numpy() == pytest.approx(found["1"].to_numpy(), rel=1e-12)


def test_a_scenario_has_constant_covariates():
    with pytest.raises(InputError, match="covariates of ID 1 change with time"):
        scenario_of(read(VARYING), read(VARYING).subjects[0], TABLE)


def test_a_value_out_of_bounds_names_its_line():
    with pytest.raises(InputError, match="liver_function of 2") as problem:
        read("ID,TIME,AMT,CMT,liver_function\n1,0,35,IV,.\n1,1,.,.,2\n")
    assert (problem.value.line, problem.value.expected) == (3, "0 to 1")


def test_columns_that_look_like_others_and_repeated_doses_are_flagged():
    with pytest.raises(InputError, match="the column ADDLL is not known") as problem:
        read("ID,TIME,AMT,CMT,ADDLL\n1,0,35,IV,5\n")
    assert problem.value.nearest == "ADDL"
    clearance = read("ID,TIME,AMT,CMT,pharmacokinetics.intrinsic_clearence_s\n1,0,35,IV,5\n").notes
    assert any(note.endswith(f"a parameter is called {CLEARANCE}") for note in clearance)
    notes = read("ID,TIME,AMT,CMT,RACE,SITE\n1,0,35,IV,0,5\n1,0,35,IV,0,5\n1,1,0,.,0,5\n").notes
    assert "lines 2 and 3 are the same dose, which is given twice" in notes
    assert not [note for note in read(TWO).notes if "the same dose" in note or "is called" in note]


def test_other_names_of_a_column_count_where_it_has_no_other_name():
    table = read("SUBJECT,TIME,AMT,CMT,TINFUSION,WGT,AMT_UNIT\n1,0,35,IV,0.5,80,mg\n2,0,35,IV,0.5,60,mg\n")
    assert [subject.values["person.weight"] for subject in table.subjects] == [80, 60]
    assert {t.duration for s in table.subjects for t in s.occasions[0].regimen.treatments} == {0.5}
    assert [subject.name for subject in read("ID,SUBJID,TIME,AMT,CMT\n7,X1,0,35,IV\n").subjects] == ["7"]


def test_an_error_names_the_column_as_it_is_written():
    for weight in ("heavy", "500"):
        with pytest.raises(InputError) as problem:
            read(f"ID,TIME,AMT,CMT,WT\n1,0,35,IV,{weight}\n")
        assert problem.value.key == "WT"
