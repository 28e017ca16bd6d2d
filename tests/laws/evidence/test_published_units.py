"""Printed units, times and spreads become numbers in canonical units."""

import pytest

from ketamech.evidence import load_evidence, parse_spread
from ketamech.evidence.load_evidence import time_hours
from molar_masses import KETAMINE, NORKETAMINE


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("gilling-ket-ic50", 0.71, "umol/L"),  # micromolar
        ("dahan-c50", 10.5 / KETAMINE, "umol/L"),  # ng/mL of ketamine
        ("perez-t4-18-60-caucasian-28-noresketamine-cmax", 59.1 / NORKETAMINE, "umol/L"),  # metabolite's own mass
        ("perez-t4-18-60-caucasian-28-esketamine-auc0-24", 147.3 / KETAMINE, "h*umol/L"),
        ("dahan-thalf", 10.9 * 24, "h"),
        ("naltrexone-cbf", 0.0, "1"),  # a yes-or-no code stays as it is
        ("synapse-base-pbo", 35.0, "points"),
        ("hm07-fs-frac", 0.86, "1"),  # percent
        ("perez-kmet", 2.77, "1/h"),
        ("mw-ketamine", KETAMINE * 1e-9, "kg/umol"),
    ],
)
def test_values_in_canonical_units(evidence, name, value, unit):
    row = evidence[name]
    assert row.canonical_value == pytest.approx(value, rel=1e-6)
    assert row.canonical_unit == unit
    assert row.canonical(row.value) == row.canonical_value


def test_a_mass_of_something_else_stays_a_mass(evidence):
    cytokine = next(row for row in evidence.observations.values() if row.unit == "pg/mL")
    assert cytokine.canonical_unit == "kg/L"


def test_no_drug_concentration_is_left_in_mass_units(evidence):
    left = [row.id for row in evidence.observations.values() if row.unit == "ng/mL" and row.canonical_unit != "umol/L"]
    assert left == []


def test_rates_per_molar_and_per_second(evidence):
    units = {row.unit: row.factor for row in evidence.observations.values()}
    assert units["per molar per second"] == pytest.approx(3600 / 1e6)  # L/umol/h
    assert units["per second"] == pytest.approx(3600)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("24 h", 24),
        ("2 d", 48),
        ("0.25 h from start", 0.25),
        ("40 min", 2 / 3),
        ("day 1", 24),
        ("week 24", 24 * 168),
        ("re-induction end (4 weeks)", 672),
        ("8 d (period end, doses days 1 and 4)", 192),
        ("3 minutes", 0.05),
        ("0-60 min", None),
        ("30 min and 24 h", None),
        ("within 1 h", None),
        ("30 min - 24 h", None),
        ("-66 mV, 1 mM Mg", None),
        ("end of infusion", None),
        ("", None),
    ],
)
def test_times(text, hours):
    assert time_hours(text) == (None if hours is None else pytest.approx(hours))


@pytest.mark.parametrize(
    ("text", "value", "kind", "low", "high"),
    [
        ("SD 10", -14, "sd", -24, -4),
        ("SE 0.03", 0.71, "se", 0.71 - 1.959964 * 0.03, 0.71 + 1.959964 * 0.03),
        ("SE 4.8; CI95 4.37-21.2", 10.5, "ci", 4.37, 21.2),
        ("CI95 -10.38 to 9.50", -0.4, "ci", -10.38, 9.5),
        ("CI80 -12.3 to -4.5", -8, "ci", -12.3, -4.5),
        ("range -20 to -40", -30, "range", -40, -20),
        ("IIV CV% 61.5", 2.93, "cv", 2.93 / 1.7615, 2.93 * 1.7615),
        ("RSE 10%", 5, "se", 5 - 0.98, 5 + 0.98),
        ("about +-20 points", 150, "range", 130, 170),
        ("t 2.4 p 0.02 (SE about 5.4)", 13, "se", 13 - 10.5838, 13 + 10.5838),
        ("CI -0.81 to 0.02", -0.39, "ci", -0.81, 0.02),
        ("CV 10.8 %", 102, "cv", 102 / 1.1137, 102 * 1.1137),
        ("geometric SD 1.71", 296, "cv", 296 / 1.71, 296 * 1.71),
        ("SE 0.5e5", 1.5e5, "se", 1.5e5 - 0.98e5, 1.5e5 + 0.98e5),
    ],
)
def test_spreads(text, value, kind, low, high):
    spread = parse_spread(text, value)
    assert spread.kind == kind
    assert (spread.low, spread.high) == (pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P<0.05",
        "SD or SE 10",
        "WT F(3,19)=18.88 p<0.0001",
        "7 of 12",
        "at least",
        "geometric SD 1",
        "difference 0.36 (CI -6 to 7)",
    ],
)
def test_text_that_is_no_interval_gives_none(text):
    assert parse_spread(text, 1.0).kind == "none"


def test_counts_of_people_are_numbers_or_left_as_text(evidence):
    row = next(row for row in evidence.observations.values() if row.n_text == "1203-1428")
    assert row.n is None
    assert evidence["perez-frn"].n == 820
