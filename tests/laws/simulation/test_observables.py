"""Reading numbers off curves, and judging them, on curves whose answers are known."""

import math

import numpy as np
import pytest

from ketamech.analysis.scorecard_targets import compare_with_published
from ketamech.core import InputError
from ketamech.evidence import load_evidence, log_standard_error, standard_error
from ketamech.simulation.observable import Observable, TimeCourse, unit_of

HOURS = np.concatenate([[0.0], np.geomspace(1e-3, 200, 4000)])
RATE = math.log(2) / 4


def patient(**more):
    """Ten umol given, washed out of 5 L with a half-life of 4 h; another output rises from 2 to 3 and stays."""
    drug = 2.0 * np.exp(-RATE * HOURS)
    outputs = {"plasma.drug": drug, "spines.density": 2 + np.minimum(HOURS, 10) / 10, **more}
    return TimeCourse(HOURS, outputs, {"plasma.drug": 0.0, "spines.density": 2.0}, doses=10.0)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Observable("plasma.drug", time="4"), 1.0),
        (Observable("plasma.drug + plasma.drug * 2", time="4"), 3.0),
        (Observable("plasma.drug", statistic="max"), 2.0),
        (Observable("plasma.drug", statistic="auc", time="0-4"), 1.0 / RATE),
        (Observable("plasma.drug", statistic="half_life", time="1-9"), 4.0),
        (Observable("plasma.drug", statistic="clearance"), 5 * RATE),
        (Observable("plasma.drug", statistic="steady_volume"), 5.0),
        (Observable("plasma.drug", statistic="clearance", time="10-12"), 5 * math.exp(10 * RATE) / (5 + 1 / RATE)),
        (Observable("plasma.drug", statistic="of_dose", time="0"), 0.2),
        (Observable("plasma.drug", relative_to="of_peak", statistic="time_above", level=0.5), 4.0),
        (Observable("spines.density", relative_to="rise", time="5"), 0.25),
        (Observable("spines.density", relative_to="change", statistic="relative", time="5;10"), 0.5),
        (Observable("spines.density", statistic="first_above", level=2.5), 5.0),
        (Observable("plasma.drug", relative_to="of_peak", statistic="last_above", level=0.5), 4.0),
        (Observable("plasma.drug", time="spines.density>2.4"), 1.0),
        (Observable("plasma.drug|plasma.drug * 4", statistic="auc_ratio"), 0.25),
        (Observable("plasma.drug|1 - plasma.drug", statistic="correlation", time="1;2;3"), -1.0),
        (Observable("plasma.drug", time="4", factor=-0.5), -0.5),
    ],
    ids=lambda item: getattr(item, "reduction", None),
)
def test_a_number_is_read_off_the_curve(measure, expected):
    assert measure.read(patient()) == pytest.approx(expected, rel=2e-3)


def test_against_a_control():
    treated, control = patient(), patient(**{"plasma.drug": np.full_like(HOURS, 4.0)})
    assert Observable("plasma.drug", time="4", control_contrast="difference").read(treated, control) == pytest.approx(
        -3, rel=1e-3
    )
    assert Observable("plasma.drug", time="4", control_contrast="fold").read(treated, control) == pytest.approx(
        0.25, rel=1e-3
    )
    assert Observable("plasma.drug", time="4", control_contrast="rise").read(treated, control) == pytest.approx(
        -0.75, rel=1e-3
    )


@pytest.mark.parametrize(
    "reduction", ["max", "tmax", "auc", "time_above", "clearance", "at", "first_above", "last_above"]
)
def test_a_failed_solve_never_becomes_a_number(reduction):
    failed = patient(**{"plasma.drug": np.full_like(HOURS, np.nan)})
    assert math.isnan(Observable("plasma.drug", statistic=reduction).read(failed))


def test_a_moment_that_never_comes_is_no_number():
    for level in (9, 0):  # never above it, and never back to it
        assert math.isnan(Observable("plasma.drug", statistic="last_above", level=level).read(patient()))
    assert math.isnan(Observable("plasma.drug", time="spines.density>9").read(patient()))


def test_sums_of_different_kinds_are_refused():
    with pytest.raises(InputError, match="adds"):
        unit_of("plasma.drug + spines.density", {"plasma.drug": "umol/L", "spines.density": "1"})
    assert unit_of("plasma.drug / plasma.drug", {"plasma.drug": "umol/L"}) == "1"


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(InputError, match="time_above"):
        Observable("plasma.drug", statistic="time_abov")


EVIDENCE = load_evidence()


@pytest.mark.parametrize(
    ("how", "row", "simulated", "word"),
    [
        ("fold", "kamp20-a-0.5h", 0.1888 * 1.2, "inside"),
        ("fold", "kamp20-a-0.5h", 0.1888 / 1.9, "near"),
        ("fold", "kamp20-a-0.5h", 0.1888 * 2.1, "miss"),
        ("fold", "kamp20-a-0.5h", -1.0, "miss"),
        ("z", "synapse-diff-84-24h", -10.7 + 1.9 * 2.88, "inside"),
        ("z", "synapse-diff-84-24h", -10.7 + 2.9 * 2.88, "near"),
        ("z", "synapse-diff-84-24h", 0.0, "miss"),
        ("interval", "phoum-size", 14.9, "inside"),
        ("interval", "phoum-size", 17.4, "near"),
        ("interval", "phoum-size", 2.0, "miss"),
        ("at_most", "label-tmax-hi", 39.0, "inside"),
        ("at_most", "label-tmax-hi", 49.0, "near"),
        ("at_most", "label-tmax-hi", 60.0, "miss"),
        ("at_least", "label-tmax-lo", 15.0, "miss"),
        ("sign", "phoum-form", 1.3, "inside"),
        ("sign", "phoum-form", 1.01, "miss"),
        ("sign", "phoum-elim", 1.01, "inside"),
        ("sign", "phoum-elim", 0.9, "miss"),
        ("sign", "hm07-fs-dir", 0.9, "inside"),
        ("fold", "kamp20-a-0.5h", math.nan, "no result"),
    ],
)
def test_verdicts(how, row, simulated, word):
    verdict = compare_with_published(how, simulated, EVIDENCE[row])
    assert verdict.verdict == word
    if word == "inside":
        assert verdict.distance <= 1
    elif word != "no result":
        assert verdict.distance > 1


def test_standard_errors():
    assert standard_error(EVIDENCE["synapse-diff-84-24h"]) == pytest.approx(2.88, rel=1e-6)
    assert standard_error(EVIDENCE["berman00-ket-72h"]) == pytest.approx(10 / math.sqrt(7), rel=1e-6)
    assert standard_error(EVIDENCE["rolan-f"]) == pytest.approx(2 / 1.644854, rel=1e-6)


def test_a_range_gives_no_standard_error_and_a_coefficient_of_variation_that_of_the_mean():
    assert EVIDENCE["rolan-tmax"].spread.kind == "range"
    assert math.isnan(standard_error(EVIDENCE["rolan-tmax"]))
    assert math.isnan(log_standard_error(EVIDENCE["rolan-tmax"]))
    clearance = EVIDENCE["fanta-cl"]  # 95 L/h in 11 people, CV 13 %
    assert log_standard_error(clearance) == pytest.approx(math.sqrt(math.log(1 + 0.13**2)) / math.sqrt(11))
    assert standard_error(clearance) == pytest.approx(95 * 0.13 / math.sqrt(11), rel=0.01)
    digitised = EVIDENCE["chdr1311-s-ketamine-1h"]  # an error of the mean itself
    assert standard_error(digitised) == pytest.approx(0.1 * digitised.value, rel=0.01)


def test_products_and_quotients_have_the_units_of_arithmetic():
    units = {"plasma.drug": "umol/L", "body.volume": "L", "body.time": "h"}
    assert unit_of("plasma.drug * body.volume", units) == unit_of("plasma.amount", {"plasma.amount": "umol"})
    assert unit_of("plasma.drug / body.time", units) == unit_of("plasma.rate", {"plasma.rate": "umol/L/h"})
    assert unit_of("plasma.drug / plasma.drug", units) == unit_of("one.x", {"one.x": "1"})
    with pytest.raises(InputError, match="adds"):
        unit_of("plasma.drug / body.time + plasma.drug", units)
