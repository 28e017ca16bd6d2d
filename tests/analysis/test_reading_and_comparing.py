"""Reading numbers off curves, and judging them, on curves whose answers are known."""

import math

import numpy as np
import pytest

from ketamech.analysis import Curves, Measure, compare
from ketamech.analysis.comparison import standard_error
from ketamech.analysis.expression import unit_of
from ketamech.core import BadInput
from ketamech.evidence import load_evidence

HOURS = np.concatenate([[0.0], np.geomspace(1e-3, 200, 4000)])
RATE = math.log(2) / 4


def patient(**more):
    """Ten umol given, washed out of 5 L with a half-life of 4 h; another output rises from 2 to 3 and stays."""
    drug = 2.0 * np.exp(-RATE * HOURS)
    outputs = {"plasma.drug": drug, "spines.density": 2 + np.minimum(HOURS, 10) / 10, **more}
    return Curves(HOURS, outputs, {"plasma.drug": 0.0, "spines.density": 2.0}, given=10.0)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure("plasma.drug", when="4"), 1.0),
        (Measure("plasma.drug + plasma.drug * 2", when="4"), 3.0),
        (Measure("plasma.drug", reduction="max"), 2.0),
        (Measure("plasma.drug", reduction="auc", when="0-4"), 1.0 / RATE),
        (Measure("plasma.drug", reduction="half_life", when="1-9"), 4.0),
        (Measure("plasma.drug", reduction="clearance"), 5 * RATE),
        (Measure("plasma.drug", reduction="steady_volume"), 5.0),
        (Measure("plasma.drug", seen_as="of_peak", reduction="time_above", level=0.5), 4.0),
        (Measure("spines.density", seen_as="rise", when="5"), 0.25),
        (Measure("spines.density", seen_as="change", reduction="relative", when="5;10"), 0.5),
        (Measure("spines.density", reduction="first_above", level=2.5), 5.0),
        (Measure("plasma.drug", when="spines.density>2.4"), 1.0),
        (Measure("plasma.drug|plasma.drug * 4", reduction="auc_ratio"), 0.25),
        (Measure("plasma.drug|1 - plasma.drug", reduction="correlation", when="1;2;3"), -1.0),
        (Measure("plasma.drug", when="4", factor=-0.5), -0.5),
    ],
    ids=lambda item: getattr(item, "reduction", None),
)
def test_a_number_is_read_off_the_curve(measure, expected):
    assert measure.read(patient()) == pytest.approx(expected, rel=2e-3)


def test_against_a_control():
    treated, control = patient(), patient(**{"plasma.drug": np.full_like(HOURS, 4.0)})
    assert Measure("plasma.drug", when="4", against="difference").read(treated, control) == pytest.approx(-3, rel=1e-3)
    assert Measure("plasma.drug", when="4", against="fold").read(treated, control) == pytest.approx(0.25, rel=1e-3)
    assert Measure("plasma.drug", when="4", against="rise").read(treated, control) == pytest.approx(-0.75, rel=1e-3)


@pytest.mark.parametrize("reduction", ["max", "tmax", "auc", "time_above", "clearance", "at", "first_above"])
def test_a_failed_solve_never_becomes_a_number(reduction):
    failed = patient(**{"plasma.drug": np.full_like(HOURS, np.nan)})
    assert math.isnan(Measure("plasma.drug", reduction=reduction).read(failed))


def test_a_moment_that_never_comes_is_no_number():
    assert math.isnan(Measure("plasma.drug", when="spines.density>9").read(patient()))


def test_sums_of_different_kinds_are_refused():
    with pytest.raises(BadInput, match="adds"):
        unit_of("plasma.drug + spines.density", {"plasma.drug": "umol/L", "spines.density": "1"})
    assert unit_of("plasma.drug / plasma.drug", {"plasma.drug": "umol/L"}) == "1"


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(BadInput, match="time_above"):
        Measure("plasma.drug", reduction="time_abov")


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
    verdict = compare(how, simulated, EVIDENCE[row])
    assert verdict.word == word
    if word == "inside":
        assert verdict.off <= 1
    elif word != "no result":
        assert verdict.off > 1


def test_standard_errors():
    assert standard_error(EVIDENCE["synapse-diff-84-24h"]) == pytest.approx(2.88, rel=1e-6)
    assert standard_error(EVIDENCE["berman00-ket-72h"]) == pytest.approx(10 / math.sqrt(7), rel=1e-6)
    assert standard_error(EVIDENCE["rolan-f"]) == pytest.approx(2 / 1.644854, rel=1e-6)
