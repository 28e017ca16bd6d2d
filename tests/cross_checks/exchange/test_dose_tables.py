"""Tables of doses: what each column means, and that every regimen survives being written and read."""

import contextlib
import re
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ketamech
from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Phase, Treatment
from ketamech.exchange.concentration_profiles import TableSettings, profiles_of_table
from ketamech.nonmem.read import read_doses
from ketamech.nonmem.solve_table import solve_table
from ketamech.nonmem.subjects import scenario_of
from ketamech.nonmem.write import doses_csv, lossy_features
from ketamech.parameters import load_parameters
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects
from molar_masses import KETAMINE

TABLE = load_parameters()
HORIZON = 2000.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("doses")


def read(folder, text, drug="esketamine"):
    path = folder / "doses.csv"
    path.write_text(text, encoding="utf-8")
    return read_doses(path, TABLE, drug=drug)


def only(folder, text, drug="esketamine"):
    """The regimen of a table with one person and one occasion."""
    (subject,) = read(folder, text, drug).subjects
    (occasion,) = subject.occasions
    return occasion.regimen


def given_to(regimen, horizon=HORIZON, values=None):
    """Everything that enters, by state, in order of time."""
    found = defaultdict(list)
    for entry in dose_events(regimen, TABLE, values or {}, horizon):
        found[entry.compartment].append((entry.time, entry.amount, entry.duration))
    return {state: np.array(sorted(rows)) for state, rows in found.items()}


def same(one, other, horizon=HORIZON, values=None):
    mine, theirs = given_to(one, horizon, values), given_to(other, horizon, values)
    assert mine.keys() == theirs.keys()
    for state, rows in mine.items():
        assert theirs[state] == pytest.approx(rows, rel=1e-12, abs=1e-9), state


hours = st.floats(0.1, 100).map(lambda x: round(x, 4))
phases = st.lists(
    st.builds(lambda gap, more: Phase(interval=gap, duration=gap * (1 + more)), hours, st.integers(0, 5))
    | st.builds(
        Phase, interval=st.none(), times_a_week=st.integers(1, 7), duration=st.sampled_from([168.0, 336.0, 400.0])
    ),
    max_size=3,
).map(tuple)
drugs = st.builds(
    Treatment,
    drug=st.sampled_from(["racemic ketamine", "esketamine", "arketamine"]),
    amount=st.floats(0.5, 20).map(lambda x: round(x, 5)),
    unit=st.sampled_from(["mg", "ug/kg"]),
    route=st.sampled_from(["IV", "oral", "IM", "SC", "sublingual"]),
    start=st.just(0.0) | hours,
    schedule=phases,
    salt=st.sampled_from(["base", "hydrochloride"]),
    lag=st.sampled_from([0.0, 0.25]),
    skipped_doses=st.sets(st.integers(1, 6), max_size=3).map(tuple),
    miss_probability=st.sampled_from([0.0, 0.1]),
)
infusions = st.builds(
    Treatment,
    drug=st.sampled_from(["racemic ketamine", "esketamine"]),
    amount=st.floats(0.5, 20).map(lambda x: round(x, 5)),
    unit=st.sampled_from(["mg", "mg/h", "ug/kg/h"]),
    route=st.sampled_from(["IV", "SC"]),
    duration=st.floats(0.01, 0.09),
    start=hours,
    schedule=phases,
)
sessions = st.builds(
    Treatment,
    drug=st.sampled_from(["ECT", "TMS", "psychotherapy", "antidepressant", "placebo", "surgery"]),
    start=st.just(0.0) | hours,
    schedule=phases,
    skipped_doses=st.sets(st.integers(1, 6), max_size=2).map(tuple),
)


@given(st.lists(drugs | infusions | sessions, min_size=1, max_size=3).map(lambda found: Regimen(tuple(found))))
def test_any_regimen_survives_the_round_trip(folder, regimen):
    try:
        dose_events(regimen, TABLE, {}, HORIZON)
    except InputError:
        return  # overlapping operations, single doses out of order: no regimen
    same(regimen, only(folder, doses_csv(regimen, HORIZON, {}, TABLE)))


STEADY = {
    "racemic 20 mg IV every 12 h for 5 days at steady state": None,
    "esketamine 84 mg nasal twice weekly for 4 weeks at steady state": None,
    "racemic 20 mg oral daily for 2 weeks missing doses 3 at steady state": None,
    "racemic 20 mg IV over 1 h daily for 9 days lag 30 min at steady state; TMS daily at steady state": None,
    "racemic 20 mg IV every 12 h for 5 days, then daily for 5 days at steady state; ECT weekly for 4 weeks": None,
    "racemic 20 mg IV at 30 h every 3 days for 4 weeks at steady state": "before its first dose",
    "racemic 20 mg oral daily for 2 weeks missing dose 1 at steady state": "first dose is missed",
}


@pytest.mark.parametrize("sentence", STEADY)
def test_a_start_at_steady_state_survives_or_is_refused(folder, sentence):
    regimen = Regimen.parse(sentence)
    if STEADY[sentence]:
        with pytest.raises(InputError, match=STEADY[sentence]):
            doses_csv(regimen, HORIZON, {}, TABLE)
        return
    found = only(folder, doses_csv(regimen, HORIZON, {}, TABLE))
    same(regimen, found)
    (mine, gap), (theirs, other) = (one.steady_state_cycle(72.0) for one in (regimen, found))
    assert gap == other
    same(mine, theirs, gap)


def test_a_scenario_survives_with_its_person_and_its_horizon(folder):
    asked = load_scenario("racemic 0.5 mg/kg IV over 40 min; psychotherapy weekly for 3 weeks", TABLE)
    values = {"person.weight": 82.5, "person.age": 400000.0}
    table = read(folder, doses_csv(asked.regimen, asked.horizon, values, TABLE), drug=None)
    found = scenario_of(table, table.subjects[0], TABLE)
    assert found.values == pytest.approx(values)
    assert found.horizon == asked.horizon
    (folder / "again.yaml").write_text(found.source, encoding="utf-8")
    again = load_scenario(folder / "again.yaml", TABLE)
    assert again.values == pytest.approx(values)
    same(asked.regimen, again.regimen, values=values)


def test_amounts_are_written_in_mg_at_the_weight_of_the_subject():
    """NONMEM takes AMT as it stands: 0.5 mg/kg is 45 mg at 90 kg."""
    regimen = Regimen.parse("racemic 0.5 mg/kg IV over 30 min; racemic 100 ug/kg/h IV for 2 h at 5 h")
    header, first, second, _ = doses_csv(regimen, 24.0, {"person.weight": 90.0}, TABLE).splitlines()
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in (first, second)]
    assert [(row["UNIT"], float(row["AMT"]), float(row["RATE"])) for row in rows] == [("mg", 45, 90), ("mg", 18, 9)]


MEANING = {
    "bolus": ("time,amt,cmt\n0,20,IV", "esketamine 20 mg IV"),
    "any case, blanks": ("Time Amt Cmt Evid\n0 20 central 1", "esketamine 20 mg IV"),
    "tabs, numbers, NA": ("TIME\tAMT\tCMT\tII\n1\t20\t2\tNA", "esketamine 20 mg oral at 1 h"),
    "semicolons, comment": ("C;TIME;AMT;CMT\n.;0;20;IM\nC;1;900;IM", "esketamine 20 mg IM"),
    "rate": ("TIME,AMT,RATE,CMT\n0,20,40,IV", "esketamine 20 mg IV over 30 min"),
    "dur": ("TIME,AMT,DUR,CMT\n0,20,0.5,IV", "esketamine 20 mg IV over 30 min"),
    "tinf": ("TIME,AMT,TINF,ADM\n0,20,0.5,1", "esketamine 20 mg IV over 30 min"),
    "modelled rate": ("TIME,AMT,RATE,R1,CMT\n0,20,-1,40,IV", "esketamine 20 mg IV over 30 min"),
    "modelled duration": ("TIME,AMT,RATE,D1,CMT\n0,20,-2,0.5,IV", "esketamine 20 mg IV over 30 min"),
    "the model's own duration": ("TIME,AMT,RATE,CMT\n0,20,-2,oral", "esketamine 20 mg oral"),
    "F keeps the rate": ("TIME,AMT,RATE,F,CMT\n0,20,40,0.5,IV", "esketamine 10 mg IV over 15 min"),
    "F keeps DUR": ("TIME,AMT,DUR,F,CMT\n0,20,0.5,0.5,IV", "esketamine 10 mg IV over 30 min"),
    "addl": ("TIME,AMT,II,ADDL,CMT\n0,20,12,5,IV", "esketamine 20 mg IV every 12 h for 3 days"),
    "nanograms": ("TIME,AMT,CMT,DRUG,UNIT\n0,2,IV,endotoxin,ng/kg", "endotoxin 2 ng/kg IV"),
    "lag": ("TIME,AMT,ALAG1,CMT\n0,20,0.5,IV", "esketamine 20 mg IV lag 30 min"),
    "steady": ("TIME,AMT,II,ADDL,SS,CMT\n0,20,12,5,1,IV", "esketamine 20 mg IV every 12 h for 3 days at steady state"),
    "drugs": (
        "TIME,AMT,DRUG,ROUTE,UNIT\n0,0.5,ketamine,IV,mg/kg\n24,0,psychotherapy,none,session",
        "racemic 0.5 mg/kg IV; psychotherapy at 24 h",
    ),
    "a table that NONMEM wrote": (
        "TABLE NO.  1\n ID          TIME        AMT         CMT\n  1.0000E+00  0.0000E+00  2.0000E+01  1.0000E+00\n"
        "  1.0000E+00  4.0000E+00  0.0000E+00  1.0000E+00\n",
        "esketamine 20 mg IV",
    ),
    "row names, empty columns and rows": (
        ",TIME,AMT,CMT,,\n1,0,20,IV,,\n2,9,0,IV,,\n,,,,,\n", "esketamine 20 mg IV",
    ),
    "micrograms": ("TIME,AMT,CMT,UNIT\n0,20,IV,\u00b5g/kg", "esketamine 20 ug/kg IV"),
    "amount": ("TIME,AMOUNT,ADM\n0,20,1", "esketamine 20 mg IV"),
    "no dose at all": ("TIME,AMT,EVID\n0,0,0\n5,.,0", None),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANING)
def test_what_a_table_means(folder, case):
    text, sentence = MEANING[case]
    text = text.replace("24,0,psychotherapy", "24,1,psychotherapy")
    found = only(folder, text)
    assert found.treatments == (Regimen.parse(sentence).treatments if sentence else ())


BUILT = {
    "bolus": (ketamech.ev(20, drug="esketamine", cmt="IV"), "esketamine 20 mg IV"),
    "rate": (ketamech.ev(20, drug="racemic", cmt=1, rate=40, time=2), "racemic 20 mg IV over 30 min at 2 h"),
    "addl": (ketamech.ev(84, drug="esketamine", cmt="nasal", ii=84, addl=3),
             "esketamine 84 mg nasal every 84 h for 336 h"),
    "until": (ketamech.ev(84, drug="esketamine", cmt="nasal", ii=84, until=336),
              "esketamine 84 mg nasal every 84 h for 336 h"),
    "total": (ketamech.ev(84, drug="esketamine", cmt="nasal", ii=84, total=4),
              "esketamine 84 mg nasal every 84 h for 336 h"),
    "steady": (ketamech.ev(0.1, drug="ketamine", unit="mg/kg", cmt="IV", dur=1, ii=24, ss=1),
               "ketamine 0.1 mg/kg IV over 1 h daily for 1 day at steady state"),
    "counted": (ketamech.ev(drug="ECT", ii=84, addl=1), "ECT every 84 h for 168 h"),
    "joined": (ketamech.ev(20, drug="esketamine", cmt="IV") + ketamech.ev(drug="TMS", time=24),
               "esketamine 20 mg IV; TMS at 24 h"),
    "micrograms": (ketamech.ev(20, drug="esketamine", cmt="IV", unit="mcg/kg"), "esketamine 20 ug/kg IV"),
    "the later first": (ketamech.ev(drug="TMS", time=24) + ketamech.ev(20, drug="esketamine", cmt="IV"),
                        "esketamine 20 mg IV; TMS at 24 h"),
    "F": (ketamech.ev(20, drug="esketamine", cmt="IV", f=0.5, dur=0.5), "esketamine 10 mg IV over 30 min"),
}  # fmt: skip


@pytest.mark.parametrize("case", BUILT)
def test_ev_says_what_a_sentence_says(case):
    built, sentence = BUILT[case]
    assert built == Regimen.parse(sentence)


def test_what_ev_makes_is_simulated_and_written_as_words(model):
    built = ketamech.ev(np.float64(20), drug="racemic", cmt="IV", ii=np.int64(12), addl=np.int64(1))
    assert Regimen.parse(built.sentence()) == built
    curves = ketamech.simulate(built, model=model)
    said = ketamech.simulate("racemic 20 mg IV every 12 h for 24 h", model=model)
    assert curves.drop_attrs().equals(said.drop_attrs())


ODD = {
    "'0.5 mg/kg'": dict(amt="0.5 mg/kg", cmt="IV"),
    "UNIT of 'mL'": dict(amt=1, cmt="IV", unit="mL"),
    "SALT of 'citrate'": dict(amt=1, cmt="IV", salt="citrate"),
    "addl and total at once": dict(amt=1, cmt="IV", ii=12, addl=2, total=3),
    "a total of 0 doses": dict(amt=1, cmt="IV", ii=12, total=0),
    "until -3 h": dict(amt=1, cmt="IV", ii=12, until=-3),
    "a rate of 2 and an amount in mg/h": dict(amt=1, cmt="IV", unit="mg/h", rate=2),
    "amt of 100 ECT": dict(amt=100, drug="ECT"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_ev_would_take_for_something_else_is_refused(what):
    with pytest.raises(InputError, match=re.escape(what)):
        ketamech.ev(**{"drug": "racemic", **ODD[what]})


def test_a_reset_begins_anew_and_stops_what_was_to_come(folder, model):
    """Second road: each occasion alone, from time 0."""
    head = "ID,TIME,AMT,RATE,CMT,EVID,II,ADDL\n"
    whole = "1,0,35,17.5,IV,1,12,9\n1,1,.,.,.,0,.,.\n1,26.5,.,.,.,3,.,.\n1,28.5,.,.,.,0,.,.\n"
    whole += "1,30,20,.,IV,4,.,.\n1,31,.,.,.,0,.,.\n"
    found = solve_table(read(folder, head + whole), model, ("plasma.esketamine", "mood.madrs"))
    first = "1,0,35,17.5,IV,1,12,9\n1,1,.,.,.,0,.,.\n"
    second = "1,0,20,.,IV,1,.,.\n1,1,.,.,.,0,.,.\n"
    apart = [solve_table(read(folder, head + t), model, ("plasma.esketamine", "mood.madrs")) for t in (first, second)]
    rest = model.parameters["person.baseline_madrs"].canonical
    assert found["TIME"].tolist() == [1, 26.5, 28.5, 31]
    assert found["plasma.esketamine"][1:3].tolist() == [0, 0]
    assert found["mood.madrs"][1:3].to_numpy() == pytest.approx(rest, rel=1e-6)
    for row, alone in zip((0, 3), apart, strict=True):
        shown = ["plasma.esketamine", "mood.madrs"]
        assert found.loc[row, shown].tolist() == pytest.approx(alone.loc[0, shown].tolist(), rel=1e-4)
    assert (found["solve_status"] == "ok").all()


def test_rows_of_one_time_act_in_order(folder, model):
    """Before the row of a dose there is nothing yet; a dose that ADDL implies comes before the rows of its time."""
    text = "TIME,AMT,CMT,EVID,II,ADDL\n0,.,.,0,.,.\n0,20,IV,1,24,1\n0,.,.,0,.,.\n24,.,.,0,.,.\n30,.,.,0,.,.\n"
    text += "30,20,IV,1,.,.\n30,.,.,0,.,.\n"
    found = solve_table(read(folder, text), model, ("pharmacokinetics.central_s",))["pharmacokinetics.central_s"]
    dose = 20 * 1000 / KETAMINE
    assert found[0] == 0
    assert found[1] == pytest.approx(dose)
    assert found[2] > dose
    assert found[4] - found[3] == pytest.approx(dose, rel=1e-6)


def scenarios(folder, text):
    table = read(folder, text)
    return [scenario_of(table, subject, TABLE) for subject in table.subjects]


REFUSED = {
    "TIME,AMT,CMT\n0,20,buccal": ["doses.csv:2", "CMT", "no compartment 'buccal'"],
    "TIME,AMT,CMT\n0,20,-1": ["negative compartment"],
    "TIME,AMT,CMT,EVID\n0,20,IV,5": ["EVID of 5", "no other is supported"],
    "TIME,AMT,CMT,EVID\n0,20,IV,0": ["an observation with an amount"],
    "TIME,AMT,CMT,EVID\n0,0,IV,1": ["a dose with AMT of 0"],
    "TIME,AMT,CMT,EVID\n0,-5,IV,1": ["a dose with AMT of -5"],
    "TIME,AMT,CMT,ADDL\n0,20,IV,3": ["doses.csv:2", "ADDL without II"],
    "TIME,AMT,CMT,ADDL,II\n0,20,IV,1.5,12": ["ADDL of 1.5"],
    "TIME,AMT,CMT,ADDL,II\n0,20,IV,1e12,12": ["ADDL of 1e+12"],
    "TIME,AMT,CMT,SS\n0,20,IV,1": ["SS without II"],
    "TIME,AMT,CMT,SS,II\n0,20,IV,2,12": ["SS of 2 without a start"],
    "TIME,AMT,CMT,SS,II\n0,20,IV,1,12\n0,20,IV,1,12": ["would undo the first"],
    "TIME,AMT,CMT,RATE\n0,20,IV,-3": ["RATE of -3"],
    "TIME,AMT,CMT,RATE\n0,20,IV,-1": ["RATE of -1 without R"],
    "TIME,AMT,CMT,RATE\n0,20,IV,-2": ["RATE of -2 without D"],
    "TIME,AMT,CMT,RATE,DUR\n0,20,IV,40,3": ["RATE 40 gives 0.5 h and DUR says 3 h"],
    "TIME,AMT,CMT,RATE,EVID\n0,0,IV,40,1": ["an infusion without an end"],
    "TIME,AMT,CMT,RATE\n0,20,IM,40": ["doses.csv:2", "an infusion by route IM"],
    "TIME,AMT,CMT,F\n0,20,IV,0": ["F of 0"],
    "TIME,AMT,CMT,UNIT\n0,20,IV,mL": ["UNIT of 'mL'"],
    "TIME,AMT,CMT\n5,20,IV\n2,20,IV": ["doses.csv:3", "goes back"],
    "ID,TIME,AMT,CMT\n1,0,20,IV\n2,0,20,IV\n1,1,20,IV": ["doses.csv:4", "ID 1 comes back"],
    "TIME,AMT,CMT\n9:30,20,IV": ["'9:30' is not a number", "hours since the first record"],
    "TIME,AMT,CMT\nnan,20,IV": ["'nan' is not a number"],
    "TIME,AMT,CMT\n0,inf,IV": ["'inf' is not a number"],
    "TIME,AMT,CMT\n0,20": ["2 cells under 3 columns"],
    "TIME,AMT,AMT\n0,20,20": ["two columns mean AMT"],
    "TIEM,AMT,CMT\n0,20,IV": ["no column TIME", "nearest: TIEM"],
    "TIME,AMTT,CMT\n0,20,IV": ["no column AMT", "nearest: AMTT"],
    "TIME,AMT,CMT\n.,20,IV": ["doses.csv:2", "a record without a time"],
    "ID,TIME,AMT,CMT\n1,0,20,IV\n.,4,20,IV": ["doses.csv:3", "a record without an ID"],
    "TIME,AMT,CMT,EVID\n0,20,IV,1\n1,.,-1,2": ["doses.csv:3", "switches a compartment off"],
    "TIME,AMT,CMT,SPECIES\n0,20,IV,cat": ["doses.csv:2", "no tables for the species 'cat'"],
    "TIME,AMT,CMT,SPECIES\n0,5,IV,rat\n1,0,IV,mouse": ["doses.csv:3", "SPECIES changes"],
    "TIME,AMT,CMT,SPECIES,WT\n0,5,IP,rat,70": ["doses.csv:2", "WT of 70", "0.01 to 1 kg"],
    "TIME,AMT,CMT,WT\n0,20,IV,7000": ["WT of 7000", "5 to 300 kg"],
    "TIME,AMT,CMT,SALT\n0,20,IV,citrate": ["SALT of 'citrate'"],
    "TIME,AMT,CMT,DRUG\n0,20,IV,esketamin": ["doses.csv:2", "nearest: esketamine"],
    "TIME,AMT,CMT\n0,90000,IV": ["doses.csv:2", "above the limit"],
    "TIME,AMT,CMT,II,ADDL\n0,20,IV,-12,3": ["doses.csv:2", "II of -12"],
    "TIME,AMT,CMT\n7,20,IV\n1e9,.,.": ["doses.csv:3", "TIME 1e+09 is 1e+09 h after the first record"],
    "": ["empty"],
    "TIME,AMT\n": ["holds no record"],
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_a_bad_table_says_what_is_wrong_and_where(folder, text):
    with pytest.raises(InputError) as refused:
        scenarios(folder, text)
    for part in REFUSED[text]:
        assert part in str(refused.value)


def test_a_dose_without_a_drug_asks_which(folder):
    with pytest.raises(InputError, match="--drug esketamine"):
        read(folder, "TIME,AMT,CMT\n0,20,IV", drug=None)


cells = st.sampled_from(["0", "1", "-1", "20", ".", "", "IV", "oral", "x", "1e9", "4", "3", "2", "nan", "0.5", "-2"])


@given(st.lists(st.lists(cells, min_size=9, max_size=9), min_size=1, max_size=5))
def test_any_table_is_read_or_refused(folder, rows):
    text = "ID,TIME,AMT,RATE,CMT,EVID,II,ADDL,SS\n" + "\n".join(",".join(row) for row in rows)
    assume("\n," not in text)
    with contextlib.suppress(InputError):
        scenarios(folder, text)


def test_losses_of_an_export_are_reported():
    asked = load_scenario("racemic 1 mg/kg IV daily missing 10 %; placebo weekly", TABLE)
    found = "\n".join(lossy_features(replace(asked, horizon=99.0)))
    for part in ("up to 99 h", "chance", "per kilogram", "without a mass", "how it is absorbed"):
        assert part in found


def test_records_without_a_dose_are_reported_as_lost():
    asked = load_scenario(
        "racemic 10 mg/kg IP", TABLE, species="rat", perturbations=["NBQX 10 mg/kg IP at 1 h"],
        variant="habenula-parallel",
    )  # fmt: skip
    found = "\n".join(lossy_features(asked))
    for part in ("NBQX 10 mg/kg IP at 1 h", "habenula-parallel", "SPECIES", "mood.habenula_weight"):
        assert part in found
    assert "pharmacokinetics.central_volume" not in found, "the column SPECIES brings it"


def test_an_animal_survives_the_round_trip_with_its_kinetics_and_without_hope(folder, model):
    """Second road: the scenario it came from."""
    asked = load_scenario("racemic 10 mg/kg IP", TABLE, species="rat")
    heavier = {**asked.values, "person.weight": 0.4}
    text = doses_csv(asked.regimen, asked.horizon, heavier, TABLE, species="rat")
    found = scenarios(folder, text)[0]
    assert found.species == "rat"
    assert found.values == pytest.approx(heavier)
    (folder / "rat.yaml").write_text(found.source, encoding="utf-8")
    assert load_scenario(folder / "rat.yaml", TABLE).values == pytest.approx(heavier)
    looked = text.replace("1,672,", "1,1,.,.,.,0,.,.,.,1,.,.,.,.,.,.,.,0.4,rat\n1,24,")
    names = ("plasma.esketamine", "forced_swim.immobility")
    shown = solve_table(read(folder, looked), model, (*names, "mood.madrs"))
    assert shown["mood.madrs"].isna().all(), "a rat has no rating"
    usual = run_subjects(model, subjects(replace(asked, values=heavier), model)[:1], np.array([0.0, 1.0, 24.0]))
    for name in names:
        assert shown[name].to_numpy() == pytest.approx(usual[name].values[0, 1:], rel=1e-4), name


def test_species_stand_side_by_side_in_one_table(folder):
    text = "ID,TIME,AMT,CMT,DRUG,UNIT,SPECIES\nr,0,10,IP,ketamine,mg/kg,rats\np,0,35,IV,ketamine,mg,.\n"
    rat, person = read(folder, text).subjects
    assert (rat.species, person.species) == ("rat", "human")
    assert rat.values["person.weight"] == 0.3
    assert not person.values


RECORDS = {
    "ID": [1, 1, 1, 2, 2], "TIME": [0.0, 0.5, 24.0, 0.0, 2.25], "AMT": [28.0, np.nan, 56.0, 35.5, np.nan],
    "DUR": [np.nan, np.nan, 2 / 3, 0.1, np.nan], "CMT": ["nasal", None, "IV", "IV", None],
    "DV": [np.nan, 80.5, np.nan, np.nan, 1e-3], "WT": [70.0, 70.0, 70.0, 61.5, 61.5],
}  # fmt: skip


def from_polars(frame):
    return pytest.importorskip("polars").from_dict({name: list(cells) for name, cells in RECORDS.items()})


@pytest.mark.parametrize(
    "made",
    [lambda frame: frame, lambda frame: frame.set_index(["ID", "TIME"]), lambda frame: frame.astype(object),
     from_polars],
    ids=["pandas", "index", "object", "polars"],
)  # fmt: skip
def test_a_data_frame_is_read_as_its_file(folder, made):
    frame = pd.DataFrame(RECORDS)
    expected = read(folder, frame.to_csv(index=False, na_rep="."))
    found = read_doses(made(frame), TABLE, drug="esketamine")
    assert [one.name for one in found.subjects] == ["1", "2"]
    for mine, theirs in zip(found.subjects, expected.subjects, strict=True):
        assert mine.values == theirs.values
        for own, other in zip(mine.occasions, theirs.occasions, strict=True):
            assert own.regimen == other.regimen
            times, others = ([(one.time, one.row.text("DV")) for one in o.observations] for o in (own, other))
            assert times == others
    assert found.notes == expected.notes


@pytest.mark.parametrize(
    ("change", "said", "column"),
    [
        ({"TIME": [0, "soon", 24, 0, 2]}, "DataFrame, row 2: 'soon' is not a number", "TIME"),
        ({"CMT": ["nasal", None, "IV", "knee", None]}, "DataFrame, row 4: there is no compartment 'knee'", "CMT"),
        ({"WT": [70, 70, 70, 9000, 61]}, "DataFrame, row 4: WT of 9000", "WT"),
        ({"ID": [1, 2, 1, 2, 2]}, "DataFrame, row 3: ID 1 comes back", "ID"),
    ],
)
def test_errors_of_a_data_frame_name_row_and_column(change, said, column):
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        read_doses(pd.DataFrame(RECORDS | change), TABLE, drug="esketamine")
    assert refused.value.key == column


def test_what_is_no_data_frame_and_a_missing_column_are_refused():
    with pytest.raises(InputError, match="DataFrame: no column AMT"):
        read_doses(pd.DataFrame(RECORDS).drop(columns="AMT"), TABLE)
    with pytest.raises(InputError, match="a dose table of type list"):
        read_doses([1, 2], TABLE)


def test_a_data_frame_is_simulated_and_analysed_as_its_file(model, folder):
    frame = pd.DataFrame(RECORDS)
    path = folder / "frame.csv"
    frame.to_csv(path, index=False, na_rep=".")
    how = {"model": model, "drug": "esketamine", "outputs": ["venous.esketamine"]}
    found, expected = (ketamech.simulate(source, **how)["venous.esketamine"].values for source in (frame, path))
    np.testing.assert_array_equal(found, expected)
    assert np.nanmax(found) > 0
    settings = TableSettings(unit="ng/mL", drug="esketamine")
    mine, theirs = (profiles_of_table(source, TABLE, settings).profiles for source in (frame, path))
    assert [(one.subject, *one.level) for one in mine] == [(one.subject, *one.level) for one in theirs]
    assert mine
    with pytest.raises(InputError, match=r"there is no output 'venous\.hnk'") as refused:
        ketamech.fit(frame, model=model, drug="esketamine", observe="venous.hnk [ng/mL]")
    assert "hydroxynorketamine" in refused.value.nearest
    with pytest.raises(InputError, match="DataFrame: this is a dose table"):
        ketamech.attribute(frame, model=model)
