"""Non-compartmental analysis: against WinNonlin, against closed forms, and for profiles that lack something."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ketamech.core import convert
from ketamech.simulation.nca import (
    BOLUS,
    EXTRAVASCULAR,
    INFUSION,
    LINEAR,
    NcaDose,
    NcaRules,
    areas,
    non_compartmental,
    terminal_fit,
)
from ketamech.simulation.nca_tables import (
    ConcentrationProfile,
    adpp,
    analysed,
    litres_per_dose,
    nca_parameters,
    statistics,
    wide_table,
)

FOLDER = Path(__file__).parent / "nca"
DOSES = {"theoph": 320.0, "indometh": 25.0}


def records(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def levels(data, subject):
    rows = [row for row in records(f"{data}.csv") if row["subject"] == subject]
    return np.array([[float(row["time"]), float(row["level"])] for row in rows]).T


@pytest.mark.parametrize("row", records("winnonlin.csv"), ids=lambda row: "-".join(list(row.values())[:4]))
def test_every_parameter_is_that_of_winnonlin(row):
    """Second method: Phoenix WinNonlin, published (see the README of the folder)."""
    time, level = levels(row["data"], row["subject"])
    duration = 0.25 if row["route"] == INFUSION else 0.0
    dose = NcaDose(DOSES[row["data"]], row["route"], duration)
    found = non_compartmental(time, level, dose, NcaRules(row["trapezoids"]))
    expected = {code: float(text) for code, text in list(row.items())[4:] if text}
    assert {code: found[code] for code in expected} == pytest.approx(expected, rel=2e-7)
    assert not found.reasons


def test_of_regressions_within_the_tie_the_one_with_most_levels_wins():
    """By hand: the last three levels fit best, the last four within 0.0001 of them, the last five do not."""
    time, level = np.arange(8.0), np.exp(-0.3 * np.arange(8.0))
    level[4] *= 1.004
    level[3] *= 1.3
    exact = [terminal_fit(time, level, 0, (first, 7.0))[0].r2_adjusted for first in (5.0, 4.0, 3.0)]
    assert exact[0] > exact[1] > exact[0] - 1e-4 > exact[2]
    assert non_compartmental(time, level)["LAMZNPT"] == 4


def test_one_compartment_after_a_bolus_has_its_closed_form():
    """C = D/V exp(-k t): AUC = D/(V k), CL = k V, MRT = 1/k, Vss = V; C0 is found again from the first two levels."""
    dose, volume, k = 100.0, 20.0, 0.25
    time = np.array([0.25, 0.5, 1, 2, 4, 6, 8, 12])
    found = non_compartmental(time, dose / volume * np.exp(-k * time), NcaDose(dose, BOLUS))
    expected = {
        "C0": 5.0, "LAMZ": k, "LAMZHL": np.log(2) / k, "AUCIFO": 20.0, "AUCIFP": 20.0, "CLO": k * volume,
        "VZO": volume, "VSSO": volume, "MRTIBIFO": 1 / k, "AUCPEO": 100 * np.exp(-12 * k),
        "AUCPBEO": 100 * (1 - np.exp(-0.25 * k)), "AUMCIFO": 5.0 / k**2, "CMAXD": 5 * np.exp(-k / 4) / dose,
    }  # fmt: skip
    assert {code: found[code] for code in expected} == pytest.approx(expected, rel=1e-9)
    assert (found["TMAX"], found["LAMZNPT"]) == (0.25, 8)  # the peak is a measured one, not C0


def test_two_compartments_converge_to_their_closed_form():
    """C = A exp(-a t) + B exp(-b t): the error of the trapezoids falls with the square of the step."""
    a, b, first, second, dose = 1.5, 0.12, 8.0, 2.0, 100.0
    area, moment = first / a + second / b, first / a**2 + second / b**2
    errors = []
    for n in (50, 100, 200):
        time = np.concatenate([[0.0], np.geomspace(0.02, 80.0, n)])
        found = non_compartmental(
            time, first * np.exp(-a * time) + second * np.exp(-b * time), NcaDose(dose, BOLUS),
            NcaRules(terminal_window=(40.0, 80.0)),
        )  # fmt: skip
        assert found["LAMZ"] == pytest.approx(b, rel=1e-6)
        errors.append([found["CLO"] / (dose / area) - 1, found["VSSO"] / (dose * moment / area**2) - 1])
    assert np.abs(errors[-1]).max() < 2e-4
    rates = np.log2(np.abs(np.array(errors[:-1]) / np.array(errors[1:])))
    assert (rates > 1.8).all(), rates


def test_an_infusion_has_the_mean_residence_time_of_a_bolus():
    rate, length, k = 10.0, 2.0, 0.3
    time = np.concatenate([np.linspace(0, 2, 41), np.linspace(2.1, 30, 200)])
    rising = rate / k * (1 - np.exp(-k * np.minimum(time, length)))
    level = rising * np.exp(-k * np.maximum(0.0, time - length))
    found = non_compartmental(time, level, NcaDose(rate * length, INFUSION, length))
    assert found["MRTICIFO"] == pytest.approx(1 / k, rel=1e-3)
    assert found["CLO"] == pytest.approx(k, rel=1e-3)
    assert found["VSSO"] == pytest.approx(1.0, rel=1e-3)


def test_an_interval_at_steady_state_has_the_clearance_of_a_single_dose():
    """One compartment with bolus doses every tau: AUC of an interval = AUC to infinity of one dose; accumulation."""
    dose, volume, k, tau = 50.0, 10.0, 0.1, 12.0
    time = np.linspace(0.0, tau, 25)
    single = dose / volume * np.exp(-k * time)
    steady = single / (1 - np.exp(-k * tau))
    found = non_compartmental(time, steady, NcaDose(dose, BOLUS, interval=tau, steady_state=True))
    expected = {
        "AUCTAU": dose / volume / k, "CLTAU": k * volume, "VZTAU": volume, "CAVG": dose / volume / k / tau,
        "CMIN": steady[-1], "CTROUGH": steady[-1], "AILAMZ": 1 / (1 - np.exp(-k * tau)), "MRTIBIFO": 1 / k,
        "FLUCP": 100 * (steady[0] - steady[-1]) / (dose / volume / k / tau),
    }  # fmt: skip
    assert {code: found[code] for code in expected} == pytest.approx(expected, rel=1e-9)
    first = ConcentrationProfile("1", "x", time, single, "mg/L", NcaDose(dose, BOLUS, interval=tau))
    last = ConcentrationProfile(
        "1", "x", time, steady, "mg/L", NcaDose(dose, BOLUS, interval=tau, steady_state=True), dose_number=9
    )
    ratio = 1 / (1 - np.exp(-k * tau))
    assert analysed([first, last])[1].result["ARAUC"] == pytest.approx(ratio, rel=1e-9)
    assert analysed([first, last])[1].result["ARCMAX"] == pytest.approx(ratio, rel=1e-9)


def test_an_interval_that_ends_between_or_after_levels_is_interpolated_or_extrapolated():
    k, time = 0.2, np.array([0.0, 1, 2, 4, 6, 9])
    level = 8 * np.exp(-k * time)
    for tau in (5.0, 9.0, 12.0):
        found = non_compartmental(time, level, NcaDose(1.0, BOLUS, interval=tau))
        assert found["AUCTAU"] == pytest.approx(8 * (1 - np.exp(-k * tau)) / k, rel=1e-9)
        assert found["CTROUGH"] == pytest.approx(8 * np.exp(-k * tau), rel=1e-9)


def test_later_doses_without_a_stated_steady_state_have_no_clearance():
    time = np.array([0.0, 1, 2, 4, 6, 9])
    dose = NcaDose(10.0, EXTRAVASCULAR, interval=9.0, carried_over=True)
    found = non_compartmental(time, 5 + 8 * np.exp(-0.2 * time), dose)
    assert np.isfinite(found["AUCTAU"])
    assert np.isnan([found["CLFO"], found["VZFO"]]).all()
    assert "no steady state is stated" in found.reasons["CLFO"]
    assert "TLAG" not in found.values


def test_areas_are_linear_while_levels_rise_and_logarithmic_while_they_fall():
    """By hand: 1 while rising, 3 while level, 2 (4 - 2) / ln 2 and 3 (2 - 1) / ln 2 while falling."""
    time, level = np.array([0, 0.5, 1.25, 3.25, 6.25, 8]), np.array([0, 4.0, 4.0, 2.0, 1.0, 0])
    falling = 2 * (4 - 2) / np.log(2) + 3 * (2 - 1) / np.log(2)
    found = non_compartmental(time, level)
    assert found["AUCLST"] == pytest.approx(1 + 3 + falling, rel=1e-12)
    assert found["AUCALL"] == pytest.approx(1 + 3 + falling + 1.75 / 2, rel=1e-12)
    assert (found["CMAX"], found["TMAX"], found["CLST"], found["TLST"]) == (4.0, 0.5, 1.0, 6.25)
    both = areas(np.tile(time, (3, 1)), np.tile(level, (3, 1)))[0]
    assert both.sum(axis=1) == pytest.approx([found["AUCALL"]] * 3, rel=1e-12)
    assert areas(time, level, LINEAR)[0].sum() == pytest.approx(1 + 3 + 6 + 4.5 + 1.75 / 2, rel=1e-12)


def test_blq_is_zero_before_the_first_level_and_missing_between_levels():
    time = np.array([0.0, 1, 2, 3, 4, 5, 6, 8])
    level = np.array([0.3, -0.2, 4.0, 0.1, 2.0, 1.0, 0.5, 0.1])
    found = non_compartmental(time, level, NcaDose(10.0), NcaRules(lloq=0.5))
    rest = np.array([False, True, True, False, True, True, True, False])
    plain = non_compartmental(time[rest], np.where(level[rest] < 0, 0, level[rest]), NcaDose(10.0))
    for code in ("AUCLST", "AUCIFO", "LAMZ", "CMAX", "TLST", "TLAG"):
        assert found[code] == plain[code], code
    assert found["TLAG"] == 1.0
    zero = non_compartmental(time, level, NcaDose(10.0), NcaRules(lloq=0.5, zero_between=True))
    assert zero["AUCLST"] < found["AUCLST"]
    assert zero["LAMZ"] == found["LAMZ"]  # 0 never enters a logarithm


def test_a_profile_that_is_all_blq_has_a_peak_of_zero_and_reasons():
    for route in (BOLUS, INFUSION, EXTRAVASCULAR):
        found = non_compartmental(np.arange(4.0), np.array([0.0, -1, 0.2, 0]), NcaDose(9.0, route), NcaRules(lloq=0.5))
        assert found["CMAX"] == 0.0
        others = {code: value for code, value in found.values.items() if code != "CMAX"}
        assert len(others) > 25
        assert np.isnan(list(others.values())).all()
        assert set(found.reasons) == set(others)
        assert set(found.reasons.values()) == {"every level is below the limit of quantification"}
    nothing = non_compartmental(np.array([1.0, 2.0]), np.array([np.nan, np.nan]))
    assert np.isnan(nothing["CMAX"])
    assert nothing.reasons["CMAX"] == "no level was measured"


def test_what_cannot_be_estimated_says_why():
    rising = non_compartmental(np.arange(6.0), np.array([0, 9, 1, 2, 3, 4.0]), NcaDose(5.0))
    assert rising.reasons["LAMZHL"] == rising.reasons["AUCIFO"] == rising.reasons["CLFO"]
    assert rising.reasons["CLFO"] == "the last levels do not fall"
    few = non_compartmental(np.arange(4.0), np.array([1, 9.0, 4, 2]), NcaDose(5.0))
    assert np.isnan(few["LAMZ"])
    assert "fewer than three levels after the peak" in few.reasons["AUCPEO"]
    unknown = non_compartmental(np.arange(6.0), np.exp(-np.arange(6.0)), NcaDose(None, BOLUS))
    assert unknown.reasons["CLO"] == unknown.reasons["CMAXD"] == "the dose is not known"
    units = non_compartmental(np.arange(6.0), np.exp(-np.arange(6.0)), NcaDose(5.0, BOLUS, litres=None))
    assert "molar mass" in units.reasons["CLO"]
    assert units["CMAXD"] == 0.2
    window = non_compartmental(np.arange(9.0), np.exp(-np.arange(9.0)), rules=NcaRules(terminal_window=(6.5, 8.0)))
    assert "from 6.5 to 8 h" in window.reasons["LAMZ"]


def test_a_single_level_has_a_peak_and_no_slope():
    found = non_compartmental(np.array([0.5, 1.0]), np.array([np.nan, 3.0]))
    assert (found["CMAX"], found["AUCLST"]) == (3.0, 1.5)  # from 0 at the time of the dose
    assert np.isnan(found["LAMZ"])


def test_poor_terminal_phases_are_flagged():
    short = non_compartmental(np.array([0, 1, 2, 3, 4.0]), 9 * np.exp(-0.1 * np.arange(5.0)), NcaDose(1.0, BOLUS))
    assert [flag.split()[-1] for flag in short.flags] == ["extrapolated", "half-lives"]
    long = non_compartmental(np.linspace(0, 60, 20), np.exp(-0.1 * np.linspace(0, 60, 20)), NcaDose(1.0, BOLUS))
    assert not long.flags


def test_clearance_is_in_litres_whatever_the_units():
    """One mg in 1000 L is 1 ng/mL; a molar mass converts moles; doses per kilogram give volumes per kilogram."""
    assert litres_per_dose("mg", "ng/mL", None) == pytest.approx(1000.0)
    assert litres_per_dose("mg/kg", "ng/mL", None) == pytest.approx(1000.0)
    assert litres_per_dose("mg", "umol/L", 237.73) == pytest.approx(convert(1, "mg", "umol", molar_mass=237.73))
    assert litres_per_dose("mg", "umol/L", None) is None
    time = np.arange(8.0)
    profile = ConcentrationProfile(
        "7", "ketamine", time, 200 * np.exp(-0.5 * time), "ng/mL",
        NcaDose(0.5, BOLUS, litres=litres_per_dose("mg/kg", "ng/mL", None)), dose_unit="mg/kg",
    )  # fmt: skip
    (row,) = wide_table(analysed([profile])).to_dict("records")
    assert row["CLO (L/kg/h)"] == pytest.approx(0.5 * 1000 / 400, rel=1e-9)
    assert row["CMAXD (ng/mL/mg/kg)"] == 400
    assert row["AUCIFO (h*ng/mL)"] == pytest.approx(400)


def test_tables_state_every_unit_and_reason():
    time = np.arange(8.0)
    good = ConcentrationProfile("1", "ketamine", time, 9 * np.exp(-time), "ng/mL", NcaDose(5.0, BOLUS))
    bad = ConcentrationProfile("2", "ketamine", time, 0 * time, "ng/mL", NcaDose(5.0, BOLUS))
    rows = analysed([good, bad])
    wide, long, over = wide_table(rows), adpp(rows, "study"), statistics(rows)
    assert wide["missing because"].tolist() == ["", "every level is below the limit of quantification"]
    assert list(wide.columns[:7]) == ["ID", "ANALYTE", "OCC", "DOSENO", "DOSETIME (h)", "DOSE (mg)", "ROUTE"]
    one = long[(long["USUBJID"] == "1") & (long["PARAMCD"] == "AUCLST")].iloc[0]
    assert (one["PARAM"], one["AVALU"]) == ("AUC to Last Nonzero Conc (h*ng/mL)", "h*ng/mL")
    assert (one["PPSCAT"], one["STUDYID"], one["DOSEU"]) == ("SINGLE DOSE", "study", "mg")
    missing = long[long["AVAL"].isna()]
    assert set(missing["USUBJID"]) == {"2"}
    assert (missing["PPREASND"] != "").all()
    peak = over[over["PARAMCD"] == "CMAX"].iloc[0]
    assert (peak["n"], peak["mean"], peak["median"]) == (2, 4.5, 4.5)
    assert over[over["PARAMCD"] == "LAMZ"].iloc[0]["n"] == 1
    assert np.isnan(peak["geometric mean"])  # a peak of 0 has none


def test_profiles_of_other_units_have_columns_of_their_own():
    time = np.arange(8.0)
    rows = analysed(
        ConcentrationProfile("1", name, time, 9 * np.exp(-time), unit, NcaDose(5.0, BOLUS), dose_unit=dose)
        for name, unit, dose in (("a", "ng/mL", "mg"), ("b", "umol/L", "mg/kg"))
    )
    wide = wide_table(rows)
    for column in ("CMAX (ng/mL)", "CMAX (umol/L)", "DOSE (mg)", "DOSE (mg/kg)", "CLO (L/h)", "CLO (L/kg/h)"):
        assert wide[column].notna().sum() == 1, column
    assert statistics(rows).groupby("PARAMCD")["ANALYTE"].count().max() == 2
    assert wide_table([]).empty
    assert adpp([]).empty
    assert statistics([]).empty


def test_statistics_are_of_one_occasion_and_of_one_unit():
    time = np.arange(8.0)

    def profile(subject, scale, occasion, dose="mg"):
        dosed = NcaDose(5.0, BOLUS)
        return ConcentrationProfile(
            subject, "a", time, scale * np.exp(-time), "ng/mL", dosed, dose_unit=dose, occasion=occasion
        )

    over = statistics(
        analysed([profile("1", 2, 1), profile("2", 8, 1), profile("1", 1, 2), profile("2", 1, 2, "mg/kg")])
    )
    peaks = over[over["PARAMCD"] == "CMAX"]
    assert peaks["OCC"].tolist() == [1, 2]
    assert peaks["geometric mean"].tolist() == pytest.approx([4.0, 1.0])
    assert peaks["geometric CV %"].iloc[0] == pytest.approx(100 * np.sqrt(np.expm1(np.log(4) ** 2 / 2)))
    mixed = over[(over["PARAMCD"] == "CLO") & (over["OCC"] == 2)].iloc[0]
    assert mixed["n"] == 0
    assert set(mixed["unit"].split(", ")) == {"L/h", "L/kg/h"}


def test_every_parameter_is_in_the_table_of_codes():
    doses = [
        NcaDose(1.0, route, interval=6.0, steady_state=steady, carried_over=carried)
        for route in (BOLUS, INFUSION, EXTRAVASCULAR)
        for steady, carried in ((False, False), (True, False), (False, True))
    ]
    time = np.arange(9.0)
    made = {code for dose in doses for code in non_compartmental(time, np.exp(-time), dose).values}
    assert made | {"ARAUC", "ARCMAX"} == set(nca_parameters())
