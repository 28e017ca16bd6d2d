"""Concentration profiles for the non-compartmental analysis: what a data table means, and simulated curves."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ketamech import simulate
from ketamech.core import InputError
from ketamech.exchange.concentration_profiles import TableSettings, profiles_of_table
from ketamech.exchange.nca_profiles import profiles_of_curves
from ketamech.parameters import load_parameters
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.nca import BOLUS, EXTRAVASCULAR, INFUSION
from ketamech.simulation.nca_tables import analysed

TABLE = load_parameters()


@pytest.fixture
def profiles(tmp_path):
    def read(text, **settings):
        path = tmp_path / "levels.csv"
        path.write_text(text, encoding="utf-8")
        return profiles_of_table(path, TABLE, TableSettings(**({"unit": "ng/mL"} | settings)))

    return read


def test_a_dose_is_a_bolus_an_infusion_or_extravascular(profiles):
    text = (
        "ID,TIME,AMT,RATE,CMT,DV\n1,0,35,0,IV,.\n1,1,.,.,.,50\n2,0,35,70,IV,.\n2,1,.,.,.,50\n3,0,50,0,oral,.\n"
        "3,1,.,.,.,20\n"
    )
    found = profiles(text).profiles
    assert [(p.dose.route, p.dose.duration, p.dose.amount) for p in found] == [
        (BOLUS, 0.0, 35.0),
        (INFUSION, 0.5, 35.0),
        (EXTRAVASCULAR, 0.0, 50.0),
    ]
    assert [p.dose.litres for p in found] == pytest.approx([1000.0] * 3)


def test_censored_levels_are_below_the_limit_of_quantification(profiles):
    """As in a fit of the same table: DV of a record with CENS 1 is the limit, not a level."""
    text = "ID,TIME,AMT,CMT,DV,CENS,BLQ,MDV\n1,0,9,IV,.,.,.,1\n1,1,.,.,8,0,0,0\n1,2,.,.,2,1,0,0\n1,3,.,.,2,0,1,0\n"
    found = profiles(text + "1,4,.,.,.,0,1,0\n1,5,.,.,90,-1,0,0\n1,6,.,.,2,1,0,1\n1,7,.,.,loq,0,0,0\n")
    (only,) = found.profiles
    assert dict(zip(only.time, only.level, strict=True)) == {1: 8, 2: 0, 3: 0, 4: 0, 5: 90, 7: 0}
    assert any("CENS -1" in note and "line 7" in note for note in found.notes)


def test_amounts_are_milligrams_of_free_base(profiles):
    head = "ID,TIME,AMT,CMT,UNIT,SALT,WT,DV\n"
    (heavy,) = profiles(head + "1,0,0.5,IV,mg/kg,base,80,.\n1,1,0,.,.,.,80,9\n").profiles
    assert (heavy.dose.amount, heavy.dose_unit) == (40.0, "mg")
    (unknown,) = profiles(head + "1,0,0.5,IV,mg/kg,base,.,.\n1,1,0,.,.,.,.,9\n").profiles
    assert (unknown.dose.amount, unknown.dose_unit) == (0.5, "mg/kg")
    (surface,) = profiles(head + "1,0,20,IV,mg/m2,base,70,.\n1,1,0,.,.,.,70,9\n").profiles
    assert (surface.dose.amount, surface.dose_unit) == (pytest.approx(36.59, abs=0.01), "mg")
    with pytest.raises(InputError, match="per body surface needs a weight"):
        profiles(head + "1,0,20,IV,mg/m2,base,.,.\n1,1,0,.,.,.,.,9\n")
    (salt,) = profiles(head + "1,0,40000,IV,ug,hydrochloride,.,.\n1,1,0,.,.,.,.,9\n").profiles
    assert salt.dose.amount == pytest.approx(40 * TABLE["drug.hydrochloride_factor"].value)


def test_each_dose_of_several_has_its_own_profile(profiles):
    """A level before a dose ends the interval before; it begins the next one unless that dose is a bolus."""
    text = "ID,TIME,AMT,CMT,EVID,DV,II,ADDL\n1,0,10,{0},1,.,.,.\n1,1,.,.,0,90,.,.\n1,4,.,.,0,60,.,.\n1,8,.,.,0,30,.,.\n"
    text += "1,8,10,{0},1,.,8,1\n1,9,.,.,0,110,.,.\n1,12,.,.,0,80,.,.\n1,16,.,.,0,45,.,.\n1,17,.,.,0,120,.,.\n"
    for route, begin in (("oral", [0.0, 1.0, 4.0, 8.0]), ("IV", [1.0, 4.0, 8.0])):
        first, second = profiles(text.format(route)).profiles
        assert first.time.tolist() == [1.0, 4.0, 8.0]
        assert second.time.tolist() == begin
        assert (second.dose_number, second.dose_time, second.dose.interval) == (2, 8.0, 8.0)
        assert (first.dose.carried_over, second.dose.carried_over) == (False, True)
        assert second.level[-1] == 45.0  # sampled before the dose that ADDL implies at 16 h
    read = profiles(text.format("oral"), steady_state=True)
    assert [p.dose.steady_state for p in read.profiles] == [False, True]
    assert "fewer than 3 levels" in " ".join(read.notes)  # the third interval has one level


def test_occasions_whose_time_restarts_are_separate_profiles(profiles):
    text = (
        "ID,TIME,AMT,CMT,EVID,DV\n1,0,10,IV,1,.\n1,1,.,.,0,9\n1,2,.,.,0,5\n1,0,20,oral,4,.\n1,1,.,.,0,7\n1,2,.,.,0,3\n"
    )
    first, second = profiles(text).profiles
    assert [(p.occasion, p.dose.amount, p.dose.route) for p in (first, second)] == [
        (1, 10.0, BOLUS),
        (2, 20.0, EXTRAVASCULAR),
    ]
    assert (first.level.tolist(), second.level.tolist()) == ([9.0, 5.0], [7.0, 3.0])
    assert not second.dose.carried_over


def test_a_start_at_steady_state_is_an_interval_at_steady_state(profiles):
    text = "ID,TIME,AMT,CMT,EVID,SS,II,DV\n1,0,10,IV,1,1,12,.\n1,1,.,.,0,0,0,9\n1,6,.,.,0,0,0,5\n1,11,.,.,0,0,0,3\n"
    (found,) = profiles(text).profiles
    assert (found.dose.steady_state, found.dose.interval, found.category) == (True, 12.0, "STEADY STATE")


def test_analytes_and_units_are_read_from_columns(profiles):
    text = "ID,TIME,AMT,CMT,DVID,DVU,DV\n1,0,35,IV,.,.,.\n1,1,.,.,ket,ng/mL,50\n1,1,.,.,nor,umol/L,0.1\n"
    ket, nor = profiles(text, unit=None, drug="ketamine").profiles
    assert [(p.analyte, p.level_unit) for p in (ket, nor)] == [("ket", "ng/mL"), ("nor", "umol/L")]
    molar = TABLE["drug.ketamine_molar_mass"].value
    assert nor.dose.litres == pytest.approx(1000 / molar)
    (other,) = profiles("ID,TIME,AMT,CMT,DV\n1,0,35,IV,.\n1,1,.,.,5\n", unit="umol/L").profiles
    assert other.dose.litres is None
    (stated,) = profiles("ID,TIME,AMT,CMT,DV\n1,0,35,IV,.\n1,1,.,.,5\n", unit="umol/L", molar_mass=500.0).profiles
    assert stated.dose.litres == pytest.approx(2.0)


def test_a_unit_may_be_written_in_two_ways(profiles):
    (one,) = profiles("ID,TIME,AMT,CMT,DVU,DV\n1,0,35,IV,.,.\n1,1,.,.,ug/L,50\n", unit="ng/mL").profiles
    assert one.level_unit == "ng/mL"


def test_words_and_negative_numbers_below_the_limit_are_flagged_and_zero(profiles):
    text = "ID,TIME,AMT,CMT,MDV,DV\n1,0,9,IV,1,.\n1,1,.,.,0,BLQ\n1,2,.,.,0,<0.5\n1,3,.,.,0,-0.1\n"
    text += "1,4,.,.,1,77\n1,5,.,.,0,3\n"
    found = profiles(text)
    assert found.profiles[0].level.tolist() == [0.0, 0.0, -0.1, 3.0]
    assert any("DV of -0.1 (ID 1, line 5) counts as below the limit" in note for note in found.notes)
    assert np.isfinite(analysed(found.profiles)[0].result["AUCLST"])


@pytest.mark.parametrize("level", ["5,1,0,.", "5,0,1,.", ".,0,1,5", ".,1,0,5", "0,1,0,5"])
def test_censored_levels_are_below_the_limit(profiles, level):
    text = f"ID,TIME,AMT,CMT,DV,CENS,BLQ,LLOQ\n1,0,9,IV,.,.,.,.\n1,1,.,.,40,0,0,.\n1,2,.,.,{level}\n"
    assert profiles(text).profiles[0].level.tolist() == [40.0, 0.0]


def test_the_unit_of_a_record_is_not_replaced_by_another(profiles):
    text = "ID,TIME,AMT,CMT,DV,UNIT\n1,0,9,IV,.,mg\n1,1,.,.,40,{}\n"
    assert profiles(text.format("mg")).profiles[0].level_unit == "ng/mL"
    assert profiles(text.format("umol/L"), unit=None).profiles[0].level_unit == "umol/L"
    with pytest.raises(InputError, match="the level is in umol/L, --unit says ng/mL"):
        profiles(text.format("umol/L"))


def test_the_same_level_twice_is_read_once(profiles):
    text = "ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,40\n1,1,.,.,{}\n1,2,.,.,20\n"
    found = profiles(text.format(40))
    assert found.profiles[0].level.tolist() == [40.0, 20.0]
    assert any("lines 3 and 4 have the same level" in note for note in found.notes)
    with pytest.raises(InputError, match="two levels of DV of ID 1 at TIME 1"):
        profiles(text.format(41))


def test_analytes_that_are_not_named_are_left_out(profiles):
    text = "ID,TIME,AMT,CMT,DVID,DV\n1,0,9,IV,.,.\n1,1,.,.,1,40\n1,1,.,.,madrs,high\n"
    (found,) = profiles(text, analytes=("1",)).profiles
    assert (found.analyte, found.level.tolist()) == ("1", [40.0])
    with pytest.raises(InputError, match="there is no analyte '2'"):
        profiles(text, analytes=("1", "2"))


def test_only_columns_without_another_meaning_are_suggested_for_levels(profiles):
    with pytest.raises(InputError, match="other columns: CONC") as problem:
        profiles("ID,TIME,AMT,CMT,DVID,CONC\n1,0,9,IV,.,.\n1,1,.,.,1,40\n")
    assert "nearest" not in str(problem.value)


def test_a_drug_that_the_model_does_not_know_is_taken_as_it_stands(profiles):
    text = "ID,TIME,AMT,DRUG,ROUTE,DV\n1,0,9,theophylline,oral,.\n1,1,.,.,.,3\n"
    found = profiles(text, unit="mg/L")
    assert found.profiles[0].dose.litres == pytest.approx(1.0)
    assert any("theophylline is no drug of the model" in note for note in found.notes)


def test_columns_that_resemble_others_and_repeated_doses_are_flagged(profiles):
    text = "ID,TIME,AMT,CMT,DV,EVID,SITE\n1,0,9,IV,.,1,a\n1,0,9,IV,.,1,a\n1,1,.,.,3,0,a\n"
    with pytest.raises(InputError, match="the column EVDI is not known"):
        profiles(text.replace("EVID", "EVDI"))
    found = profiles(text)
    assert "lines 2 and 3 are the same dose, which is given twice" in found.notes
    assert not any("SITE" in note or "left out" in note for note in found.notes)
    assert found.profiles[0].dose.amount == 18.0


def test_levels_without_a_dose_and_doses_by_two_routes_are_flagged(profiles):
    text = "ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,0,5,oral,.\n1,1,.,.,3\n2,1,.,.,3\n"
    found = profiles(text)
    assert [p.subject for p in found.profiles] == ["1"]
    assert "the doses IV and oral of ID 1 at one time count as one dose IV" in found.notes
    assert "levels of ID 2 without a dose before them are left out" in found.notes


def test_a_patient_that_could_not_be_solved_has_no_levels():
    scenario = load_scenario("racemic 35 mg IV", TABLE)
    level = np.array([[1.0, 0.5, 1e-9, 0.2], [np.nan] * 4])
    curves = xr.Dataset(
        {"venous.ketamine": (("patient", "time"), level, {"units": "umol/L"})},
        {"patient": [0, 1], "time": [0.1, 1.0, 2.0, 3.0]},
    )
    good, failed = analysed(profiles_of_curves(curves, scenario, TABLE, ["venous.ketamine"]).profiles)
    assert good.result["CMAX"] == pytest.approx(TABLE["drug.ketamine_molar_mass"].value)
    assert good.profile.level[2] == 0
    assert failed.result.reasons["CMAX"] == "no level was measured"


def test_simulated_profiles_have_the_doses_of_the_scenario():
    """An infusion per kilogram at 90 kg, half of it S-ketamine, and doses by mouth after 12 h and 20 h."""
    text = "racemic 0.5 mg/kg IV over 40 min; esketamine 10 mg oral at 12 h; esketamine 5 mg oral at 20 h"
    scenario = load_scenario(text, TABLE)
    scenario = replace(scenario, values={"person.weight": 90.0})
    time = np.linspace(0.0, 24.0, 49)
    level = np.where(time < 23, np.exp(-time / 6), 1e-5)
    curves = xr.Dataset(
        {"venous.esketamine": (("patient", "time"), [level, 0 * level], {"units": "umol/L"})},
        {"patient": ["treated", "control"], "time": time},
    )
    found = profiles_of_curves(curves, scenario, TABLE, ["venous.esketamine"], lloq=True)
    molar = TABLE["drug.ketamine_molar_mass"].value
    assert [(p.dose.amount, p.dose_unit) for p in found.profiles] == [
        (pytest.approx(0.5 * 0.5 * 90), "mg"), (pytest.approx(10), "mg"), (pytest.approx(5), "mg"),
    ]  # fmt: skip
    assert [(p.dose.route, p.dose.duration, p.dose.interval) for p in found.profiles] == [
        (INFUSION, pytest.approx(2 / 3), 12.0), (EXTRAVASCULAR, 0.0, 8.0), (EXTRAVASCULAR, 0.0, 8.0),
    ]  # fmt: skip
    assert [(p.time[0], p.time[-1]) for p in found.profiles] == [(0, 12), (0, 8), (0, 4)]
    first, second, third = (p.level for p in found.profiles)
    assert first[-1] == second[0] == pytest.approx(np.exp(-2) * molar)
    assert third[-1] == pytest.approx(1e-5 * molar)
    assert not found.notes
    usual = profiles_of_curves(curves, scenario, TABLE, ["venous.esketamine"], per_kilogram=True)
    assert [(p.dose.amount, p.dose_unit) for p in usual.profiles] == [
        (pytest.approx(0.25), "mg/kg"), (pytest.approx(10), "mg"), (pytest.approx(5), "mg"),
    ]  # fmt: skip
    assert usual.profiles[-1].level[-1] == 0
    assert "levels below 0.1 % of the highest" in usual.notes[0]


REFUSED = {
    "have no unit": ("ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,5\n", {"unit": None}, 3, "--unit ng/mL"),
    "not a unit of a concentration": ("ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,5\n", {"unit": "mg"}, 3, "--unit ng/mL"),
    "two levels of DV of ID 1 at TIME 1 .lines 3 and 4": (
        "ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,5\n1,1,.,.,6\n", {}, 4, None,
    ),
    "'x' is not a number": ("ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,x\n", {}, 3, None),
    "no column 'CONC' with levels": ("ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,5\n", {"column": "CONC"}, 1, None),
    "the route of the dose is not stated": ("ID,TIME,AMT,DV\n1,0,9,.\n1,1,.,5\n", {}, 2, "--route IV"),
    "no subject has a dose and a level": ("ID,TIME,AMT,CMT,DV\n1,0,9,IV,.\n1,1,.,.,.\n", {}, None, None),
    "the unit of DV changes from ng/mL to mg/L": (
        "ID,TIME,AMT,CMT,DVU,DV\n1,0,9,IV,.,.\n1,1,.,.,ng/mL,5\n1,2,.,.,mg/L,5\n", {"unit": None}, 4, None,
    ),
    "is given ketamine and midazolam": (
        "ID,TIME,AMT,CMT,DRUG,DV\n1,0,9,IV,ketamine,.\n1,0,2,IV,midazolam,.\n1,1,.,.,.,5\n", {}, 3, "--drug ketamine",
    ),
    "there is no route 'orall'": ("ID,TIME,AMT,DV\n1,0,9,.\n1,1,.,5\n", {"route": "orall"}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_in_a_table_is_one_error_with_its_line(what, profiles):
    text, settings, line, type_this = REFUSED[what]
    with pytest.raises(InputError, match=what) as problem:
        profiles(text, **settings)
    assert problem.value.line == line
    assert problem.value.type_this == type_this


def test_one_drug_of_several_can_be_chosen(profiles):
    text = "ID,TIME,AMT,CMT,DRUG,DV\n1,0,9,IV,ketamine,.\n1,0,2,IV,midazolam,.\n1,1,.,.,.,5\n"
    (found,) = profiles(text, drug="midazolam").profiles
    assert found.dose.amount == 2.0


def test_simulated_clearance_is_that_of_the_curve(model):
    """Second method: dose over the area of a dense curve by linear trapezoids, in the units of the model."""
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", TABLE)
    curves = simulate(scenario, model=model)
    names = ["venous.ketamine", "venous.esketamine", "venous.norketamine"]
    total, s_form, metabolite = (
        row.result for row in analysed(profiles_of_curves(curves, scenario, TABLE, names).profiles)
    )
    molar = TABLE["drug.ketamine_molar_mass"].value
    dose = 35 * 1000 / molar
    area = np.trapezoid(curves["venous.ketamine"].sel(patient="treated"), curves["time"])
    assert total["CLO"] == pytest.approx(dose / area, rel=0.01)
    assert total["TMAX"] == pytest.approx(2 / 3, abs=0.02)
    s_area = np.trapezoid(curves["venous.esketamine"].sel(patient="treated"), curves["time"])
    assert s_form["CLO"] == pytest.approx(dose / 2 / s_area, rel=0.01)
    assert metabolite.reasons["CLO"] == "the dose is of another substance"
    assert metabolite["CMAX"] > 0
